"""What becomes of offers between the two firms: sent, received, chosen, not chosen, expired.

Every action takes the firm's row first (bump_version) and reads afterwards, so that no two writers of one firm wait for
each other in a circle or end an offer that the other one has just ended.
"""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import release_offer
from app.core.db import each_alone
from app.core.events import (
    OfferDeclined,
    OfferMade,
    OfferReceived,
    OfferSelected,
    OfferWithdrawn,
    PartnershipBroken,
    PartnershipEnded,
    RequestGone,
    RequestReceived,
)
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.queries import arrivals
from app.firms.actions import bump_version
from app.firms.models import Firm
from app.offers.messages import (
    Selection,
    SentLine,
    SentOffer,
    declined_body,
    offer_body,
    selected_body,
    withdrawn_body,
)
from app.offers.models import Offer, OfferLine
from app.offers.queries import asked_of, lines_of, live_offers, offer_for
from app.offers.rules import Asked, check_step, still_answers
from app.partners.queries import may_send
from app.push.actions import alert_people, cancel_alerts
from app.requests.actions import open_files
from app.requests.queries import ANSWERABLE, partner_request, receipt_of


def send_offer(session: Session, event: OfferMade) -> None:
    """Send our offer to the requester alone; one that was taken back meanwhile stays."""
    offer = offer_for(session, event.firm_id, event.offer_id, "ours")
    if offer.state != "submitted" or arrivals(session, event.firm_id, offer.id, "offer.made"):
        return
    lines = tuple(_sent_line(line) for line in lines_of(session, offer.firm_id, offer.id))
    sent = SentOffer(
        offer_id=offer.id,
        request_id=offer.request_id,
        request_version=offer.request_version,
        version=offer.version,
        answer=offer.answer,
        valid_until=offer.valid_until,
        transport_cents=offer.transport_cents,
        note=offer.note,
        lines=lines,
    )
    _send(session, offer, "offer.made", offer_body(sent))


def send_withdrawn_offer(session: Session, event: OfferWithdrawn) -> None:
    """Tell the requester that an offer it has seen is gone."""
    offer = offer_for(session, event.firm_id, event.offer_id, "ours")
    if arrivals(session, event.firm_id, offer.id, "offer.made"):
        _send(session, offer, "offer.withdrawn", withdrawn_body(offer.id, _reason(session, offer)))


def close_answers(session: Session, event: RequestGone) -> None:
    """A request ended, or its old version did: free what we held for answers that answer nothing any more.

    What a partner's signed draft stands on ends with that agreement alone: the word that a request is over comes from
    the firm that signed. A new version is matched after that, against the hours that just came free;
    what was said of the old one is settled.
    """
    bump_version(session, event.firm_id)
    request = partner_request(session, event.firm_id, event.request_id)
    asked = asked_of(session, request)
    cancel_alerts(session, event.firm_id, request.id)
    for offer in live_offers(session, event.firm_id, request.id, "ours"):
        if request.state in ANSWERABLE:
            _look_again(session, offer, asked)
        elif offer.state == "submitted":
            end_offer(session, offer, "expired" if request.state == "expired" else "declined")
            if request.state == "cancelled":
                tell_answerer(session, offer, "request_gone", asked.partner_name)
        elif request.state != "contracted" and _is_waiting(offer):
            end_offer(session, offer, "released")
    if request.state in ANSWERABLE:
        emit(session, RequestReceived(event.firm_id, request.id))
    elif not any(offer.state == "accepted" for offer in live_offers(session, event.firm_id, request.id, "ours")):
        open_files(session, event.firm_id, request.id, is_open=False)


def drop_partner_offers(session: Session, event: PartnershipEnded | PartnershipBroken) -> None:
    """The partnership is over: what this partner offered to our own requests counts no more."""
    offers = session.scalars(
        sa.select(Offer)
        .where(Offer.firm_id == event.firm_id, Offer.side == "theirs", Offer.partner_id == event.partner_id)
        .where(Offer.state == "submitted")
        .order_by(Offer.id)
    ).all()
    for offer in offers:
        end_offer(session, offer, "withdrawn")
        emit(session, OfferReceived(offer.firm_id, offer.id))


def expire_offers(session: Session, now: dt.datetime) -> None:
    """End offers that bind no more: our holds come free and the requester learns it; partners' offers stop counting.

    A chosen offer waits one more day for its agreement; then its hours come free too. With a draft it ends with that.
    """
    late = session.scalars(
        sa.select(Offer)
        .where(Offer.state.in_(("submitted", "selected", "partly_selected")), Offer.valid_until <= now)
        .order_by(Offer.firm_id, Offer.id)
    ).all()
    each_alone(session, late, lambda offer: _expire_one(session, offer, now))


def _expire_one(session: Session, offer: Offer, now: dt.datetime) -> None:
    bump_version(session, offer.firm_id)
    session.refresh(offer)
    if offer.valid_until > now:
        return
    if offer.state == "submitted":
        end_offer(session, offer, "expired")
        emit(session, (OfferWithdrawn if offer.side == "ours" else OfferReceived)(offer.firm_id, offer.id))
        return
    if _is_waiting(offer) and offer.side == "ours" and offer.valid_until <= now - dt.timedelta(days=1):
        end_offer(session, offer, "released")


def _is_waiting(offer: Offer) -> bool:
    """Chosen, and no signed draft stands on it yet."""
    return offer.state in ("selected", "partly_selected") and not offer.is_bound


def select_offer(session: Session, firm_id: str, offer_id: str, is_whole: bool, hold_until: dt.datetime) -> None:
    """Choose a partner's offer for a plan; it is asked to keep the hours until then. Raises Conflict when it is gone."""
    bump_version(session, firm_id)
    offer = offer_for(session, firm_id, offer_id, "theirs")
    state = "selected" if is_whole else "partly_selected"
    if offer.state not in ("selected", "partly_selected"):
        check_step(offer.state, state)
    offer.state, offer.valid_until = state, hold_until
    emit(session, OfferSelected(firm_id, offer_id))


def decline_offer(session: Session, firm_id: str, offer_id: str) -> None:
    """Tell a partner that its offer was not chosen: no price, no rank. An offer that ended anyway stays as it is."""
    bump_version(session, firm_id)
    offer = offer_for(session, firm_id, offer_id, "theirs")
    if offer.state != "submitted":
        return
    offer.state = "declined"
    emit(session, OfferDeclined(firm_id, offer_id))


def accept_offer(session: Session, firm_id: str, offer_id: str) -> None:
    """Its agreement is in force: selected → accepted, on either side; the provider may open all drawings now.

    The same again does nothing.
    """
    offer = session.get_one(Offer, (firm_id, offer_id))
    if offer.state != "accepted":
        check_step(offer.state, "accepted")
        offer.state = "accepted"
    if offer.side == "ours":
        open_files(session, firm_id, offer.request_id, is_open=True)


def release_selection(session: Session, firm_id: str, offer_id: str) -> None:
    """Its agreement was declined or lapsed: selected → released, on either side; held hours come free."""
    bump_version(session, firm_id)
    offer = session.get_one(Offer, (firm_id, offer_id), populate_existing=True)
    if offer.state != "released":
        check_step(offer.state, "released")
        end_offer(session, offer, "released")


def send_selected(session: Session, event: OfferSelected) -> None:
    """Tell the partner that its offer is wanted."""
    offer = offer_for(session, event.firm_id, event.offer_id, "theirs")
    if offer.state in ("selected", "partly_selected"):
        selection = Selection(offer.id, offer.state == "selected", offer.valid_until)
        _send(session, offer, "offer.selected", selected_body(selection))


def send_declined(session: Session, event: OfferDeclined) -> None:
    """Tell the partner that its offer was not chosen."""
    offer = offer_for(session, event.firm_id, event.offer_id, "theirs")
    if offer.state == "declined":
        _send(session, offer, "offer.declined", declined_body(offer.id))


def _sent_line(line: OfferLine) -> SentLine:
    return SentLine(
        line_id=line.id,
        machine_id=line.machine_id,
        machine_name=line.machine_name,
        machine_type_key=line.machine_type_key,
        week=line.week,
        offered_min=line.offered_min,
        rate_cents_per_hour=line.rate_cents_per_hour,
        set_up_min=line.set_up_min,
        min_block_min=line.min_block_min,
        set_up_rate_cents_per_hour=line.set_up_rate_cents_per_hour,
        programming_rate_cents_per_hour=line.programming_rate_cents_per_hour,
        night_surcharge_permille=line.night_surcharge_permille,
        sunday_surcharge_permille=line.sunday_surcharge_permille,
    )


def _look_again(session: Session, offer: Offer, asked: Asked) -> None:
    """The request is another one now: the answer stays or goes, and whoever gave it learns which."""
    lines = lines_of(session, offer.firm_id, offer.id)
    weeks, total_min = [line.week for line in lines], sum(line.offered_min for line in lines)
    if offer.state == "submitted" and not still_answers(asked, offer.request_version, weeks, total_min):
        _drop_for_change(session, offer)
        tell_answerer(session, offer, "answer_dropped", asked.partner_name)
    else:
        tell_answerer(session, offer, "request_changed", asked.partner_name, f":{asked.version}")


def _drop_for_change(session: Session, offer: Offer) -> None:
    end_offer(session, offer, "withdrawn")
    emit(session, OfferWithdrawn(offer.firm_id, offer.id))
    receipt = receipt_of(session, offer.firm_id, offer.request_id)
    if receipt is not None:
        receipt.answer, receipt.answered_at, receipt.answered_by = "", None, None


def end_offer(session: Session, offer: Offer, state: str) -> None:
    """Move an offer to its end and free what was held for it; on the requester's side nothing is held."""
    check_step(offer.state, state)
    offer.state = state
    if offer.side == "ours":
        release_offer(session, offer.firm_id, offer.id)
    bump_version(session, offer.firm_id)


def tell_answerer(session: Session, offer: Offer, kind: str, partner_name: str, once: str = "") -> None:
    """Tell the person who answered what became of it; `once` sets apart what may happen more than once."""
    if offer.answered_by is None:
        return
    name = partner_name if session.get_one(Firm, offer.firm_id).name_in_push else ""
    url, key = f"/anfragen/{offer.request_id}", f"{kind}:{offer.id}{once}"
    alert_people(session, offer.firm_id, [offer.answered_by], kind, offer.request_id, url, {"name": name}, key)


def _reason(session: Session, offer: Offer) -> str:
    if offer.state == "expired":
        return "expired"
    request = partner_request(session, offer.firm_id, offer.request_id)
    return "changed" if request.version > offer.request_version else "undone"


def _send(session: Session, offer: Offer, kind: str, body: dict[str, object]) -> None:
    """A partnership that ended gets nothing more, one that rests only what ends; its holds end with the offer."""
    if may_send(session, offer.firm_id, offer.partner_id, kind, body):
        send_message(session, offer.firm_id, offer.partner_id, kind, body, offer.id)
