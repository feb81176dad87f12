"""Alerts that are due leave the house: handed out to devices, claimed by one worker, sent, and what became of it."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.db import Database, each_alone
from app.core.ids import new_id
from app.core.turns import Turns
from app.firms.models import Person
from app.notary.transfer import firms_elsewhere
from app.passkeys.models import SignIn
from app.passkeys.queries import is_living
from app.push.mails import send_due_mails
from app.push.messages import KINDS
from app.push.models import Alert, PushDelivery, PushDevice
from app.push.payload import Letter, build_payload
from app.push.queries import live_devices, quiet_of
from app.push.rules import LEASE, LONGEST_TRY, Outcome, Result, end_of_quiet
from app.push.vapid import VapidHeaders, vapid_key, vapid_public_key

__all__ = ["send_due_alerts", "send_due_mails"]
MOST_AT_ONCE = 256
_turns = Turns()
_headers: dict[str, VapidHeaders] = {}
"""By public key: another database may come to the same address, restored or in tests"""


def send_due_alerts(database: Database, config: Config) -> None:
    """Send everything that is due. One run per process and database; a call during a run makes it look once more.

    The practice world sends nothing, ever. A crash after sending repeats the message under the same tag.
    """
    if config.is_practice:
        return
    _turns.run(database.url, lambda: _run(database, config))


def hand_out(database: Database) -> None:
    """Give every due alert to the person's devices; without any it goes by mail at once."""
    now = clock.now()
    if not _is_anything_due(database, now):
        return
    with database.write() as session:
        due = session.scalars(_due_alerts(now)).all()
        each_alone(session, due, partial(_hand_out_one, session, now=now), partial(_take, session, now=now))


def claim(database: Database, config: Config) -> list[Letter]:
    """Take deliveries nobody else is sending: whoever moves `next_try_at` has them for two minutes.

    True afterwards: a worker that dies now leaves them to the next one when the lease ends.
    """
    now = clock.now()
    with database.read() as session:
        if session.scalar(sa.select(sa.exists(_open_deliveries(now)))) is not True:
            return []
    with database.write() as session:
        found = session.execute(_open_deliveries(now).with_for_update(skip_locked=True, of=PushDelivery)).all()
        letters: list[Letter | None] = []
        each_alone(
            session,
            found,
            lambda row: letters.append(_claim_one(session, config, *row, now)),
            lambda row: _end(row[0], "dropped", now),
        )
    return [letter for letter in letters if letter is not None]


def note_results(database: Database, results: Sequence[Result]) -> None:
    """Write down what became of each try, and what follows for the device."""
    now = clock.now()
    with database.write() as session:
        tries = [(session.get(PushDelivery, result.key), result) for result in results]
        still_open = [(row, result) for row, result in tries if row is not None and row.done_at is None]
        # devices are locked in one order, so that two workers never wait for each other in a circle
        for delivery, result in sorted(still_open, key=lambda pair: pair[0].device_id):
            _note(session, delivery, result, now)


def _run(database: Database, config: Config) -> None:
    hand_out(database)
    letters = claim(database, config)
    if letters:
        asyncio.run(_send_batches(database, config, letters))


async def _send_batches(database: Database, config: Config, letters: list[Letter]) -> None:
    """One session for all batches. Nothing is in flight while the database is asked, so it may block."""
    from app.push.sending import postman  # with aiohttp, which the web never needs: a tenth of its start

    async with postman(_vapid(database, config), config.push_test_hosts) as post:
        while letters:
            note_results(database, await post.send_all(letters, clock.now()))
            hand_out(database)
            letters = claim(database, config)


def _vapid(database: Database, config: Config) -> VapidHeaders:
    key = vapid_public_key(database, config)
    if key not in _headers:
        _headers[key] = VapidHeaders(vapid_key(database, config), config.push_contact)
    return _headers[key]


def _is_anything_due(database: Database, now: dt.datetime) -> bool:
    with database.read() as session:
        return session.scalar(sa.select(sa.exists(_due_alerts(now)))) is True


def _due_alerts(now: dt.datetime) -> sa.Select[Alert]:
    return (
        sa.select(Alert)
        .where(Alert.due_at <= now, Alert.sent_at.is_(None), Alert.cancelled_at.is_(None))
        .where(Alert.firm_id.not_in(firms_elsewhere()))
        .order_by(Alert.due_at, Alert.id)
        .limit(MOST_AT_ONCE)
    )


def _hand_out_one(session: Session, alert: Alert, now: dt.datetime) -> None:
    if _take(session, alert, now):
        _hand_to_devices(session, alert, now)


def _take(session: Session, alert: Alert, now: dt.datetime) -> bool:
    """Two workers at once: one of them changes the row, the other finds it changed."""
    taken = session.execute(
        sa.update(Alert)
        .where(Alert.firm_id == alert.firm_id, Alert.id == alert.id, Alert.sent_at.is_(None))
        .values(sent_at=now)
        .returning(Alert.id)
        .execution_options(synchronize_session=False)
    )
    return taken.one_or_none() is not None


def _hand_to_devices(session: Session, alert: Alert, now: dt.datetime) -> None:
    devices = [
        device
        for device in live_devices(session, alert.firm_id, alert.person_id, now)
        if alert.device_id in (None, device.id)
    ]
    for device in devices:
        session.add(
            PushDelivery(
                firm_id=alert.firm_id,
                id=new_id(),
                created_at=now,
                alert_id=alert.id,
                device_id=device.id,
                next_try_at=now,
            )
        )
    if not any(device.failed_at is None for device in devices):
        _mail_now(alert, now)


def _open_deliveries(now: dt.datetime) -> sa.Select[PushDelivery, Alert, PushDevice, Person]:
    return (
        sa.select(PushDelivery, Alert, PushDevice, Person)
        .join(Alert, (Alert.firm_id == PushDelivery.firm_id) & (Alert.id == PushDelivery.alert_id))
        .join(PushDevice, (PushDevice.firm_id == PushDelivery.firm_id) & (PushDevice.id == PushDelivery.device_id))
        .join(Person, (Person.firm_id == Alert.firm_id) & (Person.id == Alert.person_id))
        .where(PushDelivery.done_at.is_(None), PushDelivery.next_try_at <= now)
        .where(sa.or_(PushDevice.retry_at.is_(None), PushDevice.retry_at <= now))
        .order_by(PushDelivery.next_try_at, PushDelivery.id)
        .limit(MOST_AT_ONCE)
    )


def _claim_one(
    session: Session,
    config: Config,
    delivery: PushDelivery,
    alert: Alert,
    device: PushDevice,
    person: Person,
    now: dt.datetime,
) -> Letter | None:
    if not _is_worth_sending(session, alert, device, person, now):
        _end(delivery, "dropped", now)
        return None
    if (rings_at := _rings_at(alert, person, now)) > now:
        delivery.next_try_at = rings_at
        return None
    claimed = session.execute(
        sa.update(PushDelivery)
        .where(PushDelivery.firm_id == delivery.firm_id, PushDelivery.id == delivery.id)
        .where(PushDelivery.done_at.is_(None), PushDelivery.attempts == delivery.attempts)
        .values(next_try_at=now + LEASE, attempts=delivery.attempts + 1)
        .returning(PushDelivery.attempts)
        .execution_options(synchronize_session=False)
    )
    attempts = claimed.scalar_one_or_none()
    if attempts is None:
        return None
    payload = build_payload(session, config, alert, device, person, now)
    return Letter((delivery.firm_id, delivery.id), device.endpoint, device.p256dh, device.auth, payload, attempts)


def _is_worth_sending(session: Session, alert: Alert, device: PushDevice, person: Person, now: dt.datetime) -> bool:
    """Not what was settled or seen meanwhile, not after a day, not to a device that was signed out."""
    if alert.cancelled_at is not None or alert.seen_at is not None or now - alert.due_at >= LONGEST_TRY:
        return False
    if person.left_at is not None or device.gone_at is not None or device.person_id != alert.person_id:
        return False
    sign_in = sa.select(SignIn.public_id).where(
        SignIn.public_id == device.sign_in_id, SignIn.person_id == device.person_id, is_living(now)
    )
    return session.scalar(sign_in) is not None


def _rings_at(alert: Alert, person: Person, now: dt.datetime) -> dt.datetime:
    """A message that comes late must not ring at night; a test message is wanted at once."""
    return now if alert.device_id else end_of_quiet(now, quiet_of(person, now))


def _note(session: Session, delivery: PushDelivery, result: Result, now: dt.datetime) -> None:
    if result.outcome is Outcome.LATER:
        delivery.next_try_at = now + dt.timedelta(seconds=result.wait_s)
    else:
        _end(delivery, result.outcome, now)
    device = session.get(PushDevice, (delivery.firm_id, delivery.device_id), with_for_update=True)
    if device is not None:
        _note_health(device, result, now)
    if result.outcome in (Outcome.GONE, Outcome.REFUSED):
        _use_mail_instead(session, delivery, now)


def _note_health(device: PushDevice, result: Result, now: dt.datetime) -> None:
    if result.outcome is Outcome.SENT:
        device.last_sent_at, device.failures = now, 0
        device.failed_at = device.retry_at = None
    elif result.outcome is Outcome.GONE:
        device.gone_at = now
        device.endpoint, device.p256dh, device.auth = f"gone:{device.id}", "", ""
    else:
        device.failures += 1
        device.failed_at = device.failed_at or now
        device.retry_at = now + dt.timedelta(seconds=result.wait_s) if result.wait_s else None


def _use_mail_instead(session: Session, delivery: PushDelivery, now: dt.datetime) -> None:
    """No device got it and none will: the mailbox does, without waiting for the half hour."""
    session.flush()
    hope = session.scalar(
        sa.select(PushDelivery.id)
        .where(PushDelivery.firm_id == delivery.firm_id, PushDelivery.alert_id == delivery.alert_id)
        .where(sa.or_(PushDelivery.outcome == "sent", PushDelivery.done_at.is_(None)))
        .limit(1)
    )
    alert = session.get(Alert, (delivery.firm_id, delivery.alert_id))
    if hope is None and alert is not None:
        _mail_now(alert, now)


def _mail_now(alert: Alert, now: dt.datetime) -> None:
    if KINDS[alert.kind].has_mail and alert.mailed_at is None:
        alert.mail_due_at = now


def _end(delivery: PushDelivery, outcome: str, now: dt.datetime) -> None:
    delivery.done_at, delivery.outcome = now, outcome
