"""Thirty virtual days on three nodes with every fault of net, power and clock: the short form of the simulation."""

from collections import Counter

import pytest

from tests.long.simulate import SHORT_SEEDS, play_here, seeds_until_caught, tell
from tests.long.simulate_planted import PLANTED

AT_ONCE = 5


@pytest.mark.parametrize("first", range(1, SHORT_SEEDS + 1, AT_ONCE))
def test_whatever_befalls_net_power_and_clocks_both_sides_end_with_the_same(first: int) -> None:
    outcomes = [play_here(seed) for seed in range(first, first + AT_ONCE)]
    for outcome in outcomes:
        if outcome.faults:
            tell(outcome)
    assert [outcome.seed for outcome in outcomes if outcome.faults] == []
    counts = sum((outcome.counts for outcome in outcomes), Counter[str]())
    happened = (
        "outages",
        "power cuts",
        "restarts",
        "clock jumps",
        "lost",
        "late",
        "doubled",
        "again later",
        "answer lost",
        "groups",
    )
    assert all(counts[fault] for fault in happened), counts
    assert counts["answered 202 done"] > 100
    assert counts["act signs_a_partners"] > 5


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_within_a_few_seeds(fault: str) -> None:
    assert seeds_until_caught(fault) > 0
