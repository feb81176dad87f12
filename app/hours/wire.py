"""What travels between two firms about hours: built field by field, read field by field. No person is in it."""

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import Any

from app.agreements.wire import Given
from app.hours.documents import HoursLine, in_order
from app.hours.rules import DAY_MIN, KINDS, MOST_PARTS
from app.requests.wire import Body, unreadable

MOST_ENTRIES = 200


@dataclass(frozen=True)
class Reported:
    """hours.reported, and hours.corrected where it `supersedes` (the id of) a disputed report."""

    report_id: str
    agreement_id: str
    line_no: int
    supersedes: str
    entries: tuple[HoursLine, ...]
    text: str
    message: dict[str, Any]
    signatures: tuple[dict[str, Any], ...]
    proof: dict[str, Any]


@dataclass(frozen=True)
class Confirmed:
    """hours.confirmed: with the record, or by silence without one; `report_proof`: our log holds the report too."""

    report_id: str
    is_by_silence: bool
    text: str
    message: dict[str, Any]
    signatures: tuple[dict[str, Any], ...]
    proof: dict[str, Any]
    report_proof: dict[str, Any]


@dataclass(frozen=True)
class Disputed:
    """hours.disputed: which entries, and why in own words."""

    report_id: str
    entry_ids: tuple[str, ...]
    reason: str


def body_of(sent: Reported | Confirmed | Disputed) -> dict[str, Any]:
    """The body of a message, as JSON members."""
    body: dict[str, Any] = json.loads(json.dumps(asdict(sent), default=str))
    return body


def read_reported(body: dict[str, Any]) -> Reported:
    """Read hours.reported or hours.corrected; raises RuleBroken for anything unusual in it."""
    given = Given(body)
    reported = Reported(
        report_id=given.public_id("report_id"),
        agreement_id=given.public_id("agreement_id"),
        line_no=given.whole("line_no", 1, 10_000),
        supersedes=_maybe_id(given, "supersedes"),
        entries=_lines(given),
        text=given.document("text"),
        message=given.object("message"),
        signatures=given.signatures(least=1),
        proof=given.object("proof"),
    )
    given.finish()
    return reported


def read_confirmed(body: dict[str, Any]) -> Confirmed:
    """Read hours.confirmed; raises RuleBroken for anything unusual in it."""
    given = Given(body)
    is_by_silence = given.yes("is_by_silence")
    confirmed = Confirmed(
        report_id=given.public_id("report_id"),
        is_by_silence=is_by_silence,
        text=given.lines("text", 0) if is_by_silence else given.document("text"),
        message=given.object("message"),
        signatures=given.signatures(least=0 if is_by_silence else 1),
        proof=given.object("proof"),
        report_proof=given.object("report_proof"),
    )
    given.finish()
    return confirmed


def read_disputed(body: dict[str, Any]) -> Disputed:
    """Read hours.disputed; raises RuleBroken for anything unusual in it."""
    given = Given(body)
    disputed = Disputed(given.public_id("report_id"), given.ids("entry_ids"), given.text("reason", 200, 1))
    given.finish()
    return disputed


def _maybe_id(given: Body, name: str) -> str:
    found = given.text(name, 36)
    return found and Body({name: found}).public_id(name)


def _lines(given: Body) -> tuple[HoursLine, ...]:
    lines = [_line(item) for item in given.items("entries", MOST_ENTRIES)]
    if not lines or len({line.id for line in lines}) != len(lines) or in_order(lines) != tuple(lines):
        raise unreadable("entries")
    return tuple(lines)


def _line(item: Body) -> HoursLine:
    line = HoursLine(
        id=item.public_id("id"),
        day=_day(item),
        kind=item.choice("kind", KINDS),
        minutes=item.whole("minutes", 1, DAY_MIN),
        quantity=item.whole("quantity", 0, MOST_PARTS),
        scrap=item.whole("scrap", 0, MOST_PARTS),
    )
    item.finish()
    return line


def _day(item: Body) -> dt.date:
    found = item.text("day", 10)
    try:
        day = dt.date.fromisoformat(found)
    except ValueError:
        raise unreadable("day") from None
    if day.isoformat() != found:
        raise unreadable("day")
    return day
