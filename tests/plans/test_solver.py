"""The plan builder against an exact dynamic program, and against itself in another order."""

import random
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.plans.check import check_plan
from app.plans.greedy import build_greedy
from app.plans.rules import GOALS, Goal, OfferedLine, PlanInput, rank_plan
from app.plans.solver import solve_exact
from tests.plans.oracle import best_plan, value_of
from tests.plans.world import large_supply, needs, offer, supplies

goals = st.sampled_from(GOALS)


@given(supplies(), goals)
@settings(max_examples=300, deadline=None)
def test_the_exact_plan_is_the_best_there_is(plan_input: PlanInput, goal: Goal) -> None:
    plan = solve_exact(plan_input, goal)
    check_plan(plan_input, plan)
    assert value_of(plan_input, plan) == best_plan(plan_input, goal)
    assert (plan.solver_status, plan.gap_permille) == ("proven", 0)


@given(supplies(any_rate=True), goals)
@settings(max_examples=150, deadline=None)
def test_rounding_costs_at_most_half_a_cent_a_line(plan_input: PlanInput, goal: Goal) -> None:
    plan, best = solve_exact(plan_input, goal), best_plan(plan_input, goal)
    check_plan(plan_input, plan)
    assert value_of(plan_input, plan).number == best.number
    assert abs(4 * plan.cost_cents - best.quarters) <= 2 * len(plan_input.lines)


@given(supplies(any_rate=True), goals)
@settings(max_examples=150, deadline=None)
def test_the_exact_plan_is_never_worse_than_the_first_answer(plan_input: PlanInput, goal: Goal) -> None:
    greedy = build_greedy(plan_input, goal)
    check_plan(plan_input, greedy)
    assert rank_plan(solve_exact(plan_input, goal)) <= rank_plan(greedy)


@given(supplies(any_rate=True), goals, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_in_which_offers_arrive_does_not_change_the_plan(
    plan_input: PlanInput, goal: Goal, chance: random.Random
) -> None:
    lines, terms = list(plan_input.lines), list(plan_input.terms)
    chance.shuffle(lines)
    chance.shuffle(terms)
    shuffled = replace(plan_input, lines=tuple(lines), terms=tuple(terms))
    assert solve_exact(shuffled, goal) == solve_exact(plan_input, goal)
    assert build_greedy(shuffled, goal) == build_greedy(plan_input, goal)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("is_tight", [True, False])
def test_leaving_out_hopeless_machines_loses_nothing(goal: Goal, is_tight: bool) -> None:
    plan_input = large_supply(700, is_tight=is_tight, seed=3, need_min=9000)
    plan = solve_exact(plan_input, goal, time_limit_s=60.0)
    check_plan(plan_input, plan)
    assert value_of(plan_input, plan) == best_plan(plan_input, goal)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("most", [1, 2, 3])
def test_with_few_partners_the_large_plan_is_still_the_best(goal: Goal, most: int) -> None:
    plan_input = replace(large_supply(700, is_tight=True, seed=4, need_min=9000), max_partners=most)
    plan = solve_exact(plan_input, goal, time_limit_s=60.0)
    check_plan(plan_input, plan)
    assert value_of(plan_input, plan) == best_plan(plan_input, goal)


@pytest.mark.parametrize("goal", GOALS)
def test_ten_thousand_tight_windows_are_solved_to_the_end(goal: Goal) -> None:
    plan_input = large_supply(10_000, is_tight=True, seed=11)
    plan = solve_exact(plan_input, goal, time_limit_s=60.0)
    check_plan(plan_input, plan)
    assert (plan.missing_min, plan.solver_status, plan.gap_permille) == (0, "proven", 0)


def test_without_time_the_plan_is_honest_about_its_gap() -> None:
    plan_input = large_supply(1000, is_tight=True, seed=5)
    plan = solve_exact(plan_input, "fewest", time_limit_s=0.0)
    check_plan(plan_input, plan)
    assert plan.missing_min == 0
    assert (plan.solver_status == "proven") == (plan.gap_permille == 0)


def test_of_two_equal_partners_the_first_by_id_is_taken() -> None:
    plan_input = needs(10, offer("zeta", 40), offer("alpha", 40), offer("mike", 40))
    assert solve_exact(plan_input, "cheapest").lines == (("alpha-mill-2026-W49", 600),)
    assert build_greedy(plan_input, "cheapest").lines == (("alpha-mill-2026-W49", 600),)


def test_the_fastest_plan_needs_no_week_more_when_the_hours_reach_exactly() -> None:
    weeks = [offer("alder", 10, week=f"2026-W{week}", block_h=20) for week in (49, 50, 51)]
    for hours, last_week in ((20, "2026-W50"), (20.25, "2026-W51"), (5, "2026-W50")):
        assert solve_exact(needs(hours, *weeks), "fastest").last_week == last_week
    early, cheap = offer("alder", 20, 9000, week="2026-W49"), offer("birch", 20, 5000, week="2026-W50")
    assert solve_exact(needs(20, early, cheap), "fastest").last_week == "2026-W49"


def test_two_equal_machines_beside_a_third_share_by_name_whatever_the_solver_says() -> None:
    offers = [offer("alder", 10, machine=name, block_h=2) for name in ("b-mill", "a-mill", "c-mill")]
    assert solve_exact(needs(12, *offers), "cheapest").lines == (("a-mill-2026-W49", 600), ("b-mill-2026-W49", 120))


def test_the_web_starts_without_what_it_hardly_ever_needs() -> None:
    """aiohttp and icalendar alone take a seventh of the start."""
    late = {"numpy", "highspy", "aiohttp", "icalendar", "holidays", "openpyxl", "drafthorse", "pyhanko"}
    loaded = f"import sys, app.factory, app.plans.solver, app.plans.greedy; print({late} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_a_spread_that_the_first_answer_misses_is_found_by_the_exact_one() -> None:
    whole = [offer("alder", hours, rate, machine=f"a{rate}", block_h=hours) for hours, rate in ((30, 5000), (20, 9000))]
    plan_input = needs(100, *whole, replace(whole[1], line_id="twin", machine_id="twin"), *_two_others())
    greedy, exact = build_greedy(plan_input, "spread"), solve_exact(plan_input, "spread")
    for plan in (greedy, exact, solve_exact(plan_input, "spread", time_limit_s=0.0)):
        check_plan(plan_input, plan)
    assert greedy.is_over_cap
    assert (exact.largest_share_permille, exact.solver_status, exact.covered_min) == (400, "proven", 6000)


def _two_others() -> tuple[OfferedLine, OfferedLine]:
    return offer("birch", 40, 7000), offer("cedar", 20, 7000)
