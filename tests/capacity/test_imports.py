"""Free hours from tables: every wrong cell is shown, nothing is half stored, nothing doubles."""

import io
import re

import openpyxl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.capacity.actions import hold_hours
from app.capacity.imports import HoursPreview, apply_hours, check_hours, hours_table, read_week
from app.capacity.models import CapacityWindow, HoursChange
from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.core.units import monday, week_label
from app.machines.tables import read_table
from tests.world import TestFirm, add_machine, make_world

GOOD = "nummer;KW;stunden\nM1;KW 48/2026;24\nM1;2026-W53;7,5\nM2;1/2027;16\n"


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        world = make_world(session, ("keller", "yilmaz", "brandt"))
        add_machine(session, world["yilmaz"], "M2")
    return world


@pytest.fixture
def yilmaz(world: dict[str, TestFirm]) -> TestFirm:
    return world["yilmaz"]


def check(database: Database, firm: TestFirm, text: str | bytes, name: str = "h.csv") -> HoursPreview:
    body = text.encode() if isinstance(text, str) else text
    with database.read() as session:
        return check_hours(session, firm.id, read_table(body, name))


def take_over(database: Database, firm: TestFirm, text: str | bytes, name: str = "h.csv") -> HoursPreview:
    body = text.encode() if isinstance(text, str) else text
    with database.write() as session:
        preview = check_hours(session, firm.id, read_table(body, name))
        apply_hours(session, firm.id, preview)
    return preview


def hours_of(database: Database, firm: TestFirm) -> dict[str, int]:
    with database.read() as session:
        rows = session.execute(
            sa.select(CapacityWindow.week, sa.func.sum(CapacityWindow.actual_min))
            .where(CapacityWindow.firm_id == firm.id)
            .group_by(CapacityWindow.week)
        )
        return {week: int(minutes) for week, minutes in rows}


def test_a_good_table_brings_free_hours(database: Database, world: dict[str, TestFirm]) -> None:
    brandt = hours_of(database, world["brandt"])
    preview = take_over(database, world["yilmaz"], GOOD)
    found = hours_of(database, world["yilmaz"])
    assert (found["2026-W48"], found["2026-W53"], found["2027-W01"]) == (1440, 450, 795 + 960)
    assert (preview.changed_count, preview.total_min) == (3, 1440 + 450 + 960)
    assert hours_of(database, world["brandt"]) == brandt


def test_the_same_table_twice_changes_nothing(database: Database, yilmaz: TestFirm) -> None:
    take_over(database, yilmaz, GOOD)
    before = hours_of(database, yilmaz)
    preview = take_over(database, yilmaz, GOOD)
    assert preview.same_count == 3
    assert hours_of(database, yilmaz) == before
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(HoursChange)) == 3


def test_a_workbook_with_real_numbers_does_the_same(database: Database, yilmaz: TestFirm) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Machine", "Week", "Hours"], ["M1", "2026-W48", 24], ["M1", "KW 53/2026", 7.5]):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    take_over(database, yilmaz, out.getvalue(), "h.xlsx")
    found = hours_of(database, yilmaz)
    assert (found["2026-W48"], found["2026-W53"]) == (1440, 450)


def test_every_wrong_cell_is_named_with_row_column_and_sentence(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold_hours(session, yilmaz.id, "o", "l", yilmaz.machine_id, "2026-W49", 600, clock.now())
    text = "nummer;woche;stunden\n"
    text += "M9;48;viel\n"  # line 2: unknown machine, a week without its year, no number
    text += ";KW 53/2025;\n"
    text += "M1;KW 40/2026;8\n"
    text += "M1;KW 48/2026;99\n"
    text += "M1;KW 49/2026;9,75\n"
    text += "M2;KW 50/2026;8\nM2;2026-W50;9\n"
    text += "M2;KW 51/2026;7,1\n"
    text += "M2;KW 51/2099;7\n"
    preview = check(database, yilmaz, text)
    assert [(fault.row, fault.column, str(fault.error)) for fault in preview.faults] == [
        (2, "nummer", "Eine Maschine mit dieser Nummer habt ihr nicht. Prüfe die Nummer."),
        (2, "woche", "Schreibe die Woche mit dem Jahr, zum Beispiel KW 48/2026."),
        (2, "stunden", "Gib die Stunden als Zahl ein, zum Beispiel 7,5."),
        (3, "nummer", "Schreibe die Nummer der Maschine."),
        (3, "woche", "Die KW 53 gibt es im Jahr 2025 nicht."),
        (3, "stunden", "Gib die Stunden als Zahl ein, zum Beispiel 7,5."),
        (4, "woche", "Diese Woche ist schon vorbei. Lösche die Zeile."),
        (5, "stunden", "In dieser Woche sind höchstens 74 Stunden möglich."),
        (6, "stunden", "10 Stunden sind schon zugesagt. Ziehe erst ein Angebot zurück oder gib mehr ein."),
        (8, "woche", "Diese Maschine und Woche stehen schon in Zeile 7."),
        (9, "stunden", "Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5."),
        (10, "woche", "So weit voraus geht es nicht. Wähle eine frühere Woche."),
    ]
    assert preview.rows == ()


def test_one_wrong_cell_keeps_the_whole_table_out(database: Database, yilmaz: TestFirm) -> None:
    before = hours_of(database, yilmaz)
    with pytest.raises(RuleBroken, match="Es ist nichts gespeichert"):
        take_over(database, yilmaz, GOOD + "M1;KW 50/2026;abc\n")
    assert hours_of(database, yilmaz) == before


def test_hours_promised_after_the_preview_are_not_lost(database: Database, yilmaz: TestFirm) -> None:
    preview = check(database, yilmaz, "nummer;woche;stunden\nM1;KW 49/2026;5\n")
    with database.write() as session:
        hold_hours(session, yilmaz.id, "o", "l", yilmaz.machine_id, "2026-W49", 600, clock.now())
    with pytest.raises(RuleBroken, match="schon zugesagt"), database.write() as session:
        apply_hours(session, yilmaz.id, preview)
    assert hours_of(database, yilmaz)["2026-W49"] == 795


def test_the_own_download_comes_back_unchanged(database: Database, yilmaz: TestFirm) -> None:
    with database.read() as session:
        body = hours_table(session, yilmaz.id)
    assert body.decode("utf-8-sig").splitlines()[0] == "nummer;woche;stunden"
    preview = check(database, yilmaz, body)
    assert preview.faults == ()
    assert preview.row_count == 16
    assert all(row.actual_min == row.before_min for row in preview.rows)


def test_machines_of_others_and_retired_ones_take_no_hours(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        session.execute(sa.text("UPDATE machine SET state = 'retired' WHERE number = 'M2'"))
    preview = check(database, yilmaz, "nummer;woche;stunden\nM2;KW 50/2026;8\n")
    assert [str(fault.error) for fault in preview.faults] == ["Diese Maschine ist ausgemustert. Lösche die Zeile."]


def test_missing_columns_are_told_before_any_row(database: Database, yilmaz: TestFirm) -> None:
    preview = check(database, yilmaz, "nummer;farbe\nM1;rot\n")
    assert [fault.column for fault in preview.faults] == ["woche", "stunden"]
    assert preview.ignored == ("farbe",)


@pytest.mark.parametrize(
    "text",
    [
        "KW 48/2026",
        "kw48/2026",
        "48/2026",
        "KW 48 2026",
        "2026-W48",
        "2026W48",
        "2026 KW 48",
        "W48/2026",
        "48.2026",
        " 48 / 2026 ",
    ],
)
def test_a_week_may_be_written_in_many_ways(text: str) -> None:
    assert read_week(text) == "2026-W48"


@pytest.mark.parametrize(
    "text", ["", "48", "KW 48", "01.10.2026", "48/26", "KW 0/2026", "KW 54/2026", "٤٨/2026", "=48/2026"]
)
def test_a_week_without_sense_is_refused(text: str) -> None:
    with pytest.raises(RuleBroken):
        read_week(text)


@given(st.text(max_size=20))
def test_any_text_is_a_real_week_or_refused(text: str) -> None:
    try:
        week = read_week(text)
    except RuleBroken:
        return
    assert re.fullmatch(r"[0-9]{4}-W[0-9]{2}", week)
    assert monday(week)


@given(st.integers(2020, 2090), st.integers(1, 52))
def test_the_label_of_a_week_reads_back(year: int, number: int) -> None:
    week = f"{year}-W{number:02d}"
    assert read_week(week_label(week)) == week
