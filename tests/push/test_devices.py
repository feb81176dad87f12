"""Subscriptions: one per sign-in, renewed in silence, and never somebody else's."""

import datetime as dt
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Role
from app.passkeys.actions import clear_expired
from app.passkeys.models import SignIn
from app.passkeys.rules import SIGN_IN_REST
from app.push.actions import (
    Subscription,
    alert_people,
    mark_page_seen,
    put_off_messages,
    remove_device,
    save_device,
    see_test,
    send_test,
)
from app.push.models import Alert, PushDevice
from app.push.queries import device_mark, is_ready_for_messages, latest_probe, live_devices, own_devices
from app.push.rules import MOST_DEVICES, Health, Probe, endpoint_mark
from tests.conftest import MONDAY
from tests.push.service import Phone
from tests.push.world import REQUEST_ID, VALUES, PushWorld, sign_in, subscription_of


def phone(number: int = 1) -> Phone:
    return Phone("https://fcm.googleapis.com", f"/fcm/send/{number}")


def count(world: PushWorld) -> int:
    with world.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(PushDevice)) or 0


def test_renewing_keeps_one_device_per_sign_in(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        first = save_device(session, actor, subscription_of(phone(1)))
        same = save_device(session, actor, subscription_of(phone(2)))
        assert (first.id, same.endpoint) == (same.id, "https://fcm.googleapis.com/fcm/send/2")
    assert count(world) == 1


def test_a_new_address_heals_a_device_that_was_gone(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        device = save_device(session, actor, subscription_of(phone(1)))
        device.gone_at, device.failed_at, device.endpoint = MONDAY, MONDAY, "gone:1"
        session.flush()
        assert own_devices(session, actor)[0].health is Health.RED
        save_device(session, actor, subscription_of(phone(2)))
        assert own_devices(session, actor)[0].health is Health.YELLOW


def test_the_next_person_in_the_same_browser_takes_the_subscription_along(world: PushWorld) -> None:
    shared = phone()
    with world.database.write() as session:
        jonas, petra = sign_in(session, world.yilmaz), sign_in(session, world.yilmaz, Role.MANAGER)
        save_device(session, jonas, subscription_of(shared))
        save_device(session, petra, subscription_of(shared))
        assert own_devices(session, jonas) == []
        assert len(own_devices(session, petra)) == 1


def test_knowing_an_address_is_not_enough_to_take_it_over(world: PushWorld) -> None:
    with world.database.write() as session:
        jonas, stranger = sign_in(session, world.yilmaz), sign_in(session, world.brandt)
        save_device(session, jonas, subscription_of(phone()))
        with pytest.raises(RuleBroken):
            save_device(session, stranger, replace(subscription_of(phone()), auth="AAAAAAAAAAAAAAAAAAAAAA"))
        assert len(own_devices(session, jonas)) == 1


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        ("", "MDEyMzQ1Njc4OWFiY2RlZg"),
        ("AAAA", "MDEyMzQ1Njc4OWFiY2RlZg"),
        ("B" + "A" * 86, "MDEyMzQ1Njc4OWFiY2RlZg"),
        ("<script>", "MDEyMzQ1Njc4OWFiY2RlZg"),
        (phone().p256dh, "AAAA"),
        (phone().p256dh, "ü"),
    ],
    ids=["no key", "short key", "not on the curve", "markup", "short secret", "letters outside base64"],
)
def test_keys_that_nobody_could_encrypt_for_are_refused(world: PushWorld, p256dh: str, auth: str) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        with pytest.raises(RuleBroken):
            save_device(session, actor, Subscription(phone().endpoint, p256dh, auth))


def test_a_person_keeps_at_most_ten_devices(world: PushWorld) -> None:
    for number in range(MOST_DEVICES + 3):
        with clock.frozen(MONDAY + dt.timedelta(minutes=number)), world.database.write() as session:
            save_device(session, sign_in(session, world.yilmaz), subscription_of(phone(number)))
    assert count(world) == MOST_DEVICES


def test_nobody_sees_or_removes_another_persons_device(world: PushWorld) -> None:
    with world.database.write() as session:
        jonas = sign_in(session, world.yilmaz)
        device = save_device(session, jonas, subscription_of(phone()))
        for other in (sign_in(session, world.yilmaz, Role.MANAGER), sign_in(session, world.brandt)):
            assert own_devices(session, other) == []
            with pytest.raises(NotFound):
                remove_device(session, other, device.id)
            with pytest.raises(NotFound):
                send_test(session, other, device.id)
        remove_device(session, jonas, device.id)
        assert own_devices(session, jonas) == []
        assert live_devices(session, jonas.firm_id, jonas.person_id, MONDAY) == []
        assert (device.endpoint, device.p256dh, device.auth) == (f"off:{device.id}", "", "")


def test_the_page_knows_whether_this_device_has_to_renew_its_subscription(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        assert device_mark(session, actor) == ""
        device = save_device(session, actor, subscription_of(phone(1)))
        assert device_mark(session, actor) == endpoint_mark(phone(1).endpoint)
        device.gone_at, device.endpoint = MONDAY, "gone:1"
        assert device_mark(session, actor) == "gone"
        assert device_mark(session, sign_in(session, world.yilmaz)) == ""


def test_a_device_that_was_switched_off_stays_off_until_its_owner_switches_it_on(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        remove_device(session, actor, save_device(session, actor, subscription_of(phone())).id)
        assert device_mark(session, actor) == "off"
        save_device(session, actor, subscription_of(phone()))
        assert device_mark(session, actor) == endpoint_mark(phone().endpoint)
        assert len(own_devices(session, actor)) == 1


def test_messages_are_offered_after_the_first_request_was_read_and_not_again_after_later(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        alert_people(session, actor.firm_id, [actor.person_id], "request", REQUEST_ID, "/anfragen/1", VALUES)
        assert not is_ready_for_messages(session, actor)
        mark_page_seen(session, actor, "/anfragen/1")
        assert is_ready_for_messages(session, actor)
        put_off_messages(session, actor)
        assert not is_ready_for_messages(session, actor)
        assert own_devices(session, actor) == []
        assert is_ready_for_messages(session, sign_in(session, world.yilmaz))


def test_later_on_a_device_that_takes_messages_changes_nothing(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        save_device(session, actor, subscription_of(phone()))
        put_off_messages(session, actor)
        assert len(live_devices(session, actor.firm_id, actor.person_id, MONDAY)) == 1


def test_a_device_without_a_sign_in_is_not_live(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        save_device(session, actor, subscription_of(phone()))
        assert len(live_devices(session, actor.firm_id, actor.person_id, MONDAY)) == 1
        session.execute(sa.text("DELETE FROM sign_in"))
        assert len(live_devices(session, actor.firm_id, actor.person_id, MONDAY)) == 0


def test_a_device_that_rested_sixty_days_gets_nothing_more_and_is_forgotten(world: PushWorld) -> None:
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        save_device(session, actor, subscription_of(phone()))
        session.execute(sa.update(SignIn).values(last_seen_at=MONDAY - SIGN_IN_REST + dt.timedelta(seconds=1)))
        assert len(live_devices(session, actor.firm_id, actor.person_id, MONDAY)) == 1
        clear_expired(session, MONDAY)
        session.execute(sa.update(SignIn).values(last_seen_at=MONDAY - SIGN_IN_REST))
        assert len(live_devices(session, actor.firm_id, actor.person_id, MONDAY)) == 0
        clear_expired(session, MONDAY)
        assert session.scalars(sa.select(SignIn)).all() == []


def test_a_test_message_rings_also_at_night_and_only_on_the_device_that_asks(world: PushWorld) -> None:
    night = MONDAY.replace(hour=23)
    with clock.frozen(night), world.database.write() as session:
        actor = sign_in(session, world.yilmaz)
        device = save_device(session, actor, subscription_of(phone()))
        alert = send_test(session, actor)
        assert (alert.device_id, alert.due_at, alert.mail_due_at) == (device.id, night, None)
        assert latest_probe(session, actor) is Probe.WAITING
        see_test(session, actor)
    with clock.frozen(night), world.database.read() as session:
        assert latest_probe(session, actor) is Probe.SEEN
        assert session.scalars(sa.select(Alert.arrived_at)).one() == night


def test_without_a_subscription_there_is_nothing_to_test(world: PushWorld) -> None:
    with world.database.write() as session, pytest.raises(RuleBroken, match="Schalte zuerst"):
        send_test(session, sign_in(session, world.yilmaz))
