"""Invoices between two firms: what leaves, what arrives, and the words that follow it."""

import hashlib

from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import agreement_for
from app.agreements.record import facts_of
from app.bookings.queries import bookings_of
from app.core import clock
from app.core.errors import RuleBroken
from app.core.events import InvoiceAnswered, InvoiceArrived, InvoiceIssued, InvoicePaid, InvoiceReminded
from app.core.outbox import emit
from app.federation.actions import fetch_file, send_message
from app.federation.models import StoredFile
from app.federation.queries import file_for
from app.federation.rules import Incoming
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.hours.invoiced import mark_invoiced
from app.invoices.drafting import line_rows
from app.invoices.models import Invoice
from app.invoices.netting import check_not_bound
from app.invoices.queries import invoice_for, lines_of, locked_invoice
from app.invoices.reading import read_sums
from app.invoices.rules import CREDIT_NOTE, INVOICE, Line, Sums, check_step
from app.invoices.settling import settle_bookings
from app.invoices.telling import tell_office
from app.invoices.wire import (
    KINDS,
    MOST_XML_BYTES,
    SentFile,
    SentInvoice,
    SentLine,
    invoice_body,
    read_day,
    read_invoice,
    read_word,
    word_body,
)
from app.partners.queries import may_send
from app.requests.wire import unreadable

UNFIT = "Diese Rechnung passt nicht zu unseren Daten: %(name)s."


def send_invoice(session: Session, event: InvoiceIssued) -> None:
    """It has its number: the partner gets it with XML and PDF."""
    invoice = invoice_for(session, event.firm_id, event.invoice_id)
    agreement = agreement_for(session, event.firm_id, invoice.agreement_id)
    _send(session, invoice, KINDS[invoice.type_code], invoice_body(_sent(session, invoice, agreement)))


def send_answer(session: Session, event: InvoiceAnswered) -> None:
    """We said yes or no to a partner's invoice."""
    invoice = invoice_for(session, event.firm_id, event.invoice_id)
    kind = "invoice.disputed" if invoice.state == "disputed" else "invoice.accepted"
    text = invoice.dispute_reason if invoice.state == "disputed" else ""
    _send(session, invoice, kind, word_body(invoice.id, text))


def send_reminder(session: Session, event: InvoiceReminded) -> None:
    """We wait for money that is overdue."""
    invoice = invoice_for(session, event.firm_id, event.invoice_id)
    _send(session, invoice, "invoice.reminded", word_body(invoice.id))


def send_paid(session: Session, event: InvoicePaid) -> None:
    """The money is there."""
    invoice = invoice_for(session, event.firm_id, event.invoice_id)
    _send(session, invoice, "invoice.paid", word_body(invoice.id, str(invoice.paid_on)))


def announce_invoice(session: Session, event: InvoiceArrived) -> None:
    """A partner's invoice waits for our yes."""
    tell_office(session, invoice_for(session, event.firm_id, event.invoice_id), "invoice")


def answer_invoice(session: Session, actor: Actor, invoice_id: str, reason: str = "") -> None:
    """Accept a partner's invoice, or dispute it with a reason; raises RuleBroken for any other one."""
    invoice = locked_invoice(session, actor.firm_id, invoice_id)
    if invoice.side != "theirs":
        raise RuleBroken("Das geht nur bei einer Rechnung, die ihr bekommen habt.")
    check_not_bound(session, invoice)
    then = "disputed" if reason else "accepted"
    check_step(invoice.state, then)
    invoice.state, invoice.answered_at, invoice.dispute_reason = then, clock.now(), reason
    note_event(session, actor.firm_id, actor.person_id, f"invoice_{then}", "invoice", invoice.id, invoice.partner_id)
    emit(session, InvoiceAnswered(actor.firm_id, invoice.id))
    bump_version(session, actor.firm_id)


def receive_invoice(session: Session, incoming: Incoming) -> None:
    """Take in a partner's invoice, correction or credit note; a second time changes nothing.

    Raises RuleBroken for one that is not about an agreement with this partner, or whose XML says something else.
    """
    sent = read_invoice(incoming.body)
    if session.get(Invoice, (incoming.firm_id, sent.invoice_id)) is not None:
        return
    agreement = _agreement(session, incoming, sent.agreement_id)
    earlier = _replaced(session, incoming, sent)
    xml, pdf = (_fetched(session, incoming, file) for file in (sent.xml, sent.pdf))
    _check_xml(sent, xml.body)
    invoice = _arrived(incoming, sent, agreement, xml, pdf)
    session.add(invoice)
    session.flush()
    lines = _lines(session, agreement, sent)
    session.add_all(line_rows(incoming.firm_id, invoice.id, lines))
    mark_invoiced(session, incoming.firm_id, {line.booking_id for line in lines})
    if earlier is not None:
        earlier.state = "credited" if sent.type_code == CREDIT_NOTE else "corrected"
        settle_bookings(session, incoming.firm_id, agreement.id)
    note_event(session, incoming.firm_id, None, "invoice_arrived", "invoice", invoice.id, incoming.from_id)
    emit(session, InvoiceArrived(incoming.firm_id, invoice.id))
    bump_version(session, incoming.firm_id)
    session.flush()


def receive_accepted(session: Session, incoming: Incoming) -> None:
    """The partner accepts our invoice."""
    invoice, _text = _ours(session, incoming, "ours")
    _move(session, invoice, "accepted")


def receive_disputed(session: Session, incoming: Incoming) -> None:
    """The partner disputes our invoice; what is already paid or replaced stays so."""
    invoice, text = _ours(session, incoming, "ours")
    if not text:
        raise unreadable("text")
    if _move(session, invoice, "disputed"):
        invoice.dispute_reason = text
        tell_office(session, invoice, "invoice_disputed")


def receive_reminded(session: Session, incoming: Incoming) -> None:
    """The partner waits for our money."""
    invoice, _text = _ours(session, incoming, "theirs")
    if invoice.state != "paid":
        tell_office(session, invoice, "invoice_reminded")


def receive_paid(session: Session, incoming: Incoming) -> None:
    """The partner says that our money is there."""
    invoice, text = _ours(session, incoming, "theirs")
    paid_on = read_day(text, "text")
    if _move(session, invoice, "paid"):
        invoice.paid_on = paid_on
        settle_bookings(session, invoice.firm_id, invoice.agreement_id)


def _send(session: Session, invoice: Invoice, kind: str, body: dict[str, object]) -> None:
    if may_send(session, invoice.firm_id, invoice.partner_id, kind, body):
        send_message(session, invoice.firm_id, invoice.partner_id, kind, body, invoice.id)


def _sent(session: Session, invoice: Invoice, agreement: Agreement) -> SentInvoice:
    numbers = {one.id: one.line_no for one in bookings_of(session, invoice.firm_id, agreement.id)}
    lines = tuple(
        SentLine(
            numbers.get(line.booking_id, 0), line.kind, line.week, line.machine, line.minutes, line.rate_cents_per_hour,
            line.permille, line.net_cents,
        )
        for line in lines_of(session, invoice.firm_id, invoice.id)
    )  # fmt: skip
    return SentInvoice(
        invoice_id=invoice.id,
        agreement_id=agreement.id,
        type_code=invoice.type_code,
        number=invoice.number,
        issued_on=str(invoice.issued_on),
        due_on=str(invoice.due_on),
        service_from=str(invoice.service_from),
        service_to=str(invoice.service_to),
        vat_percent=invoice.vat_percent,
        lines_cents=invoice.lines_cents,
        allowance_cents=invoice.allowance_cents,
        net_cents=invoice.net_cents,
        tax_cents=invoice.tax_cents,
        corrects=invoice.corrects or "",
        reason=invoice.reason,
        lines=lines,
        xml=_file(session, invoice.firm_id, invoice.xml_file_id),
        pdf=_file(session, invoice.firm_id, invoice.pdf_file_id),
    )


def _file(session: Session, firm_id: str, file_id: str | None) -> SentFile:
    stored = file_for(session, firm_id, file_id or "")
    return SentFile(stored.id, stored.sha256, stored.name, stored.media_type, stored.size)


def _agreement(session: Session, incoming: Incoming, agreement_id: str) -> Agreement:
    """An agreement in which this partner works for us."""
    agreement = session.get(Agreement, (incoming.firm_id, agreement_id))
    if agreement is None or agreement.side != "ours" or agreement.partner_id != incoming.from_id:
        raise _unfit("agreement_id")
    if agreement.in_force_at is None:
        raise _unfit("agreement_id")
    return agreement


def _replaced(session: Session, incoming: Incoming, sent: SentInvoice) -> Invoice | None:
    """The invoice that a correction or credit note is about; it must be one of this partner, and still count."""
    if (sent.type_code == INVOICE) is bool(sent.corrects):
        raise _unfit("corrects")
    if not sent.corrects:
        return None
    earlier = session.get(Invoice, (incoming.firm_id, sent.corrects), with_for_update=True, populate_existing=True)
    if earlier is None or earlier.side != "theirs" or earlier.partner_id != incoming.from_id:
        raise _unfit("corrects")
    if earlier.state in ("corrected", "credited") or earlier.agreement_id != sent.agreement_id:
        raise _unfit("corrects")
    return earlier


def _fetched(session: Session, incoming: Incoming, file: SentFile) -> StoredFile:
    file_id = fetch_file(session, incoming.firm_id, incoming.from_id, file.file_id, file.sha256)
    stored = session.get_one(StoredFile, (incoming.firm_id, file_id))
    if stored.size != file.size or stored.media_type != file.media_type:
        raise unreadable("xml")
    stored.is_open = True
    return stored


def _check_xml(sent: SentInvoice, xml: bytes) -> None:
    """The XML is the invoice: the message must not say anything else."""
    read = read_sums(xml, MOST_XML_BYTES)
    said = (sent.number, sent.type_code, sent.agreement_id, sent.net_cents, sent.tax_cents)
    if (read.number, read.type_code, read.order_no, read.net_cents, read.tax_cents) != said:
        raise _unfit("xml")
    sums = Sums(sent.lines_cents, sent.allowance_cents, sent.net_cents, sent.tax_cents)
    is_added_up = sum(line.net_cents for line in sent.lines) == sums.lines_cents
    if (
        read.gross_cents != sums.gross_cents
        or sums.lines_cents - sums.allowance_cents != sums.net_cents
        or not is_added_up
    ):
        raise _unfit("sums")  # fmt: skip


def _arrived(incoming: Incoming, sent: SentInvoice, agreement: Agreement, xml: StoredFile, pdf: StoredFile) -> Invoice:
    return Invoice(
        firm_id=incoming.firm_id, id=sent.invoice_id, created_at=clock.now(), side="theirs", partner_id=incoming.from_id,
        agreement_id=agreement.id, type_code=sent.type_code, number=sent.number, number_no=None, state="issued",
        corrects=sent.corrects or None, reason=sent.reason, subject=facts_of(agreement).part[:80], surcharges=[],
        seller={}, buyer={}, vat_percent=sent.vat_percent, lines_cents=sent.lines_cents,
        allowance_cents=sent.allowance_cents, net_cents=sent.net_cents, tax_cents=sent.tax_cents,
        gross_cents=sent.net_cents + sent.tax_cents, service_from=read_day(sent.service_from, "service_from"),
        service_to=read_day(sent.service_to, "service_to"), issued_on=read_day(sent.issued_on, "issued_on"),
        due_on=read_day(sent.due_on, "due_on"), issued_at=clock.now(), xml_file_id=xml.id, pdf_file_id=pdf.id,
        xml_sha256=hashlib.sha256(xml.body).hexdigest(), refusal={},
    )  # fmt: skip


def _lines(session: Session, agreement: Agreement, sent: SentInvoice) -> list[Line]:
    """The lines about our own bookings, which the partner knows by their number in the agreement."""
    ids = {one.line_no: one.id for one in bookings_of(session, agreement.firm_id, agreement.id)}
    if any(line.week and line.booking_no not in ids for line in sent.lines):
        raise _unfit("lines")
    return [
        Line(
            ids.get(line.booking_no, ""), line.kind, line.week, line.machine, line.minutes, line.rate_cents_per_hour,
            line.permille, line.net_cents,
        )
        for line in sent.lines
    ]  # fmt: skip


def _ours(session: Session, incoming: Incoming, side: str) -> tuple[Invoice, str]:
    """The invoice that a partner's word is about: one between us and this partner, of that side."""
    invoice_id, text = read_word(incoming.body)
    invoice = session.get(Invoice, (incoming.firm_id, invoice_id), with_for_update=True, populate_existing=True)
    if invoice is None or invoice.side != side or invoice.partner_id != incoming.from_id or invoice.issued_at is None:
        raise _unfit("invoice_id")
    return invoice, text


def _move(session: Session, invoice: Invoice, then: str) -> bool:
    """Go on to a state; False where the invoice has gone further already: words may cross on their way."""
    try:
        check_step(invoice.state, then)
    except RuleBroken:
        return False
    invoice.state, invoice.answered_at = then, clock.now()
    note_event(session, invoice.firm_id, None, f"invoice_{then}", "invoice", invoice.id, invoice.partner_id)
    bump_version(session, invoice.firm_id)
    return True


def _unfit(name: str) -> RuleBroken:
    return RuleBroken(UNFIT, name, name=name)
