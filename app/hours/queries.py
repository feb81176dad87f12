"""Reported and confirmed hours of the acting firm. Nothing here names a person to anybody but that person."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.bookings.models import Booking
from app.hours.models import HourEntry, HourReport
from app.hours.rules import CONFIRMED


@dataclass(frozen=True)
class ConfirmedHours:
    """Minutes of one kind that both sides stand by. `side` of the booking: ours, we worked; theirs, the partner did."""

    report_id: str
    booking_id: str
    agreement_id: str
    partner_id: str
    side: str
    week: str
    kind: str
    minutes: int
    quantity: int
    scrap: int


def confirmed_hours(session: Session, firm_id: str, booking_id: str) -> tuple[ConfirmedHours, ...]:
    """What counts of one booking, summed per report and kind; empty while nothing is confirmed."""
    sums = [sa.func.sum(one) for one in (HourEntry.minutes, HourEntry.quantity, HourEntry.scrap)]
    keys = (
        HourReport.id, HourReport.booking_id, HourReport.agreement_id, HourReport.partner_id, Booking.side,
        HourReport.week, HourEntry.kind,
    )  # fmt: skip
    rows = session.execute(
        sa.select(*keys, *sums)
        .join(Booking, (Booking.firm_id == HourReport.firm_id) & (Booking.id == HourReport.booking_id))
        .join(HourEntry, (HourEntry.firm_id == HourReport.firm_id) & (HourEntry.report_id == HourReport.id))
        .where(HourReport.firm_id == firm_id, HourReport.booking_id == booking_id, HourReport.state.in_(CONFIRMED))
        .where(is_current())
        .group_by(*keys)
        .order_by(HourReport.id, HourEntry.kind)
    )
    return tuple(ConfirmedHours(*row[:7], *map(int, row[7:])) for row in rows)


def is_current() -> sa.ColumnElement[bool]:
    """Of an entry in a statement: no later one corrects it."""
    later = aliased(HourEntry)
    return ~sa.exists().where(later.firm_id == HourEntry.firm_id, later.corrects == HourEntry.id)
