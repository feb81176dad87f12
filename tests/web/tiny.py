"""A tiny room in the real application: one view of each kind, so that the frame is tested and no business."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, request
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.config import load_config
from app.core.db import Database
from app.core.errors import Conflict, NotAllowed, NotFound, RuleBroken
from app.core.ids import new_id
from app.factory import create_app
from app.firms.access import Actor
from app.firms.models import NodeSetting
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.security import csrf_token
from app.web.transaction import PUBLIC, ceremony, deed, page
from app.web.world import join_world, world

SAME_ORIGIN = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
SECRET = "Geheimkunde AG, 95,00 € je Stunde"
ERRORS: dict[str, Callable[[], Exception]] = {
    "regel": lambda: RuleBroken("Gib die Stunden als Zahl ein, zum Beispiel 7,5.", "hours"),
    "fehlt": NotFound,
    "verboten": lambda: NotAllowed("Das darf nur deine Leitung. Frag sie."),
    "zu-spät": lambda: Conflict("Das geht gerade nicht mehr. Lade die Seite neu."),
    "absturz": lambda: ZeroDivisionError(SECRET),
    "gesperrt": lambda: sa.exc.OperationalError(SECRET, {}, Exception("database is locked")),
}


@dataclass
class Tiny:
    """The application, its database, and the person who acts; None is a visitor."""

    app: Flask
    database: Database
    acting: list[Actor | None]
    gate: threading.Event
    """Deeds wait for it before they end"""

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def post(self, url: str = "/t/tat", headers: dict[str, str] | None = None, **fields: object) -> TestResponse:
        """Send a form as a browser of the same origin does."""
        return self.client.post(url, data=fields, headers=SAME_ORIGIN if headers is None else headers)

    def done(self) -> list[str]:
        """What deeds have written."""
        query = sa.select(NodeSetting.value).where(NodeSetting.key.startswith("tat:")).order_by(NodeSetting.key)
        with self.database.read() as session:
            return list(session.scalars(query))


def open_tiny(database: Database, folder: Path, public_url: str = "http://localhost", **env: str) -> Tiny:
    config = load_config({"DATA_DIR": str(folder), "PRACTICE": "off", "PUBLIC_URL": public_url, **env})
    app = create_app(config, database)
    tiny = Tiny(app, database, [None], threading.Event())
    tiny.gate.set()
    app.register_blueprint(_room(tiny))
    with app.app_context():
        join_world(app, replace(world(), actor=lambda: tiny.acting[0]))
    return tiny


def _room(tiny: Tiny) -> Blueprint:
    room = Blueprint("tiny", __name__)

    @room.get("/t/seite")
    @page("own.use")
    def show(session: Session, actor: Actor) -> Response:
        session.add(NodeSetting(key="tat:seite", value="written while reading"))
        session.flush()
        return Response(f"für {actor.name}", mimetype="text/plain")

    @room.get("/t/offen")
    @page(PUBLIC)
    def show_open(_session: Session, _actor: Actor | None) -> Response:
        return Response("x" * int(request.args.get("viel", "1")), mimetype="text/plain")

    @room.get("/t/schein")
    @page(PUBLIC)
    def show_token(_session: Session, _actor: Actor | None) -> Response:
        return Response(csrf_token(), mimetype="text/plain")

    @room.post("/t/tat")
    @deed("own.use")
    def act(session: Session, _actor: Actor) -> Response:
        form = Form(request.form)
        value = form.text("wert", "Schreib einen Wert.")
        _write(session, value or "?")
        tiny.gate.wait(5)
        if "fehler" in form.fields:
            raise ERRORS[form.value("fehler")]()
        if not form.is_good:
            return render("errors/show.html", 422, sentence=form.errors[0].text, reference="", code=422)
        return go_to("/t/seite?wert=" + value, "Gemerkt.")

    @room.post("/t/leitung")
    @deed("agreements.sign")
    def sign(session: Session, _actor: Actor) -> Response:
        _write(session, "signed")
        return go_to("/t/seite")

    @room.post("/t/feier")
    @ceremony("own.use")
    def celebrate(database: Database, _actor: Actor) -> Response:
        for value in ("first", "second"):
            with database.write() as session:
                _write(session, value)
        raise NotFound

    @room.get("/t/fehler/<name>")
    @page(PUBLIC)
    def fail(_session: Session, _actor: Actor | None, name: str) -> Response:
        raise ERRORS[name]()

    return room


def _write(session: Session, value: str) -> None:
    session.add(NodeSetting(key="tat:" + new_id()[-32:], value=value))
    session.flush()


def headers_of(answer: TestResponse) -> dict[str, Any]:
    return {name.lower(): value for name, value in answer.headers.items()}
