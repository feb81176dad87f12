"""What travels between two firms about an offer. It is sealed: only the requester reads it, and a no is never sent."""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from app.machines.rules import MOST_SURCHARGE_PERMILLE
from app.offers.rules import MOST_LINES, MOST_RATE_CENTS, MOST_WEEK_MIN, STEP_MIN
from app.requests.wire import Body, unreadable

REASONS = ("undone", "expired", "changed")
"""Why an offer is gone, as far as the requester learns it."""


@dataclass(frozen=True)
class SentLine:
    """One line; the machine is an opaque id and the text shown."""

    line_id: str
    machine_id: str
    machine_name: str
    machine_type_key: str
    week: str
    offered_min: int
    rate_cents_per_hour: int
    set_up_min: int
    min_block_min: int
    set_up_rate_cents_per_hour: int | None
    programming_rate_cents_per_hour: int
    night_surcharge_permille: int
    sunday_surcharge_permille: int


@dataclass(frozen=True)
class SentOffer:
    """An answer with hours, as the requester gets it."""

    offer_id: str
    request_id: str
    request_version: int
    version: int
    answer: str
    valid_until: dt.datetime
    transport_cents: int
    note: str
    lines: tuple[SentLine, ...]


@dataclass(frozen=True)
class Selection:
    """The requester wants this offer, wholly or in part, and asks to keep its hours until then."""

    offer_id: str
    is_whole: bool
    hold_until: dt.datetime


def offer_body(sent: SentOffer) -> dict[str, Any]:
    """The body of offer.made."""
    return dataclasses.asdict(sent) | {
        "valid_until": sent.valid_until.isoformat(),
        "lines": [dataclasses.asdict(line) for line in sent.lines],
    }


def read_offer(body: dict[str, Any]) -> SentOffer:
    """Read the body of offer.made; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    sent = SentOffer(
        offer_id=given.public_id("offer_id"),
        request_id=given.public_id("request_id"),
        request_version=given.whole("request_version", 1, 1000),
        version=given.whole("version", 1, 1000),
        answer=given.choice("answer", ("yes", "part")),
        valid_until=given.moment("valid_until"),
        transport_cents=given.whole("transport_cents", 0, 10**8),
        note=given.lines("note", 300),
        lines=tuple(_read_line(item) for item in given.items("lines", MOST_LINES)),
    )
    given.finish()
    if not sent.lines:
        raise unreadable("lines")
    if len({line.line_id for line in sent.lines}) < len(sent.lines):
        raise unreadable("line_id")
    if len({(line.machine_id, line.week) for line in sent.lines}) < len(sent.lines):
        raise unreadable("week")
    return sent


def withdrawn_body(offer_id: str, reason: str) -> dict[str, Any]:
    """The body of offer.withdrawn."""
    return {"offer_id": offer_id, "reason": reason}


def read_withdrawn(body: dict[str, Any]) -> tuple[str, str]:
    """(offer id, reason) of an offer that its maker took back."""
    given = Body(body)
    found = given.public_id("offer_id"), given.choice("reason", REASONS)
    given.finish()
    return found


def declined_body(offer_id: str) -> dict[str, Any]:
    """The body of offer.declined: no price, no rank, no reason."""
    return {"offer_id": offer_id}


def read_declined(body: dict[str, Any]) -> str:
    """The id of the offer that was not chosen."""
    given = Body(body)
    offer_id = given.public_id("offer_id")
    given.finish()
    return offer_id


def selected_body(selection: Selection) -> dict[str, Any]:
    """The body of offer.selected."""
    return dataclasses.asdict(selection) | {"hold_until": selection.hold_until.isoformat()}


def read_selected(body: dict[str, Any]) -> Selection:
    """Read the body of offer.selected; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    selection = Selection(given.public_id("offer_id"), given.yes("is_whole"), given.moment("hold_until"))
    given.finish()
    return selection


def _read_line(item: Body) -> SentLine:
    line = SentLine(
        line_id=item.public_id("line_id"),
        machine_id=item.public_id("machine_id"),
        machine_name=item.text("machine_name", 60, 1),
        machine_type_key=item.key("machine_type_key"),
        week=item.week("week"),
        offered_min=item.whole("offered_min", STEP_MIN, MOST_WEEK_MIN),
        rate_cents_per_hour=item.whole("rate_cents_per_hour", 1, MOST_RATE_CENTS),
        set_up_min=item.whole("set_up_min", 0, MOST_WEEK_MIN),
        min_block_min=item.whole("min_block_min", 0, MOST_WEEK_MIN),
        set_up_rate_cents_per_hour=item.maybe_whole("set_up_rate_cents_per_hour", 0, MOST_RATE_CENTS),
        programming_rate_cents_per_hour=item.whole("programming_rate_cents_per_hour", 0, MOST_RATE_CENTS),
        night_surcharge_permille=item.whole("night_surcharge_permille", 0, MOST_SURCHARGE_PERMILLE),
        sunday_surcharge_permille=item.whole("sunday_surcharge_permille", 0, MOST_SURCHARGE_PERMILLE),
    )
    item.finish()
    if line.offered_min % STEP_MIN:
        raise unreadable("offered_min")
    return line
