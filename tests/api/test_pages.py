"""The pages of Programme: an access is made, copied once and locked; news is switched on, tried and switched off."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.api.feeds import renew_feed
from app.api.hooks import set_hook
from app.api.models import ApiToken, CalendarFeed, Webhook, WebhookCall
from app.api.rules import SHOWN_FOR
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Role
from app.firms.models import Membership, Person
from tests.agreements.world import make_deal
from tests.machines.house import House, open_house
from tests.world import TestFirm


@pytest.fixture
def keller(sqlite_database: Database) -> TestFirm:
    firm = make_deal(sqlite_database).firms["keller"]
    with sqlite_database.write() as session:
        person_id = firm.people[Role.STEWARD] = new_id()
        session.add(Person(firm_id=firm.id, id=person_id, created_at=clock.now(), name="Zweite Leitung"))
        session.flush()
        session.add(
            Membership(firm_id=firm.id, id=new_id(), created_at=clock.now(), person_id=person_id, role=Role.MANAGER)
        )
    return firm


@pytest.fixture
def house(sqlite_database: Database, tmp_path: Path, keller: TestFirm) -> House:
    return open_house(sqlite_database, tmp_path).enter(keller.actor())


def test_an_access_is_shown_once_to_the_manager_who_made_it(
    sqlite_database: Database, house: House, keller: TestFirm
) -> None:
    assert house.post("/programme/neu", name="", scopes="bookings:read").status_code == 422
    assert "Wähle, was das Programm darf." in house.post("/programme/neu", name="ERP").text
    made = house.post("/programme/neu", name="ERP im Büro", scopes=["bookings:read", "free-hours:write"])
    page = house.get(made.headers["Location"]).text
    secret = page[page.index("werkring_") :][:52]
    asked = {"Authorization": f"Bearer {secret}"}
    assert house.client.get("/api/v1/bookings", headers=asked).status_code == 200
    assert secret in house.get(made.headers["Location"]).text
    other = house.enter(keller.actor().__class__(**vars(keller.actor()) | {"person_id": keller.people[Role.STEWARD]}))
    assert other.get(made.headers["Location"]).status_code == 404
    house.enter(keller.actor())
    with clock.frozen(clock.now() + SHOWN_FOR):
        assert house.get(made.headers["Location"]).status_code == 404
    assert house.post(made.headers["Location"] + "/kopiert").status_code == 303
    assert house.get(made.headers["Location"]).status_code == 404
    page = house.get("/programme").text
    assert "ERP im Büro" in page
    assert "Zuletzt benutzt: Montag, 16. November" in page
    assert secret not in page
    assert house.post(made.headers["Location"] + "/sperren").status_code == 303
    assert "ERP im Büro" not in house.get("/programme").text
    assert house.client.get("/api/v1/bookings", headers=asked).status_code == 401
    log = house.get("/protokoll").text
    assert "Das Programm „ERP im Büro“ hat einen Zugang." in log
    assert "Der Zugang „ERP im Büro“ ist gesperrt." in log


def test_twenty_accesses_are_enough(sqlite_database: Database, house: House) -> None:
    for number in range(20):
        assert house.post("/programme/neu", name=f"P{number}", scopes="bookings:read").status_code == 303
    assert "Sperre zuerst einen alten." in house.post("/programme/neu", name="zu viel", scopes="bookings:read").text


def test_news_is_switched_on_tried_and_switched_off(sqlite_database: Database, house: House) -> None:
    for url in (
        "", "http://erp.example/neu", "https://10.0.0.1/neu", "https://[::1]/", "https://localhost/neu", "https://a b.de",
        "https://x@erp.example", "https://erp.example:8443/", "https://erp.example\\@127.0.0.1/", "https://[", "ftp://x.de",
    ):  # fmt: skip
        assert house.post("/programme/meldungen", address=url).status_code == 422, url
    for deed in ("probe", "ein", "weg"):
        assert house.post(f"/programme/meldungen/{deed}").status_code == 404
    assert house.post("/programme/meldungen", address="https://erp.example/neu").status_code == 303
    assert house.post("/programme/meldungen/probe").status_code == 303
    page = house.get("/programme").text
    assert "https://erp.example/neu" in page
    assert "wartet" in page
    assert house.post("/programme/meldungen/weg").status_code == 303
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(WebhookCall)) == 0
    assert "Meldungen gehen an die Adresse erp.example." in house.get("/protokoll").text


def test_two_taps_at_once_leave_one_address_and_one_calendar(database: Database) -> None:
    keller = make_deal(database).firms["keller"]
    now = clock.now()

    def tap(number: int) -> None:
        with clock.frozen(now), database.write() as session:  # a thread has a clock of its own
            set_hook(session, keller.actor(), f"https://erp{number}.example/neu")
            renew_feed(session, keller.actor())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tap, range(8)))
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Webhook)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(CalendarFeed)) == 1


def test_only_a_manager_lets_programs_in(sqlite_database: Database, house: House, keller: TestFirm) -> None:
    for role in (Role.WORKER, Role.FOREMAN):
        house.enter(keller.actor(role))
        assert house.get("/programme").status_code == 403
        assert house.post("/programme/neu", name="x", scopes="bookings:read").status_code == 403
        assert "/programme" not in house.get("/mehr").text
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(ApiToken)).all() == []
    assert dt.timedelta(minutes=1) < SHOWN_FOR
