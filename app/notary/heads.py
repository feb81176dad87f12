"""The end of a log: read under a lock, signed after the commit, signed again at start where a crash came between."""

from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database, after_commit
from app.notary.keys import log_signer
from app.notary.models import LedgerCheckpoint, LedgerEntry, LedgerHead
from ledger import merkle
from ledger.errors import VerificationError
from ledger.head import Head, sign_head
from ledger.leaf import NO_PREVIOUS

log = structlog.get_logger()


def sign_checkpoint(database: Database, firm_id: str) -> None:
    """Sign the newest size of the firm's log, once; runs after the commit of the entries and again at start.

    A crash before the commit here leaves a log without its newest checkpoint: the next start or entry signs it.
    """
    with database.write() as session:
        row = locked_head(session, firm_id)
        if row.signed_size >= row.size:
            return
        _check_stored_end(session, row)
        note = sign_head(head_of(row), log_signer(session, firm_id))
        session.add(LedgerCheckpoint(firm_id=firm_id, size=row.size, root=row.root, note=note, created_at=clock.now()))
        row.signed_size = row.size


def resume_checkpoints(database: Database) -> int:
    """At start and every minute: sign what a crash left unsigned; returns how many logs that were.

    A log that was tampered with stays unsigned and stops no other one.
    """
    with database.read() as session:
        behind = session.scalars(sa.select(LedgerHead.firm_id).where(LedgerHead.signed_size < LedgerHead.size)).all()
    for firm_id in behind:
        try:
            sign_checkpoint(database, firm_id)
        except VerificationError:
            log.exception("checkpoint not signed", firm_id=firm_id)
    return len(behind)


def sign_after_commit(session: Session, firm_id: str) -> None:
    """Once the running transaction is durable, sign the firm's log: once, however many entries it got."""
    waiting: set[str] = session.info.setdefault("unsigned_logs", set())
    if firm_id not in waiting:
        waiting.add(firm_id)
        after_commit(session, partial(sign_checkpoint, firm_id=firm_id))


def locked_head(session: Session, firm_id: str) -> LedgerHead:
    """The head row for writing."""
    # PostgreSQL: writers of one log queue up here; SQLite writers are alone anyway
    return session.get_one(LedgerHead, firm_id, with_for_update=True, populate_existing=True)


def head_of(row: LedgerHead) -> Head:
    """The head as the ledger knows it."""
    frontier = merkle.Frontier.from_list(row.size, [bytes.fromhex(one) for one in row.frontier])
    return Head(row.origin, frontier, bytes.fromhex(row.last_hash) if row.size else NO_PREVIOUS)


def _check_stored_end(session: Session, row: LedgerHead) -> None:
    """Read back what is about to be signed: the last row is the one the head names, and the root follows from it."""
    last = session.get_one(LedgerEntry, (row.firm_id, row.size - 1), populate_existing=True)
    stored = merkle.leaf_hash(last.leaf).hex()
    if not (stored == last.leaf_hash == row.last_hash) or head_of(row).root.hex() != row.root:
        raise VerificationError(f"the stored end of log {row.origin} does not fit its head; nothing was signed")
