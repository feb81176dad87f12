"""The worker's part: hours written down once, corrected by new entries, and never more than the day holds."""

import datetime as dt
import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.actions import start_booking
from app.bookings.models import Booking
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.ids import new_id
from app.firms.access import Actor, may
from app.firms.actions import bump_version
from app.hours.models import HourAuthor, HourEntry, HourReport
from app.hours.queries import author_of, entry_by_key, is_corrected, machine_min, open_report
from app.hours.rules import HIDDEN_AFTER, OPEN, WORKABLE, check_day, check_entry
from app.notary.queries import derived_secret
from app.push.actions import cancel_alerts

MOST_AT_ONCE = 500


@dataclass(frozen=True)
class EntryDraft:
    """One entry as it was typed; `phone_at` is when a phone without net kept it, by its own clock."""

    day: dt.date
    minutes: int
    kind: str = "run"
    quantity: int = 0
    scrap: int = 0
    phone_at: dt.datetime | None = None


def report_hours(session: Session, actor: Actor, booking_id: str, draft: EntryDraft, key: str) -> HourEntry:
    """Write down what was worked; the same key again gives the entry that it made first.

    Raises NotFound for a job that is not ours to do, RuleBroken for what cannot be.
    """
    booking = _locked_job(session, actor, booking_id)
    earlier = entry_by_key(session, actor.firm_id, key_of(actor, key))
    if earlier is not None:
        return earlier
    check_day(draft.day, booking.week, clock.today())
    check_entry(draft.minutes, draft.quantity, draft.scrap, machine_min(session, booking, draft.day))
    if draft.minutes == 0:
        raise RuleBroken("Gib die Stunden als Zahl ein, zum Beispiel 7,5.", "hours")
    report = open_report(session, booking) or _new_report(session, booking)
    entry = _write(session, actor, report, draft, key)
    _note_work(session, booking, report)
    return entry


def correct_entry(session: Session, actor: Actor, entry_id: str, draft: EntryDraft, key: str) -> HourEntry:
    """A new entry takes the place of the old one, which stays; 0 minutes take it back.

    Raises NotFound for an entry of somebody else, RuleBroken once the foreman has checked it.
    """
    old = own_entry(session, actor, entry_id)
    report = session.get_one(HourReport, (actor.firm_id, old.report_id))
    booking = _locked_job(session, actor, report.booking_id)
    session.refresh(report)
    earlier = entry_by_key(session, actor.firm_id, key_of(actor, key))
    if earlier is not None:
        return earlier
    if report.state not in OPEN or is_corrected(session, old):
        raise RuleBroken("Dein Meister hat diese Stunden schon geprüft. Frag ihn.")
    check_day(draft.day, booking.week, clock.today())
    others_min = machine_min(session, booking, draft.day, but_not=old.id)
    check_entry(draft.minutes, draft.quantity, draft.scrap, others_min)
    entry = _write(session, actor, report, draft, key, old)
    bump_version(session, actor.firm_id)
    return entry


def own_entry(session: Session, actor: Actor, entry_id: str) -> HourEntry:
    """An entry that this person wrote, or any of our people's for a foreman; raises NotFound."""
    entry = session.get(HourEntry, (actor.firm_id, entry_id))
    author = author_of(session, actor.firm_id, entry_id)
    if entry is None or author is None or not (author.person_id == actor.person_id or may(actor, "hours.check")):
        raise NotFound
    return entry


def hide_authors(session: Session, now: dt.datetime) -> None:
    """Once an hour: after 90 days a pseudonym stands where the person's id was."""
    if now.minute:
        return
    due = session.scalars(
        sa.select(HourAuthor)
        .where(HourAuthor.hidden_at.is_(None), HourAuthor.created_at <= now - HIDDEN_AFTER)
        .order_by(HourAuthor.firm_id, HourAuthor.id)
        .limit(MOST_AT_ONCE)
    )
    for author in due:
        secret = derived_secret(session, author.firm_id, f"hour author {author.person_id}")
        author.person_id, author.hidden_at = secret.hex()[:36], now


def key_of(actor: Actor, key: str) -> str:
    """What stands for a phone's random key: it names one entry of this person, and tells nothing of either."""
    return hashlib.sha256(f"{actor.person_id} {key}".encode()).hexdigest()


def _locked_job(session: Session, actor: Actor, booking_id: str) -> Booking:
    """Who reports on one machine comes one after the other: the day's sum is read and written under this lock."""
    booking = session.get(Booking, (actor.firm_id, booking_id))
    if booking is None or not booking.is_our_work:
        raise NotFound
    same_machine = sa.select(Booking.id).where(
        Booking.firm_id == actor.firm_id, Booking.machine_id == booking.machine_id
    )
    session.execute(same_machine.order_by(Booking.id).with_for_update()).all()
    session.refresh(booking)
    if booking.state not in WORKABLE:
        raise RuleBroken("Auf diesen Auftrag könnt ihr keine Stunden melden. Frag deinen Meister.")
    return booking


def _new_report(session: Session, booking: Booking) -> HourReport:
    report = HourReport(
        firm_id=booking.firm_id, id=new_id(), created_at=clock.now(), side="ours", booking_id=booking.id,
        agreement_id=booking.agreement_id, partner_id=booking.partner_id, week=booking.week, state="reported",
    )  # fmt: skip
    session.add(report)
    session.flush()
    return report


def _write(
    session: Session, actor: Actor, report: HourReport, draft: EntryDraft, key: str, old: HourEntry | None = None
) -> HourEntry:
    """The entry, and apart from it who wrote it; a correction stays with whom the hours belong to."""
    author = None if old is None else author_of(session, actor.firm_id, old.id)
    entry = HourEntry(
        firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), report_id=report.id, day=draft.day,
        minutes=draft.minutes, kind=draft.kind, quantity=draft.quantity, scrap=draft.scrap,
        corrects=old.id if old else None, entry_key=key_of(actor, key), phone_at=draft.phone_at,
        is_late=_is_late(session, report),
    )  # fmt: skip
    session.add(entry)
    session.flush()
    session.add(
        HourAuthor(
            firm_id=actor.firm_id, id=entry.id, created_at=author.created_at if author else clock.now(),
            person_id=author.person_id if author else actor.person_id,
        )
    )  # fmt: skip
    session.flush()
    return entry


def _is_late(session: Session, report: HourReport) -> bool:
    """The foreman had closed this week before."""
    closed = sa.select(HourReport.id).where(
        HourReport.firm_id == report.firm_id, HourReport.booking_id == report.booking_id, HourReport.id != report.id
    )
    return report.supersedes is None and session.scalar(closed.limit(1)) is not None


def _note_work(session: Session, booking: Booking, report: HourReport) -> None:
    report.state = "reported"
    start_booking(session, booking)
    cancel_alerts(session, booking.firm_id, booking.id)
    bump_version(session, booking.firm_id)
