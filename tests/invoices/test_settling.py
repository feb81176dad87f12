"""A booking is settled once all its hours are invoiced and paid, in both houses, and open again when an invoice is credited."""

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.bookings.actions import finish_booking
from app.bookings.models import Booking
from app.config import Config, load_config
from app.core import clock
from app.core.db import Database
from app.core.units import BERLIN
from app.invoices.actions import correct_invoice, credit_invoice, mark_paid, settle_paid
from app.worker import run_until_quiet
from tests.invoices.world import Job, confirm, issue, make_job, settle
from tests.machines.house import open_house

AFTER_WEEK_49 = dt.datetime(2026, 12, 7, 9, 0, tzinfo=BERLIN)
NEXT_YEAR = dt.datetime(2027, 1, 11, 9, 0, tzinfo=BERLIN)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config({"DATA_DIR": str(tmp_path)})


def worked(database: Database, job: Job, line_no: int, minutes: int) -> None:
    """Confirmed on both sides, as the room of the hours leaves the booking."""
    confirm(database, job, line_no, minutes)
    with database.write() as session:
        for row in session.scalars(sa.select(Booking).where(Booking.line_no == line_no)).all():
            finish_booking(session, row.firm_id, row.id)


def pay(database: Database, job: Job, invoice_id: str) -> None:
    with database.write() as session:
        mark_paid(session, job.actor("yilmaz"), invoice_id, clock.today())
    run_until_quiet(database)


def states(database: Database, job: Job) -> list[tuple[str, str]]:
    """(at Keller, at Yilmaz) of each booking in the order of the agreement."""
    with database.read() as session:
        rows = {
            (row.firm_id, row.line_no): row.state
            for row in session.scalars(sa.select(Booking).order_by(Booking.line_no))
        }
    return [(rows[job.firm_id("keller"), number], rows[job.firm_id("yilmaz"), number]) for number in range(1, 5)]


def test_paid_hours_are_settled_in_both_houses_and_open_again_after_a_credit_note(
    database: Database, config: Config
) -> None:
    job = make_job(database)
    with clock.frozen(AFTER_WEEK_49):
        worked(database, job, 1, 600)
        worked(database, job, 2, 300)
        invoice = issue(database, job, config)
        assert states(database, job)[0] == ("done", "done")
        pay(database, job, invoice.id)
        # week 50 runs: there may be more hours to come
        assert states(database, job)[:2] == [("settled", "settled"), ("done", "done")]
        with database.write() as session:
            credit = credit_invoice(session, job.actor("yilmaz"), invoice.id, "Falsche Anschrift")
        settle(database, job, config, credit.id)
        assert states(database, job)[0] == ("done", "done")
        pay(database, job, issue(database, job, config).id)
        assert states(database, job)[0] == ("settled", "settled")
    with clock.frozen(NEXT_YEAR), database.write() as session:
        settle_paid(session, clock.now())
    assert states(database, job)[1] == ("settled", "settled")


def test_hours_that_a_correction_waived_are_settled_and_those_on_a_second_invoice_wait_for_its_money(
    sqlite_database: Database, config: Config
) -> None:
    database = sqlite_database
    job = make_job(database)
    with clock.frozen(AFTER_WEEK_49):
        worked(database, job, 1, 480)
        first = issue(database, job, config)
        with database.write() as session:
            corrected = correct_invoice(session, job.actor("yilmaz"), first.id, {1: 420}, "Eine Stunde weniger")
        settle(database, job, config, corrected.id)
        worked(database, job, 1, 60)
        second = issue(database, job, config)
        pay(database, job, corrected.id)
        assert states(database, job)[0] == ("done", "done")
        pay(database, job, second.id)
        assert states(database, job)[0] == ("settled", "settled")


def test_the_list_says_that_an_agreement_is_settled(sqlite_database: Database, config: Config, tmp_path: Path) -> None:
    job = make_job(sqlite_database)
    keller = open_house(sqlite_database, tmp_path).enter(job.actor("keller"))
    with clock.frozen(NEXT_YEAR):
        for line_no in range(1, 5):
            worked(sqlite_database, job, line_no, 60)
        invoice = issue(sqlite_database, job, config)
        assert "abgerechnet" not in keller.get("/vertraege").text
        pay(sqlite_database, job, invoice.id)
        assert "abgerechnet" in keller.get("/vertraege").text
