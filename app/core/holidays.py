"""Public holidays of Thuringia, from the holidays library."""

import datetime as dt
from functools import lru_cache

from app.core.units import monday


def holidays_between(first_week: str, last_week: str, corpus_christi: bool = False) -> frozenset[dt.date]:
    """Return the holidays of every year the weeks touch, so that KW 53/2026 knows 1 January 2027."""
    years = range(monday(first_week).year, (monday(last_week) + dt.timedelta(days=6)).year + 1)
    return frozenset().union(*(thuringian_holidays(year, corpus_christi) for year in years))


def holidays_near(day: dt.date) -> frozenset[dt.date]:
    """Return the holidays of the day's year and the next, for counting working days from it on."""
    return thuringian_holidays(day.year) | thuringian_holidays(day.year + 1)


@lru_cache(maxsize=64)
def thuringian_holidays(year: int, corpus_christi: bool = False) -> frozenset[dt.date]:
    """Return the year's public holidays; Corpus Christi only for sites in the parts of the Eichsfeld that keep it."""
    # Reading the library costs start time, and most pages never ask.
    import holidays

    categories = ("public", "catholic") if corpus_christi else ("public",)
    return frozenset(holidays.country_holidays("DE", subdiv="TH", years=year, categories=categories))
