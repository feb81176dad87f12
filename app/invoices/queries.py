"""Invoices of the acting firm, one by one, and what an agreement still has to be invoiced for."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.amendment_records import standing_of
from app.agreements.models import Agreement
from app.agreements.record import facts_of
from app.bookings.models import Booking
from app.bookings.queries import bookings_of
from app.core.errors import NotFound
from app.firms.models import Firm
from app.firms.queries import firm_of
from app.hours.queries import confirmed_hours
from app.invoices.models import Invoice, InvoicedHours, InvoiceLine, InvoiceSetup
from app.invoices.rules import CREDIT_NOTE, OPEN, Hours, Line, LineTerms, Seat
from app.notary.queries import address
from app.partners.documents import Party
from app.partners.models import Framework

REPLACED = ("corrected", "credited")
PAYMENT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Claim:
    """What of an agreement is still open: its terms, hours on no invoice, transport, and how much may be asked for."""

    terms: tuple[LineTerms, ...]
    confirmed: tuple[Hours, ...]
    invoiced: tuple[Hours, ...]
    transport_cents: int
    cap_cents: int


def invoice_for(session: Session, firm_id: str, invoice_id: str) -> Invoice:
    """One invoice of the firm, of either side; raises NotFound."""
    found = session.get(Invoice, (firm_id, invoice_id))
    if found is None:
        raise NotFound
    return found


def locked_invoice(session: Session, firm_id: str, invoice_id: str) -> Invoice:
    """The invoice for writing: a person, the worker and a message come one after the other."""
    found = session.get(Invoice, (firm_id, invoice_id), with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def lines_of(session: Session, firm_id: str, invoice_id: str) -> tuple[Line, ...]:
    """The lines of an invoice in their order."""
    rows = session.scalars(
        sa.select(InvoiceLine)
        .where(InvoiceLine.firm_id == firm_id, InvoiceLine.invoice_id == invoice_id)
        .order_by(InvoiceLine.line_no)
    )
    return tuple(
        Line(
            row.booking_id, row.kind, row.week, row.machine, row.minutes, row.rate_cents_per_hour, row.permille, row.net_cents
        )
        for row in rows
    )  # fmt: skip


def setup_of(session: Session, firm_id: str) -> InvoiceSetup | None:
    """What the firm's invoices need beside its legal facts; None before anybody said it."""
    return session.scalar(sa.select(InvoiceSetup).where(InvoiceSetup.firm_id == firm_id))


def open_draft(session: Session, firm_id: str, agreement_id: str) -> Invoice | None:
    """The one draft of an agreement, also while the worker checks it."""
    return session.scalar(
        sa.select(Invoice)
        .where(Invoice.firm_id == firm_id, Invoice.agreement_id == agreement_id, Invoice.side == "ours")
        .where(Invoice.type_code == 380, Invoice.state.in_(("draft", "checking")))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def has_open_invoices(session: Session, firm_id: str, today: dt.date) -> bool:
    """Whether money of an invoice is still to come: of our own always, of a partner's until it is due.

    After that only the partner could say that it was paid, and it may be silent for ever.
    """
    found = sa.select(Invoice.id).where(Invoice.firm_id == firm_id, Invoice.state.in_(OPEN))
    return session.scalar(found.where(sa.or_(Invoice.side == "ours", Invoice.due_on >= today)).limit(1)) is not None


def successor_of(session: Session, firm_id: str, invoice_id: str) -> Invoice | None:
    """The correction or credit note about an invoice, if there is one."""
    return session.scalar(sa.select(Invoice).where(Invoice.firm_id == firm_id, Invoice.corrects == invoice_id))


def claim_of(session: Session, agreement: Agreement, but_not: str = "") -> Claim:
    """What an agreement of ours still has to be paid for; `but_not` an invoice that is about to be replaced."""
    facts = facts_of(agreement)
    bookings = {one.line_no: one for one in bookings_of(session, agreement.firm_id, agreement.id)}
    terms = tuple(
        LineTerms(
            bookings[number].id, line.week, line.machine_name, line.rate_cents_per_hour, line.set_up_min,
            line.terms.set_up_rate_cents_per_hour, line.terms.programming_rate_cents_per_hour,
            line.terms.night_surcharge_permille, line.terms.sunday_surcharge_permille,
        )
        for number, line in enumerate(facts.lines, 1)
        if number in bookings
    )  # fmt: skip
    asked_cents, has_transport = _asked(session, agreement, but_not)
    return Claim(
        terms=terms,
        confirmed=confirmed_of(session, agreement.firm_id, list(bookings.values())),
        invoiced=_invoiced(session, agreement.firm_id, list(bookings.values())),
        transport_cents=0 if has_transport else facts.transport_cents,
        cap_cents=standing_of(session, agreement).facts.cap_cents - asked_cents,
    )


def confirmed_of(session: Session, firm_id: str, bookings: Sequence[Booking]) -> tuple[Hours, ...]:
    """What both sides stand by, by booking and kind."""
    found = confirmed_hours(session, firm_id, *(booking.id for booking in bookings))
    return tuple(Hours(one.booking_id, one.kind, one.minutes) for one in found)


def own_seat(session: Session, firm_id: str) -> Seat:
    """Our firm as it stands on an invoice today."""
    firm, setup = firm_of(session, firm_id), setup_of(session, firm_id)
    return Seat(
        name=full_name(firm),
        street=firm.street,
        postcode=firm.postcode,
        town=firm.town,
        vat_id=firm.vat_id,
        tax_no=setup.tax_no if setup else "",
        iban=setup.iban if setup else "",
        is_small_business=setup.is_small_business if setup else False,
        address=address(session, firm_id),
    )


def partner_seat(agreement: Agreement) -> Seat:
    """The partner as the signed agreement names it."""
    facts = facts_of(agreement)
    party = facts.provider if agreement.side == "ours" else facts.requester
    return Seat(full_name(party), party.street, party.postcode, party.town, party.vat_id)


def full_name(firm: Firm | Party) -> str:
    """The name with its legal form, once."""
    form = "" if firm.legal_form in ("", "Einzelunternehmen") or firm.legal_form in firm.name else f" {firm.legal_form}"
    return firm.name + form


def payment_days(session: Session, agreement: Agreement) -> int:
    """Clause 15 of the framework agreement."""
    framework = session.get(Framework, (agreement.firm_id, agreement.framework_id or ""))
    facts = framework.record.get("facts") if framework else None
    return int(facts["payment_days"]) if facts else PAYMENT_DAYS


def _asked(session: Session, agreement: Agreement, but_not: str) -> tuple[int, bool]:
    """What invoices that still count ask for under an agreement, and whether the transport is among it."""
    counting = (
        Invoice.firm_id == agreement.firm_id,
        Invoice.agreement_id == agreement.id,
        Invoice.side == "ours",
        Invoice.type_code != CREDIT_NOTE,
        Invoice.issued_at.is_not(None),
        Invoice.state.not_in(REPLACED),
        Invoice.id != but_not,
    )
    asked = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(Invoice.net_cents), 0)).where(*counting))
    transport = (
        sa.select(InvoiceLine.id)
        .join(Invoice, (Invoice.firm_id == InvoiceLine.firm_id) & (Invoice.id == InvoiceLine.invoice_id))
        .where(*counting, InvoiceLine.kind == "transport")
        .limit(1)
    )
    return int(asked or 0), session.scalar(transport) is not None


def _invoiced(session: Session, firm_id: str, bookings: Sequence[Booking]) -> tuple[Hours, ...]:
    rows = session.scalars(
        sa.select(InvoicedHours).where(
            InvoicedHours.firm_id == firm_id, InvoicedHours.booking_id.in_([one.id for one in bookings])
        )
    )
    return tuple(Hours(row.booking_id, row.kind, row.invoiced_min) for row in rows)
