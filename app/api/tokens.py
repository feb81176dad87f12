"""Accesses of programs: made and locked by a manager, used by whoever has the secret."""

import base64
import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.api.models import ApiAnswer, ApiToken
from app.api.queries import new_token_for, token_for
from app.api.rules import ANSWERS_KEPT, SCOPES, hash_of
from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.core.ids import new_id
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.keys import derived_secret

PREFIX = "werkring_"
"""By it scanners of code tell that somebody published a secret."""
MOST_TOKENS = 20


def make_token(session: Session, actor: Actor, name: str, scopes: list[str]) -> ApiToken:
    """A new access; its secret is `secret_of` it."""
    bump_version(session, actor.firm_id)
    living = sa.select(sa.func.count()).where(ApiToken.firm_id == actor.firm_id, ApiToken.revoked_at.is_(None))
    if (session.scalar(living) or 0) >= MOST_TOKENS:
        raise RuleBroken("Ihr habt schon 20 Zugänge. Sperre zuerst einen alten.", "name")
    token = ApiToken(
        firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), name=name, created_by=actor.person_id,
        scopes=[scope for scope in SCOPES if scope in scopes],
    )  # fmt: skip
    token.secret_hash = hash_of(secret_of(session, token))
    session.add(token)
    note_event(session, actor.firm_id, actor.person_id, "api_token_made", "token", token.id, detail={"name": name})
    return token


def secret_of(session: Session, token: ApiToken) -> str:
    """Made again from the firm's keys, so that it lies nowhere."""
    secret = derived_secret(session, token.firm_id, f"api token {token.id}")
    return PREFIX + base64.urlsafe_b64encode(secret).decode().rstrip("=")


def hide_secret(session: Session, actor: Actor, token_id: str) -> None:
    """The person has copied it: from now on nobody sees it again."""
    new_token_for(session, actor, token_id).copied_at = clock.now()


def revoke_token(session: Session, actor: Actor, token_id: str) -> None:
    """From the next request on the program is a stranger."""
    token = token_for(session, actor, token_id)
    token.revoked_at = clock.now()
    note_event(
        session, actor.firm_id, actor.person_id, "api_token_revoked", "token", token.id, detail={"name": token.name}
    )


def note_use(database: Database, token: ApiToken) -> None:
    """Once a day, which a person wants to know: is this access still needed?"""
    if token.last_used_on == clock.today():
        return
    with database.write() as session:
        session.execute(
            sa.update(ApiToken)
            .where(ApiToken.firm_id == token.firm_id, ApiToken.id == token.id)
            .values(last_used_on=clock.today())
            .execution_options(synchronize_session=False)
        )


def forget_answers(session: Session, now: dt.datetime) -> None:
    """What was answered under a key a week ago, no program asks again."""
    session.execute(
        sa.delete(ApiAnswer)
        .where(ApiAnswer.created_at < now - ANSWERS_KEPT)
        .execution_options(synchronize_session=False)
    )
