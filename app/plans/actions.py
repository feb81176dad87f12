"""Building plans when offers change, and choosing one."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict
from app.core.events import OfferReceived, PlanChosen, RequestChanged
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor, Role
from app.firms.actions import bump_version, note_event
from app.firms.queries import people
from app.notary.transfer import firms_elsewhere
from app.offers.models import Offer, OfferLine
from app.plans.check import check_plan
from app.plans.greedy import build_greedy
from app.plans.models import Plan, PlanLine, PlanTask
from app.plans.queries import offers_key, plan_for, plan_input_of, plans_of
from app.plans.rules import PlanChoice, PlanInput, better_of, distinct_plans, goals_of
from app.plans.solver import solve_exact
from app.push.actions import alert_people
from app.requests.actions import advance_request
from app.requests.models import WorkRequest
from app.requests.queries import own_request
from app.requests.rules import check_planned

log = structlog.get_logger()
PLANNABLE = ("open", "quoted")


def refresh_plans(session: Session, event: OfferReceived) -> None:
    """An offer came, changed or went: note that the plans of its request are to be built anew."""
    offer = session.get(Offer, (event.firm_id, event.offer_id))
    if offer is not None:
        _note_task(session, event.firm_id, offer.request_id)


def replan_request(session: Session, event: RequestChanged) -> None:
    """The need changed: plans for the old one count no more."""
    _note_task(session, event.firm_id, event.request_id)


def solve_due_plans(database: Database, _config: Config) -> None:
    """Build the plans that are due. Nothing is locked while the solver thinks."""
    with database.read() as session:
        due = session.execute(
            sa.select(PlanTask.firm_id, PlanTask.request_id)
            .where(PlanTask.firm_id.not_in(firms_elsewhere()))
            .order_by(PlanTask.created_at)
        ).all()
    for firm_id, request_id in due:
        try:
            solve_plans(database, firm_id, request_id)
        except Exception:
            # the task stays and is tried again; the plans of others do not wait for it
            log.exception("plans not built", firm_id=firm_id, request_id=request_id)


def solve_plans(database: Database, firm_id: str, request_id: str) -> None:
    """Build, check and store the plans of one request from the offers that stand now."""
    with database.read() as session:
        plan_input = plan_input_of(session, firm_id, own_request(session, firm_id, request_id))
    choices = build_plans(plan_input)
    with database.write() as session:
        request = own_request(session, firm_id, request_id)
        if offers_key(plan_input_of(session, firm_id, request)) != offers_key(plan_input):
            return  # offers changed meanwhile: the task stays, the next round builds again
        session.execute(sa.delete(PlanTask).where(PlanTask.firm_id == firm_id, PlanTask.request_id == request_id))
        store_plans(session, request, plan_input, choices)


def build_plans(plan_input: PlanInput) -> tuple[PlanChoice, ...]:
    """The best plan for every goal, equal ones once; empty without offers."""
    if not plan_input.has_choice:
        return ()
    best = [better_of(build_greedy(plan_input, goal), solve_exact(plan_input, goal)) for goal in goals_of(plan_input)]
    for plan in best:
        check_plan(plan_input, plan)
    return distinct_plans(best)


def store_plans(
    session: Session, request: WorkRequest, plan_input: PlanInput, choices: Iterable[PlanChoice]
) -> list[Plan]:
    """Keep the plans under the key of their offers, once; plans of earlier offers that nobody chose go."""
    key = offers_key(plan_input)
    stored = list(plans_of(session, request.firm_id, request.id, key))
    if stored:
        return stored
    _drop_old_plans(session, request)
    plans = [_store_plan(session, request, plan_input, key, choice) for choice in choices]
    bump_version(session, request.firm_id)
    _announce_plans(session, request, plans)
    return plans


def choose_plan(session: Session, actor: Actor, plan_id: str, accepts_part: bool, all_or_none: bool = True) -> Plan:
    """Choose one plan; raises Conflict when its offers changed, RuleBroken when hours are missing and no part was accepted.

    `all_or_none`: with one partner's no the whole plan falls; else the manager accepts the part that the others do.
    """
    # the firm's row first: two managers who choose at the same moment stand in line, and the second sees the first
    bump_version(session, actor.firm_id)
    plan = plan_for(session, actor.firm_id, plan_id)
    request = own_request(session, actor.firm_id, plan.request_id)
    session.refresh(request, with_for_update=True)
    if plan.chosen_at is not None:
        return plan
    if request.state not in PLANNABLE or offers_key(plan_input_of(session, actor.firm_id, request)) != plan.offers_key:
        raise Conflict("Die Angebote haben sich geändert. Sieh dir die Pläne noch einmal an.")
    if request.kind == "hours":
        check_planned(plan.need_min, plan.covered_min, accepts_part)
    plan.chosen_at, plan.chosen_by = clock.now(), actor.person_id
    request.all_or_none = all_or_none
    advance_request(session, actor.firm_id, request.id, "planned")
    note_event(session, actor.firm_id, actor.person_id, "plan_chosen", "request", request.id)
    emit(session, PlanChosen(actor.firm_id, plan.id))
    return plan


def lift_limit(session: Session, actor: Actor, request_id: str) -> None:
    """Let plans take any number of partners again; raises Conflict once a plan is chosen."""
    request = own_request(session, actor.firm_id, request_id)
    if request.state not in PLANNABLE:
        raise Conflict("Das geht gerade nicht mehr. Lade die Seite neu.")
    request.max_partners = None
    _note_task(session, actor.firm_id, request_id)
    bump_version(session, actor.firm_id)


def erase_plans(session: Session, firm_id: str, request_id: str, kept_offers: Collection[str]) -> None:
    """Erase a request's plans; of the chosen one stays what it took from the offers kept."""
    plans = Plan.firm_id == firm_id, Plan.request_id == request_id
    kept = sa.select(OfferLine.id).where(OfferLine.firm_id == firm_id, OfferLine.offer_id.in_(kept_offers))
    lines = PlanLine.firm_id == firm_id, PlanLine.plan_id.in_(sa.select(Plan.id).where(*plans))
    unchosen = sa.select(Plan.id).where(*plans, Plan.chosen_at.is_(None))
    session.execute(
        sa.delete(PlanLine).where(*lines, sa.or_(PlanLine.plan_id.in_(unchosen), PlanLine.offer_line_id.not_in(kept)))
    )
    filled = sa.select(PlanLine.plan_id).where(PlanLine.firm_id == firm_id)
    session.execute(sa.delete(Plan).where(*plans, Plan.id.not_in(filled)))
    session.execute(sa.delete(PlanTask).where(PlanTask.firm_id == firm_id, PlanTask.request_id == request_id))


def _note_task(session: Session, firm_id: str, request_id: str) -> None:
    if session.get(PlanTask, (firm_id, request_id)) is None:
        session.add(PlanTask(firm_id=firm_id, request_id=request_id, created_at=clock.now()))
        session.flush()


def _drop_old_plans(session: Session, request: WorkRequest) -> None:
    old = sa.select(Plan.id).where(
        Plan.firm_id == request.firm_id, Plan.request_id == request.id, Plan.chosen_at.is_(None)
    )
    session.execute(sa.delete(PlanLine).where(PlanLine.firm_id == request.firm_id, PlanLine.plan_id.in_(old)))
    session.execute(sa.delete(Plan).where(Plan.firm_id == request.firm_id, Plan.id.in_(old)))


def _store_plan(session: Session, request: WorkRequest, plan_input: PlanInput, key: str, choice: PlanChoice) -> Plan:
    draft = choice.plan
    plan = Plan(
        firm_id=request.firm_id, id=new_id(), created_at=clock.now(), request_id=request.id, goals=list(choice.goals),
        need_min=draft.need_min, covered_min=draft.covered_min, cost_cents=draft.cost_cents,
        partner_count=draft.partner_count, last_week=draft.last_week,
        largest_share_permille=draft.largest_share_permille,
        has_too_few_partners="spread" in choice.goals and draft.is_over_cap, solver_status=draft.solver_status,
        gap_permille=draft.gap_permille, offers_key=key,
    )  # fmt: skip
    session.add(plan)
    session.flush()
    partner_of = {line.line_id: line.partner_id for line in plan_input.lines}
    session.add_all(
        PlanLine(
            firm_id=request.firm_id, id=new_id(), created_at=clock.now(), plan_id=plan.id, offer_line_id=line_id,
            partner_id=partner_of[line_id], minutes=minutes,
        )
        for line_id, minutes in draft.lines
    )  # fmt: skip
    session.flush()
    return plan


def _announce_plans(session: Session, request: WorkRequest, plans: list[Plan]) -> None:
    """Tell the managers once, as soon as the whole need can be covered."""
    if not any(plan.covered_min >= plan.need_min for plan in plans):
        return
    values = {"count": len(plans), "need_min": request.need_min, "kind": request.kind}
    managers = people(session, request.firm_id, Role.MANAGER)
    once = f"plans:{request.id}:{request.version}"
    url = f"/stoerung/{request.disruption_id}" if request.disruption_id else f"/suchen/{request.id}/plaene"
    alert_people(session, request.firm_id, managers, "plans", request.id, url, values, once)
