"""Calendars by a secret address: only what its person may see, without partners and prices, and harmless whatever was written."""

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa
from icalendar import Calendar
from werkzeug.test import TestResponse

from app.api.feeds import feed_of, renew_feed, secret_of
from app.api.models import CalendarFeed
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database
from app.core.events import PasskeyLocked
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor, Role
from app.firms.models import Membership
from app.passkeys.models import Passkey
from app.worker import run_until_quiet
from tests.invoices.world import Job, config_of, confirm, issue, make_job
from tests.machines.house import House, open_house
from tests.passkeys.software import SoftwarePasskey
from tests.world import has_number

HOSTILE = 'Deckel\r\nBEGIN:VALARM\r\nACTION:EMAIL\r\nEND:VALARM;,\\n"\x00\x07=1+1'


@pytest.fixture
def job(sqlite_database: Database) -> Job:
    job = make_job(sqlite_database)
    confirm(sqlite_database, job, 1, 600)
    issue(sqlite_database, job, config_of())
    return job


@pytest.fixture
def house(sqlite_database: Database, tmp_path: Path, job: Job) -> House:
    return open_house(sqlite_database, tmp_path)


def address(database: Database, actor: Actor, machine_id: str | None = None) -> str:
    with database.write() as session:
        if feed_of(session, actor, machine_id) is None:
            renew_feed(session, actor, machine_id)
        feed = feed_of(session, actor, machine_id)
        assert feed is not None
        return f"/kalender/{secret_of(session, feed)}.ics"


def summaries(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.data)
    assert {one.name for one in calendar.subcomponents} <= {"VEVENT"}
    return [str(event["summary"]) for event in calendar.walk("VEVENT")]


def test_each_person_sees_in_the_calendar_what_the_app_shows(sqlite_database: Database, job: Job, house: House) -> None:
    yilmaz, keller = job.deal.firms["yilmaz"], job.deal.firms["keller"]
    worker = summaries(house.get(address(sqlite_database, yilmaz.actor(Role.WORKER))))
    manager = summaries(house.get(address(sqlite_database, yilmaz.actor())))
    there = summaries(house.get(address(sqlite_database, keller.actor())))
    assert worker[0].startswith("F5-650: 10 h")
    assert len(worker) == 4
    assert [line for line in manager if "fällig" in line] == ["Rechnung R-00001 ist fällig"]
    assert there[0].startswith("F5-650 beim Partner: 10 h")
    raw = house.get(address(sqlite_database, keller.actor())).text
    assert "Yilmaz" not in raw
    assert not any(has_number(raw, number) for number in ("9500", "95,00", "950"))
    machine = summaries(house.get(address(sqlite_database, yilmaz.actor(), yilmaz.machine_id)))
    assert len(machine) == 4


def test_a_new_address_closes_the_old_one_and_who_left_has_none(
    sqlite_database: Database, job: Job, house: House
) -> None:
    actor = job.actor("yilmaz")
    house.enter(actor)
    assert "Einschalten" in house.get("/kalender").text
    assert house.post("/kalender/neu").status_code == 303
    old = address(sqlite_database, actor)
    assert old in house.get("/kalender").text
    assert house.get(old).status_code == 200
    assert house.post("/kalender/neu").status_code == 303
    assert house.get(old).status_code == 404
    new = address(sqlite_database, actor)
    with sqlite_database.write() as session:
        feed = feed_of(session, actor)
        assert feed is not None
        assert new.split("/")[-1].removesuffix(".ics") not in str(vars(feed))
        session.execute(
            sa.update(Membership)
            .where(Membership.person_id == actor.person_id)
            .values(ended_at=dt.datetime.now(dt.UTC))
        )
    assert house.get(new).status_code == 404
    assert house.get("/kalender/irgendwas.ics").status_code == 404
    machine_id = job.deal.firms["yilmaz"].machine_id
    assert house.post(f"/kalender/maschine/{machine_id}/neu").status_code == 303
    assert house.post(f"/kalender/maschine/{job.deal.firms['keller'].machine_id}/neu").status_code == 404
    assert house.post(f"/kalender/maschine/{machine_id}/weg").status_code == 303
    assert house.post("/kalender/weg").status_code == 303
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(CalendarFeed)).all() == []


def test_a_lost_phone_closes_the_calendar_of_its_person_alone(
    sqlite_database: Database, job: Job, house: House
) -> None:
    lost, worker = (
        address(sqlite_database, job.deal.firms["yilmaz"].actor(role)) for role in (Role.MANAGER, Role.WORKER)
    )
    manager = job.actor("yilmaz")
    passkey = Passkey(
        firm_id=manager.firm_id, id=new_id(), created_at=clock.now(), person_id=manager.person_id, user_handle=new_id(),
        credential_id=new_id(), public_key=SoftwarePasskey().cose, name="Handy",
    )  # fmt: skip
    with sqlite_database.write() as session:
        session.add(passkey)
        session.flush()
        emit(session, PasskeyLocked(manager.firm_id, passkey.id))
    run_until_quiet(sqlite_database)
    assert house.get(lost).status_code == 404
    assert house.get(worker).status_code == 200


def test_what_people_write_stays_text_in_every_calendar(sqlite_database: Database, job: Job, house: House) -> None:
    with sqlite_database.write() as session:
        session.execute(sa.update(Booking).values(title=HOSTILE, machine_name="A\nB;C,D"))
    answer = house.get(address(sqlite_database, job.actor("yilmaz")))
    titles = summaries(answer)
    assert any("BEGIN:VALARM" in title for title in titles)
    lines = answer.text.replace("\r\n ", "").split("\r\n")
    assert not [line for line in lines if line.startswith(("BEGIN:VALARM", "ACTION"))]
    assert not any(ord(sign) < 32 for line in lines for sign in line)
