"""From confirmed hours to an issued invoice at both sides, corrected, credited, paid: nothing twice, no number missing."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.agreements.call_off import cap_for
from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import HoursDisputed
from app.core.outbox import emit
from app.federation.models import StoredFile
from app.hours.models import HourReport
from app.invoices.actions import (
    answer_invoice,
    change_setup,
    correct_invoice,
    credit_invoice,
    find_overdue,
    issue_invoices,
    mark_paid,
    order_invoice,
    remind_invoice,
    set_surcharges,
)
from app.invoices.models import Invoice, InvoicedHours, InvoiceLine, InvoiceSetup
from app.invoices.queries import lines_of
from app.invoices.reading import read_sums
from app.moving.forgetting import UNPAID, what_is_owed
from app.notary.models import LedgerHead
from app.worker import run_until_quiet
from tests.invoices.world import IBAN, Job, at, config_of, confirm, issue, make_job, settle, the_invoice


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_of(tmp_path)


def lines_at(database: Database, job: Job, key: str, invoice_id: str) -> list[tuple[str, int, int]]:
    with database.read() as session:
        return [(line.kind, line.minutes, line.net_cents) for line in lines_of(session, job.firm_id(key), invoice_id)]


def test_confirmed_hours_collect_in_one_draft_and_are_issued_once(database: Database, config: Config) -> None:
    job = make_job(database)
    confirm(database, job, 1, 540)
    confirm(database, job, 1, 120, "set_up")
    confirm(database, job, 2, 600)
    draft = the_invoice(database, job, "yilmaz", "draft")
    assert lines_at(database, job, "yilmaz", draft.id) == [
        ("run", 540, 85_500), ("set_up", 120, 14_000), ("run", 600, 95_000), ("transport", 0, 12_000),
    ]  # fmt: skip
    invoice = issue(database, job, config, draft.id)
    assert (invoice.state, invoice.number, invoice.net_cents, invoice.tax_cents) == (
        "issued",
        "R-00001",
        206_500,
        39_235,
    )
    arrived = at(database, job, "keller", invoice.id)
    assert (arrived.side, arrived.state, arrived.number, arrived.gross_cents) == (
        "theirs", "issued", "R-00001", invoice.gross_cents,
    )  # fmt: skip
    assert lines_at(database, job, "keller", invoice.id) == lines_at(database, job, "yilmaz", invoice.id)
    with database.read() as session:
        stored = session.get_one(StoredFile, (job.firm_id("keller"), arrived.xml_file_id))
        assert stored.sha256 == arrived.xml_sha256 == invoice.xml_sha256
        assert read_sums(stored.body, 10**6).gross_cents == invoice.gross_cents
        assert session.scalar(sa.select(sa.func.count()).where(Invoice.state == "draft")) == 0
    confirm(database, job, 3, 60)
    assert issue(database, job, config).number == "R-00002"


def test_what_is_missing_is_said_before_anything_is_ordered(sqlite_database: Database) -> None:
    database = sqlite_database
    job = make_job(database, with_setup=False)
    confirm(database, job, 1, 60)
    draft = the_invoice(database, job, "yilmaz", "draft")
    with pytest.raises(RuleBroken, match="Bankkonto"), database.write() as session:
        order_invoice(session, job.actor("yilmaz"), draft.id)
    with pytest.raises(NotFound), database.write() as session:
        order_invoice(session, job.actor("keller"), draft.id)


def test_a_draft_that_breaks_a_rule_stays_a_draft_and_takes_no_number(
    sqlite_database: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = sqlite_database
    job = make_job(database)
    confirm(database, job, 1, 60)
    draft = the_invoice(database, job, "yilmaz", "draft")
    with database.write() as session:
        session.execute(sa.update(Invoice).values(tax_cents=1, gross_cents=9501))
        session.execute(sa.update(Invoice).values(state="checking"))
    stuck = settle(database, job, config, draft.id)
    assert stuck.state == "draft"
    assert stuck.refusal["rule"].startswith("BR-")
    with database.read() as session:
        assert session.scalars(sa.select(InvoiceSetup.next_no)).one() == 1
        assert session.scalar(sa.select(sa.func.count()).where(StoredFile.media_type == "application/xml")) == 0
    assert issue(database, job, config, draft.id).number == "R-00001"


def test_no_more_than_confirmed_is_ever_invoiced_and_the_database_says_so_too(database: Database) -> None:
    job = make_job(database)
    confirm(database, job, 1, 60)
    with pytest.raises(sa.exc.IntegrityError), database.write() as session:
        session.execute(sa.update(InvoicedHours).values(invoiced_min=75))


def test_an_issued_invoice_never_changes_and_never_goes(database: Database, config: Config) -> None:
    job = make_job(database)
    confirm(database, job, 1, 60)
    issue(database, job, config)
    for statement in (
        sa.update(Invoice).values(gross_cents=1),
        sa.update(Invoice).values(number="R-9"),
        sa.delete(Invoice).where(Invoice.side == "theirs"),
        sa.update(InvoiceLine).values(minutes=15),
        sa.delete(InvoiceLine),
    ):
        with pytest.raises(sa.exc.IntegrityError), database.write() as session:
            session.execute(statement)
    with database.write() as session:  # only with a firm that leaves this node they go
        session.execute(sa.update(LedgerHead).values(halt="leaving"))
        session.execute(sa.delete(InvoiceLine))
        session.execute(sa.delete(Invoice))


def test_a_credit_note_takes_all_back_and_the_hours_are_open_again(sqlite_database: Database, config: Config) -> None:
    database = sqlite_database
    job = make_job(database)
    confirm(database, job, 1, 60)
    invoice = issue(database, job, config)
    with database.write() as session:
        credit = credit_invoice(session, job.actor("yilmaz"), invoice.id, "Falsche Anschrift")
    with pytest.raises(Conflict), database.write() as session:
        credit_invoice(session, job.actor("yilmaz"), invoice.id, "Noch einmal")
    credit = settle(database, job, config, credit.id)
    assert (credit.state, credit.type_code, credit.number) == ("issued", 381, "R-00002")
    for key in ("yilmaz", "keller"):
        assert at(database, job, key, invoice.id).state == "credited"
        assert at(database, job, key, credit.id).corrects == invoice.id
    assert issue(database, job, config).number == "R-00003"


def test_a_correction_replaces_the_invoice_and_waives_what_it_takes_away(
    sqlite_database: Database, config: Config
) -> None:
    database = sqlite_database
    job = make_job(database)
    confirm(database, job, 1, 600)
    invoice = issue(database, job, config)
    with database.write() as session:
        answer_invoice(session, job.actor("keller"), invoice.id, "Eine Stunde war Stillstand")
    run_until_quiet(database)
    assert at(database, job, "yilmaz", invoice.id).dispute_reason == "Eine Stunde war Stillstand"
    with database.write() as session:
        correction = correct_invoice(session, job.actor("yilmaz"), invoice.id, {1: 540}, "Stillstand abgezogen")
    correction = settle(database, job, config, correction.id)
    assert (correction.type_code, correction.number, correction.net_cents) == (384, "R-00002", 97_500)
    assert at(database, job, "keller", invoice.id).state == "corrected"
    confirm(database, job, 2, 60)
    assert lines_at(database, job, "yilmaz", the_invoice(database, job, "yilmaz", "draft").id) == [("run", 60, 9500)]


def test_a_correction_may_leave_nothing_but_the_transport(sqlite_database: Database, config: Config) -> None:
    database = sqlite_database
    job = make_job(database)
    confirm(database, job, 1, 600)
    invoice = issue(database, job, config)
    with database.write() as session:
        made = correct_invoice(session, job.actor("yilmaz"), invoice.id, {1: 0}, "Niemand hat gearbeitet")
    correction = settle(database, job, config, made.id)
    assert (correction.state, correction.net_cents) == ("issued", 12_000)
    assert correction.service_from == invoice.service_from
    assert at(database, job, "keller", made.id).state == "issued"


def test_money_by_hand_overdue_and_a_reminder(sqlite_database: Database, config: Config) -> None:
    database = sqlite_database
    job = make_job(database)
    confirm(database, job, 1, 60)
    invoice = issue(database, job, config)
    with database.write() as session:
        answer_invoice(session, job.actor("keller"), invoice.id)
    run_until_quiet(database)
    assert at(database, job, "yilmaz", invoice.id).state == "accepted"
    assert invoice.due_on is not None
    with clock.frozen(clock.now().replace(year=2027)):
        with database.write() as session:
            find_overdue(session, clock.now())
            find_overdue(session, clock.now())
        assert at(database, job, "yilmaz", invoice.id).state == "overdue"
        # who waits for money does not leave the node; who owes it, and was asked long ago, may
        assert [owed_by(database, job, key) for key in ("yilmaz", "keller")] == [UNPAID, ""]
        with database.write() as session:
            remind_invoice(session, job.actor("yilmaz"), invoice.id)
            with pytest.raises(RuleBroken, match="Tag"):
                mark_paid(session, job.actor("yilmaz"), invoice.id, clock.today().replace(year=2028))
            mark_paid(session, job.actor("yilmaz"), invoice.id, clock.today())
        run_until_quiet(database)
        for key in ("yilmaz", "keller"):
            found = at(database, job, key, invoice.id)
            assert (found.state, found.paid_on, owed_by(database, job, key)) == ("paid", clock.today(), "")


def owed_by(database: Database, job: Job, key: str) -> str:
    with database.read() as session:
        return what_is_owed(session, job.firm_id(key))


def test_the_agreed_most_is_never_passed_and_surcharges_count_into_it(
    sqlite_database: Database, config: Config
) -> None:
    database = sqlite_database
    job = make_job(database)
    for line_no in (1, 2, 3, 4):
        confirm(database, job, line_no, 600)
    confirm(database, job, 1, 120, "set_up")
    draft = the_invoice(database, job, "yilmaz", "draft")
    before = draft.net_cents
    with database.write() as session:
        booking_id = lines_of(session, job.firm_id("yilmaz"), draft.id)[0].booking_id
        set_surcharges(session, job.actor("yilmaz"), draft.id, {(booking_id, "night"): 600})
    invoice = issue(database, job, config, draft.id)
    assert invoice.net_cents == before + 23_750
    for line_no in (1, 2, 3, 4):
        confirm(database, job, line_no, 60)
    last = issue(database, job, config)
    with database.read() as session:
        asked = session.scalar(
            sa.select(sa.func.sum(Invoice.net_cents)).where(Invoice.firm_id == job.firm_id("yilmaz"))
        )
    assert last.allowance_cents > 0
    assert asked == cap_for(before, 12_000, 10)


def test_two_workers_at_once_leave_no_number_out_and_use_none_twice(database: Database, config: Config) -> None:
    """The second one of a firm's invoices finds the number gone and is made anew under the next one."""
    jobs = [make_job(database)]
    for line_no in (1, 2):
        confirm(database, jobs[0], line_no, 60)
    with database.write() as session:
        draft = session.scalars(sa.select(Invoice)).one()
        order_invoice(session, jobs[0].actor("yilmaz"), draft.id)
    issue_invoices(database, config)
    with database.write() as session:
        credit_invoice(session, jobs[0].actor("yilmaz"), draft.id, "Anschrift")
    confirm(database, jobs[0], 3, 60)
    with database.write() as session:
        second = session.scalars(sa.select(Invoice).where(Invoice.state == "draft")).one()
        order_invoice(session, jobs[0].actor("yilmaz"), second.id)
    workers = [threading.Thread(target=issue_invoices, args=(database, config)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    issue_invoices(database, config)
    with database.read() as session:
        numbers = session.scalars(
            sa.select(Invoice.number_no).where(Invoice.number_no.is_not(None)).order_by(Invoice.number_no)
        ).all()
        assert list(numbers) == list(range(1, len(numbers) + 1))
        assert len(numbers) >= 3
        assert session.scalars(sa.select(InvoiceSetup.next_no)).one() == len(numbers) + 1


def test_the_setup_shows_in_every_draft_from_then_on(sqlite_database: Database) -> None:
    database = sqlite_database
    job = make_job(database)
    confirm(database, job, 1, 60)
    with database.write() as session:
        change_setup(session, job.actor("yilmaz"), "160/123/45678", IBAN, True, "2026/")
    draft = the_invoice(database, job, "yilmaz", "draft")
    assert (draft.vat_percent, draft.tax_cents) == (0, 0)


def test_hours_that_are_disputed_after_all_leave_the_draft_and_invoiced_ones_are_settled(
    sqlite_database: Database, config: Config
) -> None:
    database = sqlite_database
    job = make_job(database)
    confirm(database, job, 1, 60)
    yilmaz = job.firm_id("yilmaz")
    with database.write() as session:
        report = session.scalars(sa.select(HourReport).where(HourReport.firm_id == yilmaz)).one()
        report.state = "disputed"
        emit(session, HoursDisputed(yilmaz, report.id))
    run_until_quiet(database)
    with database.read() as session:
        assert session.scalars(sa.select(Invoice)).all() == []
    confirm(database, job, 1, 45)
    invoice = issue(database, job, config)
    assert lines_at(database, job, "yilmaz", invoice.id)[0] == ("run", 45, 7_125)
    with database.read() as session:
        states = session.scalars(sa.select(HourReport.state).where(HourReport.state != "disputed"))
        assert set(states) == {"invoiced"}
