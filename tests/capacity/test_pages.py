"""Anbieten, Plan, Woche and Betriebskalender as people meet them."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.capacity.actions import hold_hours
from app.capacity.models import CapacityWindow
from app.core import clock
from app.core.db import Database
from app.firms.access import Role
from tests.machines.house import House, open_house
from tests.world import TestFirm, make_world

KW48 = "2026-W48"


@pytest.fixture
def world(sqlite_database: Database) -> dict[str, TestFirm]:
    with sqlite_database.write() as session:
        return make_world(session, ("keller", "yilmaz", "brandt"))


@pytest.fixture
def yilmaz(world: dict[str, TestFirm]) -> TestFirm:
    return world["yilmaz"]


@pytest.fixture
def house(sqlite_database: Database, yilmaz: TestFirm, tmp_path: Path) -> House:
    """Yilmaz' foreman at the phone."""
    return open_house(sqlite_database, tmp_path).enter(yilmaz.actor(Role.FOREMAN))


def actual(database: Database, firm: TestFirm, week: str) -> int | None:
    with database.read() as session:
        found: int | None = session.scalar(
            sa.select(CapacityWindow.actual_min).where(CapacityWindow.firm_id == firm.id, CapacityWindow.week == week)
        )
    return found


def test_one_tap_offers_the_first_gap(house: House, sqlite_database: Database, yilmaz: TestFirm) -> None:
    page = house.get("/anbieten").text
    assert re.search(r'value="2026-W47" checked', page)
    assert 'value="58"' in page  # today is Monday: 16+16+16+10 hours are left
    answer = house.post("/anbieten", machine=yilmaz.machine_id, week=KW48, hours="24")
    assert answer.status_code == 303
    assert actual(sqlite_database, yilmaz, KW48) == 1440
    shown = house.get(answer.headers["Location"]).text
    assert "Niemand sieht deine freie Zeit" in shown
    undo_url = re.search(r'action="(/anbieten/[^"]+/zurueck)"', shown)
    assert undo_url
    assert house.post(undo_url.group(1)).status_code == 303
    assert actual(sqlite_database, yilmaz, KW48) == 0


def test_the_chips_cross_the_year_with_53_weeks(house: House) -> None:
    with clock.frozen(clock.now().replace(month=12, day=14)):
        page = house.get("/anbieten").text
    assert re.findall(r'name="week" value="([^"]+)"', page)[2:5] == ["2026-W53", "2027-W01", "2027-W02"]
    assert "28.12.–1.1." in page


def test_a_wrong_number_keeps_what_was_typed_and_points_to_it(house: House, yilmaz: TestFirm) -> None:
    answer = house.post("/anbieten", machine=yilmaz.machine_id, week=KW48, hours="viele")
    assert answer.status_code == 422
    assert "Gib die Stunden als Zahl ein, zum Beispiel 7,5." in answer.text
    assert 'value="viele"' in answer.text
    assert "<title>Fehler:" in answer.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"week": KW48, "hours": "8"}, "Wähle eine Maschine aus."),
        ({"machine": "M", "hours": "8"}, "Wähle eine Kalenderwoche, zum Beispiel KW 48."),
        ({"machine": "M", "week": "2025-W53", "hours": "8"}, "Die KW 53 gibt es im Jahr 2025 nicht."),
        ({"machine": "M", "week": KW48, "hours": "99"}, "höchstens 74 Stunden möglich"),
        ({"machine": "M", "week": "2099-W01", "hours": "8"}, "So weit voraus geht es nicht."),
        ({"machine": "M", "week": "9999-W52", "hours": "8"}, "So weit voraus geht es nicht."),
    ],
)
def test_every_missing_or_impossible_field_has_its_sentence(
    house: House, yilmaz: TestFirm, fields: dict[str, str], sentence: str
) -> None:
    if fields.get("machine") == "M":
        fields = fields | {"machine": yilmaz.machine_id}
    answer = house.post("/anbieten", **fields)
    assert answer.status_code == 422
    assert sentence in answer.text


def test_another_firms_machine_is_not_found(house: House, world: dict[str, TestFirm]) -> None:
    other = world["brandt"].machine_id
    assert house.post("/anbieten", machine=other, week=KW48, hours="8").status_code == 404
    assert house.get(f"/woche/{KW48}/{other}").status_code == 404
    assert house.post(f"/woche/{KW48}/{other}", hours="8").status_code == 404
    assert other not in house.get("/plan").text


def test_minus_and_plus_work_without_scripts(house: House, yilmaz: TestFirm) -> None:
    answer = house.post("/anbieten", machine=yilmaz.machine_id, week=KW48, hours="7,5", hours_step="0.5")
    assert answer.status_code == 303
    assert 'value="8"' in house.get(answer.headers["Location"]).text


def test_the_same_form_twice_counts_once(house: House, sqlite_database: Database, yilmaz: TestFirm) -> None:
    fields = {"machine": yilmaz.machine_id, "week": KW48, "hours": "24", "once": "k1"}
    assert house.post("/anbieten", **fields).status_code == 303
    assert house.post("/anbieten", **fields).status_code == 303
    assert actual(sqlite_database, yilmaz, KW48) == 1440


def test_the_plan_shows_eight_weeks_of_every_machine(house: House, yilmaz: TestFirm) -> None:
    page = house.get("/plan").text
    assert "F5-650" in page
    assert page.count('data-testid="woche-') == 8
    assert "13,25" in page
    later = house.get("/plan?ab=2027-W03").text
    assert 'data-testid="woche-2027-W03"' in later
    assert house.get("/plan?ab=unsinn").status_code == 200


def test_a_week_tells_own_promised_and_free_hours(house: House, sqlite_database: Database, yilmaz: TestFirm) -> None:
    with sqlite_database.write() as session:
        hold_hours(session, yilmaz.id, "o", "l", yilmaz.machine_id, "2026-W49", 300, clock.now())
    page = house.get(f"/woche/2026-W49/{yilmaz.machine_id}").text
    assert "Für Partner vorgemerkt" in page
    assert ">5 h<" in page
    assert ">8,25 h<" in page
    answer = house.post(f"/woche/2026-W49/{yilmaz.machine_id}", hours="4")
    assert answer.status_code == 422
    assert "5 Stunden sind schon zugesagt." in answer.text


def test_weeks_that_do_not_exist_or_are_over_are_not_found(house: House, yilmaz: TestFirm) -> None:
    assert "F5-650" in house.get(f"/woche/{KW48}/{yilmaz.machine_id}").text
    for week in ("2025-W53", "2026-W40", "x", "9999-W52"):
        assert house.get(f"/woche/{week}/{yilmaz.machine_id}").status_code == 404


def test_the_short_friday_changes_the_plan(house: House, sqlite_database: Database, yilmaz: TestFirm) -> None:
    assert 'value="5"' in house.get("/betrieb/kalender?vorlage=kurz").text
    fields = {f"day_{n}": hours for n, hours in enumerate(("8", "8", "8", "8", "5", "", ""))}
    fields |= {"unattended_min": "0", "first_hour": "7"}
    assert house.post(f"/betrieb/kalender/{yilmaz.site_id}", **fields).status_code == 303
    assert re.search(r'name="first_hour"[^>]*value="7"', house.get("/betrieb/kalender").text)
    answer = house.post("/anbieten", machine=yilmaz.machine_id, week=KW48, hours="37,5")
    assert "höchstens 37 Stunden möglich" in answer.text


def test_a_closure_is_entered_and_taken_away_again(house: House, yilmaz: TestFirm) -> None:
    url = f"/betrieb/kalender/{yilmaz.site_id}/tage"
    answer = house.post(url, kind="shut", first_day="24.12.2026", last_day="6.1.2027", name="Betriebsferien")
    assert answer.status_code == 303
    page = house.get("/betrieb/kalender").text
    assert "Betriebsferien" in page
    drop = re.search(r'action="(/betrieb/kalender/tage/[^"]+/weg)"', page)
    assert drop
    assert house.post(drop.group(1)).status_code == 303
    shown = house.get("/betrieb/kalender").text
    assert "Noch keine Tage eingetragen" in shown
    undo_url = re.search(r'<form method="post" action="([^"]+first_day=[^"]+)"', shown)
    assert undo_url
    assert house.post(undo_url.group(1).replace("&amp;", "&")).status_code == 303
    assert "Betriebsferien" in house.get("/betrieb/kalender").text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "shut", "first_day": "morgen"}, "Gib ein Datum ein, zum Beispiel 24.12.2026."),
        ({"kind": "shut", "first_day": "24.12.2026", "last_day": "23.12.2026"}, "Der letzte Tag liegt vor dem ersten."),
        ({"kind": "", "first_day": "24.12.2026"}, "Wähle eine Möglichkeit aus."),
    ],
)
def test_impossible_days_are_refused(house: House, yilmaz: TestFirm, fields: dict[str, str], sentence: str) -> None:
    answer = house.post(f"/betrieb/kalender/{yilmaz.site_id}/tage", **fields)
    assert answer.status_code == 422
    assert sentence in answer.text


def test_impossible_shifts_are_refused(house: House, yilmaz: TestFirm) -> None:
    answer = house.post(f"/betrieb/kalender/{yilmaz.site_id}", day_0="25", first_hour="6")
    assert answer.status_code == 422
    assert "Ein Tag hat zwischen 0 und 24 Stunden." in answer.text
    whole, missing = "Gib eine ganze Zahl von 0 bis 23 ein.", "Wähle eine Stunde von 0 bis 23."
    for hour, sentence in (("24", whole), ("-1", whole), ("6:00", whole), ("", missing)):
        answer = house.post(f"/betrieb/kalender/{yilmaz.site_id}", day_0="8", first_hour=hour)
        assert answer.status_code == 422
        assert sentence in answer.text


def test_another_firms_calendar_is_not_found(house: House, world: dict[str, TestFirm]) -> None:
    site_id = world["brandt"].site_id
    assert house.post(f"/betrieb/kalender/{site_id}", day_0="8", first_hour="6").status_code == 404
    assert house.post(f"/betrieb/kalender/{site_id}/tage", kind="shut", first_day="24.12.2026").status_code == 404
    assert house.post("/betrieb/kalender/tage/unknown/weg").status_code == 404


def test_workers_see_no_free_hours(house: House, yilmaz: TestFirm) -> None:
    house.enter(yilmaz.actor(Role.WORKER))
    week = f"/woche/{KW48}/{yilmaz.machine_id}"
    for url in ("/anbieten", "/plan", week, "/betrieb/kalender", "/stunden/import", "/stunden/tabelle.csv"):
        assert house.get(url).status_code == 403


def test_without_a_machine_the_page_says_what_to_do(house: House, sqlite_database: Database, yilmaz: TestFirm) -> None:
    with sqlite_database.write() as session:
        session.execute(sa.text("UPDATE machine SET state = 'retired'"))
    assert "Trag zuerst eine Maschine ein." in house.get("/anbieten").text
    assert "Noch ist keine Maschine eingetragen." in house.get("/plan").text


def test_the_hours_follow_the_chosen_week(house: House, yilmaz: TestFirm) -> None:
    fragment = house.get(f"/anbieten/stunden?machine={yilmaz.machine_id}&week=2026-W49").text
    assert "F5-650 in KW 49" in fragment
    assert "Höchstens 74 Stunden sind möglich." in fragment
    assert 'value="13,25"' in fragment
    assert "<html" not in fragment
