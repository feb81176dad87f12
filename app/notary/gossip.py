"""What we saw of partners' logs, shown to partners that know the same log: a log with two faces is found so.

Who knows whom stays untold. A tag tells nothing to a firm that does not hold the log's first record, and neither does the
note beside it, which is closed under a key made from that record.
"""

import hmac
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.notary.heads import stored_head
from app.notary.models import LedgerCheckpoint, LedgerEntry, PartnerKeys, ShownCheckpoint, Witness, WitnessedLog
from app.notary.queries import leaf_hashes, origin
from app.notary.rings import own_keys, verify_key_document
from app.notary.witnesses import BEHIND, CONFLICT, EVERY, FORKED, WRONG_PROOF, halt_log, record_conflict
from ledger import checkpoint, merkle
from ledger.checkpoint import Checkpoint
from ledger.encoding import from_b64, to_b64
from ledger.errors import VerificationError
from ledger.firm_keys import FirmKeys

MOST_SHOWN = 200
MOST_OPEN = 20
"""So many checkpoints of one log wait for their proof; more say nothing more"""
NONCE_BYTES = 12
FITS, ASK, CONTRADICTS = "fits", "ask", "contradicts"


def shown_logs(session: Session, firm_id: str, partner_id: str, logs: Collection[str]) -> list[dict[str, str]]:
    """What is new for that partner of these partners' logs since we last showed them, once an hour; [] for nothing."""
    row, now = session.get(Witness, (firm_id, partner_id)), clock.now()
    if row is None or (row.shown_at is not None and row.shown_at > now - EVERY):
        return []
    seen = sa.select(WitnessedLog).where(WitnessedLog.firm_id == firm_id, WitnessedLog.partner_id.in_(logs))
    if row.shown_at is not None:
        seen = seen.where(WitnessedLog.at >= row.shown_at)
    found = session.scalars(seen.order_by(WitnessedLog.at.desc()).limit(MOST_SHOWN)).all()
    row.shown_at = now
    way = f"{origin(session, firm_id)}\n{_origin_of(session, firm_id, partner_id)}"
    return [_closed(_genesis(session, firm_id, one.partner_id), way, one.note) for one in found]


def opened_logs(
    session: Session, firm_id: str, from_id: str, logs: Collection[str], shown: object
) -> Iterator[tuple[str, str]]:
    """(whose log, note) of what a partner shows us and we know too; all else stays closed. Raises RuleBroken for no list."""
    if not isinstance(shown, list) or len(shown) > MOST_SHOWN:
        raise RuleBroken(WRONG_PROOF)
    way = f"{_origin_of(session, firm_id, from_id)}\n{origin(session, firm_id)}"
    known = {_tag(genesis, way): (one, genesis) for one in logs if (genesis := _genesis(session, firm_id, one))}
    for one in shown:
        if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in ("tag", "note")):
            raise RuleBroken(WRONG_PROOF)
        if one["tag"] in known:
            partner_id, genesis = known[one["tag"]]
            yield partner_id, _opened(genesis, way, one["note"])


def compare_shown(session: Session, firm_id: str, partner_id: str, note: str) -> str:
    """Whether a checkpoint of a partner's log that another one saw fits what we saw; kept until its proof is there.

    fits: nothing to do. ask: the log has to prove it. contradicts: it stands in our log now. What no key of the log
    signed says nothing; what one signed that was replaced before that size is no proof, and still has to be explained.
    """
    own = session.get(WitnessedLog, (firm_id, partner_id), with_for_update=True)
    claim = _signed_claim(session, firm_id, partner_id, note)
    old = _signed_claim(session, firm_id, partner_id, note, by_any_key=True) if claim is None else claim
    if own is None or old is None or old.origin != own.origin:
        return FITS
    if claim is not None and own.size == claim.size:
        return _compare_notes(session, firm_id, partner_id, own.note, note)
    if _kept_note(session, firm_id, partner_id, old.size) is not None:
        return FITS  # it waits for its proof already
    kept = sa.select(sa.func.count()).select_from(ShownCheckpoint)
    if (session.scalar(kept.where(*_of(firm_id, partner_id))) or 0) >= MOST_OPEN:
        return FITS
    now = clock.now()
    session.add(ShownCheckpoint(firm_id=firm_id, partner_id=partner_id, size=old.size, note=note, at=now, asked_at=now))
    session.flush()
    return ASK


def question_about(session: Session, firm_id: str, partner_id: str, note: str) -> dict[str, str]:
    """What the log has to prove: that this checkpoint of it and the one that we saw are of one tree."""
    return {"shown": note, "own": session.get_one(WitnessedLog, (firm_id, partner_id)).note}


def answer_question(session: Session, firm_id: str, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Our answer about our own log, and why it must rest from now on, or ''.

    Only what our log key signed is answered, or stops the log. Raises RuleBroken for anything else.
    """
    head = stored_head(session, firm_id)
    if body.keys() != {"shown", "own"} or head is None:
        raise RuleBroken(WRONG_PROOF)
    shown, own = (_own_claim(session, firm_id, head.origin, body[name]) for name in ("shown", "own"))
    reason = next((found for one in (shown, own) if (found := _fault(session, firm_id, one, head.size))), "")
    if reason:
        halt_log(session, firm_id, reason)
    notes = {name: _note_at(session, firm_id, one.size) for name, one in (("shown", shown), ("own", own))}
    return {**notes, "size": shown.size, "proof": _proof(session, firm_id, shown.size, own.size, head.size)}, reason


def take_answer(session: Session, firm_id: str, partner_id: str, body: dict[str, Any]) -> str:
    """What the log says to our question: it fits and the question is gone, contradicts, or stays open (ask)."""
    if body.keys() != {"shown", "own", "size", "proof"} or not isinstance(body["proof"], list):
        raise RuleBroken(WRONG_PROOF)
    kept = session.get(ShownCheckpoint, (firm_id, partner_id, body["size"])) if type(body["size"]) is int else None
    own = session.get(WitnessedLog, (firm_id, partner_id))
    if kept is None or own is None:
        return FITS
    for before, told in ((kept.note, body["shown"]), (own.note, body["own"])):
        known, claim = (_signed_claim(session, firm_id, partner_id, one) for one in (before, told))
        is_same_size = known is not None and claim is not None and claim.size == known.size
        if is_same_size and _compare_notes(session, firm_id, partner_id, before, str(told)) == CONTRADICTS:
            session.delete(kept)
            return CONTRADICTS
    if not _is_one_tree(kept.note, own.note, body["proof"]):
        return ASK
    session.delete(kept)
    return FITS


def is_in_doubt(session: Session, firm_id: str, partner_id: str) -> bool:
    """Whether our people were told that a partner's log does not prove what another partner saw of it."""
    told = sa.select(ShownCheckpoint.size).where(*_of(firm_id, partner_id), ShownCheckpoint.told_at.is_not(None))
    return session.scalar(told.limit(1)) is not None


def unclear_logs(session: Session, firm_id: str) -> Sequence[str]:
    """Ids of the partners whose log contradicts itself or what another partner saw of it."""
    told = sa.select(ShownCheckpoint.partner_id).where(
        ShownCheckpoint.firm_id == firm_id, ShownCheckpoint.told_at.is_not(None)
    )
    accused = sa.select(LedgerEntry.subject_id).where(LedgerEntry.firm_id == firm_id, LedgerEntry.type == CONFLICT)
    return session.scalars(told.union(accused)).all()


def _own_claim(session: Session, firm_id: str, log: str, note: object) -> Checkpoint:
    try:
        claim = checkpoint.parse(str(note))
        checkpoint.verify_signature(str(note), own_keys(session, firm_id).log_key(claim.size))
    except VerificationError as error:
        raise RuleBroken(WRONG_PROOF) from error
    if claim.origin != log:
        raise RuleBroken(WRONG_PROOF)
    return claim


def _note_at(session: Session, firm_id: str, size: int) -> str:
    found = session.get(LedgerCheckpoint, (firm_id, size))
    return "" if found is None else found.note


def _fault(session: Session, firm_id: str, claim: Checkpoint, size: int) -> str:
    if claim.size > size:
        return BEHIND
    return "" if merkle.root(leaf_hashes(session, firm_id, claim.size)) == claim.root else FORKED


def _proof(session: Session, firm_id: str, one: int, other: int, size: int) -> list[str]:
    first, last = sorted((one, other))
    if not 0 < first < last <= size:
        return []
    return [to_b64(part) for part in merkle.consistency_proof(leaf_hashes(session, firm_id, last), first)]


def _is_one_tree(one: str, other: str, proof: list[Any]) -> bool:
    first, last = sorted((checkpoint.parse(note) for note in (one, other)), key=lambda claim: claim.size)
    try:
        parts = [from_b64(part, length=merkle.HASH_BYTES) for part in proof]
        merkle.verify_consistency(first.size, last.size, first.root, last.root, parts)
    except (VerificationError, TypeError, AttributeError):
        return False
    return True


def _compare_notes(session: Session, firm_id: str, partner_id: str, before: str, note: str) -> str:
    if checkpoint.parse(before).root == checkpoint.parse(note).root:
        return FITS
    record_conflict(session, firm_id, partner_id, before, note)
    return CONTRADICTS


def _kept_note(session: Session, firm_id: str, partner_id: str, size: int) -> str | None:
    kept = session.get(ShownCheckpoint, (firm_id, partner_id, size))
    return None if kept is None else kept.note


def _signed_claim(
    session: Session, firm_id: str, partner_id: str, note: object, *, by_any_key: bool = False
) -> Checkpoint | None:
    """The checkpoint, if the log's own key signed it: the one of that size, or any that the log ever had."""
    row = session.get(PartnerKeys, (firm_id, partner_id))
    if row is None or not isinstance(note, str):
        return None
    ring = verify_key_document(row.document)
    try:
        claim = checkpoint.parse(note)
        sizes = [key.seq + 1 for key in ring.keys if key.purpose == "log"] if by_any_key else [claim.size]
    except VerificationError:
        return None
    return claim if any(_is_signed(note, ring, size) for size in sizes) else None


def _is_signed(note: str, ring: FirmKeys, size: int) -> bool:
    try:
        checkpoint.verify_signature(note, ring.log_key(size))
    except VerificationError:
        return False
    return True


def _origin_of(session: Session, firm_id: str, partner_id: str) -> str:
    row = session.get(PartnerKeys, (firm_id, partner_id))
    return "" if row is None else row.origin


def _genesis(session: Session, firm_id: str, partner_id: str) -> bytes:
    row = session.get(PartnerKeys, (firm_id, partner_id))
    return b"" if row is None else verify_key_document(row.document).genesis_digest


def _tag(genesis: bytes, way: str) -> str:
    return hmac.digest(genesis, f"werkring gossip tag v1\n{way}".encode(), "sha256").hex()


def _closed(genesis: bytes, way: str, note: str) -> dict[str, str]:
    nonce = os.urandom(NONCE_BYTES)
    return {
        "tag": _tag(genesis, way),
        "note": to_b64(nonce + _cipher(genesis, way).encrypt(nonce, note.encode(), None)),
    }


def _opened(genesis: bytes, way: str, text: str) -> str:
    try:
        data = from_b64(text)
        return _cipher(genesis, way).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], None).decode()
    except (VerificationError, InvalidTag, ValueError):
        raise RuleBroken(WRONG_PROOF) from None


def _cipher(genesis: bytes, way: str) -> AESGCM:
    return AESGCM(hmac.digest(genesis, f"werkring gossip key v1\n{way}".encode(), "sha256"))


def _of(firm_id: str, partner_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return ShownCheckpoint.firm_id == firm_id, ShownCheckpoint.partner_id == partner_id
