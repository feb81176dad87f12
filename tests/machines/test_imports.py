"""Machines from tables: every wrong cell is shown, nothing is half stored, nothing doubles."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.machines.exports import machines_table
from app.machines.imports import Preview, apply_machines, check_machines
from app.machines.models import Capability, Machine, RateCard
from app.machines.queries import rates_on
from app.machines.rules import RateDraft
from app.machines.tables import read_table
from tests.world import TestFirm, make_world

HEADINGS = (
    "nummer", "name", "typ", "verfahren", "werkstoffgruppen", "IT", "Ra", "mindestblock_h", "ruesten_h", "stundensatz",
    "standort", "Verfahrweg X (mm)", "y_travel", "z_travel_mm", "Tischbelastung", "Achsen gleichzeitig",
)  # fmt: skip
MILL = (
    "F1", "F5-650", "5-Achs-Bearbeitungszentrum", "5-Achs-Fräsen", "P, M, N", "IT7", "1,6", "8", "2,5", "95,00", "Suhl", "650",
    "650", "500", "1.200", "3+2, 5",
)  # fmt: skip
LATHE = (
    "D1",
    "Drehzentrum",
    "CNC-Drehmaschine",
    "Drehen / Bohren",
    "P M",
    "8",
    "3,2",
    "4",
    "1",
    "72",
    "98527",
    *[""] * 5,
)
GOOD = "".join(";".join(row) + "\n" for row in (HEADINGS, MILL, LATHE))


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz", "brandt"))


@pytest.fixture
def yilmaz(world: dict[str, TestFirm]) -> TestFirm:
    return world["yilmaz"]


def check(database: Database, firm: TestFirm, text: str | bytes, may_rate: bool = True) -> Preview:
    body = text.encode() if isinstance(text, str) else text
    with database.read() as session:
        return check_machines(session, firm.id, read_table(body, "m.csv"), may_rate)


def take_over(database: Database, firm: TestFirm, text: str | bytes) -> Preview:
    body = text.encode() if isinstance(text, str) else text
    with database.write() as session:
        preview = check_machines(session, firm.id, read_table(body, "m.csv"))
        apply_machines(session, firm.id, preview)
    return preview


def count(database: Database, firm: TestFirm, table: type[Machine] | type[RateCard] | type[Capability]) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table).where(table.firm_id == firm.id)) or 0


def test_a_good_table_brings_machines_abilities_and_rates(database: Database, yilmaz: TestFirm) -> None:
    preview = take_over(database, yilmaz, GOOD)
    assert (preview.new_count, preview.changed_count, preview.same_count) == (2, 0, 0)
    with database.read() as session:
        machine = session.scalars(sa.select(Machine).where(Machine.firm_id == yilmaz.id, Machine.number == "F1")).one()
        assert machine.type_key == "mill_5axis"
        assert machine.parameters == {
            "x_travel_mm": 650, "y_travel_mm": 650, "z_travel_mm": 500, "table_load_kg": 1200, "simultaneous": ["3+2", "5"],
        }  # fmt: skip
        assert (machine.min_block_min, machine.set_up_min, machine.site_id) == (480, 150, yilmaz.site_id)
        ability = session.scalars(sa.select(Capability).where(Capability.machine_id == machine.id)).one()
        assert (ability.process_key, ability.material_groups, ability.best_it, ability.best_ra_nm) == (
            "milling_5x",
            ["P", "M", "N"],
            7,
            1600,
        )
        rate = session.scalars(sa.select(RateCard).where(RateCard.machine_id == machine.id)).one()
        assert rate.rate_cents_per_hour == 9500
        lathe = session.scalars(sa.select(Machine).where(Machine.firm_id == yilmaz.id, Machine.number == "D1")).one()
        found = session.scalars(sa.select(Capability.process_key).where(Capability.machine_id == lathe.id)).all()
        assert set(found) == {"turning", "drilling"}


def test_the_same_table_twice_changes_nothing(database: Database, yilmaz: TestFirm) -> None:
    take_over(database, yilmaz, GOOD)
    before = (count(database, yilmaz, Machine), count(database, yilmaz, Capability), count(database, yilmaz, RateCard))
    preview = take_over(database, yilmaz, GOOD)
    assert preview.same_count == 2
    assert before == (
        count(database, yilmaz, Machine),
        count(database, yilmaz, Capability),
        count(database, yilmaz, RateCard),
    )


PRICES = "rüstsatz;programmiersatz;nachtzuschlag (%);sonntagszuschlag;mindestauftrag (h)"


def test_a_table_may_tell_the_whole_rate_card(database: Database, yilmaz: TestFirm) -> None:
    told = f"nummer;typ;stundensatz;{PRICES}\nF1;mill_5axis;95;70,5;80;25;50 %;6,5\n"
    whole = RateDraft(9500, 7050, 8000, 250, 500, 390)
    take_over(database, yilmaz, told)
    assert rate_of_f1(database, yilmaz) == whole
    assert check(database, yilmaz, told).same_count == 1
    take_over(database, yilmaz, "nummer;typ;nachtzuschlag\nF1;mill_5axis;30\n")
    assert rate_of_f1(database, yilmaz) == replace(whole, night_surcharge_permille=300)
    with database.read() as session:
        body = machines_table(session, yilmaz.id, with_rates=True)
    assert "F1" in {row.draft.number for row in check(database, yilmaz, body).rows if row.is_same}


def test_a_table_may_tell_the_room_around_a_part(database: Database, yilmaz: TestFirm) -> None:
    told = "nummer;typ;spannplatz_seiten_mm;Spannplatz Höhe (mm)\nF1;mill_5axis;5;0\n"
    take_over(database, yilmaz, told)
    with database.read() as session:
        machine = session.scalars(sa.select(Machine).where(Machine.firm_id == yilmaz.id, Machine.number == "F1")).one()
        assert (machine.allowance_xy_mm, machine.allowance_z_mm) == (5, 0)
        body = machines_table(session, yilmaz.id, with_rates=True)
    assert check(database, yilmaz, told).same_count == 1
    assert "F1" in {row.draft.number for row in check(database, yilmaz, body).rows if row.is_same}
    (fault,) = check(database, yilmaz, told.replace(";5;", ";5000;")).faults
    assert fault.column == "spannplatz_seiten_mm"


def test_a_table_with_wrong_prices_says_which_cell(database: Database, yilmaz: TestFirm) -> None:
    for cells, column in (
        (";70;;;;", "stundensatz"), ("95;viel;;;;", "rüstsatz"), ("95;;;250;;", "nachtzuschlag (%)"),
        ("95;;;;12,5;", "sonntagszuschlag"), ("95;;;;;200", "mindestauftrag (h)"),
    ):  # fmt: skip
        preview = check(database, yilmaz, f"nummer;typ;stundensatz;{PRICES}\nF9;mill_5axis;{cells}\n")
        assert [fault.column for fault in preview.faults] == [column]


def test_a_foremans_table_tells_no_price_of_any_kind(database: Database, yilmaz: TestFirm) -> None:
    for heading in PRICES.split(";"):
        preview = check(database, yilmaz, f"nummer;typ;{heading}\nM1;mill_5axis;5\n", may_rate=False)
        assert "trägt nur die Leitung ein" in preview.faults[0].error.text


def rate_of_f1(database: Database, firm: TestFirm) -> RateDraft:
    with database.read() as session:
        machine_id = session.scalars(
            sa.select(Machine.id).where(Machine.firm_id == firm.id, Machine.number == "F1")
        ).one()
        return rates_on(session, firm.id, [machine_id], clock.today())[machine_id]


def test_a_changed_row_changes_only_its_machine(database: Database, yilmaz: TestFirm) -> None:
    take_over(database, yilmaz, GOOD)
    preview = take_over(database, yilmaz, GOOD.replace("95,00", "98,50").replace("F5-650", "F5-650 neu"))
    assert (preview.new_count, preview.changed_count, preview.same_count) == (0, 1, 1)
    with database.read() as session:
        machine = session.scalars(sa.select(Machine).where(Machine.firm_id == yilmaz.id, Machine.number == "F1")).one()
        assert machine.name == "F5-650 neu"
        cents = session.scalars(sa.select(RateCard.rate_cents_per_hour).where(RateCard.machine_id == machine.id)).all()
        assert list(cents) == [9850]


def test_a_file_without_a_column_leaves_what_the_house_knows(database: Database, yilmaz: TestFirm) -> None:
    take_over(database, yilmaz, GOOD)
    preview = take_over(database, yilmaz, "nummer;typ\nF1;mill_5axis\n")
    assert preview.same_count == 1


def test_the_own_download_comes_back_unchanged(database: Database, yilmaz: TestFirm) -> None:
    take_over(database, yilmaz, GOOD)
    with database.read() as session:
        body = machines_table(session, yilmaz.id, with_rates=True)
    preview = check(database, yilmaz, body)
    assert preview.faults == ()
    assert preview.ignored == ()
    same = {row.draft.number for row in preview.rows if row.is_same}
    assert {"F1", "D1"} <= same


def test_a_firm_without_machines_downloads_an_example_that_fits(database: Database, world: dict[str, TestFirm]) -> None:
    keller = world["keller"]
    with database.write() as session:
        for table in ("capability", "rate_card", "capacity_window", "machine"):
            session.execute(sa.text(f"DELETE FROM {table} WHERE firm_id = :firm"), {"firm": keller.id})
        body = machines_table(session, keller.id, with_rates=False)
    assert b"stundensatz" not in body
    preview = check(database, keller, body)
    assert preview.faults == ()
    assert preview.new_count == 1


def test_english_headings_and_words_are_understood(database: Database, yilmaz: TestFirm) -> None:
    text = (
        "number,name,type,processes,material groups,IT,Ra,rate,site\nL1,Laser,Laser cutter,Laser cutting,P,,,120,Suhl\n"
    )
    preview = take_over(database, yilmaz, text)
    assert preview.faults == ()
    assert preview.rows[0].draft.type_key == "laser_cutter"
    assert preview.rows[0].rate == RateDraft(12000)


def test_every_wrong_cell_is_named_with_row_column_and_sentence(database: Database, yilmaz: TestFirm) -> None:
    header, first, _ = GOOD.splitlines()
    wrong = "F2;;Raumschiff;;;;0,7;acht;;;;;;;;\n"
    wrong += ";ohne Nummer;CNC-Drehmaschine;Zaubern;Z;99;0,7;x;-1;gratis;Mond;;;;;\n"
    wrong += "F1;doppelt;mill_5axis;;;;;;;0,50;;viel;;;;7\n"
    preview = check(database, yilmaz, f"{header}\n{first}\n{wrong}")
    told = {(fault.row, fault.column): str(fault.error) for fault in preview.faults}
    assert told == {
        (3, "typ"): "Diesen Maschinentyp kennen wir nicht. Nimm einen Namen aus der Liste.",
        (3, "Ra"): told[4, "Ra"],
        (3, "mindestblock_h"): "Gib die Stunden als Zahl ein, zum Beispiel 7,5.",
        (4, "nummer"): "Gib der Maschine eine Nummer. Höchstens 20 Zeichen.",
        (4, "verfahren"): "Das Verfahren „Zaubern“ kennen wir nicht. Prüfe das Wort.",
        (4, "werkstoffgruppen"): "Die Werkstoffgruppe „Z“ gibt es nicht. Nimm P, M, K, N, S oder H.",
        (4, "IT"): "Diesen Toleranzgrad gibt es nicht. Schreibe zum Beispiel 7.",
        (4, "Ra"): told[4, "Ra"],
        (4, "mindestblock_h"): "Gib die Stunden als Zahl ein, zum Beispiel 7,5.",
        (4, "ruesten_h"): "Gib die Stunden als Zahl ein, zum Beispiel 7,5.",
        (4, "stundensatz"): "Gib den Betrag in Euro ein, zum Beispiel 85,50.",
        (4, "standort"): "Diesen Standort hat dein Betrieb nicht. Prüfe den Namen.",
        (5, "nummer"): "Diese Nummer steht schon in Zeile 2.",
        (5, "stundensatz"): "Prüfe den Stundensatz. Er liegt zwischen 1 und 2.000 Euro.",
        (5, "Verfahrweg X (mm)"): "Gib bei Verfahrweg X eine Zahl ein.",
        (5, "Achsen gleichzeitig"): "Wähle bei Achsen gleichzeitig aus dieser Liste: 3+2, 5.",
    }
    assert told[4, "Ra"].startswith("Diese Rauheit steht nicht in der Liste.")
    assert preview.rows == ()


def test_one_wrong_cell_keeps_the_whole_table_out(database: Database, yilmaz: TestFirm) -> None:
    before = count(database, yilmaz, Machine)
    with pytest.raises(RuleBroken, match="Es ist nichts gespeichert"):
        take_over(database, yilmaz, GOOD + "X1;;Raumschiff;;;;;;;;;;;;;\n")
    assert count(database, yilmaz, Machine) == before


def test_a_heading_in_another_unit_is_refused(database: Database, yilmaz: TestFirm) -> None:
    preview = check(database, yilmaz, "nummer;typ;Schließkraft (t)\nS1;Spritzgießmaschine;100\n")
    assert [str(fault.error) for fault in preview.faults] == ["Diese Spalte ist in t. Rechne in kN um."]


def test_a_parameter_of_another_type_is_refused_only_where_it_is_filled(database: Database, yilmaz: TestFirm) -> None:
    text = "nummer;typ;Spitzenweite\nF9;mill_5axis;\nF8;mill_5axis;600\n"
    preview = check(database, yilmaz, text)
    assert [(fault.row, fault.column) for fault in preview.faults] == [(3, "Spitzenweite")]


def test_a_foreman_brings_no_rates(database: Database, yilmaz: TestFirm) -> None:
    preview = check(database, yilmaz, GOOD, may_rate=False)
    assert {str(fault.error) for fault in preview.faults} == {
        "Stundensätze trägt nur die Leitung ein. Lösche die Spalte."
    }
    assert [fault.row for fault in preview.faults] == [2, 3]


def test_a_welding_station_takes_its_groups_from_the_one_column(database: Database, yilmaz: TestFirm) -> None:
    text = "nummer;typ;verfahren;werkstoffgruppen;Schweißverfahren (ISO 4063)\nW1;Schweißplatz;WIG-Schweißen;P,M;141\n"
    preview = take_over(database, yilmaz, text)
    assert preview.rows[0].extras.values["material_groups"] == frozenset({"P", "M"})


def test_another_firms_machine_with_the_same_number_stays_as_it_is(
    database: Database, world: dict[str, TestFirm]
) -> None:
    take_over(database, world["yilmaz"], "nummer;typ;name\nM1;mill_5axis;Neuer Name\n")
    with database.read() as session:
        names = session.scalars(sa.select(Machine.name).where(Machine.firm_id == world["brandt"].id)).all()
        assert list(names) == ["F5-650"]


def test_a_row_that_is_too_wide_is_told(database: Database, yilmaz: TestFirm) -> None:
    preview = check(database, yilmaz, "nummer,typ,Ra\nF1,mill_5axis,1,6\n")
    assert "Diese Zeile hat mehr Zellen als Überschriften." in str(preview.faults[-1].error) + str(
        preview.faults[0].error
    )


@pytest.mark.parametrize(
    "cell", ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "'; DROP TABLE machine;--", "𓀀" * 30]
)
def test_hostile_names_are_only_text(database: Database, yilmaz: TestFirm, cell: str) -> None:
    take_over(database, yilmaz, f'nummer\ttyp\tname\nH1\tmill_5axis\t"{cell}"\n')
    with database.read() as session:
        assert session.scalar(sa.select(Machine.name).where(Machine.number == "H1")) == cell
        body = machines_table(session, yilmaz.id, with_rates=False).decode("utf-8-sig")
    assert not any(field.strip('"').startswith("=") for line in body.splitlines() for field in line.split(";"))
