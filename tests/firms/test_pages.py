"""Mehr and what it leads to, as people meet it."""

from pathlib import Path

import pytest

from app.core.db import Database
from app.firms.access import Role
from tests.machines.house import House, open_house
from tests.world import make_world


@pytest.fixture
def house(sqlite_database: Database, tmp_path: Path) -> House:
    with sqlite_database.write() as session:
        worker = make_world(session)["yilmaz"].actor(Role.WORKER)
    return open_house(sqlite_database, tmp_path).enter(worker)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("/hilfe", "Erst die Unterschrift beider Leitungen gilt."),
        ("/gespeichert", "Deinen Fingerabdruck. Er bleibt auf deinem Handy."),
    ],
)
def test_everybody_finds_help_and_the_sheet_in_mehr(house: House, url: str, sentence: str) -> None:
    assert f'href="{url}"' in house.get("/mehr").text
    assert sentence in house.get(url).text


def test_the_legal_pages_are_a_tap_away(house: House) -> None:
    for url in ("/impressum", "/datenschutz", "/nutzung"):
        assert f'href="{url}"' in house.get("/mehr").text
