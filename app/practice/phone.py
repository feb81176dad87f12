"""The drawn lock screen: the messages that a real phone would show, with buttons that work."""

from sqlalchemy.orm import Session

from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor
from app.offers.actions import answer_no, answer_yes
from app.practice.games import BEGINS_AT
from app.push.actions import mark_alerts_seen
from app.push.models import Alert
from app.push.queries import ShownAlert, alerts_since, unseen_alerts

MOST_CARDS = 5
MOST_BESIDE = 3


def cards(session: Session, actor: Actor) -> list[ShownAlert]:
    """The newest messages of this person that nobody has opened yet."""
    return unseen_alerts(session, actor, is_practice=True)[:MOST_CARDS]


def cards_of_story(session: Session, actor: Actor) -> list[ShownAlert]:
    """What this person was told since the Vorführung began, opened or not."""
    return alerts_since(session, actor, BEGINS_AT, is_practice=True)[:MOST_BESIDE]


def open_alert(session: Session, actor: Actor, alert_id: str) -> str:
    """The person opens a message: it is seen; returns its path below the root."""
    alert = _own_alert(session, actor, alert_id)
    mark_alerts_seen(session, actor.firm_id, actor.person_id, alert.subject_id)
    return alert.url


def answer_alert(session: Session, actor: Actor, alert_id: str, said: str) -> str:
    """The answer from the lock screen, yes or no, as the token of a real message would give it; returns who asked.

    Raises Conflict when the request is over, RuleBroken for a message that cannot be answered.
    """
    alert = _own_alert(session, actor, alert_id)
    if said not in ("yes", "no") or not alert.values.get("has_answer"):
        raise RuleBroken("Diese Nachricht hat keine Antwort. Öffne sie.")
    version = alert.values.get("version")
    if said == "no":
        answer_no(session, actor.firm_id, actor.person_id, alert.subject_id)
    else:
        told, shown = version if isinstance(version, int) else None, alert.values.get("proposal_key")
        answer_yes(session, actor.firm_id, actor.person_id, alert.subject_id, by_token=True, shown=shown, version=told)
    mark_alerts_seen(session, actor.firm_id, actor.person_id, alert.subject_id)
    return str(alert.values.get("name", ""))


def _own_alert(session: Session, actor: Actor, alert_id: str) -> Alert:
    alert = session.get(Alert, (actor.firm_id, alert_id))
    if alert is None or alert.person_id != actor.person_id:
        raise NotFound
    return alert
