"""A log that changes its node: only one of the two goes on, and the keys travel closed under 24 words."""

import datetime as dt
import os
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.prepared import Prepared
from app.notary.heads import LEFT, stored_head
from app.notary.keys import open_wrapped
from app.notary.models import FirmKey, LedgerHead, PartnerKeys, Witness, table_of
from app.notary.moved import new_home
from app.notary.rings import own_keys, verify_key_document
from app.notary.rotation import PURPOSES
from app.notary.witnesses import RESTORED
from ledger import checkpoint, keys
from ledger import note as notes
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.firm_keys import FirmKeys, Position
from ledger.fsck import check_log
from ledger.note import COSIGNER_KEY, LOG_KEY, Signer
from ledger.signatures import seal_address

MOVED, COPY = "moved", "copy"
LEAVING = "leaving"
FORWARDS_FOR = dt.timedelta(days=90)
ELSEWHERE = (MOVED, COPY, LEFT)
"""The log goes on at another node, or nowhere: here it is at most read."""

_HEAD = table_of(LedgerHead)
_HALT = Prepared(sa.select(_HEAD.c.halt).where(_HEAD.c.firm_id == sa.bindparam("firm")))


def new_transfer_key() -> bytes:
    """What closes the private keys on their way."""
    return os.urandom(32)


def words_of(transfer_key: bytes) -> str:
    """The key as 24 words, to be written down."""
    return keys.words_from_seed(transfer_key)


def key_of(words: str) -> bytes:
    """The key of 24 words; raises VerificationError for wrong ones."""
    return keys.seed_from_words(words)


def closed_for_travel(wrapped: bytes | None, purpose: str, log: str, transfer_key: bytes) -> bytes | None:
    """A private key closed under the words; None where none is kept. Raises VerificationError for another node's."""
    return None if wrapped is None else keys.wrap_key(open_wrapped(wrapped, purpose, log), transfer_key, purpose, log)


def closed_on_arrival(
    wrapped: bytes | None, purpose: str, log: str, transfer_key: bytes, node_key: bytes
) -> bytes | None:
    """A private key that came closed under the words, closed under this node's key; raises VerificationError."""
    if wrapped is None:
        return None
    return keys.wrap_key(keys.unwrap_key(wrapped, transfer_key, purpose, log), node_key, purpose, log)


def leave_log(session: Session, firm_id: str) -> bool:
    """From now on the log goes on elsewhere; False for one that rests for another reason, which stays."""
    head = session.get_one(LedgerHead, firm_id, with_for_update=True, populate_existing=True)
    if head.halt not in ("", MOVED):
        return False
    head.halt, head.halted_at = MOVED, clock.now()
    session.flush()
    return True


def return_log(session: Session, firm_id: str) -> None:
    """No other node will ever go on with this log: it goes on here, once partners have said how far they saw it."""
    head = session.get_one(LedgerHead, firm_id, with_for_update=True, populate_existing=True)
    is_seen = session.scalar(sa.select(sa.exists().where(Witness.firm_id == firm_id, Witness.size > 0)))
    head.halt, head.halted_at = (RESTORED, clock.now()) if is_seen else ("", None)
    session.flush()


def firms_elsewhere() -> sa.Select[str]:
    """The ids of firms that work at another node: nobody here is told anything in their name."""
    return sa.select(LedgerHead.firm_id).where(LedgerHead.halt.in_(ELSEWHERE))


def is_elsewhere(session: Session, *firm_ids: str) -> bool:
    """Whether one of these firms works at another node."""
    session.flush()
    halts = (_HALT.row(session.connection(), firm=firm_id) for firm_id in firm_ids)
    return any(head is not None and head.halt in ELSEWHERE for head in halts)


def forwards(session: Session, firm_id: str, now: dt.datetime) -> bool:
    """Whether the firm left this node, told where to, and that is less than 90 days ago."""
    halt = session.scalar(sa.select(LedgerHead.halt).where(LedgerHead.firm_id == firm_id))
    home = new_home(session, firm_id)
    return halt == MOVED and home is not None and now < home.at + FORWARDS_FOR


def is_closed(session: Session, firm_id: str, now: dt.datetime) -> bool:
    """Whether the firm works elsewhere and this node says nothing about it any more."""
    return is_elsewhere(session, firm_id) and not forwards(session, firm_id, now)


def has_gone(session: Session, firm_id: str, now: dt.datetime) -> bool:
    """Whether the firm left this node and its way is shown no more: as if it had never been here."""
    head = _HALT.row(session.connection(), firm=firm_id)
    if head is None or head.halt in (LEAVING, LEFT):
        return head is not None
    return head.halt in ELSEWHERE and new_home(session, firm_id) is not None and not forwards(session, firm_id, now)


def goes_on_in(session: Session, firm_id: str, document: object) -> bool:
    """Whether a key document is of our firm's very log, signed by its key, and no shorter than here."""
    head = stored_head(session, firm_id)
    if head is None or not isinstance(document, dict):
        return False
    try:
        ring = verify_key_document(document)
        size = checkpoint.parse(notes.parse(document["checkpoint"]).text).size
    except VerificationError:
        return False
    return ring.genesis_digest == own_keys(session, firm_id).genesis_digest and size >= head.size


def replay_lines(lines: Iterable[bytes]) -> tuple[str, int, str]:
    """Name, size and root (hex) of an exported log, all of it verified; raises VerificationError."""
    totals = check_log(lines)
    return totals.origin, totals.entries, totals.root.hex()


def check_arrived_keys(session: Session, firm_id: str) -> None:
    """Whether the keys that came along are the log's own: rows alone must not let anybody speak for a firm.

    Raises VerificationError, also where a firm of this node knows another log under that firm's id.
    """
    head, ring = stored_head(session, firm_id), own_keys(session, firm_id)
    if head is None:
        raise VerificationError("no log")
    rows = {row.purpose: row for row in session.scalars(sa.select(FirmKey).where(FirmKey.firm_id == firm_id))}
    for purpose in PURPOSES:
        _check_key(rows[purpose], head.origin)
    _check_ring(ring, rows, head.size)
    for document in session.scalars(sa.select(PartnerKeys.document).where(PartnerKeys.partner_id == firm_id)):
        if verify_key_document(document).genesis_digest != ring.genesis_digest:
            raise VerificationError("a partner here knows another log of this firm")


def _check_key(row: FirmKey, log: str) -> None:
    if row.wrapped is None and row.purpose == "recovery":
        return  # it stands on paper only
    if (
        row.wrapped is None
        or _public_half(row.purpose, open_wrapped(row.wrapped, row.purpose, log), log) != row.public_key
    ):
        raise VerificationError(f"the {row.purpose} key does not fit its public half")


def _check_ring(ring: FirmKeys, rows: dict[str, FirmKey], size: int) -> None:
    ring.check_seal(rows["seal"].public_key, Position(size, int(clock.now().timestamp())))
    told = (ring.log_key(size).vkey, ring.cosign_key().vkey)
    if told != (rows["log"].public_key, rows["cosign"].public_key):
        raise VerificationError("the log names other keys")


def _public_half(purpose: str, private: bytes, log: str) -> str:
    if purpose == "seal":
        return seal_address(private)
    if purpose == "recovery":
        return to_hex(keys.recovery_public_key(private))
    name, kind = (log, LOG_KEY) if purpose == "log" else (log + keys.COSIGNER_SUFFIX, COSIGNER_KEY)
    return Signer(name, kind, private).verifier.vkey
