"""What partners tell us about offers. An offer can only be touched by the two firms that share it."""

import dataclasses
import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import extend_hold
from app.core import clock
from app.core.db import Base
from app.core.errors import RuleBroken
from app.core.events import (
    OfferReceived,
)
from app.core.outbox import emit
from app.federation.rules import Incoming
from app.firms.actions import bump_version
from app.offers.exchange import end_offer, tell_answerer
from app.offers.messages import (
    SentLine,
    SentOffer,
    read_declined,
    read_offer,
    read_selected,
    read_withdrawn,
)
from app.offers.models import Offer, OfferLine
from app.offers.queries import asked_of, lines_of, live_offers, version_count
from app.offers.rules import MOST_HOLD, check_step, still_answers
from app.requests.limits import GRACE
from app.requests.models import WorkRequest
from app.requests.queries import ANSWERABLE, chosen_ids, partner_request
from app.requests.rules import check_quoted
from app.requests.wire import unreadable

MOST_VERSIONS = 30
LONGEST_VALID = dt.timedelta(days=45)


def receive_declined(session: Session, incoming: Incoming) -> None:
    """The requester chose others: our hours come free."""
    offer = _our_offer(session, incoming, read_declined(incoming.body))
    if offer.state == "submitted":
        end_offer(session, offer, "declined")


def receive_selected(session: Session, incoming: Incoming) -> None:
    """The requester wants our offer: its hours stay held until the agreement is signed or lapses.

    Raises RuleBroken for a hold longer than three weeks, Conflict when the hours are not held any more.
    """
    selection = read_selected(incoming.body)
    offer = _our_offer(session, incoming, selection.offer_id)
    if not clock.now() < selection.hold_until <= clock.now() + MOST_HOLD:
        raise unreadable("hold_until")
    if offer.state in ("selected", "partly_selected"):
        return  # chosen once: nobody keeps our hours any longer by saying it again
    state = "selected" if selection.is_whole else "partly_selected"
    check_step(offer.state, state)
    request = partner_request(session, offer.firm_id, offer.request_id)
    for line in lines_of(session, offer.firm_id, offer.id):
        extend_hold(session, offer.firm_id, line.id, selection.hold_until)
    tell_answerer(session, offer, "chosen", asked_of(session, request).partner_name)
    offer.state, offer.valid_until = state, selection.hold_until
    if request.state in ANSWERABLE:
        request.state = "planned"


def receive_offer(session: Session, incoming: Incoming) -> None:
    """Keep a partner's sealed offer; a newer one of the same partner replaces it. Raises RuleBroken for one that lies."""
    sent = read_offer(incoming.body)
    request = _asked_request(session, incoming, sent.request_id)
    known = session.get(Offer, (incoming.firm_id, sent.offer_id))
    if known is not None:
        if (known.side, known.partner_id, known.request_id) != ("theirs", incoming.from_id, sent.request_id):
            raise unreadable("offer_id")
        if not _says_the_same(session, known, sent):
            raise unreadable("version")
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


def _says_the_same(session: Session, known: Offer, sent: SentOffer) -> bool:
    """Say whether an offer that we keep is told once more; one that changed is a new version under an id of its own."""
    names = [field.name for field in dataclasses.fields(SentLine) if field.name != "line_id"]
    kept = {(line.id, *(getattr(line, name) for name in names)) for line in lines_of(session, known.firm_id, known.id)}
    told = {(line.line_id, *(getattr(line, name) for name in names)) for line in sent.lines}
    facts = (known.version, known.answer, known.transport_cents, known.note)
    return kept == told and facts == (sent.version, sent.answer, sent.transport_cents, sent.note)


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
        set_up_rate_cents_per_hour=line.set_up_rate_cents_per_hour,
        programming_rate_cents_per_hour=line.programming_rate_cents_per_hour,
        night_surcharge_permille=line.night_surcharge_permille,
        sunday_surcharge_permille=line.sunday_surcharge_permille,
    )


def _our_offer(session: Session, incoming: Incoming, offer_id: str) -> Offer:
    """An offer that we made to the sender; raises RuleBroken in one voice for everything else."""
    bump_version(session, incoming.firm_id)
    offer = session.get(Offer, (incoming.firm_id, offer_id), with_for_update=True)
    if offer is None or offer.side != "ours" or offer.partner_id != incoming.from_id:
        raise unreadable("offer_id")
    return offer
