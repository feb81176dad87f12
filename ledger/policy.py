"""Trust policies (C2SP tlog-policy): which logs are known, and whose cosignatures are enough."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from ledger.errors import VerificationError
from ledger.note import COSIGNER_KEY, LOG_KEY, Verifier, parse_vkey

NO_QUORUM = "none"
MAX_BYTES = 100_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Group:
    """A set of witnesses or groups of which `needed` must have cosigned."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Pinned log keys, known witnesses by name, groups, and the name that must be satisfied (`none`: nobody)."""

    logs: tuple[Verifier, ...] = ()
    witnesses: dict[str, Verifier] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = NO_QUORUM

    def is_satisfied(self, cosigners: Collection[Verifier]) -> bool:
        """True when these keys' cosignatures reach the quorum."""
        witnessed = {name: key in cosigners for name, key in self.witnesses.items()}
        # Groups stand in the order of their definition: members come before who counts them.
        for name, group in self.groups.items():
            witnessed[name] = sum(witnessed[member] for member in group.members) >= group.needed
        return self.quorum == NO_QUORUM or witnessed[self.quorum]


def parse_policy(text: str) -> Policy:
    """The policy of its text; raises VerificationError naming the first line that is wrong."""
    if len(text) > MAX_BYTES:
        raise VerificationError("policy too long")
    if _CONTROL.search(text):
        raise VerificationError("control character in a policy")
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reader.read(words)
        except VerificationError as error:
            raise VerificationError(f"policy line {number}: {error}") from error
    if reader.quorum is None:
        raise VerificationError("a policy needs a quorum line")
    return Policy(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)


class _Reader:
    def __init__(self) -> None:
        self.logs: list[Verifier] = []
        self.witnesses: dict[str, Verifier] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._grouped: set[str] = set()

    def read(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(self._new_key(vkey, LOG_KEY, self.logs))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._check_new(name)
                self.witnesses[name] = self._new_key(vkey, COSIGNER_KEY, list(self.witnesses.values()))
            case ["group", name, needed, *members] if members:
                self._check_new(name)
                self.groups[name] = self._group(needed, members)
            case ["quorum", name] if self.quorum is None and (name == NO_QUORUM or self._is_known(name)):
                self.quorum = name
            case _:
                raise VerificationError("not a line of a policy, or it names something not defined above it")

    def _group(self, needed: str, members: list[str]) -> Group:
        if len(set(members)) != len(members) or self._grouped & set(members):
            raise VerificationError("a member is listed twice")
        if not all(self._is_known(member) for member in members):
            raise VerificationError("a member is not defined above")
        self._grouped.update(members)
        return Group(_threshold(needed, len(members)), tuple(members))

    def _new_key(self, vkey: str, alg: int, known: list[Verifier]) -> Verifier:
        key = parse_vkey(vkey)
        if key.alg != alg or any(key.public_key == other.public_key for other in known):
            raise VerificationError("key of the wrong type, or listed twice")
        return key

    def _check_new(self, name: str) -> None:
        if name == NO_QUORUM or self._is_known(name):
            raise VerificationError(f"the name {name} is taken")

    def _is_known(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups


def _threshold(needed: str, count: int) -> int:
    if needed in ("any", "all"):
        return 1 if needed == "any" else count
    if (
        not (needed.isascii() and needed.isdecimal())
        or len(needed) > 6
        or needed.startswith("0")
        or not 1 <= int(needed) <= count
    ):
        raise VerificationError("threshold out of range")
    return int(needed)
