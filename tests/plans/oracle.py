"""The exact answer by dynamic programming over minutes, slow and plain: it shares no code with the plan builder."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from app.plans.rules import Goal, OfferedLine, PlanDraft, PlanInput

Costs = npt.NDArray[np.float64]
Machine = tuple[str, str, int, int, int, int]
INF = float("inf")


@dataclass(frozen=True)
class MachineOffer:
    rate: int
    set_up: int
    block: int
    total: int


@dataclass(frozen=True)
class Optimum:
    """`number` is the goal's own: week, partners, or the largest share in steps if above the cap."""

    is_short: bool
    number: str | int
    quarters: int


def best_plan(plan_input: PlanInput, goal: Goal) -> Optimum:
    """Return the best value that any plan can have for this goal."""
    lines, need = plan_input.lines, -(-plan_input.need_min // 15)
    everything = _firms(lines)
    teams = _teams(everything, plan_input.max_partners)
    most_steps = max(map(_steps_of_all, teams))
    if most_steps < need:
        widest = (team for team in teams if _steps_of_all(team) == most_steps)
        return Optimum(True, "", min(_cost_of_all(plan_input, team) for team in widest))
    if goal == "fastest":
        return _fastest(plan_input, need)
    if goal == "fewest":
        costs = ((count, cheapest(plan_input, lines, need, most=count)) for count in range(len(everything) + 1))
        return next(Optimum(False, count, int(cost)) for count, cost in costs if cost < INF)
    if goal == "spread":
        return _spread(plan_input, need)
    return Optimum(False, 0, int(cheapest(plan_input, lines, need, plan_input.max_partners)))


def value_of(plan_input: PlanInput, plan: PlanDraft) -> Optimum:
    """Return the same three values for a given plan, from its lines alone."""
    offered = {line.line_id: line for line in plan_input.lines}
    taken = [(offered[line_id], minutes // 15) for line_id, minutes in plan.lines]
    shares: dict[str, int] = defaultdict(int)
    set_ups = set()
    for line, steps in taken:
        shares[line.partner_id] += steps
        set_ups.add(_machine(line))
    quarters = sum(line.rate_cents_per_hour * steps for line, steps in taken)
    quarters += 4 * sum((set_up * rate + 30) // 60 for _, _, _, set_up, rate, _ in set_ups)
    quarters += 4 * sum(each.transport_cents for each in plan_input.terms if each.partner_id in shares)
    largest = max(shares.values(), default=0)
    is_over = largest > _wanted_cap(plan_input)
    is_short = sum(shares.values()) * 15 < plan_input.need_min
    numbers = {"cheapest": 0, "fewest": len(shares), "spread": largest if is_over else 0}
    number = max(line.week for line, _ in taken) if plan.goal == "fastest" and taken else numbers.get(plan.goal, "")
    return Optimum(is_short, "" if is_short else number, quarters)


def cheapest(
    plan_input: PlanInput, lines: tuple[OfferedLine, ...], need: int, most: int | None = None, cap: int | None = None
) -> float:
    """Return the least quarter cents that cover the need, infinite when nothing does."""
    transport = {each.partner_id: 4 * each.transport_cents for each in plan_input.terms}
    firms = _firms(lines)
    size = need + max((machine.block for machines in firms.values() for machine in machines), default=0) + 1
    layers = 1 if most is None else most + 1
    best = np.full((layers, size), INF)
    best[:, 0] = 0.0
    for partner_id, machines in firms.items():
        fee = transport.get(partner_id, 0)
        others = best if most is None else np.vstack([np.full((1, size), INF), best[:-1]])
        if cap is not None:
            best = np.minimum(best, _with_curve(others, machines, cap, fee))
            continue
        used = others + fee
        for machine in machines:
            used = _with_machine(used, machine)
        best = np.minimum(best, used)
    return float(best[-1, need:].min())


def _fastest(plan_input: PlanInput, need: int) -> Optimum:
    for week in sorted({line.week for line in plan_input.lines}):
        lines = tuple(line for line in plan_input.lines if line.week <= week)
        cost = cheapest(plan_input, lines, need, plan_input.max_partners)
        if cost < INF:
            return Optimum(False, week, int(cost))
    return Optimum(False, "", 0)


def _spread(plan_input: PlanInput, need: int) -> Optimum:
    wanted = _wanted_cap(plan_input)
    for cap in range(wanted, wanted + 100_000):
        cost = cheapest(plan_input, plan_input.lines, need, plan_input.max_partners, cap)
        if cost < INF:
            return Optimum(False, cap if cap > wanted else 0, int(cost))
    raise AssertionError("no cap covers a need that the supply covers")


def _with_machine(costs: Costs, machine: MachineOffer) -> Costs:
    """Add one machine: 0 or block..total steps, by the least of a sliding window."""
    steps = np.arange(costs.shape[1])
    slid = _window_min(costs - machine.rate * steps, machine.total - machine.block + 1)
    shifted = np.full_like(costs, INF)
    if machine.block < costs.shape[1]:
        shifted[:, machine.block :] = slid[:, : costs.shape[1] - machine.block]
    return np.minimum(costs, shifted + machine.set_up + machine.rate * steps)


def _window_min(costs: Costs, width: int) -> Costs:
    """Least value of each cell and the `width - 1` cells before it."""
    done, least = 1, costs
    while done < min(width, costs.shape[1]):
        shift = min(done, width - done)
        moved = np.full_like(least, INF)
        moved[:, shift:] = least[:, : least.shape[1] - shift]
        least = np.minimum(least, moved)
        done += shift
    return least


def _with_curve(best: Costs, machines: list[MachineOffer], cap: int, fee: int) -> Costs:
    """Add one partner under a cap: its cost curve first, then every share of it."""
    curve = np.full((1, cap + 1), INF)
    curve[0, 0] = 0.0
    for machine in machines:
        curve = _with_machine(curve, machine)
    added = np.full_like(best, INF)
    for steps in range(1, min(cap + 1, best.shape[1])):
        if curve[0, steps] < INF:
            added[:, steps:] = np.minimum(added[:, steps:], best[:, : best.shape[1] - steps] + curve[0, steps] + fee)
    return added


def _firms(lines: tuple[OfferedLine, ...]) -> dict[str, list[MachineOffer]]:
    totals: dict[Machine, int] = defaultdict(int)
    for line in lines:
        totals[_machine(line)] += line.offered_min // 15
    firms: dict[str, list[MachineOffer]] = defaultdict(list)
    for (partner_id, _, rate, set_up, set_up_rate, block_min), total in totals.items():
        block = max(1, -(-block_min // 15))
        if total >= block:
            firms[partner_id].append(MachineOffer(rate, 4 * ((set_up * set_up_rate + 30) // 60), block, total))
    return firms


def _machine(line: OfferedLine) -> Machine:
    set_up = (line.set_up_min, line.set_up_rate_cents_per_hour)
    return (line.partner_id, line.machine_id, line.rate_cents_per_hour, *set_up, line.min_block_min)


def _teams(firms: dict[str, list[MachineOffer]], most: int | None) -> list[dict[str, list[MachineOffer]]]:
    """Every choice of as many firms as may share the work."""
    size = len(firms) if most is None else min(most, len(firms))
    return [{key: firms[key] for key in keys} for keys in combinations(firms, size)]


def _steps_of_all(firms: dict[str, list[MachineOffer]]) -> int:
    return sum(machine.total for machines in firms.values() for machine in machines)


def _cost_of_all(plan_input: PlanInput, firms: dict[str, list[MachineOffer]]) -> int:
    machines = sum(m.rate * m.total + m.set_up for machines in firms.values() for m in machines)
    return machines + 4 * sum(each.transport_cents for each in plan_input.terms if each.partner_id in firms)


def _wanted_cap(plan_input: PlanInput) -> int:
    return plan_input.need_min * 400 // 1000 // 15
