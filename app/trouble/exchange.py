"""Trouble between two firms: each message sent by one reaction, and nothing believed on arrival."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.actions import lose_hours, regain_hours
from app.bookings.models import Booking
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.events import DisruptionArrived, WorkDisrupted, WorkResumed
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.firms.actions import bump_version
from app.hours.queries import counted_min
from app.hours.rules import WORKABLE
from app.trouble.disrupting import set_lines
from app.trouble.helping import take_back_questions
from app.trouble.models import Disruption
from app.trouble.queries import disruption_for, lost_hours
from app.trouble.rules import check_lost, open_min
from app.trouble.telling import tell_of_disruption, tell_settled
from app.trouble.wire import Disrupted, LostLine, body_of, read_disrupted, read_resumed


def send_disruption(session: Session, event: WorkDisrupted) -> None:
    """Our people said that it stands: the partner gets the hours that this costs it, and no others."""
    disruption = disruption_for(session, event.firm_id, event.disruption_id)
    if disruption.ended_at is not None:
        return
    disrupted = Disrupted(
        disruption_id=disruption.id,
        machine_id=disruption.machine_id,
        reason=disruption.reason,
        note=disruption.note,
        back_on=disruption.back_on.isoformat() if disruption.back_on else "",
        lines=tuple(LostLine(one.agreement_id, one.line_no, one.lost_min) for one in lost_hours(session, disruption)),
    )
    send_message(session, event.firm_id, disruption.partner_id, "booking.disrupted", body_of(disrupted), disruption.id)


def send_resumption(session: Session, event: WorkResumed) -> None:
    """It works again. Who works tells the partner; the partner's people get to know."""
    disruption = disruption_for(session, event.firm_id, event.disruption_id)
    if disruption.side == "theirs":
        take_back_questions(session, disruption)
        tell_settled(session, disruption)
        return
    body = {"disruption_id": disruption.id}
    message_id = send_message(session, event.firm_id, disruption.partner_id, "booking.resumed", body, disruption.id)
    for booking in _bookings(session, disruption):
        regain_hours(session, booking, message_id)


def announce_disruption(session: Session, event: DisruptionArrived) -> None:
    """Managers and foremen hear how many hours they miss."""
    tell_of_disruption(session, disruption_for(session, event.firm_id, event.disruption_id))


def receive_disruption(session: Session, incoming: Incoming) -> None:
    """A partner cannot work hours of ours. Told again, the new hours count.

    Raises RuleBroken or NotFound for hours that are not open or not the partner's.
    """
    disrupted = read_disrupted(incoming.body)
    known = session.get(Disruption, (incoming.firm_id, disrupted.disruption_id))
    if known is not None and (known.partner_id != incoming.from_id or known.side != "theirs" or known.ended_at):
        raise _refused("disruption_id")
    bump_version(session, incoming.firm_id)
    lines = [_lost(session, incoming, disrupted, line) for line in sorted(disrupted.lines, key=lambda one: one.line_no)]
    disruption = known or Disruption(
        firm_id=incoming.firm_id, id=disrupted.disruption_id, created_at=incoming.at, side="theirs",
        partner_id=incoming.from_id, machine_id=disrupted.machine_id, machine_name=lines[0][0].machine_name,
    )  # fmt: skip
    disruption.reason, disruption.note = disrupted.reason, disrupted.note
    disruption.back_on = dt.date.fromisoformat(disrupted.back_on) if disrupted.back_on else None
    session.add(disruption)
    session.flush()
    set_lines(session, disruption, lines)
    emit(session, DisruptionArrived(incoming.firm_id, disruption.id))


def receive_resumption(session: Session, incoming: Incoming) -> None:
    """The partner works again: what we have not given back it works after all."""
    disruption = disruption_for(session, incoming.firm_id, read_resumed(incoming.body))
    if disruption.partner_id != incoming.from_id or disruption.side != "theirs":
        raise NotFound
    if disruption.ended_at is not None:
        return
    disruption.ended_at = clock.now()
    for booking in _bookings(session, disruption):
        lose_hours(session, booking, 0)
    emit(session, WorkResumed(incoming.firm_id, disruption.id))


def _lost(session: Session, incoming: Incoming, disrupted: Disrupted, line: LostLine) -> tuple[Booking, int]:
    """A line of ours that the partner works on at that machine, and minutes of it that nobody reported yet."""
    booking = session.scalar(
        sa.select(Booking)
        .where(Booking.firm_id == incoming.firm_id, Booking.agreement_id == line.agreement_id)
        .where(Booking.line_no == line.line_no, Booking.partner_id == incoming.from_id, Booking.side == "theirs")
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if booking is None or booking.machine_id != disrupted.machine_id:
        raise NotFound
    if booking.state not in WORKABLE:
        raise _refused("line_no")
    check_lost(line.lost_min, open_min(booking.agreed_min, counted_min(session, booking, "")), "lost_min")
    return booking, line.lost_min


def _bookings(session: Session, disruption: Disruption) -> list[Booking]:
    """The bookings that it costs hours, for writing, in one order."""
    ids = sorted(one.booking_id for one in lost_hours(session, disruption))
    return [session.get_one(Booking, (disruption.firm_id, one), with_for_update=True) for one in ids]


def _refused(field: str) -> RuleBroken:
    return RuleBroken("Diese Meldung passt nicht zu unseren Daten: %(name)s.", field, name=field)
