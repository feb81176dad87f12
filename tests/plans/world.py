"""Small and random supplies for the plan tests: the 500 hours, and offers of any shape."""

import random

from hypothesis import strategies as st

from app.core.units import weeks_from
from app.plans.rules import OfferedLine, PartnerTerms, PlanInput

WEEKS = weeks_from("2026-W51", 5)
HOUR = 60


def offer(
    partner: str, hours: float, rate: int = 8000, *, week: str = "2026-W49", machine: str = "", block_h: float = 0
) -> OfferedLine:
    """One line of `partner`: hours on one machine in one week, rate in cents per hour."""
    name = machine or f"{partner}-mill"
    return OfferedLine(
        line_id=f"{name}-{week}",
        offer_id=f"offer-{partner}",
        partner_id=partner,
        machine_id=name,
        week=week,
        offered_min=int(hours * HOUR),
        rate_cents_per_hour=rate,
        set_up_min=0,
        min_block_min=int(block_h * HOUR),
        set_up_rate_cents_per_hour=rate,
    )


def needs(hours: float, *lines: OfferedLine, transport: dict[str, int] | None = None) -> PlanInput:
    """A need in hours, its offers, and the transport in cents per partner."""
    terms = tuple(PartnerTerms(partner, cents) for partner, cents in (transport or {}).items())
    return PlanInput(int(hours * HOUR), lines, terms)


@st.composite
def supplies(draw: st.DrawFn, any_rate: bool = False) -> PlanInput:
    """A small need and offers; rates whole steps of 4 cents, so that no line rounds, unless `any_rate`."""
    lines = []
    machines = draw(st.integers(1, 7))
    for number in range(machines):
        partner = f"firm-{draw(st.integers(0, 4))}"
        rate = draw(st.integers(10, 60)) * 4 + (draw(st.integers(0, 3)) if any_rate else 0)
        set_up, block = draw(st.sampled_from((0, 15, 60, 100))), draw(st.sampled_from((0, 15, 50, 120, 240, 480)))
        set_up_rate = draw(st.sampled_from((rate, 0, 41, 4 * rate)))
        for week in draw(st.lists(st.sampled_from(WEEKS), min_size=1, max_size=4, unique=True)):
            minutes = draw(st.integers(1, 24)) * 15 + draw(st.sampled_from((0, 0, 7)))
            name = f"line-{number}-{week}"
            lines.append(
                OfferedLine(
                    name, f"offer-{partner}", partner, f"m{number}", week, minutes, rate, set_up, block, set_up_rate
                )
            )
    transport = tuple(PartnerTerms(f"firm-{n}", draw(st.sampled_from((0, 0, 35, 400)))) for n in range(5))
    most = draw(st.sampled_from((None, None, 1, 2, 3)))
    return PlanInput(draw(st.integers(1, 80)) * 15, tuple(lines), transport, max_partners=most)


def large_supply(windows: int, *, is_tight: bool, seed: int, weeks: int = 12, need_min: int = 500 * HOUR) -> PlanInput:
    """Random offers of so many windows, 0 to 7 hours a week when tight, 0 to 40 when loose; 14 machines a firm."""
    chance, prices = random.Random(seed), random.Random(~seed)
    firms = max(3, windows // 170)
    span = weeks_from("2026-W40", weeks)
    lines: list[OfferedLine] = []
    while len(lines) < windows:
        partner, rate = f"firm-{chance.randrange(firms):03}", chance.randrange(5500, 14000, 50)
        set_up, block, machine = chance.choice((0, 60, 120, 240)), chance.choice((60, 240, 480)), f"m{len(lines):05}"
        set_up_rate = rate * prices.choice((1, 2, 2, 3)) // 2
        for week in span[: windows - len(lines)]:
            minutes = chance.randrange(7 * 4 if is_tight else 40 * 4) * 15
            name = f"l{len(lines):05}"
            lines.append(
                OfferedLine(name, f"o-{partner}", partner, machine, week, minutes, rate, set_up, block, set_up_rate)
            )
    terms = tuple(PartnerTerms(f"firm-{n:03}", chance.randrange(0, 60000, 500)) for n in range(firms))
    return PlanInput(need_min, tuple(lines), terms)
