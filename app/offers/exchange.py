"""What becomes of offers between the two firms: sent, received, chosen, not chosen, expired.

Every action takes the firm's row first (bump_version) and reads afterwards, so that no two writers of one firm wait for
each other in a circle or end an offer that the other one has just ended.
"""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import extend_hold, release_offer
from app.core import clock
from app.core.db import Base
from app.core.errors import RuleBroken
from app.core.events import (
    OfferDeclined,
    OfferMade,
    OfferReceived,
    OfferSelected,
    OfferWithdrawn,
    RequestGone,
    RequestReceived,
)
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.queries import arrivals
from app.federation.rules import Incoming
from app.firms.actions import bump_version
from app.firms.models import Firm
from app.offers.messages import (
    Selection,
    SentLine,
    SentOffer,
    declined_body,
    offer_body,
    read_declined,
    read_offer,
    read_selected,
    read_withdrawn,
    selected_body,
    withdrawn_body,
)
from app.offers.models import Offer, OfferLine
from app.offers.queries import asked_of, lines_of, live_offers, offer_for, version_count
from app.offers.rules import MOST_HOLD, check_step, still_answers
from app.partners.queries import may_send
from app.push.actions import alert_people, cancel_alerts
from app.requests.limits import GRACE
from app.requests.models import WorkRequest
from app.requests.queries import ANSWERABLE, chosen_ids, partner_request, receipt_of
from app.requests.rules import check_quoted
from app.requests.wire import unreadable

MOST_VERSIONS = 30
LONGEST_VALID = dt.timedelta(days=45)


# our answer leaves the house


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

    A new version is matched after that, against the hours that just came free.
    """
    bump_version(session, event.firm_id)
    request = partner_request(session, event.firm_id, event.request_id)
    asked = asked_of(session, request)
    if request.state not in ANSWERABLE:
        cancel_alerts(session, event.firm_id, request.id)
    for offer in live_offers(session, event.firm_id, request.id, "ours"):
        if request.state in ANSWERABLE:
            lines = lines_of(session, event.firm_id, offer.id)
            total_min = sum(line.offered_min for line in lines)
            if offer.state == "submitted" and not still_answers(
                asked, offer.request_version, [line.week for line in lines], total_min
            ):
                _drop_for_change(session, offer)
        elif offer.state == "submitted":
            _end(session, offer, "expired" if request.state == "expired" else "declined")
            if request.state == "cancelled":
                _tell_answerer(session, offer, "request_gone", asked.partner_name)
        elif request.state != "contracted" and offer.state in ("selected", "partly_selected"):
            _end(session, offer, "released")
    if request.state in ANSWERABLE:
        emit(session, RequestReceived(event.firm_id, request.id))


def expire_offers(session: Session, now: dt.datetime) -> None:
    """End offers that bind no more: our holds come free and the requester learns it; partners' offers stop counting.

    A chosen offer waits one more day for its agreement; then its hours come free too.
    """
    late = session.scalars(
        sa.select(Offer)
        .where(Offer.state.in_(("submitted", "selected", "partly_selected")), Offer.valid_until <= now)
        .order_by(Offer.firm_id, Offer.id)
    ).all()
    for offer in late:
        bump_version(session, offer.firm_id)
        session.refresh(offer)
        if offer.valid_until > now:
            continue
        if offer.state == "submitted":
            _end(session, offer, "expired")
            if offer.side == "ours":
                emit(session, OfferWithdrawn(offer.firm_id, offer.id))
        elif offer.state not in ("selected", "partly_selected"):
            continue
        elif offer.side == "ours" and offer.valid_until <= now - dt.timedelta(days=1):
            _end(session, offer, "released")


def receive_declined(session: Session, incoming: Incoming) -> None:
    """The requester chose others: our hours come free."""
    offer = _our_offer(session, incoming, read_declined(incoming.body))
    if offer.state == "submitted":
        _end(session, offer, "declined")


def receive_selected(session: Session, incoming: Incoming) -> None:
    """The requester wants our offer: its hours stay held until the agreement is signed or lapses.

    Raises RuleBroken for a hold longer than three weeks, Conflict when the hours are not held any more.
    """
    selection = read_selected(incoming.body)
    offer = _our_offer(session, incoming, selection.offer_id)
    if not clock.now() < selection.hold_until <= clock.now() + MOST_HOLD:
        raise unreadable("hold_until")
    state = "selected" if selection.is_whole else "partly_selected"
    if offer.state not in ("selected", "partly_selected"):
        check_step(offer.state, state)
    request = partner_request(session, offer.firm_id, offer.request_id)
    for line in lines_of(session, offer.firm_id, offer.id):
        extend_hold(session, offer.firm_id, line.id, selection.hold_until)
    if offer.state == "submitted":
        _tell_answerer(session, offer, "chosen", asked_of(session, request).partner_name)
    offer.state, offer.valid_until = state, selection.hold_until
    if request.state in ANSWERABLE:
        request.state = "planned"


# partners' answers reach us


def receive_offer(session: Session, incoming: Incoming) -> None:
    """Keep a partner's sealed offer; a newer one of the same partner replaces it. Raises RuleBroken for one that lies."""
    sent = read_offer(incoming.body)
    request = _asked_request(session, incoming, sent.request_id)
    known = session.get(Offer, (incoming.firm_id, sent.offer_id))
    if known is not None:
        if (known.side, known.partner_id, known.request_id) != ("theirs", incoming.from_id, sent.request_id):
            raise unreadable("offer_id")
        return
    _check_offer(session, incoming, request, sent)
    for earlier in live_offers(session, incoming.firm_id, request.id, "theirs", incoming.from_id):
        if earlier.version >= sent.version:
            raise unreadable("version")
        check_step(earlier.state, "superseded")
        earlier.state = "superseded"
    _keep_offer(session, incoming, sent)
    if request.state == "open":
        request.state = "quoted"
    emit(session, OfferReceived(incoming.firm_id, sent.offer_id))


def receive_offer_withdrawn(session: Session, incoming: Incoming) -> None:
    """A partner's offer is gone: it counts no more. One that never arrived is no fault."""
    offer_id, reason = read_withdrawn(incoming.body)
    bump_version(session, incoming.firm_id)
    offer = session.get(Offer, (incoming.firm_id, offer_id))
    if offer is None:
        return
    if (offer.side, offer.partner_id) != ("theirs", incoming.from_id):
        raise unreadable("offer_id")
    if offer.state == "submitted":
        offer.state = "expired" if reason == "expired" else "withdrawn"
        emit(session, OfferReceived(incoming.firm_id, offer.id))


# what the requester decides


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
    """Its agreement is in force: selected → accepted, on either side. The same again does nothing."""
    offer = session.get_one(Offer, (firm_id, offer_id))
    if offer.state != "accepted":
        check_step(offer.state, "accepted")
        offer.state = "accepted"


def release_selection(session: Session, firm_id: str, offer_id: str) -> None:
    """Its agreement was declined or lapsed: selected → released, on either side; held hours come free."""
    bump_version(session, firm_id)
    offer = session.get_one(Offer, (firm_id, offer_id), populate_existing=True)
    if offer.state != "released":
        check_step(offer.state, "released")
        _end(session, offer, "released")


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


def _asked_request(session: Session, incoming: Incoming, request_id: str) -> WorkRequest:
    """Our own open request, if this partner was asked; raises RuleBroken in one voice for everything else."""
    bump_version(session, incoming.firm_id)
    request = session.get(WorkRequest, (incoming.firm_id, request_id), with_for_update=True)
    if request is None or request.side != "ours" or request.state not in ANSWERABLE:
        raise unreadable("request_id")
    if incoming.from_id not in chosen_ids(session, incoming.firm_id, request_id):
        raise unreadable("request_id")
    return request


def _check_offer(session: Session, incoming: Incoming, request: WorkRequest, sent: SentOffer) -> None:
    """What only we can know: the deadline, the version, the weeks, the need, and that no row is taken."""
    if request.reply_by is None or incoming.at > request.reply_by + GRACE:
        raise RuleBroken("Die Frist ist vorbei.")
    if not clock.now() < sent.valid_until <= request.reply_by + LONGEST_VALID:
        raise unreadable("valid_until")
    total_min = sum(line.offered_min for line in sent.lines)
    weeks = [line.week for line in sent.lines]
    is_current = sent.request_version <= request.version
    if not is_current or not still_answers(asked_of(session, request), sent.request_version, weeks, total_min):
        raise RuleBroken("Das Angebot passt nicht mehr zur Anfrage.")
    check_quoted(total_min)
    if version_count(session, incoming.firm_id, request.id, incoming.from_id) >= MOST_VERSIONS:
        raise RuleBroken("Das sind zu viele Angebote zu einer Anfrage.")
    taken = sa.select(OfferLine.id).where(OfferLine.firm_id == incoming.firm_id)
    if session.scalar(taken.where(OfferLine.id.in_([line.line_id for line in sent.lines])).limit(1)):
        raise unreadable("line_id")


def _keep_offer(session: Session, incoming: Incoming, sent: SentOffer) -> None:
    session.add(
        Offer(
            firm_id=incoming.firm_id,
            id=sent.offer_id,
            created_at=clock.now(),
            side="theirs",
            request_id=sent.request_id,
            partner_id=incoming.from_id,
            version=sent.version,
            request_version=sent.request_version,
            answer=sent.answer,
            state="submitted",
            valid_until=sent.valid_until,
            transport_cents=sent.transport_cents,
            note=sent.note,
        )
    )
    session.flush()
    session.add_all(_kept_line(incoming.firm_id, sent.offer_id, line) for line in sent.lines)
    session.flush()


def _kept_line(firm_id: str, offer_id: str, line: SentLine) -> Base:
    return OfferLine(
        firm_id=firm_id,
        id=line.line_id,
        created_at=clock.now(),
        offer_id=offer_id,
        machine_id=line.machine_id,
        machine_name=line.machine_name,
        machine_type_key=line.machine_type_key,
        week=line.week,
        offered_min=line.offered_min,
        rate_cents_per_hour=line.rate_cents_per_hour,
        set_up_min=line.set_up_min,
        min_block_min=line.min_block_min,
    )


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
    )


def _our_offer(session: Session, incoming: Incoming, offer_id: str) -> Offer:
    """An offer that we made to the sender; raises RuleBroken in one voice for everything else."""
    bump_version(session, incoming.firm_id)
    offer = session.get(Offer, (incoming.firm_id, offer_id), with_for_update=True)
    if offer is None or offer.side != "ours" or offer.partner_id != incoming.from_id:
        raise unreadable("offer_id")
    return offer


def _drop_for_change(session: Session, offer: Offer) -> None:
    _end(session, offer, "withdrawn")
    emit(session, OfferWithdrawn(offer.firm_id, offer.id))
    receipt = receipt_of(session, offer.firm_id, offer.request_id)
    if receipt is not None:
        receipt.answer, receipt.answered_at, receipt.answered_by = "", None, None


def _end(session: Session, offer: Offer, state: str) -> None:
    """Move an offer to its end and free what was held for it; on the requester's side nothing is held."""
    check_step(offer.state, state)
    offer.state = state
    if offer.side == "ours":
        release_offer(session, offer.firm_id, offer.id)
    bump_version(session, offer.firm_id)


def _tell_answerer(session: Session, offer: Offer, kind: str, partner_name: str) -> None:
    """Tell the person who answered what became of it."""
    if offer.answered_by is None:
        return
    name = partner_name if session.get_one(Firm, offer.firm_id).name_in_push else ""
    url, key = f"/anfragen/{offer.request_id}", f"{kind}:{offer.id}"
    alert_people(session, offer.firm_id, [offer.answered_by], kind, offer.request_id, url, {"name": name}, key)


def _reason(session: Session, offer: Offer) -> str:
    if offer.state == "expired":
        return "expired"
    request = partner_request(session, offer.firm_id, offer.request_id)
    return "changed" if request.version > offer.request_version else "undone"


def _send(session: Session, offer: Offer, kind: str, body: dict[str, object]) -> None:
    """A partnership that ended or rests gets nothing more; its holds end with the offer."""
    if may_send(session, offer.firm_id, offer.partner_id, kind):
        send_message(session, offer.firm_id, offer.partner_id, kind, body, offer.id)
