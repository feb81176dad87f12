"""Hash tiles (C2SP tlog-tiles): the tree as files of 256 hashes, from which roots and proofs can be read.

The entries themselves are not public: there are no entry bundles here.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ledger import merkle
from ledger.errors import VerificationError

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_LEVEL = 63
_PATH = re.compile(r"tile/(0|[1-9][0-9]?)/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, order=True)
class Tile:
    """One tile: `level` counts steps of eight levels of the tree, `width` hashes are in it (256 when full)."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """`tile/<L>/<N>[.p/<W>]` below the log's prefix; 1234067 is written x001/x234/067."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        number = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
        return f"tile/{self.level}/{number}" + (f".p/{self.width}" if self.width < WIDTH else "")


ReadTile = Callable[[Tile], bytes]


def parse_path(path: str) -> Tile:
    """The tile of a path; raises VerificationError for every other spelling, so that each tile has one address."""
    match = _PATH.fullmatch(path) if len(path) <= 100 else None
    if match is None:
        raise VerificationError("not the path of a tile")
    level, parts, last, width = match.groups()
    number = int(parts.replace("x", "").replace("/", "") + last)
    tile = Tile(int(level), number, WIDTH if width is None else int(width))
    if tile.path != path or tile.level > MAX_LEVEL:
        raise VerificationError("not the path of a tile")
    return tile


def tiles_of(size: int) -> Iterator[Tile]:
    """All tiles of a tree, full and partial, lowest level first."""
    level, count = 0, size
    while count:
        full, rest = divmod(count, WIDTH)
        yield from (Tile(level, index) for index in range(full))
        if rest:
            yield Tile(level, full, rest)
        level, count = level + 1, full


def has_tile(tile: Tile, size: int) -> bool:
    """True for a full tile of the tree, or for a partial one of it or of an earlier state of it."""
    count = size >> HEIGHT * tile.level
    return 0 < tile.width <= WIDTH and tile.index * WIDTH + tile.width <= count


def tile_bytes(tile: Tile, leaf_hashes: Sequence[bytes]) -> bytes:
    """The content of one tile of the tree of these leaf hashes; raises VerificationError where it has no such tile."""
    if not has_tile(tile, len(leaf_hashes)):
        raise VerificationError("the tree has no such tile")
    step = 1 << HEIGHT * tile.level
    first = tile.index * WIDTH
    nodes = range(first, first + tile.width)
    return b"".join([merkle.root(leaf_hashes[at * step : (at + 1) * step]) for at in nodes])


@dataclass
class TileReader:
    """A tree known by its tiles only. Check what it gives against a signed root: tiles prove nothing by themselves."""

    size: int
    read: ReadTile

    def root(self) -> bytes:
        """The root over the whole tree."""
        return self._root_of(0, self.size) if self.size else merkle.EMPTY_ROOT

    def inclusion_proof(self, index: int) -> list[bytes]:
        """The audit path of a leaf."""
        return merkle.inclusion_path(self.size, index, self._root_of)

    def consistency_proof(self, size1: int) -> list[bytes]:
        """The proof that the tree of the first `size1` leaves is a prefix."""
        return merkle.consistency_path(size1, self.size, self._root_of)

    def leaf_hash(self, index: int) -> bytes:
        """The hash of one leaf."""
        if not 0 <= index < self.size:
            raise VerificationError("index outside the tree")
        return self._node(0, index)

    def _root_of(self, low: int, high: int) -> bytes:
        """The root of a range that begins where a perfect subtree of at least its length may begin."""
        hashes: list[bytes] = []
        while low < high:
            level = (high - low).bit_length() - 1
            hashes.append(self._node(level, low >> level))
            low += 1 << level
        current = hashes.pop()
        while hashes:
            current = merkle.node_hash(hashes.pop(), current)
        return current

    def _node(self, level: int, index: int) -> bytes:
        """The root of a perfect subtree: made of the hashes of one tile that lie below it."""
        tile_level, above = divmod(level, HEIGHT)
        first = index << above
        tile = Tile(tile_level, first // WIDTH)
        data = self.read(self._present(tile))
        at = first % WIDTH
        if len(data) < (at + (1 << above)) * merkle.HASH_BYTES:
            raise VerificationError("the tile is too short")
        return merkle.root(_hashes(data)[at : at + (1 << above)])

    def _present(self, tile: Tile) -> Tile:
        """The tile as wide as the tree has it."""
        count = self.size >> HEIGHT * tile.level
        return Tile(tile.level, tile.index, min(WIDTH, count - tile.index * WIDTH))


class GrowingTree:
    """All hashes of a tree in the layout of its tiles, 33 bytes a leaf: every older root can be had again."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = []

    def append(self, leaf_hash: bytes) -> None:
        """One more leaf."""
        self._append(0, leaf_hash)

    def root(self, size: int) -> bytes:
        """The root when the tree had that many leaves; raises VerificationError where it never had."""
        if not 0 <= size <= self._count(0):
            raise VerificationError("the tree never had this size")
        return TileReader(size, self._read).root()

    def _append(self, level: int, hashed: bytes) -> None:
        if level == len(self._levels):
            self._levels.append(bytearray())
        self._levels[level] += hashed
        count = self._count(level)
        if count % WIDTH == 0:
            tile = self._read(Tile(level, count // WIDTH - 1))
            self._append(level + 1, merkle.root(_hashes(tile)))

    def _count(self, level: int) -> int:
        return len(self._levels[level]) // merkle.HASH_BYTES if level < len(self._levels) else 0

    def _read(self, tile: Tile) -> bytes:
        first = tile.index * WIDTH * merkle.HASH_BYTES
        return bytes(self._levels[tile.level][first : first + tile.width * merkle.HASH_BYTES])


def _hashes(data: bytes) -> list[bytes]:
    return [data[at : at + merkle.HASH_BYTES] for at in range(0, len(data), merkle.HASH_BYTES)]
