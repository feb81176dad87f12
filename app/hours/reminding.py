"""At the end of a shift: whose hours are missing is asked once, and one tap on the message sends them."""

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.capacity.calendar import calendars
from app.core.db import each_alone
from app.core.errors import NotFound
from app.core.units import BERLIN, week_of
from app.firms.access import Actor, Role
from app.firms.models import Person
from app.firms.queries import firm_of, people, person_for, roles_of
from app.hours.models import HourAuthor, HourEntry, HourReport
from app.hours.queries import entry_by_key, reported_min
from app.hours.reporting import EntryDraft, correct_entry, key_of, report_hours
from app.hours.rules import planned_min
from app.machines.models import Machine
from app.notary.transfer import firms_elsewhere
from app.partners.queries import partnership_with
from app.push.actions import alert_people
from app.push.models import AnswerToken

STILL_ASKED = dt.timedelta(hours=1)
"""So late after the end of a shift a node that was away still asks."""


def remind_of_hours(session: Session, now: dt.datetime) -> None:
    """When a shift of the machine's site goes home: jobs of this week on which nobody has reported today."""
    today = now.astimezone(BERLIN).date()
    for firm_id, jobs in groupby(_silent_jobs(session, today), lambda job: job.Booking.firm_id):
        of_site = calendars(session, firm_id)
        ends = [(booking, end) for booking, site_id in jobs for end in of_site[site_id].shift_ends(today)]
        due = [(booking, end) for booking, end in ends if end <= now < end + STILL_ASKED]
        each_alone(session, due, lambda one: _remind(session, *one))


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


def _silent_jobs(session: Session, day: dt.date) -> Sequence[sa.Row[Booking, str]]:
    """Bookings of the week with the site where their machine stands, firm by firm."""
    on_report = (HourReport.firm_id == HourEntry.firm_id) & (HourReport.id == HourEntry.report_id)
    reported = sa.select(HourReport.booking_id).join(HourEntry, on_report)
    reported = reported.where(HourReport.firm_id == Booking.firm_id, HourEntry.day == day)
    on_machine = (Machine.firm_id == Booking.firm_id) & (Machine.id == Booking.machine_id)
    return session.execute(
        sa.select(Booking, Machine.site_id)
        .join(Machine, on_machine)
        .where(Booking.is_our_work, Booking.week == week_of(day), Booking.state.in_(("confirmed", "running")))
        .where(Booking.id.not_in(reported.correlate(Booking)), Booking.firm_id.not_in(firms_elsewhere()))
        .order_by(Booking.firm_id, Booking.id)
    ).all()


def _remind(session: Session, booking: Booking, end: dt.datetime) -> None:
    is_named = firm_of(session, booking.firm_id).name_in_push
    partner = partnership_with(session, booking.firm_id, booking.partner_id)
    minutes = planned_min(booking.agreed_min, reported_min(session, booking.firm_id, booking.id))
    values = {
        "name": partner.short_name if is_named else "",
        "part": booking.title,
        "minutes": minutes,
        "version": minutes,
        "reply_by": dt.datetime.combine(end.date(), dt.time.max, BERLIN).astimezone(dt.UTC).isoformat(),
    }
    url, once = f"/auftrag/{booking.id}/stunden", f"hours:{booking.id}:{end:%Y-%m-%d %H:%M}"
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
