"""S08, S09 and the week view: who works when for whom, without a price."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.bookings.actions import BookedAgreement, BookedLine, book_lines
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.federation.actions import store_file
from app.firms.access import Role
from app.requests.models import RequestFile
from app.worker import run_until_quiet
from tests.machines.house import House, open_house
from tests.requests.story import ask, people_of_the_story
from tests.world import TestFirm

World = dict[str, TestFirm]
WEEKS = ("2026-W47", "2026-W48", "2027-W20")


@pytest.fixture
def world(sqlite_database: Database) -> World:
    """Yilmaz works for Keller this week, the next one, and half a year from now."""
    world = people_of_the_story(sqlite_database)
    request_id = ask(sqlite_database, world, partners=("yilmaz",))
    with sqlite_database.write() as session:
        for own, other, side in (("yilmaz", "keller", "ours"), ("keller", "yilmaz", "theirs")):
            agreement = BookedAgreement(world[own].id, new_id(), request_id, world[other].id, side, "Gehäuse links")
            lines = [BookedLine(no, "m1", "F5-650", week, no * 600, 9500) for no, week in enumerate(WEEKS, 1)]
            book_lines(session, agreement, lines)
    run_until_quiet(sqlite_database)
    return world


@pytest.fixture
def house(sqlite_database: Database, world: World, tmp_path: Path) -> House:
    return open_house(sqlite_database, tmp_path).enter(world["yilmaz"].actor(Role.WORKER))


def test_today_shows_the_jobs_of_this_week_and_of_the_next(house: House) -> None:
    page = house.get("/heute").text
    assert "Gehäuse links für Keller" in page
    assert "Nächste Woche" in page
    assert "KW 20" not in page


def test_a_new_worker_reads_the_first_words_once(house: House, world: World) -> None:
    assert "Verstanden" in house.get("/heute").text
    assert "Verstanden" in house.get("/heute").text
    assert house.post("/heute/verstanden").location == "/heute"
    assert "Verstanden" not in house.get("/heute").text
    assert "Verstanden" not in house.enter(world["yilmaz"].actor(Role.FOREMAN)).get("/heute").text


@pytest.mark.parametrize("firm", ["yilmaz", "keller"])
def test_a_booking_leads_to_pdf_and_evidence_in_one_tap_and_names_its_line(
    sqlite_database: Database, house: House, world: World, firm: str
) -> None:
    with sqlite_database.read() as session:
        booking = session.scalars(
            sa.select(Booking).where(Booking.firm_id == world[firm].id, Booking.line_no == 2)
        ).one()
        path, agreement = f"/auftrag/{booking.id}", f"/vertraege/{booking.agreement_id}"
    page = house.enter(world[firm].actor(Role.MANAGER)).get(path).text
    assert "Diese Woche ist Zeile 2 der Vereinbarung." in page
    for name in ("text.pdf", "beweis.json"):
        assert f'href="{agreement}/{name}"' in page
    assert 'href="/pruefen?zeile=2"' in page
    assert "beweis.json" not in house.enter(world[firm].actor(Role.FOREMAN)).get(path).text


def test_the_weeks_reach_as_far_as_anything_is_booked(house: House, world: World) -> None:
    for key, heading in (("yilmaz", "Wir arbeiten für"), ("keller", "Für uns arbeitet")):
        page = house.enter(world[key].actor(Role.FOREMAN)).get("/buchungen").text
        assert page.count('data-testid="buchungswoche"') == 3
        assert page.count(heading) == 3
        assert "KW 20" in page
        assert "95,00" not in page


def test_a_firm_without_bookings_is_shown_the_way_to_the_requests(house: House, world: World) -> None:
    page = house.enter(world["brandt"].actor(Role.FOREMAN)).get("/buchungen").text
    assert "Noch ist nichts gebucht." in page
    assert 'href="/anfragen"' in page.split("<main")[1].split("</main>")[0]


@pytest.mark.parametrize(("role", "back"), [(Role.WORKER, "/heute"), (Role.FOREMAN, "/buchungen")])
def test_a_job_leads_back_to_where_its_reader_came_from(
    sqlite_database: Database, house: House, world: World, role: Role, back: str
) -> None:
    page = house.enter(world["yilmaz"].actor(role)).get(f"/auftrag/{job_of(sqlite_database, world)}")
    assert page.status_code == 200
    assert f'href="{back}"' in page.text.split("<main")[0]
    assert "95,00" not in page.text


def test_a_worker_without_a_passkey_opens_the_drawing_of_the_job(
    sqlite_database: Database, house: House, world: World
) -> None:
    with sqlite_database.write() as session:
        firm_id, booking_id = world["yilmaz"].id, job_of(sqlite_database, world)
        request_id = session.get_one(Booking, (firm_id, booking_id)).request_id
        file_id = store_file(session, firm_id, "gehaeuse.pdf", "application/pdf", b"%PDF-1.7")
        session.add(
            RequestFile(
                firm_id=firm_id, id=new_id(), created_at=clock.now(), request_id=request_id, file_id=file_id,
                name="gehaeuse.pdf", sha256="ab" * 32, media_type="application/pdf", size=8,
            )
        )  # fmt: skip
    house.enter(replace(world["yilmaz"].actor(Role.WORKER), has_passkey=False))
    assert f"/dateien/{file_id}" in house.get(f"/auftrag/{booking_id}").text
    assert house.get(f"/dateien/{file_id}").status_code == 200


def job_of(database: Database, world: World) -> str:
    """The job of this week in the house of the firm that does it."""
    query = sa.select(Booking.id).where(Booking.firm_id == world["yilmaz"].id, Booking.line_no == 1)
    with database.read() as session:
        return session.scalars(query).one()
