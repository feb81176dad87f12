"""The door for programs: a bearer key with its scope, a pace, strict parameters, and answers kept under a program's own key."""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Response, request
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app.api.models import ApiAnswer, ApiToken
from app.api.queries import caller_of, token_by_secret
from app.api.rules import CURSOR, KEY, MOST_LIMIT, SCOPES, USUAL_LIMIT
from app.api.tokens import note_use
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotAllowed, RuleBroken, TooMany
from app.core.ids import new_id
from app.core.units import WEEK_PATTERN
from app.notary.transfer import is_elsewhere
from app.web.limits import DEEDS, KNOCKS, LOOKS, count_network, count_person
from app.web.problems import problem
from app.web.security import SAFE
from app.web.transaction import ELSEWHERE, View, machine

MOST_BYTES = 1024 * 1024
JSON = "application/json"


def call(scope: str = "") -> Callable[[View], View]:
    """What a program may ask with an access of this scope, or with any: `view(database, token, **url)`."""

    def wrap(view: View) -> View:
        @machine()
        @functools.wraps(view)
        def answer(database: Database, **url: Any) -> Response:
            with database.read() as session:
                token = token_by_secret(session, _secret())
                if token is None:
                    return _who_are_you()
                session.expunge(token)
                has_moved = is_elsewhere(session, token.firm_id)
            count_person(caller_of(token), LOOKS if request.method in SAFE else DEEDS)
            if has_moved:
                raise Conflict(ELSEWHERE["moved"])
            if scope and scope not in token.scopes:
                raise NotAllowed("Dieser Zugang darf das nicht: %(scope)s.", scope=scope)
            note_use(database, token)
            response: Response = view(database, token, **url)
            return response

        assert not scope or scope in SCOPES
        answer.most_bytes = MOST_BYTES  # type: ignore[attr-defined]
        return answer

    return wrap


def as_json(body: object) -> Response:
    return Response(json.dumps(body, ensure_ascii=False, separators=(",", ":")), mimetype=JSON)


def read_list(*names: str) -> dict[str, str]:
    """The parameters of a list by name, '' for one that is missing; raises RuleBroken for any other or a broken one."""
    known = ("cursor", "limit", *names)
    if any(name not in known or len(request.args.getlist(name)) > 1 for name in request.args):
        raise RuleBroken("Diese Angabe gibt es hier nicht. Möglich sind: %(names)s.", names=", ".join(known))
    found = {name: request.args.get(name, "") for name in known}
    if "cursor" in request.args and not CURSOR.fullmatch(found["cursor"]):
        raise RuleBroken("Diese Stelle gibt es nicht. Nimm next_cursor der letzten Antwort.", "cursor")
    for name in names:
        if name in request.args and not WEEK_PATTERN.fullmatch(found[name]):
            raise RuleBroken("Schreibe die Woche mit dem Jahr, zum Beispiel 2026-W48.", name)
    return found


def limit_of(text: str) -> int:
    """How many things a page holds."""
    if "limit" not in request.args:
        return USUAL_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MOST_LIMIT):
        raise RuleBroken("Gib eine ganze Zahl von %(least)s bis %(most)s ein.", "limit", least=1, most=MOST_LIMIT)
    return int(text)


def read_body() -> Any:
    """The JSON of the request, read before any transaction begins; raises what the web says as 400 or 415."""
    if request.mimetype != JSON:
        raise UnsupportedMediaType
    try:
        return request.get_json(cache=True)
    except UnicodeDecodeError:
        raise BadRequest from None


def once(session: Session, token: ApiToken, act: Callable[[], object]) -> Response:
    """Do it, or give the answer that the same key got; raises RuleBroken when the key came with another body."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return as_json(act())
    if not KEY.fullmatch(key):
        raise RuleBroken("Idempotency-Key hat 1 bis 64 Zeichen ohne Leerzeichen.")
    sent = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.get_data()).hexdigest()
    earlier = _earlier_answer(session, token, key)
    if earlier is None:
        return _remembered(session, token, key, sent, as_json(act()))
    if earlier.body_sha256 != sent:
        raise RuleBroken("Dieser Idempotency-Key gehört zu einer anderen Anfrage.")
    return Response(earlier.answer, mimetype=JSON)


def _earlier_answer(session: Session, token: ApiToken, key: str) -> ApiAnswer | None:
    if session.connection().dialect.name == "postgresql":
        # a twin that runs right now waits here for the first one; SQLite writers queue up anyway
        session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": token.id + key})
    return session.scalar(
        sa.select(ApiAnswer).where(
            ApiAnswer.firm_id == token.firm_id, ApiAnswer.token_id == token.id, ApiAnswer.key == key
        )
    )


def _remembered(session: Session, token: ApiToken, key: str, sent: str, response: Response) -> Response:
    answer = ApiAnswer(
        firm_id=token.firm_id, id=new_id(), created_at=clock.now(), token_id=token.id, key=key, body_sha256=sent,
        answer=response.get_data(as_text=True),
    )  # fmt: skip
    session.add(answer)
    return response


def _secret() -> str:
    given = request.authorization
    return (given.token if given is not None and given.type == "bearer" else None) or ""


def _who_are_you() -> Response:
    if count_network(KNOCKS):
        raise TooMany("Das waren zu viele Versuche. Warte kurz.")
    response = problem(401, gettext("Dieser Zugang ist uns nicht bekannt. Eure Leitung macht einen neuen."))
    response.headers["WWW-Authenticate"] = 'Bearer realm="Werkring"'
    return response
