"""Whatever the order: the short form of `python -m tests.long invoices`, on both databases."""

from app.core.db import Database
from tests.long.invoices import play


def test_in_any_order_nothing_is_invoiced_twice_above_the_most_or_without_a_number(database: Database) -> None:
    play(database, 8 if database.is_sqlite else 4, 10)
