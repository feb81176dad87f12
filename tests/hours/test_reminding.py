"""The end of the shift: asked once, sent with one tap, taken back within ten minutes; and firms of the game that play along."""

import datetime as dt
from pathlib import Path

import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.capacity.closing import close_days, set_shifts
from app.capacity.rules import ShiftModel
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Role
from app.hours.actions import check_reports, remind_of_hours
from app.hours.queries import own_entries
from app.passkeys.sessions import start_sign_in
from app.practice.bots import confirm_due_hours
from app.push.messages import message
from app.push.models import Alert, PushDevice
from app.push.tokens import make_answer_token
from app.worker import run_until_quiet
from tests.hours.world import TODAY, TUESDAY, Work, begin_work
from tests.machines.house import House, open_house

SHIFT_END = TUESDAY.replace(hour=13)
"""14:00 in Germany"""


def test_missing_hours_are_asked_once_and_sent_with_one_tap(sqlite_database: Database, tmp_path: Path) -> None:
    work = begin_work(sqlite_database)
    worker = work.person("yilmaz")
    with clock.frozen(SHIFT_END):
        alert = remind(work)
        assert remind(work).id == alert.id
        assert alert.person_id == worker.person_id
        said = message("hours", alert.values, "de")
        assert said.title == "Stunden fehlen noch"
        assert said.buttons == (("send", "2 h senden"), ("open", "Ändern"))
        token = token_for(work, alert)
        house = open_house(sqlite_database, tmp_path)
        answer = tap(house, "/stunden/antwort", token)
        assert (answer.status_code, (answer.json or {})["title"]) == (200, "Gesendet. Danke.")
        assert tap(house, "/stunden/antwort", token).status_code == 409
        assert own_minutes(work) == [120]
        assert tap(house, "/stunden/antwort/zurueck", token).status_code == 200
        assert own_minutes(work) == []


def test_nobody_is_asked_on_a_free_day_or_after_reporting(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(SHIFT_END + dt.timedelta(days=4)), sqlite_database.write() as session:
        remind_of_hours(session, clock.now())
        assert session.scalar(sa.select(Alert.id).where(Alert.kind == "hours")) is None
    with clock.frozen(SHIFT_END):
        work.report()
        with sqlite_database.write() as session:
            remind_of_hours(session, clock.now())
            assert session.scalar(sa.select(Alert.id).where(Alert.kind == "hours")) is None


def test_a_later_shift_is_asked_again_and_a_node_that_was_away_still_asks(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    assert asked_at(work, -1, 0, 59) == [0, 1, 1]
    assert asked_at(work, 60, 8 * 60 - 1) == [1, 1]
    assert asked_at(work, 8 * 60, 8 * 60 + 1) == [2, 2]


def test_a_node_that_comes_back_an_hour_late_asks_nobody(sqlite_database: Database) -> None:
    assert asked_at(begin_work(sqlite_database), 60) == [0]


def test_when_a_shift_ends_is_the_sites_own_affair(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    yilmaz = work.deal.firms["yilmaz"]
    with clock.frozen(TUESDAY), sqlite_database.write() as session:
        shift = ShiftModel((480, 480, 480, 480, 300, 0, 0), first_hour=7)
        set_shifts(session, yilmaz.actor(), yilmaz.site_id, shift, corpus_christi=False)
    assert asked_at(work, 0, 60, 89, 90) == [0, 0, 0, 1]
    with clock.frozen(TUESDAY), sqlite_database.write() as session:
        close_days(session, yilmaz.actor(), yilmaz.site_id, TODAY, TODAY + dt.timedelta(days=1), "Inventur")
    assert asked_at(work, 24 * 60 + 90) == [1]


def test_a_firm_that_nobody_plays_confirms_what_waits(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        work.report()
        with sqlite_database.write() as session:
            check_reports(session, work.person("yilmaz", Role.FOREMAN), [work.reports()[0].id])
        run_until_quiet(sqlite_database)
        confirm_due_hours(sqlite_database)
        assert work.reports("keller")[0].state == "checked"
    with clock.frozen(TUESDAY + dt.timedelta(seconds=3)):
        confirm_due_hours(sqlite_database)
        run_until_quiet(sqlite_database)
    assert [one.state for one in work.reports()] == ["confirmed"]


def asked_at(work: Work, *minutes: int) -> list[int]:
    """How many messages there are, so many minutes after 14:00."""
    counts = []
    for late in minutes:
        with clock.frozen(SHIFT_END + dt.timedelta(minutes=late)), work.database.write() as session:
            remind_of_hours(session, clock.now())
            counts.append(session.scalar(sa.select(sa.func.count()).where(Alert.kind == "hours")) or 0)
    return counts


def remind(work: Work) -> Alert:
    with work.database.write() as session:
        remind_of_hours(session, clock.now())
        alert = session.scalars(sa.select(Alert).where(Alert.kind == "hours")).one()
        session.expunge(alert)
        return alert


def token_for(work: Work, alert: Alert) -> str:
    """On the phone of the worker, who has no passkey."""
    with work.database.write() as session:
        signed_in = start_sign_in(session, alert.firm_id, alert.person_id, "Handy", has_passkey=False)
        device = PushDevice(
            firm_id=alert.firm_id, id=new_id(), created_at=clock.now(), person_id=alert.person_id, name="Handy",
            endpoint="https://push.example/a", p256dh="x", auth="y", sign_in_id=signed_in.public_id,
        )  # fmt: skip
        session.add(device)
        session.flush()
        return make_answer_token(session, alert, device.id, SHIFT_END + dt.timedelta(hours=8), ("send",))


def tap(house: House, path: str, token: str) -> TestResponse:
    origin = house.app.extensions["world"].config.origin
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    return house.client.post(path, json={"token": token}, headers=headers)


def own_minutes(work: Work) -> list[int]:
    with work.database.read() as session:
        return [entry.minutes for entry in own_entries(session, work.person("yilmaz"), TODAY)]
