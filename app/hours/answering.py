"""The other side of a report: a person of it confirms or disputes; where both agreed so, silence is a yes."""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.queries import agreement_for
from app.bookings.actions import finish_booking
from app.bookings.models import Booking
from app.capacity.rules import add_working_days
from app.core import clock
from app.core.db import each_alone
from app.core.errors import RuleBroken
from app.core.events import HoursConfirmed, HoursDisputed
from app.core.holidays import holidays_near
from app.core.outbox import emit
from app.core.units import BERLIN
from app.federation.models import Message
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.hours.checking import check_tolerance, locked_report, note_counted
from app.hours.documents import render_confirmation
from app.hours.models import HourReport
from app.hours.queries import entries_of, record_of
from app.hours.record import confirm_message, hours_facts, seal_record, silence_days_of
from app.hours.rules import check_step

OWN_REPORT = "Eure eigene Meldung bestätigt euer Partner."
WORD_MAY_TAKE_DAYS = 1
"""Working days more that the reporter waits: the other side's word may be on its way."""
MOST_AT_ONCE = 200


def confirm_report(session: Session, actor: Actor, report_id: str) -> HourReport:
    """Our yes to a partner's report: sealed, entered and sent. Raises RuleBroken for a report of our own."""
    report = locked_report(session, actor.firm_id, report_id)
    _check_theirs(report)
    check_step(report.state, "confirmed")
    agreement = agreement_for(session, report.firm_id, report.agreement_id)
    booking = session.get_one(Booking, (report.firm_id, report.booking_id))
    facts = hours_facts(session, agreement, booking, report)
    check_tolerance(session, agreement, booking, facts.minutes(), report.id)
    reported = record_of(session, report.firm_id, report.id, "report")
    assert reported is not None
    message = confirm_message(session, agreement, report.id, reported.digest, facts, by_us=True)
    seal_record(session, report, "confirm", message, render_confirmation(reported.digest, facts))
    note_event(session, actor.firm_id, actor.person_id, "hours_confirmed", "hours", report.id, report.partner_id)
    settle(session, report, "confirmed")
    return report


def dispute_report(
    session: Session, actor: Actor, report_id: str, entry_ids: Collection[str], reason: str
) -> HourReport:
    """Our no to some lines of a partner's report, with the reason; raises RuleBroken without either."""
    report = locked_report(session, actor.firm_id, report_id)
    _check_theirs(report)
    if report.state != "checked":
        raise RuleBroken("Diese Stunden sind schon weiter. Lade die Seite neu.")
    known = {entry.id for entry in entries_of(session, report.firm_id, report.id)}
    if not entry_ids or not set(entry_ids) <= known:
        raise RuleBroken("Wähle die Stunden, die nicht stimmen.", "entries")
    if not reason:
        raise RuleBroken("Schreib kurz, was nicht stimmt.", "reason")
    report.state, report.reason, report.disputed_entries = "disputed", reason, sorted(entry_ids)
    note_counted(session, session.get_one(Booking, (report.firm_id, report.booking_id)))
    note_event(session, actor.firm_id, actor.person_id, "hours_disputed", "hours", report.id, report.partner_id)
    bump_version(session, report.firm_id)
    emit(session, HoursDisputed(report.firm_id, report.id))
    return report


def settle(session: Session, report: HourReport, state: str) -> None:
    """Both sides stand by these hours: what follows may be written on an invoice."""
    check_step(report.state, state)
    is_new = report.state == "checked"
    report.state, report.settled_at = state, report.settled_at or clock.now()
    booking = session.get_one(Booking, (report.firm_id, report.booking_id))
    finish_booking(session, report.firm_id, report.booking_id)
    bump_version(session, report.firm_id)
    if is_new:
        emit(
            session,
            HoursConfirmed(
                report.firm_id, report.id, report.booking_id, report.partner_id, report.agreement_id, booking.side
            ),
        )


def settle_silent(session: Session, now: dt.datetime) -> None:
    """Every hour: where nobody answered in the time that both agreed on, the report counts as confirmed."""
    if now.minute:
        return
    waiting = session.scalars(
        sa.select(HourReport)
        .where(HourReport.state == "checked", HourReport.checked_at <= now - dt.timedelta(days=2))
        .order_by(HourReport.checked_at, HourReport.id)
        .limit(MOST_AT_ONCE)
    ).all()
    each_alone(session, waiting, lambda report: _settle_silent(session, report, now))


def silent_until(session: Session, report: HourReport) -> dt.date | None:
    """The last day on which the other side may dispute; None where silence says nothing, or nobody had it yet."""
    days = silence_days_of(session, agreement_for(session, report.firm_id, report.agreement_id))
    arrived_at = report.arrived_at if report.side == "theirs" else _delivered_at(session, report)
    if not days or arrived_at is None:
        return None
    day = arrived_at.astimezone(BERLIN).date()
    return add_working_days(day, days, holidays_near(day))


def _settle_silent(session: Session, found: HourReport, now: dt.datetime) -> None:
    report = locked_report(session, found.firm_id, found.id)
    last = silent_until(session, report)
    if last is None or report.state != "checked":
        return
    if report.side == "ours":
        last = add_working_days(last, WORD_MAY_TAKE_DAYS, holidays_near(last))
    if now.astimezone(BERLIN).date() > last:
        settle(session, report, "auto_confirmed")


def _delivered_at(session: Session, report: HourReport) -> dt.datetime | None:
    return session.scalar(
        sa.select(Message.delivered_at)
        .where(Message.firm_id == report.firm_id, Message.subject_id == report.id, Message.direction == "out")
        .where(Message.kind.in_(("hours.reported", "hours.corrected")), Message.state == "delivered")
        .limit(1)
    )


def _check_theirs(report: HourReport) -> None:
    if report.side != "theirs":
        raise RuleBroken(OWN_REPORT)
