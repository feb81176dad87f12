"""Agreements that do not come about: declined, expired, hours gone, plan not complete. Each frees and tells everybody."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.deadlines import word_counts_until
from app.agreements.models import Agreement
from app.agreements.notices import LAPSED_TEMPLATE, lapsed_text
from app.agreements.queries import (
    agreement_for,
    agreements_of_bundle,
    agreements_of_request,
    are_hours_held,
    bundle_of,
    is_on_its_way,
    locked_agreement,
    partner_of,
)
from app.agreements.rules import OPEN, check_step
from app.agreements.sources import chosen_lines
from app.agreements.telling import tell_end, tell_one_sided
from app.agreements.wire import Ended, body_of, read_ended
from app.bookings.actions import release_bookings
from app.core import clock
from app.core.db import each_alone
from app.core.errors import Conflict
from app.core.events import AgreementDeclined, AgreementLapsed, OfferReceived, PasskeyLocked
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.actions import append_entry, seal
from app.notary.documents import Display, new_message
from app.notary.queries import address, digest, passkey_kid
from app.offers.actions import decline_offer, release_selection
from app.offers.models import Offer
from app.offers.queries import live_offers
from app.passkeys.models import Passkey
from app.plans.queries import chosen_plan
from app.requests.actions import advance_request, close_request
from app.requests.models import WorkRequest
from app.requests.queries import own_request
from app.requests.rules import check_contracted, missing_of

CHOSEN = ("selected", "partly_selected")
TAKEN_BACK = "locked"


def decline_agreement(session: Session, actor: Actor, agreement_id: str, note: str = "") -> None:
    """A manager says no before the own signature; the hours come free and the partner learns it. Twice says it once."""
    agreement = locked_agreement(session, actor.firm_id, agreement_id)
    if agreement.state == "declined":
        return
    is_unsigned = agreement.state == ("frozen" if agreement.side == "ours" else "signed_one")
    if not is_unsigned:
        raise Conflict("Das geht nicht mehr. Diese Vereinbarung ist schon unterschrieben.")
    agreement.note = note
    note_event(session, actor.firm_id, actor.person_id, "declined", "agreement", agreement.id, agreement.partner_id)
    _end(session, agreement, "declined", "declined")
    emit(session, AgreementDeclined(agreement.firm_id, agreement.id))


def lapse_agreement(session: Session, agreement: Agreement, reason: str) -> None:
    """End an agreement that cannot come about any more, and tell the partner. One that ended already stays as it is."""
    if agreement.state not in OPEN:
        return
    _end(session, agreement, "lapsed", reason)
    emit(session, AgreementLapsed(agreement.firm_id, agreement.id))


def lapse_agreements(session: Session, now: dt.datetime) -> None:
    """End what was not signed in time, at both sides.

    Who has signed waits for the other side's word: what that one did in time may still be on its way.
    """
    late = session.execute(
        sa.select(Agreement.firm_id, Agreement.id)
        .where(Agreement.state.in_(OPEN), Agreement.expires_at < now)
        .order_by(Agreement.firm_id, Agreement.id)
    ).all()
    each_alone(session, late, lambda row: _lapse_late(session, row.firm_id, row.id, now))
    _lapse_without_hours(session)


def lapse_signed_with(session: Session, event: PasskeyLocked) -> None:
    """A key was locked: what it signed and the partner has not accepted yet does not come about, and the partner learns it.

    Where the partner may have accepted already, we ask for it back, and its log decides.
    """
    kid = "0x" + passkey_kid(session.get_one(Passkey, (event.firm_id, event.passkey_id)).public_key).hex()
    waiting = session.scalars(
        sa.select(Agreement)
        .where(Agreement.firm_id == event.firm_id, Agreement.state.in_(("frozen", "signed_one")))
        .order_by(Agreement.id)
    ).all()
    for agreement in waiting:
        if any(signature.get("kid") == kid for signature in agreement.signatures):
            _take_back(session, locked_agreement(session, agreement.firm_id, agreement.id))


def _take_back(session: Session, agreement: Agreement) -> None:
    # whether a plan stands is ours to say: nothing of it counts before we do
    if agreement.is_bundled or not _awaits_word(session, agreement):
        lapse_agreement(session, agreement, TAKEN_BACK)
        return
    agreement.end_reason = TAKEN_BACK
    emit(session, AgreementLapsed(agreement.firm_id, agreement.id))


def _lapse_late(session: Session, firm_id: str, agreement_id: str, now: dt.datetime) -> None:
    agreement = locked_agreement(session, firm_id, agreement_id)
    is_over = not _awaits_word(session, agreement) or word_counts_until(agreement) < now
    if agreement.state in OPEN and is_over:
        lapse_agreement(session, agreement, "expired")


def _lapse_without_hours(session: Session) -> None:
    """What a partner signed while our hours went: nobody can sign it any more, so the partner learns it now."""
    waiting = session.execute(
        sa.select(Agreement.firm_id, Agreement.id)
        .where(Agreement.side == "theirs", Agreement.state == "signed_one")
        .order_by(Agreement.firm_id, Agreement.id)
    ).all()
    each_alone(session, waiting, lambda row: _lapse_if_hours_went(session, row.firm_id, row.id))


def _lapse_if_hours_went(session: Session, firm_id: str, agreement_id: str) -> None:
    if not are_hours_held(session, agreement_for(session, firm_id, agreement_id)):
        lapse_agreement(session, locked_agreement(session, firm_id, agreement_id), "hours_gone")


def receive_declined(session: Session, incoming: Incoming) -> None:
    """The partner's manager said no."""
    _receive_end(session, incoming, "declined")


def receive_lapsed(session: Session, incoming: Incoming) -> None:
    """The partner says that an agreement did not come about; for one that never arrived here its hours come free."""
    _receive_end(session, incoming, "lapsed")


def finish_request(session: Session, firm_id: str, request_id: str) -> None:
    """Close the request when no agreement of it is open: with one in force it is contracted, else its offers count again."""
    request = own_request(session, firm_id, request_id)
    if request.state != "contracting":
        return None
    agreements = agreements_of_request(session, firm_id, request_id)
    if any(agreement.state in OPEN for agreement in agreements):
        return None
    states = _states_of_plan(session, request, agreements)
    is_whole = all(state == "in_force" for state in states)
    if not request.agreed_min or (not is_whole and _offers_the_rest(session, request)):
        return _plan_anew(session, request, agreements, is_rest="in_force" in states)
    if "in_force" in states:
        check_contracted(states, accepts_part=not request.all_or_none)
    for offer in live_offers(session, firm_id, request_id, "theirs"):
        decline_offer(session, firm_id, offer.id)
    return close_request(session, firm_id, request_id)


def _offers_the_rest(session: Session, request: WorkRequest) -> bool:
    """Hours are missing since a partner of the plan said no, and another one still offers some."""
    is_missing = request.kind == "hours" and missing_of(request.need_min, request.agreed_min) > 0
    offers = live_offers(session, request.firm_id, request.id, "theirs")
    return is_missing and any(one.state == "submitted" and one.valid_until > clock.now() for one in offers)


def _states_of_plan(session: Session, request: WorkRequest, agreements: Sequence[Agreement]) -> list[str]:
    """How the agreements of the chosen plan stand; those of a plan that fell through before count no more."""
    plan = chosen_plan(session, request.firm_id, request.id)
    offers = chosen_lines(session, request.firm_id, plan.id) if plan else {}
    return [agreement.state for agreement in agreements if agreement.offer_id in offers]


def _plan_anew(session: Session, request: WorkRequest, agreements: Sequence[Agreement], is_rest: bool) -> None:
    """What is still offered counts again, for the hours still missing; a plan of which nothing came is no longer chosen."""
    advance_request(session, request.firm_id, request.id, "quoted")
    plan = chosen_plan(session, request.firm_id, request.id)
    if plan is not None and not is_rest:
        plan.chosen_at = plan.chosen_by = None
    emit(session, OfferReceived(request.firm_id, agreements[-1].offer_id))


def _receive_end(session: Session, incoming: Incoming, state: str) -> None:
    ended = read_ended(incoming.body)
    agreement = session.get(Agreement, (incoming.firm_id, ended.agreement_id))
    if agreement is None:
        return _release_offer(session, incoming, ended)
    agreement = locked_agreement(session, incoming.firm_id, ended.agreement_id)
    if agreement.partner_id != incoming.from_id or agreement.digest != ended.digest:
        return None
    if agreement.state == "waiting_bundle" and agreement.side == "ours":
        # The partner's log holds its word: from there on only we say whether the plan stands.
        return tell_one_sided(session, agreement)
    if agreement.state == "in_force":
        # What is asked back too late is in force at both sides as soon as our signatures arrive.
        return None if ended.reason == TAKEN_BACK else tell_one_sided(session, agreement)
    if agreement.state not in OPEN:
        return None
    agreement.note = ended.note
    _end(session, agreement, state, ended.reason)
    return _give_back(session, incoming, ended) if agreement.side == "theirs" else None


def _release_offer(session: Session, incoming: Incoming, ended: Ended) -> None:
    """The partner gave up before its agreement reached us: we keep nothing for it, except what another draft binds."""
    offer = session.get(Offer, (incoming.firm_id, ended.offer_id))
    if offer is None or (offer.side, offer.partner_id) != ("ours", incoming.from_id):
        return
    _give_back(session, incoming, ended)
    if offer.state in CHOSEN and not offer.is_bound:
        release_selection(session, incoming.firm_id, offer.id)


def _give_back(session: Session, incoming: Incoming, ended: Ended) -> None:
    """The partner waits to hear that nothing of what it asks back was accepted."""
    if ended.reason == TAKEN_BACK:
        body = body_of(replace(ended, note=""))
        send_message(session, incoming.firm_id, incoming.from_id, "agreement.lapsed", body, ended.agreement_id)


def _end(session: Session, agreement: Agreement, state: str, reason: str) -> None:
    """Free what is held, record the end where the other side knows the text, tell people, and end the rest of the plan."""
    check_step(agreement.state, state)
    was_shared = agreement.state != "frozen"
    agreement.state, agreement.end_reason, agreement.ended_at = state, reason, clock.now()
    offer = session.get_one(Offer, (agreement.firm_id, agreement.offer_id))
    if offer.state in CHOSEN:
        release_selection(session, agreement.firm_id, offer.id)
    release_bookings(session, agreement.firm_id, agreement.id)
    if was_shared:
        _record_lapse(session, agreement, reason)
    tell_end(session, agreement)
    note_event(session, agreement.firm_id, None, "lapsed", "agreement", agreement.id, agreement.partner_id)
    bump_version(session, agreement.firm_id)
    session.flush()
    if agreement.side == "ours":
        _end_rest(session, agreement)
        finish_request(session, agreement.firm_id, agreement.request_id)


def _end_rest(session: Session, agreement: Agreement) -> None:
    """All or none: with one agreement the whole bundle ends."""
    bundle = bundle_of(session, agreement)
    if bundle is None or bundle.state == "lapsed":
        return
    bundle.state = "lapsed"
    for other in agreements_of_bundle(session, agreement.firm_id, bundle.id):
        if other.id != agreement.id:
            lapse_agreement(session, other, "bundle")


def _record_lapse(session: Session, agreement: Agreement, reason: str) -> None:
    """Our own log says that this did not come about, under our seal alone."""
    text = lapsed_text(agreement.digest, reason)
    own, partner = address(session, agreement.firm_id), partner_of(session, agreement).address
    message = new_message("agreement.lapsed", own, partner, text, agreement=agreement.digest, reason=reason)
    signatures = [seal(session, agreement.firm_id, digest("AgreementLapsed", message))]
    append_entry(
        session,
        agreement.firm_id,
        "agreement.lapsed",
        "AgreementLapsed",
        message,
        Display(LAPSED_TEMPLATE, "de", text),
        signatures,
        subject_id=agreement.id,
    )


def _awaits_word(session: Session, agreement: Agreement) -> bool:
    """We signed, and the other side decides: the provider whether it accepts, the requester whether its plan stands."""
    if agreement.state == "waiting_bundle":
        return True
    if agreement.side == "theirs" or agreement.state != "signed_one":
        return False
    return is_on_its_way(session, agreement.firm_id, agreement.id, ("agreement.drafted",))
