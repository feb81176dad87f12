"""A need is filled as far as the min blocks allow, the first machine and the earliest weeks first."""

from itertools import product

from hypothesis import example, given
from hypothesis import strategies as st

from app.core.units import weeks_from
from app.matching.filling import STEP_MIN, Lines, Supply, fill_need, supply_of

SPAN = weeks_from("2026-W49", 9)


def hours(*lines: tuple[int, int]) -> Lines:
    """Lines from (place of the week, hours)."""
    return tuple((SPAN[place], count * 60) for place, count in lines)


def supply(free_hours: list[int], block_hours: int) -> Supply:
    return supply_of(((week, free * 60) for week, free in zip(SPAN, free_hours, strict=False)), block_hours * 60)


def test_the_earliest_weeks_are_filled_first() -> None:
    assert fill_need(100 * 60, [supply([40, 40, 40, 40], 8)]) == (hours((0, 40), (1, 40), (2, 20)),)


def test_a_rest_below_the_block_is_taken_from_the_line_before() -> None:
    assert fill_need(85 * 60, [supply([40, 40, 40], 8)]) == (hours((0, 40), (1, 37), (2, 8)),)


def test_a_later_machine_gets_its_block_from_the_one_before() -> None:
    assert fill_need(100 * 60, [supply([95], 10), supply([50], 10)]) == (hours((0, 90)), hours((0, 10)))


def test_a_later_week_is_better_than_hours_lost() -> None:
    assert fill_need(100 * 60, [supply([80, 80, 100], 60)]) == (hours((2, 100)),)


def test_a_need_below_the_block_gets_nothing() -> None:
    assert fill_need(60, [supply([40], 8)]) == ((),)
    assert fill_need(0, [supply([40], 8)]) == ((),)
    assert fill_need(600, []) == ()


def test_hours_come_in_quarters() -> None:
    odd = supply_of([("2026-W50", 29), ("2026-W49", 100)], 20)
    assert odd == Supply(2, (("2026-W49", 6),))
    assert fill_need(95, [odd]) == ((("2026-W49", 90),),)


FREE = st.lists(st.integers(0, 8), max_size=4)


@st.composite
def supplies(draw: st.DrawFn, most: int = 3) -> list[Supply]:
    found = []
    for _ in range(draw(st.integers(0, most))):
        block, free = draw(st.integers(1, 5)), draw(FREE)
        usable = tuple((week, one) for week, one in zip(SPAN, free, strict=False) if one >= block)
        found.append(Supply(block, usable))
    return found


def best_sum(need: int, offers: list[Supply]) -> int:
    """Try every week of every machine with nothing or anything from block to free."""
    reached = {0}
    for offer in offers:
        ways = [(0, *range(offer.block, free + 1)) for _, free in offer.windows]
        reached = {done + sum(way) for done in reached for way in product(*ways)}
    return max(total for total in reached if total <= need)


def total_min(filled: tuple[Lines, ...]) -> int:
    return sum(minutes for lines in filled for _, minutes in lines)


@given(st.integers(0, 24), supplies(most=2))
@example(1, [Supply(2, ((SPAN[0], 2),))])
@example(9, [Supply(4, ((SPAN[0], 4),)), Supply(3, ((SPAN[0], 3), (SPAN[1], 3)))])
def test_no_other_way_offers_more(need: int, offers: list[Supply]) -> None:
    assert total_min(fill_need(need * STEP_MIN, offers)) == best_sum(need, offers) * STEP_MIN


@given(st.integers(0, 60), supplies())
def test_no_week_is_overfilled_and_every_line_is_a_block(need: int, offers: list[Supply]) -> None:
    filled = fill_need(need * STEP_MIN, offers)
    assert total_min(filled) <= need * STEP_MIN
    assert len(filled) == len(offers)
    for offer, lines in zip(offers, filled, strict=True):
        free = dict(offer.windows)
        assert list(dict(lines)) == sorted(dict(lines)) == [week for week, _ in lines]
        assert all(offer.block * STEP_MIN <= minutes <= free[week] * STEP_MIN for week, minutes in lines)


@given(st.integers(0, 60), supplies(), supplies(most=1), st.integers(0, 3))
def test_a_machine_more_never_offers_less(need: int, offers: list[Supply], more: list[Supply], place: int) -> None:
    grown = [*offers[:place], *more, *offers[place:]]
    assert total_min(fill_need(need * STEP_MIN, grown)) >= total_min(fill_need(need * STEP_MIN, offers))


@given(st.integers(0, 59), supplies())
def test_a_bigger_need_never_gets_less(need: int, offers: list[Supply]) -> None:
    assert total_min(fill_need((need + 1) * STEP_MIN, offers)) >= total_min(fill_need(need * STEP_MIN, offers))
