"""Replaying a log entry by entry: every leaf, link, root, content and signature; streaming, in bounded memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, NoReturn

from ledger import checkpoint, checks
from ledger import note as notes
from ledger.checks import Parties, Render
from ledger.cosigners import prepare_lines
from ledger.curves import Batch, Curves, Failure
from ledger.errors import VerificationError
from ledger.evidence import Evidence, evidence_hash, parse_entered
from ledger.evidence_file import Counterpart, Proved
from ledger.firm_keys import FirmKeys
from ledger.key_records import read_key_record
from ledger.leaf import NO_PREVIOUS, Leaf, parse_leaf
from ledger.merkle import Frontier, leaf_hash
from ledger.places import proved_place, seqs_of
from ledger.references import References
from ledger.signatures import CurveCheck
from ledger.signers import check_signers

BATCH = 512
BLOCK = 256


class BadPositionError(VerificationError):
    """The first position of a log at which something does not hold."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"entry {position}: {reason}")
        self.position = position
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored entry: leaf and evidence as bytes; `evidence` is None where the content was erased."""

    leaf: bytes
    evidence: bytes | None


@dataclass(frozen=True)
class Totals:
    """What a replay went through."""

    origin: str
    entries: int
    signatures: int
    checkpoints: int
    erased: int
    root: bytes


class Replay:
    """The state of a replay; feed it in order, then `finish`. Every fault is a BadPositionError."""

    def __init__(
        self,
        origin: str,
        *,
        is_signature_check: bool = True,
        render: Render | None = None,
        curves: Curves | None = None,
    ) -> None:
        self.origin = origin
        self._curves = curves or Curves()
        self.frontier = Frontier()
        self._last = NO_PREVIOUS
        self._firms: dict[str, FirmKeys] = {}
        self._elsewhere: Leaf | None = None
        self._parties = Parties(self._firms, {})
        self._is_signature_check = is_signature_check
        self._render = render
        self._references = References()
        self._claims: dict[str, None] = {}
        self._seen_elsewhere: dict[int, list[str]] = {}
        self._pending: Batch = []
        self._counts = {"signatures": 0, "checkpoints": 0, "erased": 0}

    @property
    def size(self) -> int:
        """The number of entries so far."""
        return self.frontier.size

    def expect(self, note: str) -> None:
        """A checkpoint of this log that somebody else kept: the log must have had its root at its size."""
        claim = checkpoint.parse(notes.parse(note).text)
        if claim.origin != self.origin or not claim.size:
            raise VerificationError("a checkpoint of another log, or of an empty one")
        self._seen_elsewhere.setdefault(claim.size, []).append(note)

    def add_block(self, block: Sequence[Entry]) -> None:
        """The next entries; faster than one by one. Keep a block within a few hundred."""
        read = self.read_ahead(block)
        for entry, one in zip(block, read, strict=True):
            self.enter(entry, one)

    def read_ahead(self, block: Sequence[Entry]) -> Sequence["Read | None"]:
        """What can be told of entries before it is their turn; None for each when there is a fault among them."""
        try:
            return _read_block(block, self._render)
        except VerificationError:
            return [None] * len(block)

    def enter(self, entry: Entry, read: "Read | None" = None) -> None:
        """The next entry, as far as it was read ahead."""
        self._check_claims()
        try:
            self._enter(read or _read_block([entry], self._render)[0])
        except VerificationError as error:
            self.fail(str(error))
        for note in self._seen_elsewhere.pop(self.size, ()):
            self._check_seen(note)
        self._flush_full()

    def fail(self, reason: str, position: int | None = None) -> NoReturn:
        """Raises BadPositionError: here, or where an earlier signature does not hold that still waited for its turn."""
        self._settle()
        raise BadPositionError(self.size if position is None else position, reason)

    def add_partner_key(self, record: Proved, note: str) -> None:
        """A key record of a partner, with its proof; before the first entry that the partner signed."""
        try:
            claim = checkpoint.parse(notes.parse(note).text)
            if claim.origin == self.origin:
                raise VerificationError("the log's own key records are entries")
            read_key_record(record, claim, self._firms)
            self._claims[note] = None
        except VerificationError as error:
            self.fail(f"key record of a partner: {error}")

    def _check_claims(self) -> None:
        """The checkpoints of partners' key records, once all records are read: a later one may bring their key."""
        claims, self._claims = self._claims, {}
        try:
            for note in claims:
                claim = checkpoint.parse(note)
                keys = next(one for one in self._firms.values() if one.origin == claim.origin)
                checkpoint.verify_signature(note, keys.log_key(claim.size))
        except VerificationError as error:
            self.fail(f"key record of a partner: {error}")

    def add_counterpart(self, other: Counterpart) -> None:
        """Where the next entry stands in a partner's log: its keys are judged as they were there."""
        self._check_claims()
        try:
            if self._elsewhere is not None:
                raise VerificationError("told twice")
            self._elsewhere = proved_place(other, self._firms)
        except VerificationError as error:
            self.fail(f"place in the other log: {error}")

    def check_checkpoint(self, note: str) -> None:
        """A checkpoint that the log signed at its present size: same root, right key."""
        position = max(self.size - 1, 0)
        try:
            parsed = notes.parse(note)
            claim = checkpoint.parse(parsed.text)
            if claim.size != self.size:
                raise VerificationError(f"a checkpoint of {claim.size} entries after {self.size} entries")
            self._take(position, prepare_lines(parsed, claim, self._firms))
            if claim.root != self.frontier.root() or claim.origin != self.origin:
                raise VerificationError("a signed checkpoint has another root: an entry before it was changed")
        except VerificationError as error:
            self.fail(str(error), position)
        self._counts["checkpoints"] += 1
        self._flush_full()

    def _check_seen(self, note: str) -> None:
        try:
            claim = checkpoint.verify_signature(note, self._own_keys().log_key(self.size))
            if claim.root != self.frontier.root():
                raise VerificationError("others saw another root at this size: an entry before it was changed")
        except VerificationError as error:
            self.fail(str(error), self.size - 1)

    def finish(self) -> Totals:
        """The totals; raises BadPositionError where content is missing that no record says was erased."""
        self._check_claims()
        self._settle()
        if self._seen_elsewhere:
            raise BadPositionError(self.size, f"others saw the log with {max(self._seen_elsewhere)} entries")
        position = self._references.first_unexplained()
        if position is not None:
            raise BadPositionError(position, "the content is missing and no record says that it was erased")
        return Totals(self.origin, self.size, root=self.frontier.root(), **self._counts)

    def _enter(self, one: "Read") -> None:
        leaf = one.leaf
        self._check_place(leaf)
        parties = self._parties_of(leaf)
        if one.evidence is None:
            self._references.add_erased(leaf)
            self._counts["erased"] += 1
        else:
            self._check_content(leaf, one.evidence, parties)
        self._references.add_hash(one.leaf_hash)
        self._last = one.leaf_hash
        self.frontier = self.frontier.append(one.leaf_hash)

    def _check_place(self, leaf: Leaf) -> None:
        size = self.frontier.size
        if leaf.log != self.origin:
            raise VerificationError("the entry is of another log")
        if leaf.seq != size:
            raise VerificationError(f"number {leaf.seq} stands here")
        if leaf.prev != self._last:
            raise VerificationError("prev is not the hash of the entry before")
        self._references.add(leaf)
        if (size == 0) != (leaf.type == "genesis"):
            raise VerificationError("a log begins with its genesis record and has one only")

    def _check_content(self, leaf: Leaf, evidence: Evidence, parties: Parties) -> None:
        if leaf.type == "genesis":
            own = FirmKeys.from_genesis(leaf, evidence.message)
            self._firms[own.firm] = own
        is_key_record = checks.is_key_record(leaf)
        # Key records are always checked: all other signatures hang on them.
        if self._is_signature_check or is_key_record:
            pending = checks.check_in_place(leaf, evidence, parties)
            self._take(leaf.seq, pending)
            self._counts["signatures"] += len(pending)
        if is_key_record and leaf.type != "genesis":
            self._own_keys().apply(leaf, evidence.message)
        self._references.check(leaf, evidence)

    def _parties_of(self, leaf: Leaf) -> Parties:
        place, self._elsewhere = self._elsewhere, None
        return self._parties if place is None else Parties(self._firms, seqs_of(leaf, place))

    def _take(self, position: int, pending: Sequence[CurveCheck]) -> None:
        self._pending.extend([(position, one) for one in pending])

    def _flush_full(self) -> None:
        # Never among the checks of an entry: what fails here befell an earlier one.
        if len(self._pending) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        _raise_first(self._curves.run(pending))

    def _settle(self) -> None:
        if self._pending:
            self._flush()
        _raise_first(self._curves.settle())

    def _own_keys(self) -> FirmKeys:
        for keys in self._firms.values():
            if keys.origin == self.origin:
                return keys
        raise VerificationError("the log has no genesis record")


class Read(NamedTuple):
    """What an entry tells without its neighbours; form, hashes, fields, digest, text and signers hold."""

    leaf: Leaf
    leaf_hash: bytes
    evidence: Evidence | None


def _read_block(block: Sequence[Entry], render: Render | None) -> list[Read]:
    """All that an entry tells without its neighbours: form, hashes, fields, digest, text, signers.

    Step by step over the whole block, not entry by entry: code that stays in the cache runs half again as fast.
    """
    leaves = [parse_leaf(entry.leaf) for entry in block]
    hashes = [leaf_hash(entry.leaf) for entry in block]
    contents = [entry.evidence for entry in block]
    for leaf, content in zip(leaves, contents, strict=True):
        if content is not None and evidence_hash(content) != leaf.evidence:
            raise VerificationError("the content is not the one that was entered")
    evidence = [
        None if content is None else parse_entered(content, leaf.type)
        for leaf, content in zip(leaves, contents, strict=True)
    ]
    for leaf, one in zip(leaves, evidence, strict=True):
        if one is not None:
            checks.check_digest(leaf, one)
    for one in filter(None, evidence):
        checks.check_display(one, render)
    for one in filter(None, evidence):
        check_signers(one)
    return list(map(Read, leaves, hashes, evidence))


def _raise_first(failure: Failure | None) -> None:
    if failure is not None:
        raise BadPositionError(*failure)


def verify_entries(
    entries: Iterable[Entry], origin: str, partner_keys: Iterable[tuple[Proved, str]] = (), render: Render | None = None
) -> Totals:
    """Every entry of a log with every signature; `partner_keys` are key records of partners with their checkpoints.

    Raises BadPositionError naming the first entry that does not hold.
    """
    replay = Replay(origin, render=render)
    for record, note in partner_keys:
        replay.add_partner_key(record, note)
    remaining = iter(entries)
    while block := list(islice(remaining, BLOCK)):
        replay.add_block(block)
    return replay.finish()
