"""Alerts and devices of the acting person, and whom a message may reach."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound
from app.core.holidays import holidays_near
from app.core.units import BERLIN
from app.firms.access import Actor
from app.firms.models import Person
from app.passkeys.models import SignIn
from app.passkeys.queries import is_living
from app.push.messages import ESCALATING, Said, message
from app.push.models import Alert, PushDevice
from app.push.rules import Health, Probe, Quiet, endpoint_mark, health_of, pages_above, probe_state

MOST_SHOWN = 20
PROBE_LIFE = dt.timedelta(minutes=10)


@dataclass(frozen=True)
class DeviceRow:
    """One own device with its light."""

    id: str
    name: str
    health: Health
    was_tried: bool
    last_receipt_at: dt.datetime | None
    is_this: bool


@dataclass(frozen=True)
class ShownAlert:
    """An alert as a lock screen shows it; `url` is a path below the root of the world."""

    id: str
    kind: str
    subject_id: str
    title: str
    body: str
    url: str
    buttons: tuple[tuple[str, str], ...]
    can_answer: bool
    created_at: dt.datetime


def quiet_of(person: Person, now: dt.datetime) -> Quiet:
    """When this person rests: on the state's holidays of the coming months wherever the person works."""
    holidays = holidays_near(now.astimezone(BERLIN).date())
    return Quiet(person.quiet_from, person.quiet_to, person.quiet_weekend, holidays)


def receivers(session: Session, firm_id: str, persons: Iterable[Person | str]) -> list[Person]:
    """The present people among them, each once; the deputy in the place of somebody who is away."""
    found: dict[str, Person] = {}
    for person in persons:
        person_id = person if isinstance(person, str) else person.id
        present = session.get(Person, (firm_id, person_id))
        if present is None or present.left_at is not None:
            continue
        stand_in = _present_deputy(session, present) if present.is_absent else None
        chosen = stand_in or present
        found[chosen.id] = chosen
    return list(found.values())


def deputy_of(session: Session, firm_id: str, person_id: str) -> Person | None:
    """Who stands in for a person, if somebody is named and present."""
    person = session.get(Person, (firm_id, person_id))
    return _present_deputy(session, person) if person else None


def live_devices(session: Session, firm_id: str, person_id: str, now: dt.datetime) -> Sequence[PushDevice]:
    """Subscriptions that still have an address and a sign-in: a device that was signed out gets nothing more."""
    return session.scalars(
        sa.select(PushDevice)
        .join(SignIn, SignIn.public_id == PushDevice.sign_in_id)
        .where(PushDevice.firm_id == firm_id, PushDevice.person_id == person_id, PushDevice.gone_at.is_(None))
        .where(SignIn.person_id == PushDevice.person_id, SignIn.firm_id == firm_id, is_living(now))
        .order_by(PushDevice.created_at, PushDevice.id)
    ).all()


def own_devices(session: Session, actor: Actor) -> list[DeviceRow]:
    """The actor's own devices with their light, this one first; nobody sees another person's."""
    now = clock.now()
    rows = session.scalars(
        sa.select(PushDevice)
        .where(PushDevice.firm_id == actor.firm_id, PushDevice.person_id == actor.person_id)
        .where(PushDevice.off_at.is_(None))
        .order_by(PushDevice.created_at.desc(), PushDevice.id)
    )
    shown = [
        DeviceRow(
            row.id,
            row.name,
            health_of(row.last_receipt_at, row.failed_at, row.gone_at, now),
            row.last_sent_at is not None,
            row.last_receipt_at,
            row.sign_in_id == actor.session_id,
        )
        for row in rows
    ]
    return sorted(shown, key=lambda row: not row.is_this)


def own_device(session: Session, actor: Actor, device_id: str) -> PushDevice:
    """One own device; raises NotFound."""
    row = session.get(PushDevice, (actor.firm_id, device_id))
    if row is None or row.person_id != actor.person_id:
        raise NotFound
    return row


def this_device(session: Session, actor: Actor) -> PushDevice | None:
    """The subscription of the browser that asks, if it has one."""
    return session.scalar(
        sa.select(PushDevice).where(
            PushDevice.firm_id == actor.firm_id,
            PushDevice.person_id == actor.person_id,
            PushDevice.sign_in_id == actor.session_id,
        )
    )


def device_mark(session: Session, actor: Actor) -> str:
    """What the browser compares its subscription with: the mark of its address, 'gone', 'off', or '' for none yet."""
    device = this_device(session, actor)
    if device is None:
        return ""
    if device.off_at is not None:
        return "off"
    return "gone" if device.gone_at is not None else endpoint_mark(device.endpoint)


def is_ready_for_messages(session: Session, actor: Actor) -> bool:
    """Say whether to offer messages here: the person has read a first request, and this device has not been asked yet."""
    if this_device(session, actor) is not None:
        return False
    first = _own(actor).where(Alert.kind.in_(ESCALATING), Alert.seen_at.is_not(None)).limit(1)
    return session.scalar(first) is not None


def latest_probe(session: Session, actor: Actor) -> Probe:
    """How far the actor's last test message came; one older than ten minutes is forgotten."""
    now = clock.now()
    alert = session.scalar(
        _own(actor).where(Alert.kind == "test", Alert.created_at > now - PROBE_LIFE).order_by(Alert.id.desc()).limit(1)
    )
    if alert is None:
        return Probe.NONE
    return probe_state(alert.created_at, alert.arrived_at, alert.seen_at, now)


def unseen_alerts(session: Session, actor: Actor, is_practice: bool = False) -> list[ShownAlert]:
    """What would stand on the actor's lock screen now, newest first."""
    rows = session.scalars(_newest(actor).where(Alert.seen_at.is_(None), Alert.cancelled_at.is_(None)))
    return [_shown(row, message(row.kind, row.values, actor.language, is_practice)) for row in rows]


def alerts_since(session: Session, actor: Actor, since: dt.datetime, is_practice: bool = False) -> list[ShownAlert]:
    """What the actor was told since then, opened and answered or not, newest first."""
    rows = session.scalars(_newest(actor).where(Alert.created_at >= since))
    return [_shown(row, message(row.kind, row.values, actor.language, is_practice)) for row in rows]


def is_page_awaited(session: Session, actor: Actor, path: str) -> bool:
    """Say whether an alert that the actor has not seen leads to this page, or to the page above it."""
    asked = {"firm_id": actor.firm_id, "person_id": actor.person_id, "pages": pages_above(path)}
    return session.scalar(_awaited_statement(), asked) is not None


def unseen_count(session: Session, firm_id: str, person_id: str, now: dt.datetime, opened: str = "") -> int:
    """The number on the app's icon: things that wait for this person, without those of the page just opened."""
    asked = {"firm_id": firm_id, "person_id": person_id, "now": now, "pages": pages_above(opened)}
    return session.scalar(_unseen_statement(), asked) or 0


# Built once, since every page asks both: SQLAlchemy takes longer to put them together than the database to answer.


@cache
def _awaited_statement() -> sa.Select[str]:
    return sa.select(Alert.id).where(*_unread_of_one(), Alert.url.in_(_PAGES)).limit(1)


@cache
def _unseen_statement() -> sa.Select[int]:
    is_due = (Alert.due_at <= sa.bindparam("now")) & Alert.cancelled_at.is_(None)
    count = sa.func.count(sa.distinct(Alert.subject_id))
    return sa.select(count).where(*_unread_of_one(), is_due, Alert.url.not_in(_PAGES))


_PAGES: sa.BindParameter[list[str]] = sa.bindparam("pages", expanding=True)


def _unread_of_one() -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Alert.firm_id == sa.bindparam("firm_id"),
        Alert.person_id == sa.bindparam("person_id"),
        Alert.kind != "test",
        Alert.seen_at.is_(None),
    )


def _newest(actor: Actor) -> sa.Select[Alert]:
    return (
        _own(actor)
        .where(Alert.due_at <= clock.now())
        .order_by(Alert.created_at.desc(), Alert.id.desc())
        .limit(MOST_SHOWN)
    )


def _own(actor: Actor) -> sa.Select[Alert]:
    return sa.select(Alert).where(Alert.firm_id == actor.firm_id, Alert.person_id == actor.person_id)


def _shown(row: Alert, said: Said) -> ShownAlert:
    can_answer = bool(row.values.get("has_answer"))
    buttons = said.buttons if can_answer else tuple(pair for pair in said.buttons if pair[0] in ("open", "seen"))
    return ShownAlert(
        row.id, row.kind, row.subject_id, said.title, said.body, row.url, buttons, can_answer, row.created_at
    )


def _present_deputy(session: Session, person: Person) -> Person | None:
    """One step only: a deputy who is away too passes nothing on, then the first one is told after all."""
    deputy = session.get(Person, (person.firm_id, person.deputy_id)) if person.deputy_id else None
    return deputy if deputy and deputy.left_at is None and not deputy.is_absent else None
