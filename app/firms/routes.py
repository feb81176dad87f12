"""The first page, the firm itself, its people, its Protokoll, and the page Mehr."""

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.urls import is_local_path
from app.core.words import N_
from app.firms.access import Actor, Role, may
from app.firms.actions import FirmFacts, change_firm, end_membership, set_anchoring, set_roles
from app.firms.people import Settings, change_settings, set_absence, set_limit, set_view
from app.firms.protocol import openings, protocol, seen_by
from app.firms.queries import firm_of, people_with_roles, person_for, roles_of
from app.firms.rules import LEGAL_FORMS, roles_to_invite
from app.firms.setup import Task, task_states
from app.firms.two_person import open_rule_change, set_two_person_rule
from app.web.crossing import crossing_key, issue_ticket
from app.web.forms import Form
from app.web.limits import LOOK, limiter
from app.web.render import HANDS, LOOKS, euro_said, go_to, render, set_look
from app.web.transaction import PUBLIC, deed, page
from app.web.world import config

room = Blueprint("firms", __name__)
LANGUAGES = {"de": "Deutsch", "en": "English"}
ROLE_NAMES = {
    Role.WORKER: N_("Mitarbeiter"), Role.FOREMAN: N_("Meister"), Role.MANAGER: N_("Leitung"), Role.ACCOUNTANT: N_("Büro"),
    Role.STEWARD: N_("Betreuung"),
}  # fmt: skip
TASKS = {
    "machines": ("Trage eure Maschinen ein", "Freie Stunden trägst du danach im Plan ein.", "machines.index"),
    "recovery": ("Drucke den Notfallschlüssel", "Ohne ihn könnt ihr nicht unterschreiben.", "passkeys.recovery_sheet"),
    "partners": ("Lade einen Partner ein", "Ihr stimmt beide zu. Erst dann seht ihr euch.", "partners.invite"),
    "people": ("Lade deine Leute ein", "Meister antworten auf Anfragen.", "passkeys.invite"),
}
FORM_CHIPS = [(form, form) for form in LEGAL_FORMS]
LEGAL_PAGES = {"impressum": N_("Impressum"), "datenschutz": N_("Datenschutz"), "nutzung": N_("Nutzung")}


@room.get("/")
@page(PUBLIC)
def home(_session: Session, actor: Actor | None) -> Response:
    """S01 for visitors, the first tab for people who are signed in."""
    if actor is None:
        return render("firms/home.html", firms_may_join=config().firms_may_join, has_practice=config().practice)
    return redirect(url_for(current_app.extensions["home_of"](actor.role)))  # type: ignore[return-value]


@room.get("/mehr")
@page("own.use")
def more(session: Session, actor: Actor) -> Response:
    """S40: language, look, quiet time, help, sign out."""
    person = person_for(session, actor.firm_id, actor.person_id)
    form = Form(
        {
            "quiet_from": person.quiet_from,
            "quiet_to": person.quiet_to,
            "quiet_weekend": "on" if person.quiet_weekend else "",
        }
        | {"email": person.email, "phone": person.phone}
    )
    return _more(session, actor, form)


@room.post("/mehr")
@deed("own.use")
def save_settings(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    settings = Settings(
        email=form.mail("email"),
        phone=form.text("phone", most=40),
        quiet_from=form.whole("quiet_from", 0, 23, "Wähle eine Stunde von 0 bis 23.") or 0,
        quiet_to=form.whole("quiet_to", 0, 23, "Wähle eine Stunde von 0 bis 23.") or 0,
        quiet_weekend=form.yes("quiet_weekend"),
    )
    if form.is_good:
        try:
            change_settings(session, actor, settings)
            return go_to(url_for("firms.more"), receipt="Gemerkt.")
        except RuleBroken as error:
            form.add_error(error)
    return _more(session, actor, form)


@room.post("/betrieb/nachweis")
@deed("keys.edit")
def save_anchoring(session: Session, actor: Actor) -> Response:
    """The public proof on or off; the node's operator must have a chain for it."""
    set_anchoring(session, actor, Form(request.form).yes("is_anchored"))
    return go_to(url_for("firms.more"), receipt="Gemerkt.")


def _more(session: Session, actor: Actor, form: Form) -> Response:
    may_anchor = config().anchor is not None and may(actor, "keys.edit")
    return render(
        "firms/more.html",
        422 if form.errors else 200,
        person=person_for(session, actor.firm_id, actor.person_id),
        form=form,
        languages=LANGUAGES.items(),
        role_names=ROLE_NAMES,
        legal=LEGAL_PAGES,
        has_practice=config().practice,
        is_anchored=firm_of(session, actor.firm_id).is_anchored if may_anchor else None,
        silence=current_app.extensions["silence_of"](session, actor.firm_id, clock.now()),
    )


@room.get("/hilfe")
@page("own.use")
def help_page(_session: Session, _actor: Actor) -> Response:
    """What people ask most, in a few sentences each."""
    return render("firms/help.html")


@room.get("/gespeichert")
@page("own.use")
def stored(_session: Session, _actor: Actor) -> Response:
    """The sheet "Was die App speichert", to read, to print, and to show to the works council."""
    return render("firms/stored.html")


@room.post("/ansicht")
@limiter.limit(LOOK)
@deed(PUBLIC)
def change_view(session: Session, actor: Actor | None) -> Response:
    """Sonne, Handschuh and language: at once, on this device and for this person."""
    back = request.form.get("back", "")
    response = go_to(back if is_local_path(back) else url_for("firms.home"))
    for name, allowed in (("light", LOOKS), ("hand", HANDS), ("language", tuple(LANGUAGES))):
        value = request.form.get(name)
        if value in allowed:
            set_look(response, name, value)
            if actor is not None:
                set_view(session, actor, name, value)
    return response


@room.get("/zur-uebung")
@page("own.use")
def cross_over(_session: Session, actor: Actor) -> Response:
    """Mehr → Üben: role, language and look come along; who the person is stays here."""
    _need_practice()
    ticket = issue_ticket(
        crossing_key(config().secret_key), actor.role, actor.language, light=actor.light, hand=actor.hand
    )
    return redirect(f"{request.script_root}/uebung/herueber?karte={ticket}", 303)  # type: ignore[return-value]


@room.get("/zurueck")
@page(PUBLIC)
def come_back(_session: Session, _actor: Actor | None) -> Response:
    """The way back from the practice world; it brings nothing along."""
    _need_practice()
    return go_to(url_for("firms.home"), receipt="Du bist jetzt wieder im echten Betrieb.")


@room.get("/betrieb")
@page("firm.see")
def show(session: Session, actor: Actor) -> Response:
    """S30: the firm, its people and the ways to everything that belongs to it."""
    return render(
        "firms/show.html",
        firm=firm_of(session, actor.firm_id),
        people=people_with_roles(session, actor.firm_id),
        role_names=ROLE_NAMES,
        may_edit=may(actor, "firm.edit"),
        may_edit_people=may(actor, "people.edit"),
        rule_change=open_rule_change(session, actor.firm_id) if may(actor, "keys.edit") else None,
    )


@room.get("/betrieb/daten")
@page("firm.edit")
def edit(session: Session, actor: Actor) -> Response:
    firm = firm_of(session, actor.firm_id)
    fields = {name: getattr(firm, name) for name in FirmFacts.__dataclass_fields__}
    fields["name_in_push"] = "on" if firm.name_in_push else ""
    return render("firms/edit.html", form=Form(fields), legal_form_options=FORM_CHIPS, firm=firm)


@room.post("/betrieb/daten")
@deed("firm.edit")
def save(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    facts = read_firm(form)
    if form.is_good:
        try:
            change_firm(session, actor, facts, form.yes("name_in_push"))
            return go_to(url_for("firms.show"), receipt="Gemerkt.")
        except RuleBroken as error:
            form.add_error(error)
    return render(
        "firms/edit.html", 422, form=form, legal_form_options=FORM_CHIPS, firm=firm_of(session, actor.firm_id)
    )


def _need_practice() -> None:
    """Both ways between the worlds start and end in the real one, on nodes that have the other."""
    if not config().practice:
        raise NotFound


def read_firm(form: Form) -> FirmFacts:
    """Read the fields that say who a firm is; what is missing is noted in the form."""
    return FirmFacts(
        name=form.text("name", "Schreib den Namen deines Betriebs.", 120),
        short_name=form.text("short_name", "Schreib einen kurzen Namen.", 14),
        legal_form=form.choice("legal_form", LEGAL_FORMS, "") or "",
        register_court=form.text("register_court"),
        register_no=form.text("register_no", most=40),
        vat_id=form.text("vat_id", most=20),
        street=form.text("street", "Schreib Straße und Hausnummer.", 120),
        postcode=form.text("postcode", "Schreib die Postleitzahl.", 5),
        town=form.text("town", "Schreib den Ort."),
    )


@room.post("/betrieb/zwei-leitungen")
@deed("keys.edit")
def save_two_person_rule(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    above_cents = form.euro("two_person_above", "")
    if form.is_good:
        try:
            is_set = set_two_person_rule(session, actor, above_cents)
            receipt = "Gemerkt." if is_set else "Eine andere Leitung muss noch zustimmen."
            return go_to(url_for("firms.show"), receipt=receipt)
        except RuleBroken as error:
            form.add_error(error)
    firm = firm_of(session, actor.firm_id)
    fields = {name: getattr(firm, name) for name in FirmFacts.__dataclass_fields__}
    shown = Form(fields | {"two_person_above": form.value("two_person_above")})
    shown.errors = form.errors
    return render("firms/edit.html", 422, form=shown, legal_form_options=FORM_CHIPS, firm=firm)


@room.get("/betrieb/aufgaben")
@page("firm.see")
def tasks(session: Session, actor: Actor) -> Response:
    """S06: the only task list, with what this person may do of it."""
    states = task_states(session, actor.firm_id, current_app.extensions["setup_counts"])
    listed = [
        Task(gettext(TASKS[key][0]), gettext(TASKS[key][1]), url_for(TASKS[key][2]), stand)
        for key, stand in states.items()
        if may(actor, _permission_of(TASKS[key][2]))
    ]
    following = next((task for task in listed if task.stand != "fertig"), None)
    hints = current_app.extensions["key_hints"](session, actor)
    return render("firms/tasks.html", tasks=listed, following=following, hints=hints)


def _permission_of(endpoint: str) -> str:
    """What the page of a task asks for itself."""
    view: Any = current_app.view_functions[endpoint]
    return str(view.permission)


@room.get("/betrieb/leute/<person_id>")
@page("people.edit")
def person(session: Session, actor: Actor, person_id: str) -> Response:
    return _render_person(session, actor, person_id)


@room.post("/betrieb/leute/<person_id>")
@deed("people.edit")
def save_person(session: Session, actor: Actor, person_id: str) -> Response:
    """Roles, deputy, absence and, for managers, the spending limit."""
    form = Form(request.form)
    roles = form.choices("roles", [str(role) for role in Role], "Wähle mindestens eine Rolle.")
    limit, email = form.euro("limit", ""), form.mail("email")
    if form.is_good:
        try:
            before = roles_of(session, actor.firm_id, person_id)
            set_roles(session, actor, person_id, [Role(role) for role in roles], email)
            set_absence(session, actor, person_id, form.value("deputy") or None, form.yes("is_absent"))
            if "limit" in form.fields and may(actor, "keys.edit"):
                set_limit(session, actor, person_id, limit)
            saved = go_to(url_for("firms.show"), receipt="Gemerkt.")
            answer: Response = current_app.extensions["follow_roles"](session, actor, person_id, before, saved)
            return answer
        except RuleBroken as error:
            form.add_error(error)
    return _render_person(session, actor, person_id, form)


@room.post("/betrieb/leute/<person_id>/ende")
@deed("people.edit")
def remove_person(session: Session, actor: Actor, person_id: str) -> Response:
    """A person leaves: roles, devices and passkeys end in this transaction."""
    end_membership(session, actor, person_id)
    current_app.extensions["end_devices"](session, actor, person_id)
    return go_to(url_for("firms.show"), receipt="Die Person ist abgemeldet.")


def _render_person(session: Session, actor: Actor, person_id: str, form: Form | None = None) -> Response:
    shown = person_for(session, actor.firm_id, person_id)
    others = [row for row in people_with_roles(session, actor.firm_id) if row.id != person_id]
    held = roles_of(session, actor.firm_id, person_id)
    if form is None:
        limit = "" if shown.spending_limit_cents is None else euro_said(shown.spending_limit_cents)
        form = Form({"limit": limit, "deputy": shown.deputy_id or "", "is_absent": "on" if shown.is_absent else ""})
        form.fields.setlist("roles", sorted(held))
    roles = [(str(role), gettext(ROLE_NAMES[role])) for role in Role if role in roles_to_invite(actor.roles) | held]
    return render(
        "firms/person.html", 422 if form.errors else 200, person=shown, form=form, roles=roles, others=others,
        deputies=[("", gettext("niemand")), *((row.id, row.name) for row in others)],
        is_manager=Role.MANAGER in held, may_limit=may(actor, "keys.edit"),
        needs_email=not shown.email and Role.MANAGER in roles_to_invite(actor.roles),
    )  # fmt: skip


@room.get("/protokoll")
@page("log.see")
def log(session: Session, actor: Actor) -> Response:
    """S44: who did what, and who has seen our data."""
    return render(
        "firms/protocol.html",
        lines=protocol(session, actor),
        seen=seen_by(session, actor),
        opened=openings(session, actor),
    )


@room.get("/<any(impressum, datenschutz, nutzung):name>")
@page(PUBLIC)
def legal(_session: Session, _actor: Actor | None, name: str) -> Response:
    """The operator's own texts; where a file is missing the page says so."""
    folder = config().legal_dir
    path = folder / f"{name}.txt" if folder else Path()
    paragraphs = path.read_text(encoding="utf-8").split("\n\n") if folder and path.is_file() else []
    if name not in LEGAL_PAGES:
        raise NotFound
    return render("firms/legal.html", title=LEGAL_PAGES[name], paragraphs=paragraphs)
