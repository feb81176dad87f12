"""Free hours as an ERP sends them: up to a thousand lines, all or none, and sent again they change nothing."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.api.models import ApiToken
from app.api.queries import Item, items_of
from app.api.resources import FREE_HOURS, MINUTES, WEEK, Schema
from app.capacity.imports import NAMES, apply_hours, check_hours
from app.capacity.models import CapacityWindow
from app.capacity.rules import STEP_MIN
from app.core.errors import RuleBroken, WerkringError
from app.core.units import WEEK_PATTERN, hours_text
from app.core.words import N_
from app.machines.tables import CellFault, Row, Table

MOST_LINES = 1000
WEEK_MIN = 7 * 24 * 60
LINE: Schema = {
    "type": "object",
    "required": ["machine_number", "week", "reported_min"],
    "additionalProperties": False,
    "properties": {
        "machine_number": {
            "type": "string", "minLength": 1, "maxLength": 20, "description": "As the firm's own list has it",
        },
        "week": WEEK,
        "reported_min": MINUTES
        | {"maximum": WEEK_MIN, "multipleOf": STEP_MIN, "description": "Free for partners, promised minutes included"},
    },
}  # fmt: skip
BODY: Schema = {
    "type": "object",
    "required": ["lines"],
    "additionalProperties": False,
    "properties": {"lines": {"type": "array", "minItems": 1, "maxItems": MOST_LINES, "items": LINE}},
}
WRONG_BODY = N_("Die Anfrage ist nicht so aufgebaut wie beschrieben.")
WRONG_LINES = N_("Einige Zeilen passen nicht. Es ist nichts gespeichert.")


class FaultyLines(WerkringError):
    """Lines that do not fit what stands in the house: `faults` names each with its place, the first being 0."""

    status = 409

    def __init__(self, faults: tuple[CellFault, ...]) -> None:
        super().__init__(WRONG_LINES)
        self.faults = faults


@dataclass(frozen=True)
class HoursLine:
    """How many minutes of one machine are free in one week."""

    machine_number: str
    week: str
    reported_min: int


def read_lines(body: Any) -> list[HoursLine]:
    """The lines of a body as described; raises RuleBroken."""
    lines = body.get("lines") if isinstance(body, dict) and body.keys() == {"lines"} else None
    if not isinstance(lines, list) or not 1 <= len(lines) <= MOST_LINES:
        raise RuleBroken(WRONG_BODY)
    return [_line(line) for line in lines]


def write_hours(session: Session, token: ApiToken, lines: list[HoursLine]) -> dict[str, list[Item]]:
    """Write all lines and return what stands there now, in their order; raises FaultyLines and writes none."""
    rows = tuple(Row(n, (one.machine_number, one.week, hours_text(one.reported_min))) for n, one in enumerate(lines))
    preview = check_hours(session, token.firm_id, Table(tuple(NAMES.values()), rows))
    if not preview.is_good:
        raise FaultyLines(preview.faults)
    if preview.changed_count:
        apply_hours(session, token.firm_id, preview, program=token.name)
    return {"items": _as_sent(session, token.firm_id, lines)}


def _line(line: Any) -> HoursLine:
    if not isinstance(line, dict) or line.keys() != LINE["properties"].keys():
        raise RuleBroken(WRONG_BODY)
    number, week, minutes = line["machine_number"], line["week"], line["reported_min"]
    if isinstance(minutes, float) and minutes.is_integer():
        minutes = int(minutes)  # to JSON Schema 60.0 is a whole number
    is_good = isinstance(number, str) and 1 <= len(number) <= 20
    is_good &= isinstance(week, str) and bool(WEEK_PATTERN.fullmatch(week))
    if not is_good or type(minutes) is not int or not 0 <= minutes <= WEEK_MIN or minutes % STEP_MIN:
        raise RuleBroken(WRONG_BODY)
    return HoursLine(number, week, minutes)


def _as_sent(session: Session, firm_id: str, lines: list[HoursLine]) -> list[Item]:
    weeks = {one.week for one in lines}
    found = items_of(session, firm_id, FREE_HOURS, CapacityWindow.week.in_(weeks))
    by_place = {(item["machine_number"], item["week"]): item for item in found}
    return [by_place[one.machine_number, one.week] for one in lines]
