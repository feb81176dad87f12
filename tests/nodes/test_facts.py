"""Facts instead of stars: two houses that never compare notes say the same of each other."""

import datetime as dt

import sqlalchemy as sa

from app.bookings.models import Booking
from app.core import clock
from app.core.units import monday
from app.firms.access import Role
from app.hours.actions import EntryDraft, check_reports, confirm_report, report_hours
from app.insights.facts import conduct_of
from app.insights.rules import Share, Usual
from app.invoices.actions import change_setup, issue_invoices, mark_paid, order_invoice
from app.invoices.models import Invoice
from app.trouble.defects import report_defect
from tests.conftest import MONDAY
from tests.invoices.world import IBAN
from tests.nodes.job import answer, ask, play
from tests.nodes.world import Node, link, settle_all

LATER = MONDAY + dt.timedelta(days=60)


def test_both_sides_say_the_same_of_each_other(nodes: list[Node]) -> None:
    one, two, _ = nodes
    link(one, "keller", two, "yilmaz", nodes)
    _nothing_is_said_yet(one, two)
    play(nodes, [(two, "yilmaz")], need_min=40 * 60)
    _ask_and_answer(nodes, after_min=30)
    _ask_and_answer(nodes, after_min=90)
    _ask_and_answer(nodes, after_min=None)
    with two.database.write() as session:
        change_setup(session, two.actor("yilmaz"), "160/123/45678", IBAN, False, "R-")
    for booking_id, week in _bookings(two)[:3]:
        _work_and_pay(nodes, booking_id, monday(week) + dt.timedelta(days=1), paid_after=12)
    with one.database.write() as session, clock.frozen(LATER):
        report_defect(session, one.actor("keller"), _bookings(one)[0][0], "Bohrung zu groß.", [])
    settle_all(nodes)
    with one.database.read() as session, two.database.read() as other, clock.frozen(LATER):
        keller, yilmaz = one.firm_id("keller"), two.firm_id("yilmaz")
        partner_of_keller = one.partner_id("keller", two.address("yilmaz"))
        partner_of_yilmaz = two.partner_id("yilmaz", one.address("keller"))
        for by_us in (True, False):
            seen = conduct_of(session, keller, partner_of_keller, LATER, by_us)
            assert seen == conduct_of(other, yilmaz, partner_of_yilmaz, LATER, not by_us)
        theirs = conduct_of(session, keller, partner_of_keller, LATER, by_us=False)
        ours = conduct_of(session, keller, partner_of_keller, LATER, by_us=True)
    assert (theirs.offers, theirs.answer_min) == (Share(3, 4), Usual(30, 3))
    assert theirs.hours is not None
    assert theirs.hours.part == 180
    assert theirs.defects == Share(1, 3)
    assert (ours.awards, ours.payment_days) == (Share(1, 3), Usual(12, 3))
    assert (ours.offers, theirs.payment_days) == (None, None)


def _nothing_is_said_yet(one: Node, two: Node) -> None:
    with one.database.read() as session:
        partner_id = one.partner_id("keller", two.address("yilmaz"))
        assert conduct_of(session, one.firm_id("keller"), partner_id, MONDAY, by_us=False).is_empty


def _ask_and_answer(nodes: list[Node], after_min: int | None) -> None:
    one, two, _ = nodes
    request_id = ask(one, [one.partner_id("keller", two.address("yilmaz"))], need_min=40 * 60)
    settle_all(nodes)
    if after_min is not None:
        with clock.frozen(MONDAY + dt.timedelta(minutes=after_min)):
            answer(two, "yilmaz", request_id)
            settle_all(nodes)


def _bookings(node: Node) -> list[tuple[str, str]]:
    with node.database.read() as session:
        return [
            (row.id, row.week) for row in session.scalars(sa.select(Booking).order_by(Booking.week, Booking.id)).all()
        ]


def _work_and_pay(nodes: list[Node], booking_id: str, day: dt.date, paid_after: int) -> None:
    one, two, _ = nodes
    with clock.frozen(dt.datetime.combine(day, dt.time(15), dt.UTC)):
        with two.database.write() as session:
            firm = two.firms["yilmaz"]
            entry = report_hours(session, firm.actor(Role.WORKER), booking_id, EntryDraft(day, 60), booking_id)
            check_reports(session, firm.actor(Role.FOREMAN), [entry.report_id])
        settle_all(nodes)
        with one.database.write() as session:
            confirm_report(session, one.actor("keller"), entry.report_id)
        settle_all(nodes)
        with two.database.write() as session:
            invoice_id = session.scalars(sa.select(Invoice.id).where(Invoice.state == "draft")).one()
            order_invoice(session, two.actor("yilmaz"), invoice_id)
        settle_all(nodes)
        issue_invoices(two.database, two.config)
        settle_all(nodes)
    with clock.frozen(dt.datetime.combine(day + dt.timedelta(days=paid_after), dt.time(9), dt.UTC)):
        with two.database.write() as session:
            mark_paid(session, two.actor("yilmaz"), invoice_id, clock.today())
        settle_all(nodes)
