"""Key rings: what keys a firm had at which position of its log, ours and our partners'."""

import base64
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.notary.models import LedgerEntry, LedgerEvidence, LedgerHead, PartnerKeys
from ledger import canonical, checkpoint
from ledger import note as notes
from ledger.encoding import from_b64
from ledger.errors import VerificationError
from ledger.evidence import parse_evidence
from ledger.evidence_file import Proved, proved, write_proved
from ledger.firm_keys import FirmKeys
from ledger.key_records import read_key_record
from ledger.leaf import parse_leaf

MOST_KEY_RECORDS = 40


def own_keys(session: Session, firm_id: str) -> FirmKeys:
    """All keys of our firm as its own log tells them."""
    records = key_entries(session, firm_id)
    return _replayed(tuple((entry.leaf, body) for entry, body in records))


def key_entries(session: Session, firm_id: str) -> list[tuple[LedgerEntry, bytes]]:
    """Genesis and all other key records with their evidence, oldest first."""
    head = session.get_one(LedgerHead, firm_id)
    rows = session.execute(
        sa.select(LedgerEntry, LedgerEvidence.body)
        .join(
            LedgerEvidence,
            (LedgerEvidence.firm_id == LedgerEntry.firm_id) & (LedgerEvidence.sha256 == LedgerEntry.evidence_sha256),
        )
        .where(LedgerEntry.firm_id == firm_id, LedgerEntry.seq.in_(head.key_seqs))
        .order_by(LedgerEntry.seq)
    )
    return [(row[0], row[1]) for row in rows]


def partner_keys(session: Session, firm_id: str, address: str) -> FirmKeys | None:
    """The keys of a partner by its address, or None for a firm that told us none."""
    document = session.scalar(
        sa.select(PartnerKeys.document).where(PartnerKeys.firm_id == firm_id, PartnerKeys.address == address)
    )
    return None if document is None else _known_partner(canonical.dumps(document))


def verify_key_document(document: dict[str, Any]) -> FirmKeys:
    """The keys that a key document proves, every record and signature checked; raises VerificationError."""
    records, note = read_key_document(document)
    claim = checkpoint.parse(notes.parse(note).text)
    firms: dict[str, FirmKeys] = {}
    for record in records:
        read_key_record(record, claim, firms)
    if len(firms) != 1:
        raise VerificationError("a key document is of one firm")
    keys = next(iter(firms.values()))
    checkpoint.verify_signature(note, keys.log_key(claim.size))
    if (keys.firm, keys.origin) != (document["address"], document["origin"]):
        raise VerificationError("the key document bears another name than its records")
    return keys


def read_key_document(document: dict[str, Any]) -> tuple[list[Proved], str]:
    """The proved key records and the checkpoint note of a key document; nothing is verified yet."""
    try:
        records, note = document["keys"], document["checkpoint"]
        if not isinstance(records, list) or not 0 < len(records) <= MOST_KEY_RECORDS or type(note) is not str:
            raise VerificationError("not a key document")
        return [read_proved(record) for record in records], note
    except (KeyError, TypeError, AttributeError) as error:
        raise VerificationError("not a key document") from error


def read_proved(value: dict[str, Any]) -> Proved:
    """A record with its proof from its JSON members."""
    evidence = None if value["evidence"] is None else canonical.dumps(value["evidence"])
    return proved(canonical.dumps(value["leaf"]), [from_b64(one, length=32) for one in value["proof"]], evidence)


def write_record(record: Proved) -> dict[str, Any]:
    return write_proved(record)


@lru_cache(maxsize=512)
def _replayed(records: tuple[tuple[bytes, bytes], ...]) -> FirmKeys:
    # The rows were checked when they were appended; here they only take effect again.
    keys: FirmKeys | None = None
    for leaf_bytes, body in records:
        leaf, message = parse_leaf(leaf_bytes), parse_evidence(body).message
        if keys is None:
            keys = FirmKeys.from_genesis(leaf, message)
        else:
            keys.apply(leaf, message)
    if keys is None:
        raise VerificationError("the log has no genesis record")
    return keys


@lru_cache(maxsize=512)
def _known_partner(document: bytes) -> FirmKeys:
    return verify_key_document(canonical.loads(document))


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
