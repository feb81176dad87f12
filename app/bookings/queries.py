"""Bookings of the acting firm, as rows for lists."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.bookings.rules import LIVE
from app.core.errors import NotFound
from app.firms.access import Actor
from app.partners.models import Partnership

COLUMNS = (
    Booking.id, Booking.side, Booking.is_our_work, Booking.agreement_id, Booking.line_no, Booking.request_id, Booking.partner_id,
    Booking.machine_id, Booking.machine_name, Booking.week, Booking.agreed_min, Booking.lost_min, Booking.title,
    Booking.state,
    Partnership.name.label("partner_name"), Partnership.short_name.label("partner_short_name"),
)  # fmt: skip


def bookings_from(session: Session, actor: Actor, first_week: str) -> Sequence[sa.Row[Any]]:
    """Live bookings of both sides from a week on, by week, machine and partner; without rates."""
    return session.execute(
        _with_partner()
        .where(Booking.firm_id == actor.firm_id, Booking.week >= first_week, Booking.state.in_(LIVE))
        .order_by(Booking.week, Booking.machine_name, Partnership.name, Booking.id)
    ).all()


def own_jobs(session: Session, actor: Actor, week: str) -> Sequence[sa.Row[Any]]:
    """What our own people do under agreements with partners in one week."""
    return session.execute(
        _with_partner()
        .where(Booking.firm_id == actor.firm_id, Booking.is_our_work, Booking.week == week)
        .where(Booking.state.in_(("confirmed", "running", "done")))
        .order_by(Booking.machine_name, Booking.id)
    ).all()


def booking_for(session: Session, actor: Actor, booking_id: str) -> sa.Row[Any]:
    """One booking with its partner; raises NotFound."""
    row = session.execute(_with_partner().where(Booking.firm_id == actor.firm_id, Booking.id == booking_id)).first()
    if row is None:
        raise NotFound
    return row


def bookings_of(session: Session, firm_id: str, agreement_id: str) -> Sequence[Booking]:
    """All bookings of one agreement, by line."""
    return session.scalars(
        sa.select(Booking)
        .where(Booking.firm_id == firm_id, Booking.agreement_id == agreement_id)
        .order_by(Booking.line_no)
    ).all()


def _with_partner() -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*COLUMNS).join(
        Partnership, (Partnership.firm_id == Booking.firm_id) & (Partnership.partner_id == Booking.partner_id)
    )
