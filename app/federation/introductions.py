"""What leaves the house about introductions: reactions that write one message for each who should hear."""

from typing import Any

from sqlalchemy.orm import Session

from app.core.events import IntroductionAgreed, IntroductionAnswered, IntroductionMade
from app.directory.models import Introduction, IntroductionOffer
from app.federation.actions import send_message
from app.partners.models import Partnership
from app.partners.queries import may_send, partnership_with

REGION_DIGITS = 2


def send_introduction(session: Session, event: IntroductionMade) -> None:
    """To each of the two: what the other does and about where, and no name."""
    row = session.get_one(Introduction, (event.firm_id, event.introduction_id))
    for to_id, offer_id, about_id in (
        (row.one_id, row.one_offer, row.other_id),
        (row.other_id, row.other_offer, row.one_id),
    ):
        about = partnership_with(session, event.firm_id, about_id)
        body = {"offer_id": offer_id, "processes": about.profile.get("processes", []), "region": _region(about)}
        _send(session, event.firm_id, to_id, "introduction.offered", body, row.id)


def send_introduction_answer(session: Session, event: IntroductionAnswered) -> None:
    """To the partner in the middle: yes with our invitation for the other firm, or no."""
    offer = session.get_one(IntroductionOffer, (event.firm_id, event.offer_id))
    body = {"step": "answered", "offer_id": offer.id, "answer": offer.answer, "link": offer.link}
    _send(session, event.firm_id, offer.from_id, "introduction.accepted", body, offer.id)


def send_agreed(session: Session, event: IntroductionAgreed) -> None:
    """To each of the two: who the other is, with its invitation."""
    row = session.get_one(Introduction, (event.firm_id, event.introduction_id))
    for to_id, offer_id, about_id, link in (
        (row.one_id, row.one_offer, row.other_id, row.other_link),
        (row.other_id, row.other_offer, row.one_id, row.one_link),
    ):
        about = partnership_with(session, event.firm_id, about_id)
        body = {"step": "agreed", "offer_id": offer_id, "link": link}
        who = {name: getattr(about, name) for name in ("name", "town", "address")}
        _send(session, event.firm_id, to_id, "introduction.accepted", body | who, row.id)


def _send(session: Session, firm_id: str, to_id: str, kind: str, body: dict[str, Any], subject_id: str) -> None:
    """A partnership that rests or is over by now hears nothing: then nobody gets to know anybody."""
    if may_send(session, firm_id, to_id, kind, body):
        send_message(session, firm_id, to_id, kind, body, subject_id)


def _region(partner: Partnership) -> str:
    return str(partner.profile.get("postcode", ""))[:REGION_DIGITS]
