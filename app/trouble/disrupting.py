"""S47 at the firm that works: hours that it cannot work are told at once, and taken back when it works again."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.actions import lose_hours
from app.bookings.models import Booking
from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import WorkDisrupted, WorkResumed
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.hours.queries import done_min
from app.hours.rules import WORKABLE
from app.machines.actions import set_machine_state
from app.machines.queries import machine_for
from app.trouble.models import Disruption, DisruptionLine
from app.trouble.queries import disruption_for, running_disruptions
from app.trouble.rules import check_lost, is_providers, open_min


@dataclass(frozen=True)
class DisruptionDraft:
    """Why it stands and what that costs: minutes by booking. `back_on`: when it will probably go on."""

    reason: str
    note: str = ""
    back_on: dt.date | None = None
    minutes: Mapping[str, int] = field(default_factory=dict)


def report_disruption(session: Session, actor: Actor, booking_id: str, draft: DisruptionDraft) -> list[Disruption]:
    """Say that hours at a booking's machine cannot be worked: one disruption per partner, each told to it alone.

    Told again while it lasts, the new hours take the place of the old ones. What lies at the partner itself, as missing
    material does, concerns only the one whose job it is. Raises RuleBroken for hours that are not open.
    """
    bump_version(session, actor.firm_id)
    own = _own_booking(session, actor, booking_id)
    lost = _lost(session, own, draft)
    running = {one.partner_id: one for one in running_disruptions(session, actor.firm_id, own.machine_id)}
    told = []
    for partner_id in sorted({booking.partner_id for booking, _ in lost}):
        lines = [(booking, minutes) for booking, minutes in lost if booking.partner_id == partner_id]
        told.append(_write(session, actor, own, running.get(partner_id), draft, lines))
    if draft.reason == "machine" and machine_for(session, actor.firm_id, own.machine_id).state == "ready":
        # what a machine that stands has free, nobody is offered
        set_machine_state(session, actor, own.machine_id, "down")
    return told


def resume_work(session: Session, actor: Actor, disruption_id: str) -> Disruption:
    """It works again: every partner whose hours the machine cost gets to know. Twice says it once."""
    bump_version(session, actor.firm_id)
    found = disruption_for(session, actor.firm_id, disruption_id)
    if found.side != "ours":
        raise NotFound
    for one in running_disruptions(session, actor.firm_id, found.machine_id):
        one.ended_at = clock.now()
        emit(session, WorkResumed(actor.firm_id, one.id))
        note_event(session, actor.firm_id, actor.person_id, "work_resumed", "machine", one.machine_id, one.partner_id)
    if machine_for(session, actor.firm_id, found.machine_id).state == "down":
        set_machine_state(session, actor, found.machine_id, "ready")
    return found


def _own_booking(session: Session, actor: Actor, booking_id: str) -> Booking:
    booking = session.get(Booking, (actor.firm_id, booking_id))
    if booking is None or booking.side != "ours":
        raise NotFound
    if booking.state not in WORKABLE:
        raise Conflict("Diese Buchung ist schon beendet.")
    return booking


def _lost(session: Session, own: Booking, draft: DisruptionDraft) -> list[tuple[Booking, int]]:
    """The bookings that lose hours, each with its minutes; the rules are asked for each."""
    wanted = {booking_id: minutes for booking_id, minutes in draft.minutes.items() if minutes}
    query = (
        sa.select(Booking)
        .where(Booking.firm_id == own.firm_id, Booking.id.in_(wanted), Booking.side == "ours")
        .where(Booking.machine_id == own.machine_id, Booking.state.in_(WORKABLE))
        .order_by(Booking.id)
        .with_for_update()
    )
    if not is_providers(draft.reason):
        query = query.where(Booking.agreement_id == own.agreement_id)
    found = [(booking, wanted[booking.id]) for booking in session.scalars(query)]
    if not found:
        raise RuleBroken("Wie viele Stunden fehlen? Gib sie bei einer Woche ein.", f"hours_{own.id}")
    for booking, minutes in found:
        still_open = open_min(booking.agreed_min, done_min(session, own.firm_id, booking.id))
        check_lost(minutes, still_open, f"hours_{booking.id}")
    return found


def _write(
    session: Session, actor: Actor, own: Booking, known: Disruption | None, draft: DisruptionDraft,
    lines: Sequence[tuple[Booking, int]],
) -> Disruption:  # fmt: skip
    disruption = known or Disruption(
        firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), side="ours", partner_id=lines[0][0].partner_id,
        machine_id=own.machine_id, machine_name=own.machine_name,
    )  # fmt: skip
    disruption.reason, disruption.note, disruption.back_on = draft.reason, draft.note, draft.back_on
    session.add(disruption)
    session.flush()
    set_lines(session, disruption, lines)
    emit(session, WorkDisrupted(actor.firm_id, disruption.id))
    detail = {"machine": own.machine_name}
    note_event(
        session,
        actor.firm_id,
        actor.person_id,
        "work_disrupted",
        "machine",
        own.machine_id,
        disruption.partner_id,
        detail,
    )
    return disruption


def set_lines(session: Session, disruption: Disruption, lines: Sequence[tuple[Booking, int]]) -> None:
    """Keep which bookings lose how many minutes; what was told before and is not told now counts again."""
    mine = DisruptionLine.firm_id == disruption.firm_id, DisruptionLine.disruption_id == disruption.id
    for booking_id in session.scalars(sa.select(DisruptionLine.booking_id).where(*mine)).all():
        lose_hours(session, session.get_one(Booking, (disruption.firm_id, booking_id)), 0)
    session.execute(sa.delete(DisruptionLine).where(*mine))
    for booking, minutes in lines:
        session.add(
            DisruptionLine(
                firm_id=disruption.firm_id, id=new_id(), created_at=clock.now(), disruption_id=disruption.id,
                booking_id=booking.id, agreement_id=booking.agreement_id, lost_min=minutes,
            )
        )  # fmt: skip
        lose_hours(session, booking, minutes if is_providers(disruption.reason) else 0)
    session.flush()
