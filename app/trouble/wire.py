"""What travels between two firms when it goes wrong: built field by field, read field by field."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from app.machines.rules import WEEK_MIN
from app.requests.wire import Body, unreadable
from app.trouble.rules import MOST_LINES, MOST_NOTE, REASONS


@dataclass(frozen=True)
class LostLine:
    """Minutes of one line of an agreement that are not worked."""

    agreement_id: str
    line_no: int
    lost_min: int


@dataclass(frozen=True)
class Disrupted:
    """booking.disrupted: which hours a machine that stands costs; told again, it takes the place of what was told before."""

    disruption_id: str
    machine_id: str
    reason: str
    note: str
    back_on: str
    """YYYY-MM-DD or ''"""
    lines: tuple[LostLine, ...]


def body_of(sent: Disrupted) -> dict[str, Any]:
    """The body of a message, as JSON members."""
    body = asdict(sent)
    body["lines"] = list(body["lines"])
    return body


def read_disrupted(body: dict[str, Any]) -> Disrupted:
    """Read booking.disrupted; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    disrupted = Disrupted(
        disruption_id=given.public_id("disruption_id"),
        machine_id=given.public_id("machine_id"),
        reason=given.choice("reason", REASONS),
        note=given.text("note", MOST_NOTE),
        back_on=_day(given, "back_on"),
        lines=tuple(_line(item) for item in given.items("lines", MOST_LINES)),
    )
    given.finish()
    if not disrupted.lines:
        raise unreadable("lines")
    return disrupted


def read_resumed(body: dict[str, Any]) -> str:
    """Read booking.resumed: the id of what is over. Raises RuleBroken for anything unusual in it."""
    given = Body(body)
    disruption_id = given.public_id("disruption_id")
    given.finish()
    return disruption_id


def _line(item: Body) -> LostLine:
    line = LostLine(
        item.public_id("agreement_id"), item.whole("line_no", 1, 10_000), item.whole("lost_min", 1, WEEK_MIN)
    )
    item.finish()
    return line


def _day(given: Body, name: str) -> str:
    found = given.text(name, 10)
    try:
        if found and dt.date.fromisoformat(found).isoformat() != found:
            raise unreadable(name)
    except ValueError:
        raise unreadable(name) from None
    return found
