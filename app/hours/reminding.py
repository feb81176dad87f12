"""At the end of a shift: whose hours are missing is asked once, and one tap on the message sends them."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.capacity.rules import is_working_day
from app.core.db import each_alone
from app.core.errors import NotFound
from app.core.holidays import holidays_near
from app.core.units import BERLIN, week_of
from app.firms.access import Actor, Role
from app.firms.models import Person
from app.firms.queries import firm_of, people, person_for, roles_of
from app.hours.models import HourAuthor, HourEntry, HourReport
from app.hours.queries import entry_by_key, reported_min
from app.hours.reporting import EntryDraft, correct_entry, key_of, report_hours
from app.hours.rules import planned_min
from app.notary.transfer import firms_elsewhere
from app.partners.queries import partnership_with
from app.push.actions import alert_people
from app.push.models import AnswerToken

SHIFT_ENDS = dt.time(14, 0)
ANSWER_UNTIL = dt.time(22, 0)


def remind_of_hours(session: Session, now: dt.datetime) -> None:
    """At the end of the early shift of a working day: jobs of this week on which nobody has reported today."""
    local = now.astimezone(BERLIN)
    if (local.hour, local.minute) != (SHIFT_ENDS.hour, SHIFT_ENDS.minute):
        return
    if not is_working_day(local.date(), holidays_near(local.date())):
        return
    each_alone(session, _silent_jobs(session, local.date()), lambda booking: _remind(session, booking, local))


def send_by_token(session: Session, used: AnswerToken) -> None:
    """One tap on the message: the hours that it named, on the day on which it was sent."""
    draft = EntryDraft(used.created_at.astimezone(BERLIN).date(), used.request_version)
    report_hours(session, _who(session, used), used.request_id, draft, used.id)


def take_back_by_token(session: Session, used: AnswerToken) -> None:
    """The tap was a mistake, said within ten minutes; raises NotFound for hours that were never sent."""
    actor = _who(session, used)
    entry = entry_by_key(session, actor.firm_id, key_of(actor, used.id))
    if entry is None:
        raise NotFound
    correct_entry(session, actor, entry.id, EntryDraft(entry.day, 0), f"undo {used.id}")


def _silent_jobs(session: Session, day: dt.date) -> Sequence[Booking]:
    on_report = (HourReport.firm_id == HourEntry.firm_id) & (HourReport.id == HourEntry.report_id)
    reported = sa.select(HourReport.booking_id).join(HourEntry, on_report)
    reported = reported.where(HourReport.firm_id == Booking.firm_id, HourEntry.day == day)
    return session.scalars(
        sa.select(Booking)
        .where(Booking.is_our_work, Booking.week == week_of(day), Booking.state.in_(("confirmed", "running")))
        .where(Booking.id.not_in(reported.correlate(Booking)), Booking.firm_id.not_in(firms_elsewhere()))
        .order_by(Booking.firm_id, Booking.id)
    ).all()


def _remind(session: Session, booking: Booking, local: dt.datetime) -> None:
    is_named = firm_of(session, booking.firm_id).name_in_push
    partner = partnership_with(session, booking.firm_id, booking.partner_id)
    minutes = planned_min(booking.agreed_min, reported_min(session, booking.firm_id, booking.id))
    values = {
        "name": partner.short_name if is_named else "",
        "part": booking.title,
        "minutes": minutes,
        "version": minutes,
        "reply_by": dt.datetime.combine(local.date(), ANSWER_UNTIL, BERLIN).astimezone(dt.UTC).isoformat(),
    }
    url, once = f"/auftrag/{booking.id}/stunden", f"hours:{booking.id}:{local.date()}"
    alert_people(session, booking.firm_id, _workers(session, booking), "hours", booking.id, url, values, once)


def _workers(session: Session, booking: Booking) -> Sequence[Person | str]:
    """Who reported on this job before, else all workers: nobody is assigned to a machine here."""
    known = session.scalars(
        sa.select(HourAuthor.person_id)
        .join(HourEntry, (HourEntry.firm_id == HourAuthor.firm_id) & (HourEntry.id == HourAuthor.id))
        .join(HourReport, (HourReport.firm_id == HourEntry.firm_id) & (HourReport.id == HourEntry.report_id))
        .where(HourReport.firm_id == booking.firm_id, HourReport.booking_id == booking.id)
        .where(HourAuthor.hidden_at.is_(None))
        .distinct()
    ).all()
    return known or people(session, booking.firm_id, Role.WORKER)


def _who(session: Session, used: AnswerToken) -> Actor:
    person, roles = person_for(session, used.firm_id, used.person_id), roles_of(session, used.firm_id, used.person_id)
    return Actor(used.firm_id, used.person_id, frozenset(roles), Role.WORKER, person.name, "", language=person.language)
