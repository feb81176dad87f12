"""Messages really leave, encrypted for one phone; a bad service harms nobody else."""

import datetime as dt
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Base, Database
from app.firms.access import Role
from app.firms.models import Person
from app.passkeys.models import SignIn
from app.passkeys.rules import SIGN_IN_REST
from app.push import sending
from app.push.actions import alert_people, cancel_alerts, mark_alerts_seen, remove_devices_of_sign_in
from app.push.delivery import send_due_alerts
from app.push.models import Alert, AnswerToken, Mail, PushDelivery, PushDevice
from app.push.vapid import VapidHeaders, vapid_key, vapid_public_key
from tests.conftest import MONDAY
from tests.push.service import PushService, from_text, vapid_fault
from tests.push.world import REQUEST_ID, VALUES, PushWorld, give_phone, make_push_world, open_service

URL = f"/anfragen/{REQUEST_ID}"


def alert(world: PushWorld, kind: str = "request", role: Role = Role.FOREMAN, **changes: object) -> None:
    with world.database.write() as session:
        values = VALUES | changes
        person = world.yilmaz.people[role]
        alert_people(session, world.yilmaz.id, [person], kind, REQUEST_ID, URL, values)


def send(world: PushWorld, after: dt.timedelta = dt.timedelta()) -> None:
    with clock.frozen(MONDAY + after):
        send_due_alerts(world.database, world.config)


def devices(world: PushWorld) -> list[PushDevice]:
    return [row for row in rows(world, PushDevice) if isinstance(row, PushDevice)]


def one_alert(world: PushWorld) -> Alert:
    [row] = rows(world, Alert)
    assert isinstance(row, Alert)
    return row


def rows(world: PushWorld, table: type[Base]) -> list[Base]:
    with world.database.read() as session:
        found = list(session.scalars(sa.select(table)))
        session.expunge_all()
    return found


def test_a_request_reaches_the_phone_with_text_buttons_and_a_token_that_only_it_knows(
    world: PushWorld, service: PushService
) -> None:
    # given
    actor, _phone = give_phone(world, service, "jonas")
    alert(world)

    # when
    send(world)

    # then
    assert service.faults == []
    [got] = service.got
    note = got.message["notification"]
    assert note["title"] == "40 h Fräsen in KW 48?"
    assert note["body"] == "Keller braucht Hilfe. Bei dir sind 46 h frei."
    assert note["navigate"] == f"{world.config.public_url}{URL}"
    assert [one["title"] for one in note["actions"]] == ["Ja, das geht", "Diesmal nicht"]
    assert got.message["web_push"] == 8030
    assert got.message["app_badge"] == 1
    assert got.headers["urgency"] == "high"
    assert int(got.headers["ttl"]) == 86_400
    [token] = rows(world, AnswerToken)
    assert isinstance(token, AnswerToken)
    assert note["data"]["token"] not in json.dumps([token.token_hash, token.id])
    assert (token.person_id, token.request_id) == (actor.person_id, REQUEST_ID)
    assert token.expires_at.isoformat() == VALUES["reply_by"]


def test_an_iphone_gets_the_same_message_without_buttons(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "iphone")
    with world.database.write() as session:
        session.execute(sa.update(PushDevice).values(has_buttons=False))
    alert(world)
    send(world)
    assert service.got[0].message["notification"]["actions"] == []


def test_without_a_rate_there_is_no_one_tap_answer_but_a_message(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    alert(world, has_answer=False)
    send(world)
    note = service.got[0].message["notification"]
    assert note["actions"] == []
    assert "token" not in note["data"]
    assert "answer_url" not in note["data"]


def test_a_know_how_request_can_be_declined_from_the_lock_screen_but_not_promised(
    world: PushWorld, service: PushService
) -> None:
    give_phone(world, service, "jonas")
    alert(world, "know_how", has_answer=False, count=20, has_photo=True)
    send(world)
    note = service.got[0].message["notification"]
    assert (note["title"], note["body"]) == ("Wer kann das? 20 Stück", "Keller fragt euch. Foto ist dabei.")
    assert [one["action"] for one in note["actions"]] == ["open", "no"]
    with world.database.read() as session:
        assert session.scalars(sa.select(AnswerToken.allows)).one() == "no"


def test_the_message_is_in_the_language_of_its_reader(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    with world.database.write() as session:
        session.execute(sa.update(Person).values(language="en"))
    alert(world)
    send(world)
    note = service.got[0].message["notification"]
    assert (note["lang"], note["title"]) == ("en", "40 h milling in KW 48?")
    assert note["body"] == "Keller needs help. You have 46 h free."


def test_nothing_in_a_message_is_longer_than_one_record(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    alert(world, part="Ä" * 900, machine="Ü" * 900, name="N" * 2000)
    send(world)
    assert service.faults == []
    assert service.got[0].size <= 4096


def test_a_second_run_sends_nothing_twice(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    alert(world)
    send(world)
    send(world, dt.timedelta(hours=2))
    assert len(service.got) == 1


def test_two_workers_at_once_send_each_message_once(world: PushWorld, service: PushService) -> None:
    # given 20 alerts and two processes, each with a database of its own
    give_phone(world, service, "jonas")
    with world.database.write() as session:
        for number in range(20):
            alert_people(
                session,
                world.yilmaz.id,
                [world.foreman()],
                "question",
                f"request-{number}",
                "/fragen/1",
                {"name": "Keller"},
            )
    others = [Database(world.database.url) for _ in range(2)]
    barrier = threading.Barrier(2)

    def work(database: Database) -> None:
        with clock.frozen(MONDAY):
            barrier.wait()
            # past the turn of one process: as another process would
            from app.push.delivery import _run

            _run(database, world.config)

    # when
    threads = [threading.Thread(target=work, args=(database,)) for database in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for database in others:
        database.close()

    # then
    assert len(service.got) == 20
    assert len({got.message["notification"]["tag"] for got in service.got}) == 20


def test_a_worker_that_died_after_claiming_is_followed_by_the_next(world: PushWorld, service: PushService) -> None:
    # given a claim without a result
    from app.push.delivery import claim, hand_out

    give_phone(world, service, "jonas")
    alert(world)
    hand_out(world.database)
    assert len(claim(world.database, world.config)) == 1

    # when / then: the lease holds for two minutes, then somebody else sends
    send(world, dt.timedelta(minutes=1))
    assert service.got == []
    send(world, dt.timedelta(minutes=3))
    assert len(service.got) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_forgotten_subscription_is_wiped_and_the_mailbox_is_used_at_once(
    world: PushWorld, service: PushService, status: int
) -> None:
    give_phone(world, service, "jonas")
    service.behave["/push/jonas"] = status
    alert(world)
    send(world)
    [device] = devices(world)
    assert device.gone_at is not None
    assert (device.endpoint, device.p256dh, device.auth) == (f"gone:{device.id}", "", "")
    assert one_alert(world).mail_due_at == MONDAY
    send(world, dt.timedelta(hours=1))
    assert len(service.hits) == 1


def test_a_service_that_asks_for_a_rest_gets_it(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    service.behave["/push/jonas"] = 429
    service.headers_for["/push/jonas"] = {"Retry-After": "600"}
    alert(world)
    send(world)
    send(world, dt.timedelta(minutes=9))
    assert len(service.hits) == 1
    service.behave.clear()
    send(world, dt.timedelta(minutes=11))
    assert len(service.got) == 1
    assert devices(world)[0].failed_at is None


def test_a_broken_service_is_tried_again_in_growing_steps_and_given_up_after_a_day(
    world: PushWorld, service: PushService
) -> None:
    give_phone(world, service, "jonas")
    service.behave["/push/jonas"] = 500
    alert(world, reply_by="2026-12-18T11:00:00+00:00")
    for minutes in range(0, 26 * 60, 10):
        send(world, dt.timedelta(minutes=minutes))
    assert 10 <= len(service.hits) <= 30
    with world.database.read() as session:
        assert session.scalars(sa.select(PushDelivery.outcome)).one() == "dropped"
    service.behave.clear()
    send(world, dt.timedelta(hours=30))
    assert service.got == []


def test_a_message_that_comes_late_waits_for_the_morning(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    service.behave["/push/jonas"] = 500
    alert(world)
    send(world, dt.timedelta(hours=10, minutes=59))  # 17:59 in Germany
    service.behave.clear()
    send(world, dt.timedelta(hours=13))
    assert service.got == []
    send(world, dt.timedelta(hours=23))
    assert len(service.got) == 1


def test_a_redirect_to_the_inside_is_not_followed(world: PushWorld, service: PushService) -> None:
    inside = PushService()
    try:
        give_phone(world, service, "jonas")
        service.behave["/push/jonas"] = f"{inside.url}/admin"
        alert(world)
        send(world)
        assert inside.hits == []
        assert one_alert(world).mail_due_at == MONDAY
    finally:
        inside.close()


def test_an_address_that_was_changed_in_the_database_is_checked_again_before_sending(
    world: PushWorld, service: PushService
) -> None:
    inside = PushService()
    try:
        give_phone(world, service, "jonas")
        with world.database.write() as session:
            session.execute(sa.update(PushDevice).values(endpoint=f"{inside.url}/push/jonas"))
        alert(world)
        send(world)
        assert inside.hits == service.hits == []
    finally:
        inside.close()


def test_an_answer_of_64_kilobytes_is_not_swallowed(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    service.behave["/push/jonas"] = "big"
    alert(world)
    send(world)
    assert devices(world)[0].failures == 1


def test_a_silent_service_holds_up_no_other_and_is_left_alone_after_a_few_tries(
    world: PushWorld, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given 40 phones at a service that never answers and one at a good one
    import aiohttp

    monkeypatch.setattr(sending, "TIMEOUT", aiohttp.ClientTimeout(total=0.4))
    dead = open_service(world)
    try:
        for number in range(40):
            give_phone(world, dead, f"p{number}")
            dead.behave[f"/push/p{number}"] = "slow"
        give_phone(world, service, "jonas", Role.MANAGER)
        alert(world)
        alert(world, role=Role.MANAGER)

        # when
        started = time.monotonic()
        send(world)

        # then
        assert time.monotonic() - started < 3
        assert len(service.got) == 1
        assert len(dead.hits) <= 16
    finally:
        dead.close()


def test_pages_are_written_while_a_service_is_silent(
    world: PushWorld, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aiohttp

    monkeypatch.setattr(sending, "TIMEOUT", aiohttp.ClientTimeout(total=20))
    give_phone(world, service, "jonas")
    service.behave["/push/jonas"] = "slow"
    alert(world)
    thread = threading.Thread(target=lambda: send(world))
    thread.start()
    while not service.hits:
        time.sleep(0.01)
    alert(world, "question")
    assert thread.is_alive(), "the page waited for the service"
    service.closing.set()
    thread.join(30)
    assert not thread.is_alive()


def test_what_was_settled_seen_or_signed_out_meanwhile_does_not_leave(world: PushWorld, service: PushService) -> None:
    actor, _ = give_phone(world, service, "jonas")
    alert(world)
    with world.database.write() as session:
        cancel_alerts(session, world.yilmaz.id, REQUEST_ID)
    send(world)

    alert(world)
    with world.database.write() as session:
        session.execute(sa.update(SignIn).values(last_seen_at=MONDAY - SIGN_IN_REST))
    send(world)

    alert(world)
    with world.database.write() as session:
        session.execute(sa.delete(SignIn).where(SignIn.public_id == actor.session_id))
    send(world)
    assert service.hits == []

    with world.database.write() as session:
        remove_devices_of_sign_in(session, actor.session_id)
    assert devices(world) == []


def test_a_message_that_was_seen_on_the_page_is_not_tried_again(world: PushWorld, service: PushService) -> None:
    give_phone(world, service, "jonas")
    service.behave["/push/jonas"] = 500
    alert(world)
    send(world)
    with world.database.write() as session:
        mark_alerts_seen(session, world.yilmaz.id, world.foreman(), REQUEST_ID)
    service.behave.clear()
    send(world, dt.timedelta(hours=1))
    assert service.got == []


def test_the_practice_world_sends_nothing(world: PushWorld, service: PushService, tmp_path: Path) -> None:
    give_phone(world, service, "jonas")
    alert(world)
    send_due_alerts(world.database, replace(world.config, is_practice=True))
    assert service.hits == []
    with world.database.read() as session:
        assert session.scalars(sa.select(Mail)).all() == []


def test_the_key_is_made_once_wrapped_and_useless_under_another_node_key(
    sqlite_database: Database, tmp_path: Path
) -> None:
    world = make_push_world(sqlite_database, tmp_path)
    first = vapid_public_key(world.database, world.config)
    assert len(from_text(first)) == 65
    assert vapid_public_key(world.database, world.config) == first
    with world.database.write() as session:
        assert vapid_public_key(session, world.config) == first
    with pytest.raises(RuntimeError, match="node key"):
        vapid_key(world.database, replace(world.config, node_key=bytes(32)))


def test_each_service_gets_a_token_of_its_own_that_is_signed_once(sqlite_database: Database, tmp_path: Path) -> None:
    world = make_push_world(sqlite_database, tmp_path)
    public = vapid_public_key(world.database, world.config)
    headers = VapidHeaders(vapid_key(world.database, world.config), "betrieb@werkring.example")
    mozilla, google = "https://updates.push.services.mozilla.com", "https://fcm.googleapis.com"
    first = headers.header_for(mozilla)
    assert headers.header_for(mozilla) is first
    assert vapid_fault(first, mozilla, public) == ""
    assert vapid_fault(headers.header_for(google), google, public) == ""
    assert vapid_fault(first, google, public) == "audience"
    assert vapid_fault(first, mozilla, "x") == "another key"
    claims = first.split(".")[1]
    assert vapid_fault(first.replace(claims, claims[:-4] + "AAAA"), mozilla, public) == "signature"
