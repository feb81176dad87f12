"""Addresses, bodies and texts that no browser of ours sends: never a 500, never a way out of the house."""

import json
from pathlib import Path

import pytest

from app.core.db import Database
from app.firms.access import Role
from tests.safety.hostile import HostileNode, open_node
from tests.world import TestFirm, make_world

World = dict[str, TestFirm]


@pytest.fixture
def world(sqlite_database: Database) -> World:
    with sqlite_database.write() as session:
        return make_world(session, ("keller", "yilmaz", "nowak"))


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path, world: World) -> HostileNode:
    return open_node(sqlite_database, tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "/partner/a%0Ab",
        "/partner/a%0D%0ASet-Cookie:x=1",
        "/geraete/schluessel/%00",
        "/suchen/%E2%80%A8",
        "/plaene/a?b=%0A",
    ],
)
def test_a_line_break_in_an_address_leads_to_sign_in_and_splits_no_header(node: HostileNode, path: str) -> None:
    answer = node.visitor().get(path)
    assert answer.status_code == 303
    assert "Set-Cookie" not in answer.headers
    assert answer.location.startswith("/anmelden?weiter=")
    assert "\n" not in answer.location


def test_the_way_back_after_sign_in_keeps_signs_that_mean_something_in_addresses(node: HostileNode) -> None:
    answer = node.visitor().get("/partner/a%26weiter%3Dx%23y")
    assert answer.location == "/anmelden?weiter=/partner/a%26weiter%3Dx%23y"


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "https://evil.example",
        "/%0d/x\r\nX: y",
        "\\\\evil.example",
    ],
)
def test_the_look_switch_never_sends_anybody_to_another_site(node: HostileNode, back: str) -> None:
    answer = node.visitor().post("/ansicht", data={"light": "sonne", "back": back})
    assert answer.status_code == 303
    assert answer.location == "/"


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "javascript:alert(1)"]
)
def test_the_way_on_after_sign_in_stays_in_the_house(node: HostileNode, world: World, wanted: str) -> None:
    answer = node.person(world["keller"], Role.MANAGER).get("/anmelden", query_string={"weiter": wanted})
    assert answer.location == "/"


BODIES = {
    "deep": "[" * 200_000,
    "deep_object": '{"a":' * 100_000,
    "surrogate": '{"credential":{"id":"\\ud800","response":{"clientDataJSON":"e30"}}}',
    "not_json": "\x00\x01",
    "number": "1e999",
    "huge_number": "9" * 10_000,
}
DOORS = [
    "/anmelden/pruefen",
    "/antwort",
    "/antwort/zurueck",
    "/notfall/optionen",
    "/notfall/pruefen",
    "/betrieb/neu/schluessel",
    "/betrieb/neu/bestaetigen",
    "/push/geraet",
]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("body", BODIES)
def test_json_that_breaks_parsers_is_refused_in_a_sentence(
    node: HostileNode, world: World, door: str, body: str
) -> None:
    someone = node.person(world["keller"], Role.MANAGER)
    answer = someone.post(door, data=BODIES[body], content_type="application/json")
    assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize("field", ["endpoint", "p256dh", "auth", "actions"])
@pytest.mark.parametrize(
    "value", ["\ud800", "x\x00", "Ω", 1e400, -1, None, [], {}, "https://fcm.googleapis.com/\ud800"]
)
def test_a_subscription_of_anything_else_is_refused(node: HostileNode, world: World, field: str, value: object) -> None:
    body = {
        "subscription": {"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": "x", "auth": "y"}},
        "platform": {"actions": 2},
    }
    place = {"endpoint": body["subscription"], "actions": body["platform"]}.get(field, body["subscription"]["keys"])  # type: ignore[index]
    place[field] = value  # type: ignore[index]
    answer = node.person(world["keller"], Role.MANAGER).post(
        "/push/geraet", data=json.dumps(body), content_type="application/json"
    )
    assert answer.status_code == 422


def test_a_typed_token_or_word_with_half_a_letter_is_unknown_and_no_fault(node: HostileNode) -> None:
    stranger = node.visitor()
    assert stranger.post("/antwort", json={"token": "\ud800", "answer": "yes"}).status_code == 400
    body = '{"words": "\\ud800 abandon", "person_id": "\\ud800"}'
    assert stranger.post("/notfall/optionen", data=body, content_type="application/json").status_code == 422


@pytest.mark.parametrize("week", ["２０２６-W48", "2026-W4٨", "2026-W48%0A"])
def test_a_week_in_other_digits_is_no_second_week_to_sell(node: HostileNode, world: World, week: str) -> None:
    foreman = node.person(world["yilmaz"], Role.FOREMAN)
    answer = foreman.post(f"/woche/{week}/{world['yilmaz'].machine_id}", data={"hours": "8"})
    assert answer.status_code in (404, 422)
    assert foreman.get(f"/woche/{week}").status_code in (404, 422)


@pytest.mark.parametrize(
    "path", ["/partner/%00x", "/suchen/%00", "/anfragen/a%00b", "/dateien/%00", "/vertraege/%00", "/maschinen/%00"]
)
def test_a_nul_in_an_address_is_not_found_on_both_databases(database: Database, tmp_path: Path, path: str) -> None:
    with database.write() as session:
        firm = make_world(session, ("keller",))["keller"]
    manager = open_node(database, tmp_path).person(firm, Role.MANAGER)
    assert manager.get(path).status_code in (400, 404)
    assert manager.post("/push/entfernen", data={"device": "\x00"}).status_code in (400, 404, 422)
