"""The Betriebskalender: shifts per weekday, closures, extra days."""

from flask import Response, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session

from app.capacity.closing import close_days, forget_days, set_shifts
from app.capacity.planning import bound_weeks
from app.capacity.queries import closures
from app.capacity.room import room
from app.capacity.rules import ShiftModel
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.holidays import holidays_between
from app.core.units import hours_text, week_of, weeks_from
from app.firms.access import Actor
from app.firms.models import Site
from app.firms.queries import sites
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import deed, page

DAYS = (
    lazy_gettext("Montag"),
    lazy_gettext("Dienstag"),
    lazy_gettext("Mittwoch"),
    lazy_gettext("Donnerstag"),
    lazy_gettext("Freitag"),
    lazy_gettext("Samstag"),
    lazy_gettext("Sonntag"),
)
PRESETS = {
    "eine": (lazy_gettext("Eine Schicht"), (480, 480, 480, 480, 480, 0, 0)),
    "kurz": (lazy_gettext("Kurzer Freitag"), (480, 480, 480, 480, 300, 0, 0)),
    "zwei": (lazy_gettext("Zwei Schichten"), (960, 960, 960, 960, 960, 0, 0)),
    "drei": (lazy_gettext("Drei Schichten"), (1440, 1440, 1440, 1440, 1440, 0, 0)),
}
HOLIDAYS_SHOWN_WEEKS = 52


@room.get("/betrieb/kalender")
@page("calendar.edit")
def calendar(session: Session, actor: Actor) -> Response:
    """The calendar of one site; `vorlage` fills in a usual week without saving it."""
    site = _site(session, actor, request.args.get("standort", ""))
    preset = PRESETS.get(request.args.get("vorlage", ""))
    minutes = list(preset[1]) if preset else site.shift_minutes
    fields: dict[str, object] = {f"day_{n}": hours_text(minutes[n]) for n in range(7)}
    fields |= {"unattended_min": hours_text(site.unattended_min), "corpus_christi": "on" if site.corpus_christi else ""}
    fields["first_hour"] = site.first_hour
    return _render_calendar(session, actor, site, Form(fields))


@room.post("/betrieb/kalender/<site_id>")
@deed("calendar.edit")
def save_calendar(session: Session, actor: Actor, site_id: str) -> Response:
    site, form = _site(session, actor, site_id), Form(request.form)
    minutes = [form.hours(f"day_{n}", "") or 0 for n in range(7)]
    unattended_min = form.hours("unattended_min", "") or 0
    first_hour = form.whole("first_hour", 0, 23, "Wähle eine Stunde von 0 bis 23.") or 0
    if form.is_good:
        try:
            monday, tuesday, wednesday, thursday, friday, saturday, sunday = minutes
            days = (monday, tuesday, wednesday, thursday, friday, saturday, sunday)
            shift = ShiftModel(days, unattended_min, first_hour)
            set_shifts(session, actor, site.id, shift, form.yes("corpus_christi"))
            return go_to(_url(site), receipt="Gemerkt. Der Plan rechnet jetzt damit.")
        except RuleBroken as error:
            error.field = "day_0" if error.field == "shift_minutes" else error.field
            form.add_error(error)
    return _render_calendar(session, actor, site, form, 422)


@room.get("/betrieb/kalender/<site_id>/tage")
@page("calendar.edit")
def days(session: Session, actor: Actor, site_id: str) -> Response:
    """Enter days on which the site is shut, or works although it would not."""
    return render("capacity/days.html", site=_site(session, actor, site_id), form=Form({"kind": "shut"}))


@room.post("/betrieb/kalender/<site_id>/tage")
@deed("calendar.edit")
def save_days(session: Session, actor: Actor, site_id: str) -> Response:
    """Also the undo of taking days away: then the days stand in the address."""
    site, form = _site(session, actor, site_id), Form(request.form if "first_day" in request.form else request.args)
    kind = form.choice("kind", ("shut", "extra"))
    first_day = form.day("first_day", "Gib ein Datum ein, zum Beispiel 24.12.2026.")
    last_day = form.day("last_day") or first_day
    name = form.text("name")
    if form.is_good and first_day is not None and last_day is not None:
        try:
            close_days(session, actor, site.id, first_day, last_day, name, kind == "extra")
            return go_to(_url(site), receipt="Gemerkt. Der Plan rechnet jetzt damit.")
        except RuleBroken as error:
            form.add_error(error)
    return render("capacity/days.html", 422, site=site, form=form)


@room.post("/betrieb/kalender/tage/<closure_id>/weg")
@deed("calendar.edit")
def drop_days(session: Session, actor: Actor, closure_id: str) -> Response:
    was = forget_days(session, actor, closure_id)
    undo_url = url_for(
        "capacity.save_days",
        site_id=was.site_id,
        first_day=was.first_day.isoformat(),
        last_day=was.last_day.isoformat(),
        name=was.name,
        kind="extra" if was.is_extra else "shut",
    )
    return go_to(
        url_for("capacity.calendar", standort=was.site_id), receipt="Die Tage sind gelöscht.", undo_url=undo_url
    )


def _site(session: Session, actor: Actor, site_id: str) -> Site:
    found = sites(session, actor.firm_id)
    chosen = [site for site in found if site.id == site_id] or ([] if site_id else list(found))
    if not chosen:
        raise NotFound
    return chosen[0]


def _url(site: Site) -> str:
    return url_for("capacity.calendar", standort=site.id)


def _render_calendar(session: Session, actor: Actor, site: Site, form: Form, status: int = 200) -> Response:
    today = clock.today()
    coming = weeks_from(week_of(today), HOLIDAYS_SHOWN_WEEKS)
    holidays = sorted(day for day in holidays_between(coming[0], coming[-1], site.corpus_christi) if day >= today)
    return render(
        "capacity/calendar.html",
        status,
        site=site,
        sites=sites(session, actor.firm_id),
        form=form,
        day_names=DAYS,
        presets=PRESETS,
        closures=closures(session, actor.firm_id, site.id, today),
        holidays=holidays[:14],
        bound=bound_weeks(session, actor.firm_id, site.id),
    )
