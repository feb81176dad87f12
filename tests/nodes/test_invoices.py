"""From a reported hour to paid money between two nodes: by the same code as next door, the files fetched by signed request."""

import datetime as dt

import sqlalchemy as sa

from app.bookings.models import Booking
from app.core import clock
from app.core.units import monday
from app.federation.models import StoredFile
from app.firms.access import Role
from app.hours.actions import EntryDraft, check_reports, confirm_report, report_hours
from app.invoices.actions import (
    answer_invoice,
    change_setup,
    correct_invoice,
    issue_invoices,
    mark_paid,
    order_invoice,
)
from app.invoices.comparing import differences
from app.invoices.models import Invoice
from tests.invoices.world import IBAN
from tests.nodes.job import play
from tests.nodes.world import Node, link, settle_all


def test_an_hour_becomes_money_across_nodes(nodes: list[Node]) -> None:
    one, two, _ = nodes
    link(one, "keller", two, "yilmaz", nodes)
    play(nodes, [(two, "yilmaz")])
    with two.database.read() as session:
        booking = session.scalars(sa.select(Booking).order_by(Booking.week, Booking.id)).first()
        assert booking is not None
        booking_id, day = booking.id, monday(booking.week) + dt.timedelta(days=1)
    with clock.frozen(dt.datetime.combine(day, dt.time(15), dt.UTC)):
        _confirmed(nodes, booking_id, day)
        yilmaz, keller = two.actor("yilmaz"), one.actor("keller")
        with two.database.write() as session:
            change_setup(session, yilmaz, "160/123/45678", IBAN, False, "R-")
            draft = session.scalars(sa.select(Invoice)).one()
            order_invoice(session, yilmaz, draft.id)
        _work(nodes)
        arrived = _invoice(one, "issued")
        assert (arrived.id, arrived.number, arrived.gross_cents) == (draft.id, "R-00001", draft.gross_cents)
        with one.database.read() as session:
            kept = session.scalars(sa.select(StoredFile.media_type).where(StoredFile.from_firm_id.is_not(None)))
            assert {"application/xml", "application/pdf"} <= set(kept)
            assert differences(session, arrived) == []
        with one.database.write() as session:
            answer_invoice(session, keller, arrived.id, "Eine Viertelstunde zu viel.")
        _work(nodes)
        with two.database.write() as session:
            correct_invoice(session, yilmaz, draft.id, {1: 45}, "Eine Viertelstunde weniger")
        _work(nodes)
        with one.database.write() as session:
            answer_invoice(session, keller, _invoice(one, "issued").id)
        _work(nodes)
        with two.database.write() as session:
            mark_paid(session, yilmaz, _invoice(two, "accepted").id, clock.today())
        _work(nodes)
    for node in (one, two):
        assert _invoice(node, "corrected").number == "R-00001"
        paid = _invoice(node, "paid")
        assert (paid.number, paid.type_code, paid.paid_on) == ("R-00002", 384, day)


def _confirmed(nodes: list[Node], booking_id: str, day: dt.date) -> None:
    one, two, _ = nodes
    firm = two.firms["yilmaz"]
    with two.database.write() as session:
        entry = report_hours(session, firm.actor(Role.WORKER), booking_id, EntryDraft(day, 60), "key of the phone")
        check_reports(session, firm.actor(Role.FOREMAN), [entry.report_id])
    settle_all(nodes)
    with one.database.write() as session:
        confirm_report(session, one.actor("keller"), entry.report_id)
    settle_all(nodes)


def _work(nodes: list[Node]) -> None:
    settle_all(nodes)
    for node in nodes:
        issue_invoices(node.database, node.config)
    settle_all(nodes)


def _invoice(node: Node, state: str) -> Invoice:
    with node.database.read() as session:
        found = session.scalars(sa.select(Invoice).where(Invoice.state == state)).one()
        session.expunge(found)
    return found
