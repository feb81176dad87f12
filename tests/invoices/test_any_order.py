"""Whatever the order: the short form of `python -m tests.long invoices`, on both databases, and what it must not overlook."""

from collections.abc import Callable
from unittest.mock import patch

import pytest

from app.core.db import Database
from tests.long.invoices import play


def test_in_any_order_nothing_is_invoiced_or_confirmed_twice_above_the_most_or_without_a_number(
    database: Database,
) -> None:
    play(database, 6 if database.is_sqlite else 3, 12)


@pytest.mark.parametrize(
    ("place", "planted", "seed"),
    [
        ("app.hours.checking.counted_min", lambda *_, **__: 0, 25),
        ("app.agreements.amending.check_lowered", lambda *_: None, 25),
        ("app.invoices.issuing._move_hours", lambda *_: None, 0),
        ("app.invoices.issuing._replace_earlier", lambda *_: None, 4),
    ],
    ids=["more than agreed", "lowered below the worked hours", "invoiced twice", "credited and still asked for"],
)
def test_a_house_that_miscounts_is_found(
    sqlite_database: Database, place: str, planted: Callable[..., object], seed: int
) -> None:
    """Any seed finds it, these do so soon."""
    with patch(place, planted), pytest.raises(AssertionError):
        play(sqlite_database, 60, 12, seed, is_shrinking=False)
