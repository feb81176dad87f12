"""S47 at the firm that misses hours: asking others for exactly these, taking a plan, giving the old ones back."""

from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.orm import Session

from app.agreements.actions import draft_agreements, propose_return
from app.agreements.models import Amendment
from app.agreements.queries import agreement_for
from app.agreements.record import facts_of
from app.core.errors import Conflict, NotFound, WerkringError
from app.core.events import DisruptionArrived
from app.firms.access import Actor, Role
from app.firms.actions import bump_version
from app.firms.queries import people, person_for, roles_of
from app.plans.actions import choose_plan
from app.plans.queries import plan_for
from app.requests.actions import ask_for_lost, publish_request, widen_request, withdraw_request
from app.requests.models import WorkRequest
from app.requests.queries import own_request, request_for
from app.trouble.models import Disruption
from app.trouble.queries import (
    Helper,
    LostHours,
    disruption_for,
    help_requests,
    helpers_for,
    lost_hours,
    others_for,
    was_help_asked,
)
from app.trouble.rules import REASONS, is_providers


def ask_for_help(session: Session, actor: Actor, disruption_id: str) -> list[str]:
    """Ask those who may help for exactly the missing hours, one request per job; returns their ids. Twice asks once.

    Where those who work on the job were asked already, all others are asked too.

    Raises Conflict when nothing is missing any more, RuleBroken when nobody may be asked.
    """
    bump_version(session, actor.firm_id)
    disruption = _theirs(session, actor, disruption_id)
    known = help_requests(session, disruption)
    if known:
        return [_ask_others(session, actor, disruption, one) for one in known]
    lost = lost_hours(session, disruption)
    if disruption.ended_at is not None or not lost:
        raise Conflict("Hier fehlt nichts mehr. Lade die Seite neu.")
    return [
        _ask(session, actor, disruption, part, helpers_for(session, disruption, part[0].request_id))
        for part in _by_job(lost)
    ]


def ask_plan_partners(session: Session, event: DisruptionArrived) -> None:
    """Who works on the same job already is asked at once for exactly the missing hours, in the name of who asked for the job:
    nobody new gets to know of it.

    Once per agreement: a partner that stops again and again rings nobody else. Where one of several jobs has no such partner,
    and where our limits refuse, all is left to our people.
    """
    disruption = disruption_for(session, event.firm_id, event.disruption_id)
    lost = lost_hours(session, disruption)
    if disruption.ended_at is not None or not is_providers(disruption.reason):
        return
    if was_help_asked(session, disruption.firm_id, {one.agreement_id for one in lost}):
        return
    with suppress(WerkringError), session.begin_nested():
        for part in _by_job(lost):
            helpers = [one for one in helpers_for(session, disruption, part[0].request_id) if one.is_in_plan]
            actor = _asker(session, request_for(session, disruption.firm_id, part[0].request_id))
            if not helpers or actor is None:
                raise NotFound
            _ask(session, actor, disruption, part, helpers)


def take_back_questions(session: Session, disruption: Disruption) -> None:
    """It works again: nobody needs to help any more, unless a plan was chosen already."""
    for work in help_requests(session, disruption):
        actor = _asker(session, work)
        if actor and work.state in ("open", "quoted") and not work.agreed_min:
            withdraw_request(session, actor, work.id)


def take_plan(session: Session, actor: Actor, disruption_id: str, plan_id: str) -> str:
    """Choose a plan for the missing hours and write its agreements; returns the first one's id, ready to be signed."""
    disruption = _theirs(session, actor, disruption_id)
    plan = plan_for(session, actor.firm_id, plan_id)
    if own_request(session, actor.firm_id, plan.request_id).disruption_id != disruption.id:
        raise NotFound
    choose_plan(session, actor, plan_id, accepts_part=True)
    old = agreement_for(session, actor.firm_id, lost_hours(session, disruption)[0].agreement_id)
    return draft_agreements(session, actor, plan_id, facts_of(old).material_provided)[0]


def give_back_lost(session: Session, actor: Actor, disruption_id: str) -> Amendment:
    """Write down that the lost hours of one agreement are given back without a fee; our manager signs it next.

    Raises Conflict when everything was given back.
    """
    disruption = _theirs(session, actor, disruption_id)
    left = [one for one in lost_hours(session, disruption) if one.left_min]
    if not left:
        raise Conflict("Hier fehlt nichts mehr. Lade die Seite neu.")
    agreement_id = left[0].agreement_id
    minutes = {one.line_no: one.agreed_min - one.left_min for one in left if one.agreement_id == agreement_id}
    return propose_return(session, actor, agreement_id, minutes, REASONS[disruption.reason])


def _ask(
    session: Session, actor: Actor, disruption: Disruption, lost: Sequence[LostHours], helpers: Sequence[Helper]
) -> str:
    work = request_for(session, actor.firm_id, lost[0].request_id)
    need_min = sum(one.lost_min for one in lost)
    last_week = max(lost[-1].week, work.delivery_week or work.last_week)
    partner_ids = [one.partner_id for one in helpers]
    draft_id = ask_for_lost(session, actor, work.id, disruption.id, need_min, last_week, partner_ids)
    publish_request(session, actor, draft_id)
    return draft_id


def _ask_others(session: Session, actor: Actor, disruption: Disruption, work: WorkRequest) -> str:
    others = [one.partner_id for one in others_for(session, disruption, work)]
    if others:
        widen_request(session, actor, work.id, others)
    return work.id


def _by_job(lost: Sequence[LostHours]) -> list[list[LostHours]]:
    jobs = sorted({one.request_id for one in lost})
    return [[one for one in lost if one.request_id == request_id] for request_id in jobs]


def _asker(session: Session, work: WorkRequest) -> Actor | None:
    """Who asked for this work; where that person may not ask any more, a manager of the house."""
    asked = [person_for(session, work.firm_id, work.created_by)] if work.created_by else []
    for person in (*asked, *people(session, work.firm_id, Role.MANAGER)):
        for role in (Role.MANAGER, Role.FOREMAN):
            if role in (roles := roles_of(session, work.firm_id, person.id)) and person.left_at is None:
                return Actor(work.firm_id, person.id, roles, role, person.name, "")
    return None


def _theirs(session: Session, actor: Actor, disruption_id: str) -> Disruption:
    found = disruption_for(session, actor.firm_id, disruption_id)
    if found.side != "theirs":
        raise NotFound
    return found
