"""S47 at the firm that misses hours: asking others for exactly these, taking a plan, giving the old ones back."""

from sqlalchemy.orm import Session

from app.agreements.actions import draft_agreements, propose_return
from app.agreements.models import Amendment
from app.agreements.queries import agreement_for
from app.agreements.record import facts_of
from app.core.errors import Conflict, NotFound
from app.firms.access import Actor
from app.firms.actions import bump_version
from app.plans.actions import choose_plan
from app.plans.queries import plan_for
from app.requests.actions import ask_for_lost, publish_request
from app.requests.queries import own_request, request_for
from app.trouble.models import Disruption
from app.trouble.queries import LostHours, disruption_for, help_requests, helpers_for, lost_hours
from app.trouble.rules import REASONS


def ask_for_help(session: Session, actor: Actor, disruption_id: str) -> list[str]:
    """Ask those who may help for exactly the missing hours, one request per job; returns their ids. Twice asks once.

    Raises Conflict when nothing is missing any more, RuleBroken when nobody may be asked.
    """
    bump_version(session, actor.firm_id)
    disruption = _theirs(session, actor, disruption_id)
    known = [one.id for one in help_requests(session, disruption)]
    if known:
        return known
    lost = lost_hours(session, disruption)
    if disruption.ended_at is not None or not lost:
        raise Conflict("Hier fehlt nichts mehr. Lade die Seite neu.")
    asked = []
    for request_id in sorted({one.request_id for one in lost}):
        asked.append(
            _ask(session, actor, disruption, request_id, [one for one in lost if one.request_id == request_id])
        )
    return asked


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


def _ask(session: Session, actor: Actor, disruption: Disruption, request_id: str, lost: list[LostHours]) -> str:
    work = request_for(session, actor.firm_id, request_id)
    need_min = sum(one.lost_min for one in lost)
    last_week = max(lost[-1].week, work.delivery_week or work.last_week)
    helpers = [one.partner_id for one in helpers_for(session, disruption, request_id)]
    draft_id = ask_for_lost(session, actor, request_id, disruption.id, need_min, last_week, helpers)
    publish_request(session, actor, draft_id)
    return draft_id


def _theirs(session: Session, actor: Actor, disruption_id: str) -> Disruption:
    found = disruption_for(session, actor.firm_id, disruption_id)
    if found.side != "theirs":
        raise NotFound
    return found
