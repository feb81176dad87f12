"""A program of Keller and one of Yilmaz at the door: a sealed job behind them, and secrets that a manager made."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.api.rules import SCOPES
from app.api.tokens import make_token, secret_of
from app.config import load_config
from app.core.db import Database
from app.factory import create_app
from tests.invoices.world import Job, confirm, issue, make_job

ORIGIN = "http://localhost:8000"


@dataclass
class Programs:
    """The application, the job, and a secret with every scope by firm."""

    app: Flask
    database: Database
    job: Job
    secrets: dict[str, str] = field(default_factory=dict)
    token_ids: dict[str, str] = field(default_factory=dict)

    def get(self, key: str, path: str) -> TestResponse:
        return self.ask("GET", path, self.secrets[key])

    def put(self, key: str, path: str, body: Any, once: str = "") -> TestResponse:
        headers = {"Idempotency-Key": once} if once else {}
        return self.ask("PUT", path, self.secrets[key], headers, json=body)

    def ask(
        self, method: str, path: str, secret: str, headers: dict[str, str] | None = None, **more: Any
    ) -> TestResponse:
        sent = (headers or {}) | {"Authorization": f"Bearer {secret}"}
        return self.app.test_client().open(f"/api/v1/{path}", method=method, base_url=ORIGIN, headers=sent, **more)


def open_programs(database: Database, folder: Path, counts_people: bool = True) -> Programs:
    """Yilmaz works for Keller, hours are confirmed and invoiced; each firm has a program that may all."""
    job = make_job(database)
    config = load_config({"DATA_DIR": str(folder), "DATABASE_URL": database.url, "PRACTICE": "off"})
    confirm(database, job, 1, 600)
    issue(database, job, config)
    programs = Programs(create_app(replace(config, counts_people=counts_people), database), database, job)
    with database.write() as session:
        for key in ("keller", "yilmaz"):
            token = make_token(session, job.actor(key), f"ERP {key}", list(SCOPES))
            programs.secrets[key], programs.token_ids[key] = secret_of(session, token), token.id
    return programs
