"""Plan building at 10 to 10,000 windows, tight and loose: right first, then fast; times in seconds."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from app.plans.check import check_plan
from app.plans.greedy import build_greedy
from app.plans.rules import GOALS, Goal, PlanDraft, PlanInput
from app.plans.solver import solve_exact
from tests.plans.oracle import best_plan, value_of
from tests.plans.world import large_supply

WINDOWS = (10, 100, 1_000, 10_000)
MOST_S = 1.0
SEEDS = range(5)


def run() -> list[dict[str, Any]]:
    """Return one figure per size, supply and goal: the exact plan, over an exact dynamic program in the same run.

    `floor` is the dynamic program; the other solver that was compared cannot share a process with HiGHS, hence no
    `peer`. `ok`: the program's optimum is met and proven with gap 0, in at most `goal` seconds.
    """
    _solve_once_to_warm_up()
    return [
        figure
        for windows in WINDOWS
        for is_tight in (True, False)
        for goal in GOALS
        for figure in _measure(windows, is_tight, goal)
    ]


def _measure(windows: int, is_tight: bool, goal: Goal) -> list[dict[str, Any]]:
    inputs = [_supply(windows, is_tight, seed) for seed in SEEDS]
    name = f"plan_s/{goal}/{windows}/{'tight' if is_tight else 'loose'}"
    is_right = all(_is_right(each, goal) for each in inputs)
    exact_s = median(_seconds(solve_exact, each, goal) for each in inputs)
    floor_s = median(_seconds(best_plan, each, goal) for each in inputs)
    greedy_s = median(_seconds(build_greedy, each, goal) for each in inputs)
    return [
        _figure(name, exact_s, floor_s, is_right),
        _figure(f"{name}/greedy", greedy_s, floor_s, is_right),
    ]


def _supply(windows: int, is_tight: bool, seed: int) -> PlanInput:
    """The 500 hours, or four fifths of what is there where that is less, so that every size has a plan to find."""
    plan_input = large_supply(windows, is_tight=is_tight, seed=seed)
    offered_min = sum(line.offered_min for line in plan_input.lines)
    return large_supply(windows, is_tight=is_tight, seed=seed, need_min=min(500 * 60, offered_min * 4 // 75 * 15))


def _is_right(plan_input: PlanInput, goal: Goal) -> bool:
    """Rates here are whole steps of 4 cents apart from halves, so a line may round by half a cent."""
    plan, greedy = solve_exact(plan_input, goal), build_greedy(plan_input, goal)
    check_plan(plan_input, plan)
    check_plan(plan_input, greedy)
    found, best = value_of(plan_input, plan), best_plan(plan_input, goal)
    is_best = (found.is_short, found.number) == (best.is_short, best.number)
    return is_best and _is_proven(plan) and 0 <= found.quarters - best.quarters <= 2 * len(plan.lines)


def _is_proven(plan: PlanDraft) -> bool:
    return (plan.solver_status, plan.gap_permille, plan.missing_min) == ("proven", 0, 0)


def _figure(name: str, value: float, floor: float, is_right: bool) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 6),
        "floor": round(floor, 6),
        "peer": None,
        "ratio": round(value / floor, 4),
        "goal": MOST_S,
        "ok": is_right and value <= MOST_S,
    }


def _seconds(build: Callable[[PlanInput, Goal], object], plan_input: PlanInput, goal: Goal) -> float:
    start = time.perf_counter()
    build(plan_input, goal)
    return time.perf_counter() - start


def _solve_once_to_warm_up() -> None:
    for goal in GOALS:
        solve_exact(large_supply(200, is_tight=False, seed=99), goal)
