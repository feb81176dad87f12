"""A partner's invoice beside what we signed and confirmed ourselves: where it asks for more, a sentence says so."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.record import facts_of
from app.bookings.models import Booking
from app.bookings.queries import bookings_of
from app.core.words import N_
from app.invoices.models import Invoice, InvoiceLine
from app.invoices.queries import confirmed_of, lines_of
from app.invoices.rules import CREDIT_NOTE, PAID_KINDS

MORE_HOURS = N_("%(machine)s, %(week)s: %(asked)s Stunden berechnet, %(confirmed)s bestätigt.")
OTHER_RATE = N_("%(machine)s, %(week)s: Der Stundensatz steht so nicht im Vertrag.")


@dataclass(frozen=True, slots=True)
class Difference:
    """One sentence with its values; weeks and minutes are for the page to say."""

    text: str
    machine: str
    week: str
    asked_min: int = 0
    confirmed_min: int = 0


def differences(session: Session, invoice: Invoice) -> list[Difference]:
    """Where a partner's invoice does not fit; [] when every hour is confirmed and every rate is signed."""
    if invoice.type_code == CREDIT_NOTE:
        return []
    agreement = session.get(Agreement, (invoice.firm_id, invoice.agreement_id))
    if agreement is None:  # erased since
        return []
    bookings = {one.id: one for one in bookings_of(session, invoice.firm_id, agreement.id)}
    return [*_hours(session, invoice, list(bookings.values())), *_rates(session, invoice, agreement, bookings)]


def _hours(session: Session, invoice: Invoice, bookings: list[Booking]) -> list[Difference]:
    """All of this partner's invoices that count, together: two good ones may be one too many."""
    confirmed: dict[tuple[str, str], int] = {}
    for one in confirmed_of(session, invoice.firm_id, bookings):
        confirmed[one.booking_id, one.kind] = confirmed.get((one.booking_id, one.kind), 0) + one.minutes
    asked = session.execute(
        sa.select(InvoiceLine.booking_id, InvoiceLine.kind, sa.func.sum(InvoiceLine.minutes))
        .join(Invoice, (Invoice.firm_id == InvoiceLine.firm_id) & (Invoice.id == InvoiceLine.invoice_id))
        .where(
            Invoice.firm_id == invoice.firm_id, Invoice.agreement_id == invoice.agreement_id, Invoice.side == "theirs"
        )
        .where(Invoice.type_code != CREDIT_NOTE, Invoice.state.not_in(("corrected", "credited")))
        .where(InvoiceLine.kind.in_(PAID_KINDS))
        .group_by(InvoiceLine.booking_id, InvoiceLine.kind)
    ).all()
    named = {one.id: one for one in bookings}
    return [
        Difference(MORE_HOURS, named[booking_id].machine_name, named[booking_id].week, int(minutes), done)
        for booking_id, kind, minutes in asked
        if minutes > (done := confirmed.get((booking_id, kind), 0)) and booking_id in named
    ]


def _rates(session: Session, invoice: Invoice, agreement: Agreement, bookings: dict[str, Booking]) -> list[Difference]:
    signed = dict(enumerate(facts_of(agreement).lines, 1))
    found = []
    for line in lines_of(session, invoice.firm_id, invoice.id):
        if not line.booking_id:
            continue
        terms = signed[bookings[line.booking_id].line_no]
        allowed = {
            "set_up": (terms.terms.set_up_rate_cents_per_hour, 0),
            "programming": (terms.terms.programming_rate_cents_per_hour, 0),
            "night": (terms.rate_cents_per_hour, terms.terms.night_surcharge_permille),
            "sunday": (terms.rate_cents_per_hour, terms.terms.sunday_surcharge_permille),
        }.get(line.kind, (terms.rate_cents_per_hour, 0))
        if (line.rate_cents_per_hour, line.permille) != allowed:
            found.append(Difference(OTHER_RATE, line.machine, line.week))
    return found
