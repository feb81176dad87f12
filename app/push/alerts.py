"""Writing down what people are to be told, and when; the ways to their phones and mailboxes come later."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.events import PersonAlerted
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.models import Person
from app.push.messages import KINDS
from app.push.models import Alert, AnswerToken, PushDelivery
from app.push.queries import quiet_of, receivers
from app.push.rules import (
    MANAGER_MIN,
    MOST_CALM_A_DAY,
    SECOND_CHANNEL_MIN,
    Quiet,
    add_working,
    day_bounds,
    end_of_quiet,
    next_day,
    pages_above,
    remind_moment,
)


def alert_people(
    session: Session,
    firm_id: str,
    persons: Iterable[Person | str],
    kind: str,
    subject_id: str,
    url: str,
    values: Mapping[str, Any],
    once_key: str = "",
    *,
    may_escalate: bool = True,
) -> list[Alert]:
    """Tell these people (persons or their ids), or the deputies of those who are away; returns the alerts written.

    `url` is a path below the root. The same `once_key` tells each person once. A newer alert about the same thing
    takes the place of the older one. Raises KeyError for a kind that messages.KINDS does not know.
    """
    spec = KINDS[kind]
    written = []
    for person in receivers(session, firm_id, persons):
        key = f"{once_key}:{person.id}"[:160] if once_key else new_id()
        if once_key and _is_known(session, firm_id, key):
            continue
        _replace_older(session, person, kind, subject_id)
        alert = _new_alert(session, person, kind, subject_id, url, values, key)
        if spec.escalates and may_escalate:
            quiet = quiet_of(person, alert.due_at)
            alert.deputy_due_at = alert.mail_due_at
            alert.manager_due_at = add_working(alert.due_at, MANAGER_MIN, quiet)
            alert.remind_at = _remind_at(values, alert.due_at, quiet)
        session.add(alert)
        session.flush()
        if alert.due_at <= clock.now():
            emit(session, PersonAlerted(firm_id, alert.id))
        written.append(alert)
    return written


def cancel_alerts(session: Session, firm_id: str, subject_id: str) -> None:
    """The matter is settled: nothing more about it leaves, reminds or escalates. Answer tokens live on until used."""
    session.execute(
        sa.update(Alert)
        .where(Alert.firm_id == firm_id, Alert.subject_id == subject_id, Alert.cancelled_at.is_(None))
        .values(cancelled_at=clock.now())
    )


def mark_alerts_seen(session: Session, firm_id: str, person_id: str, subject_id: str) -> None:
    """The person has opened the page of this thing: no e-mail, no deputy for it any more."""
    session.execute(
        sa.update(Alert)
        .where(Alert.firm_id == firm_id, Alert.person_id == person_id, Alert.subject_id == subject_id)
        .where(Alert.seen_at.is_(None))
        .values(seen_at=clock.now())
    )


def mark_page_seen(session: Session, actor: Actor, path: str) -> None:
    """The person has opened the page that these alerts lead to, or one below it."""
    session.execute(
        sa.update(Alert)
        .where(Alert.firm_id == actor.firm_id, Alert.person_id == actor.person_id, Alert.seen_at.is_(None))
        .where(Alert.kind != "test", Alert.url.in_(pages_above(path)))
        .values(seen_at=clock.now())
    )


def write_test(session: Session, person: Person, device_id: str) -> Alert:
    """A test message for one device, at once: whoever asks for it is not resting."""
    now = clock.now()
    alert = _bare_alert(person, "test", device_id, "/nachrichten", {}, new_id(), now)
    alert.device_id = device_id
    session.add(alert)
    session.flush()
    emit(session, PersonAlerted(person.firm_id, alert.id))
    return alert


def _new_alert(
    session: Session, person: Person, kind: str, subject_id: str, url: str, values: Mapping[str, Any], key: str
) -> Alert:
    now = clock.now()
    quiet = quiet_of(person, now)
    due_at = end_of_quiet(now, quiet)
    if not KINDS[kind].is_urgent:
        due_at = _first_calm_slot(session, person, due_at, quiet)
    alert = _bare_alert(person, kind, subject_id, url, values, key, due_at)
    if KINDS[kind].has_mail:
        alert.mail_due_at = add_working(due_at, SECOND_CHANNEL_MIN, quiet)
    return alert


def _bare_alert(
    person: Person, kind: str, subject_id: str, url: str, values: Mapping[str, Any], key: str, due_at: dt.datetime
) -> Alert:
    return Alert(
        firm_id=person.firm_id,
        id=new_id(),
        created_at=clock.now(),
        person_id=person.id,
        kind=kind,
        subject_id=subject_id,
        values=dict(values),
        url=url,
        once_key=key,
        due_at=due_at,
    )


def erase_alerts(session: Session, firm_id: str, subject_id: str) -> None:
    """Erase what was told about a subject and about its threads."""
    about = sa.or_(Alert.subject_id == subject_id, Alert.subject_id.startswith(f"{subject_id}:"))
    gone = sa.select(Alert.id).where(Alert.firm_id == firm_id, about)
    for table in (PushDelivery, AnswerToken):
        session.execute(sa.delete(table).where(table.firm_id == firm_id, table.alert_id.in_(gone)))
    session.execute(sa.delete(Alert).where(Alert.firm_id == firm_id, about))


def _is_known(session: Session, firm_id: str, key: str) -> bool:
    found = session.scalar(sa.select(Alert.id).where(Alert.firm_id == firm_id, Alert.once_key == key))
    return found is not None


def _replace_older(session: Session, person: Person, kind: str, subject_id: str) -> None:
    session.execute(
        sa.update(Alert)
        .where(Alert.firm_id == person.firm_id, Alert.person_id == person.id)
        .where(Alert.subject_id == subject_id, Alert.kind == kind, Alert.cancelled_at.is_(None))
        .values(cancelled_at=clock.now())
    )


def _first_calm_slot(session: Session, person: Person, due_at: dt.datetime, quiet: Quiet) -> dt.datetime:
    """The first day that has not had its three; the fourth message waits for the next working morning."""
    while _calm_on(session, person, due_at) >= MOST_CALM_A_DAY:
        due_at = end_of_quiet(next_day(due_at), quiet)
    return due_at


def _calm_on(session: Session, person: Person, day: dt.datetime) -> int:
    calm = [kind for kind, spec in KINDS.items() if not spec.is_urgent]
    first, after = day_bounds(day)
    count = session.scalar(
        sa.select(sa.func.count())
        .select_from(Alert)
        .where(Alert.firm_id == person.firm_id, Alert.person_id == person.id, Alert.kind.in_(calm))
        .where(Alert.due_at >= first, Alert.due_at < after)
        .where(sa.or_(Alert.cancelled_at.is_(None), Alert.sent_at.is_not(None)))
    )
    return count or 0


def _remind_at(values: Mapping[str, Any], due_at: dt.datetime, quiet: Quiet) -> dt.datetime | None:
    if not values.get("reply_by"):
        return None
    return remind_moment(dt.datetime.fromisoformat(values["reply_by"]), due_at, quiet)
