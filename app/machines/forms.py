"""Between form fields and typed drafts: what a person typed about machines, abilities and certificates."""

from dataclasses import dataclass

from app.core.errors import RuleBroken
from app.core.units import euro_text, hours_text
from app.machines.actions import CertificateDraft, MachineExtras
from app.machines.models import Capability, Certificate, Machine, RateCard
from app.machines.rules import (
    MOST_ALLOWANCE_MM,
    MOST_SURCHARGE_PERMILLE,
    CapabilityFacts,
    MachineDraft,
    RateDraft,
    check_capability,
    check_parameters,
    restore_values,
)
from app.machines.words import ra_text, value_text
from app.packs.queries import load_pack
from app.packs.rules import MachineType, ParameterDefinition, Value
from app.web.forms import Form

UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class ParameterFields:
    """The parameters of a type as a page asks for them: the hard ones first, yes and no as one set of chips."""

    hard: tuple[ParameterDefinition, ...]
    others: tuple[ParameterDefinition, ...]
    extras: tuple[ParameterDefinition, ...]
    """Yes or no: what the machine has"""


def parameter_fields(kind: MachineType) -> ParameterFields:
    told = tuple(one for one in kind.parameters.values() if one.operator != "bool")
    return ParameterFields(
        hard=tuple(one for one in told if one.is_hard),
        others=tuple(one for one in told if not one.is_hard),
        extras=tuple(one for one in kind.parameters.values() if one.operator == "bool"),
    )


def machine_fields(machine: Machine) -> dict[str, object]:
    """The fields of the form for a machine that is there."""
    values = restore_values(machine.parameters)
    fields: dict[str, object] = {key: _field(value) for key, value in values.items() if not isinstance(value, bool)}
    fields |= {
        "number": machine.number,
        "name": machine.name,
        "site_id": machine.site_id,
        "serial_no": machine.serial_no,
        "year_built": machine.year_built or "",
        "min_block_min": hours_text(machine.min_block_min),
        "set_up_min": hours_text(machine.set_up_min),
        "lead_time_days": machine.lead_time_days,
        "allowance_xy_mm": "" if machine.allowance_xy_mm is None else machine.allowance_xy_mm,
        "allowance_z_mm": "" if machine.allowance_z_mm is None else machine.allowance_z_mm,
        "extras": [key for key, value in values.items() if value is True],
    }
    return fields


def new_machine_fields(number: str, site_id: str) -> dict[str, object]:
    """The fields of the form for a machine that is not there yet."""
    return {"number": number, "site_id": site_id, "min_block_min": "8", "set_up_min": "1", "lead_time_days": "0"}


def read_machine(form: Form, kind: MachineType, site_ids: list[str]) -> tuple[MachineDraft, MachineExtras]:
    """Read the form; what cannot be read is noted in it, so look at `form.is_good` before using the result."""
    draft = MachineDraft(
        number=form.text("number", "Gib der Maschine eine Nummer. Höchstens 20 Zeichen.", 20),
        type_key=kind.key,
        name=form.text("name", "Gib der Maschine einen Namen. Höchstens 60 Zeichen.", 60),
        year_built=form.whole("year_built", 1900, 2100),
        min_block_min=form.hours("min_block_min") or 0,
        set_up_min=form.hours("set_up_min", "") or 0,
        lead_time_days=form.whole("lead_time_days", 0, 365) or 0,
        allowance_xy_mm=form.whole("allowance_xy_mm", 0, MOST_ALLOWANCE_MM),
        allowance_z_mm=form.whole("allowance_z_mm", 0, MOST_ALLOWANCE_MM),
    )
    site_id = (
        site_ids[0] if len(site_ids) == 1 else form.choice("site_id", site_ids, "Wähle den Standort der Maschine.")
    )
    serial_no = form.text("serial_no", most=60)
    return draft, MachineExtras(site_id or "", _read_values(form, kind), serial_no)


def ability_fields(ability: Capability | None) -> dict[str, object]:
    """The fields of the form for one process of a machine."""
    if ability is None:
        return {}
    return {
        "material_groups": list(ability.material_groups),
        "best_it": UNKNOWN if ability.best_it is None else ability.best_it,
        "best_ra_nm": UNKNOWN if ability.best_ra_nm is None else ability.best_ra_nm,
    }


def read_ability(form: Form, process_key: str) -> CapabilityFacts:
    """Read what a machine can do in one process; raises RuleBroken for an unknown process."""
    pack = load_pack()
    groups = form.choices("material_groups", pack.material_groups.keys())
    best_it = form.choice("best_it", [str(grade) for grade in pack.tolerances.it_grades], "")
    best_ra = form.choice("best_ra_nm", [str(step) for step in pack.tolerances.ra_steps_nm], "")
    return check_capability(
        pack, process_key, groups, int(best_it) if best_it else None, int(best_ra) if best_ra else None
    )


def rate_fields(card: RateCard | None) -> dict[str, object]:
    """The fields of the form; what costs nothing extra stays empty."""
    if card is None:
        return {}
    set_up, programming = card.set_up_rate_cents_per_hour, card.programming_rate_cents_per_hour
    return {
        "rate": euro_text(card.rate_cents_per_hour),
        "set_up_rate": "" if set_up is None else euro_text(set_up),
        "programming_rate": euro_text(programming) if programming else "",
        "night_surcharge": card.night_surcharge_permille // 10 or "",
        "sunday_surcharge": card.sunday_surcharge_permille // 10 or "",
        "min_order": hours_text(card.min_order_min) if card.min_order_min else "",
    }


def read_rate_card(form: Form) -> RateDraft | None:
    """Read the form, of which only the rate is asked for; None and a noted fault when something is wrong."""
    rate = form.euro("rate")
    most_percent = MOST_SURCHARGE_PERMILLE // 10
    draft = RateDraft(
        rate_cents_per_hour=rate or 0,
        set_up_rate_cents_per_hour=form.euro("set_up_rate", ""),
        programming_rate_cents_per_hour=form.euro("programming_rate", "") or 0,
        night_surcharge_permille=10 * (form.whole("night_surcharge", 0, most_percent) or 0),
        sunday_surcharge_permille=10 * (form.whole("sunday_surcharge", 0, most_percent) or 0),
        min_order_min=form.hours("min_order", "") or 0,
    )
    return draft if form.is_good else None


def certificate_fields(one: Certificate) -> dict[str, object]:
    return {
        "type_key": one.type_key,
        "number": one.number,
        "issuer": one.issuer,
        "process_keys": list(one.process_keys),
        "valid_from": f"{one.valid_from:%d.%m.%Y}",
        "valid_to": f"{one.valid_to:%d.%m.%Y}",
    }


def read_certificate(form: Form) -> CertificateDraft | None:
    """Read the form; None and a noted fault when something is missing."""
    pack = load_pack()
    type_key = form.choice("type_key", pack.certificates.keys(), "Wähle die Art des Zertifikats.")
    number = form.text("number", "Gib die Nummer des Zertifikats ein.", 60)
    issuer = form.text("issuer", most=80)
    process_keys = form.choices("process_keys", pack.processes.keys())
    valid_from = form.day("valid_from", "Gib ein Datum ein, zum Beispiel 24.12.2026.")
    valid_to = form.day("valid_to", "Gib ein Datum ein, zum Beispiel 24.12.2026.")
    if type_key is None or valid_from is None or valid_to is None or not form.is_good:
        return None
    return CertificateDraft(type_key, number, valid_from, valid_to, issuer, tuple(process_keys))


def it_options(low: int = 3, high: int = 13) -> list[tuple[str, str]]:
    """The grades that a shop tells, finest first."""
    grades = [grade for grade in load_pack().tolerances.it_grades if low <= grade <= high]
    return [(str(grade), f"IT {grade}") for grade in grades]


def ra_options() -> list[tuple[str, str]]:
    return [(str(step), f"{ra_text(step)} µm") for step in load_pack().tolerances.ra_steps_nm]


def _field(value: Value) -> object:
    return sorted(value) if isinstance(value, frozenset) else value_text(value)


def _read_values(form: Form, kind: MachineType) -> dict[str, Value]:
    """All parameters of the type; every wrong one is noted."""
    values: dict[str, Value] = {}
    for parameter in kind.parameters.values():
        try:
            values |= check_parameters(kind, {parameter.key: _told(form, parameter)})
        except RuleBroken as error:
            form.add_error(error)
    return values


def _told(form: Form, parameter: ParameterDefinition) -> object:
    if parameter.operator == "bool":
        return parameter.key in form.values("extras")
    if parameter.operator == "in" and parameter.choices:
        return form.values(parameter.key)
    return form.text(parameter.key)
