"""Reported and confirmed hours of the acting firm. Nothing here names a person to anybody but that person."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.bookings.models import Booking
from app.core.errors import NotFound
from app.firms.access import Actor
from app.hours.models import HourAuthor, HourEntry, HourRecord, HourReport
from app.hours.rules import CONFIRMED, COUNTING, OPEN, STEP_MIN
from app.partners.models import Partnership


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


def confirmed_hours(session: Session, firm_id: str, *booking_ids: str) -> tuple[ConfirmedHours, ...]:
    """What counts of these bookings, summed per report and kind; empty while nothing is confirmed."""
    sums = [sa.func.sum(one) for one in (HourEntry.minutes, HourEntry.quantity, HourEntry.scrap)]
    keys = (
        HourReport.id, HourReport.booking_id, HourReport.agreement_id, HourReport.partner_id, Booking.side,
        HourReport.week, HourEntry.kind,
    )  # fmt: skip
    rows = session.execute(
        sa.select(*keys, *sums)
        .join(Booking, (Booking.firm_id == HourReport.firm_id) & (Booking.id == HourReport.booking_id))
        .join(HourEntry, (HourEntry.firm_id == HourReport.firm_id) & (HourEntry.report_id == HourReport.id))
        .where(HourReport.firm_id == firm_id, HourReport.booking_id.in_(booking_ids), HourReport.state.in_(CONFIRMED))
        .where(is_current())
        .group_by(*keys)
        .order_by(HourReport.id, HourEntry.kind)
    )
    return tuple(ConfirmedHours(*row[:7], *map(int, row[7:])) for row in rows)


def is_current() -> sa.ColumnElement[bool]:
    """Of an entry in a statement: no later one of the same report corrects it."""
    later = aliased(HourEntry)
    return ~sa.exists().where(
        later.firm_id == HourEntry.firm_id, later.report_id == HourEntry.report_id, later.corrects == HourEntry.id
    )


@dataclass(frozen=True)
class OwnEntry:
    """One of my entries as S11 lists it."""

    id: str
    booking_id: str
    title: str
    partner_name: str
    machine_name: str
    week: str
    day: dt.date
    minutes: int
    kind: str
    is_late: bool
    may_change: bool


def own_entries(session: Session, actor: Actor, since: dt.date) -> list[OwnEntry]:
    """What this person reported since a day, the newest day first; what was taken back is left out."""
    rows = session.execute(
        sa.select(
            HourEntry.id, HourReport.booking_id, Booking.title, Partnership.short_name, Booking.machine_name,
            HourReport.week, HourEntry.day, HourEntry.minutes, HourEntry.kind, HourEntry.is_late, HourReport.state,
        )
        .join(HourAuthor, (HourAuthor.firm_id == HourEntry.firm_id) & (HourAuthor.id == HourEntry.id))
        .join(HourReport, (HourReport.firm_id == HourEntry.firm_id) & (HourReport.id == HourEntry.report_id))
        .join(Booking, (Booking.firm_id == HourReport.firm_id) & (Booking.id == HourReport.booking_id))
        .join(
            Partnership, (Partnership.firm_id == Booking.firm_id) & (Partnership.partner_id == Booking.partner_id)
        )
        .where(HourEntry.firm_id == actor.firm_id, HourAuthor.person_id == actor.person_id, HourEntry.day >= since)
        .where(is_current(), HourEntry.minutes > 0, HourReport.state != "corrected")
        .order_by(HourEntry.day.desc(), HourEntry.id.desc())
    )  # fmt: skip
    return [OwnEntry(*row[:10], may_change=row[10] in OPEN) for row in rows]


def reported_min(session: Session, firm_id: str, booking_id: str) -> int:
    """Machine minutes reported on a booking so far, whatever became of them but what a correction replaced."""
    query = _current_of(firm_id).where(HourReport.booking_id == booking_id, HourEntry.kind == "run")
    return int(session.scalar(query) or 0)


def done_min(session: Session, firm_id: str, booking_id: str) -> int:
    """What of a booking is reported: machine minutes, and a quarter hour at least once anything was done.

    Set-up is owed with the hours that it was made for: they may not vanish altogether.
    """
    other = _current_of(firm_id).where(
        HourReport.booking_id == booking_id, HourEntry.kind.in_(("set_up", "programming"))
    )
    return max(reported_min(session, firm_id, booking_id), STEP_MIN if session.scalar(other) else 0)


def day_min(session: Session, actor: Actor, booking_id: str, day: dt.date) -> int:
    """What this person reported on a booking for one day."""
    query = _current_of(actor.firm_id).where(HourReport.booking_id == booking_id, HourEntry.day == day)
    author = (HourAuthor.firm_id == HourEntry.firm_id) & (HourAuthor.id == HourEntry.id)
    return int(session.scalar(query.join(HourAuthor, author).where(HourAuthor.person_id == actor.person_id)) or 0)


def machine_min(session: Session, booking: Booking, day: dt.date, but_not: str = "") -> int:
    """What the booking's machine did on one day, over all its bookings."""
    query = _current_of(booking.firm_id).where(HourEntry.day == day, HourEntry.id != but_not)
    on_booking = (Booking.firm_id == HourReport.firm_id) & (Booking.id == HourReport.booking_id)
    query = query.join(Booking, on_booking).where(Booking.machine_id == booking.machine_id, HourReport.side == "ours")
    return int(session.scalar(query) or 0)


def counted_min(session: Session, booking: Booking, but_not: str) -> int:
    """Machine minutes of a booking in its other reports that the other side has confirmed or still may."""
    query = _current_of(booking.firm_id).where(HourReport.booking_id == booking.id, HourReport.id != but_not)
    query = query.where(HourReport.state.in_(COUNTING), HourEntry.kind == "run")
    return int(session.scalar(query) or 0)


def open_report(session: Session, booking: Booking) -> HourReport | None:
    """The report of a booking that takes entries still."""
    return session.scalar(
        sa.select(HourReport)
        .where(HourReport.firm_id == booking.firm_id, HourReport.booking_id == booking.id)
        .where(HourReport.side == "ours", HourReport.state.in_(OPEN))
        .order_by(HourReport.id.desc())
        .limit(1)
    )


def entries_of(session: Session, firm_id: str, report_id: str) -> Sequence[HourEntry]:
    """What stands in a report now, by day and time of writing."""
    return session.scalars(
        sa.select(HourEntry)
        .where(HourEntry.firm_id == firm_id, HourEntry.report_id == report_id, HourEntry.minutes > 0, is_current())
        .order_by(HourEntry.day, HourEntry.id)
    ).all()


def report_for(session: Session, firm_id: str, report_id: str) -> HourReport:
    """A report of either side; raises NotFound."""
    found = session.get(HourReport, (firm_id, report_id))
    if found is None:
        raise NotFound
    return found


def record_of(session: Session, firm_id: str, report_id: str, kind: str) -> HourRecord | None:
    """The signed record of a report, kind report or confirm, where there is one."""
    return session.scalar(
        sa.select(HourRecord).where(
            HourRecord.firm_id == firm_id, HourRecord.report_id == report_id, HourRecord.kind == kind
        )
    )


def entry_by_key(session: Session, firm_id: str, entry_key: str) -> HourEntry | None:
    return session.scalar(sa.select(HourEntry).where(HourEntry.firm_id == firm_id, HourEntry.entry_key == entry_key))


def is_corrected(session: Session, entry: HourEntry) -> bool:
    """Say whether a later entry stands in the place of this one."""
    later = sa.select(HourEntry.id).where(
        HourEntry.firm_id == entry.firm_id, HourEntry.report_id == entry.report_id, HourEntry.corrects == entry.id
    )
    return session.scalar(later.limit(1)) is not None


def author_of(session: Session, firm_id: str, entry_id: str) -> HourAuthor | None:
    """Who wrote an entry, or the pseudonym; None for a partner's."""
    return session.get(HourAuthor, (firm_id, entry_id))


def _current_of(firm_id: str) -> sa.Select[int | None]:
    return (
        sa.select(sa.func.sum(HourEntry.minutes))
        .join(HourReport, (HourReport.firm_id == HourEntry.firm_id) & (HourReport.id == HourEntry.report_id))
        .where(HourEntry.firm_id == firm_id, HourReport.state != "corrected", is_current())
    )


@dataclass(frozen=True)
class Slip:
    """One weekly report as lists show it; `minutes` of the machine at work. No price, no person."""

    id: str
    side: str
    state: str
    booking_id: str
    title: str
    partner_name: str
    machine_name: str
    week: str
    agreed_min: int
    minutes: int
    reason: str
    settled_at: dt.datetime | None


def slips(session: Session, firm_id: str, states: Sequence[str], since: dt.datetime | None = None) -> list[Slip]:
    """Reports of both sides in these states, the oldest week first; empty ones are left out."""
    run = sa.func.sum(sa.case((HourEntry.kind == "run", HourEntry.minutes), else_=0))
    keys = (
        HourReport.id, HourReport.side, HourReport.state, HourReport.booking_id, Booking.title, Partnership.short_name,
        Booking.machine_name, HourReport.week, Booking.agreed_min,
    )  # fmt: skip
    rest = (HourReport.reason, HourReport.settled_at)
    query = (
        sa.select(*keys, run, *rest)
        .join(Booking, (Booking.firm_id == HourReport.firm_id) & (Booking.id == HourReport.booking_id))
        .join(
            Partnership, (Partnership.firm_id == HourReport.firm_id) & (Partnership.partner_id == HourReport.partner_id)
        )
        .join(HourEntry, (HourEntry.firm_id == HourReport.firm_id) & (HourEntry.report_id == HourReport.id))
        .where(HourReport.firm_id == firm_id, HourReport.state.in_(states), HourEntry.minutes > 0, is_current())
        .group_by(*keys, *rest)
        .order_by(HourReport.week, Booking.machine_name, HourReport.id)
    )
    if since is not None:
        query = query.where(HourReport.settled_at >= since)
    return [Slip(*row) for row in session.execute(query)]


def slip_for(session: Session, firm_id: str, report_id: str) -> Slip:
    """One report as its page shows it; raises NotFound."""
    report = report_for(session, firm_id, report_id)
    found = [one for one in slips(session, firm_id, (report.state,)) if one.id == report_id]
    if not found:
        raise NotFound
    return found[0]
