"""From a form's fields to what the actions take; every wrong field gets its sentence, all at once."""

import datetime as dt
from collections.abc import Sequence

from flask import request as http
from werkzeug.datastructures import FileStorage

from app.core.errors import RuleBroken
from app.machines.rules import read_value
from app.packs.rules import Pack, Value
from app.requests.drafting import Details, Upload
from app.requests.drafts import (
    RequestDraft,
    RequirementDraft,
    asked_parameters,
    asked_types,
    faults_of_request,
    faults_of_requirement,
)
from app.requests.rules import RequestKind, ShortageReason
from app.web.forms import Form

UNKNOWN = "unknown"
"""The chip "weiß ich nicht"."""
MOST_UPLOADS = 5
STAGES = ("partner", "after_agreement")
"""When a partner may open a drawing: at once, or once both have signed."""


SHARING = ("part", "whole")
"""Whether a part of the hours helps too, or one partner does them all."""
MOST_PARTNERS = ("2", "3", "4", "5")
"""How many partners may share the work at most; nothing chosen: any number."""


def read_need(form: Form, pack: Pack, today: dt.date) -> RequirementDraft | None:
    """Step 1: process, hours, weeks. None when something is wrong; the form says what."""
    need = RequirementDraft(
        process_key=form.choice("process_key", pack.processes, "Wähle, was du suchst."),
        need_min=form.hours("need", "Gib die Stunden als Zahl ein, zum Beispiel 500.") or 0,
        first_week=form.week("first_week", "Wähle die erste KW.") or "",
        last_week=form.week("last_week", "Wähle die letzte KW.") or "",
    )
    _note(form, faults_of_requirement(RequestDraft(RequestKind.HOURS, need), pack, today))
    return need if form.is_good else None


def read_details(
    form: Form, kind: RequestKind, need: RequirementDraft, pack: Pack, now: dt.datetime
) -> tuple[RequirementDraft, Details] | None:
    """Step 2: reason, partners, deadline and everything optional. None when something is wrong."""
    told = Details(
        title=form.text("title", most=80),
        note=form.long_text("note", most=500),
        shortage_reason=_reason(form),
        reply_by=read_moment(form, "reply_by"),
        delivery_week=form.week("delivery_week", missing=""),
        radius_km=form.whole("radius_km", 1, 2000),
        partner_ids=tuple(dict.fromkeys(form.values("partners"))),
        customer=form.text("customer", most=80),
        contact_name=form.text("contact_name", most=80),
        contact_phone=form.text("contact_phone", most=40),
        allow_part=form.choice("sharing", SHARING, missing="") != "whole",
        max_partners=int(form.choice("max_partners", MOST_PARTNERS, missing="") or 0) or None,
    )
    need = read_part(form, need, pack)
    draft = RequestDraft(
        kind, need, told.title, told.note, told.shortage_reason, told.reply_by, told.delivery_week, told.radius_km,
        len(told.partner_ids),
    )  # fmt: skip
    _note(form, faults_of_request(draft, pack, now))
    return (need, told) if form.is_good else None


def read_part(form: Form, need: RequirementDraft, pack: Pack) -> RequirementDraft:
    """Material, size, precision, certificates, number of pieces: all optional."""
    material = form.text("material", most=40)
    return RequirementDraft(
        process_key=need.process_key,
        machine_type_key=form.choice("machine_type_key", [one.key for one in asked_types(need.process_key, pack)], ""),
        need_min=need.need_min,
        first_week=need.first_week,
        last_week=need.last_week,
        part_mm=_size(form),
        part_g=_grams(form),
        may_turn=form.yes("may_turn") or "part_x" not in form.fields,
        material=_material_key(pack, material),
        material_group=form.choice("material_group", pack.material_groups, missing="") or "",
        needed_it=form.whole("needed_it", -1, 18),
        needed_ra_nm=form.whole("needed_ra_nm", 1, 1_000_000),
        general_tolerance=form.choice("general_tolerance", pack.tolerances.general, missing="") or "",
        certificates=tuple(form.choices("certificates", pack.certificates)),
        needs=_needs(form, need, pack),
        part_count=form.whole("part_count", 1, 10_000_000),
    )


def need_field(key: str) -> str:
    """The form's field for a needed property: a name of its own, for properties may be called like other fields."""
    return f"need.{key}"


def read_moment(form: Form, name: str) -> dt.datetime | None:
    """A time as an option's value carries it."""
    try:
        at = dt.datetime.fromisoformat(form.value(name))
        return at if at.tzinfo else None
    except ValueError:
        return None


def uploads(form: Form, name: str = "drawing") -> list[Upload]:
    """The files of a form that were really chosen, with what the form says of them."""
    stage = form.choice("confidentiality", STAGES, missing="") or "partner"
    index = form.text("index", most=20)
    chosen = [file for file in http.files.getlist(name)[:MOST_UPLOADS] if file.filename]
    return [Upload(file.filename or "", _bytes(file), stage, index) for file in chosen]


def _bytes(file: FileStorage) -> bytes:
    return bytes(file.stream.read())


def _reason(form: Form) -> ShortageReason | None:
    found = form.value("shortage_reason")
    return ShortageReason(found) if found in [reason.value for reason in ShortageReason] else None


def _size(form: Form) -> tuple[int, int, int] | None:
    sides = [form.whole(f"part_{axis}", 1, 100_000) for axis in "xyz"]
    given = [form.value(f"part_{axis}").strip() for axis in "xyz"]
    if any(given) and not all(given):
        form.add_error(RuleBroken("Gib Länge, Breite und Höhe an, oder nichts davon.", "part_x"))
    return (sides[0], sides[1], sides[2]) if sides[0] and sides[1] and sides[2] else None


def _grams(form: Form) -> int | None:
    """Kilograms with a comma, as people write them."""
    text = form.value("part_kg").strip().replace(" ", "").replace(",", ".")
    if not text:
        return None
    try:
        grams = round(float(text) * 1000)
    except ValueError:
        grams = 0
    if not 1 <= grams <= 100_000_000:
        form.add_error(RuleBroken("Gib das Gewicht als Zahl ein, zum Beispiel 2,5.", "part_kg"))
        return None
    return grams


def _needs(form: Form, need: RequirementDraft, pack: Pack) -> dict[str, Value]:
    """What the machine must have at least; only what somebody filled in."""
    found: dict[str, Value] = {}
    for one in asked_parameters(need.process_key, pack):
        name = need_field(one.key)
        told = [value for value in form.values(name) if value.strip()]
        try:
            if told:
                found[one.key] = read_value(one, told if one.operator == "in" and one.choices else told[0])
        except RuleBroken as fault:
            form.add_error(RuleBroken(fault.text, name, **fault.values))
    return found


def _material_key(pack: Pack, typed: str) -> str:
    """'1.7225 42CrMo4' or '42CrMo4' -> '1.7225'; anything else stays as typed."""
    for material in pack.materials.values():
        if typed.lower() in (material.key.lower(), material.name.lower(), material.text.lower()):
            return material.key
    return typed


def _note(form: Form, faults: Sequence[RuleBroken]) -> None:
    """Add what the rules found where the reading found nothing yet."""
    for fault in faults:
        if form.error(fault.field) is None:
            form.add_error(fault)
