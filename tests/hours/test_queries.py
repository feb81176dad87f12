"""What both sides stand by, as an invoice reads it."""

import datetime as dt

from app.bookings.actions import BookedAgreement, BookedLine, book_lines
from app.bookings.queries import bookings_of
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.hours.models import HourEntry, HourReport
from app.hours.queries import confirmed_hours
from tests.world import make_world


def test_only_confirmed_hours_count_and_a_corrected_entry_counts_once(database: Database) -> None:
    with database.write() as session:
        world = make_world(session, ("keller", "yilmaz"))
        firm_id, partner_id = world["yilmaz"].id, world["keller"].id
        agreement = BookedAgreement(firm_id, new_id(), new_id(), partner_id, "ours", "Gehäuse")
        book_lines(session, agreement, [BookedLine(1, "m1", "F5-650", "2026-W49", 600, 9500)])
        (booking,) = bookings_of(session, firm_id, agreement.agreement_id)
        report = HourReport(
            firm_id=firm_id, id=new_id(), created_at=clock.now(), side="ours", booking_id=booking.id,
            agreement_id=agreement.agreement_id, partner_id=partner_id, week="2026-W49", state="checked",
        )  # fmt: skip
        session.add(report)
        session.flush()
        wrong = new_id()
        for entry_id, minutes, kind, corrects in (
            (wrong, 600, "run", None), (new_id(), 450, "run", wrong), (new_id(), 90, "run", None), (new_id(), 60, "set_up", None),
        ):  # fmt: skip
            session.add(
                HourEntry(
                    firm_id=firm_id, id=entry_id, created_at=clock.now(), report_id=report.id, day=dt.date(2026, 11, 30),
                    minutes=minutes, kind=kind, quantity=4, scrap=1, corrects=corrects,
                )
            )  # fmt: skip
            session.flush()
        assert confirmed_hours(session, firm_id, booking.id) == ()
        report.state = "confirmed"
        session.flush()
        found = confirmed_hours(session, firm_id, booking.id)
        assert [(one.kind, one.minutes, one.quantity, one.scrap) for one in found] == [
            ("run", 540, 8, 2),
            ("set_up", 60, 4, 1),
        ]
        assert {(one.side, one.week, one.partner_id) for one in found} == {("ours", "2026-W49", partner_id)}
        assert confirmed_hours(session, partner_id, booking.id) == ()
