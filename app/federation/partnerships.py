"""What leaves the house about a partnership itself: reactions that write one message each."""

from sqlalchemy.orm import Session

from app.core.events import (
    FrameworkApproved,
    FrameworkSealed,
    PartnershipDeclined,
    PartnershipEnded,
    PartnershipPaused,
    PartnershipProposed,
    PartnershipResumed,
    PartnershipScoped,
)
from app.federation.actions import cancel_waiting, send_message
from app.partners import telling
from app.partners.models import Framework
from app.partners.queries import framework_with, is_blocked, partnership_with
from app.partners.rules import OWED


def send_joined(session: Session, event: PartnershipProposed) -> None:
    """Make ourselves known to the firm whose invitation we used."""
    body = telling.joined_body(session, event.firm_id, event.partner_id)
    send_message(session, event.firm_id, event.partner_id, "partner.accept", body, event.partner_id)


def send_proposal(session: Session, event: FrameworkApproved) -> None:
    """Send the framework agreement with our manager's signature and our seal."""
    body = telling.proposal_body(session, _framework(session, event))
    send_message(session, event.firm_id, event.partner_id, "partner.invite", body, event.partner_id)


def send_signatures(session: Session, event: FrameworkSealed) -> None:
    """Send our signatures: with them the partner enters the same record into its own log."""
    body = telling.signatures_body(session, _framework(session, event))
    send_message(session, event.firm_id, event.partner_id, "partner.accept", body, event.partner_id)


def send_pause(session: Session, event: PartnershipPaused) -> None:
    """Tell the partner that we rest."""
    send_message(session, event.firm_id, event.partner_id, "partner.pause", {}, event.partner_id)


def send_resumed(session: Session, event: PartnershipResumed) -> None:
    """Tell the partner that our rest is over."""
    send_message(session, event.firm_id, event.partner_id, "partner.resumed", {}, event.partner_id)


def send_scope(session: Session, event: PartnershipScoped) -> None:
    """Tell the partner what it may send us from now on."""
    body = {"scope": list(partnership_with(session, event.firm_id, event.partner_id).scope)}
    send_message(session, event.firm_id, event.partner_id, "partner.scoped", body, event.partner_id)


def send_no(session: Session, event: PartnershipDeclined) -> None:
    """Tell the other side that nothing comes of it; what still waited for it stays here."""
    partnership = partnership_with(session, event.firm_id, event.partner_id)
    cancel_waiting(session, event.firm_id, event.partner_id, keep=OWED)
    if not is_blocked(session, event.firm_id, partnership.address):
        body = telling.no_body(session, event.firm_id)
        send_message(session, event.firm_id, event.partner_id, "partner.end", body, event.partner_id)


def send_end(session: Session, event: PartnershipEnded) -> None:
    """Stop what still waits but for what was signed, then send the signed end, even to a firm that we hide from."""
    partnership = partnership_with(session, event.firm_id, event.partner_id)
    cancel_waiting(session, event.firm_id, event.partner_id, keep=OWED)
    body = telling.end_body(session, partnership)
    send_message(session, event.firm_id, event.partner_id, "partner.end", body, event.partner_id)


def _framework(session: Session, event: FrameworkApproved | FrameworkSealed) -> Framework:
    return framework_with(session, partnership_with(session, event.firm_id, event.partner_id))
