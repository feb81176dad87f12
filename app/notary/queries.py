"""What the ledger says: digests, origins, key documents, evidence files, exports."""

import ssl
from collections.abc import Generator, Iterator, Sequence
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.firms.models import Firm
from app.notary.documents import passkey_kid as passkey_kid
from app.notary.documents import passkey_point as passkey_point
from app.notary.heads import stored_head
from app.notary.keys import derived_secret as derived_secret
from app.notary.keys import recovery_seed
from app.notary.messaging import message_key as message_key
from app.notary.messaging import message_key_note
from app.notary.messaging import sender_key as sender_key
from app.notary.models import FirmKey, LedgerCheckpoint, LedgerCosignature, LedgerEntry, LedgerEvidence, PartnerKeys
from app.notary.moved import moved_note
from app.notary.rings import key_entries, read_key_document, write_record
from ledger import canonical, checkpoint, fsck, typed
from ledger.encoding import from_b64, to_b64, to_hex
from ledger.errors import VerificationError as VerificationError
from ledger.evidence import parse_evidence
from ledger.evidence_file import Counterpart, EvidenceFile, Proved, build_file, counterpart, prove, read_counterpart
from ledger.keys import recovery_public_key, seed_from_words, words_from_seed
from ledger.merkle import inclusion_proof
from ledger.note import parse_vkey
from ledger.records import ZERO32
from ledger.replay import Entry

_ADDRESS = sa.select(Firm.address).where(Firm.id == sa.bindparam("firm"))


def digest(primary_type: str, message: dict[str, Any]) -> bytes:
    """The 32 bytes that people and firms sign; raises VerificationError for any field that does not fit its type."""
    return typed.digest(primary_type, message)


def origin(session: Session, firm_id: str) -> str:
    """The name of the firm's log; raises NotFound for a firm without ledger."""
    head = stored_head(session, firm_id)
    if head is None:
        raise NotFound
    found: str = head.origin
    return found


def address(session: Session, firm_id: str) -> str:
    """`handle@node`, the party's name in records."""
    found: str | None = session.scalar(_ADDRESS, {"firm": firm_id})
    if found is None:
        raise NotFound
    return found


def seal_address(session: Session, firm_id: str) -> str:
    """The 0x address of the firm's seal."""
    return session.get_one(FirmKey, (firm_id, "seal")).public_key


def pdf_certificate(session: Session, address: str) -> bytes | None:
    """The certificate (DER) with which the firm of that address seals its PDFs; None where it is not on this node."""
    keys = sa.select(FirmKey.public_key).join(Firm, Firm.id == FirmKey.firm_id)
    found = session.scalar(keys.where(Firm.address == address, FirmKey.purpose == "pdf"))
    return None if found is None else ssl.PEM_cert_to_DER_cert(found)


def genesis_digest(session: Session, firm_id: str) -> str:
    """0x hex: what a partner compares out of band."""
    return session.scalars(
        sa.select(LedgerEntry.digest).where(LedgerEntry.firm_id == firm_id, LedgerEntry.seq == 0)
    ).one()


def fingerprint_words(genesis: str) -> str:
    """Six words of a genesis digest (0x hex), to be read aloud and compared."""
    return " ".join(words_from_seed(bytes.fromhex(genesis.removeprefix("0x"))).split()[:6])


def entry_by_digest(session: Session, firm_id: str, digest_hex: str) -> int | None:
    """The position of the entry with that digest, if there is one."""
    return session.scalar(
        sa.select(LedgerEntry.seq).where(LedgerEntry.firm_id == firm_id, LedgerEntry.digest == digest_hex)
    )


def entries_about(session: Session, firm_id: str, subject_id: str) -> Sequence[tuple[int, str]]:
    """(seq, type) of all entries about one agreement, partner or passkey, oldest first."""
    rows = session.execute(
        sa.select(LedgerEntry.seq, LedgerEntry.type)
        .where(LedgerEntry.firm_id == firm_id, LedgerEntry.subject_id == subject_id)
        .order_by(LedgerEntry.seq)
    )
    return [(row.seq, row.type) for row in rows]


def digests_about(session: Session, firm_id: str, subject_id: str, types: Sequence[str]) -> Sequence[str]:
    """Digests (0x hex) of the entries of these types about one agreement, oldest first."""
    return session.scalars(
        sa.select(LedgerEntry.digest)
        .where(LedgerEntry.firm_id == firm_id, LedgerEntry.subject_id == subject_id, LedgerEntry.type.in_(types))
        .order_by(LedgerEntry.seq)
    ).all()


def evidence(session: Session, firm_id: str, seq: int) -> dict[str, Any]:
    """The evidence of one entry as JSON members; raises NotFound."""
    _, body = _entry(session, firm_id, seq)
    if body is None:
        raise NotFound
    found: dict[str, Any] = canonical.loads(body)
    return found


def key_document(session: Session, firm_id: str) -> dict[str, Any]:
    """All key records of our log with proofs under its newest checkpoint: what a partner needs to check our signatures."""
    note = _checkpoint(session, firm_id, 0)
    document = {
        "v": 1,
        "address": address(session, firm_id),
        "origin": origin(session, firm_id),
        "checkpoint": note.note,
        "keys": [write_record(record) for record in _proved_keys(session, firm_id, note.size)],
        "message": message_key_note(session, firm_id),
    }
    moved = moved_note(session, firm_id)
    return document | {"moved": moved} if moved else document


def newest_checkpoint(session: Session, firm_id: str) -> str:
    """The newest checkpoint that our log signed: whoever gets it knows how far the log had come."""
    note: str = _checkpoint(session, firm_id, 0).note
    return note


def proof_document(session: Session, firm_id: str, seq: int) -> dict[str, Any]:
    """Our entry `seq` as its counterpart needs it: a key document with leaf and proof under the same checkpoint."""
    document = key_document(session, firm_id)
    size = _checkpoint(session, firm_id, seq).size
    entry, _ = _entry(session, firm_id, seq)
    proof = inclusion_proof(leaf_hashes(session, firm_id, size), seq)
    return document | {"leaf": canonical.loads(entry.leaf), "proof": [to_b64(one) for one in proof]}


def evidence_file(session: Session, firm_id: str, seq: int, other: dict[str, Any] | None = None) -> bytes:
    """The file that proves entry `seq` to anybody, offline: `python -m ledger verify`.

    `other` is the counterpart's proof document where it is known (else its last key document stands in).
    """
    erasure_seq = _erasure_seq(session, firm_id, seq)
    least = max(seq, erasure_seq or 0)
    note = _witnessed(session, firm_id, least) or _checkpoint(session, firm_id, least)
    cosigned = cosignatures(session, firm_id, note.size)
    hashes = leaf_hashes(session, firm_id, note.size)
    record = _prove(session, firm_id, seq, hashes)
    partner = other or _partner_document(session, firm_id, record)
    partner_records, partner_side = _counterpart(partner)
    chain = tuple(_superseded(session, firm_id, record, hashes))
    file = EvidenceFile(
        record=record,
        checkpoint=reduce(checkpoint.add_cosignature, [one.line for one in cosigned], note.note),
        witnesses=tuple(one.vkey for one in cosigned if one.vkey not in _first_cosign_keys(partner_records)),
        keys=(*_proved_keys(session, firm_id, note.size), *partner_records),
        chain=chain,
        erasure=None if erasure_seq is None else _prove(session, firm_id, erasure_seq, hashes),
        counterpart=partner_side,
        places=tuple(_places(session, firm_id, chain)),
    )
    return build_file(file)


def export_log(session: Session, firm_id: str) -> Generator[bytes]:
    """The lines of the whole log for `python -m ledger fsck`."""
    partners = session.scalars(
        sa.select(PartnerKeys.document).where(PartnerKeys.firm_id == firm_id).order_by(PartnerKeys.partner_id)
    )
    pairs: list[tuple[Proved, str]] = []
    for document in partners:
        records, note = read_key_document(document)
        pairs += [(record, note) for record in records]
    notes = session.execute(
        sa.select(LedgerCheckpoint.size, LedgerCheckpoint.note)
        .where(LedgerCheckpoint.firm_id == firm_id)
        .order_by(LedgerCheckpoint.size)
    )
    checkpoints = [(row.size, row.note) for row in notes]
    ordered = _entries_with_evidence(firm_id).order_by(LedgerEntry.seq).execution_options(yield_per=500)
    with session.execute(ordered) as rows:
        entries = (part for entry, body in rows for part in _exported(entry, body))
        yield from fsck.export_log(origin(session, firm_id), entries, checkpoints, pairs)


def _exported(entry: LedgerEntry, body: bytes | None) -> Iterator[Entry | Counterpart]:
    if entry.counterpart is not None:
        yield read_counterpart(entry.counterpart)
    yield Entry(entry.leaf, body)


def log_vkey(session: Session, firm_id: str) -> str:
    """The log key that a verifier may pin (C2SP policy)."""
    return parse_vkey(session.get_one(FirmKey, (firm_id, "log")).public_key).vkey


def recovery_words(session: Session, firm_id: str) -> str | None:
    """The 24 words of the recovery key until its print was confirmed; None ever after."""
    seed = recovery_seed(session, firm_id)
    return None if seed is None else words_from_seed(seed)


def firm_by_recovery_words(session: Session, words: str) -> tuple[str, bytes] | None:
    """(firm id, seed) of the firm whose recovery key these words are; None for wrong or unknown words."""
    try:
        seed = seed_from_words(words)
    except VerificationError:
        return None
    firm_id = _firm_by_recovery_key(session, recovery_public_key(seed))
    return None if firm_id is None else (firm_id, seed)


def _firm_by_recovery_key(session: Session, public_key: bytes) -> str | None:
    return session.scalar(
        sa.select(FirmKey.firm_id).where(FirmKey.purpose == "recovery", FirmKey.public_key == to_hex(public_key))
    )


def _checkpoint(session: Session, firm_id: str, seq: int) -> LedgerCheckpoint:
    note = session.scalar(
        sa.select(LedgerCheckpoint)
        .where(LedgerCheckpoint.firm_id == firm_id, LedgerCheckpoint.size > seq)
        .order_by(LedgerCheckpoint.size.desc())
        .limit(1)
    )
    if note is None:
        raise NotFound
    return note


def _erasure_seq(session: Session, firm_id: str, seq: int) -> int | None:
    """Where the erasure stands that names an entry whose content is gone; None for one whose content is there."""
    entry, body = _entry(session, firm_id, seq)
    if body is not None:
        return None
    return session.scalar(
        sa.select(LedgerEntry.seq).where(
            LedgerEntry.firm_id == firm_id, LedgerEntry.type == "erasure", LedgerEntry.subject_id == entry.subject_id
        )
    )


def cosignatures(session: Session, firm_id: str, size: int) -> Sequence[LedgerCosignature]:
    """What partners signed under our checkpoint of that size, the earliest first."""
    return session.scalars(
        sa.select(LedgerCosignature)
        .where(LedgerCosignature.firm_id == firm_id, LedgerCosignature.size == size)
        .order_by(LedgerCosignature.at, LedgerCosignature.partner_id)
    ).all()


def _witnessed(session: Session, firm_id: str, seq: int) -> LedgerCheckpoint | None:
    """The checkpoint over that entry which most partners cosigned; of those the oldest, it says the most about the time."""
    size = session.scalar(
        sa.select(LedgerCosignature.size)
        .where(LedgerCosignature.firm_id == firm_id, LedgerCosignature.size > seq)
        .group_by(LedgerCosignature.size)
        .order_by(sa.func.count().desc(), LedgerCosignature.size)
        .limit(1)
    )
    return None if size is None else session.get(LedgerCheckpoint, (firm_id, size))


def leaf_hashes(session: Session, firm_id: str, size: int) -> list[bytes]:
    """The hashes of the first `size` leaves, in their order."""
    found = session.scalars(
        sa.select(LedgerEntry.leaf_hash)
        .where(LedgerEntry.firm_id == firm_id, LedgerEntry.seq < size)
        .order_by(LedgerEntry.seq)
    )
    return [bytes.fromhex(one) for one in found]


def _entries_with_evidence(firm_id: str) -> sa.Select[LedgerEntry, bytes]:
    return (
        sa.select(LedgerEntry, LedgerEvidence.body)
        .outerjoin(
            LedgerEvidence,
            (LedgerEvidence.firm_id == LedgerEntry.firm_id) & (LedgerEvidence.sha256 == LedgerEntry.evidence_sha256),
        )
        .where(LedgerEntry.firm_id == firm_id)
    )


def _entry(session: Session, firm_id: str, seq: int) -> tuple[LedgerEntry, bytes | None]:
    row = session.execute(_entries_with_evidence(firm_id).where(LedgerEntry.seq == seq)).one_or_none()
    if row is None:
        raise NotFound
    entry: LedgerEntry = row[0]
    body: bytes | None = row[1]
    return entry, body


def _prove(session: Session, firm_id: str, seq: int, hashes: Sequence[bytes]) -> Proved:
    entry, body = _entry(session, firm_id, seq)
    return prove(entry.leaf, hashes, body)


def _proved_keys(session: Session, firm_id: str, size: int) -> list[Proved]:
    hashes = leaf_hashes(session, firm_id, size)
    return [prove(entry.leaf, hashes, body) for entry, body in key_entries(session, firm_id) if entry.seq < size]


def _superseded(session: Session, firm_id: str, record: Proved, hashes: Sequence[bytes]) -> Iterator[Proved]:
    found: Proved | None = record
    while found is not None and found.evidence is not None and found.evidence.message["supersedes"] != ZERO32:
        seq = entry_by_digest(session, firm_id, found.evidence.message["supersedes"])
        if seq is None:
            raise VerificationError("a replaced record is missing in the log")
        found = _prove(session, firm_id, seq, hashes)
        yield found


def _places(session: Session, firm_id: str, chain: Sequence[Proved]) -> Iterator[Counterpart]:
    for record in chain:
        entry, _ = _entry(session, firm_id, record.leaf.seq)
        if entry.counterpart is not None:
            yield read_counterpart(entry.counterpart)


def _partner_document(session: Session, firm_id: str, record: Proved) -> dict[str, Any] | None:
    if record.evidence_bytes is None:
        return None
    message = parse_evidence(record.evidence_bytes).message
    own = address(session, firm_id)
    other = message["to"] if message["from"] == own else message["from"]
    accused = message["log"] if record.leaf.type == "witness.conflict" else None
    return session.scalar(
        sa.select(PartnerKeys.document).where(
            PartnerKeys.firm_id == firm_id, sa.or_(PartnerKeys.address == other, PartnerKeys.origin == accused)
        )
    )


def _first_cosign_keys(records: Sequence[Proved]) -> set[str]:
    """The witnesses whom their own genesis record in the file names already."""
    return {str(one.evidence.message["cosignKey"]) for one in records if one.evidence and one.leaf.type == "genesis"}


def _counterpart(document: dict[str, Any] | None) -> tuple[list[Proved], Counterpart | None]:
    if document is None:
        return [], None
    records, note = read_key_document(document)
    if "leaf" not in document:
        return records, counterpart(note)
    proof = [from_b64(one, length=32) for one in document["proof"]]
    return records, counterpart(note, canonical.dumps(document["leaf"]), proof)
