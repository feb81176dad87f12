"""Daten als Tabelle: each role gets its own columns, and no cell ever runs as a formula."""

import csv
import io
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa

from app.bookings.models import Booking
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Actor, Role
from app.machines.models import Machine
from app.requests.models import WorkRequest
from tests.invoices.world import Job, confirm, make_job
from tests.machines.house import House, open_house

BY_ROLE = {
    Role.WORKER: {"meine-stunden"},
    Role.FOREMAN: {"meine-stunden", "maschinen", "freie-stunden", "anfragen", "angebote", "buchungen", "stunden"},
    Role.MANAGER: {
        "meine-stunden", "maschinen", "freie-stunden", "anfragen", "angebote", "vertraege", "buchungen", "stunden",
        "rechnungen",
    },
    Role.ACCOUNTANT: {"vertraege", "stunden", "rechnungen"},
    Role.STEWARD: {"maschinen"},
}  # fmt: skip
ALL = BY_ROLE[Role.MANAGER]


@pytest.fixture
def job(sqlite_database: Database) -> Job:
    job = make_job(sqlite_database)
    confirm(sqlite_database, job, 1, 450)
    return job


@pytest.fixture
def house(sqlite_database: Database, tmp_path: Path, job: Job) -> House:
    return open_house(sqlite_database, tmp_path)


def _as(job: Job, role: Role) -> Actor:
    manager = job.actor("yilmaz")
    return Actor(manager.firm_id, new_id(), frozenset({role}), role, role.title(), "s")


def _csv(house: House, name: str) -> list[list[str]]:
    text = house.get(f"/tabellen/{name}.csv").get_data().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";"))


def _xlsx(house: House, name: str) -> list[tuple[object, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(house.get(f"/tabellen/{name}.xlsx").data))
    return [tuple(cell.value for cell in row) for row in book.active.iter_rows()]


def test_everybody_finds_the_tables_of_the_own_role_and_no_other(job: Job, house: House) -> None:
    for role, names in BY_ROLE.items():
        house.enter(_as(job, role))
        page = house.get("/tabellen").text
        assert {name for name in ALL if f"/tabellen/{name}.csv" in page} == names
        assert {name for name in ALL if house.get(f"/tabellen/{name}.csv").status_code == 200} == names
        assert {name for name in ALL if house.get(f"/tabellen/{name}.xlsx").status_code == 200} == names
    assert house.get("/tabellen/leute.csv").status_code == 404
    assert house.get("/tabellen/maschinen.pdf").status_code == 404


def test_a_foreman_reads_no_rate_and_no_request_of_the_own_firm(job: Job, house: House) -> None:
    house.enter(_as(job, Role.MANAGER))
    assert "stundensatz" in _csv(house, "maschinen")[0]
    assert "Euro je Stunde" in _csv(house, "angebote")[0]
    house.enter(_as(job, Role.FOREMAN))
    assert "stundensatz" not in _csv(house, "maschinen")[0]
    assert "Euro je Stunde" not in _csv(house, "angebote")[0]
    foreman = job.deal.firms["keller"].actor(Role.FOREMAN)
    house.enter(foreman)
    assert len(_csv(house, "anfragen")) == 1
    assert len(_csv(house, "angebote")) == 1


def test_excel_gets_numbers_where_numbers_stand(job: Job, house: House) -> None:
    house.enter(job.actor("yilmaz"))
    heading, row = _xlsx(house, "stunden")[0], _xlsx(house, "stunden")[1]
    assert row[heading.index("Stunden")] == 7.5
    assert row[heading.index("Tag")] == "01.12.2026"
    assert _csv(house, "stunden")[1][heading.index("Stunden")] == "7,5"
    assert len(_xlsx(house, "freie-stunden")) == 10


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_runs_as_a_formula(sqlite_database: Database, job: Job, house: House, sign: str) -> None:
    evil = f"{sign}cmd|' /C calc'!A0\x01"
    with sqlite_database.write() as session:
        session.execute(sa.update(Booking).values(title=evil, machine_name=evil))
        session.execute(sa.update(Machine).values(name=evil, serial_no=evil))
        session.execute(sa.update(WorkRequest).values(title=evil, note=evil, material=evil))
    house.enter(job.actor("yilmaz"))
    for name in ("maschinen", "buchungen", "anfragen", "angebote", "freie-stunden"):
        cells = [cell for row in (*_csv(house, name), *_xlsx(house, name)) for cell in row if isinstance(cell, str)]
        assert any("calc" in cell for cell in cells), name
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))], name
