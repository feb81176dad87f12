"""A whole node with all rooms, and visitors who send what no page of ours would send."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.config import Config, load_config
from app.core.db import Database
from app.factory import create_app
from app.firms.access import Role
from app.notary.actions import open_ledger
from app.notary.documents import draft_ledger, founder_signature, origin_for
from app.notary.keys import use_node_key
from app.notary.queries import key_document
from app.passkeys.sessions import start_sign_in
from ledger.encoding import to_b64url
from tests.passkeys.software import SoftwarePasskey
from tests.world import TestFirm, make_firm

ORIGIN = "http://localhost:8000"
SAME_ORIGIN = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class HostileNode:
    """The real application over one database."""

    app: Flask
    database: Database
    config: Config

    def visitor(self, secret: str = "") -> "Visitor":
        client = self.app.test_client()
        if secret:
            client.set_cookie("werkring", secret)
        return Visitor(client)

    def person(self, firm: TestFirm, role: Role, *, has_passkey: bool = True) -> "Visitor":
        """Somebody of the firm who is signed in on a device of her own."""
        with self.database.write() as session:
            new = start_sign_in(session, firm.id, firm.people[role], "Handy", has_passkey=has_passkey, role=role)
        return self.visitor(new.secret)


@dataclass(frozen=True)
class Visitor:
    """One browser; headers and bodies are whatever the test wants."""

    client: FlaskClient

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, base_url=ORIGIN, **more)

    def post(self, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        return self.client.post(path, base_url=ORIGIN, headers=SAME_ORIGIN | (headers or {}), **more)


def open_node(database: Database, folder: Path, **env: str) -> HostileNode:
    config = load_config({"DATA_DIR": str(folder), "DATABASE_URL": database.url} | env)
    app = create_app(config, database)
    return HostileNode(app, database, config)


def foreign_keys(folder: Path, key: str, *, is_practice: bool = False) -> dict[str, Any]:
    """A key document in the name of `key@test`, made on somebody's own node: every signature in it holds."""
    node_key = bytes(range(1, 33))
    use_node_key(node_key)
    database, passkey = Database(f"sqlite:///{folder / 'foreign.sqlite'}"), SoftwarePasskey()
    database.create_tables()
    with database.write() as session:
        firm, origin = make_firm(session, key), origin_for(key, "test", is_practice=is_practice)
        draft = draft_ledger(node_key, f"{key}@test", origin, "Anfang.", passkey.cose, passkey.rp_id, (passkey.origin,))
        parts = passkey.assertion(to_b64url(draft.digest))
        open_ledger(session, firm.id, draft, founder_signature(draft, passkey.cose, parts))
    with database.read() as session:
        document = key_document(session, firm.id)
    database.close()
    return document
