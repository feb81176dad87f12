"""What an invoice says, as plain values: XML, PDF and pages are made from this and from nothing else."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from app.core.units import monday, week_label
from app.invoices.rules import CORRECTION, CREDIT_NOTE, Line, Seat, Sums

TITLES = {380: "Rechnung", 381: "Rechnungskorrektur", 384: "Korrigierte Rechnung"}
"""Never "Gutschrift": in German law that is an invoice which the buyer writes (§ 14 (2) UStG)."""
SMALL_BUSINESS = "Kein Ausweis von Umsatzsteuer, da Kleinunternehmer nach § 19 UStG"
ABOVE_CAP = "Kürzung auf den vereinbarten Höchstpreis"
KINDS = {
    "run": "Maschinenstunden",
    "set_up": "Rüsten",
    "programming": "Programmieren",
    "night": "Nachtzuschlag",
    "sunday": "Zuschlag Sonntag und Feiertag",
    "transport": "Transport",
}


@dataclass(frozen=True, slots=True)
class Earlier:
    """The invoice that a correction or credit note is about, and why."""

    number: str
    issued_on: dt.date
    reason: str


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """All that stands on an invoice; amounts of a credit note are positive, its type says which way they go."""

    number: str
    type_code: int
    issued_on: dt.date
    due_on: dt.date
    service_from: dt.date
    service_to: dt.date
    seller: Seat
    buyer: Seat
    order_no: str
    """The public id of the agreement."""
    subject: str
    lines: tuple[Line, ...]
    vat_percent: int
    sums: Sums
    earlier: Earlier | None = None


def line_name(line: Line) -> str:
    """'Maschinenstunden F5-650 KW 47/2026': quantity and kind as § 14 (4) UStG wants them."""
    if line.kind == "transport":
        return KINDS["transport"]
    return f"{KINDS[line.kind]} {line.machine} {week_label(line.week)}"


def unit_price(line: Line) -> Decimal:
    """Euros for one hour, or for the whole transport; exact."""
    if line.kind == "transport":
        return Decimal(line.net_cents) / 100
    cents = Decimal(line.rate_cents_per_hour)
    return (cents * line.permille / 1000 if line.permille else cents) / 100


def quantity(line: Line) -> tuple[Decimal, str]:
    """Hours (HUR) with two exact decimals, or one transport (C62)."""
    if line.kind == "transport":
        return Decimal(1), "C62"
    return (Decimal(line.minutes) / 60).quantize(Decimal("0.01")), "HUR"


def service_days(lines: tuple[Line, ...]) -> tuple[dt.date, dt.date]:
    """From the Monday of the first week to the Sunday of the last one."""
    weeks = sorted(line.week for line in lines if line.week)
    return monday(weeks[0]), monday(weeks[-1]) + dt.timedelta(days=6)


def notes(facts: InvoiceFacts) -> list[str]:
    """Sentences beside the lines: what it is about, what it corrects, how it is taxed."""
    found = [f"Auftrag: {facts.subject}"]
    if facts.earlier is not None:
        what = {CREDIT_NOTE: "Sie hebt auf", CORRECTION: "Sie ersetzt"}[facts.type_code]
        found.append(f"{what}: Rechnung {facts.earlier.number} vom {facts.earlier.issued_on:%d.%m.%Y}")
        found.append(f"Grund: {facts.earlier.reason}")
    if facts.seller.is_small_business:
        found.append(SMALL_BUSINESS)
    return found


def payment_text(facts: InvoiceFacts) -> str:
    """How and until when; a credit note asks for nothing."""
    if facts.type_code == CREDIT_NOTE:
        return "Den Betrag verrechnen oder erstatten wir."
    return f"Zahlbar bis {facts.due_on:%d.%m.%Y} ohne Abzug."
