"""Key rings: what keys a firm had at which position of its log, ours and our partners'."""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.notary.heads import StoredHead, stored_head
from app.notary.models import LedgerEntry, LedgerEvidence, PartnerKeys
from ledger import canonical, checkpoint
from ledger import note as notes
from ledger.encoding import from_b64
from ledger.errors import VerificationError
from ledger.evidence import evidence_hash, parse_evidence
from ledger.evidence_file import Proved, proved, write_proved
from ledger.firm_keys import FirmKeys
from ledger.key_records import read_key_record
from ledger.leaf import parse_leaf

MOST_KEY_RECORDS = 40
_PARTNER_DOCUMENT = sa.select(PartnerKeys.document).where(
    PartnerKeys.firm_id == sa.bindparam("firm"), PartnerKeys.address == sa.bindparam("party")
)


def own_keys(session: Session, firm_id: str) -> FirmKeys:
    """All keys of our firm as its own log tells them."""
    head = stored_head(session, firm_id)
    if head is None:
        raise NotFound
    return keys_under(session, head)


def keys_under(session: Session, head: StoredHead) -> FirmKeys:
    """The keys of a log as they stand under that head."""
    known = _known_under(head.root)
    if not known:
        rows = session.execute(_key_entries(head.firm_id, head.key_seqs))
        known.append(_replayed(tuple((entry.leaf, body) for entry, body in rows)))
    return known[0]


def carry_keys(keys: FirmKeys, new_root: str) -> None:
    """An entry that is no key record was appended: the keys under the new root are those from before."""
    _known_under(new_root)[:] = [keys]


def key_entries(session: Session, firm_id: str) -> list[tuple[LedgerEntry, bytes]]:
    """Genesis and all other key records with their evidence, oldest first."""
    head = stored_head(session, firm_id)
    if head is None:
        raise NotFound
    return [(row[0], row[1]) for row in session.execute(_key_entries(firm_id, head.key_seqs))]


def _key_entries(firm_id: str, seqs: list[int]) -> sa.Select[LedgerEntry, bytes]:
    return (
        sa.select(LedgerEntry, LedgerEvidence.body)
        .join(
            LedgerEvidence,
            (LedgerEvidence.firm_id == LedgerEntry.firm_id) & (LedgerEvidence.sha256 == LedgerEntry.evidence_sha256),
        )
        .where(LedgerEntry.firm_id == firm_id, LedgerEntry.seq.in_(seqs))
        .order_by(LedgerEntry.seq)
    )


def partner_keys(session: Session, firm_id: str, address: str) -> FirmKeys | None:
    """The keys of a partner by its address, or None for a firm that told us none."""
    document = session.scalar(_PARTNER_DOCUMENT, {"firm": firm_id, "party": address})
    return None if document is None else verify_key_document(document)


def keys_of_log(session: Session, firm_id: str, log: str) -> FirmKeys | None:
    """The keys of the partner whose log bears that name, or None."""
    document = session.scalar(
        sa.select(PartnerKeys.document).where(PartnerKeys.firm_id == firm_id, PartnerKeys.origin == log)
    )
    return None if document is None else verify_key_document(document)


def verify_key_document(document: dict[str, Any]) -> FirmKeys:
    """The keys that a key document proves, every record and signature checked; raises VerificationError.

    The same document is checked once in a process: its bytes alone decide.
    """
    try:
        parts = {name: document[name] for name in ("address", "origin", "checkpoint", "keys")}
    except (KeyError, TypeError) as error:
        raise VerificationError("not a key document") from error
    return _verified(canonical.dumps(parts))


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
        if evidence_hash(body) != leaf.evidence:
            raise VerificationError("the content is not the one that was entered")
        if keys is None:
            keys = FirmKeys.from_genesis(leaf, message)
        else:
            keys.apply(leaf, message)
    if keys is None:
        raise VerificationError("the log has no genesis record")
    return keys


@lru_cache(maxsize=4096)
def _known_under(_root: str) -> list[FirmKeys]:
    """A place for the keys under a root: it commits to every entry, so what was read under it once holds for ever."""
    return []


@lru_cache(maxsize=512)
def _verified(data: bytes) -> FirmKeys:
    document = canonical.loads(data)
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
