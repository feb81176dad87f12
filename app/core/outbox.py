"""The outbox: events and idempotency keys, durable with the change that made them."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core import clock
from app.core.db import Base
from app.core.events import Event
from app.core.ids import new_id

RETRIES_S = (5, 30, 120, 600, 3600, 21600)
PARKED_S = 86_400
"""What failed so often may succeed after the next update: nothing that happened is given up."""


class OutboxRow(Base):
    """An event that waits for its reactions or was settled. Parked: a person should look; it is tried once a day."""

    __tablename__ = "outbox"
    __table_args__ = (sa.Index("ix_outbox_waiting", "next_try_at", sqlite_where=sa.text("settled_at IS NULL")),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    firm_id: Mapped[str] = mapped_column(sa.String(36), index=True)
    kind: Mapped[str] = mapped_column(sa.String(60))
    body: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime]
    next_try_at: Mapped[dt.datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    settled_at: Mapped[dt.datetime | None]
    parked_at: Mapped[dt.datetime | None]
    error: Mapped[str] = mapped_column(sa.Text, default="")


class IdempotencyRow(Base):
    """The stored answer to a form or message that was sent with a key."""

    __tablename__ = "idempotency"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    person_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    body_sha256: Mapped[str] = mapped_column(sa.String(64))
    location: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[dt.datetime]


def emit(session: Session, event: Event) -> str:
    """Write the event into the outbox of the running transaction; returns its id."""
    now = clock.now()
    row = OutboxRow(
        id=new_id(),
        firm_id=event.firm_id,
        kind=type(event).__name__,
        body=event.to_body(),
        created_at=now,
        next_try_at=now,
    )
    session.add(row)
    session.info.setdefault("events", []).append(row.id)
    return row.id


def emit_once(session: Session, event: Event) -> None:
    """Write the event unless the running transaction has written the same one: many changes, one piece of news."""
    written: set[Event] = session.info.setdefault("once", set())
    if event not in written:
        written.add(event)
        emit(session, event)


_DUE = (
    sa.select(OutboxRow.id)
    .where(OutboxRow.settled_at.is_(None))
    .where(sa.or_(OutboxRow.attempts == 0, OutboxRow.next_try_at <= sa.bindparam("now")))
    .order_by(OutboxRow.id)
    .limit(sa.bindparam("most"))
)


def due_events(session: Session, now: dt.datetime, limit: int = 200) -> list[str]:
    """Ids of events that wait and whose time has come, oldest first; a new one is due whatever another machine's clock says."""
    return list(session.scalars(_DUE, {"now": now, "most": limit}))


def is_parked(attempts: int) -> bool:
    """Say whether an event failed so often that a person should look."""
    return attempts > len(RETRIES_S)


def retry_at(attempts: int, now: dt.datetime) -> dt.datetime:
    """When to try again after so many failures: later and later, then once a day."""
    return now + dt.timedelta(seconds=PARKED_S if is_parked(attempts) else RETRIES_S[attempts - 1])
