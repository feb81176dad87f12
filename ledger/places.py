"""Where a record stands in a partner's log: proved by that log itself, so that its keys are judged as they were there."""

from collections.abc import Mapping

from ledger import checkpoint
from ledger import note as notes
from ledger.errors import VerificationError
from ledger.evidence_file import Counterpart
from ledger.firm_keys import FirmKeys
from ledger.leaf import Leaf
from ledger.merkle import leaf_hash, verify_inclusion


def proved_place(other: Counterpart, firms: Mapping[str, FirmKeys]) -> Leaf:
    """The leaf of the other log, after its checkpoint and its inclusion were verified by keys that are known."""
    claim = checkpoint.parse(notes.parse(other.checkpoint).text)
    keys = next((one for one in firms.values() if one.origin == claim.origin), None)
    if keys is None or other.leaf is None or other.leaf_bytes is None or other.leaf.log != claim.origin:
        raise VerificationError("no place in the log of a known partner")
    checkpoint.verify_signature(other.checkpoint, keys.log_key(claim.size))
    verify_inclusion(leaf_hash(other.leaf_bytes), other.leaf.seq, claim.size, other.proof, claim.root)
    return other.leaf


def seqs_of(leaf: Leaf, place: Leaf | None) -> dict[str, int]:
    """The position of a record by the other log's name; raises VerificationError where that one holds something else."""
    if place is None:
        return {}
    if (place.type, place.digest, place.evidence) != (leaf.type, leaf.digest, leaf.evidence) or place.log == leaf.log:
        raise VerificationError("the other firm entered something else")
    return {place.log: place.seq}
