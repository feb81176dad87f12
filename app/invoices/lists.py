"""Rows for Belege, the bank's payments that wait, and the balance with each partner; always of the acting firm only."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.core.words import N_
from app.firms.access import Actor, may
from app.hours.models import HourEntry, HourReport
from app.hours.queries import is_current
from app.hours.rules import CONFIRMED
from app.invoices.models import Invoice, Payment
from app.invoices.pairing import Due, match_payment
from app.invoices.paying import dues_of
from app.invoices.rules import CREDIT_NOTE, OPEN
from app.partners.models import Partnership

MOST_ROWS = 100
TITLES = {380: N_("Rechnung"), 381: N_("Rechnungskorrektur"), 384: N_("Korrigierte Rechnung")}
STATES = {
    "draft": "entwurf", "checking": "wartet", "issued": "gesendet", "accepted": "angenommen", "disputed": "strittig",
    "paid": "bezahlt", "overdue": "ueberfaellig", "reminded": "ueberfaellig", "corrected": "ersetzt",
    "credited": "aufgehoben",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """One invoice in a list."""

    id: str
    side: str
    type_code: int
    number: str
    state: str
    partner_name: str
    subject: str
    gross_cents: int
    due_on: dt.date | None
    is_refused: bool

    @property
    def title(self) -> str:
        return TITLES[self.type_code]

    @property
    def status(self) -> str:
        """Which word and picture the state has; what arrived waits for us."""
        return "wartet" if self.side == "theirs" and self.state == "issued" else STATES[self.state]


@dataclass(frozen=True, slots=True)
class WaitingPayment:
    """Money whose invoice is not sure, and why; with the invoices that it could be for."""

    id: str
    amount_cents: int
    booked_on: dt.date
    reference: str
    payer: str
    why_not: str


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """One partner: minutes given and taken, cents asked for and open on both sides."""

    partner_id: str
    partner_name: str
    given_min: int
    taken_min: int
    asked_cents: int
    to_get_cents: int
    got_cents: int
    to_pay_cents: int

    @property
    def open_cents(self) -> int:
        """What remains when both sides pay: above 0 the partner owes us."""
        return self.to_get_cents - self.to_pay_cents


def invoice_lists(session: Session, actor: Actor) -> dict[str, list[InvoiceRow]]:
    """By what is to be done: senden, pruefen, bekommen, zahlen, fertig; each with what is most urgent first."""
    rows = _rows(session, actor)
    asking = [row for row in rows if row.type_code != CREDIT_NOTE]
    return {
        "senden": [row for row in rows if row.state in ("draft", "checking")],
        "pruefen": [row for row in rows if row.side == "theirs" and row.state == "issued"],
        "bekommen": [row for row in asking if row.side == "ours" and row.state in OPEN],
        "zahlen": [row for row in asking if row.side == "theirs" and row.state in ("accepted", "disputed")],
        "fertig": [row for row in rows if _is_done(row)],
    }


def waiting_count(session: Session, actor: Actor) -> int:
    """How many drafts wait to be sent and partners' invoices to be checked: the number on the tab."""
    if not may(actor, "invoices.send"):
        return 0
    waits = sa.or_(Invoice.state == "draft", sa.and_(Invoice.side == "theirs", Invoice.state == "issued"))
    query = sa.select(sa.func.count()).select_from(Invoice).where(Invoice.firm_id == actor.firm_id, waits)
    return session.scalar(query) or 0


def waiting_payments(session: Session, actor: Actor) -> tuple[list[WaitingPayment], list[Due]]:
    """Payments that a person has to look at, the newest first, and the invoices that are still open."""
    dues = dues_of(session, actor.firm_id)
    rows = session.scalars(
        sa.select(Payment)
        .where(Payment.firm_id == actor.firm_id, Payment.invoice_id.is_(None), Payment.dismissed_at.is_(None))
        .order_by(Payment.booked_on.desc(), Payment.id)
        .limit(MOST_ROWS)
    )
    waiting = [
        WaitingPayment(
            row.id, row.amount_cents, row.booked_on, row.reference, row.payer,
            match_payment(row.reference, row.amount_cents, dues).why_not,
        )
        for row in rows
    ]  # fmt: skip
    return waiting, [due for due in dues if due.is_open]


def balances(session: Session, actor: Actor) -> list[BalanceRow]:
    """S26: what went to and fro with each partner, by name. Only our own rows, and no total over partners."""
    minutes = _confirmed_min(session, actor)
    cents = _cents(session, actor)
    partners = session.execute(
        sa.select(Partnership.partner_id, Partnership.name)
        .where(Partnership.firm_id == actor.firm_id)
        .order_by(Partnership.name, Partnership.partner_id)
    )
    known = {key[0] for key in (*minutes, *cents)}
    return [
        BalanceRow(
            partner_id, name, minutes.get((partner_id, "ours"), 0), minutes.get((partner_id, "theirs"), 0),
            *cents.get((partner_id, "ours"), (0, 0)), *cents.get((partner_id, "theirs"), (0, 0)),
        )
        for partner_id, name in partners
        if partner_id in known
    ]  # fmt: skip


def _rows(session: Session, actor: Actor) -> list[InvoiceRow]:
    is_partner = (Partnership.firm_id == Invoice.firm_id) & (Partnership.partner_id == Invoice.partner_id)
    found = session.execute(
        sa.select(
            Invoice.id, Invoice.side, Invoice.type_code, Invoice.number, Invoice.state, Partnership.name, Invoice.subject,
            Invoice.gross_cents, Invoice.due_on, Invoice.refusal,
        )
        .join(Partnership, is_partner)
        .where(Invoice.firm_id == actor.firm_id)
        .order_by(Invoice.issued_on.desc(), Invoice.created_at.desc(), Invoice.id)
        .limit(10 * MOST_ROWS)
    )  # fmt: skip
    rows = [
        InvoiceRow(
            row.id, row.side, row.type_code, row.number, row.state, row.name, row.subject, row.gross_cents, row.due_on,
            bool(row.refusal),
        )
        for row in found
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row.state not in ("overdue", "reminded", "disputed"))


def _is_done(row: InvoiceRow) -> bool:
    is_credit = row.type_code == CREDIT_NOTE and row.state not in ("draft", "checking")
    is_seen = row.side == "ours" or row.state != "issued"
    return row.state in ("paid", "corrected", "credited") or (is_credit and is_seen)


def _confirmed_min(session: Session, actor: Actor) -> dict[tuple[str, str], int]:
    rows = session.execute(
        sa.select(HourReport.partner_id, Booking.side, sa.func.sum(HourEntry.minutes))
        .join(Booking, (Booking.firm_id == HourReport.firm_id) & (Booking.id == HourReport.booking_id))
        .join(HourEntry, (HourEntry.firm_id == HourReport.firm_id) & (HourEntry.report_id == HourReport.id))
        .where(HourReport.firm_id == actor.firm_id, HourReport.state.in_(CONFIRMED), is_current())
        .group_by(HourReport.partner_id, Booking.side)
    )
    return {(partner_id, side): int(minutes) for partner_id, side, minutes in rows}


def _cents(session: Session, actor: Actor) -> dict[tuple[str, str], tuple[int, int]]:
    """Gross cents of invoices that count, and of those still open, by partner and side."""
    still_open = sa.case((Invoice.state.in_(OPEN), Invoice.gross_cents - Invoice.netted_cents), else_=0)
    rows = session.execute(
        sa.select(Invoice.partner_id, Invoice.side, sa.func.sum(Invoice.gross_cents), sa.func.sum(still_open))
        .where(Invoice.firm_id == actor.firm_id, Invoice.issued_at.is_not(None), Invoice.type_code != CREDIT_NOTE)
        .where(Invoice.state.not_in(("corrected", "credited")))
        .group_by(Invoice.partner_id, Invoice.side)
    )
    return {(partner_id, side): (int(asked), int(due)) for partner_id, side, asked, due in rows}
