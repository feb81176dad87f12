"""The bodies of the messages that make a partnership; whoever carries them, they are the same."""

from typing import Any

from sqlalchemy.orm import Session

from app.firms.queries import firm_of
from app.notary.queries import key_document
from app.partners.models import Framework, Partnership
from app.partners.queries import invitation_used, partnership_with


def joined_body(session: Session, firm_id: str, partner_id: str) -> dict[str, Any]:
    """We used the partner's invitation: this is who we are."""
    invitation_id = invitation_used(session, firm_id, partner_id)
    card = partnership_with(session, firm_id, partner_id).own_card
    return {"step": "joined", "invitation_id": invitation_id, "card": card} | _keys(session, firm_id)


def proposal_body(session: Session, framework: Framework) -> dict[str, Any]:
    """The framework agreement with the first side's signature and seal."""
    record = {name: framework.record[name] for name in ("facts", "message", "signatures")}
    return record | {"framework_id": framework.id} | _keys(session, framework.firm_id)


def signatures_body(session: Session, framework: Framework) -> dict[str, Any]:
    """The second side's signature and seal: with them the first side enters the same record into its own log."""
    own = firm_of(session, framework.firm_id).address
    signatures = [one for one in framework.record["signatures"] if one["party"] == own]
    body = {"step": "signed", "framework_id": framework.id, "digest": framework.digest, "signatures": signatures}
    return body | _keys(session, framework.firm_id)


def no_body(session: Session, firm_id: str) -> dict[str, Any]:
    """No, before both had signed."""
    return {"how": "declined", "message": {}, "text": "", "signatures": []} | _keys(session, firm_id)


def left_body(session: Session, firm_id: str) -> dict[str, Any]:
    """We leave our node for good: nothing passes any more, whatever was between us."""
    return no_body(session, firm_id) | {"how": "left"}


def end_body(session: Session, partnership: Partnership) -> dict[str, Any]:
    """The signed end."""
    record = {name: partnership.ending[name] for name in ("message", "text", "signatures")}
    return {"how": "ended"} | record | _keys(session, partnership.firm_id)


def _keys(session: Session, firm_id: str) -> dict[str, Any]:
    """Our newest keys, so that the receiver can check every signature at once."""
    return {"keys": key_document(session, firm_id)}
