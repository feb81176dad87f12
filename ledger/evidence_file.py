"""The file that proves one record to anybody, offline: record, proofs, checkpoints and key records in one JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ledger import canonical, checkpoint
from ledger.encoding import from_b64, to_b64
from ledger.errors import VerificationError
from ledger.evidence import Evidence, evidence_hash, read_evidence
from ledger.leaf import Leaf, parse_leaf
from ledger.merkle import inclusion_proof, leaf_hash, verify_inclusion
from ledger.short_form import bounded, complete, shorten

MAX_BYTES = 1_000_000
_MEMBERS = {
    "v",
    "leaf",
    "proof",
    "checkpoint",
    "evidence",
    "keys",
    "chain",
    "erasure",
    "counterpart",
    "witnesses",
    "places",
}
_PROVED = {"leaf", "proof", "evidence"}
_COUNTERPART = {"leaf", "proof", "checkpoint"}


@dataclass(frozen=True)
class Proved:
    """One record with its audit path; `evidence_bytes` is None where the content was erased."""

    leaf_bytes: bytes
    proof: tuple[bytes, ...]
    evidence_bytes: bytes | None
    leaf: Leaf
    evidence: Evidence | None

    def check_inclusion(self, claim: checkpoint.Checkpoint) -> None:
        """Raises VerificationError unless the record stands in the tree of that checkpoint."""
        if self.leaf.log != claim.origin:
            raise VerificationError("the checkpoint is of another log")
        verify_inclusion(leaf_hash(self.leaf_bytes), self.leaf.seq, claim.size, self.proof, claim.root)

    def check_evidence(self) -> Evidence:
        """The evidence, whose hash the leaf holds."""
        if self.evidence is None or self.evidence_bytes is None:
            raise VerificationError("the content is missing")
        if evidence_hash(self.evidence_bytes) != self.leaf.evidence:
            raise VerificationError("the content is not the one that was entered")
        return self.evidence


@dataclass(frozen=True)
class Counterpart:
    """The other firm's log: its checkpoint, and its entry of the same record where it is known already."""

    checkpoint: str
    leaf_bytes: bytes | None
    proof: tuple[bytes, ...]
    leaf: Leaf | None


@dataclass(frozen=True)
class EvidenceFile:
    """All parts of one file, parsed, nothing verified yet."""

    record: Proved
    checkpoint: str
    keys: tuple[Proved, ...]
    chain: tuple[Proved, ...] = ()
    erasure: Proved | None = None
    counterpart: Counterpart | None = None
    witnesses: tuple[str, ...] = ()
    places: tuple[Counterpart, ...] = ()
    """Where replaced records of the chain stand in the other firm's log, if it took them first"""


def prove(leaf: bytes, leaf_hashes: Sequence[bytes], evidence: bytes | None) -> Proved:
    """A record with its audit path in the tree of all `leaf_hashes` (O(n) hashes)."""
    parsed = parse_leaf(leaf)
    return proved(leaf, inclusion_proof(leaf_hashes, parsed.seq), evidence)


def proved(leaf: bytes, proof: Iterable[bytes], evidence: bytes | None) -> Proved:
    """A record with an audit path that is known already."""
    read = None if evidence is None else read_evidence(canonical.loads(evidence))
    return Proved(leaf, tuple(proof), evidence, parse_leaf(leaf), read)


def counterpart(note: str, leaf: bytes | None = None, proof: Iterable[bytes] = ()) -> Counterpart:
    """The other firm's side; without `leaf` where its entry is not known yet."""
    return Counterpart(note, leaf, tuple(proof), None if leaf is None else parse_leaf(leaf))


def build_file(file: EvidenceFile) -> bytes:
    """The canonical bytes of the file; key records are put into their one order."""
    other = file.counterpart
    full = {
        "v": 1,
        **write_proved(file.record),
        "checkpoint": file.checkpoint,
        "keys": [write_proved(one) for one in sorted(file.keys, key=_place)],
        "chain": [write_proved(one) for one in file.chain],
        "erasure": None if file.erasure is None else write_proved(file.erasure),
        "counterpart": None if other is None else write_counterpart(other),
        "witnesses": list(file.witnesses),
        "places": [write_counterpart(one) for one in file.places],
    }
    data = canonical.dumps(shorten(full))
    parse_file(data)
    return data


def parse_file(data: bytes) -> EvidenceFile:
    """The parts of the file; raises VerificationError for any other spelling, member or type."""
    value = complete(canonical.loads(data, MAX_BYTES))
    _check_members(value, _MEMBERS, "file")
    if type(value["v"]) is not int or value["v"] != 1:
        raise VerificationError("file of another version")
    keys = tuple(_read_proved(one) for one in bounded(value["keys"]))
    if any(_place(one) >= _place(other) for one, other in pairwise(keys)):
        raise VerificationError("key records are not in their order")
    return EvidenceFile(
        record=_read_proved({name: value[name] for name in _PROVED}),
        checkpoint=_text(value["checkpoint"]),
        keys=keys,
        chain=tuple(_read_proved(one) for one in bounded(value["chain"])),
        erasure=None if value["erasure"] is None else _read_proved(value["erasure"]),
        counterpart=None if value["counterpart"] is None else read_counterpart(value["counterpart"]),
        witnesses=tuple(_text(one) for one in bounded(value["witnesses"])),
        places=tuple(read_counterpart(one) for one in bounded(value["places"])),
    )


def _place(record: Proved) -> tuple[str, int]:
    return record.leaf.log, record.leaf.seq


def write_proved(record: Proved) -> dict[str, Any]:
    """The JSON members of a record with its proof."""
    return {
        "leaf": canonical.loads(record.leaf_bytes),
        "proof": [to_b64(one) for one in record.proof],
        "evidence": None if record.evidence_bytes is None else canonical.loads(record.evidence_bytes),
    }


def write_counterpart(other: Counterpart) -> dict[str, Any]:
    """The JSON members of the other firm's side."""
    leaf = None if other.leaf_bytes is None else canonical.loads(other.leaf_bytes)
    return {"leaf": leaf, "proof": [to_b64(one) for one in other.proof], "checkpoint": other.checkpoint}


def _read_proved(value: Any) -> Proved:
    _check_members(value, _PROVED, "record")
    leaf = _leaf_bytes(value["leaf"])
    proof = tuple(from_b64(_text(one), length=32) for one in bounded(value["proof"]))
    if value["evidence"] is None:
        return Proved(leaf, proof, None, parse_leaf(leaf), None)
    # The file is canonical as a whole, so a part written again gives the very bytes that stand in it.
    evidence = canonical.encode_plain(value["evidence"])
    return Proved(leaf, proof, evidence, parse_leaf(leaf), read_evidence(value["evidence"]))


def read_counterpart(value: Any) -> Counterpart:
    """The other firm's side from its JSON members; raises VerificationError for any other."""
    _check_members(value, _COUNTERPART, "counterpart")
    proof = tuple(from_b64(_text(one), length=32) for one in bounded(value["proof"]))
    if value["leaf"] is None:
        if proof:
            raise VerificationError("a proof without a leaf")
        return Counterpart(_text(value["checkpoint"]), None, (), None)
    leaf = _leaf_bytes(value["leaf"])
    return Counterpart(_text(value["checkpoint"]), leaf, proof, parse_leaf(leaf))


def _leaf_bytes(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise VerificationError("a leaf is an object")
    return canonical.encode_plain(value)


def _check_members(value: Any, members: set[str], what: str) -> None:
    if not isinstance(value, dict) or value.keys() != members:
        raise VerificationError(f"{what} has other members than it must have")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise VerificationError("text expected")
    return value
