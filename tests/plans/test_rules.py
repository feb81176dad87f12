"""What a plan costs, what it says of itself, and that the check sees every planted fault."""

from dataclasses import replace

import pytest

from app.plans.check import PlanBroken, check_plan
from app.plans.greedy import build_greedy
from app.plans.rules import (
    GOALS,
    PlanDraft,
    PlanInput,
    better_of,
    delivery_holds,
    distinct_plans,
    goals_of,
    rank_plan,
)
from app.plans.solver import solve_exact
from tests.plans.world import needs, offer

# Alder is cheap and late, Birch dear and early, Cedar dear to fetch from, Dogwood small and cheap.
FIVE_HUNDRED_HOURS = needs(
    500,
    *(offer("alder", 60, 7000, week=f"2026-W{week}") for week in (50, 51, 52, 53)),
    *(offer("birch", 70, 9500, week=f"2026-W{week}") for week in (48, 49, 50)),
    *(offer("cedar", 50, 7500, week=f"2026-W{week}") for week in (48, 49, 50, 51)),
    *(offer("dogwood", 15, 6500, week=f"2026-W{week}") for week in (48, 49)),
    transport={"alder": 20_000, "birch": 0, "cedar": 250_000, "dogwood": 5_000},
)


def test_the_four_goals_give_four_answers_to_the_five_hundred_hours() -> None:
    plans = {goal: solve_exact(FIVE_HUNDRED_HOURS, goal) for goal in GOALS}
    for plan in plans.values():
        check_plan(FIVE_HUNDRED_HOURS, plan)
        assert (plan.covered_min, plan.missing_min, plan.solver_status) == (30_000, 0, "proven")
    assert plans["cheapest"].cost_cents == min(plan.cost_cents for plan in plans.values())
    assert plans["fastest"].last_week == "2026-W51"
    assert plans["fewest"].partner_count == 3
    assert plans["spread"].largest_share_permille == 400
    assert plans["cheapest"].largest_share_permille == 480


def test_a_line_is_rounded_half_up_once_and_set_up_and_transport_are_paid_once() -> None:
    first, second = offer("alder", 0.25, 8002, week="2026-W49"), offer("alder", 0.25, 8002, week="2026-W50")
    lines = tuple(replace(line, set_up_min=30) for line in (first, second))
    plan_input = replace(needs(0.5, transport={"alder": 700, "birch": 9_999}), lines=lines)
    plan = build_greedy(plan_input, "cheapest")
    assert plan.cost_cents == 2001 + 2001 + 4001 + 700
    check_plan(plan_input, plan)


def test_set_up_is_paid_at_its_own_rate_once_for_each_rate() -> None:
    dear, cheap, other = (offer("alder", 8, 8000, week=f"2026-W{week}") for week in (49, 50, 51))
    lines = tuple(replace(line, set_up_min=90, set_up_rate_cents_per_hour=6000) for line in (dear, cheap))
    lines += (replace(other, set_up_min=90, set_up_rate_cents_per_hour=0),)
    plan_input = replace(needs(24), lines=lines)
    for plan in (build_greedy(plan_input, "cheapest"), solve_exact(plan_input, "cheapest")):
        assert plan.cost_cents == 24 * 8000 + 9000 + 0
        check_plan(plan_input, plan)
        with pytest.raises(PlanBroken, match=r"^5"):
            check_plan(plan_input, replace(plan, cost_cents=24 * 8000 + 12_000))


def test_a_plan_with_too_few_hours_takes_all_of_them_and_says_what_is_missing() -> None:
    plan_input = needs(100, offer("alder", 30), offer("birch", 20), offer("cedar", 4, block_h=8))
    for goal in GOALS:
        plan = solve_exact(plan_input, goal)
        check_plan(plan_input, plan)
        assert (plan.covered_min, plan.missing_min, plan.partner_count) == (50 * 60, 50 * 60, 2)
        assert not delivery_holds(plan, "2027-W10")


def test_a_plan_takes_no_more_partners_than_allowed_even_if_hours_are_missing() -> None:
    offers = (offer("alder", 30, 7000), offer("birch", 20, 6000), offer("cedar", 30, 8000), offer("dogwood", 10, 100))
    for most, hours, names, missing_h in (
        (1, 50, ["alder"], 20),
        (2, 60, ["alder", "cedar"], 0),
        (2, 80, ["alder", "cedar"], 20),
    ):
        plan_input = replace(needs(hours, *offers), max_partners=most)
        assert plan_input.leaves_partners_out
        for goal in GOALS:
            for plan in (build_greedy(plan_input, goal), solve_exact(plan_input, goal)):
                check_plan(plan_input, plan)
                assert [line_id.split("-")[0] for line_id, _ in plan.lines] == names
                assert plan.missing_min == missing_h * 60


def test_two_partners_may_be_the_dearer_but_only_way_to_obey_the_limit() -> None:
    offers = (*(offer(name, 20, 5000) for name in ("alder", "birch", "cedar")), offer("dogwood", 40, 9000))
    free, limited = needs(60, *offers), replace(needs(60, *offers), max_partners=2)
    assert solve_exact(free, "cheapest").partner_count == 3
    for goal in GOALS:
        plan = solve_exact(limited, goal)
        check_plan(limited, plan)
        assert (plan.partner_count, plan.missing_min, plan.solver_status) == (2, 0, "proven")
    assert not replace(free, max_partners=4).leaves_partners_out


def test_the_check_sees_one_partner_too_many_and_the_wrong_ones() -> None:
    plan_input = needs(30, offer("alder", 20), offer("birch", 10))
    plan = solve_exact(plan_input, "cheapest")
    with pytest.raises(PlanBroken, match=r"^9"):
        check_plan(replace(plan_input, max_partners=1), plan)
    limited = replace(needs(30, offer("alder", 20), offer("birch", 15)), max_partners=1)
    smaller = solve_exact(replace(limited, lines=limited.lines[1:]), "cheapest")
    with pytest.raises(PlanBroken, match=r"^7"):
        check_plan(limited, smaller)


def test_nothing_offered_is_a_plan_without_lines() -> None:
    for goal in GOALS:
        for plan in (build_greedy(needs(10), goal), solve_exact(needs(10), goal)):
            check_plan(needs(10), plan)
            assert (plan.lines, plan.missing_min, plan.cost_cents, plan.last_week) == ((), 600, 0, "")


def test_a_rest_below_the_smallest_block_is_taken_from_the_other_partner() -> None:
    plan_input = needs(20, offer("alder", 18, 7000, block_h=4), offer("birch", 18, 9000, block_h=8))
    for plan in (build_greedy(plan_input, "cheapest"), solve_exact(plan_input, "cheapest")):
        check_plan(plan_input, plan)
        assert dict(plan.lines) == {"alder-mill-2026-W49": 12 * 60, "birch-mill-2026-W49": 8 * 60}


def test_the_last_week_of_a_machine_is_filled_up_to_its_block_from_the_week_before() -> None:
    weeks = [offer("alder", 40, week=week, block_h=8) for week in ("2026-W49", "2026-W50")]
    plan = build_greedy(needs(42, *weeks), "cheapest")
    assert dict(plan.lines) == {"alder-mill-2026-W49": 34 * 60, "alder-mill-2026-W50": 8 * 60}


def test_weeks_are_filled_earliest_first_over_the_turn_of_the_year() -> None:
    plan = solve_exact(needs(30, offer("alder", 20, week="2027-W01"), offer("alder", 20, week="2026-W53")), "cheapest")
    assert plan.lines == (("alder-mill-2026-W53", 1200), ("alder-mill-2027-W01", 600))
    assert delivery_holds(plan, "2027-W01")
    assert not delivery_holds(plan, "2026-W53")


def test_best_spread_with_two_partners_halves_the_work_and_says_that_it_depends_on_them() -> None:
    plan_input = needs(40, offer("alder", 40, 7000), offer("birch", 40, 9000))
    plan = solve_exact(plan_input, "spread")
    assert plan.is_over_cap
    assert (plan.largest_min, plan.largest_share_permille, plan.partner_count) == (20 * 60, 500, 2)


def test_best_spread_keeps_everybody_at_forty_percent_where_three_partners_can() -> None:
    plan_input = needs(40, offer("alder", 40, 7000), offer("birch", 40, 8000), offer("cedar", 40, 9000))
    plan = solve_exact(plan_input, "spread")
    assert not plan.is_over_cap
    assert [minutes for _, minutes in plan.lines] == [16 * 60, 16 * 60, 8 * 60]


def test_a_machine_offered_at_two_rates_uses_the_lower_one_first() -> None:
    cheap, dear = offer("alder", 10, 7000, week="2026-W50"), offer("alder", 10, 9000, week="2026-W49")
    plan = solve_exact(needs(12, dear, cheap), "cheapest")
    assert dict(plan.lines) == {cheap.line_id: 600, dear.line_id: 120}


def test_a_know_how_plan_is_one_whole_offer() -> None:
    alder = (offer("alder", 3, 9000, week="2026-W48"), offer("alder", 2.5, 9000, week="2026-W49", block_h=40))
    plan_input = PlanInput(0, (*alder, offer("birch", 6, 7000, week="2026-W52")), takes_whole_offer=True)
    assert goals_of(plan_input) == ("cheapest", "fastest")
    cheapest, fastest = (solve_exact(plan_input, goal) for goal in goals_of(plan_input))
    assert (cheapest.lines, cheapest.cost_cents) == ((("birch-mill-2026-W52", 360),), 42_000)
    assert (fastest.last_week, fastest.covered_min, fastest.missing_min) == ("2026-W49", 330, 0)
    for plan in (cheapest, fastest, build_greedy(plan_input, "fastest")):
        check_plan(plan_input, plan)


def test_a_know_how_request_without_a_yes_has_an_empty_plan() -> None:
    plan_input = PlanInput(0, (), takes_whole_offer=True)
    plan = solve_exact(plan_input, "cheapest")
    check_plan(plan_input, plan)
    assert plan.lines == ()


def test_equal_plans_are_shown_once_with_all_their_goals() -> None:
    plan_input = needs(10, offer("alder", 40, 7000), offer("birch", 40, 9000))
    choices = distinct_plans(solve_exact(plan_input, goal) for goal in GOALS)
    assert [choice.goals for choice in choices] == [("cheapest", "fastest", "fewest"), ("spread",)]
    assert choices[0].plan.goal == "cheapest"


def test_the_proven_plan_is_kept_unless_the_first_answer_is_really_better() -> None:
    greedy, exact = _good_plan(), replace(_good_plan(), solver_status="proven")
    assert better_of(greedy, exact) is exact
    assert better_of(replace(greedy, cost_cents=greedy.cost_cents - 1), exact).solver_status == "greedy"
    assert better_of(replace(greedy, cost_cents=1, missing_min=15), exact) is exact


def test_missing_hours_weigh_more_than_any_price() -> None:
    plan = _good_plan()
    assert rank_plan(plan) < rank_plan(replace(plan, missing_min=15, cost_cents=0))


FAULTS: dict[str, dict[str, object]] = {
    "more than offered": {"lines": (("alder-mill-2026-W49", 1215), ("birch-mill-2026-W49", 480))},
    "below the block": {"lines": (("alder-mill-2026-W49", 1200), ("birch-mill-2026-W49", 465))},
    "not a quarter": {"lines": (("alder-mill-2026-W49", 1190), ("birch-mill-2026-W49", 490))},
    "a line twice": {"lines": (("birch-mill-2026-W49", 480), ("birch-mill-2026-W49", 480))},
    "a stranger's line": {"lines": (("cedar-mill-2026-W49", 600),)},
    "a line left out": {"lines": (("alder-mill-2026-W49", 1200),)},
    "a cent too little": {"cost_cents": 211_999},
    "covered": {"covered_min": 1695},
    "missing": {"missing_min": 15},
    "need": {"need_min": 1500},
    "partners": {"partner_count": 1},
    "week": {"last_week": "2026-W48"},
    "largest": {"largest_min": 1185},
    "share": {"largest_share_permille": 714},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_finds_the_planted_fault(fault: str) -> None:
    check_plan(_TWO_PARTNERS, _good_plan())
    with pytest.raises(PlanBroken):
        check_plan(_TWO_PARTNERS, replace(_good_plan(), **FAULTS[fault]))


def test_the_check_finds_usable_hours_that_a_partial_plan_left_out() -> None:
    plan_input = needs(100, offer("alder", 30), offer("birch", 20))
    lazy = replace(build_greedy(needs(30, offer("alder", 30)), "cheapest"), need_min=6000, missing_min=4200)
    with pytest.raises(PlanBroken, match="1200 usable"):
        check_plan(plan_input, replace(lazy, largest_share_permille=300))


def test_the_check_finds_a_know_how_plan_made_of_two_offers_or_of_half_of_one() -> None:
    lines = (offer("alder", 3), offer("alder", 2, week="2026-W50"), offer("birch", 6))
    plan_input = PlanInput(0, lines, takes_whole_offer=True)
    for wrong in (lines[:1], (lines[0], lines[2])):
        plan = build_greedy(replace(plan_input, lines=wrong), "cheapest")
        both = build_greedy(needs(sum(line.offered_min for line in wrong) / 60, *wrong), "cheapest")
        with pytest.raises(PlanBroken, match="8:"):
            check_plan(plan_input, both if len(wrong) == 2 else plan)


_TWO_PARTNERS = needs(28, offer("alder", 20, 7000), offer("birch", 18, 9000, block_h=8))


def _good_plan() -> PlanDraft:
    return build_greedy(_TWO_PARTNERS, "cheapest")
