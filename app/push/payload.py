"""From an alert to the bytes that one device gets: text, link, tag and one-time token, nothing else (static/sw.js)."""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.config import Config
from app.firms.models import Person
from app.push.messages import (
    ANSWER_PATH,
    ARRIVED_PATH,
    FAILED,
    HOURS_PATH,
    KINDS,
    SEEN_PATH,
    THANKS,
    UNDO,
    Said,
    message,
    translate,
)
from app.push.models import Alert, PushDevice
from app.push.queries import unseen_count
from app.push.rules import MOST_PAYLOAD_BYTES
from app.push.tokens import make_answer_token, receipt_ticket

DECLARATIVE = 8030
"""The magic number of a declarative push message, which Safari shows without our script"""
ANSWERS = ("yes", "no", "send")
ASKS = ("request", "reminder", "know_how")


@dataclass(frozen=True)
class Payload:
    """What is encrypted for one device, and what its service is told about it."""

    body: bytes
    tag: str
    ttl_s: int
    is_urgent: bool


@dataclass(frozen=True)
class Letter:
    """One encrypted message to be: where to, for which keys, with what."""

    key: tuple[str, str]
    """(firm_id, id) of the delivery"""
    endpoint: str
    p256dh: str
    auth: str
    payload: Payload
    attempts: int


def build_payload(
    session: Session, config: Config, alert: Alert, device: PushDevice, person: Person, now: dt.datetime
) -> Payload:
    """Write the message in the person's language; makes the answer token where a plain yes or no is possible."""
    said = message(alert.kind, alert.values, person.language)
    token, answers = _token(session, alert, device, now)
    buttons = [(action, label) for action, label in said.buttons if action not in ANSWERS or action in answers]
    tag = tag_of(alert)
    data: dict[str, Any] = {"id": alert.id} | _reports(config, alert, device)
    if token:
        data |= _answering(person.language, token, HOURS_PATH if alert.kind == "hours" else ANSWER_PATH)
    notification = {
        "title": said.title,
        "body": said.body,
        "tag": tag,
        "lang": person.language,
        "navigate": f"{config.public_url}{alert.url}",
        "data": data,
        "actions": [{"action": action, "title": label} for action, label in buttons] if device.has_buttons else [],
    }
    body = {"web_push": DECLARATIVE, "notification": notification}
    badge = unseen_count(session, alert.firm_id, alert.person_id, now)
    return Payload(_packed(body | {"app_badge": badge}, said), tag, _ttl_s(alert, now), KINDS[alert.kind].is_urgent)


def tag_of(alert: Alert) -> str:
    """Messages about the same thing replace each other: a reminder takes the place of its request."""
    family = "request" if alert.kind in ASKS else alert.kind
    return f"{family}:{alert.subject_id}"


def deadline_of(alert: Alert) -> dt.datetime | None:
    """The moment until which an answer counts."""
    reply_by = alert.values.get("reply_by")
    return dt.datetime.fromisoformat(reply_by) if reply_by else None


def allowed_answers(alert: Alert) -> tuple[str, ...]:
    """What a tap may answer: yes only for a whole proposal with rates; a no costs nobody anything."""
    offered = {action for action, _ in KINDS[alert.kind].buttons} & set(ANSWERS)
    if "yes" in offered and not alert.values.get("has_answer"):
        return ()
    return tuple(answer for answer in ANSWERS if answer in offered)


def _token(session: Session, alert: Alert, device: PushDevice, now: dt.datetime) -> tuple[str, tuple[str, ...]]:
    deadline, answers = deadline_of(alert), allowed_answers(alert)
    if deadline is None or deadline <= now or not answers:
        return "", ()
    return make_answer_token(session, alert, device.id, deadline, answers), answers


def _reports(config: Config, alert: Alert, device: PushDevice) -> dict[str, str]:
    ticket = receipt_ticket(config, alert.firm_id, alert.id, device.id)
    return {"seen_url": f"{SEEN_PATH}?zettel={ticket}", "arrived_url": f"{ARRIVED_PATH}?zettel={ticket}"}


def _answering(language: str, token: str, path: str) -> dict[str, Any]:
    return {
        "token": token,
        "answer_url": path,
        "undo_title": translate(language, UNDO),
        "thanks": {"title": translate(language, THANKS[0]), "body": ""},
        "failed": {"title": translate(language, FAILED)},
    }


def _ttl_s(alert: Alert, now: dt.datetime) -> int:
    """How long the service keeps it for a phone that is off: to the deadline, at most a day."""
    deadline = deadline_of(alert)
    left_s = int((deadline - now).total_seconds()) if deadline else 86_400
    return min(max(left_s, 60), 86_400)


def _packed(body: dict[str, Any], said: Said) -> bytes:
    """Compact JSON; what would not fit into one record loses its extras and stays a plain message."""
    packed = _json(body)
    if len(packed) <= MOST_PAYLOAD_BYTES:
        return packed
    plain = {"title": said.title, "body": said.body, "navigate": body["notification"]["navigate"]}
    return _json({"web_push": DECLARATIVE, "notification": plain})


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
