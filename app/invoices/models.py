"""Invoices of both sides, what of the confirmed hours they have used up, and what the bank says was paid."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by

OPEN_DRAFT = sa.text("side = 'ours' AND type_code = 380 AND state IN ('draft', 'checking')")


class InvoiceSetup(FirmOwned, Base):
    """What a firm's invoices need beside its legal facts, and the number that the next one gets."""

    __tablename__ = "invoice_setup"
    __table_args__ = (sa.UniqueConstraint("firm_id"),)

    tax_no: Mapped[str] = mapped_column(sa.String(20), default="")
    iban: Mapped[str] = mapped_column(sa.String(34), default="")
    is_small_business: Mapped[bool] = mapped_column(default=False)
    """§ 19 UStG"""
    prefix: Mapped[str] = mapped_column(sa.String(10), default="R-")
    next_no: Mapped[int] = mapped_column(default=1)
    """Moves in the transaction that issues an invoice, and nowhere else: so no number is left out or used twice."""


class InvoicedHours(FirmOwned, Base):
    """How many confirmed minutes of one kind a booking of ours has, and how many of them stand on invoices."""

    __tablename__ = "invoiced_hours"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "booking_id", "kind"),
        sa.CheckConstraint("invoiced_min >= 0 AND invoiced_min <= confirmed_min", name="not_above_confirmed"),
    )

    booking_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(12))
    confirmed_min: Mapped[int]
    invoiced_min: Mapped[int] = mapped_column(default=0)


class Invoice(FirmOwned, Base):
    """`side` ours: we wrote it; theirs: a partner did. Once issued, only its state and what follows from it change."""

    __tablename__ = "invoice"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "number_no"),
        sa.UniqueConstraint("firm_id", "corrects"),
        sa.Index(
            "ix_invoice_one_draft",
            "firm_id",
            "agreement_id",
            unique=True,
            sqlite_where=OPEN_DRAFT,
            postgresql_where=OPEN_DRAFT,
        ),
        sa.Index("ix_invoice_list", "firm_id", "side", "state"),
        # the worker asks for all firms at once, every minute: what is to be checked, and what is overdue
        sa.Index("ix_invoice_due", "state", "due_on"),
        sa.CheckConstraint("(issued_at IS NULL) = (number = '')", name="issued_has_number"),
        sa.CheckConstraint("netted_cents >= 0 AND netted_cents <= gross_cents", name="netted_within_sum"),
    )

    side: Mapped[str] = mapped_column(sa.String(6))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    """No foreign key: an agreement may be erased after six years or by both, an invoice stays for eight (§ 147 AO)."""
    type_code: Mapped[int]
    """380 invoice, 381 credit note, 384 correction (UNTDID 1001)"""
    number: Mapped[str] = mapped_column(sa.String(30), default="")
    number_no: Mapped[int | None]
    """Our own numbers only."""
    state: Mapped[str] = mapped_column(sa.String(10))
    """draft, checking, issued, accepted, disputed, paid, overdue, reminded, corrected, credited"""
    corrects: Mapped[str | None] = mapped_column(sa.String(36))
    """The invoice that this one replaces (384) or takes back (381)."""
    reason: Mapped[str] = mapped_column(sa.String(200), default="")
    """Why it corrects another one, in own words."""
    subject: Mapped[str] = mapped_column(sa.String(80), default="")
    surcharges: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    """[{booking_id, kind, minutes}] as somebody typed them into a draft"""
    seller: Mapped[dict[str, Any]] = mapped_column(default=dict)
    buyer: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Both as they stand on the issued invoice."""
    vat_percent: Mapped[int] = mapped_column(default=0)
    lines_cents: Mapped[int] = mapped_column(default=0)
    allowance_cents: Mapped[int] = mapped_column(default=0)
    net_cents: Mapped[int] = mapped_column(default=0)
    tax_cents: Mapped[int] = mapped_column(default=0)
    gross_cents: Mapped[int] = mapped_column(default=0)
    service_from: Mapped[dt.date | None] = mapped_column(sa.Date)
    service_to: Mapped[dt.date | None] = mapped_column(sa.Date)
    issued_on: Mapped[dt.date | None] = mapped_column(sa.Date)
    due_on: Mapped[dt.date | None] = mapped_column(sa.Date)
    issued_at: Mapped[dt.datetime | None]
    """When it was issued here, or arrived."""
    xml_file_id: Mapped[str | None] = mapped_column(sa.String(36))
    pdf_file_id: Mapped[str | None] = mapped_column(sa.String(36))
    xml_sha256: Mapped[str] = mapped_column(sa.String(64), default="")
    refusal: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Why it stayed a draft: sentence and values."""
    answered_at: Mapped[dt.datetime | None]
    dispute_reason: Mapped[str] = mapped_column(sa.String(200), default="")
    paid_on: Mapped[dt.date | None] = mapped_column(sa.Date)
    netted_cents: Mapped[int] = mapped_column(default=0)
    """Of its sum what was set off against invoices of the other side."""

    @property
    def open_cents(self) -> int:
        """What is still to be paid in money."""
        return self.gross_cents - self.netted_cents


class InvoiceLine(FirmOwned, Base):
    __tablename__ = "invoice_line"
    __table_args__ = (owned_by("invoice", "invoice_id"), sa.UniqueConstraint("firm_id", "invoice_id", "line_no"))

    invoice_id: Mapped[str] = mapped_column(sa.String(36))
    line_no: Mapped[int]
    booking_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(12))
    """run, set_up, programming, night, sunday, transport"""
    week: Mapped[str] = mapped_column(sa.String(8))
    machine: Mapped[str] = mapped_column(sa.String(60))
    minutes: Mapped[int]
    rate_cents_per_hour: Mapped[int]
    permille: Mapped[int] = mapped_column(default=0)
    net_cents: Mapped[int]


class Netting(FirmOwned, Base):
    """Open invoices of one month, of both directions, set off against each other; one row in each house, same id."""

    __tablename__ = "netting"
    __table_args__ = (sa.Index("ix_netting_open", "firm_id", "partner_id", "state"),)

    partner_id: Mapped[str] = mapped_column(sa.String(36))
    month: Mapped[str] = mapped_column(sa.String(7))
    """YYYY-MM in which the invoices were issued"""
    by_us: Mapped[bool]
    """We asked."""
    state: Mapped[str] = mapped_column(sa.String(10))
    """asked, agreed (by the side that was asked), done, declined"""
    our_cents: Mapped[int]
    their_cents: Mapped[int]
    """Open sums of both sides when it was asked"""
    invoices: Mapped[list[dict[str, Any]]]
    """[{id, cents}] of both sides, the oldest first"""
    netted_on: Mapped[dt.date | None] = mapped_column(sa.Date)


class Payment(FirmOwned, Base):
    """Money that came in: from a bank statement, or noted by hand. Without an invoice it waits for a person."""

    __tablename__ = "payment"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "entry_key"),
        sa.CheckConstraint("amount_cents > 0", name="money_came_in"),
    )

    invoice_id: Mapped[str | None] = mapped_column(sa.String(36))
    amount_cents: Mapped[int]
    booked_on: Mapped[dt.date] = mapped_column(sa.Date)
    reference: Mapped[str] = mapped_column(sa.String(200), default="")
    payer: Mapped[str] = mapped_column(sa.String(140), default="")
    entry_key: Mapped[str | None] = mapped_column(sa.String(64))
    """Of the entry in the statement: the same statement read twice changes nothing. None by hand."""
    dismissed_at: Mapped[dt.datetime | None]
    """Somebody said that it is none of ours."""


# What was issued stays as it was, whatever the code above does: the database itself refuses (§ 14 UStG, GoBD).
FROZEN_COLUMNS = (
    "side", "partner_id", "agreement_id", "type_code", "number", "number_no", "corrects", "reason", "subject", "seller",
    "buyer", "vat_percent", "lines_cents", "allowance_cents", "net_cents", "tax_cents", "gross_cents", "service_from",
    "service_to", "issued_on", "due_on", "issued_at", "xml_file_id", "pdf_file_id", "xml_sha256",
)  # fmt: skip
_SAID = "an issued invoice never changes"
_IS_ISSUED = (
    "EXISTS (SELECT 1 FROM invoice WHERE invoice.firm_id = OLD.firm_id AND invoice.id = OLD.invoice_id"
    " AND invoice.issued_at IS NOT NULL)"
)
_STAYS = "EXISTS (SELECT 1 FROM ledger_head WHERE ledger_head.firm_id = OLD.firm_id AND ledger_head.halt = '')"
"""Only with a firm that leaves this node, or lives on another one, its invoices go."""
_SQLITE_GUARDS = (
    f"""CREATE TRIGGER invoice_frozen BEFORE UPDATE OF {", ".join(FROZEN_COLUMNS)} ON invoice
WHEN OLD.issued_at IS NOT NULL AND ({" OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in FROZEN_COLUMNS)})
BEGIN SELECT RAISE(ABORT, '{_SAID}'); END""",
    f"""CREATE TRIGGER invoice_kept BEFORE DELETE ON invoice WHEN OLD.issued_at IS NOT NULL AND {_STAYS}
BEGIN SELECT RAISE(ABORT, '{_SAID}'); END""",
)
_SQLITE_LINE_GUARDS = tuple(
    f"""CREATE TRIGGER invoice_line_{name} BEFORE {deed} ON invoice_line WHEN {when}
BEGIN SELECT RAISE(ABORT, '{_SAID}'); END"""
    for name, deed, when in (("frozen", "UPDATE", _IS_ISSUED), ("kept", "DELETE", f"{_IS_ISSUED} AND {_STAYS}"))
)
_POSTGRES_GUARDS = (
    f"""CREATE OR REPLACE FUNCTION keep_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{_SAID}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    f"""CREATE TRIGGER invoice_frozen BEFORE UPDATE ON invoice FOR EACH ROW
WHEN (OLD.issued_at IS NOT NULL AND (
{" OR ".join(f"NEW.{name}::text IS DISTINCT FROM OLD.{name}::text" for name in FROZEN_COLUMNS)}))
EXECUTE FUNCTION keep_invoice()""",
    f"""CREATE OR REPLACE FUNCTION keep_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF {_STAYS} THEN
RAISE EXCEPTION '{_SAID}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$""",
    """CREATE TRIGGER invoice_kept BEFORE DELETE ON invoice FOR EACH ROW WHEN (OLD.issued_at IS NOT NULL)
EXECUTE FUNCTION keep_issued_invoice()""",
)
_POSTGRES_LINE_GUARDS = (
    f"""CREATE OR REPLACE FUNCTION keep_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF {_IS_ISSUED} AND (TG_OP = 'UPDATE' OR {_STAYS}) THEN
RAISE EXCEPTION '{_SAID}' USING ERRCODE = 'integrity_constraint_violation'; END IF;
IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER invoice_line_kept BEFORE UPDATE OR DELETE ON invoice_line FOR EACH ROW
EXECUTE FUNCTION keep_invoice_line()""",
)
GUARDS = {
    "sqlite": ((Invoice, _SQLITE_GUARDS), (InvoiceLine, _SQLITE_LINE_GUARDS)),
    "postgresql": ((Invoice, _POSTGRES_GUARDS), (InvoiceLine, _POSTGRES_LINE_GUARDS)),
}
"""By dialect; a migration runs the same statements."""

for _dialect, _of_tables in GUARDS.items():
    for _table, _statements in _of_tables:
        for _statement in _statements:
            sa.event.listen(
                _table.__table__,
                "after_create",
                sa.DDL(_statement.replace("%", "%%")).execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
            )
