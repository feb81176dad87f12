"""A hypothesis state machine: hours are confirmed, disputed, invoiced, corrected, credited and paid in any order.

After every step Σ invoiced ≤ Σ confirmed per booking and kind, nothing is asked for above the agreed most, and the numbers have
no gap. The XML is left out: what is checked is what the house counts, not how it is written.
"""

import itertools
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from app.agreements.amendment_records import standing_of
from app.agreements.models import Agreement
from app.agreements.queries import locked_agreement
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Base, Database
from app.core.errors import RuleBroken
from app.core.ids import new_id
from app.core.units import monday
from app.hours.models import HourEntry, HourReport
from app.invoices.actions import correct_invoice, credit_invoice, mark_paid, order_invoice
from app.invoices.drafting import refresh_draft
from app.invoices.issuing import _seal, facts_of_invoice
from app.invoices.models import Invoice, InvoicedHours, InvoiceLine, InvoiceSetup
from app.invoices.queries import lines_of
from app.invoices.rules import CREDIT_NOTE
from app.notary.models import LedgerHead
from tests.invoices.world import Job, make_job
from tests.long.race_world import MONDAY

CLEARED = ("invoice_line", "invoice", "invoiced_hours", "hour_entry", "hour_report", "stored_file", "outbox", "alert")
COUNTING = ("run", "set_up", "programming")


class Office(RuleBasedStateMachine):
    """Yilmaz' office with one agreement over four weeks."""

    database: ClassVar[Database]
    job: ClassVar[Job]

    @initialize()
    def begin(self) -> None:
        """The agreement as it was signed; nothing is reported yet."""
        self.firm_id, self.actor = self.job.firm_id("yilmaz"), self.job.actor("yilmaz")
        with self.database.write() as session:
            session.execute(sa.update(LedgerHead).values(halt="leaving"))
            for name in CLEARED:
                session.execute(sa.delete(Base.metadata.tables[name]))
            session.execute(sa.update(LedgerHead).values(halt=""))
            session.execute(sa.update(InvoiceSetup).values(next_no=1))

    @rule(
        line_no=st.integers(1, 4),
        quarters=st.integers(1, 30),
        kind=st.sampled_from((*COUNTING, "idle")),
        is_silent=st.booleans(),
    )
    def confirm(self, line_no: int, quarters: int, kind: str, is_silent: bool) -> None:
        with self.database.write() as session:
            booking = session.scalars(
                sa.select(Booking).where(Booking.firm_id == self.firm_id, Booking.line_no == line_no)
            ).one()
            common: dict[str, Any] = {"firm_id": self.firm_id, "created_at": clock.now()}
            report = HourReport(
                **common, id=new_id(), side="ours", booking_id=booking.id, agreement_id=booking.agreement_id,
                partner_id=booking.partner_id, week=booking.week, state="auto_confirmed" if is_silent else "confirmed",
            )  # fmt: skip
            session.add(report)
            session.flush()
            day = monday(booking.week)
            session.add(
                HourEntry(**common, id=new_id(), report_id=report.id, day=day, minutes=15 * quarters, kind=kind)
            )
            session.flush()
            self._refresh(session)

    @rule(which=st.integers(0, 9))
    def dispute(self, which: int) -> None:
        """Only what silence confirmed, and only before it stands on an invoice."""
        with self.database.write() as session:
            found = session.scalars(
                sa.select(HourReport).where(HourReport.state == "auto_confirmed").order_by(HourReport.id)
            ).all()
            if found:
                found[which % len(found)].state = "disputed"
                session.flush()
                self._refresh(session)

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

    @rule(which=st.integers(0, 9))
    def credit(self, which: int) -> None:
        invoice_id = self._pick(which)
        if invoice_id:
            with self.database.write() as session:
                made = credit_invoice(session, self.actor, invoice_id, "Anschrift").id
            self._seal(made)

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
            confirmed, asked = self._confirmed(session), self._asked(session)
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
        assert net <= standing_of(session, agreement).facts.cap_cents
        for row in rows:
            assert abs(row.tax_cents * 100 - row.net_cents * row.vat_percent) <= 50

    def _confirmed(self, session: Session) -> Counter[tuple[str, str]]:
        rows = session.execute(
            sa.select(HourReport.booking_id, HourEntry.kind, HourEntry.minutes)
            .join(HourEntry, HourEntry.report_id == HourReport.id)
            .where(HourReport.state != "disputed")
        )
        found: Counter[tuple[str, str]] = Counter()
        for booking_id, kind, minutes in rows:
            found[booking_id, kind] += minutes
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

    def _refresh(self, session: Session) -> None:
        refresh_draft(session, locked_agreement(session, self.firm_id, self.job.agreement_id))

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


def play(database: Database, examples: int, steps: int) -> None:
    """Play so many offices of so many steps each; raises AssertionError with the shortest way to a fault."""
    Office.database, Office.job = database, make_job(database)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Office,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def run(is_short: bool, seed: int) -> dict[str, Any]:
    """Ten steps in each of so many offices."""
    examples = 20 if is_short else 2000
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        database = Database(f"sqlite:///{Path(folder) / 'office.sqlite'}")
        database.create_tables()
        try:
            play(database, examples, 10)
            fault = ""
        except AssertionError as error:
            fault = "\n".join(itertools.islice(str(error).splitlines(), 20))
        database.close()
    return {"ok": not fault, "offices": examples, "steps": 10 * examples, "fault": fault}
