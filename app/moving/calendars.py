"""Free hours and bookings as calendars for any calendar program (RFC 5545, by the icalendar library)."""

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.bookings.rules import LIVE
from app.capacity.models import CapacityWindow
from app.core.units import hours_text, monday
from app.machines.models import Machine
from app.moving.tables import with_partner

if TYPE_CHECKING:
    from icalendar import Event

WEEK = dt.timedelta(days=7)


def calendars(session: Session, firm_id: str) -> dict[str, bytes]:
    """ICS files by name; an entry lasts its whole week, for hours belong to weeks and not to days."""
    free = (_free_event(row) for row in session.execute(_free_hours(firm_id)))
    booked = (_booked_event(row) for row in session.execute(with_partner(Booking, firm_id)) if row.state in LIVE)
    return {
        "freie-stunden.ics": write_calendar("Freie Stunden", free),
        "buchungen.ics": write_calendar("Gebuchte Stunden", booked),
    }


def _free_hours(firm_id: str) -> sa.Select[*tuple[Any, ...]]:
    left = CapacityWindow.actual_min - CapacityWindow.held_min - CapacityWindow.agreed_min
    return (
        sa.select(
            CapacityWindow.id, CapacityWindow.week, CapacityWindow.created_at, left.label("left_min"), Machine.name
        )
        .join(Machine, (Machine.firm_id == CapacityWindow.firm_id) & (Machine.id == CapacityWindow.machine_id))
        .where(CapacityWindow.firm_id == firm_id, left > 0)
        .order_by(CapacityWindow.week, Machine.number, CapacityWindow.id)
    )


def _free_event(row: sa.Row[*tuple[Any, ...]]) -> "Event":
    return week_event(row, f"{row.name}: {hours_text(row.left_min)} h frei", "TRANSPARENT")


def _booked_event(row: sa.Row[*tuple[Any, ...]]) -> "Event":
    who = f"für {row.partner}" if row.side == "ours" else f"bei {row.partner}"
    return week_event(row, f"{row.machine_name}: {hours_text(row.agreed_min)} h {who}", "OPAQUE")


def week_event(row: Any, summary: str, transparency: str, url: str = "") -> "Event":
    """An entry over the whole week of a row."""
    first = monday(row.week)
    return make_event(row, summary, transparency, first, first + WEEK, url)


def make_event(
    row: Any, summary: str, transparency: str, first: dt.date, after: dt.date | None = None, url: str = ""
) -> "Event":
    """An entry under the id of a row, from a day until before another; the library escapes what people wrote."""
    from icalendar import Event  # a tenth of the web's start, and most people never ask for a calendar

    event = Event()
    event.add("uid", f"{row.id}@werkring")
    event.add("dtstamp", row.created_at)
    event.add("dtstart", first)
    event.add("summary", summary)
    event.add("transp", transparency)
    for name, value in (("dtend", after), ("url", url)):
        if value:
            event.add(name, value)
    return event


def write_calendar(name: str, events: Iterable["Event"]) -> bytes:
    """The bytes of one calendar."""
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//Werkring//Archiv 1//DE")
    calendar.add("x-wr-calname", name)
    for event in events:
        calendar.add_component(event)
    return bytes(calendar.to_ical())
