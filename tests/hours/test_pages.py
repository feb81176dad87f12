"""From Heute to sent in three taps, and changed until the foreman has looked."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from app.core import clock
from app.core.db import Database
from app.firms.access import Role
from app.hours.queries import entries_of
from app.hours.rules import machine_code
from app.worker import run_until_quiet
from tests.hours.world import TUESDAY, Work, begin_work
from tests.machines.house import House, open_house


@pytest.fixture
def work(sqlite_database: Database) -> Iterator[Work]:
    begun = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        yield begun


@pytest.fixture
def house(sqlite_database: Database, work: Work, tmp_path: Path) -> House:
    worker = replace(work.person("yilmaz"), has_passkey=False)
    return open_house(sqlite_database, tmp_path).enter(worker)


def test_a_worker_reports_a_usual_day_in_three_taps_even_without_a_passkey(house: House, work: Work) -> None:
    path = f"/auftrag/{work.booking_ids['yilmaz']}/stunden"
    assert f'href="{path}"' in house.get("/heute").text
    page = house.get(path).text
    assert 'name="hours" value="2"' in page
    assert house.post(path, hours="2,5", day="2026-12-01", once="o" * 20).location == "/stunden"
    page = house.get("/stunden").text
    assert "2,5" in page
    assert "Ändern" in page
    assert "Heute hast du hier schon 2,5 Stunden gemeldet." in house.get(path).text


def test_what_cannot_be_is_said_beside_the_field_and_kept(house: House, work: Work) -> None:
    path = f"/auftrag/{work.booking_ids['yilmaz']}/stunden"
    answer = house.post(path, hours="viel", day="2026-12-01", once="o" * 20)
    assert answer.status_code == 422
    assert "Gib die Stunden als Zahl ein, zum Beispiel 7,5." in answer.text
    assert 'value="viel"' in answer.text
    answer = house.post(path, hours="7", hours_step="0.5", day="2026-12-01", once="p" * 20)
    assert 'name="hours" value="7,5"' in answer.text


def test_a_number_is_changed_by_its_worker_until_it_is_checked(house: House, work: Work) -> None:
    entry_id = work.report()
    assert 'name="hours" value="7,5"' in house.get(f"/stunden/{entry_id}").text
    answer = house.post(f"/stunden/{entry_id}", hours="6", day="2026-12-01", kind="set_up", once="q" * 20)
    assert answer.location == "/stunden"
    page = house.get("/stunden").text
    assert "Rüsten" in page
    assert "7,5" not in page
    other = house.enter(work.person("keller"))
    assert other.get(f"/stunden/{entry_id}").status_code == 404
    assert other.get(f"/auftrag/{work.booking_ids['keller']}/stunden").status_code == 404


def test_an_accountant_reports_nothing(house: House, work: Work) -> None:
    accountant = replace(work.person("yilmaz"), roles=frozenset({Role.ACCOUNTANT}), role=Role.ACCOUNTANT)
    assert house.enter(accountant).get("/stunden").status_code == 403


def test_a_week_is_checked_confirmed_and_its_evidence_downloaded(house: House, work: Work) -> None:
    work.report()
    (report,) = work.reports()
    page = house.enter(work.person("yilmaz", Role.FOREMAN)).get("/stunden/pruefen").text
    assert "Alle bestätigen" in page
    assert house.post("/stunden/pruefen", report=report.id, once="a" * 20).location == "/stunden/pruefen"
    run_until_quiet(work.database)
    path = f"/stunden/meldung/{report.id}"
    house.enter(work.person("keller", Role.FOREMAN))
    assert path in house.get("/stunden/pruefen").text
    assert "Ohne Antwort bis Dienstag, 8. Dezember gelten die Stunden als bestätigt." in house.get(path).text
    answer = house.post(f"{path}/nein", once="b" * 20)
    assert answer.status_code == 422
    assert "Schreib kurz, was nicht stimmt." in answer.text
    assert house.post(f"{path}/ja", once="c" * 20).location == path
    run_until_quiet(work.database)
    for key in ("keller", "yilmaz"):
        house.enter(work.person(key, Role.FOREMAN))
        page = house.get(path).text
        assert "Bestätigung laden" in page
        assert "Worker" not in page
        for kind in ("report", "confirm"):
            assert house.get(f"{path}/{kind}.json").mimetype == "application/json"
    assert house.enter(work.deal.firms["brandt"].actor(Role.MANAGER)).get(path).status_code == 404


def test_a_disputed_slip_is_corrected_line_by_line(house: House, work: Work) -> None:
    entry_id = work.report()
    (report,) = work.reports()
    path = f"/stunden/meldung/{report.id}"
    house.enter(work.person("yilmaz", Role.FOREMAN)).post("/stunden/pruefen", report=report.id, once="a" * 20)
    run_until_quiet(work.database)
    house.enter(work.person("keller", Role.FOREMAN))
    assert house.post(f"{path}/nein", entries=entry_id, reason="Nur 6 Stunden.", once="b" * 20).location == path
    run_until_quiet(work.database)
    page = house.enter(work.person("yilmaz", Role.FOREMAN)).get(path).text
    assert "Nur 6 Stunden." in page
    assert "strittig" in page
    location = house.post(f"{path}/korrigieren", once="c" * 20).location or ""
    assert "Tippe auf eine Zeile" in house.get(location).text


def test_what_a_phone_kept_is_taken_once_from_its_writer_only(house: House, work: Work) -> None:
    mark = re.search(r'<meta name="person" content="(\w+)">', house.get("/heute").text)
    assert mark is not None
    body = {
        "person": mark[1], "booking_id": work.booking_ids["yilmaz"], "entry_id": "", "hours": "1,5", "day": "2026-12-01",
        "kind": "run", "quantity": "", "scrap": "", "key": "a key of the phone", "phone_at": "2026-12-01T05:00:00.000Z",
    }  # fmt: skip
    first = send_json(house, body)
    assert first.json == {"ok": True, "url": "/stunden"}
    assert send_json(house, body).json == first.json
    later = body | {"hours": "2", "key": "a later key of it", "corrects_key": body["key"]}
    assert send_json(house, later).status_code == 200
    assert send_json(house, body | {"key": "another key of it", "hours": "30"}).status_code == 422
    foreman = house.enter(work.person("yilmaz", Role.FOREMAN))
    assert send_json(foreman, body | {"key": "yet another key of it"}).status_code == 409
    (report,) = work.reports()
    with work.database.read() as session:
        assert [entry.minutes for entry in entries_of(session, report.firm_id, report.id)] == [120]


def send_json(house: House, body: dict[str, str]) -> TestResponse:
    """As the script of the page does."""
    origin = house.app.extensions["world"].config.origin
    return house.client.post("/stunden/senden", json=body, headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"})


def test_the_code_at_the_machine_leads_to_its_current_job_and_gives_no_right(house: House, work: Work) -> None:
    sheet = house.enter(work.person("yilmaz", Role.FOREMAN)).get("/maschinen/schilder").text
    code = machine_code(work.booking().machine_id)
    assert f"http://localhost/m/{code}" in sheet
    page = house.enter(work.person("yilmaz")).get(f"/m/{code.lower()}").text
    assert f"/auftrag/{work.booking_ids['yilmaz']}/stunden" in page
    typed = f" {code[:2]} {code[2:].lower()} ".replace("0", "o").replace("1", "l")
    assert house.get(f"/schild?code={typed}").location == f"/m/{code}"
    assert "Diesen Code gibt es hier nicht." in house.get("/schild?code=UUUUU").text
    assert "/schild" in house.get("/heute").text
    assert house.enter(work.person("keller")).get(f"/m/{code}").status_code == 404
    assert "Diesen Code gibt es hier nicht." in house.get(f"/schild?code={code}").text
    house.acting[0] = None
    assert house.get(f"/m/{code}").location == f"/anmelden?weiter=/m/{code}"
