"""Weeks, minutes, money and distance."""

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import units
from app.core.errors import RuleBroken

DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2040, 12, 31))


@given(DAYS)
def test_a_day_lies_in_its_week(day: dt.date) -> None:
    start = units.monday(units.week_of(day))
    assert start.weekday() == 0
    assert 0 <= (day - start).days < 7


@given(DAYS, st.integers(0, 120))
def test_weeks_follow_each_other_without_gap_or_double(day: dt.date, count: int) -> None:
    first = units.week_of(day)
    span = units.weeks_from(first, count + 1)
    assert span == list(units.weeks(first, span[-1]))
    assert span == sorted(set(span))


def test_2026_has_a_week_53_and_2025_has_none() -> None:
    assert units.monday("2026-W53") == dt.date(2026, 12, 28)
    assert units.week_of(dt.date(2027, 1, 1)) == "2026-W53"
    assert units.weeks_from("2026-W52", 3) == ["2026-W52", "2026-W53", "2027-W01"]
    assert len(list(units.weeks("2026-W49", "2027-W04"))) == 9
    with pytest.raises(RuleBroken, match="KW 53 gibt es im Jahr 2025 nicht"):
        units.monday("2025-W53")


@pytest.mark.parametrize(
    "text", ["", "48", "2026-48", "2026-W48 ", "2026-W4", "x2026-W48", "2026-W48\n", "２０２６-W48", "2026-W٤٨"]
)
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(RuleBroken, match="Wähle eine Kalenderwoche"):
        units.monday(text)


def test_weeks_are_shown_with_their_dates() -> None:
    assert units.week_label("2026-W53") == "KW 53/2026"
    assert units.week_short("2026-W48") == "KW 48"
    assert units.week_days("2026-W48") == "23.–27.11."
    assert units.week_days("2026-W53") == "28.12.–1.1."


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("7,5", 450),
        ("7.5", 450),
        ("500", 30000),
        ("1.000", 60000),
        (" 0,25 ", 15),
        ("1 000", 60000),
        ("1.000,5", 60030),
        ("1,000.5", 60030),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, minutes: int) -> None:
    assert units.parse_hours(text) == minutes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "als Zahl"),
        ("viel", "als Zahl"),
        ("-5", "als Zahl"),
        ("1e3", "als Zahl"),
        ("７,５", "als Zahl"),
        ("٤٠", "als Zahl"),
        ("7,1", "Viertelstunden"),
        ("10001", "zu viele Stunden"),
    ],
)
def test_wrong_hours_get_a_plain_sentence(text: str, sentence: str) -> None:
    with pytest.raises(RuleBroken, match=sentence) as caught:
        units.parse_hours(text, "need")
    assert caught.value.field == "need"


@given(st.integers(0, 40_000).map(lambda n: n * 15))
def test_hours_survive_showing_and_reading(minutes: int) -> None:
    assert units.parse_hours(units.hours_text(minutes)) == minutes


@given(st.integers(0, 99_999_999))
def test_euros_survive_showing_and_reading(cents: int) -> None:
    assert units.parse_euro(units.euro_text(cents)) == cents


@pytest.mark.parametrize("text", ["1250", "1.250", "1.250,00", "1,250.00", "1250.00 €"])
def test_euros_are_read_in_german_and_english_writing(text: str) -> None:
    assert units.parse_euro(text) == 125_000


@pytest.mark.parametrize("text", ["", "-1", "1,234", "zehn", "1..0", "٨٥", "８５,５０"])
def test_wrong_euros_get_a_plain_sentence(text: str) -> None:
    with pytest.raises(RuleBroken, match="Betrag in Euro"):
        units.parse_euro(text)


def test_euros_are_shown_as_in_germany() -> None:
    assert units.euro_text(4250050) == "42.500,50"
    assert units.euro_text(-5) == "-0,05"
    assert units.parse_euro("85 €") == 8500


@given(st.integers(0, 100_000), st.integers(0, 50_000))
def test_an_amount_is_rounded_half_up_once(minutes: int, rate: int) -> None:
    exact = Decimal(minutes) * rate / 60
    assert units.amount_cents(minutes, rate) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


POINTS = st.tuples(st.floats(47, 55), st.floats(6, 15))


@given(POINTS, POINTS)
def test_the_way_there_is_as_long_as_the_way_back(a: tuple[float, float], b: tuple[float, float]) -> None:
    assert units.distance_km(a, b) == pytest.approx(units.distance_km(b, a))
    assert units.distance_km(a, a) == 0


def test_a_degree_of_latitude_is_111_km() -> None:
    assert units.distance_km((50.0, 11.0), (51.0, 11.0)) == pytest.approx(111.195, abs=0.01)


SIDES = st.tuples(*[st.integers(1, 1000)] * 3)


@given(SIDES, SIDES, SIDES)
def test_a_part_that_may_turn_fits_wherever_it_fits_unturned(
    part: tuple[int, ...], space: tuple[int, ...], allowance: tuple[int, ...]
) -> None:
    if units.fits(part, space, allowance, may_turn=False):
        assert units.fits(part, space, allowance, may_turn=True)


def test_a_part_needs_its_allowance_on_every_side() -> None:
    assert units.fits((580, 380, 340), (600, 400, 400), (20, 20, 60), may_turn=False)
    assert not units.fits((581, 380, 340), (600, 400, 400), (20, 20, 60), may_turn=True)
    assert not units.fits((340, 580, 380), (600, 400, 400), (20, 20, 60), may_turn=False)
    assert units.fits((340, 580, 380), (600, 400, 400), (20, 20, 60), may_turn=True)
