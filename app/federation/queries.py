"""Messages and files of the acting firm."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.federation.models import FileOpening, Message, StoredFile


def file_for(session: Session, firm_id: str, file_id: str) -> StoredFile:
    """A file that the firm owns or received; raises NotFound. A photo that is not cleaned yet is not there yet."""
    file = session.get(StoredFile, (firm_id, file_id))
    if file is None or not file.is_clean:
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


def openings(session: Session, firm_id: str, file_ids: list[str]) -> list[tuple[str, str, dt.date]]:
    """Who opened the firm's files: (file_id, by_firm_id, day), newest first."""
    found = session.execute(
        sa.select(FileOpening.file_id, FileOpening.by_firm_id, FileOpening.day)
        .where(FileOpening.firm_id == firm_id, FileOpening.file_id.in_(file_ids))
        .order_by(FileOpening.day.desc(), FileOpening.id)
    )
    return [(row.file_id, row.by_firm_id, row.day) for row in found]
