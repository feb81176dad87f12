"""Checking a whole exported log: JSON lines in, totals or the first bad position out.

Export, one canonical JSON object a line, in this order:
  {"kind":"log","origin":"…","v":1}                                       the first line
  {"checkpoint":"note","evidence":{…},"kind":"key","leaf":{…},"proof":[…]} a partner's key record, before its first use
  {"checkpoint":"note","kind":"counterpart","leaf":{…},"proof":[…]}        the next entry's place in a partner's log
  {"evidence":{…} or null,"kind":"entry","leaf":{…}}                       the entries, from 0 on
  {"kind":"checkpoint","note":"…"}                                         a signed checkpoint, after its last entry
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ledger import canonical
from ledger.curves import Curves
from ledger.encoding import from_b64
from ledger.errors import VerificationError
from ledger.evidence_file import Counterpart, Proved, proved, read_counterpart, write_counterpart, write_proved
from ledger.replay import BLOCK, Entry, Replay, Totals

MAX_LINE_BYTES = 1_000_000
_BEFORE_EVIDENCE, _BEFORE_LEAF = b'{"evidence":', b',"kind":"entry","leaf":'
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
    processes: int = 1,
) -> Totals:
    """The totals of an exported log; `progress` hears the number of entries done, once per `every`.

    `seen` are checkpoint notes of this log that others kept: only they tell of a log rewritten with its own keys.
    Raises BadPositionError for the first entry that does not hold, VerificationError for what is no export.
    """
    remaining = (line for line in lines if line.strip())
    first = next(remaining, None)
    origin = _read_origin(None if first is None else _parse_line(first))
    with Curves(processes) as curves:
        replay = Replay(origin, is_signature_check=is_signature_check, curves=curves)
        for note in seen:
            replay.expect(note)
        for block in _blocks(remaining):
            _check_block(replay, block, progress, every)
        return replay.finish()


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


def read_parts(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The lines of an export as values, of the right form but not verified; the first one names the log."""
    for number, line in enumerate(line for line in lines if line.strip()):
        value = _parse_line(line)
        if number == 0:
            _read_origin(value)
        yield value


def _blocks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if len(block) == BLOCK or size > MAX_LINE_BYTES:
            yield block
            block, size = [], 0
    yield block


def _check_block(replay: Replay, block: Sequence[bytes], progress: Progress | None, every: int) -> None:
    parts, fault = _read_lines(block)
    entries = [part for part in parts if isinstance(part, Entry)]
    ahead = iter(replay.read_ahead(entries))
    for part in parts:
        if not isinstance(part, Entry):
            _feed(replay, part)
            continue
        replay.enter(part, next(ahead))
        if progress is not None and replay.size % every == 0:
            progress(replay.size)
    if fault is not None:
        replay.fail(str(fault))


def _read_lines(block: Sequence[bytes]) -> tuple[list[Entry | dict[str, Any]], VerificationError | None]:
    """The lines up to the first that is none of an export."""
    parts: list[Entry | dict[str, Any]] = []
    for line in block:
        try:
            parts.append(_read_entry(line) or _parse_line(line))
        except VerificationError as error:
            return parts, error
    return parts, None


def _read_entry(line: bytes) -> Entry | None:
    """The entry of a line in its canonical spelling, whose parts are read, and found canonical or not, by the replay."""
    evidence, mark, leaf = line.rstrip(b"\n").rpartition(_BEFORE_LEAF)
    if not mark or not evidence.startswith(_BEFORE_EVIDENCE) or not leaf.endswith(b"}"):
        return None
    content = evidence[len(_BEFORE_EVIDENCE) :]
    return Entry(leaf[:-1], None if content == b"null" else content)


def _feed(replay: Replay, value: dict[str, Any]) -> None:
    match value["kind"]:
        case "counterpart":
            replay.add_counterpart(_read_counterpart(value, replay))
        case "checkpoint":
            replay.check_checkpoint(value["note"])
        case "key":
            replay.add_partner_key(_read_key(value, replay), value["checkpoint"])
        case _:
            replay.fail("a line that does not belong here")


def _read_key(value: dict[str, Any], replay: Replay) -> Proved:
    try:
        leaf, evidence = canonical.encode_plain(value["leaf"]), canonical.encode_plain(value["evidence"])
        return proved(leaf, [from_b64(one, length=32) for one in value["proof"]], evidence)
    except (VerificationError, TypeError) as error:
        replay.fail(f"key record of a partner: {error}")


def _read_counterpart(value: dict[str, Any], replay: Replay) -> Counterpart:
    try:
        return read_counterpart({name: value[name] for name in ("leaf", "proof", "checkpoint")})
    except VerificationError as error:
        replay.fail(f"place in the other log: {error}")


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
