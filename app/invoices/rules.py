"""From confirmed hours to whole cents: what the agreement pays for, what tax the law asks for, what an invoice may become."""

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.core.errors import RuleBroken
from app.core.units import amount_cents

INVOICE, CREDIT_NOTE, CORRECTION = 380, 381, 384
TYPES = (INVOICE, CREDIT_NOTE, CORRECTION)
VAT_PERCENT = 19
"""§ 12 (1) UStG"""
PAID_KINDS = ("run", "set_up", "programming")
"""Idle hours are confirmed, too, but clause 4 of the call-off pays for none of them."""
SURCHARGES = ("night", "sunday")
STEPS: dict[str, frozenset[str]] = {
    "draft": frozenset({"checking"}),
    "checking": frozenset({"draft", "issued"}),
    "issued": frozenset({"accepted", "disputed", "paid", "overdue", "corrected", "credited"}),
    "accepted": frozenset({"paid", "overdue", "corrected", "credited"}),
    "disputed": frozenset({"accepted", "paid", "corrected", "credited"}),
    "overdue": frozenset({"accepted", "disputed", "paid", "reminded", "corrected", "credited"}),
    "reminded": frozenset({"accepted", "disputed", "paid", "corrected", "credited"}),
    "paid": frozenset({"corrected", "credited"}),
}
OPEN = ("issued", "accepted", "disputed", "overdue", "reminded")
"""Money of it is still to come."""
NETTABLE = ("issued", "accepted", "overdue", "reminded")
"""Open and not disputed."""


@dataclass(frozen=True, slots=True)
class LineTerms:
    """What the agreement says of one booking: cents per hour, minutes, per mille; 0 is not charged."""

    booking_id: str
    week: str
    machine: str
    rate_cents_per_hour: int
    set_up_min: int
    set_up_rate_cents_per_hour: int
    programming_rate_cents_per_hour: int
    night_permille: int
    sunday_permille: int

    def rate_of(self, kind: str) -> int:
        """What an hour of this kind costs."""
        return {
            "run": self.rate_cents_per_hour,
            "set_up": self.set_up_rate_cents_per_hour,
            "programming": self.programming_rate_cents_per_hour,
        }.get(kind, 0)

    def permille_of(self, kind: str) -> int:
        """What a surcharge adds to each hour."""
        return self.night_permille if kind == "night" else self.sunday_permille


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes of one kind on one booking."""

    booking_id: str
    kind: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice. Transport has no booking, no minutes and no rate; `permille` only with a surcharge."""

    booking_id: str
    kind: str
    week: str
    machine: str
    minutes: int
    rate_cents_per_hour: int
    permille: int
    net_cents: int


@dataclass(frozen=True, slots=True)
class Sums:
    """The four sums of an invoice in cents; the allowance is what lies above the agreed most."""

    lines_cents: int
    allowance_cents: int
    net_cents: int
    tax_cents: int

    @property
    def gross_cents(self) -> int:
        return self.net_cents + self.tax_cents


@dataclass(frozen=True, slots=True)
class Seat:
    """Who stands on an invoice, as the law wants to read it; '' for what a firm does not have."""

    name: str
    street: str
    postcode: str
    town: str
    vat_id: str
    tax_no: str = ""
    iban: str = ""
    is_small_business: bool = False
    address: str = ""
    """firm@node: how a buyer's program knows a seller without a VAT id"""


def open_hours(
    terms: Collection[LineTerms], confirmed: Sequence[Hours], invoiced: Sequence[Hours]
) -> tuple[Hours, ...]:
    """What may be invoiced now: confirmed, paid for by the agreement, and on no invoice yet; by booking and kind."""
    done = _summed(invoiced)
    found = _summed(confirmed)
    return tuple(
        Hours(line.booking_id, kind, minutes)
        for line in terms
        for kind in PAID_KINDS
        if (minutes := _most(line, kind, found) - done.get((line.booking_id, kind), 0)) > 0
    )


def invoice_lines(
    terms: Sequence[LineTerms], hours: Sequence[Hours], surcharges: Sequence[Hours] = (), transport_cents: int = 0
) -> tuple[Line, ...]:
    """The lines in the order of the agreement, each rounded half up once, transport last.

    Raises RuleBroken for a surcharge on more hours than the line has, or that the agreement does not name.
    """
    run, extra = _summed(hours), _summed(surcharges)
    lines = []
    for line in terms:
        for kind in PAID_KINDS:
            minutes = run.get((line.booking_id, kind), 0)
            if minutes:
                lines.append(_hours_line(line, kind, minutes))
        for kind in SURCHARGES:
            minutes = extra.get((line.booking_id, kind), 0)
            if minutes:
                _check_surcharge(line, kind, minutes, run.get((line.booking_id, "run"), 0))
                lines.append(_surcharge_line(line, kind, minutes))
    if transport_cents:
        lines.append(Line("", "transport", "", "", 0, 0, 0, transport_cents))
    return tuple(lines)


def invoice_sums(lines: Sequence[Line], vat_percent: int, cap_cents: int | None = None) -> Sums:
    """Tax once from the sum. `cap_cents`: so much may still be asked for under this agreement; None: no limit."""
    total = sum(line.net_cents for line in lines)
    allowance = 0 if cap_cents is None else max(0, total - max(0, cap_cents))
    net = total - allowance
    return Sums(total, allowance, net, (2 * net * vat_percent + 100) // 200)


def vat_percent(seller: Seat) -> int:
    """The rate of a seller's invoices; a small business (§ 19 UStG) shows none."""
    return 0 if seller.is_small_business else VAT_PERCENT


def check_seats(seller: Seat, buyer: Seat) -> None:
    """Raise RuleBroken with one sentence for what the law asks for and is missing, or what we do not do here."""
    if not seller.vat_id and not seller.tax_no:
        raise RuleBroken("Trag zuerst eure Steuernummer oder USt-IdNr. ein.", "tax_no")
    if not seller.iban:
        raise RuleBroken("Trag zuerst euer Bankkonto ein.", "iban")
    if not all((seller.name, seller.street, seller.postcode, seller.town)):
        raise RuleBroken("Eure Anschrift ist nicht vollständig. Ergänze sie in den Betriebsdaten.")
    if not all((buyer.name, buyer.street, buyer.postcode, buyer.town)):
        raise RuleBroken("Die Anschrift des Partners ist nicht vollständig. Bitte ihn, sie zu ergänzen.")
    if not _is_german(seller):
        raise RuleBroken("Euer Betrieb sitzt im Ausland. Diese Rechnung schreibt euer Steuerbüro.")
    if not _is_german(buyer):
        raise RuleBroken("Der Partner sitzt im Ausland. Diese Rechnung schreibt euer Steuerbüro.")


def check_lines(lines: Sequence[Line], sums: Sums) -> None:
    """Raise RuleBroken for an invoice about nothing."""
    if not lines:
        raise RuleBroken("Es gibt keine bestätigten Stunden, die noch offen sind.")
    if sums.net_cents <= 0:
        raise RuleBroken("Der Höchstpreis ist schon abgerechnet. Mehr geht nur mit einer Änderung.")


def check_step(now: str, then: str) -> None:
    """Raise RuleBroken when an invoice cannot go from one state to the other."""
    if then not in STEPS.get(now, frozenset()):
        raise RuleBroken("Das geht bei dieser Rechnung nicht mehr.")


def check_fewer(before: Sequence[Line], after: Mapping[int, int]) -> None:
    """Raise RuleBroken when a correction asks for more minutes than the line had, by number from 1, or changes none."""
    for number, minutes in after.items():
        if not 0 <= minutes <= before[number - 1].minutes:
            raise RuleBroken("Eine Korrektur macht Stunden nur weniger. Für mehr braucht es eine neue Rechnung.")
    if all(before[number - 1].minutes == minutes for number, minutes in after.items()):
        raise RuleBroken("Ändere mindestens eine Zeile.")


def corrected_lines(before: Sequence[Line], after: Mapping[int, int]) -> tuple[Line, ...]:
    """The lines of a correction: fewer minutes where somebody said so, priced again; a line of none is gone."""
    kept = [_with_minutes(line, after.get(number, line.minutes)) for number, line in enumerate(before, 1)]
    return tuple(line for line in kept if line.net_cents)


def netted_parts(open_cents: Sequence[int], total_cents: int) -> list[int]:
    """How much of each open sum is set off, in their order, until the total is used up."""
    parts, rest = [], total_cents
    for cents in open_cents:
        parts.append(min(cents, rest))
        rest -= parts[-1]
    return parts


def due_day(issued_on: dt.date, payment_days: int) -> dt.date:
    """The last day to pay in time: it reaches the partner on the day it is issued."""
    return issued_on + dt.timedelta(days=payment_days)


def number_text(prefix: str, number: int) -> str:
    """'R-' and 7 -> 'R-00007': the same length for long, so that lists sort."""
    return f"{prefix}{number:05d}"


def check_prefix(text: str) -> str:
    """Return the letters before each number; raises RuleBroken for what a bank would not carry."""
    if not re.fullmatch(r"[A-Za-z0-9/-]{0,10}", text):
        raise RuleBroken("Vor der Nummer gehen nur Buchstaben, Ziffern, / und -.", "prefix")
    return text


def _most(line: LineTerms, kind: str, found: Mapping[tuple[str, str], int]) -> int:
    """Of what was confirmed only that is paid for: set-up as far as agreed, nothing without a rate."""
    minutes = found.get((line.booking_id, kind), 0)
    if not line.rate_of(kind):
        return 0
    return min(minutes, line.set_up_min) if kind == "set_up" else minutes


def _hours_line(line: LineTerms, kind: str, minutes: int) -> Line:
    rate = line.rate_of(kind)
    return Line(line.booking_id, kind, line.week, line.machine, minutes, rate, 0, amount_cents(minutes, rate))


def _surcharge_line(line: LineTerms, kind: str, minutes: int) -> Line:
    rate, permille = line.rate_cents_per_hour, line.permille_of(kind)
    net = _surcharge_cents(minutes, rate, permille)
    return Line(line.booking_id, kind, line.week, line.machine, minutes, rate, permille, net)


def _surcharge_cents(minutes: int, rate_cents_per_hour: int, permille: int) -> int:
    return (2 * minutes * rate_cents_per_hour * permille + 60_000) // 120_000


def _check_surcharge(line: LineTerms, kind: str, minutes: int, run_min: int) -> None:
    if not line.permille_of(kind):
        raise RuleBroken("Diesen Zuschlag nennt der Vertrag nicht.", f"{kind}_{line.booking_id}")
    if minutes > run_min:
        raise RuleBroken("Der Zuschlag gilt für mehr Stunden, als bestätigt sind.", f"{kind}_{line.booking_id}")


def _with_minutes(line: Line, minutes: int) -> Line:
    if minutes == line.minutes:
        return line
    net = (
        _surcharge_cents(minutes, line.rate_cents_per_hour, line.permille)
        if line.permille
        else amount_cents(minutes, line.rate_cents_per_hour)
    )
    return Line(
        line.booking_id, line.kind, line.week, line.machine, minutes, line.rate_cents_per_hour, line.permille, net
    )


def _summed(hours: Sequence[Hours]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for one in hours:
        found[one.booking_id, one.kind] = found.get((one.booking_id, one.kind), 0) + one.minutes
    return found


def _is_german(seat: Seat) -> bool:
    return re.fullmatch(r"[0-9]{5}", seat.postcode) is not None and seat.vat_id[:2] in ("", "DE")
