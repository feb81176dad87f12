"""What a plan is, what it costs, and which of two is better: one combination of offers that covers the need."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.core.units import amount_cents

Goal = Literal["cheapest", "fastest", "fewest", "spread"]
SolverStatus = Literal["greedy", "proven", "best_found"]
Rank = tuple[int, str | int, int]
Terms = tuple[str, str, int, int, int, int]

GOALS: tuple[Goal, ...] = ("cheapest", "fastest", "fewest", "spread")
ONE_OFFER_GOALS: tuple[Goal, ...] = ("cheapest", "fastest")
STEP_MIN = 15
CAP_PERMILLE = 400


@dataclass(frozen=True, slots=True)
class OfferedLine:
    """Minutes that a partner offers on one machine in one ISO week; `min_block_min` is the least worth starting for."""

    line_id: str
    offer_id: str
    partner_id: str
    machine_id: str
    week: str
    offered_min: int
    rate_cents_per_hour: int
    set_up_min: int
    min_block_min: int
    set_up_rate_cents_per_hour: int


@dataclass(frozen=True, slots=True)
class PartnerTerms:
    """What a partner costs once, however many machines of theirs are used."""

    partner_id: str
    transport_cents: int


@dataclass(frozen=True, slots=True)
class PlanInput:
    """The need and the sealed offers. Where each offer covers the whole need, a plan is one of them and `need_min` is 0.

    `max_partners`: no plan takes more, even if hours are missing then; None: any number.
    """

    need_min: int
    lines: tuple[OfferedLine, ...]
    terms: tuple[PartnerTerms, ...] = ()
    takes_whole_offer: bool = False
    max_partners: int | None = None

    @property
    def has_choice(self) -> bool:
        """Say whether there is anything to plan from."""
        return bool(self.lines) and self.max_partners != 0

    @property
    def leaves_partners_out(self) -> bool:
        """Say whether more partners offered than a plan may take."""
        most = self.max_partners
        return most is not None and len({line.partner_id for line in self.lines}) > most


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """One plan: minutes per offer line, in the order of week and line. Shares are of the need, rounded up.

    `covered_min` passes `need_min` only where a smallest block does not fit the rest.
    """

    goal: Goal
    need_min: int
    lines: tuple[tuple[str, int], ...]
    covered_min: int
    missing_min: int
    cost_cents: int
    partner_count: int
    last_week: str
    largest_min: int
    largest_share_permille: int
    solver_status: SolverStatus
    gap_permille: int

    @property
    def is_over_cap(self) -> bool:
        """Say whether one partner carries more than 40 % of the need, so that the plan depends on it."""
        return self.largest_share_permille > CAP_PERMILLE


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """One plan to show, with every goal that led to it."""

    goals: tuple[Goal, ...]
    plan: PlanDraft


def goals_of(plan_input: PlanInput) -> tuple[Goal, ...]:
    """Return the goals that make sense: where a plan is one offer, partners cannot be fewer or spread."""
    return ONE_OFFER_GOALS if plan_input.takes_whole_offer else GOALS


def better_of(greedy: PlanDraft, exact: PlanDraft) -> PlanDraft:
    """Return the better of two plans for the same goal; the exact one when they are equally good."""
    return greedy if rank_plan(greedy) < rank_plan(exact) else exact


def rank_plan(plan: PlanDraft) -> Rank:
    """Return what its goal compares, smaller is better: missing minutes, then the goal's own number, then cents."""
    return (plan.missing_min, _goal_number(plan), plan.cost_cents)


def distinct_plans(plans: Iterable[PlanDraft]) -> tuple[PlanChoice, ...]:
    """Return every different plan once, in the order given, with all goals that it serves."""
    first: dict[tuple[tuple[str, int], ...], PlanDraft] = {}
    goals: dict[tuple[tuple[str, int], ...], list[Goal]] = {}
    for plan in plans:
        first.setdefault(plan.lines, plan)
        if plan.goal not in goals.setdefault(plan.lines, []):
            goals[plan.lines].append(plan.goal)
    return tuple(PlanChoice(tuple(goals[lines]), plan) for lines, plan in first.items())


def delivery_holds(plan: PlanDraft, delivery_week: str) -> bool:
    """Say whether the whole need is covered by the end of the delivery week (ISO week)."""
    return plan.missing_min == 0 and plan.last_week <= delivery_week


def describe_plan(
    goal: Goal,
    plan_input: PlanInput,
    chosen: Sequence[tuple[OfferedLine, int]],
    solver_status: SolverStatus = "greedy",
    gap_permille: int = 0,
) -> PlanDraft:
    """Return the plan that takes these minutes of these lines, with all its sums."""
    covered_min = sum(minutes for _, minutes in chosen)
    need_min = covered_min if plan_input.takes_whole_offer else plan_input.need_min
    shares = _minutes_by_partner(chosen)
    largest_min = max(shares.values(), default=0)
    return PlanDraft(
        goal=goal,
        need_min=need_min,
        lines=tuple((line.line_id, minutes) for line, minutes in sorted(chosen, key=_by_week)),
        covered_min=covered_min,
        missing_min=max(0, need_min - covered_min),
        cost_cents=cost_of(chosen, plan_input.terms),
        partner_count=len(shares),
        last_week=max((line.week for line, _ in chosen), default=""),
        largest_min=largest_min,
        largest_share_permille=-(-1000 * largest_min // need_min) if need_min > 0 else 0,
        solver_status=solver_status,
        gap_permille=gap_permille,
    )


def cost_of(chosen: Sequence[tuple[OfferedLine, int]], terms: Iterable[PartnerTerms]) -> int:
    """Return the cents of the lines, each rounded once, of set-up once a machine and of transport once a partner."""
    lines = sum(amount_cents(minutes, line.rate_cents_per_hour) for line, minutes in chosen)
    set_ups = {terms_of(line): set_up_cents(line) for line, _ in chosen}
    used = {line.partner_id for line, _ in chosen}
    transport = sum(each.transport_cents for each in terms if each.partner_id in used)
    return lines + sum(set_ups.values()) + transport


def set_up_cents(line: OfferedLine) -> int:
    """Return what setting up the line's machine costs once."""
    return amount_cents(line.set_up_min, line.set_up_rate_cents_per_hour)


def terms_of(line: OfferedLine) -> Terms:
    """Return what makes two lines the same machine on the same terms; other terms are set up and paid apart."""
    set_up = (line.set_up_min, line.set_up_rate_cents_per_hour)
    return (line.partner_id, line.machine_id, line.rate_cents_per_hour, *set_up, line.min_block_min)


def pick_whole_offer(plan_input: PlanInput, goal: Goal, solver_status: SolverStatus = "proven") -> PlanDraft:
    """Return the best single offer, taken whole; ties by partner id, then offer id."""
    offers: dict[tuple[str, str], list[tuple[OfferedLine, int]]] = {}
    for line in plan_input.lines:
        offers.setdefault((line.partner_id, line.offer_id), []).append((line, line.offered_min))
    plans = [describe_plan(goal, plan_input, offers[key], solver_status) for key in sorted(offers)]
    return min(plans, key=rank_plan, default=describe_plan(goal, plan_input, (), solver_status))


def _goal_number(plan: PlanDraft) -> str | int:
    """Weeks compare as text, since ISO weeks sort by time."""
    if plan.goal == "fastest":
        return plan.last_week
    if plan.goal == "fewest":
        return plan.partner_count
    return plan.largest_min if plan.goal == "spread" and plan.is_over_cap else 0


def _minutes_by_partner(chosen: Sequence[tuple[OfferedLine, int]]) -> dict[str, int]:
    shares: dict[str, int] = {}
    for line, minutes in chosen:
        shares[line.partner_id] = shares.get(line.partner_id, 0) + minutes
    return shares


def _by_week(part: tuple[OfferedLine, int]) -> tuple[str, str]:
    return (part[0].week, part[0].line_id)
