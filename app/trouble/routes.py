"""S47 "Maschine steht": telling it in two taps, and replanning where hours are missing."""

import datetime as dt
from collections.abc import Sequence

from flask import Response, url_for
from flask import request as http
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.bookings.queries import booking_for
from app.capacity.rules import add_working_days
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.holidays import holidays_near
from app.core.units import hours_text
from app.firms.access import Actor, Role, may
from app.firms.actions import note_views
from app.offers.queries import live_offers
from app.partners.queries import partnership_with
from app.requests.models import WorkRequest
from app.trouble import work_routes
from app.trouble.actions import (
    DisruptionDraft,
    ask_for_help,
    give_back_lost,
    report_disruption,
    resume_work,
    take_plan,
)
from app.trouble.models import Disruption
from app.trouble.queries import (
    Helper,
    LostHours,
    asked_of,
    disruption_for,
    help_requests,
    helpers_for,
    lost_hours,
    open_bookings,
    open_defects,
    open_disruptions,
    others_for,
    running_disruptions,
)
from app.trouble.room import room
from app.trouble.rules import MOST_NOTE, REASONS, is_providers
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import deed, page
from app.web.world import world

BACK_DAYS = 5


@room.get("/stoerungen")
@page("trouble.see")
def index(session: Session, actor: Actor) -> Response:
    """What goes wrong right now, with us and with partners who work for us."""
    return render(
        "trouble/index.html",
        disruptions=open_disruptions(session, actor.firm_id),
        defects=open_defects(session, actor.firm_id),
        reasons=REASONS,
        states=work_routes.DEFECT_WORDS,
    )


@room.get("/auftrag/<booking_id>/stoerung")
@page("trouble.report")
def report(session: Session, actor: Actor, booking_id: str) -> Response:
    """S47 at the machine: the open hours of this week are filled in, one tap sends them."""
    booking = _job(session, actor, booking_id)
    rows = open_bookings(session, booking)
    fields = {f"hours_{one.id}": hours_text(one.open_min) for one in rows if one.week == booking.week}
    return _report_page(session, actor, booking, Form(fields | {"reason": "machine"}))


@room.post("/auftrag/<booking_id>/stoerung")
@deed("trouble.report")
def tell(session: Session, actor: Actor, booking_id: str) -> Response:
    booking, form = _job(session, actor, booking_id), Form(http.form)
    draft = _read(form, [one.id for one in open_bookings(session, booking)])
    if draft is not None:
        try:
            with session.begin_nested():
                report_disruption(session, actor, booking_id, draft)
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        return _report_page(session, actor, booking, form, 422)
    return go_to(_home(actor), receipt="Gemeldet. Euer Partner weiß Bescheid.")


@room.post("/stoerung/<disruption_id>/laeuft")
@deed("trouble.report")
def resume(session: Session, actor: Actor, disruption_id: str) -> Response:
    resume_work(session, actor, disruption_id)
    return go_to(_home(actor), receipt="Gut. Euer Partner weiß, dass es weitergeht.")


@room.get("/stoerung/<disruption_id>")
@page("trouble.see")
def show(session: Session, actor: Actor, disruption_id: str) -> Response:
    """S47: which hours are lost, who can help, and the next step of replanning."""
    return _show(session, actor, disruption_for(session, actor.firm_id, disruption_id), Form())


@room.post("/stoerung/<disruption_id>/hilfe")
@deed("trouble.see")
def get_help(session: Session, actor: Actor, disruption_id: str) -> Response:
    """One tap asks those who may help for exactly the missing hours."""
    form = Form()
    try:
        with session.begin_nested():
            ask_for_help(session, actor, disruption_id)
    except RuleBroken as error:
        form.add_error(error)
        return _show(session, actor, disruption_for(session, actor.firm_id, disruption_id), form, 422)
    return go_to(url_for("trouble.show", disruption_id=disruption_id), receipt="Gefragt. Wir melden uns bei dir.")


@room.post("/stoerung/<disruption_id>/plan/<plan_id>")
@deed("plans.choose")
def take(session: Session, actor: Actor, disruption_id: str, plan_id: str) -> Response:
    """One tap from the offer to the text that is to be signed."""
    agreement_id = take_plan(session, actor, disruption_id, plan_id)
    return go_to(url_for("agreements.show", agreement_id=agreement_id))


@room.post("/stoerung/<disruption_id>/abgeben")
@deed("agreements.sign")
def give_back(session: Session, actor: Actor, disruption_id: str) -> Response:
    """The lost hours leave the old agreement, without a fee; the text is signed on the next page."""
    amendment = give_back_lost(session, actor, disruption_id)
    return go_to(url_for("agreements.show_amendment", amendment_id=amendment.id))


def _job(session: Session, actor: Actor, booking_id: str) -> Booking:
    """A booking that our people work on; any other is none of this page."""
    booking_for(session, actor, booking_id)
    booking = session.get_one(Booking, (actor.firm_id, booking_id))
    if booking.side != "ours":
        raise NotFound
    return booking


def _read(form: Form, booking_ids: list[str]) -> DisruptionDraft | None:
    reason = form.choice("reason", REASONS, "Wähle, was los ist.")
    note, back_on = form.text("note", most=MOST_NOTE), form.day("back_on")
    minutes = {one: form.hours(f"hours_{one}", missing="") or 0 for one in booking_ids}
    if not form.is_good or reason is None:
        return None
    return DisruptionDraft(reason, note, back_on, minutes)


def _report_page(session: Session, actor: Actor, booking: Booking, form: Form, status: int = 200) -> Response:
    rows = open_bookings(session, booking)
    running = running_disruptions(session, actor.firm_id, booking.machine_id)
    return render(
        "trouble/report.html",
        status,
        form=form,
        booking=booking,
        now=[one for one in rows if one.week == booking.week],
        later=[one for one in rows if one.week != booking.week],
        running=running[0] if running else None,
        days=_days_ahead(),
        reasons=REASONS,
        reason_chips=[(key, gettext(text)) for key, text in REASONS.items()],
        back=_home(actor),
        names={f"hours_{one.id}": one.partner_name for one in rows},
    )


def _days_ahead() -> list[dt.date]:
    today = clock.today()
    return [add_working_days(today, count, holidays_near(today)) for count in range(1, BACK_DAYS + 1)]


def _show(session: Session, actor: Actor, disruption: Disruption, form: Form, status: int = 200) -> Response:
    is_theirs = disruption.side == "theirs"
    lost = lost_hours(session, disruption)
    requests = help_requests(session, disruption) if is_theirs else []
    may_choose = may(actor, "plans.choose")
    if may_choose:
        _note_offers_seen(session, actor, requests)
    return render(
        "trouble/show.html",
        status,
        form=form,
        disruption=disruption,
        partner=partnership_with(session, actor.firm_id, disruption.partner_id),
        lost=lost,
        lost_min=sum(one.lost_min for one in lost),
        left_min=sum(one.left_min for one in lost) if disruption.ended_at is None else 0,
        asked=[asked_of(session, one) for one in requests],
        helpers=_helpers(session, disruption, lost, requests) if is_theirs and lost else [],
        reasons=REASONS,
        is_providers=is_providers(disruption.reason),
        may_choose=may_choose,
        may_sign=may(actor, "agreements.sign"),
        back=url_for("trouble.index"),
    )


def _helpers(
    session: Session, disruption: Disruption, lost: Sequence[LostHours], requests: Sequence[WorkRequest]
) -> list[Helper]:
    """Who may be asked now: all who can help, later those who were not asked yet."""
    if not requests:
        return helpers_for(session, disruption, lost[0].request_id)
    others = {one.partner_id: one for request in requests for one in others_for(session, disruption, request)}
    return list(others.values())


def _note_offers_seen(session: Session, actor: Actor, requests: Sequence[WorkRequest]) -> None:
    """Hours and prices are the partners' own; each may know that somebody here looked at them."""
    offers = [one for request in requests for one in live_offers(session, actor.firm_id, request.id, "theirs")]
    views = [(offer.partner_id, offer.id, offer.version) for offer in offers]
    note_views(world().database(), session, actor, "offer", views)


def _home(actor: Actor) -> str:
    return url_for("bookings.today" if actor.role is Role.WORKER else "trouble.index")
