"""Partners as witnesses: what they confirmed of our log, what we saw of theirs, and a log that must rest.

Both sides of C2SP add-checkpoint over rows; who carries request and answer is the federation's business.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.units import BERLIN
from app.notary.actions import append_entry, seal
from app.notary.documents import Display, new_message, to_hex
from app.notary.heads import stored_head
from app.notary.keys import cosigner
from app.notary.models import (
    LedgerCheckpoint,
    LedgerCosignature,
    LedgerEntry,
    LedgerHead,
    PartnerKeys,
    Witness,
    WitnessedLog,
)
from app.notary.queries import address, derived_secret, digest, leaf_hashes, log_vkey
from app.notary.rings import own_keys, verify_key_document
from ledger import checkpoint, merkle
from ledger import witness as protocol
from ledger.errors import VerificationError
from ledger.firm_keys import PRACTICE_PREFIX
from ledger.note import Verifier

EVERY = dt.timedelta(hours=1)
SOONER = dt.timedelta(minutes=5)
"""A log that rests asks more often: people wait."""
CONFLICT = "witness.conflict"
RESTORED, BEHIND, FORKED = "restored", "behind", "forked"
_SAW_ANOTHER = frozenset({protocol.CONFLICT, protocol.UNPROCESSABLE})
WRONG_PROOF = "Der Nachweis des Partners stimmt nicht."


@dataclass(frozen=True)
class Seen:
    """What a partner confirmed of our log: how many entries, and when."""

    partner_id: str
    size: int
    at: dt.datetime | None


@dataclass(frozen=True)
class Word:
    """A witness's answer as it travels; `newest` is the checkpoint of ours that it knows, where it refuses."""

    status: int
    body: str
    content_type: str
    note: str
    newest: str = ""


# --- our log -----------------------------------------------------------------------------------------------------------


def is_due(session: Session, firm_id: str, partner_id: str, now: dt.datetime) -> bool:
    """Whether this partner shall hear how far our log has come: each hour at most, and only when it has grown."""
    head, row = stored_head(session, firm_id), session.get(Witness, (firm_id, partner_id))
    # what is practised binds nobody
    if head is None or head.signed_size == 0 or head.origin.startswith(PRACTICE_PREFIX):
        return False
    if row is None:
        return True
    is_news = row.size < head.signed_size or head.halt == RESTORED
    return is_news and row.asked_at <= now - (SOONER if head.halt else EVERY)


def add_checkpoint(session: Session, firm_id: str, partner_id: str) -> str:
    """The add-checkpoint request for that partner, and remember that it was asked."""
    row = session.get(Witness, (firm_id, partner_id)) or Witness(firm_id=firm_id, partner_id=partner_id, size=0)
    row.asked_at = clock.now()
    session.add(row)
    found = _newest_checkpoint(session, firm_id)
    size = min(row.size, found.size)
    is_growth = 0 < size < found.size
    proof = merkle.consistency_proof(leaf_hashes(session, firm_id, found.size), size) if is_growth else []
    return protocol.build_request(found.note, size, proof).decode()


def take_word(session: Session, firm_id: str, partner_id: str, word: Word) -> str:
    """Keep what a witness said of our log; returns why the log must rest from now on, or ''.

    Only a checkpoint that our own log key signed stops it: a partner's word alone does not. Raises RuleBroken for an
    answer that proves nothing.
    """
    row = session.get(Witness, (firm_id, partner_id), with_for_update=True)
    if row is None:
        raise RuleBroken(WRONG_PROOF)
    try:
        if word.status in _SAW_ANOTHER:
            return _compare(session, row, word.newest)
        given = protocol.Answer(word.status, word.body, word.content_type)
        found = protocol.read_answer(word.note, given, _key_of(session, firm_id, partner_id))
        return _keep_cosignature(session, row, word.note, found)
    except (protocol.RefusedError, VerificationError) as error:
        raise RuleBroken(WRONG_PROOF) from error


def halt_log(session: Session, firm_id: str, reason: str) -> None:
    """From now on nothing is appended; the first reason that stands stays, but for one that is still being checked."""
    head = session.get_one(LedgerHead, firm_id, with_for_update=True, populate_existing=True)
    if head.halt in ("", RESTORED):
        head.halt, head.halted_at = reason, clock.now()
        session.flush()


def resume_log(session: Session, firm_id: str) -> None:
    """The log goes on."""
    head = session.get_one(LedgerHead, firm_id, with_for_update=True, populate_existing=True)
    head.halt, head.halted_at = "", None
    session.flush()


def halt_of(session: Session, firm_id: str) -> str:
    """Why the firm's log rests; '' while it goes on."""
    head = stored_head(session, firm_id)
    return "" if head is None else str(head.halt)


def doubt_restored_logs(session: Session) -> int:
    """After a restored backup: every log that partners have seen rests until they have said how far; how many that are."""
    seen = session.scalars(sa.select(Witness.firm_id).where(Witness.size > 0).distinct()).all()
    for firm_id in seen:
        halt_log(session, firm_id, RESTORED)
    return len(seen)


def witnesses_of(session: Session, firm_id: str) -> list[Seen]:
    """What every partner confirmed of our log."""
    rows = session.scalars(sa.select(Witness).where(Witness.firm_id == firm_id).order_by(Witness.partner_id))
    return [Seen(row.partner_id, row.size, row.cosigned_at) for row in rows]


def policy_of(session: Session, firm_id: str, quorum: int) -> str:
    """A C2SP policy that pins our log key and asks for `quorum` of our partners' cosignatures (0: none)."""
    keys = [verify_key_document(one) for one in session.scalars(_documents(firm_id))]
    lines = [f"log {log_vkey(session, firm_id)}"]
    lines += [f"witness w{number} {one.cosign_key().vkey}" for number, one in enumerate(keys, start=1)]
    if 0 < quorum <= len(keys):
        names = " ".join(f"w{number}" for number in range(1, len(keys) + 1))
        return "\n".join([*lines, f"group partners {quorum} {names}", "quorum partners", ""])
    return "\n".join([*lines, "quorum none", ""])


def _keep_cosignature(session: Session, row: Witness, note: str, found: protocol.Cosigned | protocol.Known) -> str:
    if isinstance(found, protocol.Known):
        raise VerificationError("a size is no cosignature")
    claim, at = checkpoint.parse(note), dt.datetime.fromtimestamp(found.time, dt.UTC)
    mine = session.get(LedgerCheckpoint, (row.firm_id, claim.size))
    if mine is None or mine.root != claim.root.hex():
        raise VerificationError("not a checkpoint of ours")
    if claim.size >= row.size:
        row.size, row.cosigned_at = claim.size, at
    row.answered_at = clock.now()
    if session.get(LedgerCosignature, (row.firm_id, claim.size, row.partner_id)) is None:
        session.add(
            LedgerCosignature(
                firm_id=row.firm_id, size=claim.size, partner_id=row.partner_id, line=found.line, at=at,
                vkey=_key_of(session, row.firm_id, row.partner_id).vkey,
            )
        )  # fmt: skip
    session.flush()
    _resume_if_all_have_answered(session, row.firm_id)
    return ""


def _compare(session: Session, row: Witness, newest: str) -> str:
    """The witness saw another tree: below ours we prove from there; above it, or with another root, our log must rest."""
    if not newest:
        row.size, row.asked_at = 0, row.asked_at - EVERY
        return ""
    claim = checkpoint.parse(newest)
    checkpoint.verify_signature(newest, own_keys(session, row.firm_id).log_key(claim.size))
    head = stored_head(session, row.firm_id)
    if head is None or claim.origin != head.origin:
        raise VerificationError("not a checkpoint of ours")
    if claim.size > head.size:
        return _rest(session, row, BEHIND)
    if merkle.root(leaf_hashes(session, row.firm_id, claim.size)) != claim.root:
        return _rest(session, row, FORKED)
    row.size, row.asked_at = claim.size, row.asked_at - EVERY
    return ""


def _rest(session: Session, row: Witness, reason: str) -> str:
    row.answered_at = clock.now()
    halt_log(session, row.firm_id, reason)
    return reason


def _resume_if_all_have_answered(session: Session, firm_id: str) -> None:
    head = session.get_one(LedgerHead, firm_id)
    if head.halt != RESTORED or head.halted_at is None:
        return
    silent = sa.select(Witness.partner_id).where(
        Witness.firm_id == firm_id,
        Witness.size > 0,
        sa.or_(Witness.answered_at.is_(None), Witness.answered_at < head.halted_at),
    )
    if session.scalar(silent.limit(1)) is None:
        resume_log(session, firm_id)


# --- our partners' logs --------------------------------------------------------------------------------------------------


def answer(session: Session, firm_id: str, partner_id: str, request: str) -> Word:
    """Our answer as the witness of a partner's log: check and persist in this very transaction."""
    store = _Store(session, firm_id, partner_id)
    given = protocol.answer_request(request.encode(), store, cosigner(session, firm_id), int(clock.now().timestamp()))
    for first, second in store.conflicts:
        record_conflict(session, firm_id, partner_id, first, second)
    note = request.partition("\n\n")[2]
    newest = (store.newest("") or "") if given.status in _SAW_ANOTHER else ""
    return Word(given.status, given.body, given.content_type, note, newest)


def contradiction(session: Session, firm_id: str, partner_id: str) -> int | None:
    """Where our log holds that this partner's log contradicts itself."""
    return session.scalar(
        sa.select(LedgerEntry.seq)
        .where(LedgerEntry.firm_id == firm_id, LedgerEntry.type == CONFLICT, LedgerEntry.subject_id == partner_id)
        .limit(1)
    )


@dataclass
class _Store:
    """`ledger.witness.Store` over the row of one partner's log."""

    session: Session
    firm_id: str
    partner_id: str
    conflicts: list[tuple[str, str]] = field(default_factory=list)

    def log_keys(self, origin: str, size: int) -> Collection[Verifier] | None:
        row = self.session.get(PartnerKeys, (self.firm_id, self.partner_id))
        if row is None or row.origin != origin:
            return None
        try:
            return [verify_key_document(row.document).log_key(size)]
        except VerificationError:
            return []

    def newest(self, origin: str) -> str | None:
        row = self._row()
        return None if row is None else row.note

    def replace(self, origin: str, expected: str | None, note: str) -> bool:
        row = self._row()
        if (None if row is None else row.note) != expected:
            return False
        row = row or WitnessedLog(firm_id=self.firm_id, partner_id=self.partner_id)
        row.origin, row.size, row.note, row.at = origin, checkpoint.parse(note).size, note, clock.now()
        self.session.add(row)
        self.session.flush()
        return True

    def keep_conflict(self, first: str, second: str) -> None:
        self.conflicts.append((first, second))

    def _row(self) -> WitnessedLog | None:
        return self.session.get(
            WitnessedLog, (self.firm_id, self.partner_id), with_for_update=True, populate_existing=True
        )


def record_conflict(session: Session, firm_id: str, partner_id: str, first: str, second: str) -> None:
    """Two checkpoints of one size: a record in our log, once for each partner; one proof is enough."""
    if contradiction(session, firm_id, partner_id) is not None:
        return
    own, log = address(session, firm_id), checkpoint.parse(first).origin
    text = (
        f"Das Logbuch {log} widerspricht sich.\nZwei Stände mit gleich vielen Einträgen sind verschieden.\n"
        f"Bemerkt am {clock.now().astimezone(BERLIN):%d.%m.%Y}\n"
    )
    label = sha256(f"{first}\n{second}".encode()).hexdigest()
    message = new_message(
        CONFLICT, own, own, text, record_id=to_hex(derived_secret(session, firm_id, f"conflict id {label}")),
        salt=to_hex(derived_secret(session, firm_id, f"conflict salt {label}")), log=log, first=first, second=second,
    )  # fmt: skip
    signatures = [seal(session, firm_id, digest("WitnessConflict", message))]
    display = Display("witness.conflict.de.1", "de", text)
    append_entry(session, firm_id, CONFLICT, "WitnessConflict", message, display, signatures, subject_id=partner_id)


def _key_of(session: Session, firm_id: str, partner_id: str) -> Verifier:
    row = session.get(PartnerKeys, (firm_id, partner_id))
    if row is None:
        raise NotFound
    return verify_key_document(row.document).cosign_key()


def _documents(firm_id: str) -> sa.Select[dict]:  # type: ignore[type-arg]
    return (
        sa.select(PartnerKeys.document)
        .join(Witness, (Witness.firm_id == PartnerKeys.firm_id) & (Witness.partner_id == PartnerKeys.partner_id))
        .where(PartnerKeys.firm_id == firm_id, Witness.size > 0)
        .order_by(PartnerKeys.address)
    )


def _newest_checkpoint(session: Session, firm_id: str) -> LedgerCheckpoint:
    found = session.scalar(
        sa.select(LedgerCheckpoint)
        .where(LedgerCheckpoint.firm_id == firm_id)
        .order_by(LedgerCheckpoint.size.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound
    return found
