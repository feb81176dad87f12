"""What travels between two firms when it goes wrong: built field by field, read field by field."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from app.federation.rules import MOST_FILE_BYTES, PHOTO_FORMATS
from app.machines.rules import WEEK_MIN
from app.requests.wire import Body, unreadable
from app.trouble.rules import (
    MOST_DESCRIPTION,
    MOST_LINES,
    MOST_NOTE,
    MOST_PHOTOS,
    MOST_PIECES,
    MOST_TEXT,
    PROVISION_KINDS,
    PROVISION_STATES,
    REASONS,
)

MOST_LINE_NO = 10_000


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


def body_of(sent: Any) -> dict[str, Any]:
    """The body of a message, one of the classes here, as JSON members."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(sent).items()}


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


@dataclass(frozen=True)
class SentPhoto:
    """A photo that the message names; the receiver fetches the bytes apart."""

    file_id: str
    name: str
    sha256: str
    media_type: str
    size: int


@dataclass(frozen=True)
class Defective:
    """booking.defective: what is wrong with parts of one line."""

    defect_id: str
    agreement_id: str
    line_no: int
    text: str
    photos: tuple[SentPhoto, ...]


@dataclass(frozen=True)
class Answered:
    """booking.answered: what the maker does about a defect, rework or disputed."""

    defect_id: str
    answer: str
    text: str


@dataclass(frozen=True)
class Accepted:
    """booking.accepted: the work of one line is taken, with so many minutes."""

    acceptance_id: str
    agreement_id: str
    line_no: int
    accepted_min: int


@dataclass(frozen=True)
class Provided:
    """booking.provided: what was announced, and the step that it took now."""

    provision_id: str
    step_id: str
    agreement_id: str
    kind: str
    description: str
    quantity: int
    state: str
    note: str
    photos: tuple[SentPhoto, ...]


def read_defective(body: dict[str, Any]) -> Defective:
    """Read booking.defective; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    defective = Defective(
        given.public_id("defect_id"), given.public_id("agreement_id"), given.whole("line_no", 1, MOST_LINE_NO),
        given.lines("text", MOST_TEXT, 1), _photos(given),
    )  # fmt: skip
    given.finish()
    return defective


def read_answer(body: dict[str, Any]) -> Answered:
    """Read booking.answered; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    answered = Answered(
        given.public_id("defect_id"), given.choice("answer", ("rework", "disputed")), given.lines("text", MOST_TEXT)
    )
    given.finish()
    return answered


def read_settled(body: dict[str, Any]) -> str:
    """Read booking.settled: the id of the defect. Raises RuleBroken for anything unusual in it."""
    given = Body(body)
    defect_id = given.public_id("defect_id")
    given.finish()
    return defect_id


def read_accepted(body: dict[str, Any]) -> Accepted:
    """Read booking.accepted; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    accepted = Accepted(
        given.public_id("acceptance_id"), given.public_id("agreement_id"), given.whole("line_no", 1, MOST_LINE_NO),
        given.whole("accepted_min", 1, WEEK_MIN),
    )  # fmt: skip
    given.finish()
    return accepted


def read_provided(body: dict[str, Any]) -> Provided:
    """Read booking.provided; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    provided = Provided(
        given.public_id("provision_id"), given.public_id("step_id"), given.public_id("agreement_id"),
        given.choice("kind", PROVISION_KINDS), given.text("description", MOST_DESCRIPTION, 1),
        given.whole("quantity", 1, MOST_PIECES), given.choice("state", PROVISION_STATES), given.text("note", MOST_NOTE),
        _photos(given),
    )  # fmt: skip
    given.finish()
    return provided


def _photos(given: Body) -> tuple[SentPhoto, ...]:
    found = []
    for item in given.items("photos", MOST_PHOTOS):
        found.append(
            SentPhoto(
                item.text("file_id", 36, 1), item.text("name", 120, 1), item.sha256("sha256"),
                item.choice("media_type", PHOTO_FORMATS), item.whole("size", 1, MOST_FILE_BYTES),
            )
        )  # fmt: skip
        item.finish()
    return tuple(found)


def _line(item: Body) -> LostLine:
    line = LostLine(
        item.public_id("agreement_id"), item.whole("line_no", 1, MOST_LINE_NO), item.whole("lost_min", 1, WEEK_MIN)
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
