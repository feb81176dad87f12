"""One node with pages, and browsers that hold software passkeys."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import factory
from app.config import Config, load_config
from app.core.db import Database
from app.core.errors import WerkringError
from app.passkeys.approvals import document_to_sign, shown_digest
from app.passkeys.sessions import load_actor
from app.web.world import world
from tests.passkeys.software import SoftwarePasskey

ORIGIN = "http://localhost:8000"
SCRIPT = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
FACTS = {
    "name": "Keller Metallbau GmbH", "short_name": "Keller", "legal_form": "GmbH", "street": "Werkstr. 1",
    "postcode": "99084", "town": "Erfurt", "person_name": "Petra Keller", "email": "petra@keller.de",
}  # fmt: skip


@dataclass
class Browser:
    """A phone: its cookies, and the passkeys it made."""

    client: FlaskClient
    passkey: SoftwarePasskey = field(default_factory=SoftwarePasskey)
    agent: str = "Mozilla/5.0 (Linux; Android 15)"
    origin: str = ORIGIN

    @property
    def headers(self) -> dict[str, str]:
        return SCRIPT | {"Origin": self.origin, "User-Agent": self.agent}

    def get(self, path: str, status: int = 200) -> TestResponse:
        return self._checked(self.client.get(path, base_url=self.origin, headers={"User-Agent": self.agent}), status)

    def post(self, path: str, status: int = 303, **form: Any) -> TestResponse:
        return self._checked(self.client.post(path, base_url=self.origin, data=form, headers=self.headers), status)

    def send(self, path: str, body: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
        answer = self.client.post(path, base_url=self.origin, json=body or {}, headers=self.headers)
        self._checked(answer, status)
        found: dict[str, Any] = answer.get_json()
        return found

    def register(self, options_path: str, finish_path: str, **fields: Any) -> dict[str, Any]:
        credential = self.passkey.create(self.send(options_path, fields))
        return self.send(finish_path, fields | {"credential": credential})

    def answer(self, options_path: str, finish_path: str, status: int = 200, **fields: Any) -> dict[str, Any]:
        credential = self.passkey.get(self.send(options_path, fields))
        return self.send(finish_path, fields | {"credential": credential}, status)

    def sign_in(self, status: int = 200) -> dict[str, Any]:
        return self.answer("/anmelden/optionen", "/anmelden/pruefen", status)

    def found_firm(self, **facts: str) -> None:
        """The whole way from the empty form to a firm that may sign."""
        self.post("/betrieb/neu", **(FACTS | facts))
        self.register("/betrieb/neu/schluessel/optionen", "/betrieb/neu/schluessel")
        self.answer("/betrieb/neu/bestaetigen/optionen", "/betrieb/neu/bestaetigen")

    def join(self, token: str) -> dict[str, Any]:
        return self.register(f"/willkommen/{token}/optionen", f"/willkommen/{token}/anmelden")

    def approve(self, kind: str, document_id: str, status: int = 200) -> dict[str, Any]:
        return self.answer(self.options_path(kind, document_id), f"/unterschrift/{kind}/{document_id}", status)

    def options_path(self, kind: str, document_id: str) -> str:
        """Where the button on a page that was loaded just now asks: it names the text that the page shows."""
        name = "__Host-werkring" if self.origin.startswith("https") else "werkring"
        cookie = self.client.get_cookie(name, domain=urlsplit(self.origin).hostname or "")
        headers = {"Cookie": f"{name}={cookie.value}"} if cookie else {}
        with self.client.application.test_request_context("/", base_url=self.origin, headers=headers):
            actor = load_actor()
            assert actor is not None
            with world().database().read() as session:
                try:
                    shown = shown_digest(document_to_sign(session, actor, kind, document_id).digest)
                except WerkringError:
                    shown = ""
        return f"/unterschrift/{kind}/{document_id}/optionen?shown={shown}"

    def approve_refused(self, kind: str, document_id: str) -> str:
        """What a person reads who may not approve this."""
        return str(self.send(f"/unterschrift/{kind}/{document_id}/optionen", status=422)["error"])

    @property
    def is_signed_in(self) -> bool:
        return self.client.get("/geraete", base_url=self.origin).status_code == 200

    def _checked(self, answer: TestResponse, status: int) -> TestResponse:
        assert answer.status_code == status, f"{answer.status_code}: {answer.get_data(as_text=True)[:2000]}"
        return answer


@dataclass(frozen=True)
class Node:
    """The application over one database."""

    app: Flask
    database: Database
    config: Config

    def browser(self, agent: str = "Mozilla/5.0 (Linux; Android 15)") -> Browser:
        origin = self.config.origin
        passkey = SoftwarePasskey(origin=origin, rp_id=self.config.rp_id)
        return Browser(self.app.test_client(), passkey, agent, origin)


def start_node(database: Database, folder: Path, **env: str) -> Node:
    """The node with the two rooms that signing in needs: what stands above them has its own tests."""
    config = load_config({"DATA_DIR": str(folder), "DATABASE_URL": database.url} | env)
    with patch.object(factory, "ROOMS", ("firms", "passkeys")):
        app = factory.create_app(config, database)
    return Node(app, database, config)
