"""What the page of one invoice shows, as plain values."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.core.errors import RuleBroken
from app.core.words import N_
from app.federation.queries import arrivals
from app.firms.access import Actor, may
from app.invoices.comparing import Difference, differences
from app.invoices.drafting import CORRECTABLE, sums_of
from app.invoices.lists import STATES, TITLES
from app.invoices.models import Invoice
from app.invoices.queries import claim_of, invoice_for, lines_of, own_seat, partner_seat, successor_of
from app.invoices.rules import CREDIT_NOTE, INVOICE, OPEN, Line, Sums, check_lines, check_seats
from app.invoices.wire import KINDS as MESSAGE_KINDS
from app.partners.queries import partnership_with

KINDS = {
    "run": N_("Stunden"), "set_up": N_("Rüsten"), "programming": N_("Programmieren"),
    "night": N_("Nachtzuschlag"), "sunday": N_("Zuschlag Sonntag und Feiertag"), "transport": N_("Transport"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SurchargeField:
    """One agreed surcharge of a draft's line: its field, and how many hours it may be."""

    name: str
    booking_id: str
    kind: str
    label: str
    week: str
    machine: str
    most_min: int
    minutes: int


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """One invoice with everything around it. `missing` says what keeps a draft from leaving."""

    invoice: Invoice
    title: str
    status: str
    partner_name: str
    lines: tuple[Line, ...]
    sums: Sums
    missing: RuleBroken | None
    differences: tuple[Difference, ...]
    earlier: Invoice | None
    successor: Invoice | None
    arrival: str
    """Of the message that carried it: waiting, delivered, refused, parked; '' where none went."""
    has_surcharges: bool
    has_agreement: bool
    """False once it was erased: the invoice stays."""
    may_send: bool

    @property
    def may_answer(self) -> bool:
        return self.may_send and self.invoice.side == "theirs" and self.invoice.state in ("issued", "disputed")

    @property
    def may_note_payment(self) -> bool:
        is_asking = self.invoice.side == "ours" and self.invoice.type_code != CREDIT_NOTE
        return self.may_send and is_asking and self.invoice.state in OPEN

    @property
    def may_replace(self) -> bool:
        is_ours = self.invoice.side == "ours" and self.invoice.type_code != CREDIT_NOTE
        is_free = self.has_agreement and self.successor is None
        return self.may_send and is_ours and is_free and self.invoice.state in CORRECTABLE


def invoice_view(session: Session, actor: Actor, invoice: Invoice) -> InvoiceView:
    """Gather what the page of an invoice shows."""
    is_received = invoice.side == "theirs"
    status = "wartet" if is_received and invoice.state == "issued" else STATES[invoice.state]
    return InvoiceView(
        invoice=invoice,
        title=TITLES[invoice.type_code],
        status=status,
        partner_name=partnership_with(session, actor.firm_id, invoice.partner_id).name,
        lines=lines_of(session, actor.firm_id, invoice.id),
        sums=sums_of(invoice),
        missing=_missing(session, actor, invoice),
        differences=tuple(differences(session, invoice)) if is_received else (),
        earlier=invoice_for(session, actor.firm_id, invoice.corrects) if invoice.corrects else None,
        successor=successor_of(session, actor.firm_id, invoice.id),
        arrival=_arrival(session, invoice),
        has_surcharges=bool(surcharge_fields(session, invoice)),
        has_agreement=session.get(Agreement, (invoice.firm_id, invoice.agreement_id)) is not None,
        may_send=may(actor, "invoices.send"),
    )


def surcharge_fields(session: Session, invoice: Invoice) -> list[SurchargeField]:
    """The surcharges that the agreement names for the hours of a draft; none for any other invoice."""
    if invoice.state != "draft" or invoice.type_code != INVOICE:
        return []
    agreement = session.get(Agreement, (invoice.firm_id, invoice.agreement_id))
    if agreement is None:
        return []
    typed = {(one["booking_id"], one["kind"]): one["minutes"] for one in invoice.surcharges}
    run = {
        line.booking_id: line.minutes for line in lines_of(session, invoice.firm_id, invoice.id) if line.kind == "run"
    }
    return [
        SurchargeField(
            f"{kind}_{line.booking_id}", line.booking_id, kind, KINDS[kind], line.week, line.machine, run[line.booking_id],
            typed.get((line.booking_id, kind), 0),
        )
        for line in claim_of(session, agreement).terms
        for kind in ("night", "sunday")
        if line.permille_of(kind) and run.get(line.booking_id)
    ]  # fmt: skip


def _missing(session: Session, actor: Actor, invoice: Invoice) -> RuleBroken | None:
    if invoice.state != "draft":
        return None
    agreement = session.get(Agreement, (invoice.firm_id, invoice.agreement_id))
    if agreement is None:
        return RuleBroken("Der Vertrag ist gelöscht. Diese Rechnung geht nicht mehr hinaus.")
    try:
        check_lines(lines_of(session, actor.firm_id, invoice.id), sums_of(invoice))
        check_seats(own_seat(session, actor.firm_id), partner_seat(agreement))
    except RuleBroken as error:
        return error
    return None


def _arrival(session: Session, invoice: Invoice) -> str:
    if invoice.side != "ours" or invoice.issued_at is None:
        return ""
    found = arrivals(session, invoice.firm_id, invoice.id, MESSAGE_KINDS[invoice.type_code])
    return found.get(invoice.partner_id, "")
