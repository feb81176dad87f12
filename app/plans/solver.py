"""The exact plan: the best cover found, what any cover costs at least, and the gap between the two said openly."""

from app.plans.greedy import choose_greedily
from app.plans.pools import Pool, quarters_of
from app.plans.rules import Goal, PlanDraft, PlanInput, SolverStatus, better_of, pick_whole_offer
from app.plans.scope import Scope, draft_plan, open_scope
from app.plans.twins import settle_ties

Cover = tuple[int, dict[Pool, int]]
NO_COVER: Cover = (2**62, {})


def solve_exact(plan_input: PlanInput, goal: Goal, time_limit_s: float = 2.0) -> PlanDraft:
    """Return the best plan for the goal and whether it is proven best; never worse than the greedy one.

    'proven' and gap 0: no plan costs less before each line's cents are rounded (at most half a cent a line).
    'best_found' with the gap in permille of the cost when the time was up. Loads numpy and highspy.
    """
    if plan_input.takes_whole_offer:
        return pick_whole_offer(plan_input, goal)
    scope = open_scope(plan_input, goal)
    pools, taken = choose_greedily(scope)
    if scope.is_short or not pools:
        return draft_plan(plan_input, goal, pools, taken, "proven")
    greedy = {pool: steps for pool, steps in zip(pools, taken, strict=True) if steps}
    cover, gap_permille = _search(scope, greedy, time_limit_s)
    status: SolverStatus = "best_found" if gap_permille else "proven"
    first, exact = (
        draft_plan(plan_input, goal, list(steps), list(steps.values()), status, gap_permille)
        for steps in (greedy, settle_ties(scope, cover))
    )
    return better_of(first, exact)


def _search(scope: Scope, greedy: dict[Pool, int], time_limit_s: float) -> tuple[dict[Pool, int], int]:
    """Return the steps per pool and the gap in permille."""
    from app.plans import bounds, model  # numpy and highspy load when a plan is built, not when the web starts

    start = (quarters_of(list(greedy), list(greedy.values()), scope.transport_quarters), greedy)
    narrowed = bounds.tighten(scope, start if _keeps_cap(scope, greedy) else NO_COVER)
    best, least = narrowed.best, narrowed.least_quarters
    if best[0] > least:
        answer = model.solve_model(narrowed, time_limit_s)
        found = bounds.price_cover(narrowed.scope, answer.used) if answer.used is not None else None
        best = min(best, found or NO_COVER, key=lambda cover: cover[0])
        least = max(least, min(best[0], answer.least_quarters))
    gap_quarters = best[0] - least
    return (best[1] or greedy), -(-1000 * gap_quarters // max(1, best[0]))


def _keeps_cap(scope: Scope, steps: dict[Pool, int]) -> bool:
    shares: dict[str, int] = {}
    for pool, given in steps.items():
        shares[pool.partner_id] = shares.get(pool.partner_id, 0) + given
    return scope.cap_steps is None or max(shares.values()) <= scope.cap_steps
