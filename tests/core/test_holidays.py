"""The public holidays of Thuringia."""

import datetime as dt

import pytest

from app.core.holidays import holidays_between, thuringian_holidays

FIXED = [(1, 1), (5, 1), (9, 20), (10, 3), (10, 31), (12, 25), (12, 26)]


@pytest.mark.parametrize(
    ("year", "movable"),
    [(2026, [(4, 3), (4, 6), (5, 14), (5, 25)]), (2027, [(3, 26), (3, 29), (5, 6), (5, 17)])],
)
def test_thuringia_has_eleven_holidays(year: int, movable: list[tuple[int, int]]) -> None:
    assert thuringian_holidays(year) == {dt.date(year, *day) for day in FIXED + movable}


def test_corpus_christi_only_where_it_is_kept() -> None:
    assert thuringian_holidays(2026, corpus_christi=True) - thuringian_holidays(2026) == {dt.date(2026, 6, 4)}


def test_week_53_knows_the_new_year() -> None:
    assert dt.date(2027, 1, 1) in holidays_between("2026-W53", "2026-W53")
    assert dt.date(2026, 1, 1) in holidays_between("2026-W01", "2026-W01")
