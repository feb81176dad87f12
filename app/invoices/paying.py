"""Money for our invoices: noted by hand, or read from the bank's statement; reminders; what is overdue."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import insert_into
from app.core.errors import NotFound, RuleBroken
from app.core.events import InvoicePaid, InvoiceReminded
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.invoices.camt import Credit
from app.invoices.models import Invoice, Payment
from app.invoices.netting import check_not_bound
from app.invoices.pairing import Due, match_payment
from app.invoices.queries import locked_invoice
from app.invoices.rules import CREDIT_NOTE, OPEN, check_step
from app.invoices.settling import settle_bookings
from app.invoices.telling import tell_office


@dataclass(frozen=True, slots=True)
class Imported:
    """What a statement brought: invoices that are paid now, payments that wait for a person, and those known before."""

    paid: int
    unclear: int
    known: int


def mark_paid(session: Session, actor: Actor, invoice_id: str, paid_on: dt.date) -> None:
    """Note by hand that the money for an invoice of ours is there."""
    invoice = _own(session, actor, invoice_id)
    if paid_on > clock.today() or (invoice.issued_on is not None and paid_on < invoice.issued_on):
        raise RuleBroken("Wähle einen Tag zwischen Rechnung und heute.", "paid_on")
    session.add(_payment(actor.firm_id, invoice, invoice.open_cents, paid_on))
    _settle(session, invoice, paid_on, actor.person_id)


def remind_invoice(session: Session, actor: Actor, invoice_id: str) -> None:
    """Remind the partner of an overdue invoice."""
    invoice = _own(session, actor, invoice_id)
    check_step(invoice.state, "reminded")
    invoice.state = "reminded"
    note_event(session, actor.firm_id, actor.person_id, "invoice_reminded", "invoice", invoice.id, invoice.partner_id)
    emit(session, InvoiceReminded(actor.firm_id, invoice.id))
    bump_version(session, actor.firm_id)


def import_statement(session: Session, actor: Actor, credits: tuple[Credit, ...]) -> Imported:
    """Take over a statement: sure payments settle their invoice, the others wait; known ones change nothing."""
    paid = unclear = known = 0
    for credit in credits:
        row = _keep(session, actor.firm_id, credit)
        if row is None:
            known += 1
        elif _settle_if_sure(session, actor, row):
            paid += 1
        else:
            unclear += 1
    note_event(session, actor.firm_id, actor.person_id, "statement_imported")
    bump_version(session, actor.firm_id)
    return Imported(paid, unclear, known)


def assign_payment(session: Session, actor: Actor, payment_id: str, invoice_id: str) -> None:
    """A person says which invoice a payment is for; the amount may be another one, that is what people are for."""
    payment = _waiting(session, actor, payment_id)
    invoice = _own(session, actor, invoice_id)
    payment.invoice_id = invoice.id
    _settle(session, invoice, payment.booked_on, actor.person_id)


def dismiss_payment(session: Session, actor: Actor, payment_id: str) -> None:
    """A person says that a payment is for no invoice here."""
    _waiting(session, actor, payment_id).dismissed_at = clock.now()
    bump_version(session, actor.firm_id)


def find_overdue(session: Session, now: dt.datetime) -> None:
    """Invoices whose last day is over are overdue, and the office is told once."""
    overdue = session.scalars(
        sa.select(Invoice)
        .where(Invoice.side == "ours", Invoice.state.in_(("issued", "accepted")), Invoice.due_on < clock.today())
        .where(Invoice.type_code != CREDIT_NOTE)
        .order_by(Invoice.firm_id, Invoice.id)
        .with_for_update()
    ).all()
    for invoice in overdue:
        invoice.state = "overdue"
        tell_office(session, invoice, "invoice_overdue")
        bump_version(session, invoice.firm_id)


def dues_of(session: Session, firm_id: str) -> list[Due]:
    """Our invoices that a payment may name, those that are paid too."""
    rows = session.scalars(
        sa.select(Invoice)
        .where(Invoice.firm_id == firm_id, Invoice.side == "ours", Invoice.issued_at.is_not(None))
        .where(Invoice.type_code != CREDIT_NOTE)
        .order_by(Invoice.number_no)
    )
    return [Due(row.id, row.number, row.open_cents, row.state in OPEN) for row in rows]


def _settle_if_sure(session: Session, actor: Actor, payment: Payment) -> bool:
    found = match_payment(payment.reference, payment.amount_cents, dues_of(session, actor.firm_id))
    if not found.invoice_id:
        return False
    payment.invoice_id = found.invoice_id
    _settle(session, locked_invoice(session, actor.firm_id, found.invoice_id), payment.booked_on, actor.person_id)
    return True


def _keep(session: Session, firm_id: str, credit: Credit) -> Payment | None:
    """The row of a payment; None when it was there before: the unique key decides."""
    kept = session.scalar(
        insert_into(session, Payment)
        .values(
            firm_id=firm_id, id=new_id(), created_at=clock.now(), amount_cents=credit.amount_cents,
            booked_on=credit.booked_on, reference=credit.reference, payer=credit.payer, entry_key=credit.key,
        )
        .on_conflict_do_nothing(index_elements=["firm_id", "entry_key"])
        .returning(Payment.id)
    )  # fmt: skip
    return None if kept is None else session.get_one(Payment, (firm_id, kept))


def _payment(firm_id: str, invoice: Invoice, amount_cents: int, booked_on: dt.date) -> Payment:
    return Payment(
        firm_id=firm_id, id=new_id(), created_at=clock.now(), invoice_id=invoice.id, amount_cents=amount_cents,
        booked_on=booked_on, reference=invoice.number, payer="", entry_key=None,
    )  # fmt: skip


def _settle(session: Session, invoice: Invoice, paid_on: dt.date, person_id: str) -> None:
    check_not_bound(session, invoice)
    check_step(invoice.state, "paid")
    invoice.state, invoice.paid_on = "paid", paid_on
    note_event(session, invoice.firm_id, person_id, "invoice_paid", "invoice", invoice.id, invoice.partner_id)
    emit(session, InvoicePaid(invoice.firm_id, invoice.id))
    bump_version(session, invoice.firm_id)
    settle_bookings(session, invoice.firm_id, invoice.agreement_id)


def _own(session: Session, actor: Actor, invoice_id: str) -> Invoice:
    """An issued invoice of ours that asks for money; raises NotFound or RuleBroken."""
    invoice = locked_invoice(session, actor.firm_id, invoice_id)
    if invoice.side != "ours" or invoice.issued_at is None or invoice.type_code == CREDIT_NOTE:
        raise RuleBroken("Das geht bei dieser Rechnung nicht.")
    return invoice


def _waiting(session: Session, actor: Actor, payment_id: str) -> Payment:
    payment = session.get(Payment, (actor.firm_id, payment_id), with_for_update=True, populate_existing=True)
    if payment is None:
        raise NotFound
    if payment.invoice_id is not None or payment.dismissed_at is not None:
        raise RuleBroken("Diese Zahlung ist schon zugeordnet.")
    return payment
