"""Proof files (C2SP tlog-proof, `.tlog-proof`): that some bytes stand in a log, for any program of that format."""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger import canonical, checkpoint, merkle
from ledger import note as notes
from ledger.encoding import from_b64, to_b64
from ledger.errors import VerificationError
from ledger.evidence_file import Proved
from ledger.fsck import read_parts
from ledger.policy import Policy

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class LogProof:
    """Position, audit path and signed checkpoint; `extra` is opaque and proved by nothing."""

    index: int
    path: tuple[bytes, ...]
    note: str
    extra: bytes | None = None


def proof_of(record: Proved, note: str) -> LogProof:
    """The proof file's parts for a record of a log; its leaf goes along as the extra data."""
    return LogProof(record.leaf.seq, record.proof, note, record.leaf_bytes)


def proof_in_log(lines: Iterable[bytes], index: int) -> LogProof:
    """The proof file's parts for an entry of an exported log, under its last checkpoint; the log is not verified."""
    hashes: list[bytes] = []
    leaf, newest = b"", ""
    for part in read_parts(lines):
        if part["kind"] == "checkpoint":
            newest = part["note"]
        elif part["kind"] == "entry":
            data = canonical.dumps(part["leaf"])
            leaf = data if len(hashes) == index else leaf
            hashes.append(merkle.leaf_hash(data))
    claim = checkpoint.parse(notes.parse(newest).text) if newest else None
    if claim is None or not 0 <= index < claim.size <= len(hashes):
        raise VerificationError("no such entry, or no checkpoint over it")
    return LogProof(index, tuple(merkle.inclusion_proof(hashes[: claim.size], index)), newest, leaf)


def format_proof(proof: LogProof) -> str:
    """The text of a proof file."""
    extra = [] if proof.extra is None else [f"extra {to_b64(proof.extra)}"]
    lines = [_FIRST_LINE, *extra, f"index {proof.index}", *(to_b64(one) for one in proof.path), "", proof.note]
    text = "\n".join(lines)
    if parse_proof(text) != proof:
        raise VerificationError("not a proof")
    return text


def parse_proof(text: str) -> LogProof:
    """The parts of a proof file; nothing is verified yet."""
    if len(text) > MAX_BYTES:
        raise VerificationError("proof file too long")
    header, gap, note = text.partition("\n\n")
    first, *lines = header.split("\n")
    if first != _FIRST_LINE or not gap:
        raise VerificationError("not a proof file")
    extra = from_b64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    if not lines:
        raise VerificationError("proof file without index")
    index, path = _parse_index(lines[0]), tuple(from_b64(line, length=32) for line in lines[1:])
    checkpoint.parse(note if "\n\n" in note else "")
    return LogProof(index, path, note, extra)


def verify_proof(proof: LogProof, leaf_hash: bytes, policy: Policy) -> checkpoint.Checkpoint:
    """The checkpoint, signed by a log of the policy and cosigned by its quorum, in whose tree the leaf stands."""
    opened = notes.open_note(proof.note, [*policy.logs, *policy.witnesses.values()])
    claim = checkpoint.parse(opened.text)
    signers = {(line.name, line.key_id) for line in opened.verified}
    if not any((log.name, log.key_id) in signers and log.name == claim.origin for log in policy.logs):
        raise VerificationError("not signed by a log of the policy")
    if not policy.is_satisfied([key for key in policy.witnesses.values() if (key.name, key.key_id) in signers]):
        raise VerificationError("cosignatures missing")
    merkle.verify_inclusion(leaf_hash, proof.index, claim.size, proof.path, claim.root)
    return claim


def _parse_index(line: str) -> int:
    word, _, number = line.partition(" ")
    if word != "index" or not (number.isascii() and number.isdecimal()) or len(number) > 19:
        raise VerificationError("proof file without index")
    if number != str(int(number)):
        raise VerificationError("index with leading zeros")
    return int(number)
