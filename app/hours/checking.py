"""The provider's foreman: closes a week, so that its report is sealed and sent, and corrects what was disputed."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import agreement_for
from app.bookings.models import Booking
from app.bookings.rules import most_min
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.events import HoursChecked
from app.core.ids import new_id
from app.core.outbox import emit
from app.core.units import hours_text
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.hours.documents import render_report
from app.hours.models import HourAuthor, HourEntry, HourReport
from app.hours.queries import author_of, counted_min, entries_of, report_for
from app.hours.record import hours_facts, report_message, seal_record, tolerance_of
from app.hours.rules import OPEN, check_step


def check_reports(session: Session, actor: Actor, report_ids: Iterable[str]) -> list[HourReport]:
    """Close these reports of our own people, each sealed into our log; raises RuleBroken for one that cannot be."""
    found = [report_for(session, actor.firm_id, one) for one in set(report_ids)]
    # bookings are locked in one order everywhere
    in_order = sorted(found, key=lambda report: (report.booking_id, report.id))
    return [_check(session, actor, locked_report(session, actor.firm_id, one.id)) for one in in_order]


def start_correction(session: Session, actor: Actor, report_id: str) -> HourReport:
    """A new report takes over the entries of a disputed one, to be changed and sent again; the old one stays as it is."""
    old = locked_report(session, actor.firm_id, report_id)
    if old.side != "ours":
        raise NotFound
    check_step(old.state, "corrected")
    old.state = "corrected"
    new = HourReport(
        firm_id=old.firm_id, id=new_id(), created_at=clock.now(), side="ours", booking_id=old.booking_id,
        agreement_id=old.agreement_id, partner_id=old.partner_id, week=old.week, state="draft", supersedes=old.id,
    )  # fmt: skip
    session.add(new)
    session.flush()
    for entry in entries_of(session, old.firm_id, old.id):
        _take_over(session, actor, entry, new)
    bump_version(session, actor.firm_id)
    return new


def locked_report(session: Session, firm_id: str, report_id: str) -> HourReport:
    """The report for writing, its booking locked first: sums over the booking's reports hold; raises NotFound."""
    found = report_for(session, firm_id, report_id)
    session.get(Booking, (firm_id, found.booking_id), with_for_update=True, populate_existing=True)
    return session.get_one(HourReport, (firm_id, report_id), with_for_update=True, populate_existing=True)


def check_tolerance(session: Session, agreement: Agreement, booking: Booking, minutes: int, but_not: str) -> None:
    """Raise RuleBroken when a booking's hours would be more than agreed and the tolerance on top."""
    most = most_min(booking.agreed_min, tolerance_of(agreement))
    if counted_min(session, booking, but_not) + minutes > most:
        raise RuleBroken(
            "Für %(machine)s sind nur %(most)s Stunden vereinbart. Fragt zuerst nach einer Änderung.",
            machine=booking.machine_name,
            most=hours_text(most),
        )


def note_counted(session: Session, booking: Booking) -> None:
    """Keep at the booking what of its hours counts: whoever wants to agree on fewer hours lies below us."""
    session.flush()
    booking.counted_min = counted_min(session, booking, but_not="")


def _check(session: Session, actor: Actor, report: HourReport) -> HourReport:
    if report.side != "ours":
        raise NotFound
    if report.state not in OPEN:
        check_step(report.state, "checked")
    agreement = agreement_for(session, report.firm_id, report.agreement_id)
    booking = session.get_one(Booking, (report.firm_id, report.booking_id))
    facts = hours_facts(session, agreement, booking, report)
    if not facts.lines:
        raise RuleBroken("In dieser Meldung stehen keine Stunden.")
    check_tolerance(session, agreement, booking, facts.minutes(), report.id)
    message = report_message(session, agreement, report.id, facts, by_us=True)
    seal_record(session, report, "report", message, render_report(facts))
    report.state, report.checked_at = "checked", clock.now()
    note_counted(session, booking)
    note_event(session, actor.firm_id, actor.person_id, "hours_checked", "hours", report.id, report.partner_id)
    bump_version(session, actor.firm_id)
    emit(session, HoursChecked(report.firm_id, report.id))
    return report


def _take_over(session: Session, actor: Actor, old: HourEntry, report: HourReport) -> None:
    author = author_of(session, old.firm_id, old.id)
    entry = HourEntry(
        firm_id=old.firm_id, id=new_id(), created_at=clock.now(), report_id=report.id, day=old.day, minutes=old.minutes,
        kind=old.kind, quantity=old.quantity, scrap=old.scrap, corrects=old.id, is_late=old.is_late,
    )  # fmt: skip
    session.add(entry)
    session.flush()
    session.add(
        HourAuthor(
            firm_id=old.firm_id, id=entry.id, created_at=author.created_at if author else clock.now(),
            person_id=author.person_id if author else actor.person_id, hidden_at=author.hidden_at if author else None,
        )
    )  # fmt: skip
    session.flush()
