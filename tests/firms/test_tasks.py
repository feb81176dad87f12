"""S06 as each role meets it: nothing that answers 403, and what is to do about keys."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Actor, Role
from app.passkeys.models import Passkey
from tests.machines.house import House, open_house
from tests.world import TestFirm, make_world

TASKS = {
    "/maschinen": {Role.MANAGER, Role.FOREMAN, Role.STEWARD},
    "/notfall/schluessel": {Role.MANAGER},
    "/partner/einladen": {Role.MANAGER},
    "/betrieb/einladen": {Role.MANAGER, Role.FOREMAN, Role.STEWARD},
}


@pytest.fixture
def keller(sqlite_database: Database) -> TestFirm:
    with sqlite_database.write() as session:
        return make_world(session, ("keller", "yilmaz"))["keller"]


@pytest.fixture
def house(sqlite_database: Database, keller: TestFirm, tmp_path: Path) -> House:
    return open_house(sqlite_database, tmp_path).enter(keller.actor())


def actor_as(firm: TestFirm, role: Role) -> Actor:
    return replace(firm.actor(), role=role, roles=frozenset({role}))


def add_key(database: Database, firm: TestFirm, **facts: object) -> None:
    with database.write() as session:
        name = new_id()
        session.add(
            Passkey(
                firm_id=firm.id, id=name, created_at=clock.now(), person_id=firm.people[Role.MANAGER], credential_id=name,
                public_key=b"", user_handle="handle", name="Handy", **facts,
            )
        )  # fmt: skip


@pytest.mark.parametrize("role", [Role.MANAGER, Role.FOREMAN, Role.STEWARD])
def test_the_task_list_holds_only_what_this_person_may_do(house: House, keller: TestFirm, role: Role) -> None:
    page = house.enter(actor_as(keller, role)).get("/betrieb/aufgaben").text
    for path, roles in TASKS.items():
        assert (f'href="{path}"' in page) == (role in roles), path


def test_managers_are_urged_to_a_second_key_and_see_keys_that_wait(
    house: House, sqlite_database: Database, keller: TestFirm
) -> None:
    add_key(sqlite_database, keller, registered_seq=0)
    page = house.get("/betrieb/aufgaben").text
    assert "Du hast nur einen Schlüssel. Richte einen zweiten ein." in page
    assert "braucht deine Bestätigung" not in page
    assert "karte-schluessel" not in house.get("/start").text
    add_key(sqlite_database, keller)
    page = house.get("/betrieb/aufgaben").text
    assert "nur einen Schlüssel" not in page
    assert "Ein Schlüssel braucht deine Bestätigung." in page
    add_key(sqlite_database, keller, registered_seq=1, revoked_at=clock.now())
    assert "2 Schlüssel brauchen deine Bestätigung." in house.get("/betrieb/aufgaben").text
    assert "2 Schlüssel brauchen deine Bestätigung." in house.get("/start").text
    assert "Schlüssel" not in house.enter(actor_as(keller, Role.FOREMAN)).get("/betrieb/aufgaben").text
