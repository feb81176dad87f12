"""The countersigned slip between two nodes: by the same code as next door, provable at each."""

import datetime as dt
from pathlib import Path

import sqlalchemy as sa

from app.bookings.models import Booking
from app.core import clock
from app.core.units import monday
from app.firms.access import Role
from app.hours.actions import (
    EntryDraft,
    check_reports,
    confirm_report,
    correct_entry,
    dispute_report,
    report_hours,
    start_correction,
)
from app.hours.models import HourReport
from app.hours.queries import entries_of, record_of
from app.notary.queries import evidence_file
from tests.nodes.job import play, verified
from tests.nodes.world import Node, link, settle_all


def test_a_slip_is_disputed_corrected_and_countersigned_across_nodes(nodes: list[Node], tmp_path: Path) -> None:
    one, two, _ = nodes
    link(one, "keller", two, "yilmaz", nodes)
    play(nodes, [(two, "yilmaz")])
    with two.database.read() as session:
        booking = session.scalars(sa.select(Booking).order_by(Booking.week, Booking.id)).first()
        assert booking is not None
        booking_id, day = booking.id, monday(booking.week) + dt.timedelta(days=1)
    with clock.frozen(dt.datetime.combine(day, dt.time(15), dt.UTC)):
        first = _report_and_check(two, booking_id, day)
        settle_all(nodes)
        with one.database.write() as session:
            lines = [entry.id for entry in entries_of(session, one.firm_id("keller"), first)]
            dispute_report(session, one.actor("keller"), first, lines, "Eine Stunde zu viel.")
        settle_all(nodes)
        second = _correct(two, first, day)
        settle_all(nodes)
        with one.database.write() as session:
            confirm_report(session, one.actor("keller"), second)
        settle_all(nodes)
    files: dict[str, set[bytes]] = {"report": set(), "confirm": set()}
    for node, key in ((one, "keller"), (two, "yilmaz")):
        with node.database.read() as session:
            states = session.scalars(sa.select(HourReport.state).order_by(HourReport.id)).all()
            assert list(states) == ["corrected", "confirmed"]
            for kind, seen in files.items():
                record = record_of(session, node.firm_id(key), second, kind)
                assert record is not None
                # who said yes last has the other log's word only about the report
                assert (record.counterpart is None) is (kind == "confirm" and node is one)
                seen.add(record.digest.encode())
                body = evidence_file(session, node.firm_id(key), record.entry_seq, record.counterpart)
                assert verified(body, tmp_path) == 0
    assert [len(seen) for seen in files.values()] == [1, 1]


def _report_and_check(node: Node, booking_id: str, day: dt.date) -> str:
    firm = node.firms["yilmaz"]
    with node.database.write() as session:
        entry = report_hours(session, firm.actor(Role.WORKER), booking_id, EntryDraft(day, 60), "key of the phone")
        check_reports(session, firm.actor(Role.FOREMAN), [entry.report_id])
        return entry.report_id


def _correct(node: Node, report_id: str, day: dt.date) -> str:
    foreman = node.firms["yilmaz"].actor(Role.FOREMAN)
    with node.database.write() as session:
        new = start_correction(session, foreman, report_id)
        (entry,) = entries_of(session, foreman.firm_id, new.id)
        correct_entry(session, foreman, entry.id, EntryDraft(day, 45), "key of the correction")
        check_reports(session, foreman, [new.id])
        return new.id
