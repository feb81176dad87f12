"""An uploaded table waits here until the person has seen every cell and said yes."""

import hashlib
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.core.ids import new_id
from app.firms.access import Actor
from app.machines.models import ImportRun
from app.machines.tables import read_table


class Upload(Protocol):
    """A file as a form sends it."""

    filename: str | None

    def read(self) -> bytes: ...


def keep_upload(session: Session, actor: Actor, kind: str, sent: Upload | None) -> str:
    """Keep a readable table of machines or hours; returns the run's id. Raises RuleBroken for any other file."""
    if sent is None or not sent.filename:
        raise RuleBroken("Wähle zuerst eine Tabelle aus.", "table")
    body, name = sent.read(), sent.filename[-120:]
    table = read_table(body, name)
    _forget_waiting(session, actor, kind)
    run = ImportRun(
        firm_id=actor.firm_id,
        id=new_id(),
        created_at=clock.now(),
        kind=kind,
        person_id=actor.person_id,
        file_name=name,
        sha256=hashlib.sha256(body).hexdigest(),
        body=body,
        row_count=len(table.rows),
        applied_at=None,
    )
    session.add(run)
    return run.id


def finish_run(session: Session, run: ImportRun) -> None:
    """Note that the table was taken over, and forget its bytes."""
    run.applied_at, run.body = clock.now(), b""
    session.flush()


def _forget_waiting(session: Session, actor: Actor, kind: str) -> None:
    session.execute(
        sa.delete(ImportRun).where(
            ImportRun.firm_id == actor.firm_id,
            ImportRun.person_id == actor.person_id,
            ImportRun.kind == kind,
            ImportRun.applied_at.is_(None),
        )
    )
