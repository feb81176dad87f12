"""Finished orders after the signature: worked week by week, countersigned, invoiced and paid, by the deeds of the rooms."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa

from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database
from app.core.units import BERLIN, monday
from app.firms.access import Role
from app.hours.actions import EntryDraft, check_reports, confirm_report, report_hours
from app.invoices.actions import answer_invoice, change_setup, mark_paid, order_invoice
from app.invoices.models import Invoice
from app.invoices.queries import setup_of
from app.practice.loading import DemoFirm
from app.practice.people import acting

STANDS = ("", "gearbeitet", "gesendet", "bezahlt")
"""How far an order of the history has come"""
DAY_MIN = 8 * 60
PAID_AFTER = dt.timedelta(days=12)


def play_work(
    database: Database, asking: DemoFirm, helping: DemoFirm, agreement_ids: Sequence[str], before: dt.date, stand: str
) -> None:
    """Work on what was agreed in the weeks before a day, and bring it as far as the order stands."""
    if stand == STANDS[0]:
        return
    with database.read() as session:
        bookings = session.execute(
            sa.select(Booking.id, Booking.week, Booking.agreed_min)
            .where(Booking.firm_id == helping.id, Booking.agreement_id.in_(agreement_ids))
            .order_by(Booking.week, Booking.id)
        ).all()
    over = [row for row in bookings if monday(row.week) + dt.timedelta(days=7) <= before]
    for row in over:
        _work_week(database, asking, helping, row.id, monday(row.week), row.agreed_min)
    if stand != "gearbeitet":
        _invoice(database, asking, helping, monday(over[-1].week) + dt.timedelta(days=7), stand == "bezahlt")


def _work_week(
    database: Database, asking: DemoFirm, helping: DemoFirm, booking_id: str, first: dt.date, minutes: int
) -> None:
    """Eight hours a day at most, closed on Friday and confirmed the same afternoon."""
    report_id = ""
    for number in range(-(-minutes // DAY_MIN)):
        day = first + dt.timedelta(days=number)
        with clock.frozen(_at(day, 15)), database.write() as session:
            draft = EntryDraft(day, min(DAY_MIN, minutes - number * DAY_MIN))
            worker = acting(session, helping.id, Role.WORKER)
            report_id = report_hours(session, worker, booking_id, draft, f"{booking_id} {day}").report_id
    friday = first + dt.timedelta(days=4)
    with clock.frozen(_at(friday, 13)), database.write() as session:
        check_reports(session, acting(session, helping.id, Role.FOREMAN), [report_id])
    with clock.frozen(_at(friday, 15)), database.write() as session:
        confirm_report(session, acting(session, asking.id, Role.FOREMAN), report_id)


def _invoice(database: Database, asking: DemoFirm, helping: DemoFirm, day: dt.date, is_paid: bool) -> None:
    """The draft leaves on the Monday after; a paid one was accepted on the next day."""
    with clock.frozen(_at(day, 9)), database.write() as session:
        if setup_of(session, helping.id) is None:
            change_setup(session, helping.manager, "", f"UNGUELTIG {helping.key}", False, "R-")
        mine = Invoice.firm_id == helping.id, Invoice.partner_id == asking.id
        invoice_id = session.scalars(sa.select(Invoice.id).where(*mine, Invoice.state == "draft")).one()
        order_invoice(session, helping.manager, invoice_id)
    if not is_paid:
        return
    with clock.frozen(_at(day + dt.timedelta(days=1), 9)), database.write() as session:
        answer_invoice(session, asking.manager, invoice_id)
    with clock.frozen(_at(day + PAID_AFTER, 9)), database.write() as session:
        mark_paid(session, helping.manager, invoice_id, clock.today())


def _at(day: dt.date, hour: int) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), BERLIN)
