"""Replaying a log entry by entry: every leaf, link, root, content and signature; streaming, in bounded memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, NoReturn

from ledger import canonical, checkpoint, checks
from ledger import note as notes
from ledger.checks import Parties, Render
from ledger.cosigners import prepare_lines
from ledger.errors import VerificationError
from ledger.evidence import MAX_BYTES as MAX_EVIDENCE_BYTES
from ledger.evidence import Evidence, evidence_hash, read_evidence
from ledger.evidence_file import Counterpart, Proved
from ledger.firm_keys import FirmKeys
from ledger.key_records import read_key_record
from ledger.leaf import NO_PREVIOUS, Leaf, parse_leaf
from ledger.merkle import Frontier, leaf_hash
from ledger.places import proved_place, seqs_of
from ledger.references import References
from ledger.signatures import CurveCheck

# Signatures are gathered and then run curve by curve: each curve's tables stay in the processor's cache.
BATCH = 256
BLOCK = 128
Batch = list[tuple[int, CurveCheck]]


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

    def __init__(self, origin: str, *, is_signature_check: bool = True, render: Render | None = None) -> None:
        self.origin = origin
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

    def add(self, entry: Entry) -> None:
        """The next entry."""
        self.add_block([entry])

    def add_block(self, block: Sequence[Entry]) -> None:
        """The next entries; faster than one by one. Keep a block within a few hundred."""
        self._check_claims()
        try:
            read = _read_block(block)
        except VerificationError as error:
            if len(block) == 1:
                self._fail(str(error))
            for entry in block:
                self.add_block([entry])
            return
        for one in read:
            try:
                self._enter(one)
            except VerificationError as error:
                self._fail(str(error))
            for note in self._seen_elsewhere.pop(self.size, ()):
                self._check_seen(note)
        if len(self._pending) >= BATCH:
            self.flush()

    def _fail(self, reason: str) -> NoReturn:
        position = self.size
        # An earlier entry with a wrong signature may still wait for its curve operation.
        self.flush()
        raise BadPositionError(position, reason)

    def add_partner_key(self, record: Proved, note: str) -> None:
        """A key record of a partner, with its proof; before the first entry that the partner signed."""
        try:
            claim = checkpoint.parse(notes.parse(note).text)
            if claim.origin == self.origin:
                raise VerificationError("the log's own key records are entries")
            read_key_record(record, claim, self._firms)
            self._claims[note] = None
        except VerificationError as error:
            raise BadPositionError(self.size, f"key record of a partner: {error}") from error

    def _check_claims(self) -> None:
        """The checkpoints of partners' key records, once all records are read: a later one may bring their key."""
        claims, self._claims = self._claims, {}
        try:
            for note in claims:
                claim = checkpoint.parse(note)
                keys = next(one for one in self._firms.values() if one.origin == claim.origin)
                checkpoint.verify_signature(note, keys.log_key(claim.size))
        except VerificationError as error:
            raise BadPositionError(self.size, f"key record of a partner: {error}") from error

    def add_counterpart(self, other: Counterpart) -> None:
        """Where the next entry stands in a partner's log: its keys are judged as they were there."""
        self._check_claims()
        try:
            if self._elsewhere is not None:
                raise VerificationError("told twice")
            self._elsewhere = proved_place(other, self._firms)
        except VerificationError as error:
            raise BadPositionError(self.size, f"place in the other log: {error}") from error

    def check_checkpoint(self, note: str) -> None:
        """A checkpoint that the log signed at its present size: same root, right key."""
        try:
            parsed = notes.parse(note)
            claim = checkpoint.parse(parsed.text)
            if claim.size != self.size:
                raise VerificationError(f"a checkpoint of {claim.size} entries after {self.size} entries")
            for pending in prepare_lines(parsed, claim, self._firms):
                pending.run()
            if claim.root != self.frontier.root() or claim.origin != self.origin:
                raise VerificationError("a signed checkpoint has another root: an entry before it was changed")
        except VerificationError as error:
            raise BadPositionError(max(self.size - 1, 0), str(error)) from error
        self._counts["checkpoints"] += 1

    def _check_seen(self, note: str) -> None:
        try:
            claim = checkpoint.verify_signature(note, self._own_keys().log_key(self.size))
            if claim.root != self.frontier.root():
                raise VerificationError("others saw another root at this size: an entry before it was changed")
        except VerificationError as error:
            self.flush()
            raise BadPositionError(self.size - 1, str(error)) from error

    def finish(self) -> Totals:
        """The totals; raises BadPositionError where content is missing that no record says was erased."""
        self._check_claims()
        self.flush()
        if self._seen_elsewhere:
            raise BadPositionError(self.size, f"others saw the log with {max(self._seen_elsewhere)} entries")
        position = self._references.first_unexplained()
        if position is not None:
            raise BadPositionError(position, "the content is missing and no record says that it was erased")
        return Totals(self.origin, self.size, root=self.frontier.root(), **self._counts)

    def _enter(self, one: "_Read") -> None:
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
        if leaf.log != self.origin:
            raise VerificationError("the entry is of another log")
        if leaf.seq != self.size:
            raise VerificationError(f"number {leaf.seq} stands here")
        if leaf.prev != self._last:
            raise VerificationError("prev is not the hash of the entry before")
        self._references.add(leaf)
        if (leaf.seq == 0) != (leaf.type == "genesis"):
            raise VerificationError("a log begins with its genesis record and has one only")

    def _check_content(self, leaf: Leaf, evidence: Evidence, parties: Parties) -> None:
        if leaf.type == "genesis":
            own = FirmKeys.from_genesis(leaf, evidence.message)
            self._firms[own.firm] = own
        self._check_signed(leaf, evidence, parties)
        if checks.is_key_record(leaf) and leaf.type != "genesis":
            self._own_keys().apply(leaf, evidence.message)
        self._references.check(leaf, evidence)

    def _check_signed(self, leaf: Leaf, evidence: Evidence, parties: Parties) -> None:
        # Key records are always checked: all other signatures hang on them.
        if self._is_signature_check or checks.is_key_record(leaf):
            pending = checks.check_after_digest(leaf, evidence, parties, self._render)
            self._pending.extend([(leaf.seq, one) for one in pending])
            self._counts["signatures"] += len(pending)

    def _parties_of(self, leaf: Leaf) -> Parties:
        place, self._elsewhere = self._elsewhere, None
        return self._parties if place is None else Parties(self._firms, seqs_of(leaf, place))

    def flush(self) -> None:
        """Runs the curve operations that wait; raises BadPositionError for the first entry that does not hold."""
        pending, self._pending = self._pending, []
        failure = run_batch(pending)
        if failure is not None:
            raise BadPositionError(*failure)

    def _own_keys(self) -> FirmKeys:
        for keys in self._firms.values():
            if keys.origin == self.origin:
                return keys
        raise VerificationError("the log has no genesis record")


class _Read(NamedTuple):
    leaf: Leaf
    leaf_hash: bytes
    evidence: Evidence | None


def _read_block(block: Sequence[Entry]) -> list[_Read]:
    """All that an entry tells without its neighbours: form, hashes, fields, digest.

    Step by step over the whole block, not entry by entry: code that stays in the cache runs half again as fast.
    """
    leaves = [parse_leaf(entry.leaf) for entry in block]
    hashes = [leaf_hash(entry.leaf) for entry in block]
    contents = [entry.evidence for entry in block]
    for leaf, content in zip(leaves, contents, strict=True):
        if content is not None and evidence_hash(content) != leaf.evidence:
            raise VerificationError("the content is not the one that was entered")
    values = [None if content is None else canonical.loads(content, MAX_EVIDENCE_BYTES) for content in contents]
    evidence = [None if value is None else read_evidence(value) for value in values]
    for leaf, one in zip(leaves, evidence, strict=True):
        if one is not None:
            checks.check_digest(leaf, one)
    return list(map(_Read, leaves, hashes, evidence))


def run_batch(batch: Batch) -> tuple[int, str] | None:
    """Position and reason of the first signature in the log that does not hold; None when all do."""
    failures = []
    for position, check in sorted(batch, key=lambda item: item[1].curve):
        try:
            check.run()
        except VerificationError as error:
            failures.append((position, str(error)))
    return min(failures, default=None)


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
