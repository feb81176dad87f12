"""From draft to issued: built and checked with no transaction open, then number, files and state in one transaction."""

import hashlib
from dataclasses import asdict

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import locked_agreement
from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, RuleBroken
from app.core.events import InvoiceIssued
from app.core.outbox import emit
from app.core.words import N_
from app.federation.actions import store_file
from app.firms.actions import bump_version, note_event
from app.hours.invoiced import mark_invoiced
from app.invoices.documents import TITLES, Earlier, InvoiceFacts
from app.invoices.drafting import ensure_setup, refresh_draft, sums_of
from app.invoices.models import Invoice, InvoicedHours, InvoiceSetup
from app.invoices.queries import (
    invoice_for,
    lines_of,
    locked_invoice,
    own_seat,
    partner_seat,
    payment_days,
    setup_of,
)
from app.invoices.rules import CORRECTION, CREDIT_NOTE, INVOICE, PAID_KINDS, check_step, due_day, number_text
from app.invoices.settling import settle_bookings
from app.invoices.telling import tell_office

log = structlog.get_logger()
MOST_TRIES = 5
FAULT = N_("Die Prüfung ging gerade nicht. Versuch es noch einmal.")


def issue_invoices(database: Database, config: Config) -> None:
    """Issue what people ordered, the oldest first. A draft that breaks a rule of the norm goes back with that rule."""
    with database.read() as session:
        waiting = session.execute(
            sa.select(Invoice.firm_id, Invoice.id)
            .where(Invoice.state == "checking")
            .order_by(Invoice.created_at, Invoice.id)
        ).all()
    for firm_id, invoice_id in waiting:
        try:
            _issue(database, config.is_practice, firm_id, invoice_id)
        except RuleBroken as refusal:
            _send_back(database, firm_id, invoice_id, refusal.text, refusal.field)
        except Exception:
            log.exception("invoice not issued", firm_id=firm_id, invoice_id=invoice_id)
            _send_back(database, firm_id, invoice_id, FAULT, "")


def facts_of_invoice(session: Session, invoice: Invoice) -> InvoiceFacts:
    """What a draft would say if it were issued now, under the number that is next."""
    agreement = session.get_one(Agreement, (invoice.firm_id, invoice.agreement_id))
    setup = setup_of(session, invoice.firm_id)
    today = clock.today()
    assert invoice.service_from is not None
    assert invoice.service_to is not None
    return InvoiceFacts(
        number=number_text(setup.prefix, setup.next_no) if setup else "",
        type_code=invoice.type_code,
        issued_on=today,
        due_on=due_day(today, payment_days(session, agreement)),
        service_from=invoice.service_from,
        service_to=invoice.service_to,
        seller=own_seat(session, invoice.firm_id),
        buyer=partner_seat(agreement),
        order_no=agreement.id,
        subject=invoice.subject,
        lines=lines_of(session, invoice.firm_id, invoice.id),
        vat_percent=invoice.vat_percent,
        sums=sums_of(invoice),
        earlier=_earlier(session, invoice),
    )


def _issue(database: Database, is_practice: bool, firm_id: str, invoice_id: str) -> None:
    from app.invoices.pdf import invoice_pdf  # heavy: only where an invoice is made
    from app.invoices.xml import check_invoice, invoice_xml

    for _ in range(MOST_TRIES):
        with database.read() as session:
            facts = facts_of_invoice(session, invoice_for(session, firm_id, invoice_id))
        xml = invoice_xml(facts)
        check_invoice(xml)
        pdf = invoice_pdf(facts, xml, is_practice)
        with database.write() as session:
            if _seal(session, firm_id, invoice_id, facts, xml, pdf):
                return
    raise Conflict(FAULT)


def _seal(session: Session, firm_id: str, invoice_id: str, facts: InvoiceFacts, xml: bytes, pdf: bytes) -> bool:
    """Number, hours, files and state together or not at all. False when the number went to another one meanwhile."""
    agreement = locked_agreement(session, firm_id, facts.order_no)
    invoice = locked_invoice(session, firm_id, invoice_id)
    if invoice.state != "checking":
        return True
    # whoever takes the number holds this row until the end: a second one waits here and then finds it gone
    setup = ensure_setup(session, firm_id)
    session.refresh(setup, with_for_update=True)
    if facts_of_invoice(session, invoice) != facts:
        return False
    number_no = _take_number(session, setup)
    _settle_hours(session, invoice, facts)
    _replace_earlier(session, invoice)
    name = f"{TITLES[facts.type_code]}-{facts.number}".replace(" ", "-").replace("/", "-")
    xml_file_id = store_file(session, firm_id, f"{name}.xml", "application/xml", xml)
    pdf_file_id = store_file(session, firm_id, f"{name}.pdf", "application/pdf", pdf)
    check_step(invoice.state, "issued")
    # all at once: from here on the database lets nothing of it change
    invoice.state, invoice.number, invoice.number_no = "issued", facts.number, number_no
    invoice.seller, invoice.buyer = asdict(facts.seller), asdict(facts.buyer)
    invoice.issued_on, invoice.due_on, invoice.issued_at = facts.issued_on, facts.due_on, clock.now()
    invoice.xml_file_id, invoice.pdf_file_id = xml_file_id, pdf_file_id
    invoice.xml_sha256 = hashlib.sha256(xml).hexdigest()
    session.flush()
    settle_bookings(session, firm_id, agreement.id)
    note_event(session, firm_id, None, "invoice_issued", "invoice", invoice.id, invoice.partner_id)
    emit(session, InvoiceIssued(firm_id, invoice.id))
    bump_version(session, firm_id)
    refresh_draft(session, agreement)
    return True


def _take_number(session: Session, setup: InvoiceSetup) -> int:
    number_no = setup.next_no
    setup.next_no += 1
    session.flush()
    return number_no


def _settle_hours(session: Session, invoice: Invoice, facts: InvoiceFacts) -> None:
    """An invoice uses hours up, a credit note frees them; a correction keeps those of the invoice it replaces."""
    sign = {INVOICE: 1, CREDIT_NOTE: -1, CORRECTION: 0}[invoice.type_code]
    for line in facts.lines:
        if line.kind in PAID_KINDS and sign:
            _move_hours(session, invoice.firm_id, line.booking_id, line.kind, sign * line.minutes)
    if invoice.type_code == INVOICE:
        mark_invoiced(session, invoice.firm_id, {line.booking_id for line in facts.lines})


def _move_hours(session: Session, firm_id: str, booking_id: str, kind: str, minutes: int) -> None:
    after = InvoicedHours.invoiced_min + minutes
    moved = session.execute(
        sa.update(InvoicedHours)
        .where(InvoicedHours.firm_id == firm_id, InvoicedHours.booking_id == booking_id, InvoicedHours.kind == kind)
        .where(after >= 0, after <= InvoicedHours.confirmed_min)
        .values(invoiced_min=after)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        raise RuleBroken("Diese Stunden sind nicht mehr bestätigt oder schon abgerechnet.")


def _replace_earlier(session: Session, invoice: Invoice) -> None:
    if invoice.corrects is not None:
        earlier = locked_invoice(session, invoice.firm_id, invoice.corrects)
        then = "credited" if invoice.type_code == CREDIT_NOTE else "corrected"
        check_step(earlier.state, then)
        earlier.state = then


def _earlier(session: Session, invoice: Invoice) -> Earlier | None:
    if invoice.corrects is None:
        return None
    earlier = invoice_for(session, invoice.firm_id, invoice.corrects)
    assert earlier.issued_on is not None
    return Earlier(earlier.number, earlier.issued_on, invoice.reason)


def _send_back(database: Database, firm_id: str, invoice_id: str, text: str, rule: str) -> None:
    with database.write() as session:
        invoice = locked_invoice(session, firm_id, invoice_id)
        if invoice.state != "checking":
            return
        invoice.state, invoice.refusal = "draft", {"text": text, "rule": rule}
        tell_office(session, invoice, "invoice_refused")
        bump_version(session, firm_id)
