"""Checking a whole exported log: JSON lines in, totals or the first bad position out.

Export, one canonical JSON object a line, in this order:
  {"kind":"log","origin":"…","v":1}                                       the first line
  {"checkpoint":"note","evidence":{…},"kind":"key","leaf":{…},"proof":[…]} a partner's key record, before its first use
  {"checkpoint":"note","kind":"counterpart","leaf":{…},"proof":[…]}        the next entry's place in a partner's log
  {"evidence":{…} or null,"kind":"entry","leaf":{…}}                       the entries, from 0 on
  {"kind":"checkpoint","note":"…"}                                         a signed checkpoint, after its last entry
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ledger import canonical
from ledger.encoding import from_b64
from ledger.errors import VerificationError
from ledger.evidence_file import Counterpart, Proved, proved, read_counterpart, write_counterpart, write_proved
from ledger.replay import BadPositionError, Entry, Replay, Totals

MAX_LINE_BYTES = 1_000_000
_MEMBERS = {
    "log": {"kind", "origin", "v"},
    "key": {"kind", "leaf", "proof", "evidence", "checkpoint"},
    "counterpart": {"kind", "leaf", "proof", "checkpoint"},
    "entry": {"kind", "leaf", "evidence"},
    "checkpoint": {"kind", "note"},
}

Progress = Callable[[int], None]


def check_log(
    lines: Iterable[bytes],
    *,
    is_signature_check: bool = True,
    progress: Progress | None = None,
    every: int = 10_000,
    seen: Iterable[str] = (),
) -> Totals:
    """The totals of an exported log; `progress` hears the number of entries done, once per `every`.

    `seen` are checkpoint notes of this log that others kept: only they tell of a log rewritten with its own keys.
    Raises BadPositionError for the first entry that does not hold, VerificationError for what is no export.
    """
    parsed = (_parse_line(line) for line in lines if line.strip())
    replay = Replay(_read_origin(next(parsed, None)), is_signature_check=is_signature_check)
    for note in seen:
        replay.expect(note)
    try:
        for value in _values(parsed, replay):
            _feed(replay, value)
            if progress is not None and value["kind"] == "entry" and replay.size % every == 0:
                progress(replay.size)
        return replay.finish()
    except BadPositionError:
        # An earlier entry with a wrong signature may still wait for its curve operation.
        replay.flush()
        raise


def _values(parsed: Iterator[dict[str, Any]], replay: Replay) -> Iterator[dict[str, Any]]:
    try:
        yield from parsed
    except VerificationError as error:
        raise BadPositionError(replay.size, str(error)) from error


def export_log(
    origin: str,
    entries: Iterable[Entry | Counterpart],
    checkpoints: Iterable[tuple[int, str]] = (),
    partner_keys: Iterable[tuple[Proved, str]] = (),
) -> Iterator[bytes]:
    """The lines of an export; `checkpoints` are (size, note) in growing order.

    Among `entries` stands, before its entry, the place of the same record in a partner's log where it is known.
    """
    yield _line({"kind": "log", "origin": origin, "v": 1})
    for record, note in partner_keys:
        yield _line({"kind": "key", "checkpoint": note, **write_proved(record)})
    pending = iter(checkpoints)
    due = next(pending, None)
    size = 0
    for entry in entries:
        if isinstance(entry, Counterpart):
            yield _line({"kind": "counterpart", **write_counterpart(entry)})
            continue
        size += 1
        evidence = None if entry.evidence is None else canonical.loads(entry.evidence)
        yield _line({"kind": "entry", "leaf": canonical.loads(entry.leaf), "evidence": evidence})
        while due is not None and due[0] <= size:
            yield _line({"kind": "checkpoint", "note": due[1]})
            due = next(pending, None)


def _feed(replay: Replay, value: dict[str, Any]) -> None:
    match value["kind"]:
        case "entry":
            evidence = None if value["evidence"] is None else canonical.encode_plain(value["evidence"])
            replay.add(Entry(canonical.encode_plain(value["leaf"]), evidence))
        case "counterpart":
            replay.add_counterpart(_read_counterpart(value, replay.size))
        case "checkpoint":
            replay.check_checkpoint(value["note"])
        case "key":
            replay.add_partner_key(_read_key(value, replay.size), value["checkpoint"])
        case _:
            raise BadPositionError(replay.size, "a line that does not belong here")


def _read_key(value: dict[str, Any], position: int) -> Proved:
    try:
        leaf, evidence = canonical.encode_plain(value["leaf"]), canonical.encode_plain(value["evidence"])
        return proved(leaf, [from_b64(one, length=32) for one in value["proof"]], evidence)
    except (VerificationError, TypeError) as error:
        raise BadPositionError(position, f"key record of a partner: {error}") from error


def _read_counterpart(value: dict[str, Any], position: int) -> Counterpart:
    try:
        return read_counterpart({name: value[name] for name in ("leaf", "proof", "checkpoint")})
    except VerificationError as error:
        raise BadPositionError(position, f"place in the other log: {error}") from error


def _parse_line(line: bytes) -> dict[str, Any]:
    value = canonical.loads(line.rstrip(b"\n"), MAX_LINE_BYTES)
    kind = value.get("kind") if isinstance(value, dict) else None
    if type(kind) is not str or kind not in _MEMBERS or value.keys() != _MEMBERS[kind]:
        raise VerificationError("not a line of a log export")
    if kind == "checkpoint" and type(value["note"]) is not str:
        raise VerificationError("not a line of a log export")
    return value  # type: ignore[no-any-return]


def _read_origin(value: dict[str, Any] | None) -> str:
    if value is None or value["kind"] != "log" or value["v"] != 1 or type(value["origin"]) is not str:
        raise VerificationError("not a log export: the first line names no log")
    return value["origin"]


def _line(value: dict[str, Any]) -> bytes:
    return canonical.dumps(value) + b"\n"
