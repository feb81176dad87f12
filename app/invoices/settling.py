"""Bookings that are over and paid: each house reckons it from its own rows, and a credit note opens them again."""

import datetime as dt
from collections import Counter

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.bookings.actions import settle_booking
from app.bookings.models import Booking
from app.core import clock
from app.core.db import each_alone
from app.core.units import week_of
from app.hours.models import HourReport
from app.hours.rules import OPEN as OPEN_REPORT
from app.invoices.models import Invoice, InvoiceLine
from app.invoices.queries import REPLACED, claim_of, confirmed_of
from app.invoices.rules import CORRECTION, CREDIT_NOTE, PAID_KINDS, Hours, open_hours

UNANSWERED = (*OPEN_REPORT, "checked", "disputed")


def settle_paid(session: Session, now: dt.datetime) -> None:
    """Once an hour: bookings whose money came before their week was over, or while another invoice was being paid."""
    if now.minute:
        return
    of_it = (Invoice.firm_id == Booking.firm_id) & (Invoice.agreement_id == Booking.agreement_id)
    due = session.execute(
        sa.select(Booking.firm_id, Booking.agreement_id)
        .where(Booking.state == "done", Booking.week < week_of(clock.today()))
        .where(sa.exists().where(of_it, Invoice.state == "paid"))
        .distinct()
        .order_by(Booking.firm_id, Booking.agreement_id)
    ).all()
    each_alone(session, due, lambda row: settle_bookings(session, row.firm_id, row.agreement_id))


def settle_bookings(session: Session, firm_id: str, agreement_id: str) -> None:
    """Note which bookings of an agreement are settled now, and which no longer are; nothing for an erased one.

    Hours may come as long as their week runs, so that one is never settled.
    """
    session.flush()
    agreement = session.get(Agreement, (firm_id, agreement_id))
    if agreement is None:
        return
    bookings = session.scalars(
        sa.select(Booking)
        .where(Booking.firm_id == firm_id, Booking.agreement_id == agreement_id, Booking.state.in_(("done", "settled")))
        .where(Booking.week < week_of(clock.today()))
        .order_by(Booking.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    asked = _asked(session, firm_id, agreement_id)
    waiting = _unpaid(session, firm_id, agreement_id) | _unanswered(session, firm_id, agreement_id)
    still_open = open_hours(claim_of(session, agreement).terms, confirmed_of(session, firm_id, bookings), asked)
    waiting |= {one.booking_id for one in still_open}
    paid = {one.booking_id for one in asked if one.minutes > 0}
    for booking in bookings:
        settle_booking(session, booking, booking.id in paid and booking.id not in waiting)


def _asked(session: Session, firm_id: str, agreement_id: str) -> tuple[Hours, ...]:
    """Minutes on invoices, without those that credit notes took back; a correction waives what it takes away."""
    found: Counter[tuple[str, str]] = Counter()
    rows = _lines(firm_id, agreement_id).where(Invoice.type_code != CORRECTION, InvoiceLine.kind.in_(PAID_KINDS))
    for row in session.execute(rows):
        found[row.booking_id, row.kind] += -row.minutes if row.type_code == CREDIT_NOTE else row.minutes
    return tuple(Hours(booking_id, kind, minutes) for (booking_id, kind), minutes in found.items())


def _unpaid(session: Session, firm_id: str, agreement_id: str) -> set[str]:
    still_asks = Invoice.type_code != CREDIT_NOTE, Invoice.state.not_in((*REPLACED, "paid"))
    return {row.booking_id for row in session.execute(_lines(firm_id, agreement_id).where(*still_asks))}


def _lines(firm_id: str, agreement_id: str) -> sa.Select[str, str, int, int]:
    return (
        sa.select(InvoiceLine.booking_id, InvoiceLine.kind, InvoiceLine.minutes, Invoice.type_code)
        .join(Invoice, (Invoice.firm_id == InvoiceLine.firm_id) & (Invoice.id == InvoiceLine.invoice_id))
        .where(Invoice.firm_id == firm_id, Invoice.agreement_id == agreement_id, Invoice.issued_at.is_not(None))
    )


def _unanswered(session: Session, firm_id: str, agreement_id: str) -> set[str]:
    return set(
        session.scalars(
            sa.select(HourReport.booking_id)
            .where(HourReport.firm_id == firm_id, HourReport.agreement_id == agreement_id)
            .where(HourReport.state.in_(UNANSWERED))
        )
    )
