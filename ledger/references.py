"""What later records of a log point back to: the record named must stand there, be of its type and say the same."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from ledger.encoding import from_hex, to_hex
from ledger.errors import VerificationError
from ledger.evidence import Evidence
from ledger.firm_keys import KEY_RECORDS
from ledger.leaf import Leaf
from ledger.tiles import GrowingTree
from ledger.types import PRIMARY_TYPES

Message = Mapping[str, Any]
_AGREED = frozenset({"agreement", "change"})
# Member that names an earlier record, and the types that it may be of.
_POINTERS: dict[str, tuple[str, frozenset[str]]] = {
    "hours.report": ("agreement", _AGREED),
    "hours.confirm": ("report", frozenset({"hours.report"})),
    "completion": ("agreement", _AGREED),
    "dispute": ("subject", frozenset({"agreement", "change", "cancellation", "hours.report", "completion"})),
    "share.revoke": ("grant", frozenset({"share.grant"})),
}
# What a record and the one that points to it must have in common.
_COMMON: dict[str, Callable[[Message], list[Any]]] = {
    "hours.report": lambda said: [said["from"], said["to"], *_hours(said)],
    "hours.confirm": lambda said: [said["to"], said["from"], *_hours(said)],
    "share.grant": lambda said: [said["from"], said["to"]],
    "share.revoke": lambda said: [said["from"], said["to"]],
}
_CODES = {record_type: code for code, record_type in enumerate(PRIMARY_TYPES)}
NEVER_ERASED = KEY_RECORDS | {"erasure"}


class References:
    """The records of one log so far, in a few bytes each."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._common: dict[int, bytes] = {}
        self._erased: dict[bytes, int] = {}
        self._tree = GrowingTree()

    def add(self, leaf: Leaf) -> None:
        """One more entry; raises VerificationError for a digest that the log holds already."""
        short = _short(leaf.digest, leaf.type)
        if short in self._known:
            raise VerificationError("the digest stands in the log twice")
        self._known.add(short)

    def add_hash(self, leaf_hash: bytes) -> None:
        """The hash of the entry, once it was found to hold."""
        self._tree.append(leaf_hash)

    def add_erased(self, leaf: Leaf) -> None:
        """An entry without content, to be named by a later erasure record."""
        if leaf.type in NEVER_ERASED:
            raise VerificationError("the content of a key or erasure record is never erased")
        self._erased[leaf.digest] = leaf.seq

    def check(self, leaf: Leaf, evidence: Evidence) -> None:
        """Raises VerificationError unless all that the record points to stands in the log before it."""
        message = evidence.message
        if leaf.type in _POINTERS:
            self._check_pointer(leaf, message)
        elif leaf.type == "share.grant":
            self._common[_short(leaf.digest, leaf.type)] = _fingerprint(leaf.type, message)
        elif leaf.type == "erasure":
            self._settle_erased(message["erased"])
        elif leaf.type == "anchor" and to_hex(self._tree.root(message["size"])) != message["root"]:
            raise VerificationError("the log never had the anchored root")

    def first_unexplained(self) -> int | None:
        """The first position whose content is missing though no erasure record names it."""
        return min(self._erased.values(), default=None)

    def _check_pointer(self, leaf: Leaf, message: Message) -> None:
        member, types = _POINTERS[leaf.type]
        digest = from_hex(message[member])
        found = next((short for one in types if (short := _short(digest, one)) in self._known), None)
        if found is None:
            raise VerificationError(f"{member} names no earlier record of a fitting type")
        if leaf.type == "hours.report":
            self._common[_short(leaf.digest, leaf.type)] = _fingerprint(leaf.type, message)
        # Of an erased record only the type is known still.
        elif leaf.type in _COMMON and self._common.get(found, own := _fingerprint(leaf.type, message)) != own:
            raise VerificationError(f"{member} names a record that says something else")

    def _settle_erased(self, digests: list[str]) -> None:
        for digest in digests:
            if self._erased.pop(from_hex(digest), None) is None:
                raise VerificationError("the erasure names a record whose content is there, or none of this log")


def _short(digest: bytes, record_type: str) -> int:
    """Eight bytes of a digest and one for the type: a million entries stay within memory."""
    return int.from_bytes(digest[:8], "big") << 8 | _CODES[record_type]


def _hours(said: Message) -> list[Any]:
    return [said[name] for name in ("agreement", "line", "week", "minutes")]


def _fingerprint(record_type: str, message: Message) -> bytes:
    return sha256(repr(_COMMON[record_type](message)).encode("utf-8", "replace")).digest()[:8]
