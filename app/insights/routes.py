"""What working together brings: facts for the partner's page, benefit (S27), cost and dependency (S28)."""

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from flask_babel import get_locale
from sqlalchemy.orm import Session

from app.core import clock
from app.firms.access import Actor
from app.insights.benefit import orders_won, plan_b, shares
from app.insights.rules import period_of
from app.insights.sentences import PERIODS, partner_facts
from app.web.render import render
from app.web.transaction import page

room = Blueprint("insights", __name__)


@room.record_once
def _tell_rooms_below(state: BlueprintSetupState) -> None:
    """The partner's page lies below us: it asks by name for what only all rooms together tell."""
    state.app.extensions["partner_facts"] = partner_facts


@room.get("/nutzen")
@page("benefit.see")
def benefit(session: Session, actor: Actor) -> Response:
    """S27: orders that we would have declined alone."""
    period = period_of(request.args.get("zeit", ""), clock.today())
    taken, given = (shares(session, actor, side, period) for side in ("ours", "theirs"))
    return render(
        "insights/benefit.html",
        period=period,
        periods=PERIODS,
        orders=orders_won(session, actor, period),
        taken_min=sum(one.minutes for one in taken),
        given_min=sum(one.minutes for one in given),
    )


@room.get("/nutzen/kosten")
@page("benefit.see")
def dependency(session: Session, actor: Actor) -> Response:
    """S28: what partners cost, and what hangs on one of them."""
    period = period_of(request.args.get("zeit", ""), clock.today())
    taken, given = (shares(session, actor, side, period) for side in ("ours", "theirs"))
    return render("insights/dependency.html", period=period, periods=PERIODS, taken=taken, given=given)


@room.get("/nutzen/plan-b/<partner_id>")
@page("benefit.see")
def second_plan(session: Session, actor: Actor, partner_id: str) -> Response:
    """Who else could do what one partner does for us."""
    period = period_of("monate", clock.today())
    name, plans = plan_b(session, actor, partner_id, period, str(get_locale() or "de"))
    return render("insights/plan_b.html", name=name, plans=plans)
