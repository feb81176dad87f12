"""One transaction per answer, and the permission before it. Every view is a `page`, a `deed` or a `ceremony`."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Response, make_response, redirect, request
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database, void
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.outbox import IdempotencyRow
from app.core.words import N_
from app.web.limits import DEEDS, LOOKS, UPLOADS, count_person
from app.web.security import SAFE
from app.web.world import config, world

View = Callable[..., Any]
PUBLIC = "public"
OWN = (PUBLIC, "own.use")
"""What people do for themselves: sign out, read in another language."""
ELSEWHERE = {
    "moved": N_("Euer Betrieb ist umgezogen. Hier ändert sich nichts mehr."),
    "copy": N_("Das ist nur eine Kopie. Hier ändert sich nichts."),
}


def page(permission: str) -> Callable[[View], View]:
    """A GET: `view(session, actor, **url)` inside one reading transaction. PUBLIC: actor may be None."""

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def answer(**url: Any) -> Any:
            actor = _allowed_actor(permission)
            with world().database().read() as session:
                return view(session, actor, **url)

        return _marked(answer, permission)

    return wrap


def deed(permission: str) -> Callable[[View], View]:
    """A POST: `view(session, actor, **url)` inside one writing transaction; an answer of 400 or more rolls it back.

    A form that carries the key `once` is done once: the second POST gets the first answer.
    """

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def answer(**url: Any) -> Response:
            actor = _allowed_actor(permission)
            _refuse_elsewhere(actor, permission)
            _read_body(actor)
            with world().database().write() as session:
                earlier = _earlier_answer(session, actor)
                if earlier is not None:
                    void(session)
                    return earlier
                response = make_response(view(session, actor, **url))
                if response.status_code >= 400:
                    void(session)
                else:
                    _remember_answer(session, actor, response)
            return response

        return _marked(answer, permission)

    return wrap


def ceremony(permission: str, most_bytes: int = 0) -> Callable[[View], View]:
    """A POST that opens its own transactions: `view(database, actor, **url)`. Only for passkey ceremonies and uploads.

    `most_bytes` bounds the body below what the node takes elsewhere.
    """

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def answer(**url: Any) -> Any:
            actor = _allowed_actor(permission)
            _refuse_elsewhere(actor, permission)
            _read_body(actor)
            return view(world().database(), actor, **url)

        answer.most_bytes = most_bytes  # type: ignore[attr-defined]
        return _marked(answer, permission)

    return wrap


def machine() -> Callable[[View], View]:
    """What only programs call: `view(database, **url)`. Nobody is signed in, no form is involved, the view itself checks
    who asks, and reads the body only then."""

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def answer(**url: Any) -> Any:
            if config().is_practice:
                raise NotFound
            return view(world().database(), **url)

        answer.is_machine = True  # type: ignore[attr-defined]
        return _marked(answer, PUBLIC)

    return wrap


def _marked(answer: View, permission: str) -> View:
    answer.permission = permission  # type: ignore[attr-defined]
    return answer


def _allowed_actor(permission: str) -> Any:
    actor = world().actor()
    count_person(actor, LOOKS if request.method in SAFE else DEEDS)
    if permission != PUBLIC:
        world().require(actor, permission)
    return actor


def _refuse_elsewhere(actor: Any, permission: str) -> None:
    """What a firm did here after it moved, the node where it works now would never know."""
    if actor is not None and actor.elsewhere and permission not in OWN:
        raise Conflict(ELSEWHERE[actor.elsewhere])


def _read_body(actor: Any) -> None:
    """Before a writing transaction begins: a body that comes slowly must not keep everybody else from writing."""
    request.get_data(cache=True, parse_form_data=True)
    if any(sent.filename for sent in request.files.values()):
        count_person(actor, UPLOADS)


def _earlier_answer(session: Session, actor: Any) -> Response | None:
    key = request.form.get("once", "")
    if not key or actor is None:
        return None
    row = session.get(IdempotencyRow, (actor.firm_id, actor.person_id, key[:64]))
    if row is None:
        # PostgreSQL: a twin that runs right now waits here for the first one; SQLite writers queue up anyway
        if session.connection().dialect.name == "postgresql":
            session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": actor.person_id + key})
            row = session.get(IdempotencyRow, (actor.firm_id, actor.person_id, key[:64]))
        if row is None:
            return None
    if row.body_sha256 != _body_sha256():
        raise RuleBroken("Dieses Formular wurde schon gesendet. Lade die Seite neu.")
    return make_response(redirect(row.location, 303))


def _remember_answer(session: Session, actor: Any, response: Response) -> None:
    key = request.form.get("once", "")
    if not key or actor is None or response.status_code != 303:
        return
    session.add(
        IdempotencyRow(
            firm_id=actor.firm_id,
            person_id=actor.person_id,
            key=key[:64],
            body_sha256=_body_sha256(),
            location=response.location or "/",
            created_at=clock.now(),
        )
    )


def _body_sha256() -> str:
    fields = sorted((name, value) for name, value in request.form.items(multi=True) if name not in ("once", "csrf"))
    return hashlib.sha256(repr((request.path, fields)).encode()).hexdigest()


def database_of(session: Session) -> Database:
    """The database that a writing session belongs to."""
    found: Database = session.info["database"]
    return found
