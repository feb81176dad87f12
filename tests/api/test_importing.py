"""What an operator's timer types: tables in, all or none, twice is once."""

from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa

from app.api.importing import TableRefused, import_hours, import_machines
from app.capacity.models import CapacityWindow
from app.core.db import Database
from app.machines.models import Machine
from tests.test_cli import run
from tests.world import make_world

HOURS = "nummer;woche;stunden\nM1;KW 48/2026;24\nM1;2026-W49;7,5\n"


@pytest.fixture
def firm_id(database: Database) -> str:
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz"))["yilmaz"].id


def test_a_table_of_free_hours_is_written_once_however_often_it_comes(
    database: Database, firm_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "frei.csv"
    path.write_text(HOURS)
    assert import_hours(database, "yilmaz@test", path) == "2 free times written, 0 were there."
    assert import_hours(database, "yilmaz@test", path) == "0 free times written, 2 were there."
    with database.read() as session:
        minutes = sa.select(CapacityWindow.actual_min).where(
            CapacityWindow.firm_id == firm_id, CapacityWindow.week.in_(("2026-W48", "2026-W49"))
        )
        assert session.scalars(minutes.order_by(CapacityWindow.week)).all() == [1440, 450]


def test_a_wrong_row_is_named_and_nothing_is_written(database: Database, firm_id: str, tmp_path: Path) -> None:
    path = tmp_path / "frei.csv"
    path.write_text(HOURS + "M7;KW 48/2026;1\n")
    with pytest.raises(TableRefused, match="Row 4, nummer: Eine Maschine mit dieser Nummer habt ihr nicht"):
        import_hours(database, "yilmaz@test", path)
    path.write_bytes(b"")
    for table, address in ((path, "yilmaz@test"), (tmp_path / "frei.csv", "niemand@test")):
        with pytest.raises(TableRefused):
            import_hours(database, address, table)
    with database.read() as session:
        windows = sa.select(sa.func.count()).select_from(CapacityWindow)
        assert session.scalar(windows.where(CapacityWindow.firm_id == firm_id, CapacityWindow.week == "2026-W48")) == 0


def test_machines_come_from_excel_too(database: Database, firm_id: str, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["nummer", "name", "typ"])
    book.active.append(["M2", "Drehe", "CNC-Drehmaschine"])
    book.save(tmp_path / "maschinen.xlsx")
    said = import_machines(database, "yilmaz@test", tmp_path / "maschinen.xlsx")
    assert said.startswith("1 machines are new")
    assert import_machines(database, "yilmaz@test", tmp_path / "maschinen.xlsx").startswith("0 machines are new, 0")
    with database.read() as session:
        assert session.scalars(sa.select(Machine.name).where(Machine.firm_id == firm_id, Machine.number == "M2")).one()


def test_the_commands_say_what_they_did_and_end_with_one_when_nothing_was_written(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with sqlite_database.write() as session:
        make_world(session, ("yilmaz",))
    path = tmp_path / "frei.csv"
    path.write_text("nummer;woche;stunden\nM7;KW 48/2026;24\n")
    there = {"DATA_DIR": str(tmp_path), "DATABASE_URL": sqlite_database.url}
    for command in ("import-hours", "import-machines"):
        code, said = run("flask", command, "yilmaz@test", str(path), **there)
        assert (code, "Nothing is written." in said) == (1, True), said
