"""The first answer, at once: take the machine with the lowest cost per hour including what it costs once, repeat."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush

from app.plans.pools import Pool, allot
from app.plans.rules import Goal, PlanDraft, PlanInput, pick_whole_offer
from app.plans.scope import Scope, draft_plan, open_scope, total_by_partner


def build_greedy(plan_input: PlanInput, goal: Goal) -> PlanDraft:
    """Return a good plan without a solver; where supply is short, all that is usable."""
    if plan_input.takes_whole_offer:
        return pick_whole_offer(plan_input, goal, "greedy")
    pools, taken = choose_greedily(open_scope(plan_input, goal))
    return draft_plan(plan_input, goal, pools, taken, "greedy")


def choose_greedily(scope: Scope) -> tuple[Sequence[Pool], list[int]]:
    """Return pools and their steps; the cap gives way when greedy finds no cover under it."""
    if scope.is_short:
        return scope.pools, [pool.total_steps for pool in scope.pools]
    if scope.most_partners is not None:
        scope = replace(scope, pools=_of_few_partners(scope, scope.most_partners), most_partners=None)
    used = _pick(scope)
    taken = allot(used, scope.need_steps, scope.cap_steps)
    if taken is None and scope.cap_steps is not None:
        return choose_greedily(replace(scope, cap_steps=None))
    return used, taken or []


def _pick(scope: Scope) -> list[Pool]:
    """A heap of costs per step: a key may only be too low, so the top is taken when it is still true."""
    rest, given = scope.need_steps, dict.fromkeys((pool.partner_id for pool in scope.pools), 0)
    siblings: dict[str, list[int]] = {}
    for index, pool in enumerate(scope.pools):
        siblings.setdefault(pool.partner_id, []).append(index)
    heap = [(_price(scope, pool, rest, 0), index) for index, pool in enumerate(scope.pools)]
    heapify(heap)
    used: set[int] = set()
    while heap and rest > 0:
        price, index = heappop(heap)
        pool = scope.pools[index]
        now = _price(scope, pool, rest, given[pool.partner_id])
        if index in used or now == float("inf"):
            continue
        if now > price:
            heappush(heap, (now, index))
            continue
        used.add(index)
        if given[pool.partner_id] == 0:
            _reprice(scope, heap, [other for other in siblings[pool.partner_id] if other != index], rest)
        steps = _take(scope, pool, rest, given[pool.partner_id])
        given[pool.partner_id] += steps
        rest -= steps
    return [scope.pools[index] for index in sorted(used)]


def _reprice(scope: Scope, heap: list[tuple[float, int]], indexes: Iterable[int], rest: int) -> None:
    """The partner's transport is paid: its other machines become cheaper, and no key may be too high."""
    for index in indexes:
        heappush(heap, (_price(scope, scope.pools[index], rest, 1), index))


def _price(scope: Scope, pool: Pool, rest: int, given_steps: int) -> float:
    """Quarter cents per useful step; infinite when the block does not fit under the cap."""
    steps = _take(scope, pool, rest, given_steps)
    if steps < pool.block_steps:
        return float("inf")
    fixed = pool.set_up_quarters + (0 if given_steps else scope.transport_quarters.get(pool.partner_id, 0))
    return (pool.rate_quarters * steps + fixed) / min(steps, rest)


def _take(scope: Scope, pool: Pool, rest: int, given_steps: int) -> int:
    wanted = min(pool.total_steps, max(rest, pool.block_steps))
    return wanted if scope.cap_steps is None else min(wanted, scope.cap_steps - given_steps)


def _of_few_partners(scope: Scope, count: int) -> tuple[Pool, ...]:
    """Take the cheapest partner that still lets the largest others cover the rest, repeat."""
    totals = total_by_partner(scope.pools)
    groups: dict[str, list[Pool]] = {}
    for pool in scope.pools:
        groups.setdefault(pool.partner_id, []).append(pool)
    kept: list[Pool] = []
    rest = scope.need_steps
    for left in range(count - 1, -1, -1):
        if rest <= 0:
            break
        others = sorted(totals.values(), reverse=True)
        fitting = [each for each in totals if totals[each] + _top(others, totals[each], left) >= rest]
        best = min(fitting, key=lambda each: (_partner_price(scope, groups[each], each, rest), each))
        kept += groups[best]
        rest -= totals.pop(best)
    return tuple(sorted(kept, key=lambda pool: (pool.partner_id, pool.machine_id)))


def _top(ordered: Sequence[int], own: int, count: int) -> int:
    """Sum of the largest others: the own total leaves the list once."""
    head = ordered[: count + 1]
    return sum(head) - own if own in head else sum(head[:count])


def _partner_price(scope: Scope, pools: Sequence[Pool], partner_id: str, rest: int) -> float:
    """Roughly what a step costs here: whole machines from the cheapest on, until the rest is covered."""
    cost, steps = float(scope.transport_quarters.get(partner_id, 0)), 0
    for pool in sorted(pools, key=lambda pool: pool.rate_quarters + pool.set_up_quarters / pool.total_steps):
        if steps >= rest:
            break
        more = min(pool.total_steps, max(rest - steps, pool.block_steps))
        cost += pool.rate_quarters * more + pool.set_up_quarters
        steps += more
    return cost / max(1, min(steps, rest))
