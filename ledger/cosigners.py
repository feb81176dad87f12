"""The lines below a log's checkpoint: the log's own key, and cosigners that its readers know."""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from ledger import note as notes
from ledger.checkpoint import Checkpoint
from ledger.errors import VerificationError
from ledger.firm_keys import FirmKeys
from ledger.note import COSIGNER_KEY, Note, Opened, Verifier
from ledger.signatures import CurveCheck


def check_lines(note: str, claim: Checkpoint, firms: Mapping[str, FirmKeys], more: Iterable[Verifier] = ()) -> Opened:
    """The checkpoint note of a log with all lines verified; `more` are cosigners known otherwise.

    Raises VerificationError unless the log's key of that size signed, and for a line by an unknown or revoked key:
    a line that nobody can check could be changed unnoticed.
    """
    parsed = notes.parse(note)
    for pending in prepare_lines(parsed, claim, firms, more):
        pending.run()
    return Opened(parsed.text, parsed.signatures, ())


def prepare_lines(
    parsed: Note, claim: Checkpoint, firms: Mapping[str, FirmKeys], more: Iterable[Verifier] = ()
) -> list[CurveCheck]:
    """Everything of `check_lines` but the curve operations."""
    log_key = _keys_of(claim.origin, firms).log_key(claim.size)
    known: dict[tuple[str, bytes], tuple[Verifier, int | None]] = {}
    ends = (pair for keys in firms.values() for pair in keys.cosigners().items())
    for key, end in chain(ends, ((one, None) for one in (log_key, *more))):
        # Four bytes of id can be hit on purpose: whoever could choose between two keys could stand in for a witness.
        if known.setdefault((key.name, key.key_id), (key, end))[0] != key:
            raise VerificationError(f"two keys of the name {key.name} have one id")
    lines = {(line.name, line.key_id): line for line in parsed.signatures}
    if len(lines) != len(parsed.signatures) or not lines.keys() <= known.keys():
        raise VerificationError("a signature line by an unknown key, or one that stands twice")
    if (log_key.name, log_key.key_id) not in lines:
        raise VerificationError("not signed by the key of this log")
    return [_prepare_line(parsed.text, line, *known[place]) for place, line in lines.items()]


def earliest_time(opened: Opened, counted: Collection[Verifier]) -> int | None:
    """The earliest time at which one of these cosigners saw the checkpoint, in seconds since 1970."""
    known = {(key.name, key.key_id) for key in counted if key.alg == COSIGNER_KEY}
    times = [notes.cosignature_time(line) for line in opened.verified if (line.name, line.key_id) in known]
    return min(times, default=None)


def _prepare_line(text: str, line: notes.SignatureLine, key: Verifier, end: int | None) -> CurveCheck:
    if key.alg != COSIGNER_KEY:
        return CurveCheck("ed25519", key.public_key, line.signature, text.encode("utf-8"))
    time = notes.cosignature_time(line)
    if end is not None and time >= end:
        raise VerificationError("cosigned by a key that was revoked by then")
    return CurveCheck("ed25519", key.public_key, line.signature[8:], notes.cosigned_message(text, time))


def _keys_of(origin: str, firms: Mapping[str, FirmKeys]) -> FirmKeys:
    for keys in firms.values():
        if keys.origin == origin:
            return keys
    raise VerificationError(f"no genesis record of {origin}")
