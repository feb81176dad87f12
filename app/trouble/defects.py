"""S49: the requester takes the work or says what is wrong with it; who made the parts mends them or disagrees."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.queries import agreement_for
from app.bookings.models import Booking
from app.capacity.rules import add_working_days
from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import DefectAnswered, DefectReported, DefectSettled, WorkAccepted
from app.core.holidays import holidays_near
from app.core.ids import new_id
from app.core.outbox import emit
from app.core.units import BERLIN
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.hours.models import HourReport
from app.hours.queries import confirmed_hours
from app.hours.record import framework_facts
from app.hours.rules import COUNTING
from app.requests.drafting import Upload
from app.trouble.models import Acceptance, Defect
from app.trouble.photos import keep_photos
from app.trouble.queries import acceptance_of, defect_for, open_defects
from app.trouble.records import freeze_record
from app.trouble.rules import DEFECTS_UNTIL, check_defect_step


def report_defect(session: Session, actor: Actor, booking_id: str, text: str, photos: Sequence[Upload]) -> Defect:
    """Say what is wrong with parts of a booking; after the time to accept it counts as a hidden defect.

    Raises RuleBroken when nobody worked yet, or when claims for defects are over.
    """
    booking = _taken(session, actor.firm_id, booking_id)
    until = accept_until(session, booking)
    if until is None:
        raise RuleBroken("Hier hat noch niemand gearbeitet.")
    if clock.today() > until + DEFECTS_UNTIL:
        raise RuleBroken("Nach zwölf Monaten lässt sich kein Mangel mehr melden.")
    now = clock.now()
    defect = Defect(
        firm_id=actor.firm_id, id=new_id(), created_at=now, side="theirs", partner_id=booking.partner_id,
        booking_id=booking.id, agreement_id=booking.agreement_id, reported_at=now, text=text,
        is_late=clock.today() > until, state="reported",
    )  # fmt: skip
    session.add(defect)
    session.flush()
    keep_photos(session, actor.firm_id, defect.id, booking.agreement_id, photos)
    emit(session, DefectReported(actor.firm_id, defect.id))
    note_event(session, actor.firm_id, actor.person_id, "defect_reported", "booking", booking.id, booking.partner_id)
    bump_version(session, actor.firm_id)
    return defect


def accept_work(session: Session, actor: Actor, booking_id: str) -> Acceptance:
    """Take the work of a booking with the hours that both stand by; twice takes it once.

    Raises RuleBroken while no hour is confirmed, Conflict while a defect is open.
    """
    booking = _taken(session, actor.firm_id, booking_id)
    known = acceptance_of(session, actor.firm_id, booking_id)
    if known is not None:
        return known
    minutes = sum(one.minutes for one in confirmed_hours(session, actor.firm_id, booking_id) if one.kind == "run")
    if not minutes:
        raise RuleBroken("Bestätige zuerst die Stunden. Dann nimm die Arbeit ab.")
    if open_defects(session, actor.firm_id, booking_id):
        raise Conflict("Ein Mangel ist noch offen. Kläre ihn zuerst.")
    acceptance = Acceptance(
        firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), side="theirs", partner_id=booking.partner_id,
        booking_id=booking.id, agreement_id=booking.agreement_id, accepted_min=minutes,
    )  # fmt: skip
    session.add(acceptance)
    session.flush()
    freeze_record(session, acceptance)
    emit(session, WorkAccepted(actor.firm_id, acceptance.id))
    note_event(session, actor.firm_id, actor.person_id, "work_accepted", "booking", booking.id, booking.partner_id)
    bump_version(session, actor.firm_id)
    return acceptance


def answer_defect(session: Session, actor: Actor, defect_id: str, answer: str, text: str) -> None:
    """Whoever made the parts reworks them or disputes the defect; raises Conflict when it is settled."""
    defect = _locked(session, actor.firm_id, defect_id, "ours")
    if defect.state == answer:
        return
    check_defect_step(defect.state, answer)
    defect.state, defect.answer, defect.answered_at = answer, text, clock.now()
    emit(session, DefectAnswered(actor.firm_id, defect.id))
    note_event(
        session, actor.firm_id, actor.person_id, "defect_answered", "booking", defect.booking_id, defect.partner_id
    )
    bump_version(session, actor.firm_id)


def settle_defect(session: Session, actor: Actor, defect_id: str) -> Defect:
    """The requester says that it is mended; twice says it once."""
    defect = _locked(session, actor.firm_id, defect_id, "theirs")
    if defect.state == "settled":
        return defect
    check_defect_step(defect.state, "settled")
    defect.state, defect.settled_at = "settled", clock.now()
    emit(session, DefectSettled(actor.firm_id, defect.id))
    note_event(
        session, actor.firm_id, actor.person_id, "defect_settled", "booking", defect.booking_id, defect.partner_id
    )
    bump_version(session, actor.firm_id)
    return defect


def accept_until(session: Session, booking: Booking) -> dt.date | None:
    """The last day to accept a booking: so many working days after its newest hour report (clause 11); None without one."""
    last = session.scalar(
        sa.select(sa.func.max(HourReport.checked_at)).where(
            HourReport.firm_id == booking.firm_id, HourReport.booking_id == booking.id, HourReport.state.in_(COUNTING)
        )
    )
    if last is None:
        return None
    facts = framework_facts(session, agreement_for(session, booking.firm_id, booking.agreement_id))
    day = last.astimezone(BERLIN).date()
    return add_working_days(day, facts.acceptance_days if facts else USUAL_DAYS, holidays_near(day))


USUAL_DAYS = 10


def _taken(session: Session, firm_id: str, booking_id: str) -> Booking:
    """A booking that a partner works on for us, for writing."""
    booking = session.get(Booking, (firm_id, booking_id), with_for_update=True)
    if booking is None or booking.side != "theirs":
        raise NotFound
    return booking


def _locked(session: Session, firm_id: str, defect_id: str, side: str) -> Defect:
    defect = defect_for(session, firm_id, defect_id)
    session.refresh(defect, with_for_update=True)
    if defect.side != side:
        raise NotFound
    return defect
