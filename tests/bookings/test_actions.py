"""Bookings are made once, end once, and never cross a firm."""

import pytest

from app.bookings.actions import BookedAgreement, BookedLine, book_lines, change_booking, confirm_held, release_bookings
from app.bookings.queries import bookings_from, bookings_of, own_jobs
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.ids import new_id
from tests.world import TestFirm, make_world

LINES = [BookedLine(1, "m1", "F5-650", "2026-W49", 600, 9500), BookedLine(2, "m1", "F5-650", "2026-W50", 900, 9500)]


def booked(database: Database, state: str = "confirmed") -> tuple[dict[str, TestFirm], BookedAgreement]:
    with database.write() as session:
        world = make_world(session, ("keller", "yilmaz", "brandt"))
        agreement = BookedAgreement(world["yilmaz"].id, new_id(), new_id(), world["keller"].id, "ours", "Gehäuse")
        book_lines(session, agreement, LINES, state)
        book_lines(session, agreement, LINES, state)
    return world, agreement


def test_a_repeated_booking_books_once(database: Database) -> None:
    world, agreement = booked(database)
    with database.read() as session:
        assert [b.agreed_min for b in bookings_of(session, agreement.firm_id, agreement.agreement_id)] == [600, 900]
        assert bookings_from(session, world["brandt"].actor(), "2026-W01") == []
        assert [job.partner_name for job in own_jobs(session, world["yilmaz"].actor(), "2026-W49")] == [
            "Keller Metallbau"
        ]


def test_a_waiting_bundle_is_confirmed_or_released_but_not_both(database: Database) -> None:
    _, agreement = booked(database, "held")
    with database.write() as session:
        confirm_held(session, agreement.firm_id, agreement.agreement_id)
        release_bookings(session, agreement.firm_id, agreement.agreement_id)
    with database.read() as session:
        assert {b.state for b in bookings_of(session, agreement.firm_id, agreement.agreement_id)} == {"confirmed"}


def test_a_cancelled_booking_cannot_be_cancelled_again(database: Database) -> None:
    world, agreement = booked(database)
    with database.write() as session:
        change_booking(session, agreement.firm_id, agreement.agreement_id, 1, 0)
    with pytest.raises(RuleBroken, match="schon beendet"), database.write() as session:
        change_booking(session, agreement.firm_id, agreement.agreement_id, 1, 0)
    with pytest.raises(NotFound), database.write() as session:
        change_booking(session, world["brandt"].id, agreement.agreement_id, 1, 0)
