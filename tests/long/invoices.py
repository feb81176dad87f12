"""A hypothesis state machine: hours are reported, checked, confirmed, disputed and corrected, weeks are cancelled and replanned,
and all of it is invoiced, corrected, credited and paid, in any order.

After every step Σ invoiced ≤ Σ confirmed ≤ Σ booked and its tolerance, per booking; nothing more is asked for than the agreed
most, and the numbers have no gap. Log, signatures and XML are left out: what is checked is what the house counts, not how it is
written down.
"""

import datetime as dt
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from app.agreements.actions import propose_cancellation, propose_change
from app.agreements.amending import amendment_row
from app.agreements.amendment_records import Wanted, amendment_record, standing_of
from app.agreements.carrying import carry_out
from app.agreements.models import Agreement
from app.agreements.queries import locked_agreement
from app.agreements.record import facts_of
from app.agreements.standing import LineChange
from app.bookings.models import Booking
from app.bookings.rules import most_min
from app.core import clock
from app.core.db import Base, Database
from app.core.errors import Conflict, RuleBroken
from app.core.ids import new_id
from app.core.units import BERLIN, monday
from app.federation.rules import Incoming
from app.firms.access import Role
from app.hours.actions import EntryDraft, check_reports, correct_entry, receive_disputed, report_hours, start_correction
from app.hours.answering import settle
from app.hours.checking import check_tolerance
from app.hours.models import HourEntry, HourReport
from app.hours.queries import entries_of
from app.hours.rules import CONFIRMED
from app.hours.wire import Disputed, body_of
from app.invoices.actions import correct_invoice, credit_invoice, mark_paid, order_invoice
from app.invoices.drafting import refresh_draft
from app.invoices.issuing import _seal, facts_of_invoice
from app.invoices.models import Invoice, InvoicedHours, InvoiceLine, InvoiceSetup
from app.invoices.queries import lines_of
from app.invoices.rules import CREDIT_NOTE
from app.invoices.settling import _unpaid
from app.notary.models import LedgerHead
from tests.invoices.world import Job, make_job
from tests.long.race_world import MONDAY
from tests.postgres import PostgresServer
from tests.remembered import Rows, rows_of

WEDNESDAY = dt.datetime(2026, 12, 30, 15, 0, tzinfo=BERLIN)
"""Of the last agreed week: three weeks are over, one runs"""
CLEARED = (
    "invoice_line", "invoice", "invoiced_hours", "hour_record", "hour_author", "hour_entry", "hour_report", "amendment",
    "stored_file", "outbox", "alert", "audit_event",
)  # fmt: skip
PUT_BACK = ("agreement", "booking", "capacity_window", "hold")
COUNTING = ("run", "set_up", "programming")
LINES = st.sampled_from((1, 1, 1, 4, 2))
"""Most happens on one week: only what meets can go wrong"""


class Office(RuleBasedStateMachine):
    """Yilmaz' house with one agreement over four weeks of ten hours."""

    database: ClassVar[Database]
    job: ClassVar[Job]
    begun: ClassVar[Rows]

    @initialize()
    def begin(self) -> None:
        """The agreement as it was signed; nothing is reported yet."""
        self.firm_id, self.actor, self.asked_cents = self.job.firm_id("yilmaz"), self.job.actor("yilmaz"), 0
        self.worker, self.foreman = (self.job.deal.firms["yilmaz"].actor(role) for role in (Role.WORKER, Role.FOREMAN))
        with self.database.write() as session:
            session.execute(sa.update(LedgerHead).values(halt="leaving"))
            for name in CLEARED:
                session.execute(sa.delete(Base.metadata.tables[name]))
            session.execute(sa.update(LedgerHead).values(halt=""))
            session.execute(sa.update(InvoiceSetup).values(next_no=1))
            for table, rows in self.begun:
                session.execute(sa.delete(table).where(table.c.id.not_in([row["id"] for row in rows])))
                for row in rows:
                    same = (table.c.firm_id == row["firm_id"]) & (table.c.id == row["id"])
                    session.execute(sa.update(table).where(same).values(row))

    @rule(
        line_no=LINES,
        day_no=st.integers(0, 2),
        quarters=st.integers(1, 48),
        kind=st.sampled_from(("run", "run", *COUNTING, "idle")),
        then=st.sampled_from(("", "checked", "confirmed", "confirmed", "auto_confirmed")),
    )
    def work(self, line_no: int, day_no: int, quarters: int, kind: str, then: str) -> None:
        """Reported, and often brought on at once."""

        def deed(session: Session) -> None:
            booking = self._booking(session, line_no)
            day = monday(booking.week) + dt.timedelta(days=day_no)
            report_hours(session, self.worker, booking.id, EntryDraft(day, 15 * quarters, kind), new_id())

        self._attempt(deed)
        if then:
            self.check(0)
        if then in CONFIRMED:
            self.confirm(0, then == "auto_confirmed")

    @precondition(lambda self: self.reports["reported"] + self.reports["draft"])
    @rule(which=st.integers(0, 3))
    def check(self, which: int) -> None:
        report_id = self._report(which, "reported", "draft")
        if report_id:
            self._attempt(lambda session: check_reports(session, self.foreman, [report_id]))

    @precondition(lambda self: self.reports["checked"])
    @rule(which=st.integers(0, 3), is_silent=st.booleans())
    def confirm(self, which: int, is_silent: bool) -> None:
        """What the partner does where its own house lets it: the same tolerance holds there."""
        report_id = self._report(which, "checked")

        def deed(session: Session) -> None:
            report = session.get_one(HourReport, (self.firm_id, report_id))
            booking = session.get_one(Booking, (self.firm_id, report.booking_id))
            run = sum(one.minutes for one in entries_of(session, self.firm_id, report_id) if one.kind == "run")
            check_tolerance(session, self._agreement(session), booking, run, report_id)
            settle(session, report, "auto_confirmed" if is_silent else "confirmed")
            self._refresh(session)

        if report_id:
            self._attempt(deed)

    @precondition(lambda self: self.reports["checked"] + self.reports["auto_confirmed"])
    @rule(which=st.integers(0, 3))
    def dispute(self, which: int) -> None:
        report_id = self._report(which, "checked", "auto_confirmed")

        def deed(session: Session) -> None:
            entry_ids = tuple(one.id for one in entries_of(session, self.firm_id, report_id))
            body = body_of(Disputed(report_id, entry_ids, "Zu viel"))
            keller = self.job.firm_id("keller")
            receive_disputed(session, Incoming(self.firm_id, keller, new_id(), "hours.disputed", body, clock.now()))
            self._refresh(session)

        if report_id:
            self._attempt(deed)

    @precondition(lambda self: self.reports["disputed"])
    @rule(which=st.integers(0, 3), less=st.integers(0, 20))
    def correct_hours(self, which: int, less: int) -> None:
        report_id = self._report(which, "disputed")

        def deed(session: Session) -> None:
            report = start_correction(session, self.foreman, report_id)
            entry = entries_of(session, self.firm_id, report.id)[0]
            draft = EntryDraft(entry.day, max(0, entry.minutes - 15 * less), entry.kind)
            correct_entry(session, self.foreman, entry.id, draft, new_id())

        if report_id:
            self._attempt(deed)

    @rule(line_no=LINES, quarters=st.integers(1, 60))
    def replan(self, line_no: int, quarters: int) -> None:
        """Both sign other hours for one week."""

        def deed(session: Session) -> None:
            minutes = {line_no: 15 * quarters}
            carry_out(
                session,
                self._agreement(session),
                propose_change(session, self.actor, self.job.agreement_id, minutes, "Umplanung"),
            )

        self._attempt(deed)

    @rule(line_no=st.sampled_from((4, 4, 3)), by_partner=st.booleans())
    def cancel(self, line_no: int, by_partner: bool) -> None:
        """We cancel and the partner signs, or it cancels by its right."""
        self._attempt(lambda session: self._be_cancelled(session) if by_partner else self._cancel(session, line_no))

    @precondition(lambda self: self.invoices["draft"])
    @rule()
    def issue(self) -> None:
        with self.database.write() as session:
            draft = session.scalar(sa.select(Invoice.id).where(Invoice.state == "draft"))
            if draft is None:
                return
            try:
                order_invoice(session, self.actor, draft)
            except RuleBroken:  # the agreed most is asked for already
                return
        self._seal(draft)

    @precondition(lambda self: self.invoices["issued"] + self.invoices["paid"])
    @rule(which=st.integers(0, 9))
    def credit(self, which: int) -> None:
        invoice_id = self._pick(which)
        if invoice_id:
            with self.database.write() as session:
                made = credit_invoice(session, self.actor, invoice_id, "Anschrift").id
            self._seal(made)

    @precondition(lambda self: self.invoices["issued"] + self.invoices["paid"])
    @rule(which=st.integers(0, 9), less=st.integers(1, 20))
    def correct(self, which: int, less: int) -> None:
        invoice_id = self._pick(which)
        if not invoice_id:
            return
        with self.database.read() as session:
            lines = lines_of(session, self.firm_id, invoice_id)
        wanted = {n: max(0, line.minutes - 15 * less) for n, line in enumerate(lines, 1) if line.minutes}
        try:
            with self.database.write() as session:
                made = correct_invoice(session, self.actor, invoice_id, wanted, "Weniger").id
        except RuleBroken:  # nothing would be left of it
            return
        self._seal(made)

    @precondition(lambda self: self.invoices["issued"])
    @rule(which=st.integers(0, 9))
    def pay(self, which: int) -> None:
        invoice_id = self._pick(which, ("issued",))
        if invoice_id:
            with self.database.write() as session:
                mark_paid(session, self.actor, invoice_id, clock.today())

    @invariant()
    def nothing_is_asked_for_twice(self) -> None:
        if not hasattr(self, "firm_id"):
            return
        with self.database.read() as session:
            self.reports, self.invoices = (self._states(session, table) for table in (HourReport, Invoice))
            confirmed, asked = self._confirmed(session), self._asked(session)
            tolerance = facts_of(self._agreement(session)).tolerance_percent
            for booking in session.scalars(sa.select(Booking).where(Booking.firm_id == self.firm_id)):
                assert confirmed[booking.id, "run"] <= most_min(booking.agreed_min, tolerance), booking.line_no
                if booking.state == "settled":
                    assert booking.id not in _unpaid(session, self.firm_id, self.job.agreement_id)
            counted = {(row.booking_id, row.kind): row for row in session.scalars(sa.select(InvoicedHours))}
            for key, minutes in asked.items():
                assert minutes <= confirmed[key], (key, minutes, confirmed[key])
                assert minutes <= counted[key].invoiced_min <= counted[key].confirmed_min == confirmed[key]
            self._check_money(session)
            numbers = session.scalars(
                sa.select(Invoice.number_no).where(Invoice.number_no.is_not(None)).order_by(Invoice.number_no)
            ).all()
            assert list(numbers) == list(range(1, len(numbers) + 1))

    def _check_money(self, session: Session) -> None:
        agreement = session.get_one(Agreement, (self.firm_id, self.job.agreement_id))
        rows = session.scalars(sa.select(Invoice).where(Invoice.number != "", Invoice.type_code != CREDIT_NOTE)).all()
        net = sum(row.net_cents for row in rows if row.state not in ("corrected", "credited"))
        # fewer agreed hours lower the most that may be asked for; what was asked for before that stays
        assert net <= max(standing_of(session, agreement).facts.cap_cents, self.asked_cents)
        self.asked_cents = net
        for row in rows:
            assert abs(row.tax_cents * 100 - row.net_cents * row.vat_percent) <= 50

    def _confirmed(self, session: Session) -> Counter[tuple[str, str]]:
        """Reckoned without the house's own sums: an entry that a later one corrects counts no more."""
        entries = session.execute(
            sa.select(HourReport.booking_id, HourEntry.id, HourEntry.kind, HourEntry.minutes, HourEntry.corrects)
            .join(HourEntry, HourEntry.report_id == HourReport.id)
            .where(HourReport.state.in_(CONFIRMED))
        ).all()
        gone = {row.corrects for row in entries}
        found: Counter[tuple[str, str]] = Counter()
        for row in entries:
            found[row.booking_id, row.kind] += 0 if row.id in gone else row.minutes
        return found

    def _asked(self, session: Session) -> Counter[tuple[str, str]]:
        rows = session.execute(
            sa.select(InvoiceLine.booking_id, InvoiceLine.kind, InvoiceLine.minutes)
            .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
            .where(Invoice.number != "", Invoice.type_code != CREDIT_NOTE, InvoiceLine.kind.in_(COUNTING))
            .where(Invoice.state.not_in(("corrected", "credited")))
        )
        found: Counter[tuple[str, str]] = Counter()
        for booking_id, kind, minutes in rows:
            found[booking_id, kind] += minutes
        return found

    def _attempt(self, deed: Callable[[Session], object]) -> None:
        """What the house refuses leaves nothing behind."""
        try:
            with self.database.write() as session:
                deed(session)
        except (RuleBroken, Conflict):
            pass

    def _cancel(self, session: Session, line_no: int) -> None:
        wanted = propose_cancellation(session, self.actor, self.job.agreement_id, [line_no], "Absage")
        carry_out(session, self._agreement(session), wanted)

    def _be_cancelled(self, session: Session) -> None:
        """The running week; hours that are checked may be on their way, confirmed ones the partner knows."""
        booking, agreement = self._booking(session, 4), self._agreement(session)
        if self._confirmed(session)[booking.id, "run"]:
            return
        line = (LineChange(4, booking.agreed_min, 0),)
        wanted = Wanted("cancellation", line, "Absage", clock.today().isoformat(), int(WEDNESDAY.timestamp()), True)
        amendment_id = new_id()
        record = amendment_record(session, agreement, amendment_id, wanted)
        amendment = amendment_row(agreement, amendment_id, wanted, record, by_us=False)
        session.add(amendment)
        session.flush()
        carry_out(session, agreement, amendment)

    def _agreement(self, session: Session) -> Agreement:
        return locked_agreement(session, self.firm_id, self.job.agreement_id)

    def _booking(self, session: Session, line_no: int) -> Booking:
        return session.scalars(
            sa.select(Booking).where(Booking.firm_id == self.firm_id, Booking.line_no == line_no)
        ).one()

    def _states(self, session: Session, table: type[HourReport | Invoice]) -> Counter[str]:
        return Counter(session.scalars(sa.select(table.state).where(table.firm_id == self.firm_id)))

    def _report(self, which: int, *states: str) -> str:
        with self.database.read() as session:
            found = session.scalars(
                sa.select(HourReport.id).where(HourReport.state.in_(states)).order_by(HourReport.id)
            ).all()
        return found[which % len(found)] if found else ""

    def _refresh(self, session: Session) -> None:
        refresh_draft(session, self._agreement(session))

    def _pick(self, which: int, states: tuple[str, ...] = ("issued", "paid")) -> str:
        with self.database.read() as session:
            found = session.scalars(
                sa.select(Invoice.id)
                .where(Invoice.state.in_(states), Invoice.type_code != CREDIT_NOTE)
                .order_by(Invoice.number_no)
            ).all()
        return found[which % len(found)] if found else ""

    def _seal(self, invoice_id: str) -> None:
        """What the worker does, without setting and checking the document."""
        with self.database.read() as session:
            facts = facts_of_invoice(session, session.get_one(Invoice, (self.firm_id, invoice_id)))
        with self.database.write() as session:
            assert _seal(session, self.firm_id, invoice_id, facts, facts.number.encode(), b"%PDF")


@contextmanager
def without_log() -> Iterator[None]:
    """Nothing is signed and nothing enters the log: both take far longer than all that is checked here."""
    seq = itertools.count(1)
    with ExitStack() as stack:
        for place in ("app.hours.record", "app.agreements.carrying"):
            stack.enter_context(patch(f"{place}.append_entry", lambda *_a, **_k: next(seq)))
        stack.enter_context(patch("app.hours.record.seal", lambda *_a: {}))
        yield


def play(database: Database, examples: int, steps: int, seed: int = 0, is_shrinking: bool = True) -> None:
    """Play so many offices of so many steps each; raises AssertionError with the shortest way to a fault.

    Without a seed the same ones every time.
    """
    Office.database, Office.job = database, make_job(database)
    with database.read() as session:
        Office.begun = [(table, rows) for table, rows in rows_of(session) if table.name in PUT_BACK]
    phases = (Phase.generate, Phase.shrink) if is_shrinking else (Phase.generate,)
    machine = seeded(seed)(Office) if seed else Office
    with clock.frozen(WEDNESDAY), without_log():
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            machine,
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=not seed, database=None,
                suppress_health_check=list(HealthCheck), phases=phases,
            ),
        )  # fmt: skip


def run(is_short: bool, seed: int) -> dict[str, Any]:
    """Twelve steps in each of so many offices, half of them on each kind of database."""
    examples = 10 if is_short else 10_000
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        small = f"sqlite:///{Path(folder) / 'office.sqlite'}"
        server = PostgresServer.start(Path(folder))
        try:
            faults = [_fault(url, examples, seed) for url in (small, server.new_database())]
        finally:
            server.stop()
    fault = "".join(faults)
    return {"ok": not fault, "offices": 2 * examples, "steps": 24 * examples, "fault": fault}


def _fault(url: str, examples: int, seed: int) -> str:
    """The shortest way to a fault; '' where there was none."""
    database = Database(url)
    database.create_tables()
    try:
        play(database, examples, 12, seed)
    except AssertionError as error:
        return "\n".join(itertools.islice(str(error).splitlines(), 20))
    finally:
        database.close()
    return ""
