"""Trees and proofs: published vectors, every proof of every small tree, every changed bit."""

from base64 import b64decode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle
from ledger.errors import VerificationError
from tests.ledger.vectors import load, names, needs_vectors

SIZES = range(1, 129)
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(130)]


def recursive_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, word for word, as an oracle."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + recursive_root(leaves[:split]) + recursive_root(leaves[split:])).digest()


def decode(text: str | None) -> bytes:
    return b64decode(text or "")


@needs_vectors
@pytest.mark.parametrize("name", names("rfc6962/inclusion"))
def test_inclusion_vector(name: str) -> None:
    vector = load("rfc6962/inclusion", name)
    proof = [decode(one) for one in vector["proof"] or []]
    given_ = (decode(vector["leafHash"]), vector["leafIdx"], vector["treeSize"], proof, decode(vector["root"]))
    if vector["wantErr"]:
        with pytest.raises(VerificationError):
            merkle.verify_inclusion(*given_)
    else:
        merkle.verify_inclusion(*given_)


@needs_vectors
@pytest.mark.parametrize("name", names("rfc6962/consistency"))
def test_consistency_vector(name: str) -> None:
    vector = load("rfc6962/consistency", name)
    proof = [decode(one) for one in vector["proof"] or []]
    given_ = (vector["size1"], vector["size2"], decode(vector["root1"]), decode(vector["root2"]), proof)
    if vector["wantErr"]:
        with pytest.raises(VerificationError):
            merkle.verify_consistency(*given_)
    else:
        merkle.verify_consistency(*given_)


@pytest.mark.parametrize("size", range(130))
def test_root_and_frontier_agree_with_the_definition(size: int) -> None:
    frontier = merkle.Frontier()
    for leaf in LEAVES[:size]:
        frontier = frontier.append(leaf)
    expected = recursive_root(LEAVES[:size])
    assert merkle.root(LEAVES[:size]) == expected
    assert frontier.root() == expected
    assert merkle.Frontier.from_list(frontier.size, frontier.to_list()) == frontier


@pytest.mark.parametrize("size", SIZES)
def test_every_inclusion_proof_holds_and_no_other(size: int) -> None:
    leaves, root = LEAVES[:size], merkle.root(LEAVES[:size])
    for index in range(size):
        proof = merkle.inclusion_proof(leaves, index)
        merkle.verify_inclusion(leaves[index], index, size, proof, root)
        for wrong in (proof[:-1], [*proof, root]):
            if wrong != proof:
                assert_refused(leaves[index], index, size, wrong, root)
        assert_refused(leaves[index], (index + 1) % size if size > 1 else 1, size, proof, root)
        assert_refused(LEAVES[129], index, size, proof, root)


@pytest.mark.parametrize("size", SIZES)
def test_every_changed_bit_of_an_inclusion_proof_is_found(size: int) -> None:
    leaves, root, index = LEAVES[:size], merkle.root(LEAVES[:size]), (size * 5) // 7
    proof = merkle.inclusion_proof(leaves, index)
    for bit in range(256):
        for place in range(len(proof)):
            assert_refused(leaves[index], index, size, with_flipped(proof, place, bit), root)
        assert_refused(flip(leaves[index], bit), index, size, proof, root)
        assert_refused(leaves[index], index, size, proof, flip(root, bit))


@pytest.mark.parametrize("size", SIZES)
def test_every_changed_bit_of_a_consistency_proof_is_found(size: int) -> None:
    older = (size * 5) // 7 or 1
    root1, root2 = merkle.root(LEAVES[:older]), merkle.root(LEAVES[:size])
    proof = merkle.consistency_proof(LEAVES[:size], older)
    for bit in range(256):
        for place in range(len(proof)):
            assert_inconsistent(older, size, root1, root2, with_flipped(proof, place, bit))
        assert_inconsistent(older, size, flip(root1, bit), root2, proof)
        assert_inconsistent(older, size, root1, flip(root2, bit), proof)


@pytest.mark.parametrize("size", SIZES)
def test_every_consistency_proof_holds_and_no_other(size: int) -> None:
    root = merkle.root(LEAVES[:size])
    for older in range(size + 1):
        root1, proof = merkle.root(LEAVES[:older]), merkle.consistency_proof(LEAVES[:size], older)
        merkle.verify_consistency(older, size, root1, root, proof)
        wrongs = [[*proof, root], proof[:-1]] if proof else [[root]]
        for wrong in wrongs:
            assert_inconsistent(older, size, root1, root, wrong)
        assert_inconsistent(older, size, flip(root1, older % 256), root, proof)
        if older:
            assert_inconsistent(older, size, root1, flip(root, size), proof)
        for place in range(len(proof)):
            wrong = [*proof[:place], flip(proof[place], place), *proof[place + 1 :]]
            assert_inconsistent(older, size, root1, root, wrong)


@given(st.integers(1, 100), st.data())
def test_a_changed_entry_breaks_consistency_with_the_older_tree(size: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(1, size))
    changed = data.draw(st.integers(0, older - 1))
    rewritten = list(LEAVES[:size])
    rewritten[changed] = LEAVES[129]
    proof = merkle.consistency_proof(rewritten, older)
    assert_inconsistent(older, size, merkle.root(LEAVES[:older]), merkle.root(rewritten), proof)


def test_an_empty_tree_has_one_root() -> None:
    merkle.verify_consistency(0, 0, merkle.EMPTY_ROOT, merkle.EMPTY_ROOT, [])
    assert_inconsistent(0, 0, merkle.EMPTY_ROOT, LEAVES[0], [])
    assert_inconsistent(0, 0, LEAVES[0], LEAVES[0], [])


def test_sizes_and_hashes_of_wrong_kind_are_refused() -> None:
    root = merkle.root(LEAVES[:2])
    assert_refused(LEAVES[0], True, 2, [LEAVES[1]], root)
    assert_refused(LEAVES[0], 0, 2, ["x" * 32], root)  # type: ignore[list-item]
    assert_refused(b"", 0, 1, [], b"")
    with pytest.raises(VerificationError):
        merkle.inclusion_proof(LEAVES[:2], 2)
    with pytest.raises(VerificationError):
        merkle.consistency_proof(LEAVES[:2], 3)
    with pytest.raises(VerificationError):
        merkle.Frontier.from_list(3, [LEAVES[0]])


def test_the_harness_would_notice_a_verifier_that_accepts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merkle, "verify_inclusion", lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        assert_refused(LEAVES[1], 0, 1, [], LEAVES[0])


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def with_flipped(proof: list[bytes], place: int, bit: int) -> list[bytes]:
    return [*proof[:place], flip(proof[place], bit), *proof[place + 1 :]]


def assert_refused(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    with pytest.raises(VerificationError):
        merkle.verify_inclusion(leaf, index, size, proof, root)


def assert_inconsistent(size1: int, size2: int, root1: bytes, root2: bytes, proof: list[bytes]) -> None:
    with pytest.raises(VerificationError):
        merkle.verify_consistency(size1, size2, root1, root2, proof)
