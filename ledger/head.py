"""The head of a log: what appending needs to know, and the new head that it gives. Stores nothing itself."""

from dataclasses import dataclass
from functools import cached_property

from ledger import checkpoint
from ledger.checkpoint import Checkpoint
from ledger.errors import VerificationError
from ledger.leaf import NO_PREVIOUS, Leaf, build_leaf
from ledger.merkle import Frontier, leaf_hash
from ledger.note import Signer


@dataclass(frozen=True)
class Head:
    """A log's end; `last` is the leaf hash of its newest entry (32 zero bytes when there is none)."""

    origin: str
    frontier: Frontier
    last: bytes

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.frontier.size

    @cached_property
    def root(self) -> bytes:
        """The Merkle root over all entries."""
        return self.frontier.root()


@dataclass(frozen=True)
class Appended:
    """One new entry: the bytes to store as they are, their leaf hash, and the head after it."""

    leaf: bytes
    leaf_hash: bytes
    head: Head


def empty_head(origin: str) -> Head:
    """The head of a log without entries."""
    return Head(origin, Frontier(), NO_PREVIOUS)


def append_entry(head: Head, record_type: str, digest: bytes, evidence_hash: bytes, at: int) -> Appended:
    """The next entry of a log; `at` in seconds since 1970. Pure: the caller stores both and swaps the head."""
    if (head.size == 0) != (record_type == "genesis"):
        raise VerificationError("a log begins with its genesis record and has one only")
    data = build_leaf(Leaf(head.origin, head.size, head.last, record_type, at, digest, evidence_hash))
    hashed = leaf_hash(data)
    return Appended(data, hashed, Head(head.origin, head.frontier.append(hashed), hashed))


def checkpoint_of(head: Head) -> Checkpoint:
    """The claim that a log's key may sign once all its entries are durable."""
    return Checkpoint(head.origin, head.size, head.root)


def sign_head(head: Head, log_key: Signer | str) -> str:
    """The signed checkpoint note; sign only after the rows are durable, never a size below the last signed."""
    return checkpoint.sign(checkpoint_of(head), log_key)
