"""Subscriptions of browsers: kept with the sign-in, renewed without a word, and gone with it."""

import base64
import hmac
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import SignedOut
from app.core.ids import new_id
from app.firms.access import Actor
from app.firms.models import Person
from app.firms.queries import person_for
from app.passkeys.models import SignIn
from app.push.alerts import write_test
from app.push.models import Alert, PushDelivery, PushDevice
from app.push.queries import own_device, this_device
from app.push.rules import check_endpoint, oldest_to_drop


@dataclass(frozen=True)
class Subscription:
    """What a browser hands over (Push API); keys are base64url."""

    endpoint: str
    p256dh: str
    auth: str
    has_buttons: bool = True
    name: str = ""


def save_device(
    session: Session, actor: Actor, subscription: Subscription, test_hosts: Collection[str] = ()
) -> PushDevice:
    """Keep the subscription of this sign-in, new or renewed. Raises RuleBroken for a service or keys we do not take.

    A browser in which somebody else signs in keeps its subscription: it then belongs to the new person.
    """
    check_endpoint(subscription.endpoint, test_hosts)
    _check_keys(subscription)
    _lock_person(session, actor)
    _take_over(session, actor, subscription)
    row = this_device(session, actor) or _new_device(session, actor)
    if getattr(row, "endpoint", None) != subscription.endpoint:
        row.failed_at = row.retry_at = row.gone_at = row.off_at = row.last_receipt_at = row.last_sent_at = None
        row.failures = 0
    row.endpoint, row.p256dh, row.auth = subscription.endpoint, subscription.p256dh, subscription.auth
    row.has_buttons, row.name = subscription.has_buttons, subscription.name[:80]
    try:
        session.flush()
    except IntegrityError:
        raise Conflict("Das lief gerade doppelt. Versuch es noch einmal.") from None
    _drop_oldest(session, actor)
    return row


def remove_device(session: Session, actor: Actor, device_id: str) -> None:
    """Forget one own subscription; raises NotFound for another person's."""
    _switch_off(own_device(session, actor, device_id))
    session.flush()


def put_off_messages(session: Session, actor: Actor) -> None:
    """The person said "Später" on this device: it is not asked again. A device that takes messages keeps doing so."""
    if this_device(session, actor) is None:
        _switch_off(_new_device(session, actor))
        session.flush()


def remove_devices_of_sign_in(session: Session, sign_in_public_id: str) -> None:
    """Signing out takes the subscription along; delivery asks for the sign-in too, so forgetting this leaks nothing."""
    session.execute(sa.delete(PushDevice).where(PushDevice.sign_in_id == sign_in_public_id))


def remove_orphans(session: Session) -> None:
    """Forget subscriptions whose sign-in is gone."""
    signed_in = sa.exists().where(SignIn.public_id == PushDevice.sign_in_id)
    session.execute(sa.delete(PushDevice).where(~signed_in))


def send_test(session: Session, actor: Actor, device_id: str = "") -> Alert:
    """Write a test message for one own device, usually the one that asks. Raises RuleBroken when it has none."""
    device = own_device(session, actor, device_id) if device_id else this_device(session, actor)
    if device is None or device.gone_at is not None:
        raise RuleBroken("Schalte zuerst die Nachrichten ein.")
    device.retry_at = None
    return write_test(session, person_for(session, actor.firm_id, actor.person_id), device.id)


def see_test(session: Session, actor: Actor) -> None:
    """The person says on the page that the test message is there (iPhones have no button on it)."""
    now = clock.now()
    tests = sa.select(Alert.id).where(
        Alert.firm_id == actor.firm_id,
        Alert.person_id == actor.person_id,
        Alert.kind == "test",
        Alert.seen_at.is_(None),
    )
    ids = list(session.scalars(tests))
    session.execute(
        sa.update(Alert)
        .where(Alert.firm_id == actor.firm_id, Alert.id.in_(ids))
        .values(seen_at=now, arrived_at=sa.func.coalesce(Alert.arrived_at, now))
    )
    reached = sa.select(PushDelivery.device_id).where(
        PushDelivery.firm_id == actor.firm_id, PushDelivery.alert_id.in_(ids), PushDelivery.outcome == "sent"
    )
    session.execute(
        sa.update(PushDevice)
        .where(PushDevice.firm_id == actor.firm_id, PushDevice.id.in_(reached))
        .values(last_receipt_at=now)
    )


def _new_device(session: Session, actor: Actor) -> PushDevice:
    row = PushDevice(
        firm_id=actor.firm_id,
        id=new_id(),
        created_at=clock.now(),
        person_id=actor.person_id,
        sign_in_id=actor.session_id,
    )
    session.add(row)
    return row


def _switch_off(device: PushDevice) -> None:
    """The row stays without an address: else the page would renew the subscription without a word."""
    device.gone_at = device.off_at = clock.now()
    device.endpoint, device.p256dh, device.auth = f"off:{device.id}", "", ""


def _check_keys(subscription: Subscription) -> None:
    """RFC 8291, section 2: an uncompressed point on P-256 and 16 bytes."""
    try:
        point, secret = _bytes(subscription.p256dh), _bytes(subscription.auth)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise _broken_keys() from None
    if len(point) != 65 or len(secret) != 16:
        raise _broken_keys()


def _take_over(session: Session, actor: Actor, subscription: Subscription) -> None:
    """The same browser under another sign-in: only who knows the subscription's secret may move it."""
    other = session.scalar(sa.select(PushDevice).where(PushDevice.endpoint == subscription.endpoint))
    if other is None or (other.firm_id, other.sign_in_id) == (actor.firm_id, actor.session_id):
        return
    if not hmac.compare_digest(other.auth.encode(), subscription.auth.encode()):
        raise _broken_keys()
    session.delete(other)
    session.flush()


def _drop_oldest(session: Session, actor: Actor) -> None:
    newest_first = (
        sa.select(PushDevice.id)
        .where(PushDevice.firm_id == actor.firm_id, PushDevice.person_id == actor.person_id)
        .order_by(PushDevice.created_at.desc(), PushDevice.id.desc())
    )
    too_many = oldest_to_drop(session.scalars(newest_first).all())
    if too_many:
        session.execute(sa.delete(PushDevice).where(PushDevice.firm_id == actor.firm_id, PushDevice.id.in_(too_many)))


def _lock_person(session: Session, actor: Actor) -> None:
    """Two pages of one person that renew at once go one after the other."""
    found = session.scalar(
        sa.select(Person.id).where(Person.firm_id == actor.firm_id, Person.id == actor.person_id).with_for_update()
    )
    if found is None:
        raise NotFound


def _broken_keys() -> RuleBroken:
    return RuleBroken("Die Nachrichten sind noch nicht an. Versuch es noch einmal.")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def remove_devices(session: Session, event: SignedOut) -> None:
    """A device was signed out: it gets no message any more."""
    remove_devices_of_sign_in(session, event.sign_in_id)
