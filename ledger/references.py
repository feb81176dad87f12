"""What later records of a log point back to: the record named must stand there, be of its type and say the same."""

import secrets
from array import array
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
# Of an agreement the log tells later that it came about with its bundle, or did not come about.
_EFFECTIVE, _LAPSED = len(_CODES), len(_CODES) + 1
NEVER_ERASED = KEY_RECORDS | {"erasure"}


class References:
    """The records of one log so far, in a few bytes each."""

    def __init__(self) -> None:
        self._known = _Table()
        self._erased: dict[bytes, int] = {}
        self._tree = GrowingTree()

    def add(self, leaf: Leaf) -> None:
        """One more entry; raises VerificationError for a digest that the log holds already."""
        if not self._known.add(leaf.digest, _CODES[leaf.type]):
            raise VerificationError("the digest stands in the log twice")

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
        elif leaf.type in _RULES:
            _RULES[leaf.type](self, leaf, message)
        elif leaf.type == "share.grant":
            self._known.mark(leaf.digest, _CODES[leaf.type], _fingerprint(leaf.type, message))
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
        marks = [mark for one in types if (mark := self._known.mark_of(digest, _CODES[one])) is not None]
        if not marks:
            raise VerificationError(f"{member} names no earlier record of a fitting type")
        if leaf.type == "hours.report":
            self._known.mark(leaf.digest, _CODES[leaf.type], _fingerprint(leaf.type, message))
        # Of an erased record only the type is known still: it bears no mark.
        elif leaf.type in _COMMON and marks[0] not in (0, _fingerprint(leaf.type, message)):
            raise VerificationError(f"{member} names a record that says something else")

    def _add_link(self, leaf: Leaf, message: Message) -> None:
        self._known.mark(leaf.digest, _CODES[leaf.type], _said(message["from"], message["to"]))

    def _check_agreement(self, leaf: Leaf, message: Message) -> None:
        self._check_named("framework", message["framework"], "link.partner", _both_ways(message))
        if self._known.mark_of(leaf.digest, _LAPSED) is not None:
            raise VerificationError("an agreement that had lapsed before")
        mark = _said(message["from"], message["to"], message["bundled"])
        self._known.mark(leaf.digest, _CODES[leaf.type], mark)

    def _check_amendment(self, leaf: Leaf, message: Message) -> None:
        allowed = [*_both_ways(message, True), *_both_ways(message, False)]
        self._check_named("agreement", message["agreement"], "agreement", allowed)

    def _check_link_end(self, leaf: Leaf, message: Message) -> None:
        self._check_named("link", message["link"], "link.partner", _both_ways(message))

    def _check_effective(self, leaf: Leaf, message: Message) -> None:
        if not message["agreements"]:
            raise VerificationError("a plan without agreements")
        for named in message["agreements"]:
            self._check_named("agreements", named, "agreement", [_said(message["from"], message["to"], True)])
            if self._known.mark_of(from_hex(named), _LAPSED) is not None:
                raise VerificationError("the agreement had lapsed before")
            if not self._known.add(from_hex(named), _EFFECTIVE):
                raise VerificationError("the agreement was in force before")

    def _check_lapsed(self, leaf: Leaf, message: Message) -> None:
        """What was never signed by both stands in no log: only its digest is known, and it must not be entered later."""
        digest = from_hex(message["agreement"])
        if self._known.mark_of(digest, _CODES["agreement"]) is not None:
            self._check_named("agreement", message["agreement"], "agreement", _both_ways(message, True))
        if self._known.mark_of(digest, _EFFECTIVE) is not None:
            raise VerificationError("the agreement was in force before")
        self._known.add(digest, _LAPSED)

    def _check_named(self, member: str, named: str, record_type: str, allowed: list[int]) -> None:
        mark = self._known.mark_of(from_hex(named), _CODES[record_type])
        if mark is None:
            raise VerificationError(f"{member} names no earlier record of a fitting type")
        # Of an erased record only the type is known still: it bears no mark.
        if mark not in (0, *allowed):
            raise VerificationError(f"{member} names a record that says something else")

    def _settle_erased(self, digests: list[str]) -> None:
        for digest in digests:
            if self._erased.pop(from_hex(digest), None) is None:
                raise VerificationError("the erasure names a record whose content is there, or none of this log")


class _Table:
    """Digest, type and mark of each record in three arrays, by open addressing: a million take 36 MB, a dict 200.

    Eight bytes of the digest stand for it. The place follows from a number that nobody outside knows, so that no log
    can be made to fill one corner.
    """

    def __init__(self) -> None:
        self._mix = secrets.randbits(64) | 1
        self._count = 0
        self._make_room(1 << 10)

    def add(self, digest: bytes, code: int) -> bool:
        """False, and nothing changes, for a record that is there."""
        place = self._place(_short(digest), code + 1)
        if self._codes[place]:
            return False
        self._keys[place], self._codes[place] = _short(digest), code + 1
        self._count += 1
        if 2 * self._count > len(self._codes):
            self._grow()
        return True

    def mark(self, digest: bytes, code: int, mark: int) -> None:
        """Give a record that is there a mark."""
        self._marks[self._place(_short(digest), code + 1)] = mark

    def mark_of(self, digest: bytes, code: int) -> int | None:
        """0 for a record without a mark, None for one that is not there."""
        place = self._place(_short(digest), code + 1)
        return self._marks[place] if self._codes[place] else None

    def _place(self, key: int, code: int) -> int:
        keys, codes, mask = self._keys, self._codes, len(self._codes) - 1
        place = (key * self._mix >> 40) & mask
        while codes[place] and (codes[place] != code or keys[place] != key):
            place = (place + 1) & mask
        return place

    def _make_room(self, places: int) -> None:
        self._keys, self._marks = array("Q", bytes(8 * places)), array("Q", bytes(8 * places))
        self._codes = array("B", bytes(places))

    def _grow(self) -> None:
        full = zip(self._keys, self._codes, self._marks, strict=True)
        self._make_room(2 * len(self._codes))
        for key, code, mark in full:
            if code:
                place = self._place(key, code)
                self._keys[place], self._codes[place], self._marks[place] = key, code, mark


_RULES: dict[str, Callable[[References, Leaf, Message], None]] = {
    "link.partner": References._add_link,
    "link.end": References._check_link_end,
    "agreement": References._check_agreement,
    "change": References._check_amendment,
    "cancellation": References._check_amendment,
    "bundle.effective": References._check_effective,
    "agreement.lapsed": References._check_lapsed,
}


def _short(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")


def _hours(said: Message) -> list[Any]:
    return [said[name] for name in ("agreement", "line", "week", "minutes")]


def _both_ways(message: Message, *more: Any) -> list[int]:
    """The marks of a record between the same two firms, whoever wrote it."""
    one, other = message["from"], message["to"]
    return [_said(one, other, *more), _said(other, one, *more)]


def _said(*values: Any) -> int:
    return _short(sha256(repr(values).encode("utf-8", "replace")).digest())


def _fingerprint(record_type: str, message: Message) -> int:
    return _short(sha256(repr(_COMMON[record_type](message)).encode("utf-8", "replace")).digest())
