"""From request, offer and framework to the facts of a call-off: both sides reckon alone and must get the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.agreements.documents import (
    CallOffFacts,
    CallOffLine,
    Contact,
    Drawing,
    MachineTerms,
    call_off_version,
    line_amount_cents,
)
from app.core.errors import RuleBroken
from app.partners.documents import CancellationStep, Party

CURRENCY = "EUR"
DELIVERY_TERM = "FCA"
SIGNING_ROLE = "Leitung"


@dataclass(frozen=True, slots=True)
class Job:
    """What the request says, in the words of the text; minutes and rates are the offer's."""

    part: str
    quantity: int
    drawings: tuple[Drawing, ...]
    process: str
    material: str
    tolerances: str
    general_tolerance: str
    certificates: tuple[str, ...]
    delivery_week: str
    shortage_reason: str
    contact_phone: str
    material_provided: bool = True
    """Who draws the agreement up says so; the request does not know it yet."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the framework of the two firms says; `framework_date` YYYY-MM-DD, `digest` and `text_sha256` hex."""

    template_key: str
    framework_date: str
    digest: str
    text_sha256: str
    tolerance_percent: int
    cancellation_steps: tuple[CancellationStep, ...]
    requester: Party
    provider: Party


@dataclass(frozen=True, slots=True)
class ChosenLine:
    """Minutes taken of one line of an offer; `machine` is the text shown."""

    offer_line_id: str
    machine_id: str
    machine: str
    week: str
    minutes: int
    rate_cents_per_hour: int
    set_up_min: int
    min_block_min: int
    terms: MachineTerms


def call_off_facts(
    job: Job, terms: Terms, chosen: Sequence[ChosenLine], transport_cents: int, expires_at: int, is_bundled: bool
) -> CallOffFacts:
    """Return the facts of one agreement; lines by week and machine. Raises RuleBroken when nothing is chosen."""
    if not chosen:
        raise RuleBroken("In diesem Plan fehlen die Stunden. Wähle ihn neu.", field="lines")
    lines = priced_lines(chosen)
    total_cents = sum(line.amount_cents for line in lines) + transport_cents
    return CallOffFacts(
        template_key=terms.template_key,
        version=call_off_version(terms.template_key),
        requester=terms.requester,
        provider=terms.provider,
        framework_date=terms.framework_date,
        part=job.part,
        quantity=job.quantity,
        drawings=job.drawings,
        process=job.process,
        material=job.material,
        tolerances=job.tolerances,
        general_tolerance=job.general_tolerance,
        certificates=job.certificates,
        lines=lines,
        transport_cents=transport_cents,
        currency=CURRENCY,
        total_cents=total_cents,
        cap_cents=cap_for(total_cents, transport_cents, terms.tolerance_percent),
        tolerance_percent=terms.tolerance_percent,
        cancellation_steps=terms.cancellation_steps,
        # A plan may end later than was wished; the manager chose it knowing that, and the text must not contradict itself.
        delivery_week=max(job.delivery_week, *(line.week for line in lines)),
        delivery_term=DELIVERY_TERM,
        # Who rents a machine brings the material: there the text knows no other way.
        material_provided=job.material_provided or terms.template_key != "lohnfertigung",
        provisions=(),
        expires_at=expires_at,
        is_bundled=is_bundled,
        shortage_reason=job.shortage_reason,
        requester_contact=Contact(SIGNING_ROLE, job.contact_phone),
        provider_contact=Contact(SIGNING_ROLE, ""),
    )


def in_order(chosen: Sequence[ChosenLine]) -> list[ChosenLine]:
    """The order of the lines in text, message and bookings: by week, machine and line."""
    return sorted(chosen, key=lambda line: (line.week, line.machine, line.machine_id, line.offer_line_id))


def priced_lines(chosen: Sequence[ChosenLine]) -> tuple[CallOffLine, ...]:
    """Price the lines as plans do: set-up is paid once per machine and terms, on its first line."""
    seen: set[tuple[str, int, int, int, int]] = set()
    lines = []
    for line in in_order(chosen):
        rate, set_up_rate = line.rate_cents_per_hour, line.terms.set_up_rate_cents_per_hour
        terms = (line.machine_id, rate, line.set_up_min, set_up_rate, line.min_block_min)
        set_up_min = 0 if terms in seen else line.set_up_min
        seen.add(terms)
        amount = line_amount_cents(line.minutes, rate, set_up_min, set_up_rate)
        lines.append(
            CallOffLine(line.machine, line.machine_id, line.week, line.minutes, rate, set_up_min, amount, line.terms)
        )
    return tuple(lines)


def cap_for(total_cents: int, transport_cents: int, tolerance_percent: int) -> int:
    """The most that will be paid: the hours with their tolerance, rounded half up once, and the transport."""
    return total_cents + (2 * (total_cents - transport_cents) * tolerance_percent + 100) // 200
