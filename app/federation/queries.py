"""Messages and files of the acting firm."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.core import clock
from app.core.errors import NotFound
from app.federation.models import Message, StoredFile


@dataclass(frozen=True)
class StuckMessage:
    """A message that did not reach a partner: its kind, state (refused, parked) and when it was written."""

    kind: str
    state: str
    at: dt.datetime


def file_for(session: Session, firm_id: str, file_id: str) -> StoredFile:
    """A file that the firm owns or received; raises NotFound. One that is not cleaned, or not open, is not there."""
    file = session.get(StoredFile, (firm_id, file_id))
    if file is None or not file.is_clean or not file.is_open:
        raise NotFound
    return file


def arrivals(session: Session, firm_id: str, subject_id: str, kind: str) -> dict[str, str]:
    """State of the newest message of one kind about one subject, by partner: waiting, delivered, refused, parked."""
    found = session.execute(
        sa.select(Message.peer_id, Message.state)
        .where(Message.firm_id == firm_id, Message.direction == "out")
        .where(Message.subject_id == subject_id, Message.kind == kind)
        .order_by(Message.seq)
    )
    return {row.peer_id: row.state for row in found}


def held_up(session: Session, firm_id: str, subject_id: str) -> dict[str, dt.datetime]:
    """Since when messages about one subject wait for partners that did not answer yet, by partner."""
    tried = aliased(Message)
    rows = session.execute(
        sa.select(Message.peer_id, sa.func.min(Message.created_at).label("at"))
        .where(Message.firm_id == firm_id, Message.direction == "out", Message.state == "waiting")
        .where(Message.subject_id == subject_id)
        # the one that was tried may be about something else: all behind it wait too
        .where(
            sa.exists().where(
                tried.firm_id == firm_id, tried.direction == "out", tried.state == "waiting",
                tried.peer_id == Message.peer_id, tried.attempts > 0,
            )
        )
        .group_by(Message.peer_id)
    )  # fmt: skip
    return {row.peer_id: _as_time(row.at) for row in rows}


def is_named_in_message(session: Session, firm_id: str, subject_id: str, field: str, value: str) -> bool:
    """Say whether a message that this firm wrote about a subject holds the value in a field of its body."""
    found = session.scalar(
        sa.select(Message.id)
        .where(Message.firm_id == firm_id, Message.direction == "out", Message.subject_id == subject_id)
        .where(Message.body[field].as_string() == value)
        .limit(1)
    )
    return found is not None


def is_told(session: Session, firm_id: str, subject_id: str, kind: str) -> bool:
    """Say whether a message of this kind about a subject left in the last day."""
    found = session.scalar(
        sa.select(Message.id)
        .where(Message.firm_id == firm_id, Message.direction == "out", Message.subject_id == subject_id)
        .where(Message.kind == kind, Message.created_at > clock.now() - dt.timedelta(days=1))
        .limit(1)
    )
    return found is not None


def stuck_messages(session: Session, firm_id: str, partner_id: str, since: dt.datetime) -> list[StuckMessage]:
    """What did not reach a partner since then, newest first, at most ten."""
    found = session.execute(
        sa.select(Message.kind, Message.state, Message.created_at)
        .where(Message.firm_id == firm_id, Message.direction == "out", Message.peer_id == partner_id)
        .where(Message.state.in_(("refused", "parked")), Message.created_at >= since)
        .order_by(Message.seq.desc())
        .limit(10)
    )
    return [StuckMessage(row.kind, row.state, row.created_at) for row in found]


def shut_files(session: Session, firm_id: str, file_ids: Collection[str]) -> set[str]:
    """Those of a firm's files that its people may not open now."""
    query = sa.select(StoredFile.id).where(StoredFile.firm_id == firm_id, StoredFile.id.in_(file_ids))
    return set(session.scalars(query.where(~StoredFile.is_open)))


def _as_time(value: dt.datetime) -> dt.datetime:
    return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
