"""What a goal allows: the machines, the weeks, the number of partners and the largest share, found without a solver."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.plans.pools import QUARTERS_PER_CENT, Pool, fill_weeks, gather_pools, quarters_of, steps_of, steps_up
from app.plans.rules import (
    CAP_PERMILLE,
    Goal,
    OfferedLine,
    PlanDraft,
    PlanInput,
    SolverStatus,
    Terms,
    describe_plan,
    terms_of,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """A cost problem: cover the need from these pools; `is_short` when all of them together cannot."""

    pools: tuple[Pool, ...]
    need_steps: int
    transport_quarters: Mapping[str, int]
    is_short: bool = False
    most_partners: int | None = None
    cap_steps: int | None = None


def open_scope(plan_input: PlanInput, goal: Goal) -> Scope:
    """Return what is left to decide by cost once the goal's own number is fixed at its best value."""
    need_steps, most = steps_up(max(0, plan_input.need_min)), plan_input.max_partners
    transport = {each.partner_id: each.transport_cents * QUARTERS_PER_CENT for each in plan_input.terms}
    pools = gather_pools(plan_input.lines)
    if largest_sum(total_by_partner(pools).values(), most) < need_steps:
        return Scope(_of_largest_partners(pools, most, transport), need_steps, transport, is_short=True)
    if goal == "fastest":
        pools = pools_until(plan_input.lines, earliest_week(plan_input.lines, need_steps, most))
    if goal == "fewest":
        most = fewest_partners(pools, need_steps)
    cap_steps = None
    if goal == "spread":
        wanted_steps = steps_of(plan_input.need_min * CAP_PERMILLE // 1000)
        cap_steps = lowest_cap(pools, need_steps, wanted_steps, most)
        pools = [pool for pool in pools if pool.block_steps <= cap_steps]
    if most is not None and len(total_by_partner(pools)) <= most:
        most = None  # no limit at all, and the search without one is faster
    return Scope(tuple(pools), need_steps, transport, most_partners=most, cap_steps=cap_steps)


def draft_plan(
    plan_input: PlanInput, goal: Goal, pools: Sequence[Pool], taken: Sequence[int], status: SolverStatus, gap: int = 0
) -> PlanDraft:
    """Return the plan that gives each pool its steps, with the weeks filled earliest first; gap in permille."""
    chosen = [part for pool, steps in zip(pools, taken, strict=True) if steps for part in fill_weeks(pool, steps)]
    return describe_plan(goal, plan_input, chosen, status, gap)


def earliest_week(lines: Iterable[OfferedLine], need_steps: int, most: int | None = None) -> str:
    """Return the first week by whose end the usable minutes reach the need; a machine counts from its block on.

    With `most` only those of so many partners count, the largest ones.
    """
    ordered = sorted(lines, key=lambda line: line.week)
    sums: dict[Terms, int] = {}
    usable: dict[str, int] = {}
    for week, group in groupby(ordered, key=lambda line: line.week):
        for line in group:
            usable[line.partner_id] = usable.get(line.partner_id, 0) + _gain(sums, line)
        if largest_sum(usable.values(), most) >= need_steps:
            return str(week)
    return ordered[-1].week if ordered else ""


def pools_until(lines: Iterable[OfferedLine], last_week: str) -> list[Pool]:
    """Return the pools of the lines up to this week."""
    return gather_pools(line for line in lines if line.week <= last_week)


def fewest_partners(pools: Iterable[Pool], need_steps: int) -> int:
    """Return how many of the largest partners reach the need."""
    rest, count = need_steps, 0
    for total in sorted(total_by_partner(pools).values(), reverse=True):
        if rest <= 0:
            break
        rest -= total
        count += 1
    return count


def total_by_partner(pools: Iterable[Pool]) -> dict[str, int]:
    """Return the usable steps of each partner."""
    totals: dict[str, int] = {}
    for pool in pools:
        totals[pool.partner_id] = totals.get(pool.partner_id, 0) + pool.total_steps
    return totals


def largest_sum(steps: Iterable[int], most: int | None) -> int:
    """Return the sum of the largest ones, as many as `most` says; of all where it is None."""
    return sum(sorted(steps, reverse=True)[:most])


def lowest_cap(pools: Sequence[Pool], need_steps: int, wanted_steps: int, most: int | None = None) -> int:
    """Return the wanted cap if so many partners can cover the need under it, else the lowest cap that covers it.

    Exact with blocks: a partner's reachable totals are kept as the bits of one number.
    """
    top = max(total_by_partner(pools).values(), default=0)
    reach = [_reachable(list(group)) for _, group in groupby(pools, key=lambda pool: pool.partner_id)]
    low, high = max(0, wanted_steps), max(top, wanted_steps)
    while low < high:
        middle = (low + high) // 2
        if largest_sum((_most_within(bits, middle) for bits in reach), most) >= need_steps:
            high = middle
        else:
            low = middle + 1
    return low


def _of_largest_partners(pools: Sequence[Pool], most: int | None, transport: Mapping[str, int]) -> tuple[Pool, ...]:
    """The pools of the partners with most steps; of equal ones the cheapest, then the first by id."""
    totals = total_by_partner(pools)
    cents = {each: _quarters_of_all(pools, each, transport) for each in totals}
    kept = set(sorted(totals, key=lambda each: (-totals[each], cents[each], each))[:most])
    return tuple(pool for pool in pools if pool.partner_id in kept)


def _quarters_of_all(pools: Sequence[Pool], partner_id: str, transport: Mapping[str, int]) -> int:
    own = [pool for pool in pools if pool.partner_id == partner_id]
    return quarters_of(own, [pool.total_steps for pool in own], transport)


def _gain(sums: dict[Terms, int], line: OfferedLine) -> int:
    key = terms_of(line)
    block_steps = steps_up(line.min_block_min)
    before = sums.get(key, 0)
    after = sums[key] = before + steps_of(line.offered_min)
    if after < block_steps:
        return 0
    return after - before if before >= block_steps else after


def _reachable(pools: Sequence[Pool]) -> int:
    """Bit n is set when the partner can give exactly n steps."""
    bits = 1
    for pool in pools:
        bits |= _spread_bits(bits << pool.block_steps, pool.total_steps - pool.block_steps)
    return bits


def _spread_bits(bits: int, width: int) -> int:
    """Set every bit that lies up to `width` above a set one, doubling the reach in each round."""
    done = 0
    while done < width:
        shift = min(done + 1, width - done)
        bits |= bits << shift
        done += shift
    return bits


def _most_within(bits: int, cap_steps: int) -> int:
    return (bits & ((1 << (cap_steps + 1)) - 1)).bit_length() - 1
