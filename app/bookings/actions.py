"""Bookings follow agreements: they are made, confirmed, changed and released in the transaction that sealed the record."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.bookings.rules import check_step
from app.core import clock
from app.core.errors import NotFound
from app.core.events import BookingChanged, BookingsConfirmed
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.actions import bump_version


@dataclass(frozen=True)
class BookedLine:
    """One line of an agreement as a booking needs it."""

    line_no: int
    machine_id: str
    machine_name: str
    week: str
    minutes: int
    rate_cents_per_hour: int


@dataclass(frozen=True)
class BookedAgreement:
    """What a booking remembers of its agreement. `side` ours: on our machine for a partner; theirs: the other way round.

    `is_lease`: the machine is lent, so that the requester's people work at it.
    """

    firm_id: str
    agreement_id: str
    request_id: str
    partner_id: str
    side: str
    title: str
    is_lease: bool = False


def book_lines(
    session: Session, agreement: BookedAgreement, lines: Sequence[BookedLine], state: str = "confirmed"
) -> None:
    """Write one booking per line; a line that is booked already stays as it is. `state`: confirmed, or held in a bundle."""
    done = set(
        session.scalars(
            sa.select(Booking.line_no).where(
                Booking.firm_id == agreement.firm_id, Booking.agreement_id == agreement.agreement_id
            )
        )
    )
    session.add_all(_booking(agreement, line, state) for line in lines if line.line_no not in done)
    session.flush()
    if state == "confirmed":
        emit(session, BookingsConfirmed(agreement.firm_id, agreement.agreement_id))
    bump_version(session, agreement.firm_id)


def confirm_held(session: Session, firm_id: str, agreement_id: str) -> None:
    """The bundle became effective: what was held is now booked."""
    _move_all(session, firm_id, agreement_id, "held", "confirmed")
    emit(session, BookingsConfirmed(firm_id, agreement_id))


def release_bookings(session: Session, firm_id: str, agreement_id: str) -> None:
    """The agreement lapsed before it became effective: nothing is booked any more."""
    _move_all(session, firm_id, agreement_id, "held", "released")


def change_booking(session: Session, firm_id: str, agreement_id: str, line_no: int, new_min: int) -> Booking:
    """Set the agreed minutes of one booking after a signed change; 0 cancels it. Raises NotFound or RuleBroken."""
    booking = session.scalar(
        sa.select(Booking)
        .where(Booking.firm_id == firm_id, Booking.agreement_id == agreement_id, Booking.line_no == line_no)
        .with_for_update()
    )
    if booking is None:
        raise NotFound
    if new_min == 0:
        check_step(booking.state, "cancelled")
        booking.state, booking.ended_at = "cancelled", clock.now()
    # what is given back first is what was lost
    booking.lost_min = max(0, booking.lost_min - max(0, booking.agreed_min - new_min))
    booking.agreed_min = new_min
    emit(session, BookingChanged(firm_id, booking.id))
    bump_version(session, firm_id)
    return booking


def lose_hours(session: Session, booking: Booking, minutes: int) -> None:
    """Note what the provider cannot work of a booking; 0: it can work all of it again."""
    booking.lost_min, booking.back_message_id = min(minutes, booking.agreed_min), ""
    bump_version(session, booking.firm_id)


def regain_hours(session: Session, booking: Booking, message_id: str) -> None:
    """At the provider: it works again. What the requester signs before it reads that message still stands."""
    booking.back_message_id = message_id
    bump_version(session, booking.firm_id)


def start_booking(session: Session, booking: Booking) -> None:
    """Somebody works on it; what runs or is done stays so."""
    if booking.state == "confirmed":
        check_step(booking.state, "running")
        booking.state = "running"


def finish_booking(session: Session, firm_id: str, booking_id: str) -> None:
    """Both sides stand by its hours."""
    booking = session.get_one(Booking, (firm_id, booking_id), with_for_update=True)
    if booking.state in ("confirmed", "running"):
        start_booking(session, booking)
        check_step(booking.state, "done")
        booking.state = "done"
        bump_version(session, firm_id)


def settle_booking(session: Session, booking: Booking, is_settled: bool) -> None:
    """All its hours are invoiced and paid, or no longer."""
    then = "settled" if is_settled else "done"
    if booking.state != then:
        check_step(booking.state, then)
        booking.state = then
        bump_version(session, booking.firm_id)


def _booking(agreement: BookedAgreement, line: BookedLine, state: str) -> Booking:
    known = {name: value for name, value in vars(agreement).items() if name != "is_lease"}
    return Booking(
        **known,
        is_our_work=(agreement.side == "ours") is not agreement.is_lease,
        id=new_id(),
        created_at=clock.now(),
        line_no=line.line_no,
        machine_id=line.machine_id,
        machine_name=line.machine_name,
        week=line.week,
        agreed_min=line.minutes,
        rate_cents_per_hour=line.rate_cents_per_hour,
        state=state,
    )


def _move_all(session: Session, firm_id: str, agreement_id: str, now: str, then: str) -> None:
    check_step(now, then)
    ended_at = clock.now() if then in ("released", "cancelled") else None
    session.execute(
        sa.update(Booking)
        .where(Booking.firm_id == firm_id, Booking.agreement_id == agreement_id, Booking.state == now)
        .values(state=then, ended_at=ended_at)
    )
    bump_version(session, firm_id)
