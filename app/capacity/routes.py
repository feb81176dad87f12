"""Free hours on the phone: Anbieten, Plan, Woche."""

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.capacity import calendar_routes, import_routes, protocol  # noqa: F401  their pages join this room
from app.capacity.actions import offer_hours, undo_offer
from app.capacity.calendar import is_plannable
from app.capacity.choice import SHOWN_WEEKS, offer_choice
from app.capacity.queries import plan_row, plan_rows
from app.capacity.room import room
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.units import hours_text, parse_hours, week_of, weeks_from
from app.firms.access import Actor, may
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import deed, page

RECEIPT = "Gemerkt. Niemand sieht deine freie Zeit. Passt eine Anfrage, melden wir uns bei dir."
HALF_HOUR_MIN = 30

__all__ = ["room"]


@room.get("/anbieten")
@page("capacity.offer")
def offer(session: Session, actor: Actor) -> Response:
    """S16: machine, week and hours are chosen already; one tap offers them."""
    asked = request.args
    choice = offer_choice(session, actor.firm_id, actor.person_id, asked.get("machine", ""), asked.get("week", ""))
    if choice is None:
        return _render_nothing(actor)
    form = Form({"hours": asked.get("hours") or hours_text(choice.proposed_min)})
    return render("capacity/offer.html", choice=choice, form=form)


@room.get("/anbieten/stunden")
@page("capacity.offer")
def hours(session: Session, actor: Actor) -> Response:
    """The fragment below the chips: what is possible in the chosen week of the chosen machine."""
    form = Form(request.args)
    choice = offer_choice(session, actor.firm_id, actor.person_id, form.value("machine"), form.value("week"))
    if choice is None:
        raise NotFound
    return render("capacity/_hours.html", choice=choice, form=Form({"hours": hours_text(choice.proposed_min)}))


@room.post("/anbieten")
@deed("capacity.offer")
def save_offer(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    if form.value("hours_step"):
        machine_id, week = form.value("machine"), form.value("week")
        return go_to(url_for("capacity.offer", machine=machine_id, week=week, hours=_stepped_hours(form)))
    saved = _save(session, actor, form, form.value("machine"), form.week("week"), url_for("capacity.offer"))
    return saved or _render_offer(session, actor, form)


@room.post("/anbieten/<change_id>/zurueck")
@deed("capacity.offer")
def undo(session: Session, actor: Actor, change_id: str) -> Response:
    change = undo_offer(session, actor, change_id)
    url = url_for("capacity.offer", machine=change.machine_id, week=change.week)
    return go_to(url, receipt="Zurückgenommen. Es ist alles wie vorher.")


@room.get("/plan")
@page("capacity.see")
def plan(session: Session, actor: Actor) -> Response:
    """S17: every machine with its next eight weeks."""
    today = clock.today()
    first = request.args.get("ab", "")
    first = first if is_plannable(first, today) else week_of(today)
    shown = weeks_from(first, SHOWN_WEEKS)
    later = weeks_from(shown[-1], 2)[1]
    return render(
        "capacity/plan.html",
        rows=plan_rows(session, actor.firm_id, shown),
        shown=shown,
        current=week_of(today),
        later=later if is_plannable(later, today) else "",
        may_import=may(actor, "capacity.import"),
    )


@room.get("/woche/<week>/<machine_id>")
@page("capacity.see")
def week(session: Session, actor: Actor, week: str, machine_id: str) -> Response:
    """S18: one week of one machine: own, promised, free."""
    _check_week(week)
    choice = offer_choice(session, actor.firm_id, actor.person_id, machine_id, week)
    fits = choice is not None and choice.machine_id == machine_id and choice.week == week
    cell = plan_row(session, actor.firm_id, machine_id, [week]).cells[0]
    proposed_min = choice.proposed_min if choice is not None and fits else cell.actual_min
    form = Form({"hours": request.args.get("hours") or hours_text(proposed_min)})
    return _render_week(session, actor, week, machine_id, form)


@room.post("/woche/<week>/<machine_id>")
@deed("capacity.offer")
def save_week(session: Session, actor: Actor, week: str, machine_id: str) -> Response:
    _check_week(week)
    form = Form(request.form)
    back = url_for("capacity.week", week=week, machine_id=machine_id)
    if form.value("hours_step"):
        return go_to(url_for("capacity.week", week=week, machine_id=machine_id, hours=_stepped_hours(form)))
    return _save(session, actor, form, machine_id, week, back) or _render_week(
        session, actor, week, machine_id, form, 422
    )


def _save(session: Session, actor: Actor, form: Form, machine_id: str, week: str | None, back: str) -> Response | None:
    """Offer what the form says; None and a noted fault when it cannot be."""
    minutes = form.hours("hours")
    if not machine_id:
        form.add_error(RuleBroken("Wähle eine Maschine aus.", "machine"))
    if form.is_good and minutes is not None and week is not None:
        try:
            change = offer_hours(session, actor, machine_id, week, minutes)
            return go_to(back, receipt=RECEIPT, undo_url=url_for("capacity.undo", change_id=change.id))
        except RuleBroken as error:
            form.add_error(error)
    return None


def _render_offer(session: Session, actor: Actor, form: Form) -> Response:
    """The form again, with what was typed and what is wrong."""
    choice = offer_choice(session, actor.firm_id, actor.person_id, form.value("machine"), form.value("week"))
    return render("capacity/offer.html", 422, choice=choice, form=form) if choice else _render_nothing(actor)


def _render_nothing(actor: Actor) -> Response:
    return render("capacity/no_machine.html", may_edit=may(actor, "machines.edit"))


def _render_week(session: Session, actor: Actor, week: str, machine_id: str, form: Form, status: int = 200) -> Response:
    row = plan_row(session, actor.firm_id, machine_id, [week])
    values = {"row": row, "cell": row.cells[0], "form": form, "may_offer": may(actor, "capacity.offer")}
    return render("capacity/week.html", status, **values)


def _check_week(week: str) -> None:
    """A week that is no week, or over, has no page."""
    if not is_plannable(week, clock.today()):
        raise NotFound


def _stepped_hours(form: Form) -> str:
    """Without JavaScript, minus and plus come back to the page with the new number."""
    try:
        now_min = parse_hours(form.value("hours"))
    except RuleBroken:
        now_min = 0
    step_min = -HALF_HOUR_MIN if form.value("hours_step").startswith("-") else HALF_HOUR_MIN
    return hours_text(max(0, now_min + step_min))
