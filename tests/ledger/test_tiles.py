"""Hash tiles: their addresses, and the whole tree read from them alone."""

from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle, tiles
from ledger.errors import VerificationError
from ledger.tiles import GrowingTree, Tile, TileReader, parse_path, tile_bytes, tiles_of

LEAVES = [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(66_000)]


def reader(size: int, asked: list[Tile] | None = None) -> TileReader:
    def read(tile: Tile) -> bytes:
        if asked is not None:
            asked.append(tile)
        return stored(tile, size)

    return TileReader(size, read)


@lru_cache(maxsize=1000)
def stored(tile: Tile, size: int) -> bytes:
    return tile_bytes(tile, LEAVES[:size])


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 67), "tile/0/067"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(1, 1000), "tile/1/x001/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(2, 0, 1), "tile/2/000.p/1"),
        (Tile(63, 999), "tile/63/999"),
    ],
)
def test_a_tile_has_one_address(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@given(st.integers(0, 63), st.integers(0, 2**55), st.integers(1, 256))
def test_every_address_is_read_back(level: int, index: int, width: int) -> None:
    assert parse_path(Tile(level, index, width).path) == Tile(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile/0", "tile/0/0", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/0000", "tile/0/x000/067", "tile/0/x001",
        "tile/0/001/067", "tile/0/x1/067", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p", "tile/0/000/",
        "/tile/0/000", "tile/entries/000", "tile/0/٠٠٠", "tile/0/000\n", "tile/0/../000", "tile/0/" + "x001/" * 40 + "000",
    ],
)  # fmt: skip
def test_every_other_spelling_is_refused(path: str) -> None:
    with pytest.raises(VerificationError):
        parse_path(path)


def test_a_tree_of_seventy_thousand_has_the_tiles_that_the_specification_counts() -> None:
    found = list(tiles_of(70_000))
    full = [tile for tile in found if tile.width == 256]
    partial = [tile for tile in found if tile.width < 256]
    assert [sum(tile.level == level for tile in full) for level in range(3)] == [273, 1, 0]
    assert partial == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []
    assert len(set(found)) == len(found) == 273 + 1 + 3


def test_a_tile_holds_the_hashes_of_its_level() -> None:
    assert tile_bytes(Tile(0, 0, 3), LEAVES[:3]) == b"".join(LEAVES[:3])
    assert len(tile_bytes(Tile(0, 1), LEAVES[:600])) == 8192
    assert tile_bytes(Tile(1, 0, 2), LEAVES[:600]) == merkle.root(LEAVES[:256]) + merkle.root(LEAVES[256:512])
    assert tile_bytes(Tile(2, 0, 1), LEAVES) == merkle.root(LEAVES[:65_536])


@pytest.mark.parametrize(
    "tile", [Tile(0, 2), Tile(0, 2, 89), Tile(0, 2, 0), Tile(1, 0, 3), Tile(1, 1, 1), Tile(2, 0, 1)]
)
def test_a_tile_that_the_tree_does_not_fill_yet_is_refused(tile: Tile) -> None:
    tile_bytes(Tile(0, 2, 88), LEAVES[:600])
    with pytest.raises(VerificationError):
        tile_bytes(tile, LEAVES[:600])


@pytest.mark.parametrize("size", [*range(1, 130), 255, 256, 257, 511, 512, 513, 600, 4097, 65_536, 66_000])
def test_root_and_proofs_read_from_tiles_are_those_of_the_leaves(size: int) -> None:
    tree, leaves = reader(size), LEAVES[:size]
    assert tree.root() == merkle.root(leaves)
    for index in {0, 1 % size, size // 3, size // 2, size - 1}:
        proof = tree.inclusion_proof(index)
        assert proof == merkle.inclusion_proof(leaves, index)
        assert tree.leaf_hash(index) == leaves[index]
        merkle.verify_inclusion(leaves[index], index, size, proof, tree.root())
        older = tree.consistency_proof(index + 1)
        assert older == merkle.consistency_proof(leaves, index + 1)
        merkle.verify_consistency(index + 1, size, merkle.root(leaves[: index + 1]), tree.root(), older)


def test_a_reader_asks_only_for_tiles_of_its_own_tree() -> None:
    asked: list[Tile] = []
    reader(66_000, asked).inclusion_proof(300)
    assert set(asked) <= set(tiles_of(66_000))
    assert len(set(asked)) <= 5
    assert reader(0).root() == merkle.EMPTY_ROOT


def test_an_index_outside_the_tree_and_a_short_tile_are_refused() -> None:
    tree = reader(300)
    for wrong in (lambda: tree.leaf_hash(300), lambda: tree.inclusion_proof(300), lambda: tree.consistency_proof(301)):
        with pytest.raises(VerificationError):
            wrong()
    with pytest.raises(VerificationError):
        TileReader(300, lambda tile: tile_bytes(tile, LEAVES[:300])[:-1]).root()


def test_a_changed_tile_never_proves_anything() -> None:
    """Every hash of a tile that a proof is made of, one bit changed: the signed root says no."""
    size, index = 600, 300
    root, leaf = merkle.root(LEAVES[:size]), LEAVES[index]

    def changed(place: int, tile: Tile) -> bytes:
        data = bytearray(stored(tile, size))
        if tile == tiles.Tile(0, 1):
            data[place * 32] ^= 1
        return bytes(data)

    for place in range(256):
        if place != index - 256:  # the leaf itself is brought by who asks
            proof = TileReader(size, lambda tile, place=place: changed(place, tile)).inclusion_proof(index)
            with pytest.raises(VerificationError):
                merkle.verify_inclusion(leaf, index, size, proof, root)


def test_a_tree_that_grows_gives_every_older_root_again() -> None:
    grown = GrowingTree()
    for leaf in LEAVES[:1500]:
        grown.append(leaf)
    for size in (0, 1, 2, 255, 256, 257, 513, 1024, 1499, 1500):
        assert grown.root(size) == merkle.root(LEAVES[:size])
    with pytest.raises(VerificationError):
        grown.root(1501)
