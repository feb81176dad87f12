"""Drafts: one per agreement collects what is confirmed and on no invoice yet, until somebody sends it (clause 15)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import locked_agreement
from app.agreements.record import facts_of
from app.bookings.models import Booking
from app.bookings.queries import bookings_of
from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.events import HoursConfirmed, HoursDisputed, InvoiceOrdered
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.hours.queries import report_for
from app.invoices.documents import service_days
from app.invoices.models import Invoice, InvoicedHours, InvoiceLine, InvoiceSetup
from app.invoices.netting import check_not_bound
from app.invoices.queries import (
    Claim,
    claim_of,
    confirmed_of,
    invoice_for,
    lines_of,
    locked_invoice,
    open_draft,
    own_seat,
    partner_seat,
    setup_of,
    successor_of,
)
from app.invoices.rules import (
    CORRECTION,
    CREDIT_NOTE,
    INVOICE,
    Hours,
    Line,
    Sums,
    check_fewer,
    check_lines,
    check_seats,
    check_step,
    corrected_lines,
    invoice_lines,
    invoice_sums,
    open_hours,
    vat_percent,
)

CORRECTABLE = ("issued", "accepted", "disputed", "overdue", "reminded", "paid")


def draft_invoice(session: Session, event: HoursConfirmed) -> None:
    """Both sides stand by hours on our machine: they go into the agreement's draft."""
    if event.side == "ours":
        refresh_draft(session, locked_agreement(session, event.firm_id, event.agreement_id))


def redraft_invoice(session: Session, event: HoursDisputed) -> None:
    """Hours that silence had confirmed are disputed after all: they leave the draft."""
    report = report_for(session, event.firm_id, event.report_id)
    booking = session.get_one(Booking, (event.firm_id, report.booking_id))
    if booking.side == "ours":
        refresh_draft(session, locked_agreement(session, event.firm_id, report.agreement_id))


def refresh_draft(session: Session, agreement: Agreement) -> Invoice | None:
    """Write the draft of an agreement anew from what is open now; nothing open, no draft. One being checked stays."""
    _note_confirmed(session, agreement)
    draft = open_draft(session, agreement.firm_id, agreement.id)
    if draft is not None and draft.state == "checking":
        return draft
    claim = claim_of(session, agreement)
    hours = open_hours(claim.terms, claim.confirmed, claim.invoiced)
    if not hours:
        if draft is not None:
            _drop(session, draft)
        return None
    draft = draft or _new_invoice(session, agreement, INVOICE)
    _write(session, draft, _priced(claim, hours, draft), claim.cap_cents)
    return draft


def set_surcharges(session: Session, actor: Actor, invoice_id: str, minutes: Mapping[tuple[str, str], int]) -> None:
    """Say for how many hours of a draft the agreed surcharges apply; raises RuleBroken for more than there are."""
    invoice = _own_draft(session, actor, invoice_id)
    invoice.surcharges = [
        {"booking_id": booking_id, "kind": kind, "minutes": value} for (booking_id, kind), value in minutes.items() if value
    ]  # fmt: skip
    agreement = locked_agreement(session, actor.firm_id, invoice.agreement_id)
    claim = claim_of(session, agreement)
    hours = open_hours(claim.terms, claim.confirmed, claim.invoiced)
    lines = invoice_lines(claim.terms, hours, _surcharges(invoice), claim.transport_cents)
    _write(session, invoice, lines, claim.cap_cents)


def order_invoice(session: Session, actor: Actor, invoice_id: str) -> None:
    """ "Rechnung senden": from here on the worker checks the draft, numbers it and lets it leave.

    Raises RuleBroken with one sentence for what is missing.
    """
    invoice = _own_draft(session, actor, invoice_id)
    agreement = locked_agreement(session, actor.firm_id, invoice.agreement_id)
    if invoice.type_code == INVOICE and refresh_draft(session, agreement) is None:
        raise RuleBroken("Es gibt keine bestätigten Stunden, die noch offen sind.")
    lines = lines_of(session, actor.firm_id, invoice.id)
    check_lines(lines, sums_of(invoice))
    check_seats(own_seat(session, actor.firm_id), partner_seat(agreement))
    _order(session, actor, invoice)


def correct_invoice(
    session: Session, actor: Actor, invoice_id: str, minutes: Mapping[int, int], reason: str
) -> Invoice:
    """Replace an issued invoice by one with fewer hours (type 384); what was taken away is not asked for again."""
    earlier, agreement = _to_replace(session, actor, invoice_id, reason)
    before = lines_of(session, actor.firm_id, earlier.id)
    check_fewer(before, minutes)
    invoice = _new_invoice(session, agreement, CORRECTION, earlier, reason)
    _write(session, invoice, corrected_lines(before, minutes), claim_of(session, agreement, earlier.id).cap_cents)
    check_lines(lines_of(session, actor.firm_id, invoice.id), sums_of(invoice))
    _order(session, actor, invoice)
    return invoice


def credit_invoice(session: Session, actor: Actor, invoice_id: str, reason: str) -> Invoice:
    """Take an issued invoice back as a whole (type 381); its hours are open again."""
    earlier, agreement = _to_replace(session, actor, invoice_id, reason)
    invoice = _new_invoice(session, agreement, CREDIT_NOTE, earlier, reason)
    _write(session, invoice, lines_of(session, actor.firm_id, earlier.id), earlier.net_cents)
    _order(session, actor, invoice)
    return invoice


def change_setup(session: Session, actor: Actor, tax_no: str, iban: str, is_small_business: bool, prefix: str) -> None:
    """Note what invoices need beside the legal facts; drafts show it from now on."""
    setup = ensure_setup(session, actor.firm_id)
    setup.tax_no, setup.iban, setup.is_small_business, setup.prefix = tax_no, iban, is_small_business, prefix
    session.flush()
    for draft in session.scalars(
        sa.select(Invoice).where(Invoice.firm_id == actor.firm_id, Invoice.side == "ours", Invoice.state == "draft")
    ).all():
        if draft.type_code == INVOICE:
            refresh_draft(session, locked_agreement(session, actor.firm_id, draft.agreement_id))
    note_event(session, actor.firm_id, actor.person_id, "invoice_setup")


def ensure_setup(session: Session, firm_id: str) -> InvoiceSetup:
    """The firm's row with the next number, made at first use."""
    setup = setup_of(session, firm_id)
    if setup is None:
        setup = InvoiceSetup(firm_id=firm_id, id=new_id(), created_at=clock.now())
        session.add(setup)
        session.flush()
    return setup


def sums_of(invoice: Invoice) -> Sums:
    """The sums as they stand on the invoice."""
    return Sums(invoice.lines_cents, invoice.allowance_cents, invoice.net_cents, invoice.tax_cents)


def line_rows(firm_id: str, invoice_id: str, lines: Sequence[Line]) -> list[InvoiceLine]:
    """The lines of an invoice as rows."""
    return [
        InvoiceLine(
            firm_id=firm_id, id=new_id(), created_at=clock.now(), invoice_id=invoice_id, line_no=number, **asdict(line)
        )
        for number, line in enumerate(lines, 1)
    ]  # fmt: skip


def _note_confirmed(session: Session, agreement: Agreement) -> None:
    """Keep the count of confirmed minutes in the row whose CHECK keeps invoices below it."""
    bookings = bookings_of(session, agreement.firm_id, agreement.id)
    rows = {
        (row.booking_id, row.kind): row
        for row in session.scalars(
            sa.select(InvoicedHours)
            .where(InvoicedHours.firm_id == agreement.firm_id)
            .where(InvoicedHours.booking_id.in_([one.id for one in bookings]))
        )
    }
    sums: dict[tuple[str, str], int] = dict.fromkeys(rows, 0)
    for one in confirmed_of(session, agreement.firm_id, bookings):
        sums[one.booking_id, one.kind] = sums.get((one.booking_id, one.kind), 0) + one.minutes
    for (booking_id, kind), minutes in sums.items():
        row = rows.get((booking_id, kind))
        if row is None:
            row = InvoicedHours(
                firm_id=agreement.firm_id, id=new_id(), created_at=clock.now(), booking_id=booking_id, kind=kind,
                confirmed_min=0, invoiced_min=0,
            )  # fmt: skip
            session.add(row)
        row.confirmed_min = minutes
    session.flush()


def _priced(claim: Claim, hours: Sequence[Hours], draft: Invoice) -> tuple[Line, ...]:
    """A surcharge that no longer fits, because hours changed beneath it, is left out: somebody types it anew."""
    try:
        return invoice_lines(claim.terms, hours, _surcharges(draft), claim.transport_cents)
    except RuleBroken:
        draft.surcharges = []
        return invoice_lines(claim.terms, hours, (), claim.transport_cents)


def _surcharges(invoice: Invoice) -> tuple[Hours, ...]:
    return tuple(Hours(one["booking_id"], one["kind"], one["minutes"]) for one in invoice.surcharges)


def _new_invoice(
    session: Session, agreement: Agreement, type_code: int, earlier: Invoice | None = None, reason: str = ""
) -> Invoice:
    invoice = Invoice(
        firm_id=agreement.firm_id, id=new_id(), created_at=clock.now(), side="ours", partner_id=agreement.partner_id,
        agreement_id=agreement.id, type_code=type_code, number="", state="draft", corrects=earlier and earlier.id,
        reason=reason, subject=facts_of(agreement).part[:80], surcharges=[], seller={}, buyer={}, refusal={},
        vat_percent=earlier.vat_percent if earlier else 0, xml_sha256="",
        # a correction may leave nothing but the transport, which is of no week
        service_from=earlier and earlier.service_from, service_to=earlier and earlier.service_to,
    )  # fmt: skip
    session.add(invoice)
    session.flush()
    return invoice


def _write(session: Session, invoice: Invoice, lines: Sequence[Line], cap_cents: int) -> None:
    """Put lines and sums into a draft; the tax of a correction is that of the invoice it is about."""
    if invoice.corrects is None:
        invoice.vat_percent = vat_percent(own_seat(session, invoice.firm_id))
    sums = invoice_sums(lines, invoice.vat_percent, cap_cents)
    invoice.lines_cents, invoice.allowance_cents = sums.lines_cents, sums.allowance_cents
    invoice.net_cents, invoice.tax_cents, invoice.gross_cents = sums.net_cents, sums.tax_cents, sums.gross_cents
    if any(line.week for line in lines):
        invoice.service_from, invoice.service_to = service_days(tuple(lines))
    invoice.refusal = {}
    session.execute(
        sa.delete(InvoiceLine).where(InvoiceLine.firm_id == invoice.firm_id, InvoiceLine.invoice_id == invoice.id)
    )
    session.add_all(line_rows(invoice.firm_id, invoice.id, lines))
    session.flush()
    bump_version(session, invoice.firm_id)


def _drop(session: Session, draft: Invoice) -> None:
    session.execute(
        sa.delete(InvoiceLine).where(InvoiceLine.firm_id == draft.firm_id, InvoiceLine.invoice_id == draft.id)
    )
    session.delete(draft)
    session.flush()
    bump_version(session, draft.firm_id)


def _own_draft(session: Session, actor: Actor, invoice_id: str) -> Invoice:
    """A draft of ours for writing; its agreement is locked first, as everywhere. Raises NotFound or RuleBroken."""
    locked_agreement(session, actor.firm_id, invoice_for(session, actor.firm_id, invoice_id).agreement_id)
    invoice = locked_invoice(session, actor.firm_id, invoice_id)
    if invoice.state != "draft":
        raise RuleBroken("Das geht bei dieser Rechnung nicht mehr.")
    return invoice


def _to_replace(session: Session, actor: Actor, invoice_id: str, reason: str) -> tuple[Invoice, Agreement]:
    agreement = locked_agreement(session, actor.firm_id, invoice_for(session, actor.firm_id, invoice_id).agreement_id)
    earlier = locked_invoice(session, actor.firm_id, invoice_id)
    if earlier.side != "ours" or earlier.type_code == CREDIT_NOTE or earlier.state not in CORRECTABLE:
        raise RuleBroken("Das geht bei dieser Rechnung nicht mehr.")
    if successor_of(session, actor.firm_id, earlier.id) is not None:
        raise Conflict("Zu dieser Rechnung gibt es schon eine Korrektur.")
    check_not_bound(session, earlier)
    if not reason:
        raise RuleBroken("Schreib kurz, warum.", "reason")
    return earlier, agreement


def _order(session: Session, actor: Actor, invoice: Invoice) -> None:
    check_step(invoice.state, "checking")
    invoice.state, invoice.refusal = "checking", {}
    note_event(session, actor.firm_id, actor.person_id, "invoice_ordered", "invoice", invoice.id, invoice.partner_id)
    emit(session, InvoiceOrdered(actor.firm_id, invoice.id))
    bump_version(session, actor.firm_id)
    session.flush()
