"""The SHA-256 Merkle tree of RFC 6962: roots, proofs, and a frontier that grows in O(log n)."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

from ledger.errors import VerificationError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
# The root over the leaves from the first number on and before the second.
RangeRoot = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data), RFC 6962 section 2.1."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), RFC 6962 section 2.1."""
    return sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The tree head over all leaf hashes; of none, SHA-256 of nothing."""
    level = list(leaf_hashes)
    while len(level) > 1:
        above = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0] if level else EMPTY_ROOT


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of one leaf, from its sibling to the root's child (RFC 6962, section 2.1.1)."""
    return inclusion_path(len(leaf_hashes), index, lambda low, high: root(leaf_hashes[low:high]))


def inclusion_path(size: int, index: int, root_of: RangeRoot) -> list[bytes]:
    """The same audit path where the roots of the ranges come from elsewhere."""
    low, high = 0, size
    if not 0 <= index < high:
        raise VerificationError("index outside the tree")
    path: list[bytes] = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root_of(middle, high))
            high = middle
        else:
            path.append(root_of(low, middle))
            low = middle
    return path[::-1]


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raises VerificationError unless the leaf stands at `index` in the tree of `size` leaves (RFC 9162, 2.1.3.2)."""
    _check_hashes([leaf_hash, root, *proof])
    _check_numbers(index, size)
    if index >= size:
        raise VerificationError("index outside the tree")
    node, last, current = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise VerificationError("inclusion proof too long")
        if node & 1 or node == last:
            current = node_hash(sibling, current)
            # On the right edge, levels without a right neighbour add nothing to the proof.
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise VerificationError("inclusion proof too short")
    if current != root:
        raise VerificationError("inclusion proof leads to another root")


def consistency_proof(leaf_hashes: Sequence[bytes], size1: int) -> list[bytes]:
    """The proof that the tree of the first `size1` leaves is a prefix of the whole (RFC 6962, section 2.1.2)."""
    return consistency_path(size1, len(leaf_hashes), lambda low, high: root(leaf_hashes[low:high]))


def consistency_path(size1: int, size2: int, root_of: RangeRoot) -> list[bytes]:
    """The same proof where the roots of the ranges come from elsewhere."""
    if not 0 <= size1 <= size2:
        raise VerificationError("older size outside the tree")
    if size1 in (0, size2):
        return []
    path: list[bytes] = []
    low, high, known = 0, size2, True
    while size1 != high:
        middle = low + _split(high - low)
        if size1 <= middle:
            path.append(root_of(middle, high))
            high = middle
        else:
            path.append(root_of(low, middle))
            low, known = middle, False
    return path[::-1] if known else [root_of(low, high), *path[::-1]]


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Raises VerificationError unless the older tree is a prefix of the newer one (RFC 9162, section 2.1.4.2)."""
    _check_hashes([root1, root2, *proof])
    _check_numbers(size1, size2)
    if size1 > size2:
        raise VerificationError("the older tree is larger")
    if size1 == 0 or size1 == size2:
        _check_trivial_consistency(size1, size2, root1, root2, proof)
        return
    if not proof:
        raise VerificationError("consistency proof missing")
    _walk_consistency(size1, size2, root1, root2, proof)


def _check_trivial_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise VerificationError("consistency proof too long")
    if (size1 == size2 and root1 != root2) or (size1 == 0 and root1 != EMPTY_ROOT):
        raise VerificationError("roots of one size differ")


def _walk_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    path = list(proof)
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError("consistency proof too long")
        if node & 1 or node == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise VerificationError("consistency proof too short")
    if older != root1 or newer != root2:
        raise VerificationError("consistency proof leads to another root")


class Frontier(NamedTuple):
    """The roots of the perfect subtrees of a tree, largest first: all that appending needs to know of the past."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaf_hash: bytes) -> "Frontier":
        """The frontier with one more leaf; this one is unchanged."""
        hashes, size = [*self.hashes, leaf_hash], self.size
        while size & 1:
            right = hashes.pop()
            hashes[-1] = node_hash(hashes[-1], right)
            size >>= 1
        return Frontier(self.size + 1, tuple(hashes))

    def root(self) -> bytes:
        """The RFC 6962 tree head of all leaves so far."""
        if not self.hashes:
            return EMPTY_ROOT
        current = self.hashes[-1]
        for left in self.hashes[-2::-1]:
            current = node_hash(left, current)
        return current

    def to_list(self) -> list[bytes]:
        """The subtree roots, for storage beside the size."""
        return list(self.hashes)

    @classmethod
    def from_list(cls, size: int, hashes: Sequence[bytes]) -> "Frontier":
        """The frontier of stored values; raises VerificationError when they cannot belong together."""
        _check_hashes(hashes)
        if type(size) is not int or size < 0 or size.bit_count() != len(hashes):
            raise VerificationError("frontier does not fit its size")
        return cls(size, tuple(hashes))


def _split(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if not all(isinstance(item, bytes) and len(item) == HASH_BYTES for item in hashes):
        raise VerificationError("a hash must be 32 bytes")


def _check_numbers(*numbers: int) -> None:
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise VerificationError("sizes and positions must be whole numbers")
