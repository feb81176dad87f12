"""The other side's proof that the same record stands in its log: checked before we keep it beside ours."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound, RuleBroken
from app.notary.models import LedgerEntry, PartnerKeys
from app.notary.rings import partner_keys, verify_key_document
from ledger import canonical, checkpoint, merkle
from ledger import note as notes
from ledger.encoding import from_b64, to_hex
from ledger.errors import VerificationError
from ledger.leaf import parse_leaf


@dataclass(frozen=True, slots=True)
class OtherEntry:
    """What a proof document proves; hex values, `at` in UTC seconds as the other log claims it."""

    address: str
    origin: str
    digest: str
    evidence_sha256: str
    at: int
    seq: int
    genesis: bytes


def read_proof(document: dict[str, Any]) -> OtherEntry:
    """Return what the document proves: keys, checkpoint and inclusion verified. Raises RuleBroken for anything else."""
    try:
        keys = verify_key_document(document)
        claim = checkpoint.parse(notes.parse(document["checkpoint"]).text)
        data = canonical.dumps(document["leaf"])
        leaf = parse_leaf(data)
        path = [from_b64(one, length=32) for one in document["proof"]]
        merkle.verify_inclusion(merkle.leaf_hash(data), leaf.seq, claim.size, path, claim.root)
        if leaf.log != keys.origin:
            raise VerificationError("the entry stands in another log")
    except (VerificationError, KeyError, TypeError) as error:
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.") from error
    return OtherEntry(
        keys.firm, keys.origin, to_hex(leaf.digest), leaf.evidence.hex(), leaf.at, leaf.seq, keys.genesis_digest
    )


def place_elsewhere(
    session: Session, firm_id: str, document: dict[str, Any], digest: bytes, evidence_sha256: str
) -> OtherEntry:
    """Return where a partner's log holds this very record; raises RuleBroken for another record or an unknown log."""
    entry = read_proof(document)
    keys = partner_keys(session, firm_id, entry.address)
    # A log of the same name with another beginning would place its entries as it likes.
    is_known = keys is not None and (keys.origin, keys.genesis_digest) == (entry.origin, entry.genesis)
    if not is_known or (entry.digest, entry.evidence_sha256) != (to_hex(digest), evidence_sha256):
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.")
    return entry


def check_checkpoint(session: Session, firm_id: str, partner_id: str, note: str) -> None:
    """Raise RuleBroken unless the partner's own log signed this checkpoint, as far as we know its keys."""
    row = session.get_one(PartnerKeys, (firm_id, partner_id))
    try:
        keys, claim = verify_key_document(row.document), checkpoint.parse(note)
        if claim.origin != row.origin:
            raise VerificationError("the checkpoint is of another log")
        if claim.size > checkpoint.parse(notes.parse(row.document["checkpoint"]).text).size:
            raise VerificationError("the log has not come that far")
        checkpoint.verify_signature(note, keys.log_key(claim.size))
    except VerificationError as error:
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.") from error


def evidence_sha256(session: Session, firm_id: str, seq: int) -> str:
    """Hex SHA-256 of the evidence of our own entry: both sides hold the same bytes."""
    found = session.scalar(
        sa.select(LedgerEntry.evidence_sha256).where(LedgerEntry.firm_id == firm_id, LedgerEntry.seq == seq)
    )
    if found is None:
        raise NotFound
    return found
