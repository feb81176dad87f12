"""The lines below a log's checkpoint: the log's own key, and cosigners that its readers know."""

from collections.abc import Collection, Iterable, Mapping

from ledger import note as notes
from ledger.checkpoint import Checkpoint
from ledger.errors import VerificationError
from ledger.firm_keys import FirmKeys
from ledger.note import COSIGNER_KEY, Opened, Verifier


def check_lines(note: str, claim: Checkpoint, firms: Mapping[str, FirmKeys], more: Iterable[Verifier] = ()) -> Opened:
    """The checkpoint note of a log with all lines verified; `more` are cosigners known otherwise.

    Raises VerificationError unless the log's key of that size signed, and for a line by an unknown or revoked key:
    a line that nobody can check could be changed unnoticed.
    """
    log_key = _keys_of(claim.origin, firms).log_key(claim.size)
    ends = {key: end for keys in firms.values() for key, end in keys.cosigners().items()}
    opened = notes.open_note(note, dict.fromkeys([log_key, *ends, *more]))
    if opened.unverified or len(opened.verified) != len(notes.parse(note).signatures):
        raise VerificationError("a signature line by an unknown key, or one that stands twice")
    if not any((line.name, line.key_id) == (log_key.name, log_key.key_id) for line in opened.verified):
        raise VerificationError("not signed by the key of this log")
    _check_ends(opened, ends)
    return opened


def earliest_time(opened: Opened, counted: Collection[Verifier]) -> int | None:
    """The earliest time at which one of these cosigners saw the checkpoint, in seconds since 1970."""
    known = {(key.name, key.key_id) for key in counted if key.alg == COSIGNER_KEY}
    times = [notes.cosignature_time(line) for line in opened.verified if (line.name, line.key_id) in known]
    return min(times, default=None)


def _check_ends(opened: Opened, ends: Mapping[Verifier, int | None]) -> None:
    by_id = {(key.name, key.key_id): end for key, end in ends.items()}
    for line in opened.verified:
        end = by_id.get((line.name, line.key_id))
        if end is not None and notes.cosignature_time(line) >= end:
            raise VerificationError("cosigned by a key that was revoked by then")


def _keys_of(origin: str, firms: Mapping[str, FirmKeys]) -> FirmKeys:
    for keys in firms.values():
        if keys.origin == origin:
            return keys
    raise VerificationError(f"no genesis record of {origin}")
