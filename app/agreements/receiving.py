"""A partner's draft: nothing in it is believed. We reckon the same agreement from our own rows and compare."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.call_off import ChosenLine, call_off_facts, in_order
from app.agreements.documents import render_call_off
from app.agreements.drafting import agreement_lines, frozen_values, parties_for
from app.agreements.models import Agreement
from app.agreements.queries import live_agreement_of_offer
from app.agreements.record import agreement_message
from app.agreements.rules import moment
from app.agreements.sealing import check_partner_signatures
from app.agreements.sources import chosen_line, job_of, terms_of
from app.agreements.wire import Drafted, Ended, body_of, read_drafted
from app.capacity.actions import extend_hold, release_hold
from app.capacity.models import Hold
from app.core import clock
from app.core.errors import RuleBroken
from app.core.events import AgreementArrived
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.firms.actions import bump_version, note_event
from app.notary.actions import remember_partner_keys
from app.notary.counterparts import check_checkpoint
from app.notary.documents import ZERO32
from app.notary.queries import VerificationError, digest
from app.offers.models import Offer, OfferLine
from app.offers.queries import lines_of as lines_of_offer
from app.offers.rules import MOST_HOLD, STEP_MIN
from app.partners.queries import partnership_with
from app.requests.queries import partner_request

CLOCKS_MAY_DIFFER = dt.timedelta(hours=1)


def receive_draft(session: Session, incoming: Incoming) -> None:
    """Keep a partner's signed draft for our managers; the same draft twice changes nothing.

    Raises RuleBroken for anything that is not exactly what we would have written. If the hours are no longer held,
    the partner learns that at once and nothing is kept.
    """
    drafted = read_drafted(incoming.body)
    known = session.get(Agreement, (incoming.firm_id, drafted.agreement_id))
    if known is not None:
        if (known.partner_id, known.message) != (incoming.from_id, drafted.message):
            raise _refused("agreement_id")
        return
    offer = _our_offer(session, incoming, drafted)
    value = _check_message(session, incoming, drafted, _check_facts(session, incoming, drafted, offer))
    _check_signed(session, incoming, drafted, value)
    if not _are_hours_held(session, incoming.firm_id, offer, drafted):
        ended = Ended(drafted.agreement_id, offer.id, "0x" + value.hex(), "hours_gone")
        send_message(
            session, incoming.firm_id, incoming.from_id, "agreement.lapsed", body_of(ended), drafted.agreement_id
        )
        return
    _keep(session, incoming, drafted, offer)


def _our_offer(session: Session, incoming: Incoming, drafted: Drafted) -> Offer:
    """1: our own offer to this partner for this request, which is in no other agreement."""
    request = partner_request(session, incoming.firm_id, drafted.request_id)
    offer = session.get(Offer, (incoming.firm_id, drafted.offer_id), with_for_update=True)
    if offer is None or (offer.side, offer.partner_id, offer.request_id) != ("ours", incoming.from_id, request.id):
        raise _refused("offer_id")
    if request.partner_id != incoming.from_id or live_agreement_of_offer(session, incoming.firm_id, offer.id):
        raise _refused("offer_id")
    return offer


def _check_facts(session: Session, incoming: Incoming, drafted: Drafted, offer: Offer) -> list[ChosenLine]:
    """2: the facts are those that we reckon from our request, offer and framework; 3: so is the text, byte for byte."""
    chosen = _chosen(session, incoming.firm_id, drafted, offer)
    request = partner_request(session, incoming.firm_id, drafted.request_id)
    terms = terms_of(session, incoming.firm_id, incoming.from_id, is_requester=False)
    given = drafted.facts
    if not clock.now() < moment(given.expires_at) <= clock.now() + MOST_HOLD:
        raise _refused("expires_at")
    job = replace(job_of(session, request), material_provided=given.material_provided)
    expected = call_off_facts(job, terms, chosen, offer.transport_cents, given.expires_at, given.is_bundled)
    if expected != given:
        raise _refused("facts")
    if render_call_off(expected) != drafted.text:
        raise _refused("text")
    return chosen


def _chosen(session: Session, firm_id: str, drafted: Drafted, offer: Offer) -> list[ChosenLine]:
    """Each line is one of our offer, once, with no more minutes than offered, in quarter hours."""
    offered = {line.id: line for line in lines_of_offer(session, firm_id, offer.id)}
    lines = drafted.facts.lines
    if len(set(drafted.line_ids)) != len(lines) or not set(drafted.line_ids) <= set(offered):
        raise _refused("line_ids")
    chosen = []
    for line_id, line in zip(drafted.line_ids, lines, strict=True):
        if not 0 < line.minutes <= offered[line_id].offered_min or line.minutes % STEP_MIN:
            raise _refused("minutes")
        chosen.append(chosen_line(offered[line_id], line.minutes))
    if in_order(chosen) != chosen:
        raise _refused("line_ids")
    _check_blocks(chosen, offered)
    return chosen


def _check_blocks(chosen: Sequence[ChosenLine], offered: dict[str, OfferLine]) -> None:
    """No machine is set up for less than its smallest block, unless less was offered on it at all."""
    for machine_id in {line.machine_id for line in chosen}:
        taken_min = sum(line.minutes for line in chosen if line.machine_id == machine_id)
        all_min = sum(line.offered_min for line in offered.values() if line.machine_id == machine_id)
        block_min = max(line.min_block_min for line in chosen if line.machine_id == machine_id)
        if taken_min < min(block_min, all_min):
            raise _refused("minutes")


def _check_message(session: Session, incoming: Incoming, drafted: Drafted, chosen: Sequence[ChosenLine]) -> bytes:
    """4: the message is the one that follows from the facts, between these two logs; returns its digest."""
    message, facts = drafted.message, drafted.facts
    terms = terms_of(session, incoming.firm_id, incoming.from_id, is_requester=False)
    parties = parties_for(session, incoming.firm_id, incoming.from_id, is_requester=False)
    try:
        value = digest("Agreement", message)
    except VerificationError:
        raise _refused("message") from None
    issued_at = moment(message["issuedAt"])
    if not clock.now() - MOST_HOLD <= issued_at <= clock.now() + CLOCKS_MAY_DIFFER:
        raise _refused("issuedAt")
    if (message["bundle"] == ZERO32) is facts.is_bundled or message["salt"] == ZERO32:
        raise _refused("bundle")
    expected = agreement_message(
        drafted.agreement_id,
        parties,
        terms,
        facts,
        drafted.text,
        salt=message["salt"],
        issued_at=issued_at,
        blinded=message["bundle"],
    )
    if expected != message:
        raise _refused("message")
    return value


def _check_signed(session: Session, incoming: Incoming, drafted: Drafted, value: bytes) -> None:
    """5: the keys are the partner's, of the log that the record names; 6: its managers and its seal signed this digest."""
    partner = partnership_with(session, incoming.firm_id, incoming.from_id)
    told = (drafted.keys.get("address"), drafted.keys.get("origin"))
    if told != (partner.address, drafted.message["logFrom"]):
        raise _refused("keys")
    remember_partner_keys(session, incoming.firm_id, incoming.from_id, drafted.keys)
    check_checkpoint(session, incoming.firm_id, incoming.from_id, drafted.not_before)
    check_partner_signatures(session, incoming.firm_id, incoming.from_id, partner.address, value, drafted.signatures)


def _are_hours_held(session: Session, firm_id: str, offer: Offer, drafted: Drafted) -> bool:
    """7: the hours are still held for the offer, at least as many as the lines take."""
    if offer.state not in ("selected", "partly_selected"):
        return False
    held = dict(
        session.execute(
            sa.select(Hold.offer_line_id, Hold.minutes).where(
                Hold.firm_id == firm_id, Hold.offer_id == offer.id, Hold.state == "held"
            )
        ).all()
    )
    pairs = zip(drafted.line_ids, drafted.facts.lines, strict=True)
    return all(held.get(line_id, 0) >= line.minutes for line_id, line in pairs)


def _keep(session: Session, incoming: Incoming, drafted: Drafted, offer: Offer) -> None:
    """Keep draft and lines, hold what it takes until it expires, and free what it leaves."""
    agreement = Agreement(
        firm_id=incoming.firm_id,
        id=drafted.agreement_id,
        created_at=clock.now(),
        side="theirs",
        request_id=offer.request_id,
        offer_id=offer.id,
        partner_id=incoming.from_id,
        state="signed_one",
        partner_signed_at=incoming.at,
        **frozen_values(drafted.facts, drafted.text, drafted.message),
    )
    agreement.signatures, agreement.not_before = list(drafted.signatures), drafted.not_before
    session.add(agreement)
    session.flush()
    chosen = _chosen(session, incoming.firm_id, drafted, offer)
    session.add_all(agreement_lines(agreement, chosen, drafted.facts))
    for line in lines_of_offer(session, incoming.firm_id, offer.id):
        if line.id in drafted.line_ids:
            extend_hold(session, incoming.firm_id, line.id, agreement.expires_at)
        else:
            release_hold(session, incoming.firm_id, line.id)
    offer.valid_until, offer.is_bound = agreement.expires_at, True
    note_event(session, incoming.firm_id, None, "arrived", "agreement", agreement.id, incoming.from_id)
    emit(session, AgreementArrived(incoming.firm_id, agreement.id))
    bump_version(session, incoming.firm_id)
    session.flush()


def _refused(field: str) -> RuleBroken:
    """One voice for every draft that is not ours to sign; the sender's log shows which part did not fit."""
    return RuleBroken("Diese Vereinbarung passt nicht zu unseren Daten: %(name)s.", field, name=field)
