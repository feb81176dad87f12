"""Erasing requests, drafts and threads, each with its files."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.federation.actions import drop_files
from app.requests.models import Invitation, Question, Receipt, RequestFile, WorkRequest


def erase_request(session: Session, firm_id: str, request_id: str) -> None:
    """Erase a request of either side with all that this room keeps about it."""
    _erase_files(session, firm_id, RequestFile.request_id == request_id)
    for table in (Question, Receipt, Invitation):
        session.execute(sa.delete(table).where(table.firm_id == firm_id, table.request_id == request_id))
    session.execute(sa.delete(WorkRequest).where(WorkRequest.firm_id == firm_id, WorkRequest.id == request_id))


def erase_threads(session: Session, firm_id: str, request_id: str, kept: Collection[str]) -> None:
    """Erase questions and answers with everybody but the partners kept."""
    lines = Question.firm_id == firm_id, Question.request_id == request_id, Question.partner_id.not_in(kept)
    gone = session.scalars(sa.select(Question.id).where(*lines)).all()
    _erase_files(session, firm_id, RequestFile.question_id.in_(gone))
    session.execute(sa.delete(Question).where(*lines))


def _erase_files(session: Session, firm_id: str, which: sa.ColumnElement[bool]) -> None:
    """Another request may name the same file: then its bytes stay."""
    file_ids = session.scalars(sa.select(RequestFile.file_id).where(RequestFile.firm_id == firm_id, which)).all()
    session.execute(sa.delete(RequestFile).where(RequestFile.firm_id == firm_id, which))
    named = sa.select(RequestFile.file_id).where(RequestFile.firm_id == firm_id, RequestFile.file_id.in_(file_ids))
    drop_files(session, firm_id, set(file_ids) - set(session.scalars(named)))
