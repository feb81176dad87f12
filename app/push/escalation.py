"""When nobody looks: the deputy, then the manager; before the deadline one reminder; and what is old goes."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.db import each_alone
from app.firms.access import Role
from app.firms.actions import note_event
from app.firms.queries import people
from app.notary.transfer import firms_elsewhere
from app.push.alerts import alert_people
from app.push.devices import remove_orphans
from app.push.messages import ESCALATING
from app.push.models import Alert, AnswerToken, Mail, PushDelivery
from app.push.queries import deputy_of

MOST_AT_ONCE = 500
KEEP = dt.timedelta(days=14)


def escalate_requests(session: Session, now: dt.datetime) -> None:
    """Requests that nobody of the firm has seen: after 30 working minutes the deputies know, after 60 the managers."""
    each_alone(
        session,
        _due(session, Alert.deputy_due_at, now),
        lambda alert: _tell_deputy(session, alert, now),
        lambda alert: setattr(alert, "deputy_due_at", None),
    )
    each_alone(
        session,
        _due(session, Alert.manager_due_at, now),
        lambda alert: _tell_managers(session, alert, now),
        lambda alert: setattr(alert, "manager_due_at", None),
    )


def remind_people(session: Session, now: dt.datetime) -> None:
    """One reminder per request and person, two working hours before the deadline, while it waits for an answer."""
    each_alone(
        session,
        _due(session, Alert.remind_at, now),
        lambda alert: _remind(session, alert, now),
        lambda alert: setattr(alert, "remind_at", None),
    )


def forget_old_rows(session: Session, now: dt.datetime) -> None:
    """Once an hour: what ended two weeks ago is of no use to anybody, nor is a device that was signed out."""
    if now.minute:
        return
    before = now - KEEP
    remove_orphans(session)
    session.execute(sa.delete(AnswerToken).where(AnswerToken.expires_at < before))
    session.execute(sa.delete(PushDelivery).where(PushDelivery.created_at < before))
    session.execute(sa.delete(Mail).where(Mail.sent_at < before))


def _due(
    session: Session, column: sa.orm.InstrumentedAttribute[dt.datetime | None], now: dt.datetime
) -> Sequence[Alert]:
    return session.scalars(
        sa.select(Alert)
        .where(column <= now, Alert.cancelled_at.is_(None), Alert.firm_id.not_in(firms_elsewhere()))
        .order_by(column, Alert.id)
        .limit(MOST_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()


def _remind(session: Session, alert: Alert, now: dt.datetime) -> None:
    alert.remind_at = None
    if _is_over(alert, now):
        return
    alert_people(
        session,
        alert.firm_id,
        [alert.person_id],
        "reminder",
        alert.subject_id,
        alert.url,
        alert.values | {"now": now.isoformat()},
        f"reminder:{alert.subject_id}",
    )


def _tell_deputy(session: Session, alert: Alert, now: dt.datetime) -> None:
    alert.deputy_due_at = None
    deputy = deputy_of(session, alert.firm_id, alert.person_id)
    if deputy is None or _is_over(alert, now) or _is_seen(session, alert):
        return
    if _pass_on(session, alert, [deputy.id], "deputy"):
        _note(session, alert, "request_to_deputy")


def _tell_managers(session: Session, alert: Alert, now: dt.datetime) -> None:
    alert.manager_due_at = None
    if _is_over(alert, now) or _is_seen(session, alert):
        return
    managers = [person.id for person in people(session, alert.firm_id, Role.MANAGER)]
    if _pass_on(session, alert, managers, "manager"):
        _note(session, alert, "request_to_manager")


def _pass_on(session: Session, alert: Alert, person_ids: Sequence[str], step: str) -> bool:
    """Tell those who were not told yet; one message each, however many foremen looked away."""
    told = set(
        session.scalars(
            sa.select(Alert.person_id).where(
                Alert.firm_id == alert.firm_id,
                Alert.subject_id == alert.subject_id,
                Alert.kind == alert.kind,
                Alert.cancelled_at.is_(None),
            )
        )
    )
    missing = [person_id for person_id in person_ids if person_id not in told]
    once = f"{step}:{alert.kind}:{alert.subject_id}:{alert.values.get('version', 1)}"
    written = alert_people(
        session, alert.firm_id, missing, alert.kind, alert.subject_id, alert.url, alert.values, once, may_escalate=False
    )
    return bool(written)


def _note(session: Session, alert: Alert, verb: str) -> None:
    once = f"{verb}:{alert.subject_id}:{alert.values.get('version', 1)}"
    note_event(session, alert.firm_id, None, verb, "request", alert.subject_id, once_key=once)


def _is_seen(session: Session, alert: Alert) -> bool:
    """One pair of eyes is enough for the whole firm."""
    found = session.scalar(
        sa.select(Alert.id)
        .where(Alert.firm_id == alert.firm_id, Alert.subject_id == alert.subject_id, Alert.kind.in_(ESCALATING))
        .where(Alert.seen_at.is_not(None), Alert.cancelled_at.is_(None))
        .limit(1)
    )
    return found is not None


def _is_over(alert: Alert, now: dt.datetime) -> bool:
    reply_by = alert.values.get("reply_by")
    return False if not reply_by else dt.datetime.fromisoformat(reply_by) <= now
