"""Rows for programs, always of the one firm whose access asks; and the accesses themselves."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.api.models import ApiToken, WebhookCall
from app.api.resources import Field, Lines, Resource
from app.api.rules import SHOWN_FOR, hash_of
from app.core import clock
from app.core.errors import NotFound
from app.firms.access import Actor, Role
from app.firms.models import Person

Item = dict[str, Any]
MOST_CALLS_SHOWN = 5


@dataclass(frozen=True)
class Page:
    """So many things, and where the rest begins; '' at the end."""

    items: list[Item]
    next_cursor: str


@dataclass(frozen=True)
class TokenRow:
    """One access as the page shows it."""

    id: str
    name: str
    scopes: Sequence[str]
    created_at: dt.datetime
    created_by: str
    last_used_on: dt.date | None


def page_of(
    session: Session, firm_id: str, resource: Resource, after: str, limit: int, weeks: tuple[str, str] = ("", "")
) -> Page:
    """Things behind the cursor in the order of their making."""
    query = _query(firm_id, resource).where(resource.model.id > after).order_by(resource.model.id).limit(limit + 1)
    if weeks[0]:
        query = query.where(resource.week >= weeks[0])
    if weeks[1]:
        query = query.where(resource.week <= weeks[1])
    items = _items(session, firm_id, resource, query)
    return Page(items[:limit], items[limit - 1]["id"] if len(items) > limit else "")


def item_of(session: Session, firm_id: str, resource: Resource, item_id: str) -> Item:
    """One thing; raises NotFound."""
    found = _items(session, firm_id, resource, _query(firm_id, resource).where(resource.model.id == item_id))
    if not found:
        raise NotFound
    return found[0]


def items_of(session: Session, firm_id: str, resource: Resource, *conditions: Any) -> list[Item]:
    """All things that meet the conditions."""
    return _items(session, firm_id, resource, _query(firm_id, resource).where(*conditions))


def token_by_secret(session: Session, secret: str) -> ApiToken | None:
    """The living access of a secret."""
    return session.scalar(
        sa.select(ApiToken).where(ApiToken.secret_hash == hash_of(secret), ApiToken.revoked_at.is_(None))
    )


def tokens_of(session: Session, actor: Actor) -> list[TokenRow]:
    """The firm's living accesses, the newest first."""
    person = (Person.firm_id == ApiToken.firm_id) & (Person.id == ApiToken.created_by)
    rows = session.execute(
        sa.select(
            ApiToken.id, ApiToken.name, ApiToken.scopes, ApiToken.created_at, Person.name, ApiToken.last_used_on
        )
        .outerjoin(Person, person)
        .where(ApiToken.firm_id == actor.firm_id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    )  # fmt: skip
    return [TokenRow(*row) for row in rows]


def token_for(session: Session, actor: Actor, token_id: str) -> ApiToken:
    """One living access of the firm; raises NotFound."""
    found = session.get(ApiToken, (actor.firm_id, token_id))
    if found is None or found.revoked_at is not None:
        raise NotFound
    return found


def new_token_for(session: Session, actor: Actor, token_id: str) -> ApiToken:
    """An access whose secret may still be copied by the person who made it; raises NotFound."""
    found = token_for(session, actor, token_id)
    is_new = found.copied_at is None and found.created_at + SHOWN_FOR > clock.now()
    if not is_new or found.created_by != actor.person_id:
        raise NotFound
    return found


def last_calls(session: Session, actor: Actor) -> Sequence[WebhookCall]:
    """The newest news for the firm's program."""
    query = sa.select(WebhookCall).where(WebhookCall.firm_id == actor.firm_id)
    return session.scalars(query.order_by(WebhookCall.id.desc()).limit(MOST_CALLS_SHOWN)).all()


def caller_of(token: ApiToken) -> Actor:
    """The program as somebody who acts: with its own id in place of a person's, as a manager sees."""
    return Actor(token.firm_id, token.id, frozenset({Role.MANAGER}), Role.MANAGER, token.name, token.id)


def _query(firm_id: str, resource: Resource) -> sa.Select[*tuple[Any, ...]]:
    query = sa.select(*(one.column for one in resource.fields)).select_from(resource.model)
    for table, condition in resource.joins:
        query = query.outerjoin(table, condition)
    return query.where(resource.model.firm_id == firm_id, *resource.narrow)


def _items(session: Session, firm_id: str, resource: Resource, query: sa.Select[*tuple[Any, ...]]) -> list[Item]:
    items = [_item(resource.fields, row) for row in session.execute(query)]
    if resource.lines is not None:
        found = _lines_of(session, firm_id, resource.lines, [item["id"] for item in items])
        items = [item | {resource.lines.name: found.get(item["id"], [])} for item in items]
    return items


def _lines_of(session: Session, firm_id: str, lines: Lines, parents: Collection[str]) -> dict[str, list[Item]]:
    rows = session.execute(
        sa.select(*(one.column for one in lines.fields), lines.parent)
        .where(lines.model.firm_id == firm_id, lines.parent.in_(parents), *lines.narrow)
        .order_by(*lines.order)
    )
    found: dict[str, list[Item]] = {}
    for row in rows:
        found.setdefault(row[-1], []).append(_item(lines.fields, row))
    return found


def _item(fields: Sequence[Field], row: Sequence[Any]) -> Item:
    return {one.name: _plain(value) for one, value in zip(fields, row, strict=False)}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value
