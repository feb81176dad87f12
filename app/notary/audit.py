"""The firm's own log replayed in the background, once a day: a damaged one is found here, not in court."""

import datetime as dt
from contextlib import closing

import sqlalchemy as sa
import structlog

from app.core import clock
from app.core.db import Database
from app.core.events import LogHalted
from app.core.outbox import emit
from app.notary.heads import LEFT, stored_head
from app.notary.models import LedgerAudit, LedgerHead
from app.notary.queries import export_log
from app.notary.witnesses import halt_log
from ledger.errors import VerificationError
from ledger.fsck import check_log
from ledger.replay import BadPositionError

log = structlog.get_logger()
EVERY = dt.timedelta(days=1)
TELL_EVERY = 10_000
DAMAGED = "damaged"


def audit_next_log(database: Database) -> str | None:
    """Replay the log that waits longest, every entry and signature; returns whose it was, None when all are fresh.

    No lock is held meanwhile; how far it came is written down for the page. Each fault is told once, the log rests then.
    """
    firm_id = _next_firm(database)
    if firm_id is None:
        return None
    _note(database, firm_id, started_at=clock.now(), done=0)
    try:
        size = _replay(database, firm_id)
    except VerificationError as error:
        position = error.position if isinstance(error, BadPositionError) else 0
        log.error("the log is damaged", firm_id=firm_id, position=position, reason=str(error))
        _note(database, firm_id, checked_at=clock.now(), fault_at=position)
        _halt(database, firm_id)
    else:
        _note(database, firm_id, checked_at=clock.now(), done=size, size=size, fault_at=None)
    return firm_id


def _replay(database: Database, firm_id: str) -> int:
    with database.read() as session:
        head = stored_head(session, firm_id)
        if head is None:
            raise VerificationError("the log has no head")
        with closing(export_log(session, firm_id)) as lines:
            totals = check_log(
                lines, progress=lambda done: _note(database, firm_id, done=done, size=head.size), every=TELL_EVERY
            )
    if (totals.entries, totals.root.hex()) != (head.size, head.root):
        raise BadPositionError(min(totals.entries, head.size), "the log does not end where its head says")
    return totals.entries


def _next_firm(database: Database) -> str | None:
    with database.read() as session:
        return session.scalar(
            sa.select(LedgerHead.firm_id)
            .outerjoin(LedgerAudit, LedgerAudit.firm_id == LedgerHead.firm_id)
            .where(LedgerHead.size > 0, LedgerHead.halt != LEFT)
            .where(sa.or_(LedgerAudit.started_at.is_(None), LedgerAudit.started_at < clock.now() - EVERY))
            .order_by(LedgerAudit.started_at, LedgerHead.firm_id)
            .limit(1)
        )


def _note(database: Database, firm_id: str, **values: object) -> None:
    with database.write() as session:
        row = session.get(LedgerAudit, firm_id) or LedgerAudit(firm_id=firm_id, started_at=clock.now())
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def _halt(database: Database, firm_id: str) -> None:
    with database.write() as session:
        halt_log(session, firm_id, DAMAGED)
        emit(session, LogHalted(firm_id, "", DAMAGED))
