"""Who is told, when, and what happens when nobody looks."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.outbox import OutboxRow
from app.core.units import BERLIN
from app.firms.access import Role
from app.firms.models import AuditEvent, Person
from app.push.actions import (
    alert_people,
    cancel_alerts,
    escalate_requests,
    forget_old_rows,
    mark_alerts_seen,
    remind_people,
    save_device,
)
from app.push.models import Alert, PushDelivery, PushDevice
from app.push.queries import unseen_alerts, unseen_count
from tests.conftest import MONDAY
from tests.push.service import Phone
from tests.push.world import REQUEST_ID, VALUES, PushWorld, sign_in, subscription_of

URL = f"/anfragen/{REQUEST_ID}"


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def tell(session: Session, world: PushWorld, kind: str = "request", **more: Any) -> list[Alert]:
    persons = more.pop("persons", [world.foreman()])
    subject = more.pop("subject", REQUEST_ID)
    values = VALUES | more.pop("values", {})
    return alert_people(session, world.yilmaz.id, persons, kind, subject, URL, values, more.pop("once", ""))


def told(world: PushWorld) -> list[tuple[str, str]]:
    """(role, kind) of every alert that was not cancelled, in the order of writing."""
    roles = {person: role.value for role, person in world.yilmaz.people.items()}
    with world.database.read() as session:
        found = session.execute(
            sa.select(Alert.person_id, Alert.kind).where(Alert.cancelled_at.is_(None)).order_by(Alert.id)
        )
        return [(roles.get(person, "?"), kind) for person, kind in found]


def step(world: PushWorld, now: dt.datetime) -> None:
    """What the worker does every minute."""
    with clock.frozen(now), world.database.write() as session:
        remind_people(session, now)
        escalate_requests(session, now)


def set_person(world: PushWorld, role: Role, **changes: Any) -> None:
    with world.database.write() as session:
        person = world.yilmaz.people[role]
        session.execute(sa.update(Person).where(Person.id == person).values(**changes))


def test_in_working_time_a_request_rings_at_once_and_wakes_the_worker(world: PushWorld) -> None:
    with world.database.write() as session:
        [alert] = tell(session, world)
        assert alert.due_at == MONDAY
        assert alert.mail_due_at == MONDAY + dt.timedelta(minutes=30)
        assert alert.manager_due_at == MONDAY + dt.timedelta(minutes=60)
        assert alert.remind_at == at("2026-11-18T10:00")
    with world.database.read() as session:
        assert session.scalars(sa.select(OutboxRow.kind)).all() == ["PersonAlerted"]


def test_at_night_it_waits_for_the_morning_and_the_half_hour_counts_from_there(world: PushWorld) -> None:
    with clock.frozen(at("2026-11-20T19:00")), world.database.write() as session:
        [alert] = tell(session, world)
        assert alert.due_at == at("2026-11-23T06:00")
        assert alert.mail_due_at == at("2026-11-23T06:30")
    with world.database.read() as session:
        assert session.scalars(sa.select(OutboxRow.kind)).all() == []


def test_the_same_event_tells_each_person_once(world: PushWorld) -> None:
    with world.database.write() as session:
        assert len(tell(session, world, once="request:1")) == 1
        assert tell(session, world, once="request:1") == []
    assert told(world) == [("foreman", "request")]


def test_a_new_version_takes_the_place_of_the_old_message(world: PushWorld) -> None:
    with world.database.write() as session:
        tell(session, world, once="request:1")
        tell(session, world, once="request:2", values={"version": 2})
    assert told(world) == [("foreman", "request")]


def test_who_is_away_is_stood_in_for_and_who_left_is_not_told(world: PushWorld) -> None:
    set_person(world, Role.FOREMAN, is_absent=True, deputy_id=world.yilmaz.people[Role.MANAGER])
    with world.database.write() as session:
        tell(session, world, persons=[world.foreman(), world.yilmaz.people[Role.MANAGER]])
    assert told(world) == [("manager", "request")]

    set_person(world, Role.MANAGER, is_absent=True)
    with world.database.write() as session:
        tell(session, world)
    assert told(world)[-1] == ("foreman", "request")

    set_person(world, Role.WORKER, left_at=MONDAY)
    with world.database.write() as session:
        assert tell(session, world, persons=[world.yilmaz.people[Role.WORKER]]) == []


def test_another_firms_people_cannot_be_told(world: PushWorld) -> None:
    with world.database.write() as session:
        assert tell(session, world, persons=list(world.brandt.people.values())) == []


def test_a_kind_nobody_wrote_a_text_for_is_a_fault(world: PushWorld) -> None:
    with world.database.write() as session, pytest.raises(KeyError):
        tell(session, world, "surprise")


def test_more_than_three_calm_messages_a_day_wait_for_the_next_morning(world: PushWorld) -> None:
    with world.database.write() as session:
        due = [tell(session, world, "plans", subject=f"r{n}")[0].due_at for n in range(7)]
        urgent = tell(session, world, "agreement", subject="a1")[0].due_at
    assert due == [MONDAY] * 3 + [at("2026-11-17T06:00")] * 3 + [at("2026-11-18T06:00")]
    assert urgent == MONDAY


def test_after_half_an_hour_the_deputy_knows_and_after_an_hour_the_manager(world: PushWorld) -> None:
    # given a foreman whose deputy is the worker's person
    set_person(world, Role.FOREMAN, deputy_id=world.yilmaz.people[Role.WORKER])
    with world.database.write() as session:
        tell(session, world, once="request:1")

    # when / then
    step(world, MONDAY + dt.timedelta(minutes=29))
    assert told(world) == [("foreman", "request")]
    step(world, MONDAY + dt.timedelta(minutes=30))
    step(world, MONDAY + dt.timedelta(minutes=31))
    assert told(world) == [("foreman", "request"), ("worker", "request")]
    step(world, MONDAY + dt.timedelta(minutes=60))
    step(world, MONDAY + dt.timedelta(minutes=120))
    assert told(world) == [("foreman", "request"), ("worker", "request"), ("manager", "request")]
    with world.database.read() as session:
        assert session.scalars(sa.select(AuditEvent.verb).order_by(AuditEvent.id)).all() == [
            "request_to_deputy",
            "request_to_manager",
        ]


def test_one_pair_of_eyes_is_enough_for_the_firm(world: PushWorld) -> None:
    with world.database.write() as session:
        tell(session, world, persons=[world.foreman(), world.yilmaz.people[Role.WORKER]])
        mark_alerts_seen(session, world.yilmaz.id, world.yilmaz.people[Role.WORKER], REQUEST_ID)
    step(world, MONDAY + dt.timedelta(hours=2))
    assert told(world) == [("foreman", "request"), ("worker", "request")]


def test_a_settled_request_disturbs_nobody_any_more(world: PushWorld) -> None:
    with world.database.write() as session:
        tell(session, world)
        cancel_alerts(session, world.brandt.id, REQUEST_ID)
    assert told(world) == [("foreman", "request")]
    with world.database.write() as session:
        cancel_alerts(session, world.yilmaz.id, REQUEST_ID)
    step(world, MONDAY + dt.timedelta(hours=50))
    assert told(world) == []


def test_before_the_deadline_there_is_one_reminder_and_after_it_none(world: PushWorld) -> None:
    with world.database.write() as session:
        tell(session, world, once="request:1")
        mark_alerts_seen(session, world.yilmaz.id, world.foreman(), REQUEST_ID)
    step(world, at("2026-11-18T09:59"))
    assert told(world) == [("foreman", "request")]
    step(world, at("2026-11-18T10:00"))
    step(world, at("2026-11-18T10:30"))
    assert told(world) == [("foreman", "request"), ("foreman", "reminder")]

    with world.database.write() as session:
        tell(session, world, subject="late", once="request:2")
    step(world, at("2026-11-18T13:00"))
    assert ("foreman", "reminder") not in told(world)[3:]


def test_a_request_without_a_deadline_escalates_and_reminds_nobody(world: PushWorld) -> None:
    with world.database.write() as session:
        [alert] = tell(session, world, values={"reply_by": ""})
        assert alert.remind_at is None
    step(world, MONDAY + dt.timedelta(hours=2))
    assert told(world) == [("foreman", "request"), ("manager", "request")]


def test_an_escalated_message_does_not_escalate_again(world: PushWorld) -> None:
    with world.database.write() as session:
        tell(session, world, once="request:1", values={"reply_by": "2026-12-18T11:00:00+00:00"})
    for hours in range(1, 30):
        step(world, MONDAY + dt.timedelta(hours=hours))
    assert told(world) == [("foreman", "request"), ("manager", "request")]


def test_the_drawn_lock_screen_shows_what_waits_for_this_person_only(world: PushWorld) -> None:
    actor = world.yilmaz.actor(Role.FOREMAN)
    with world.database.write() as session:
        tell(session, world)
        tell(session, world, "plans", persons=[world.yilmaz.people[Role.MANAGER]])
    with world.database.read() as session:
        [shown] = unseen_alerts(session, actor, is_practice=True)
        assert (shown.title, shown.url) == ("ÜBUNG: 40 h Fräsen in KW 48?", URL)
        assert shown.buttons == (("yes", "Ja, das geht"), ("no", "Diesmal nicht"))
        assert unseen_count(session, actor.firm_id, actor.person_id, clock.now()) == 1
        assert unseen_alerts(session, world.brandt.actor(Role.FOREMAN)) == []
    with world.database.write() as session:
        mark_alerts_seen(session, actor.firm_id, actor.person_id, REQUEST_ID)
    with world.database.read() as session:
        assert unseen_alerts(session, actor) == []


def test_old_rows_and_devices_that_were_signed_out_are_forgotten_once_an_hour(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        phone = Phone("https://fcm.googleapis.com", "/fcm/send/1")
        device = save_device(session, actor, subscription_of(phone))
        [alert] = tell(session, world)
        session.add(
            PushDelivery(
                firm_id=alert.firm_id, id="d1", created_at=MONDAY, alert_id=alert.id, device_id=device.id, next_try_at=MONDAY
            )
        )  # fmt: skip
    later = MONDAY + dt.timedelta(days=15)
    for minute, left in ((1, 1), (0, 0)):
        with world.database.write() as session:
            forget_old_rows(session, later.replace(minute=minute))
            assert session.scalar(sa.select(sa.func.count()).select_from(PushDelivery)) == left
            assert session.scalar(sa.select(sa.func.count()).select_from(PushDevice)) == 1
    with world.database.write() as session:
        session.execute(sa.text("DELETE FROM sign_in"))
        forget_old_rows(session, later)
        assert session.scalar(sa.select(sa.func.count()).select_from(PushDevice)) == 0
