"""Shifts, holidays and closures make the possible hours; promises bind them."""

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.capacity import rules
from app.capacity.rules import ShiftModel
from app.core.errors import RuleBroken
from app.core.holidays import holidays_between
from app.core.units import monday, weeks, weeks_from

SHORT_FRIDAY = ShiftModel((480, 480, 480, 480, 300, 0, 0))
THREE_SHIFTS = ShiftModel((1440, 1440, 1440, 1440, 1440, 0, 0), unattended_min=1200)
HOLIDAYS = holidays_between("2026-W01", "2027-W52")
YEAR_END = (dt.date(2026, 12, 24), dt.date(2027, 1, 6))


@pytest.mark.parametrize(
    ("week", "minutes"),
    [
        ("2026-W48", 2220),
        ("2026-W40", 2220),  # 3 October is a Saturday
        ("2026-W38", 2220),  # Weltkindertag is a Sunday in 2026
        ("2026-W53", 1920),  # 1 January takes the short Friday
        ("2027-W38", 1740),  # Weltkindertag is a Monday in 2027
        ("2026-W14", 1920),  # Good Friday
        ("2026-W15", 1740),  # Easter Monday
        ("2026-W20", 1740),  # Ascension
    ],
)
def test_a_holiday_takes_only_the_minutes_planned_that_day(week: str, minutes: int) -> None:
    assert rules.maximum_min(SHORT_FRIDAY, week, HOLIDAYS) == minutes


def test_corpus_christi_takes_a_day_only_where_the_site_keeps_it() -> None:
    eichsfeld = holidays_between("2026-W23", "2026-W23", corpus_christi=True)
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W23", HOLIDAYS) == 2220
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W23", eichsfeld) == 1740


def test_a_closure_takes_all_minutes_and_a_half_closed_week_keeps_the_rest() -> None:
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W53", HOLIDAYS, [YEAR_END]) == 0
    assert rules.maximum_min(THREE_SHIFTS, "2026-W53", HOLIDAYS, [YEAR_END]) == 0
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W52", HOLIDAYS, [YEAR_END]) == 3 * 480
    assert rules.maximum_min(SHORT_FRIDAY, "2027-W01", HOLIDAYS, [YEAR_END]) == 480 + 300


def test_a_machine_alone_at_night_runs_through_a_holiday_and_stops_in_a_closure() -> None:
    assert rules.maximum_min(THREE_SHIFTS, "2026-W48", HOLIDAYS) == 7200 + 1200
    assert rules.maximum_min(THREE_SHIFTS, "2026-W53", HOLIDAYS) == 5760 + 1200
    assert rules.maximum_min(THREE_SHIFTS, "2026-W52", HOLIDAYS, [YEAR_END]) == 3 * 1440 + 720
    assert rules.maximum_min(ShiftModel((0,) * 7, 700), "2026-W48") == 700


def test_an_extra_day_works_on_a_saturday_a_holiday_or_in_a_closure() -> None:
    saturday, new_year, christmas_eve = dt.date(2026, 11, 28), dt.date(2027, 1, 1), dt.date(2026, 12, 24)
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W48", HOLIDAYS, (), {saturday}) == 2220 + 480
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W53", HOLIDAYS, (), {new_year}) == 2220
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W52", HOLIDAYS, [YEAR_END], {christmas_eve}) == 4 * 480


def test_the_current_week_counts_from_tomorrow_on() -> None:
    monday_of_47 = dt.date(2026, 11, 16)
    tomorrow = monday_of_47 + dt.timedelta(days=1)
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W47", HOLIDAYS, from_day=tomorrow) == 2220 - 480
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W48", HOLIDAYS, from_day=tomorrow) == 2220
    assert rules.maximum_min(SHORT_FRIDAY, "2026-W46", HOLIDAYS, from_day=tomorrow) == 0


@pytest.mark.parametrize(
    ("shift", "day", "ends"),
    [
        (SHORT_FRIDAY, "2026-12-01", ["14:30"]),  # eight hours and the break
        (SHORT_FRIDAY, "2026-12-04", ["11:00"]),
        (SHORT_FRIDAY, "2026-12-05", []),
        (ShiftModel((600, 600, 600, 600, 0, 0, 0), first_hour=7), "2026-12-01", ["17:30"]),
        (ShiftModel((960, 960, 960, 960, 600, 0, 0)), "2026-12-01", ["14:00", "22:00"]),
        (ShiftModel((960, 960, 960, 960, 600, 0, 0)), "2026-12-04", ["11:00", "16:00"]),
        (THREE_SHIFTS, "2026-12-01", ["14:00", "22:00"]),  # the third goes home tomorrow
        (SHORT_FRIDAY, "2026-12-25", []),
        (SHORT_FRIDAY, "2026-12-28", []),
        (ShiftModel((0,) * 7, 700), "2026-12-01", []),
    ],
)
def test_shifts_go_home_when_they_do_in_the_trade(shift: ShiftModel, day: str, ends: list[str]) -> None:
    found = rules.shift_ends(shift, dt.date.fromisoformat(day), HOLIDAYS, [YEAR_END])
    assert [f"{end // 60:02}:{end % 60:02}" for end in found] == ends


def test_on_an_extra_day_in_a_closure_the_shift_goes_home_as_ever() -> None:
    day = dt.date(2026, 12, 28)
    assert rules.shift_ends(SHORT_FRIDAY, day, HOLIDAYS, [YEAR_END], {day}) == [14 * 60 + 30]


def test_nine_weeks_over_the_turn_of_the_year_lose_the_closure_and_no_week() -> None:
    span = list(weeks("2026-W49", "2027-W04"))
    assert len(span) == 9
    total = sum(rules.maximum_min(SHORT_FRIDAY, week, HOLIDAYS, [YEAR_END]) for week in span)
    assert total == 6 * 2220 + 1440 + 0 + 780


@pytest.mark.parametrize("minutes", [(480,) * 6, (480,) * 8, (1441, 0, 0, 0, 0, 0, 0), (-1, 0, 0, 0, 0, 0, 0)])
def test_a_shift_of_another_length_than_a_week_is_refused(minutes: tuple[int, ...]) -> None:
    with pytest.raises(RuleBroken, match="zwischen 0 und 24"):
        ShiftModel(minutes)  # type: ignore[arg-type]


def test_a_week_cannot_have_more_unattended_hours_than_are_left() -> None:
    with pytest.raises(RuleBroken, match="ohne Personal"):
        ShiftModel((1440,) * 7, unattended_min=1)


DAYS = st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31))
SHIFTS = st.builds(
    ShiftModel,
    st.tuples(*[st.integers(0, 96).map(lambda n: n * 10)] * 7),
    st.integers(0, 3360),
)


@given(SHIFTS, DAYS, st.frozensets(DAYS, max_size=5), st.lists(st.tuples(DAYS, DAYS), max_size=3))
def test_more_holidays_or_closures_never_give_more_hours(
    shift: ShiftModel, day: dt.date, holidays: frozenset[dt.date], closures: list[tuple[dt.date, dt.date]]
) -> None:
    week = f"{day.isocalendar()[0]}-W{day.isocalendar()[1]:02d}"
    whole = rules.maximum_min(shift, week)
    fewer = rules.maximum_min(shift, week, holidays)
    fewest = rules.maximum_min(shift, week, holidays, closures)
    assert 0 <= fewest <= fewer <= whole == sum(shift.minutes) + shift.unattended_min


@given(SHIFTS, DAYS)
def test_every_day_that_passes_leaves_the_same_or_less(shift: ShiftModel, day: dt.date) -> None:
    week = f"{day.isocalendar()[0]}-W{day.isocalendar()[1]:02d}"
    days = [monday(week) + dt.timedelta(days=n) for n in range(8)]
    left = [rules.maximum_min(shift, week, from_day=one) for one in days]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


def test_free_hours_below_what_is_promised_are_refused_with_the_number() -> None:
    rules.check_window(2220, 1200, 600, 600)
    with pytest.raises(RuleBroken, match="20 Stunden sind schon zugesagt") as caught:
        rules.check_window(2220, 1185, 600, 600)
    assert caught.value.field == "hours"


def test_free_hours_above_the_calendar_are_refused_with_the_most() -> None:
    rules.check_window(2220, 2220, 0, 0)
    with pytest.raises(RuleBroken, match="höchstens 37 Stunden möglich"):
        rules.check_window(2220, 2235, 0, 0)
    with pytest.raises(RuleBroken, match="als Zahl"):
        rules.check_window(2220, -15, 0, 0)


@given(*[st.integers(-100, 3000)] * 2, *[st.integers(0, 3000)] * 2)
def test_an_accepted_window_is_never_oversold(maximum: int, actual: int, held: int, agreed: int) -> None:
    accepted = True
    try:
        rules.check_window(maximum, actual, held, agreed)
    except RuleBroken:
        accepted = False
    assert accepted == (held + agreed <= actual <= maximum)
    assert rules.free_min(actual, held, agreed) >= 0


def test_500_hours_with_180_own_leave_320_missing() -> None:
    span = list(weeks("2026-W49", "2027-W02"))
    free = {"2026-W49": 40 * 60, "2026-W50": 60 * 60, "2026-W51": 80 * 60}
    answer = rules.shortage(500 * 60, span, free)
    assert answer.missing_min == 320 * 60
    assert not answer.is_enough
    assert answer.weeks[0] == "2026-W49"
    assert answer.weeks[-1] == "2027-W02"
    assert {line.week for line in answer.by_week if line.week.endswith("W53")} == {"2026-W53"}


def test_enough_own_time_means_no_week_is_short() -> None:
    answer = rules.shortage(600, ["2026-W49", "2026-W50"], {"2026-W49": 300, "2026-W50": 315})
    assert answer.is_enough
    assert answer.weeks == ()


def test_the_emptiest_weeks_are_short_first() -> None:
    answer = rules.shortage(1200, ["2026-W49", "2026-W50", "2026-W51"], {"2026-W49": 600, "2026-W50": 0})
    assert [line.missing_min for line in answer.by_week] == [0, 300, 300]


def test_an_order_without_weeks_is_refused() -> None:
    with pytest.raises(RuleBroken, match="mindestens eine Kalenderwoche"):
        rules.shortage(600, [], {})


@given(st.integers(0, 40_000), st.lists(st.integers(-60, 3000), min_size=1, max_size=12))
@example(need=16, free=[0, 0])  # the first week takes what is less than a step on top of its step
def test_the_weeks_add_up_to_what_is_missing_and_end_level(need: int, free: list[int]) -> None:
    span = weeks_from("2026-W48", len(free))
    answer = rules.shortage(need, span, dict(zip(span, free, strict=True)))
    assert sum(line.missing_min for line in answer.by_week) == answer.missing_min
    assert all(line.missing_min >= 0 for line in answer.by_week)
    raised = [line.free_min + line.missing_min for line in answer.by_week if line.missing_min]
    untouched = [line.free_min for line in answer.by_week if not line.missing_min]
    if raised:
        assert max(raised) - min(raised) < 2 * rules.STEP_MIN
        assert all(min(raised) - other < 2 * rules.STEP_MIN for other in untouched)


def test_working_days_skip_weekends_and_holidays() -> None:
    assert rules.add_working_days(dt.date(2026, 11, 16), 2, HOLIDAYS) == dt.date(2026, 11, 18)
    assert rules.add_working_days(dt.date(2026, 11, 20), 2, HOLIDAYS) == dt.date(2026, 11, 24)
    assert rules.add_working_days(dt.date(2026, 12, 24), 2, HOLIDAYS) == dt.date(2026, 12, 29)
    assert rules.add_working_days(dt.date(2026, 11, 21), 0, HOLIDAYS) == dt.date(2026, 11, 21)
