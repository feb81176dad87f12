"""Mehr and what it leads to, as people meet it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.firms.access import Role
from app.firms.models import Firm
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


CHAIN = {"ANCHOR_RPC_URL": "http://localhost:1", "ANCHOR_CHAIN_ID": "1"}


def chain_of(folder: Path) -> dict[str, str]:
    (folder / "anchor.key").write_text("01" * 32)
    (folder / "anchor.key").chmod(0o600)
    return {**CHAIN, "ANCHOR_KEY_FILE": str(folder / "anchor.key")}


def test_a_manager_switches_the_public_proof_on_and_off_in_mehr(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        firms = make_world(session)
    house = open_house(sqlite_database, tmp_path, **chain_of(tmp_path)).enter(firms["keller"].actor())
    for given, is_anchored, other in (({"is_anchored": "on"}, True, "Ausschalten"), ({}, False, "Einschalten")):
        answer = house.post("/betrieb/nachweis", **given)
        assert (answer.status_code, answer.location) == (303, "/mehr")
        with sqlite_database.read() as session:
            anchored = {firm.id for firm in session.scalars(sa.select(Firm).where(Firm.is_anchored))}
        assert anchored == ({firms["keller"].id} if is_anchored else set())
        assert other in house.get("/mehr").text
    assert "Der öffentliche Nachweis ist geändert." in house.get("/protokoll").text


def test_the_public_proof_is_off_and_nobody_but_managers_hears_of_it(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        firms = make_world(session)
    house = open_house(sqlite_database, tmp_path, **chain_of(tmp_path)).enter(firms["keller"].actor(Role.FOREMAN))
    assert "Öffentlicher Nachweis" not in house.get("/mehr").text
    assert house.post("/betrieb/nachweis", is_anchored="on").status_code == 403
    assert "Einschalten" in house.enter(firms["keller"].actor()).get("/mehr").text


def test_a_node_without_a_chain_offers_no_public_proof(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        manager = make_world(session)["keller"].actor()
    page = open_house(sqlite_database, tmp_path).enter(manager).get("/mehr").text
    assert "Öffentlicher Nachweis" not in page
