"""Checkpoints between partners: each hour a grown log is shown, the partner cosigns it, and a contradiction is told."""

import datetime as dt
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.core.events import LogContradicted, LogHalted
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.notary.actions import remember_partner_keys
from app.notary.queries import key_document
from app.notary.witnesses import Word, add_checkpoint, answer, contradiction, is_due, take_word
from app.partners.models import Partnership

PUBLISHED, COSIGNED = "checkpoint.published", "checkpoint.cosigned"
MEMBERS = frozenset(Word.__dataclass_fields__)


def ask_witnesses(session: Session, now: dt.datetime) -> None:
    """Show every grown log to the partners who shall witness it."""
    pairs = session.execute(
        sa.select(Partnership.firm_id, Partnership.partner_id)
        .where(Partnership.state == "active")
        .order_by(Partnership.firm_id, Partnership.partner_id)
    )
    for firm_id, partner_id in pairs.all():
        if is_due(session, firm_id, partner_id, now):
            _ask(session, firm_id, partner_id)


def receive_checkpoint(session: Session, incoming: Incoming) -> None:
    """A partner's log has grown: cosign it, or say what we saw."""
    body = incoming.body
    if body.keys() != {"request", "keys"} or not isinstance(body["request"], str) or not isinstance(body["keys"], dict):
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.")
    remember_partner_keys(session, incoming.firm_id, incoming.from_id, body["keys"])
    before = contradiction(session, incoming.firm_id, incoming.from_id)
    word = answer(session, incoming.firm_id, incoming.from_id, body["request"])
    if before is None and contradiction(session, incoming.firm_id, incoming.from_id) is not None:
        emit(session, LogContradicted(incoming.firm_id, incoming.from_id))
    answered = asdict(word) | {"keys": key_document(session, incoming.firm_id)}
    send_message(session, incoming.firm_id, incoming.from_id, COSIGNED, answered, incoming.from_id)


def receive_word(session: Session, incoming: Incoming) -> None:
    """A witness answered."""
    body = dict(incoming.body)
    keys = body.pop("keys", None)
    if body.keys() != MEMBERS or not isinstance(keys, dict) or type(body["status"]) is not int:
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.")
    if not all(isinstance(body[name], str) for name in MEMBERS - {"status"}):
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.")
    remember_partner_keys(session, incoming.firm_id, incoming.from_id, keys)
    reason = take_word(session, incoming.firm_id, incoming.from_id, Word(**body))
    if reason:
        emit(session, LogHalted(incoming.firm_id, incoming.from_id, reason))
    elif is_due(session, incoming.firm_id, incoming.from_id, clock.now()):
        _ask(session, incoming.firm_id, incoming.from_id)


def _ask(session: Session, firm_id: str, partner_id: str) -> None:
    body = {"request": add_checkpoint(session, firm_id, partner_id), "keys": key_document(session, firm_id)}
    send_message(session, firm_id, partner_id, PUBLISHED, body, partner_id)
