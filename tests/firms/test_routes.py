"""The pages of the firm as people meet them: first page, tasks, firm, people, look and language, legal texts."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Actor, Role
from app.firms.actions import add_person
from app.firms.models import Firm, Person, RuleChange
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
def world(sqlite_database: Database) -> dict[str, TestFirm]:
    with sqlite_database.write() as session:
        return make_world(session, ("keller", "yilmaz"))


@pytest.fixture
def keller(world: dict[str, TestFirm]) -> TestFirm:
    return world["keller"]


@pytest.fixture
def house(sqlite_database: Database, keller: TestFirm, tmp_path: Path) -> House:
    return open_house(sqlite_database, tmp_path).enter(keller.actor())


def field(answer: TestResponse, name: str) -> str:
    """What stands in an input of the page."""
    found = re.search(rf'name="{name}"[^>]*? value="([^"]*)"', answer.text)
    return found[1] if found else ""


def add_manager(database: Database, keller: TestFirm, limit_cents: int | None = None) -> str:
    with database.write() as session:
        person = add_person(session, keller.id, "Petra", [Role.MANAGER], email="petra@keller.de")
        person.spending_limit_cents = limit_cents
        return person.id


def test_a_visitor_sees_what_it_is_about_and_the_ways_in(house: House) -> None:
    house.acting[0] = None
    page = house.get("/").text
    assert "Zusammen mehr schaffen." in page
    assert 'href="/anmelden"' in page
    assert 'href="/betrieb/neu"' in page


def test_who_is_signed_in_goes_straight_to_the_first_tab(house: House, keller: TestFirm) -> None:
    assert house.get("/").location == "/start"
    assert house.enter(keller.actor(Role.FOREMAN)).get("/").location == "/anfragen"


def test_the_task_list_knows_what_is_done_and_leads_to_what_is_next(
    sqlite_database: Database, house: House, world: dict[str, TestFirm]
) -> None:
    yilmaz = world["yilmaz"]
    assert "Alles fertig" in house.enter(yilmaz.actor()).get("/betrieb/aufgaben").text
    with sqlite_database.write() as session:
        session.get_one(Firm, yilmaz.id).recovery_printed_at = None
    page = house.get("/betrieb/aufgaben").text
    assert "Alles fertig" not in page
    assert re.search(r'href="/notfall/schluessel"[^>]*data-testid="naechste"', page) or (
        re.search(r'data-testid="naechste"[^>]*href="/notfall/schluessel"', page)
    )


def test_the_firms_page_shows_its_people_and_nobody_elses(house: House, keller: TestFirm) -> None:
    page = house.get("/betrieb").text
    assert "Keller Foreman" in page
    assert f'href="/betrieb/leute/{keller.people[Role.WORKER]}"' in page
    assert "Yilmaz" not in page
    foreman = house.enter(keller.actor(Role.FOREMAN)).get("/betrieb").text
    assert "/betrieb/leute/" not in foreman


def test_sun_glove_and_language_are_drawn_by_the_server_on_this_phone_and_for_this_person(
    sqlite_database: Database, house: House, keller: TestFirm
) -> None:
    for name, value in (("light", "sonne"), ("hand", "handschuh"), ("language", "en")):
        answer = house.post("/ansicht", **{name: value, "back": "/mehr"})
        assert (answer.status_code, answer.location) == (303, "/mehr")
    with sqlite_database.read() as session:
        person = session.get_one(Person, (keller.id, keller.actor().person_id))
        assert (person.light, person.hand, person.language) == ("sonne", "handschuh", "en")
    house.acting[0] = None
    page = house.get("/").text
    assert '<html lang="en"' in page
    assert 'data-licht="sonne" data-hand="handschuh"' in page
    house.post("/ansicht", light="grell", language="xx", back="https://evil.example")
    assert 'data-licht="sonne"' in house.get("/").text


def test_the_way_back_from_a_look_stays_in_the_house(house: House) -> None:
    assert house.post("/ansicht", light="sonne", back="//evil.example").location == "/"


def test_a_legal_text_is_shown_as_the_operator_wrote_it_or_said_to_be_missing(
    sqlite_database: Database, keller: TestFirm, tmp_path: Path
) -> None:
    (tmp_path / "recht").mkdir()
    (tmp_path / "recht/impressum.txt").write_text("Müller & Söhne\n\n<b>Ilmenau</b>", encoding="utf-8")
    house = open_house(sqlite_database, tmp_path, LEGAL_DIR=str(tmp_path / "recht"))
    page = house.get("/impressum").text
    assert "Müller &amp; Söhne</p>" in page
    assert "&lt;b&gt;Ilmenau&lt;/b&gt;</p>" in page
    assert "noch nicht hinterlegt" in house.get("/datenschutz").text
    assert house.get("/agb").status_code == 404


def test_a_limit_is_shown_to_the_cent_and_saving_changes_nothing(
    sqlite_database: Database, house: House, keller: TestFirm
) -> None:
    petra = add_manager(sqlite_database, keller, 1_234_50)
    page = house.get(f"/betrieb/leute/{petra}")
    assert field(page, "limit") == "1.234,50"
    assert house.post(f"/betrieb/leute/{petra}", roles="manager", limit=field(page, "limit")).status_code == 303
    with sqlite_database.read() as session:
        assert session.get_one(Person, (keller.id, petra)).spending_limit_cents == 1_234_50


def test_a_worker_who_becomes_a_manager_is_asked_for_an_email(
    sqlite_database: Database, house: House, keller: TestFirm
) -> None:
    worker = keller.people[Role.WORKER]
    with sqlite_database.write() as session:
        session.get_one(Person, (keller.id, worker)).email = ""
    page = house.post(f"/betrieb/leute/{worker}", roles="manager")
    assert page.status_code == 422
    assert "Eine Leitung braucht eine E-Mail-Adresse." in page.text
    assert 'name="email"' in page.text
    assert house.post(f"/betrieb/leute/{worker}", roles="manager", email="neu@keller.de").status_code == 303
    assert 'name="email"' not in house.get(f"/betrieb/leute/{worker}").text


def test_one_manager_alone_does_not_switch_the_two_person_rule_off(
    sqlite_database: Database, house: House, keller: TestFirm
) -> None:
    petra = add_manager(sqlite_database, keller)
    house.post("/betrieb/zwei-leitungen", two_person_above="1.000")
    house.post("/betrieb/zwei-leitungen", two_person_above="")
    with sqlite_database.read() as session:
        assert session.get_one(Firm, keller.id).two_person_above_cents == 1_000_00
        change = session.scalars(sa.select(RuleChange.id)).one()
    assert "Eine andere Leitung muss noch zustimmen." in house.get("/betrieb").text
    assert f"/betrieb/zwei-leitungen/{change}" not in house.get("/betrieb").text
    boss = keller.actor()
    house.enter(replace(boss, person_id=petra))
    assert f'href="/betrieb/zwei-leitungen/{change}"' in house.get("/betrieb").text
    page = house.get(f"/betrieb/zwei-leitungen/{change}").text
    assert "bisher: über 1.000,00 €" in page
    assert "künftig: nie" in page


def test_the_protocol_tells_what_was_changed_by_whom(house: House, keller: TestFirm) -> None:
    house.post(f"/betrieb/leute/{keller.people[Role.WORKER]}", roles=["worker", "foreman"])
    page = house.get("/protokoll").text
    assert "Keller Worker hat neue Aufgaben." in page
    assert "Keller Manager" in page
    assert house.enter(keller.actor(Role.FOREMAN)).get("/protokoll").status_code == 403


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
    assert "braucht dein Ja" not in page
    assert "karte-schluessel" not in house.get("/start").text
    add_key(sqlite_database, keller)
    page = house.get("/betrieb/aufgaben").text
    assert "nur einen Schlüssel" not in page
    assert "Ein Schlüssel braucht dein Ja." in page
    add_key(sqlite_database, keller, registered_seq=1, revoked_at=clock.now())
    assert "2 Schlüssel brauchen dein Ja." in house.get("/betrieb/aufgaben").text
    assert "2 Schlüssel brauchen dein Ja." in house.get("/start").text
    assert "Schlüssel" not in house.enter(actor_as(keller, Role.FOREMAN)).get("/betrieb/aufgaben").text
