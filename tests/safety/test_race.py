"""16 writers over all booking paths: the short form of `python -m tests.long race`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.long.race import SHORT_ATTEMPTS, is_planted_caught, race, sqlite_url
from tests.postgres import PostgresServer

NewUrl = Callable[[str], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewUrl:
    if request.param == "sqlite":
        return lambda name: sqlite_url(tmp_path, name)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return lambda _name: server.new_database()


def test_sixteen_writers_sell_no_hour_twice_and_lose_nothing_that_was_confirmed(
    new_url: NewUrl, tmp_path: Path
) -> None:
    found = race(new_url("race"), tmp_path, SHORT_ATTEMPTS, seed=1)
    assert found["attempts"] == SHORT_ATTEMPTS
    assert found["first_faults"] == []
    assert (found["oversold"], found["drift_min"], found["first_missing"]) == (0, 0, [])
    assert len(found["paths"]) == 16
    assert found["looks"] > 20


def test_hours_that_are_read_and_then_written_would_be_sold_twice_and_the_race_sees_it(
    new_url: NewUrl, tmp_path: Path
) -> None:
    assert is_planted_caught(new_url("planted"), tmp_path, seed=1)
