"""The end of a log: read under a lock, signed after the commit, signed again at start where a crash came between."""

from functools import partial
from types import SimpleNamespace

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database, after_commit
from app.core.errors import NotFound
from app.core.prepared import Prepared
from app.notary.keys import make_signer
from app.notary.models import FirmKey, LedgerCheckpoint, LedgerEntry, LedgerHead, table_of
from ledger import merkle
from ledger.errors import VerificationError
from ledger.head import Head, sign_head
from ledger.leaf import NO_PREVIOUS

log = structlog.get_logger()
LEFT = "left"
"""The firm is gone: nothing of its log is signed or read any more."""
StoredHead = SimpleNamespace
"""One row of `ledger_head`, read afresh: another process may have appended since."""

_HEAD, _ENTRY, _KEY = table_of(LedgerHead), table_of(LedgerEntry), table_of(FirmKey)
_HEAD_OF_FIRM = sa.select(_HEAD).where(_HEAD.c.firm_id == sa.bindparam("firm"))
_READ_HEAD = Prepared(_HEAD_OF_FIRM)
# PostgreSQL: writers of one log queue up here; SQLite writers are alone anyway
_LOCK_HEAD = Prepared(_HEAD_OF_FIRM.with_for_update())
_SWAP_HEAD = Prepared(
    sa.update(_HEAD)
    .where(
        _HEAD.c.firm_id == sa.bindparam("firm"),
        _HEAD.c.size == sa.bindparam("old_size"),
        _HEAD.c.root == sa.bindparam("old_root"),
    )
    .values({name: sa.bindparam(f"new_{name}") for name in ("size", "last_hash", "frontier", "root", "key_seqs")})
)
_UNSIGNED_END = Prepared(
    sa.select(_HEAD, _ENTRY.c.leaf, _ENTRY.c.leaf_hash, _KEY.c.public_key, _KEY.c.wrapped)
    .outerjoin(_ENTRY, (_ENTRY.c.firm_id == _HEAD.c.firm_id) & (_ENTRY.c.seq == _HEAD.c.size - 1))
    .outerjoin(_KEY, (_KEY.c.firm_id == _HEAD.c.firm_id) & (_KEY.c.purpose == "log"))
    .where(_HEAD.c.firm_id == sa.bindparam("firm"), _HEAD.c.signed_size < _HEAD.c.size)
)
_RAISE_SIGNED = Prepared(
    sa.update(_HEAD)
    .where(_HEAD.c.firm_id == sa.bindparam("firm"), _HEAD.c.signed_size < sa.bindparam("signed"))
    .values(signed_size=sa.bindparam("signed"))
)
_KEEP_CHECKPOINT = Prepared(sa.insert(table_of(LedgerCheckpoint)))


def sign_checkpoint(database: Database, firm_id: str) -> None:
    """Sign the newest size of the firm's log, once; runs after the commit of the entries and again at start.

    What is read here is durable: a transaction is seen by others only when the disk has it. The checkpoint itself need
    not be: it follows from those rows and the log key alone (Ed25519 gives the same bytes each time), so after a power
    cut the next start or entry signs the same or a larger size, never another history. Nothing else rides in this
    transaction, and whatever is written later drags it to the disk before itself.
    """
    with database.write_unsynced() as connection:
        end = _UNSIGNED_END.row(connection, firm=firm_id)
        if end is None:
            return
        note = sign_head(_checked_end(end), make_signer("log", end.public_key, end.wrapped, end.origin))
        # Two may sign at once on PostgreSQL: the same bytes, or the smaller size comes too late and is dropped.
        if _RAISE_SIGNED.change(connection, firm=firm_id, signed=end.size):
            _KEEP_CHECKPOINT.change(
                connection, firm_id=firm_id, size=end.size, root=end.root, note=note, created_at=clock.now()
            )


def resume_checkpoints(database: Database) -> int:
    """At start and every minute: sign what a crash left unsigned; returns how many logs that were.

    A log that was tampered with stays unsigned and stops no other one.
    """
    with database.read() as session:
        unsigned = sa.select(LedgerHead.firm_id).where(
            LedgerHead.signed_size < LedgerHead.size, LedgerHead.halt != LEFT
        )
        behind = session.scalars(unsigned).all()
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


def stored_head(session: Session, firm_id: str) -> StoredHead | None:
    """The head row as it stands now; None for a firm without ledger."""
    return _READ_HEAD.row(session.connection(), firm=firm_id)


def locked_head(connection: sa.Connection, firm_id: str) -> StoredHead:
    """The head row for writing."""
    row = _LOCK_HEAD.row(connection, firm=firm_id)
    if row is None:
        raise NotFound
    return row


def swap_head(connection: sa.Connection, old: StoredHead, new: Head, key_seqs: list[int]) -> bool:
    """Put the new head in the place of the old one; False when another one stands there by now."""
    changed = _SWAP_HEAD.change(
        connection,
        firm=old.firm_id,
        old_size=old.size,
        old_root=old.root,
        new_size=new.size,
        new_last_hash=new.last.hex(),
        new_frontier=[one.hex() for one in new.frontier.to_list()],
        new_root=new.root.hex(),
        new_key_seqs=key_seqs,
    )
    return changed == 1


def head_of(row: StoredHead) -> Head:
    """The head as the ledger knows it."""
    frontier = merkle.Frontier.from_list(row.size, [bytes.fromhex(one) for one in row.frontier])
    return Head(row.origin, frontier, bytes.fromhex(row.last_hash) if row.size else NO_PREVIOUS)


def _checked_end(end: StoredHead) -> Head:
    """Read back what is about to be signed: the last row is the one the head names, and the root follows from it."""
    stored, found = "" if end.leaf is None else merkle.leaf_hash(end.leaf).hex(), head_of(end)
    if not (stored == end.leaf_hash == end.last_hash) or found.root.hex() != end.root:
        raise VerificationError(f"the stored end of log {end.origin} does not fit its head; nothing was signed")
    return found
