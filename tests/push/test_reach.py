"""When every other host is blocked only push and mail stop, and the app says so on its own pages."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.firms.access import Role
from app.push.actions import alert_people
from app.push.delivery import send_due_alerts, send_due_mails
from app.push.models import PushDevice
from app.push.reach import Silence, silence_of
from tests.conftest import MONDAY
from tests.machines.house import open_house
from tests.push.service import PushService
from tests.push.world import REQUEST_ID, VALUES, PushWorld, give_phone

BLOCKED = "smtp://127.0.0.1:1"
SOON, LATER = dt.timedelta(minutes=5), dt.timedelta(minutes=12)
QUIET = Silence(None, None)


def alert(world: PushWorld) -> None:
    with world.database.write() as session:
        url = f"/anfragen/{REQUEST_ID}"
        alert_people(session, world.yilmaz.id, [world.foreman()], "request", REQUEST_ID, url, VALUES)


def send(world: PushWorld, after: dt.timedelta = dt.timedelta()) -> None:
    with clock.frozen(MONDAY + after):
        send_due_alerts(world.database, world.config)
        send_due_mails(world.database, world.config)


def silence(world: PushWorld, after: dt.timedelta, firm_id: str = "") -> Silence:
    with world.database.read() as session:
        return silence_of(session, firm_id or world.yilmaz.id, MONDAY + after)


def test_push_that_gets_nowhere_is_told_after_ten_minutes_and_to_no_other_firm(
    world: PushWorld, service: PushService
) -> None:
    give_phone(world, service, "jonas")
    service.close()
    alert(world)
    send(world)
    assert silence(world, SOON) == QUIET
    assert silence(world, LATER) == Silence(MONDAY, None)
    assert silence(world, LATER, world.brandt.id) == QUIET


def test_one_message_that_gets_through_ends_the_silence(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    service.behave["/push/jonas"] = 503
    alert(world)
    send(world)
    assert silence(world, LATER).push_since == MONDAY
    del service.behave["/push/jonas"]
    send(world, LATER)
    assert silence(world, LATER) == QUIET


def test_one_broken_phone_beside_one_that_works_is_no_silence(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    give_phone(world, service, "petra", Role.MANAGER)
    with world.database.write() as session:
        mine = sa.update(PushDevice).where(PushDevice.person_id == world.foreman())
        session.execute(mine.values(failed_at=MONDAY, failures=1))
        others = sa.update(PushDevice).where(PushDevice.person_id != world.foreman())
        session.execute(others.values(last_sent_at=MONDAY + SOON))
    assert silence(world, LATER) == QUIET


def test_mail_that_gets_nowhere_is_told_until_one_gets_through(world: PushWorld) -> None:
    config = world.config
    world.config = replace(config, smtp_url=BLOCKED)
    alert(world)
    send(world)
    assert silence(world, LATER) == QUIET, "one try may be on its way"
    send(world, SOON)
    assert silence(world, LATER) == Silence(None, MONDAY)
    world.config = config
    send(world, LATER)
    assert silence(world, LATER) == QUIET


@pytest.mark.parametrize(("path", "role"), [("/mehr", Role.FOREMAN), ("/mehr", Role.MANAGER), ("/start", Role.MANAGER)])
def test_the_pages_say_what_stopped_and_go_on(
    world: PushWorld, service: PushService, tmp_path: Path, path: str, role: Role
) -> None:
    world.config = replace(world.config, smtp_url=BLOCKED)
    house = open_house(world.database, tmp_path).enter(world.yilmaz.actor(role))
    assert "nicht raus" not in house.get(path).text
    give_phone(world, service, "jonas")
    service.close()
    alert(world)
    for minutes in (0, 5, 35, 40):
        send(world, dt.timedelta(minutes=minutes))
    with clock.frozen(MONDAY + dt.timedelta(minutes=50)):
        page = house.get(path)
    assert page.status_code == 200
    assert "Nachrichten aufs Handy gehen seit 16. Nov., 7 Uhr nicht raus." in page.text
    assert "E-Mails gehen seit 16. Nov., 7:35 Uhr nicht raus." in page.text
