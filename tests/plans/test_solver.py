"""The plan builder against an exact dynamic program, and against itself in another order."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.plans.check import check_plan
from app.plans.greedy import build_greedy
from app.plans.rules import GOALS, Goal, PlanInput, rank_plan
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
    shuffled = PlanInput(plan_input.need_min, tuple(lines), tuple(terms))
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
