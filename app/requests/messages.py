"""What travels between two firms about a request: built field by field, read field by field.

No customer, no price, no person but the contact that the manager typed.
"""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from app.core.units import monday
from app.requests import drawings
from app.requests.drafts import MOST_G, MOST_MM, MOST_NEED_MIN, MOST_WEEKS
from app.requests.rules import RequestKind, ShortageReason
from app.requests.wire import Body, unreadable

MEDIA_TYPES = frozenset(media_type for media_type, _ in drawings.MEDIA_TYPES.values())
ENDINGS = ("contracted", "expired")
MOST_FILES = 5


@dataclass(frozen=True)
class SentFile:
    """A drawing or photo that the message names; the receiver fetches the bytes apart."""

    file_id: str
    name: str
    index: str
    sha256: str
    media_type: str
    size: int
    confidentiality: str


@dataclass(frozen=True)
class SentRequest:
    """The request as every asked partner gets it. The names are those of the table."""

    request_id: str
    version: int
    kind: str
    title: str
    pack: str
    process_key: str | None
    machine_type_key: str | None
    need_min: int
    first_week: str
    last_week: str
    delivery_week: str | None
    material: str
    material_group: str
    part_x_mm: int | None
    part_y_mm: int | None
    part_z_mm: int | None
    part_g: int | None
    may_turn: bool
    needed_it: int | None
    needed_ra_nm: int | None
    general_tolerance: str
    certificates: list[str]
    needs: dict[str, Any]
    part_count: int | None
    note: str
    shortage_reason: str
    radius_km: int | None
    reply_by: dt.datetime
    contact_name: str
    contact_phone: str
    allow_part: bool
    lat: float | None
    lon: float | None
    files: tuple[SentFile, ...]


SENT_COLUMNS = tuple(f.name for f in dataclasses.fields(SentRequest) if f.name not in ("request_id", "files"))
JOB_COLUMNS = (
    "kind", "pack", "process_key", "machine_type_key", "material", "material_group", "part_x_mm", "part_y_mm",
    "part_z_mm", "part_g", "may_turn", "needed_it", "needed_ra_nm", "general_tolerance", "certificates", "needs",
    "part_count",
)  # fmt: skip
"""A change of one of these makes another job of it: earlier answers no longer answer it."""


@dataclass(frozen=True)
class SentLine:
    """One line of a question thread."""

    question_id: str
    request_id: str
    text: str
    files: tuple[SentFile, ...]


def request_body(sent: SentRequest) -> dict[str, Any]:
    """The body of request.published and request.changed."""
    return dataclasses.asdict(sent) | {
        "reply_by": sent.reply_by.isoformat(),
        "files": [dataclasses.asdict(file) for file in sent.files],
    }


def read_request(body: dict[str, Any]) -> SentRequest:
    """Read the body of request.published and request.changed; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    sent = SentRequest(
        request_id=given.public_id("request_id"),
        version=given.whole("version", 1, 1000),
        kind=given.choice("kind", [kind.value for kind in RequestKind]),
        title=given.text("title", 80),
        pack=given.key("pack", 20, 1),
        process_key=given.maybe_key("process_key"),
        machine_type_key=given.maybe_key("machine_type_key"),
        need_min=given.whole("need_min", 0, MOST_NEED_MIN),
        first_week=given.week("first_week"),
        last_week=given.week("last_week"),
        delivery_week=given.maybe_week("delivery_week"),
        material=given.text("material", 40),
        material_group=given.choice("material_group", ("", *"PMKNSHTWCGX")),
        part_x_mm=given.maybe_whole("part_x_mm", 1, MOST_MM),
        part_y_mm=given.maybe_whole("part_y_mm", 1, MOST_MM),
        part_z_mm=given.maybe_whole("part_z_mm", 1, MOST_MM),
        part_g=given.maybe_whole("part_g", 1, MOST_G),
        may_turn=given.yes("may_turn"),
        needed_it=given.maybe_whole("needed_it", -1, 18),
        needed_ra_nm=given.maybe_whole("needed_ra_nm", 1, 1_000_000),
        general_tolerance=given.text("general_tolerance", 40),
        certificates=given.keys("certificates", 20),
        needs=given.values("needs", 30),
        part_count=given.maybe_whole("part_count", 1, 10**7),
        note=given.lines("note", 500),
        shortage_reason=given.choice("shortage_reason", [reason.value for reason in ShortageReason]),
        radius_km=given.maybe_whole("radius_km", 1, 2000),
        reply_by=given.moment("reply_by"),
        contact_name=given.text("contact_name", 80),
        contact_phone=given.text("contact_phone", 40),
        allow_part=given.yes("allow_part"),
        lat=given.maybe_number("lat", -90, 90),
        lon=given.maybe_number("lon", -180, 180),
        files=_read_files(given),
    )
    given.finish()
    _check_whole(sent)
    return sent


def withdrawal_body(request_id: str) -> dict[str, Any]:
    """The body of request.withdrawn."""
    return {"request_id": request_id}


def read_withdrawal(body: dict[str, Any]) -> str:
    """The id of the withdrawn request."""
    given = Body(body)
    request_id = given.public_id("request_id")
    given.finish()
    return request_id


def closing_body(request_id: str, ending: str) -> dict[str, Any]:
    """The body of request.closed; `ending` is contracted or expired, and says nothing about who was chosen."""
    return {"request_id": request_id, "ending": ending}


def read_closing(body: dict[str, Any]) -> tuple[str, str]:
    """(request id, ending) of a closed request."""
    given = Body(body)
    found = given.public_id("request_id"), given.choice("ending", ENDINGS)
    given.finish()
    return found


def line_body(line: SentLine) -> dict[str, Any]:
    """The body of request.asked and request.answered."""
    return dataclasses.asdict(line) | {"files": [dataclasses.asdict(file) for file in line.files]}


def read_line(body: dict[str, Any]) -> SentLine:
    """Read the body of request.asked and request.answered; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    line = SentLine(
        question_id=given.public_id("question_id"),
        request_id=given.public_id("request_id"),
        text=given.lines("text", 1000, 1),
        files=_read_files(given),
    )
    given.finish()
    return line


def span_weeks(first_week: str, last_week: str) -> int:
    """How many weeks a range holds, both ends included; 0 or less when it runs backwards."""
    return (monday(last_week) - monday(first_week)).days // 7 + 1


def _read_files(given: Body) -> tuple[SentFile, ...]:
    files = []
    for item in given.items("files", MOST_FILES):
        file = SentFile(
            file_id=item.public_id("file_id"),
            name=item.text("name", 120, 1),
            index=item.text("index", 20),
            sha256=item.sha256("sha256"),
            media_type=item.choice("media_type", MEDIA_TYPES),
            size=item.whole("size", 1, drawings.MOST_BYTES),
            confidentiality=item.choice("confidentiality", ("partner", "after_agreement", "named_people")),
        )
        item.finish()
        files.append(file)
    return tuple(files)


def _check_whole(sent: SentRequest) -> None:
    """What single fields cannot tell: weeks in order, and hours where hours are asked for."""
    if not 1 <= span_weeks(sent.first_week, sent.last_week) <= MOST_WEEKS:
        raise unreadable("last_week")
    is_hours = sent.kind == "hours"
    if is_hours and (sent.need_min < 15 or sent.need_min % 15 or sent.process_key is None):
        raise unreadable("need_min")
