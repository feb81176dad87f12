"""A wider two-person rule as a document: the second manager approves it with the passkey."""

import hashlib
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from app.core.units import euro_text
from app.firms.access import Actor
from app.firms.models import Firm, Person, RuleChange
from app.firms.two_person import approve_rule_change, rule_change_to_approve
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument

RULE_CHANGE = "rule.change"


def rule_change_text(session: Session, change: RuleChange) -> str:
    """What the second manager reads; its digest is what the passkey signs."""
    firm = session.get_one(Firm, change.firm_id)
    asker = session.get_one(Person, (change.firm_id, change.asked_by))
    return (
        f"{firm.name} ändert die Regel für zwei Leitungen.\n"
        f"Zwei unterschreiben bisher: {_rule_text(firm.two_person_above_cents)}\n"
        f"Zwei unterschreiben künftig: {_rule_text(change.above_cents)}\n"
        f"Gewünscht von: {asker.name}\nVorgang: {change.id}\n"
    )


def _rule_text(above_cents: int | None) -> str:
    return "nie" if above_cents is None else f"über {euro_text(above_cents)} €"


def _load(session: Session, actor: Actor, change_id: str) -> SignableDocument:
    text = rule_change_text(session, rule_change_to_approve(session, actor, change_id))
    return SignableDocument(
        hashlib.sha256(f"werkring/rule-change/v1\n{text}".encode()).digest(),
        text,
        url_for("firms.show"),
        "keys.edit",
        role="second",
        receipt="Gemerkt.",
        needs_recovery_sheet=False,
    )


def _finish(session: Session, actor: Actor, change_id: str, _approval: dict[str, Any]) -> str:
    approve_rule_change(session, actor, change_id)
    return url_for("firms.show")


DOCUMENTS[RULE_CHANGE] = Signable(_load, _finish)
