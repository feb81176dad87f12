"""From a chosen plan to one agreement per partner: text and message are frozen before the first signature."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.call_off import ChosenLine, Job, Terms, call_off_facts, in_order
from app.agreements.deadlines import default_expiry
from app.agreements.documents import CallOffFacts, render_call_off
from app.agreements.models import Agreement, AgreementLine, Bundle
from app.agreements.queries import agreements_of_request, live_agreement_of_offer
from app.agreements.record import Parties, agreement_message, sha256_hex
from app.agreements.rules import OPEN
from app.agreements.sources import chosen_lines, job_of, terms_of
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.ids import new_id
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.models import PartnerKeys
from app.notary.queries import address, digest, origin
from app.offers.actions import select_offer
from app.offers.models import Offer
from app.offers.queries import lines_of as lines_of_offer
from app.plans.models import Plan
from app.requests.actions import advance_request
from app.requests.queries import own_request


def draft_agreements(session: Session, actor: Actor, plan_id: str, material_provided: bool = True) -> list[str]:
    """Freeze one agreement per partner of the chosen plan and ask the partners to keep the hours; returns their ids.

    `material_provided`: it comes from us; else the partners buy it, and the text follows the law of sales.
    The same plan twice gives the same agreements. Raises NotFound, RuleBroken when no framework stands, Conflict when
    an offer is gone.
    """
    bump_version(session, actor.firm_id)
    plan = session.get(Plan, (actor.firm_id, plan_id), with_for_update=True)
    if plan is None:
        raise NotFound
    request = own_request(session, actor.firm_id, plan.request_id)
    session.refresh(request, with_for_update=True)
    earlier = [one.id for one in agreements_of_request(session, actor.firm_id, request.id) if one.state in OPEN]
    if request.state == "contracting" and earlier:
        return earlier
    if plan.chosen_at is None:
        raise RuleBroken("Wähle zuerst einen Plan.")
    offers = chosen_lines(session, actor.firm_id, plan_id)
    if not offers:
        raise RuleBroken("In diesem Plan fehlen die Stunden. Wähle ihn neu.")
    expires_at = default_expiry(clock.now())
    bundle = _new_bundle(session, plan, expires_at) if request.all_or_none and len(offers) > 1 else None
    job = replace(job_of(session, request), material_provided=material_provided)
    ids = [_draft(session, actor, job, offer_id, offers[offer_id], expires_at, bundle) for offer_id in sorted(offers)]
    advance_request(session, actor.firm_id, request.id, "contracting")
    note_event(session, actor.firm_id, actor.person_id, "drafted", "request", request.id, detail={"count": len(ids)})
    return ids


def _new_bundle(session: Session, plan: Plan, expires_at: dt.datetime) -> Bundle:
    bundle = Bundle(
        firm_id=plan.firm_id,
        id=new_id(),
        created_at=clock.now(),
        request_id=plan.request_id,
        plan_id=plan.id,
        all_or_none=True,
        state="waiting",
        expires_at=expires_at,
    )
    session.add(bundle)
    session.flush()
    return bundle


def _draft(
    session: Session,
    actor: Actor,
    job: Job,
    offer_id: str,
    chosen: Sequence[ChosenLine],
    expires_at: dt.datetime,
    bundle: Bundle | None,
) -> str:
    offer = session.get_one(Offer, (actor.firm_id, offer_id), with_for_update=True)
    if live_agreement_of_offer(session, actor.firm_id, offer_id) is not None:
        raise RuleBroken("Zu diesem Angebot gibt es schon eine Vereinbarung.")
    terms = terms_of(session, actor.firm_id, offer.partner_id, is_requester=True)
    until = int(expires_at.timestamp())
    facts = call_off_facts(job, terms, chosen, offer.transport_cents, until, is_bundled=bundle is not None)
    agreement = _freeze(session, offer, terms, facts, bundle)
    session.add(agreement)
    session.flush()
    session.add_all(agreement_lines(agreement, in_order(chosen), facts))
    session.flush()
    is_whole = {line.id: line.offered_min for line in lines_of_offer(session, actor.firm_id, offer_id)} == {
        line.offer_line_id: line.minutes for line in chosen
    }
    select_offer(session, actor.firm_id, offer_id, is_whole, expires_at)
    return agreement.id


def _freeze(session: Session, offer: Offer, terms: Terms, facts: CallOffFacts, bundle: Bundle | None) -> Agreement:
    agreement_id, text = new_id(), render_call_off(facts)
    parties = parties_for(session, offer.firm_id, offer.partner_id, is_requester=True)
    message = agreement_message(agreement_id, parties, terms, facts, text, bundle_id=bundle.id if bundle else None)
    return Agreement(
        firm_id=offer.firm_id,
        id=agreement_id,
        created_at=clock.now(),
        side="ours",
        request_id=offer.request_id,
        offer_id=offer.id,
        partner_id=offer.partner_id,
        framework_id=None,
        bundle_id=bundle.id if bundle else None,
        state="frozen",
        **frozen_values(facts, text, message),
    )


def frozen_values(facts: CallOffFacts, text: str, message: dict[str, object]) -> dict[str, object]:
    """What of an agreement never changes after the first signature, the same at both sides."""
    return {
        "template_key": facts.template_key,
        "facts": asdict(facts),
        "text": text,
        "message": message,
        "digest": "0x" + digest("Agreement", message).hex(),
        "display_sha256": sha256_hex(text),
        "signatures": [],
        "signers": [],
        "total_cents": facts.total_cents,
        "minutes": sum(line.minutes for line in facts.lines),
        "expires_at": dt.datetime.fromtimestamp(facts.expires_at, dt.UTC),
        "is_bundled": facts.is_bundled,
    }


def agreement_lines(agreement: Agreement, chosen: Sequence[ChosenLine], facts: CallOffFacts) -> list[AgreementLine]:
    """The lines as rows, in the order of the text; `chosen` in the same order."""
    return [
        AgreementLine(
            firm_id=agreement.firm_id,
            id=new_id(),
            created_at=clock.now(),
            agreement_id=agreement.id,
            line_no=number,
            offer_line_id=taken.offer_line_id,
            machine_id=line.machine_id,
            machine_name=line.machine_name,
            week=line.week,
            minutes=line.minutes,
            rate_cents_per_hour=line.rate_cents_per_hour,
            set_up_min=line.set_up_min,
            amount_cents=line.amount_cents,
        )
        for number, (taken, line) in enumerate(zip(chosen, facts.lines, strict=True), 1)
    ]


def parties_for(session: Session, firm_id: str, partner_id: str, is_requester: bool) -> Parties:
    """Addresses and logs of both firms; raises RuleBroken when the partner's keys are not known here."""
    own = (address(session, firm_id), origin(session, firm_id))
    keys = session.scalar(
        sa.select(PartnerKeys).where(PartnerKeys.firm_id == firm_id, PartnerKeys.partner_id == partner_id)
    )
    if keys is None:
        raise RuleBroken("Mit diesem Betrieb gibt es gerade keinen Rahmenvertrag.")
    other = (keys.address, keys.origin)
    (requester, requester_log), (provider, provider_log) = (own, other) if is_requester else (other, own)
    return Parties(requester, provider, requester_log, provider_log)
