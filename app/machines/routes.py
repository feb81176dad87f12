"""The firm's machines: list, quick start, one machine, what it can do, what it costs."""

from flask import Response, request, url_for
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.federation.queries import file_for
from app.firms.access import Actor, may
from app.firms.queries import sites
from app.machines import capability_routes, certificate_routes, import_routes, protocol  # noqa: F401  their pages join this room
from app.machines.actions import (
    free_numbers,
    remove_ability,
    save_ability,
    save_machine,
    set_machine_state,
    set_photo,
    set_rate,
)
from app.machines.forms import (
    ability_fields,
    it_options,
    machine_fields,
    new_machine_fields,
    parameter_fields,
    ra_options,
    rate_fields,
    read_ability,
    read_machine,
    read_rate_card,
)
from app.machines.queries import abilities_of, has_clean_photo, machine_cards, machine_for, rate_history, rate_on
from app.machines.quick import add_quick_machines, usual_machines
from app.machines.room import room
from app.machines.rules import restore_values
from app.machines.words import ra_text, soft_name, value_text
from app.packs.queries import load_pack
from app.packs.rules import MachineType
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.security import FILE_POLICY
from app.web.transaction import deed, page

FIRST_TYPES = 8
STATE_RECEIPTS = {
    "ready": "Die Maschine ist wieder bereit.",
    "down": "Gemerkt. Für diese Maschine kommen keine Anfragen.",
    "retired": "Die Maschine ist ausgemustert.",
}

__all__ = ["room"]


@room.get("/maschinen")
@page("machines.see")
def index(session: Session, actor: Actor) -> Response:
    """All machines, with the ways to rates, certificates and import."""
    return render(
        "machines/index.html",
        machines=machine_cards(session, actor.firm_id),
        pack=load_pack(),
        may_edit=may(actor, "machines.edit"),
        may_import=may(actor, "capacity.import"),
        may_share=may(actor, "partners.edit"),
    )


@room.get("/maschinen/schnell")
@page("machines.edit")
def quick(_session: Session, _actor: Actor) -> Response:
    """The quick start of a new firm: one tap a machine."""
    return _render_quick(Form())


@room.post("/maschinen/schnell")
@deed("machines.edit")
def save_quick(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    try:
        add_quick_machines(session, actor, form.values("types"))
    except RuleBroken as error:
        form.add_error(error)
        return _render_quick(form, 422)
    return go_to(url_for("firms.tasks"), receipt="Gemerkt. Die genauen Werte prüfst du später.")


@room.get("/maschinen/neu")
@page("machines.edit")
def new(session: Session, actor: Actor) -> Response:
    """First the type, then its form."""
    kind = load_pack().machine_types.get(request.args.get("typ", ""))
    if kind is None:
        kinds = list(load_pack().machine_types.values())
        return render("machines/types.html", kinds=kinds, first=FIRST_TYPES, soft_name=soft_name)
    numbers = [card.number for card in machine_cards(session, actor.firm_id)]
    places = sites(session, actor.firm_id)
    fields = new_machine_fields(free_numbers(numbers, 1)[0], places[0].id if places else "")
    return _render_form(session, actor, Form(fields), kind)


@room.post("/maschinen/neu")
@deed("machines.edit")
def add(session: Session, actor: Actor) -> Response:
    kind = load_pack().machine_types.get(request.form.get("type_key", ""))
    if kind is None:
        raise NotFound
    return _save_form(session, actor, kind, None)


@room.get("/maschinen/<machine_id>")
@page("machines.see")
def show(session: Session, actor: Actor, machine_id: str) -> Response:
    return _render_machine(session, actor, machine_id, Form())


@room.get("/maschinen/<machine_id>/aendern")
@page("machines.edit")
def edit(session: Session, actor: Actor, machine_id: str) -> Response:
    machine = machine_for(session, actor.firm_id, machine_id)
    kind = load_pack().machine_type(machine.type_key)
    return _render_form(session, actor, Form(_multi(machine_fields(machine))), kind, machine_id)


@room.post("/maschinen/<machine_id>/aendern")
@deed("machines.edit")
def save(session: Session, actor: Actor, machine_id: str) -> Response:
    machine = machine_for(session, actor.firm_id, machine_id)
    return _save_form(session, actor, load_pack().machine_type(machine.type_key), machine_id)


@room.post("/maschinen/<machine_id>/zustand/<to>")
@deed("machines.edit")
def set_state(session: Session, actor: Actor, machine_id: str, to: str) -> Response:
    before = set_machine_state(session, actor, machine_id, to)
    undo_url = url_for("machines.set_state", machine_id=machine_id, to=before) if before != to else ""
    return go_to(url_for("machines.show", machine_id=machine_id), receipt=STATE_RECEIPTS[to], undo_url=undo_url)


@room.get("/maschinen/<machine_id>/foto")
@page("machines.see")
def photo(session: Session, actor: Actor, machine_id: str) -> Response:
    machine = machine_for(session, actor.firm_id, machine_id)
    if machine.photo_id is None:
        raise NotFound
    file = file_for(session, actor.firm_id, machine.photo_id)
    headers = {"Content-Security-Policy": FILE_POLICY, "Content-Disposition": "inline"}
    return Response(file.body, mimetype=file.media_type, headers=headers)


@room.post("/maschinen/<machine_id>/foto")
@deed("machines.edit")
def save_photo(session: Session, actor: Actor, machine_id: str) -> Response:
    sent, form = request.files.get("photo"), Form()
    try:
        if sent is None or not sent.filename:
            raise RuleBroken("Wähle zuerst ein Foto aus.", "photo")
        set_photo(session, actor, machine_id, sent.filename, sent.read())
    except RuleBroken as error:
        form.add_error(error)
        return _render_machine(session, actor, machine_id, form, 422)
    return go_to(url_for("machines.show", machine_id=machine_id), receipt="Gemerkt. Das Foto erscheint gleich.")


@room.get("/maschinen/<machine_id>/verfahren")
@page("machines.edit")
def abilities(session: Session, actor: Actor, machine_id: str) -> Response:
    """Which process to add: those of the type first."""
    machine = machine_for(session, actor.firm_id, machine_id)
    known = {one.process_key for one in abilities_of(session, actor.firm_id, machine_id)}
    usual = load_pack().machine_type(machine.type_key).processes
    return render(
        "machines/abilities.html",
        machine=machine,
        usual=[load_pack().process(key) for key in usual if key not in known],
        others=[one for key, one in load_pack().processes.items() if key not in usual and key not in known],
    )


@room.get("/maschinen/<machine_id>/verfahren/<process_key>")
@page("machines.edit")
def ability(session: Session, actor: Actor, machine_id: str, process_key: str) -> Response:
    found = [one for one in abilities_of(session, actor.firm_id, machine_id) if one.process_key == process_key]
    form = Form(_multi(ability_fields(found[0] if found else None)))
    return _render_ability(session, actor, machine_id, process_key, form, is_known=bool(found))


@room.post("/maschinen/<machine_id>/verfahren/<process_key>")
@deed("machines.edit")
def save_one_ability(session: Session, actor: Actor, machine_id: str, process_key: str) -> Response:
    form = Form(request.form)
    facts = read_ability(form, process_key)
    if not form.is_good:
        return _render_ability(session, actor, machine_id, process_key, form, True, 422)
    save_ability(session, actor, machine_id, facts)
    return go_to(url_for("machines.show", machine_id=machine_id), receipt="Gemerkt.")


@room.post("/maschinen/<machine_id>/verfahren/<process_key>/weg")
@deed("machines.edit")
def drop_ability(session: Session, actor: Actor, machine_id: str, process_key: str) -> Response:
    remove_ability(session, actor, machine_id, process_key)
    return go_to(url_for("machines.show", machine_id=machine_id), receipt="Gemerkt.")


@room.get("/maschinen/<machine_id>/satz")
@page("rates.edit")
def rate(session: Session, actor: Actor, machine_id: str) -> Response:
    card = rate_on(session, actor.firm_id, machine_id, clock.today())
    return _render_rate(session, actor, machine_id, Form(rate_fields(card)))


@room.post("/maschinen/<machine_id>/satz")
@deed("rates.edit")
def save_rate(session: Session, actor: Actor, machine_id: str) -> Response:
    form = Form(request.form)
    draft = read_rate_card(form)
    if draft is not None:
        try:
            set_rate(session, actor, machine_id, draft)
            return go_to(
                url_for("machines.show", machine_id=machine_id), receipt="Gemerkt. Nur die Leitung sieht den Satz."
            )
        except RuleBroken as error:
            form.add_error(error)
    return _render_rate(session, actor, machine_id, form, 422)


def _render_machine(session: Session, actor: Actor, machine_id: str, form: Form, status: int = 200) -> Response:
    machine = machine_for(session, actor.firm_id, machine_id)
    kind = load_pack().machine_type(machine.type_key)
    values = restore_values(machine.parameters)
    return render(
        "machines/show.html",
        status,
        machine=machine,
        form=form,
        kind=kind,
        pack=load_pack(),
        told=[(kind.parameters[key], value_text(value)) for key, value in values.items() if key in kind.parameters],
        missing=[one for one in kind.parameters.values() if one.is_hard and one.key not in values],
        abilities=abilities_of(session, actor.firm_id, machine_id),
        has_photo=has_clean_photo(session, actor.firm_id, machine),
        ra_text=ra_text,
        may_edit=may(actor, "machines.edit"),
        may_rate=may(actor, "rates.edit"),
        may_offer=may(actor, "capacity.offer"),
        rate=rate_on(session, actor.firm_id, machine_id, clock.today()) if may(actor, "rates.see") else None,
    )


def _save_form(session: Session, actor: Actor, kind: MachineType, machine_id: str | None) -> Response:
    form = Form(request.form)
    draft, extras = read_machine(form, kind, [site.id for site in sites(session, actor.firm_id)])
    if form.is_good:
        try:
            saved_id = save_machine(session, actor, draft, extras, machine_id)
            return go_to(url_for("machines.show", machine_id=saved_id), receipt="Gemerkt.")
        except RuleBroken as error:
            form.add_error(error)
    return _render_form(session, actor, form, kind, machine_id, 422)


def _render_form(
    session: Session, actor: Actor, form: Form, kind: MachineType, machine_id: str | None = None, status: int = 200
) -> Response:
    places = [(site.id, site.name) for site in sites(session, actor.firm_id)]
    fields = parameter_fields(kind)
    values = {"form": form, "kind": kind, "fields": fields, "places": places, "machine_id": machine_id}
    return render("machines/form.html", status, **values)


def _render_quick(form: Form, status: int = 200) -> Response:
    kinds = [(key, soft_name(load_pack().machine_type(key).label(str(get_locale())))) for key in usual_machines()]
    return render("machines/quick.html", status, form=form, kinds=kinds)


def _render_ability(
    session: Session, actor: Actor, machine_id: str, process_key: str, form: Form, is_known: bool, status: int = 200
) -> Response:
    if process_key not in load_pack().processes:
        raise NotFound
    unknown = ("", gettext("weiß nicht"))
    return render(
        "machines/ability.html",
        status,
        machine=machine_for(session, actor.firm_id, machine_id),
        process=load_pack().process(process_key),
        form=form,
        groups=load_pack().material_groups.values(),
        it_options=[unknown, *it_options()],
        ra_options=[unknown, *ra_options()],
        is_known=is_known,
    )


def _render_rate(session: Session, actor: Actor, machine_id: str, form: Form, status: int = 200) -> Response:
    machine = machine_for(session, actor.firm_id, machine_id)
    history = rate_history(session, actor.firm_id, machine_id)
    return render("machines/rate.html", status, machine=machine, form=form, history=history)


def _multi(fields: dict[str, object]) -> dict[str, object]:
    """Lists stay lists of text, everything else becomes one text."""
    return {
        key: [str(item) for item in value] if isinstance(value, list) else str(value) for key, value in fields.items()
    }
