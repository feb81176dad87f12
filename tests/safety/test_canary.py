"""No word of one firm in the pages of another: the short form of `python -m tests.long canary`."""

from pathlib import Path

from app.core.db import Database
from tests.long.canary import SHORT_LINKS, check_houses, is_planted_caught, unsorted_columns
from tests.long.matrix import open_matrix


def test_no_page_shows_a_word_of_another_firm_and_nothing_crossed_that_stays_at_home(
    sqlite_database: Database, tmp_path: Path
) -> None:
    matrix = open_matrix(sqlite_database, tmp_path)
    found = check_houses(sqlite_database, matrix, SHORT_LINKS)
    assert found.foreign == []
    assert found.crossed == []
    assert found.faults == []
    assert found.open_seen > 0
    assert found.planted > 200
    assert found.pages > 1500
    assert is_planted_caught(sqlite_database, matrix)


def test_every_column_of_text_is_sorted_into_written_words_or_codes() -> None:
    assert unsorted_columns() == []
