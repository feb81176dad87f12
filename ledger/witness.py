"""Witnessing (C2SP tlog-witness, add-checkpoint): a partner's node sees a log grow, and vouches that it only grew.

Both sides as pure code: `answer_request` for the witness, `build_request` and `read_answer` for the log.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger import checkpoint, merkle
from ledger import note as notes
from ledger.checkpoint import Checkpoint
from ledger.encoding import from_b64, to_b64
from ledger.errors import VerificationError
from ledger.note import Signer, Verifier

MAX_REQUEST_BYTES = 100_000
MAX_PROOF_LINES = 63
PLAIN, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"
OK, BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT, UNPROCESSABLE = 200, 400, 403, 404, 409, 422


class Store(Protocol):
    """What a witness remembers of the logs it knows."""

    def log_keys(self, origin: str, size: int) -> Collection[Verifier] | None:
        """The keys that may sign a checkpoint of `size` entries of that log; None for an unknown log."""

    def newest(self, origin: str) -> str | None:
        """The newest checkpoint note that was cosigned for that log."""

    def replace(self, origin: str, expected: str | None, note: str) -> bool:
        """Keeps `note` as the newest, durably, if `expected` still is; False and no change if it is not. Atomic."""

    def keep_conflict(self, first: str, second: str) -> None:
        """Keeps two notes of one size and log with different roots, for a witness.conflict record."""


@dataclass(frozen=True)
class Request:
    """An add-checkpoint body taken apart; nothing is verified yet."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status, body and Content-Type."""

    status: int
    body: str = ""
    content_type: str = PLAIN


@dataclass(frozen=True)
class Cosigned:
    """The witness signed: one line to add to the note, and the seconds since 1970 that it states."""

    line: str
    time: int


@dataclass(frozen=True)
class Known:
    """The witness knows a tree of another size: prove from there, or, where it is larger than ours, stop writing."""

    size: int


class RefusedError(Exception):
    """The witness does not sign; `status` says why (403 key, 404 log, 409 other root, 422 proof, 400 form)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the witness answered {status}")
        self.status = status


def answer_request(body: bytes, store: Store, cosigner: Signer, now: int) -> Answer:
    """The answer to one add-checkpoint request; `now` in seconds since 1970. Persisted before it is signed."""
    try:
        request = parse_request(body)
        claim = checkpoint.parse(request.note)
    except VerificationError as error:
        return Answer(BAD_REQUEST, f"{error}\n")
    keys = store.log_keys(claim.origin, claim.size)
    if keys is None:
        return Answer(NOT_FOUND, "unknown log\n")
    if not _is_signed(request.note, claim, keys):
        return Answer(FORBIDDEN, "no signature by a known key of this log\n")
    if request.old_size > claim.size:
        return Answer(BAD_REQUEST, "the old size is larger than the checkpoint\n")
    known = store.newest(claim.origin)
    refusal = _refuse(request, claim, known, store)
    if refusal is not None:
        return refusal
    if not store.replace(claim.origin, known, request.note):
        # Another request came first: this one is judged again, by what that one left.
        known = store.newest(claim.origin)
        return _refuse(request, claim, known, store) or _size_answer(known)
    return Answer(OK, checkpoint.cosign(request.note, cosigner, now))


def parse_request(body: bytes) -> Request:
    """Old size, consistency proof and checkpoint note of a request; raises VerificationError for any other form."""
    if len(body) > MAX_REQUEST_BYTES:
        raise VerificationError("request too long")
    try:
        header, gap, note = body.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError as error:
        raise VerificationError("a request must be UTF-8") from error
    old, *lines = header.split("\n")
    if not gap or len(lines) > MAX_PROOF_LINES:
        raise VerificationError("a request needs an old size, at most 63 hashes, an empty line and a checkpoint")
    word, _, size = old.partition(" ")
    if word != "old":
        raise VerificationError("a request begins with the old size")
    proof = tuple(from_b64(line, length=merkle.HASH_BYTES) for line in lines)
    checkpoint.parse(notes.parse(note).text)
    return Request(checkpoint.parse_size(size), proof, note)


def build_request(note: str, old_size: int, proof: Sequence[bytes]) -> bytes:
    """The body by which a log asks for a cosignature; `proof` is empty for old size 0 and for the same size."""
    lines = [f"old {old_size}", *(to_b64(one) for one in proof), "", note]
    body = "\n".join(lines).encode()
    parse_request(body)
    return body


def read_answer(note: str, answer: Answer, witness: Verifier) -> Cosigned | Known:
    """What the witness said of our note, its cosignature checked by name and key.

    Raises RefusedError where it does not sign, VerificationError for an answer that proves nothing.
    """
    if answer.status == CONFLICT and answer.content_type == SIZE:
        size = checkpoint.parse_size(answer.body.removesuffix("\n"))
        if size != checkpoint.parse(note).size:
            return Known(size)
    if answer.status != OK:
        raise RefusedError(answer.status)
    lines = notes.parse_lines(answer.body)
    own = [line for line in lines if (line.name, line.key_id) == (witness.name, witness.key_id)]
    if len(own) != 1:
        raise VerificationError("the answer holds no cosignature by this witness, or more than one")
    time = checkpoint.verify_cosignature(notes.format_note(notes.parse(note).text, own), witness)
    return Cosigned(str(own[0]), time)


def check_conflict(first: str, second: str, log_key: Verifier) -> Checkpoint:
    """The first of two checkpoints that cannot both be true: one log, one size, one key, two roots; else raises."""
    one, other = (checkpoint.verify_signature(note, log_key) for note in (first, second))
    if (one.origin, one.size) != (other.origin, other.size) or one.root == other.root:
        raise VerificationError("the two checkpoints do not contradict each other")
    return one


def _is_signed(note: str, claim: Checkpoint, keys: Collection[Verifier]) -> bool:
    try:
        opened = notes.open_note(note, keys)
    except VerificationError:
        return False
    return any(line.name == claim.origin for line in opened.verified)


def _refuse(request: Request, claim: Checkpoint, known: str | None, store: Store) -> Answer | None:
    """The checks against what the witness saw before; None where the checkpoint may be cosigned."""
    before = Checkpoint(claim.origin, 0, merkle.EMPTY_ROOT) if known is None else checkpoint.parse(known)
    if known is not None and before.size == claim.size and before.root != claim.root:
        store.keep_conflict(known, request.note)
        return _size_answer(known)
    if request.old_size != before.size:
        return _size_answer(known)
    try:
        merkle.verify_consistency(before.size, claim.size, before.root, claim.root, request.proof)
    except VerificationError as error:
        return Answer(UNPROCESSABLE, f"{error}\n")
    return None


def _size_answer(known: str | None) -> Answer:
    size = 0 if known is None else checkpoint.parse(known).size
    return Answer(CONFLICT, f"{size}\n", SIZE)
