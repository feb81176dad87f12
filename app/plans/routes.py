"""The requester's side of a request: live coverage, plans compared, one plan in detail."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for
from sqlalchemy.orm import Session

from app.core import clock
from app.core.units import amount_cents
from app.core.words import N_
from app.firms.access import Actor, may
from app.firms.actions import note_views
from app.firms.queries import firm_version
from app.offers.queries import live_offers
from app.plans.actions import lift_limit
from app.plans.greedy import build_greedy
from app.plans.models import Plan
from app.plans.queries import (
    LineOfPlan,
    as_offered,
    chosen_plan,
    cost_of_lines,
    coverage_of,
    lines_of_plan,
    offers_key,
    plan_for,
    plan_input_of,
    plans_of,
    silent_partners,
)  # fmt: skip
from app.plans.rules import CAP_PERMILLE, PlanInput, Terms, goals_of, terms_of
from app.requests.models import WorkRequest
from app.requests.queries import arrivals_of, own_request, process_label, threads_of
from app.requests.rules import may_ask_again
from app.requests.words import language
from app.web.render import go_to, render
from app.web.transaction import deed, page
from app.web.world import world

room = Blueprint("plans", __name__)
GOAL_NAMES = {
    "cheapest": N_("Kostet am wenigsten"), "fastest": N_("Am schnellsten fertig"), "fewest": N_("Wenigste Partner"),
    "spread": N_("Am besten verteilt"),
}  # fmt: skip


@dataclass(frozen=True)
class Share:
    """One partner's part of a plan, with what it costs and how much of the need it carries."""

    partner_id: str
    partner_name: str
    minutes: int
    share_percent: int
    cost_cents: int
    transport_cents: int
    set_up_cents: int
    lines: tuple[LineOfPlan, ...]
    machines: tuple[LineOfPlan, ...]
    """One line of each machine and its prices"""


@room.get("/suchen/<request_id>")
@page("requests.see")
def show(session: Session, actor: Actor, request_id: str) -> Response:
    """The own request: what is covered so far, who was asked, what can be done now."""
    work = own_request(session, actor.firm_id, request_id)
    if work.state == "draft":
        return go_to(url_for("requests.edit", request_id=request_id))
    _note_offers_seen(session, actor, request_id)
    return render(
        "plans/show.html",
        work=work,
        process=process_label(work.process_key, work.pack, language(), is_chip=True),
        coverage=coverage_of(session, actor.firm_id, work),
        asked=arrivals_of(session, actor.firm_id, work),
        silent=silent_partners(session, actor.firm_id, work, clock.now()),
        unread=threads_of(session, actor.firm_id, request_id),
        version=firm_version(session, actor.firm_id),
        chosen=chosen_plan(session, actor.firm_id, request_id),
        may_ask_again=may(actor, "requests.publish")
        and may_ask_again(work.kind, work.state, work.need_min, work.agreed_min),
    )


@room.get("/suchen/<request_id>/abdeckung")
@page("requests.see")
def coverage(session: Session, actor: Actor, request_id: str) -> Response:
    """The part of the page that lives: 204 when nothing changed since `v`."""
    version = firm_version(session, actor.firm_id)
    if request.args.get("v") == str(version):
        return Response(status=204)
    work = own_request(session, actor.firm_id, request_id)
    _note_offers_seen(session, actor, request_id)
    return render(
        "plans/_coverage.html",
        work=work,
        coverage=coverage_of(session, actor.firm_id, work),
        asked=arrivals_of(session, actor.firm_id, work),
        silent=silent_partners(session, actor.firm_id, work, clock.now()),
        unread=threads_of(session, actor.firm_id, request_id),
        version=version,
        chosen=chosen_plan(session, actor.firm_id, request_id),
    )


@room.get("/suchen/<request_id>/plaene")
@page("plans.see")
def compare(session: Session, actor: Actor, request_id: str) -> Response:
    """S22: every different plan as a card. Until the exact ones are there, the first answer is shown."""
    work = own_request(session, actor.firm_id, request_id)
    plan_input = plan_input_of(session, actor.firm_id, work)
    plans = plans_of(session, actor.firm_id, request_id, offers_key(plan_input))
    _note_offers_seen(session, actor, request_id)
    first = (
        []
        if plans or not plan_input.has_choice
        else [build_greedy(plan_input, goal) for goal in goals_of(plan_input)[:1]]
    )
    return render(
        "plans/compare.html", work=work, plans=_named(plans), first=first, goal_names=GOAL_NAMES,
        balanced=_balanced(plans), version=firm_version(session, actor.firm_id),
        is_held_back=_is_held_back(plan_input, [plan.covered_min for plan in plans]),
        may_lift=may(actor, "requests.publish"),
    )  # fmt: skip


@room.post("/suchen/<request_id>/plaene/ohne-grenze")
@deed("requests.publish")
def lift(session: Session, actor: Actor, request_id: str) -> Response:
    """S22: plan with any number of partners."""
    lift_limit(session, actor, request_id)
    return go_to(url_for("plans.compare", request_id=request_id))


@room.get("/suchen/<request_id>/plaene/fertig")
@page("plans.see")
def ready(session: Session, actor: Actor, request_id: str) -> Response:
    """Polled while plans are built: 204 until they are there, then the page loads itself again."""
    work = own_request(session, actor.firm_id, request_id)
    key = offers_key(plan_input_of(session, actor.firm_id, work))
    if not plans_of(session, actor.firm_id, request_id, key):
        return Response(status=204)
    return Response(status=200, headers={"HX-Redirect": url_for("plans.compare", request_id=request_id)})


@room.get("/plaene/<plan_id>")
@page("plans.see")
def detail(session: Session, actor: Actor, plan_id: str) -> Response:
    """S23: who does what in which week, what it costs, what could go wrong."""
    plan = plan_for(session, actor.firm_id, plan_id)
    work = own_request(session, actor.firm_id, plan.request_id)
    plan_input = plan_input_of(session, actor.firm_id, work)
    is_current = plan.offers_key == offers_key(plan_input)
    _note_offers_seen(session, actor, work.id)
    shares = _shares(plan, lines_of_plan(session, actor.firm_id, plan_id))
    return render(
        "plans/detail.html", plan=plan, work=work, goal_names=GOAL_NAMES, shares=shares, is_current=is_current,
        missing_min=max(0, plan.need_min - plan.covered_min), holds=_delivery_holds(plan, work),
        is_over_cap=plan.largest_share_permille > CAP_PERMILLE,
        is_held_back=is_current and _is_held_back(plan_input, [plan.covered_min]),
    )  # fmt: skip


def _is_held_back(plan_input: PlanInput, covered_min: Sequence[int]) -> bool:
    """Say whether hours are missing because only so many partners may share them."""
    return plan_input.leaves_partners_out and max(covered_min, default=0) < plan_input.need_min


def _named(plans: Sequence[Plan]) -> list[tuple[str, Plan]]:
    """Plan A, B, C … in the order of their cost."""
    return [(chr(ord("A") + number), plan) for number, plan in enumerate(plans)]


def _balanced(plans: Sequence[Plan]) -> str:
    """The letter of the best spread plan, if no partner carries more than 40 % in it."""
    letters = (
        letter
        for letter, plan in _named(plans)
        if "spread" in plan.goals and plan.largest_share_permille <= CAP_PERMILLE
    )
    return next(letters, "")


def _delivery_holds(plan: Plan, work: WorkRequest) -> bool | None:
    if work.delivery_week is None:
        return None
    return plan.covered_min >= plan.need_min and plan.last_week <= work.delivery_week


def _shares(plan: Plan, lines: list[LineOfPlan]) -> list[Share]:
    by_partner: dict[str, list[LineOfPlan]] = {}
    for line in lines:
        by_partner.setdefault(line.partner_id, []).append(line)
    return [_share(plan, partner_id, tuple(found)) for partner_id, found in by_partner.items()]


def _share(plan: Plan, partner_id: str, lines: tuple[LineOfPlan, ...]) -> Share:
    minutes = sum(line.minutes for line in lines)
    percent = round(100 * minutes / plan.need_min) if plan.need_min else 100
    cost_cents, transport_cents = cost_of_lines(lines), lines[0].transport_cents
    work_cents = sum(amount_cents(line.minutes, line.rate_cents_per_hour) for line in lines)
    return Share(
        partner_id, lines[0].partner_name, minutes, percent, cost_cents, transport_cents,
        cost_cents - work_cents - transport_cents, lines, _machines(lines),
    )  # fmt: skip


def _machines(lines: tuple[LineOfPlan, ...]) -> tuple[LineOfPlan, ...]:
    first: dict[Terms, LineOfPlan] = {}
    for line in lines:
        first.setdefault(terms_of(as_offered(line)), line)
    return tuple(first.values())


def _note_offers_seen(session: Session, actor: Actor, request_id: str) -> None:
    """Hours and prices are the partners' own; each may know that somebody here looked at them."""
    offers = live_offers(session, actor.firm_id, request_id, "theirs")
    views = [(offer.partner_id, offer.id, offer.version) for offer in offers]
    note_views(world().database(), session, actor, "offer", views)
