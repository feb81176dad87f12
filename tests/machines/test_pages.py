"""The pages of machines, rates, certificates and import as people meet them."""

import io
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.firms.access import Role
from app.firms.models import Site
from app.machines.models import ImportRun, Machine
from tests.machines.house import House, open_house
from tests.world import TestFirm, make_world

LATHE = {
    "type_key": "cnc_lathe",
    "name": "Drehzentrum",
    "number": "D1",
    "min_block_min": "4",
    "set_up_min": "1",
    "lead_time_days": "0",
    "swing_diameter_mm": "400",
    "distance_between_centres_mm": "1.000",
    "bar_capacity_mm": "65,5",
    "extras": ["live_tooling", "y_axis"],
}


@pytest.fixture
def world(sqlite_database: Database) -> dict[str, TestFirm]:
    with sqlite_database.write() as session:
        return make_world(session, ("keller", "yilmaz", "brandt"))


@pytest.fixture
def yilmaz(world: dict[str, TestFirm]) -> TestFirm:
    return world["yilmaz"]


@pytest.fixture
def house(sqlite_database: Database, yilmaz: TestFirm, tmp_path: Path) -> House:
    """Yilmaz' manager at the phone."""
    return open_house(sqlite_database, tmp_path).enter(yilmaz.actor())


def test_the_list_shows_own_machines_only(house: House, world: dict[str, TestFirm]) -> None:
    page = house.get("/maschinen").text
    assert "F5-650" in page
    assert "5-Achs-Fräsen" in page
    assert world["brandt"].machine_id not in page


def test_a_machine_is_entered_with_its_type_first(house: House, sqlite_database: Database) -> None:
    assert "CNC-Drehmaschine" in house.get("/maschinen/neu").text
    form = house.get("/maschinen/neu?typ=cnc_lathe").text
    assert "Umlaufdurchmesser" in form
    assert 'value="M2"' in form
    answer = house.post("/maschinen/neu", **LATHE)
    assert answer.status_code == 303
    page = house.get(answer.headers["Location"]).text
    assert "1000 mm" in page
    assert "65,5 mm" in page
    with sqlite_database.read() as session:
        stored = session.scalar(sa.select(Machine.parameters).where(Machine.number == "D1"))
    assert stored is not None
    assert (stored["live_tooling"], stored["sub_spindle"], stored["bar_capacity_mm"]) == (True, False, 65.5)
    edited = house.get(answer.headers["Location"] + "/aendern").text
    assert re.search(r'value="live_tooling" checked', edited)
    assert 'value="65,5"' in edited


def test_every_wrong_field_of_a_machine_is_told_at_once(house: House) -> None:
    answer = house.post(
        "/maschinen/neu", **(LATHE | {"name": "", "swing_diameter_mm": "viel", "bar_capacity_mm": "-1"})
    )
    assert answer.status_code == 422
    for sentence in (
        "Gib der Maschine einen Namen.",
        "Gib bei Umlaufdurchmesser eine Zahl ein.",
        "Gib bei Stangendurchlass eine Zahl ein.",
    ):
        assert sentence in answer.text
    assert 'value="viel"' in answer.text


def test_a_firm_with_two_sites_is_asked_where_the_machine_stands(
    house: House, sqlite_database: Database, yilmaz: TestFirm
) -> None:
    with sqlite_database.write() as session:
        first = session.get_one(Site, (yilmaz.id, yilmaz.site_id))
        session.add(
            Site(
                firm_id=yilmaz.id, id="s2", created_at=first.created_at, name="Halle 2", postcode="98527", town="Suhl",
                lat=50.6, lon=10.7, shift_minutes=[480] * 5 + [0, 0],
            )
        )  # fmt: skip
    assert "Halle 2" in house.get("/maschinen/neu?typ=cnc_lathe").text
    assert "Wähle den Standort der Maschine." in house.post("/maschinen/neu", **LATHE).text
    assert house.post("/maschinen/neu", **LATHE, site_id="s2").status_code == 303


def test_the_quick_start_takes_three_taps(house: House, sqlite_database: Database, yilmaz: TestFirm) -> None:
    assert "Welche Maschinen habt ihr?" in house.get("/maschinen/schnell").text
    assert "Wähle mindestens eine Maschine aus." in house.post("/maschinen/schnell").text
    answer = house.post("/maschinen/schnell", types=["mill_3axis", "cnc_lathe", "saw"])
    assert answer.status_code == 303
    assert "Bitte die Werte prüfen" in house.get("/maschinen").text


def test_a_foreman_never_sees_a_rate(house: House, yilmaz: TestFirm) -> None:
    url = f"/maschinen/{yilmaz.machine_id}"
    assert "95,00 €" in house.get(url).text
    house.enter(yilmaz.actor(Role.FOREMAN))
    assert "95,00" not in house.get(url).text
    assert house.get(f"{url}/satz").status_code == 403
    assert house.post(f"{url}/satz", rate="1").status_code == 403
    assert b"stundensatz" not in house.get("/maschinen/tabelle.csv").data
    house.enter(yilmaz.actor())
    assert b"95,00" in house.get("/maschinen/tabelle.csv").data


def test_a_rate_is_set_and_a_slip_is_told(house: House, yilmaz: TestFirm) -> None:
    url = f"/maschinen/{yilmaz.machine_id}/satz"
    assert 'value="95,00"' in house.get(url).text
    assert "Gib den Betrag in Euro ein" in house.post(url, rate="viel").text
    assert "Er liegt zwischen 1 und 2.000 Euro." in house.post(url, rate="9500").text
    assert house.post(url, rate="98,50").status_code == 303
    page = house.get(url).text
    assert 'value="98,50"' in page
    assert "Frühere Sätze" in page


def test_the_room_around_a_part_is_the_types_unless_the_shop_says_another(house: House, yilmaz: TestFirm) -> None:
    url = f"/maschinen/{yilmaz.machine_id}/aendern"
    page = house.get(url).text
    assert "Leer heißt: üblich sind 20 mm." in page
    assert "Leer heißt: üblich sind 60 mm." in page
    fields = dict(re.findall(r'<input id="feld-([a-z_]+)"[^>]* value="([^"]*)"', page)) | {"min_block_min": "8"}
    assert house.post(url, **fields | {"allowance_xy_mm": "5", "allowance_z_mm": "2500"}).status_code == 422
    assert house.post(url, **fields | {"allowance_xy_mm": "5"}).status_code == 303
    assert "<dd>5 mm</dd>" in house.get(f"/maschinen/{yilmaz.machine_id}").text
    assert re.search(r'name="allowance_xy_mm"[^>]* value="5"', house.get(url).text)


def test_what_a_machine_costs_beside_the_hour_is_folded_away_and_kept(house: House, yilmaz: TestFirm) -> None:
    url = f"/maschinen/{yilmaz.machine_id}/satz"
    told = {
        "rate": "95", "set_up_rate": "70,50", "programming_rate": "80", "night_surcharge": "25",
        "sunday_surcharge": "50", "min_order": "6,5",
    }  # fmt: skip
    assert '<details class="karte"><summary' in house.get(url).text
    assert house.post(url, **told).status_code == 303
    page = house.get(url).text
    for name, value in (told | {"rate": "95,00", "programming_rate": "80,00"}).items():
        assert re.search(f'name="{name}"[^>]* value="{value}"', page), name
    wrong = house.post(url, **told | {"night_surcharge": "250"})
    assert wrong.status_code == 422
    assert "Gib eine ganze Zahl von 0 bis 200 ein." in wrong.text
    assert '<details class="karte" open>' in wrong.text


def test_a_machine_stands_and_one_tap_takes_it_back(house: House, yilmaz: TestFirm) -> None:
    url = f"/maschinen/{yilmaz.machine_id}"
    answer = house.post(f"{url}/zustand/down")
    assert answer.status_code == 303
    page = house.get(url).text
    assert "Diese Maschine steht." in page
    assert f'action="{url}/zustand/ready"' in page
    assert house.post(f"{url}/zustand/ready").status_code == 303
    assert house.post(f"{url}/zustand/kaputt").status_code == 422


def test_an_ability_is_added_changed_and_removed(house: House, yilmaz: TestFirm) -> None:
    url = f"/maschinen/{yilmaz.machine_id}/verfahren"
    assert "Bohren" in house.get(url).text
    fields = {"material_groups": ["P", "N"], "best_it": "7", "best_ra_nm": "1600"}
    assert house.post(f"{url}/drilling", **fields).status_code == 303
    page = house.get(f"/maschinen/{yilmaz.machine_id}").text
    assert "IT 7" in page
    assert "Ra 1,6 µm" in page
    assert re.search(r'value="1600" checked', house.get(f"{url}/drilling").text)
    assert house.post(f"{url}/drilling", best_it="99").status_code == 422
    assert house.post(f"{url}/drilling/weg").status_code == 303
    assert house.post(f"{url}/drilling/weg").status_code == 404
    assert house.get(f"{url}/zaubern").status_code == 404
    assert house.post(f"{url}/zaubern").status_code == 422


def test_a_photo_is_sent_and_a_wrong_file_is_told_on_the_page(house: House, yilmaz: TestFirm) -> None:
    url = f"/maschinen/{yilmaz.machine_id}/foto"
    assert house.get(url).status_code == 404
    wrong = house.post(url, photo=(io.BytesIO(b"<svg>"), "a.jpg"))
    assert wrong.status_code == 422
    assert "Das ist kein Foto." in wrong.text
    assert "Wähle zuerst ein Foto aus." in house.post(url).text
    assert house.post(url, photo=(io.BytesIO(b"\xff\xd8\xff\xe0abc"), "a.jpg")).status_code == 303
    assert "Das Foto wird gerade vorbereitet." in house.get(f"/maschinen/{yilmaz.machine_id}").text
    assert house.get(url).status_code == 404


def test_a_certificate_goes_its_way(house: House, yilmaz: TestFirm) -> None:
    fields = {"type_key": "iso_9001", "number": "4711", "valid_from": "1.4.2025", "valid_to": "31.12.2026"}
    wrong = house.post("/zertifikate/neu", **(fields | {"valid_to": "bald", "type_key": ""}))
    assert wrong.status_code == 422
    assert "Wähle die Art des Zertifikats." in wrong.text
    assert "Gib ein Datum ein, zum Beispiel 24.12.2026." in wrong.text
    house.enter(yilmaz.actor(Role.FOREMAN))
    answer = house.post("/zertifikate/neu", **fields, file=(io.BytesIO(b"%PDF-1.7"), "iso.pdf"))
    assert answer.status_code == 303
    url = answer.headers["Location"]
    assert "noch nicht geprüft" in house.get(url).text
    assert house.post(f"{url}/geprueft").status_code == 403
    assert house.post(f"{url}/abgelehnt").status_code == 403
    house.enter(yilmaz.actor())
    paper = re.findall(r'href="(/dateien/[^"]+)"', house.get(url).text)[0]
    assert house.get(paper).data == b"%PDF-1.7"
    assert house.post(f"{url}/abgelehnt").status_code == 303
    assert "Eintrag und Papier passen nicht zusammen." in house.get(url).text
    assert house.post(f"{url}/geprueft").status_code == 303
    assert "läuft bald ab" in house.get("/zertifikate").text
    assert 'value="4711"' in house.get(f"{url}/aendern").text


def test_a_table_is_looked_at_before_it_counts(house: House, sqlite_database: Database) -> None:
    assert "Wähle zuerst eine Tabelle aus." in house.post("/maschinen/import").text
    wrong = b"nummer;typ\nZ1;Raumschiff\n"
    answer = house.post("/maschinen/import", table=(io.BytesIO(wrong), "m.csv"))
    page = house.get(answer.headers["Location"]).text
    assert "1 Zelle stimmt nicht" in page
    assert "Zeile 2 · Spalte typ" in page
    assert "Raumschiff" in page
    assert house.post(answer.headers["Location"]).status_code == 422
    good = b"nummer;typ;name\nZ1;CNC-Drehmaschine;Drehbank\n"
    answer = house.post("/maschinen/import", table=(io.BytesIO(good), "m.csv"))
    assert "Drehbank" in house.get(answer.headers["Location"]).text
    assert house.post(answer.headers["Location"]).status_code == 303
    assert house.get(answer.headers["Location"]).status_code == 404
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(Machine.name).where(Machine.number == "Z1")) == "Drehbank"
        assert session.scalar(sa.select(sa.func.count()).select_from(ImportRun)) == 1


def test_hours_come_from_a_table_the_same_way(house: House) -> None:
    body = house.get("/stunden/tabelle.csv").data.replace(b";0\r\n", b";8\r\n")
    answer = house.post("/stunden/import", table=(io.BytesIO(body), "h.csv"))
    page = house.get(answer.headers["Location"]).text
    assert "0 → 8 h" in page
    assert house.post(answer.headers["Location"]).status_code == 303


def test_an_upload_of_another_firm_or_kind_is_not_found(house: House, world: dict[str, TestFirm]) -> None:
    answer = house.post("/maschinen/import", table=(io.BytesIO(b"nummer;typ\nZ1;saw\n"), "m.csv"))
    url = answer.headers["Location"]
    assert house.get(url.replace("maschinen", "stunden")).status_code == 404
    house.enter(world["brandt"].actor())
    assert house.get(url).status_code == 404
    assert house.post(url).status_code == 404


def test_workers_see_no_machines(house: House, yilmaz: TestFirm) -> None:
    house.enter(yilmaz.actor(Role.WORKER))
    for url in ("/maschinen", f"/maschinen/{yilmaz.machine_id}", "/zertifikate", "/maschinen/import", "/maschinen/neu"):
        assert house.get(url).status_code == 403


def test_another_firms_machine_has_no_page(house: House, world: dict[str, TestFirm]) -> None:
    other = world["brandt"].machine_id
    for way in ("", "/aendern", "/satz", "/foto", "/verfahren", "/verfahren/milling_5x"):
        assert house.get(f"/maschinen/{other}{way}").status_code == 404
    assert house.post(f"/maschinen/{other}/zustand/down").status_code == 404
    assert house.post(f"/maschinen/{other}/aendern", **LATHE).status_code == 404
