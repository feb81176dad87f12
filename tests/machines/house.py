"""The pages of one firm in a test client: sign-in is somebody else's room, so the acting person is simply set."""

from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.config import load_config
from app.core.db import Database
from app.factory import create_app
from app.firms.access import Actor
from app.web.world import join_world, world


@dataclass
class House:
    """The application for one person at a time."""

    app: Flask
    client: FlaskClient
    acting: list[Actor | None]

    def enter(self, actor: Actor) -> "House":
        self.acting[0] = actor
        return self

    def get(self, url: str) -> TestResponse:
        return _as_read(self.client.get(url))

    def post(self, url: str, **fields: object) -> TestResponse:
        """Send a form as a browser of the same origin does."""
        origin = self.app.extensions["world"].config.origin
        return _as_read(self.client.post(url, data=fields, headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"}))


def _as_read(answer: TestResponse) -> TestResponse:
    """To the eye a no-break space is a space."""
    if answer.mimetype == "text/html":
        answer.set_data(answer.get_data(as_text=True).replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", ""))
    return answer


def open_house(database: Database, folder: Path, public_url: str = "http://localhost", **env: str) -> House:
    config = load_config({"DATA_DIR": str(folder), "PRACTICE": "off", "PUBLIC_URL": public_url, **env})
    app = create_app(config, database)
    acting: list[Actor | None] = [None]
    with app.app_context():
        join_world(app, replace(world(), actor=lambda: acting[0]))
    return House(app, app.test_client(), acting)
