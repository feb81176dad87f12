"""One answer, one transaction: what fails leaves nothing, and a form that is sent twice is done once."""

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.core.outbox import IdempotencyRow
from app.firms.access import Role
from app.firms.models import Person
from app.web.transaction import database_of
from tests.web.tiny import Tiny, open_tiny
from tests.world import TestFirm, make_world

ONCE = "k-1"


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz", "brandt"))


@pytest.fixture
def tiny(database: Database, world: dict[str, TestFirm], tmp_path: Path) -> Tiny:
    tiny = open_tiny(database, tmp_path)
    tiny.acting[0] = world["keller"].actor()
    return tiny


def test_a_deed_is_stored_and_answered_with_the_way_on(tiny: Tiny) -> None:
    answer = tiny.post(wert="eins")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/t/seite?wert=eins")
    assert tiny.done() == ["eins"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"wert": ""}, 422),
        ({"wert": "x", "fehler": "regel"}, 422),
        ({"wert": "x", "fehler": "fehlt"}, 404),
        ({"wert": "x", "fehler": "verboten"}, 403),
        ({"wert": "x", "fehler": "zu-spät"}, 409),
        ({"wert": "x", "fehler": "absturz"}, 500),
        ({"wert": "x", "fehler": "gesperrt"}, 503),
    ],
)
def test_an_answer_of_400_or_more_leaves_nothing_behind(tiny: Tiny, fields: dict[str, Any], status: int) -> None:
    assert tiny.post(**fields, once=ONCE).status_code == status
    assert tiny.done() == []
    assert keys(tiny) == []


def test_after_a_fault_the_corrected_form_with_the_same_key_is_done(tiny: Tiny) -> None:
    assert tiny.post(wert="", once=ONCE).status_code == 422
    assert tiny.post(wert="zwei", once=ONCE).status_code == 303
    assert tiny.done() == ["zwei"]


def test_a_page_writes_nothing(tiny: Tiny) -> None:
    assert tiny.client.get("/t/seite").status_code == 200
    with tiny.database.read() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM node_setting WHERE key = 'tat:seite'")) == 0


def test_a_ceremony_keeps_what_it_stored_before_it_failed(tiny: Tiny) -> None:
    assert tiny.post("/t/feier").status_code == 404
    assert sorted(tiny.done()) == ["first", "second"]


def test_the_same_form_twice_is_done_once_and_gets_the_first_answer(tiny: Tiny) -> None:
    first = tiny.post(wert="eins", once=ONCE)
    second = tiny.post(wert="eins", once=ONCE, csrf="another token")
    assert second.status_code == 303
    assert second.headers["Location"] == first.headers["Location"]
    assert tiny.done() == ["eins"]


def test_the_same_key_with_other_words_is_refused(tiny: Tiny) -> None:
    tiny.post(wert="eins", once=ONCE)
    answer = tiny.post(wert="zwei", once=ONCE)
    assert answer.status_code == 422
    assert "wurde schon gesendet" in answer.text
    assert tiny.post("/t/leitung", wert="eins", once=ONCE).status_code == 422
    assert tiny.done() == ["eins"]


def test_without_a_key_or_with_another_one_it_is_done_again(tiny: Tiny) -> None:
    for key in ("", "", "a", "b"):
        tiny.post(wert="x", once=key)
    assert len(tiny.done()) == 4


def test_a_key_belongs_to_one_person_of_one_firm(tiny: Tiny, world: dict[str, TestFirm]) -> None:
    tiny.post(wert="x", once=ONCE)
    for actor in (world["keller"].actor(Role.FOREMAN), world["yilmaz"].actor()):
        tiny.acting[0] = actor
        tiny.post(wert="x", once=ONCE)
    assert len(tiny.done()) == 3


def test_two_taps_at_the_same_moment_book_once(tiny: Tiny) -> None:
    tiny.gate.clear()
    answers: list[tuple[int, str]] = []

    def tap() -> None:
        answer = tiny.post(wert="eins", once=ONCE)
        answers.append((answer.status_code, answer.headers.get("Location", "")))

    taps = [threading.Thread(target=tap) for _ in range(2)]
    for one in taps:
        one.start()
    threading.Timer(0.3, tiny.gate.set).start()
    for one in taps:
        one.join(20)
    assert answers == [(303, "/t/seite?wert=eins")] * 2
    assert tiny.done() == ["eins"]


def test_two_people_at_the_same_moment_both_book(tiny: Tiny) -> None:
    answers: list[int] = []

    def tap(key: str) -> None:
        answers.append(tiny.post(wert="x", once=key).status_code)

    taps = [threading.Thread(target=tap, args=(key,)) for key in ("a", "b", "c")]
    for one in taps:
        one.start()
    for one in taps:
        one.join(20)
    assert answers == [303] * 3
    assert len(tiny.done()) == 3


def test_who_may_not_is_refused_before_anything_begins(tiny: Tiny, world: dict[str, TestFirm]) -> None:
    tiny.acting[0] = world["keller"].actor(Role.FOREMAN)
    assert tiny.post("/t/leitung").status_code == 403
    tiny.acting[0] = None
    assert tiny.post("/t/tat", wert="x").status_code == 403
    assert tiny.done() == []


def test_a_writing_session_knows_its_database(database: Database) -> None:
    with database.write() as session:
        assert database_of(session) is database


def test_reading_never_waits_for_a_writer(tiny: Tiny, world: dict[str, TestFirm]) -> None:
    with tiny.database.write() as session:
        person = session.get_one(Person, (world["keller"].id, world["keller"].people[Role.MANAGER]))
        person.name = "noch nicht gespeichert"
        session.flush()
        answer = tiny.client.get("/t/offen")
    assert answer.status_code == 200


def keys(tiny: Tiny) -> list[str]:
    with tiny.database.read() as session:
        return list(session.scalars(sa.select(IdempotencyRow.key)))
