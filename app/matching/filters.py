"""The hard filters, in their order: each says in one sentence why a machine fits, does not, or must be checked."""

import datetime as dt
from collections.abc import Iterable, Iterator

from app.core.units import fits, hours_text, monday
from app.machines.rules import CapabilityFacts, CertificateFacts
from app.matching.facts import MachineFacts, Reason, Requirement
from app.packs.rules import MachineType, ParameterDefinition, Value, meets

FIXTURE_PERCENT = 30
"""What clamping adds to a part's mass on the table (unverified trade practice)"""


def process_reason(need: Requirement, machine: MachineFacts) -> Reason | None:
    """The machine has the process; "weiß ich nicht" skips this."""
    if need.process_key is None:
        return None
    name: dict[str, str | int] = {"process": process_name(need), "process_key": need.process_key}
    if any(ability.process_key == need.process_key for ability in machine.capabilities):
        return Reason("process", True, "%(process)s passt.", name)
    return Reason("process", False, "Diese Maschine kann %(process)s nicht.", name)


def distance_reason(need: Requirement, machine: MachineFacts) -> Reason | None:
    """The way is inside the radius, as the crow flies."""
    if need.radius_km is None:
        return None
    if machine.distance_km is None:
        return Reason("distance", None, "Die Entfernung kennen wir nicht. Prüfe sie bitte.")
    km = {"km": round(machine.distance_km), "radius": need.radius_km}
    if machine.distance_km <= need.radius_km:
        return Reason("distance", True, "Die Entfernung passt: ≈ %(km)s km.", km)
    return Reason("distance", False, "Zu weit weg: ≈ %(km)s km. Gesucht sind höchstens %(radius)s km.", km)


def type_reason(need: Requirement, machine: MachineFacts) -> Reason | None:
    """The machine is of the needed type, or of one that can do its work."""
    if need.machine_type_key is None:
        return None
    wanted = need.pack.machine_types.get(need.machine_type_key)
    name: dict[str, str | int] = {
        "machine_type": wanted.label.de if wanted else need.machine_type_key,
        "machine_type_key": need.machine_type_key,
    }
    if need.pack.covers_type(machine.type_key, need.machine_type_key):
        return Reason("machine_type", True, "Der Maschinentyp passt: %(machine_type)s.", name)
    return Reason("machine_type", False, "Gesucht ist eine andere Maschine: %(machine_type)s.", name)


def size_reason(need: Requirement, machine: MachineFacts) -> Reason | None:
    """The part with its allowance fits the working space; a turned part is never tried in other positions."""
    kind = need.pack.machine_types.get(machine.type_key)
    if need.part_mm is None:
        return None
    space = _numbers(machine, kind.turned or kind.envelope) if kind else None
    if kind is None or not space:
        return Reason("size", None, "Der Arbeitsraum ist unbekannt. Prüfe, ob das Teil passt.")
    sides: dict[str, str | int] = {"size": " × ".join(map(str, need.part_mm))}
    if _fits_space(need, kind, _allowance(kind, machine), space):
        return Reason("size", True, "Das Teil passt auf die Maschine: %(size)s mm.", sides)
    return Reason("size", False, "Das Teil ist zu groß für die Maschine: %(size)s mm.", sides)


def load_reason(need: Requirement, machine: MachineFacts) -> Reason | None:
    """Part and fixture are not too heavy for the table."""
    kind = need.pack.machine_types.get(machine.type_key)
    if need.part_g is None or kind is None or kind.load is None:
        return None
    limit = _numbers(machine, (kind.load,))
    if limit is None:
        return Reason("load", None, "Die Tischbelastung ist unbekannt. Prüfe das Gewicht.")
    if need.part_g * (100 + FIXTURE_PERCENT) <= limit[0] * 1000 * 100:
        return Reason("load", True, "Das Gewicht passt.")
    return Reason("load", False, "Das Teil ist mit Spannmittel zu schwer für den Tisch.")


def parameter_reasons(need: Requirement, machine: MachineFacts) -> Iterator[Reason]:
    """Every needed property, the hard ones first; a missed wish only ranks lower, an unknown value must be checked."""
    kind = need.pack.machine_types.get(machine.type_key)
    own = kind.parameters if kind else {}
    named = [(key, own.get(key) or need.pack.parameters.get(key)) for key in sorted(need.needs)]
    for key, definition in sorted(named, key=lambda one: not (one[1] and one[1].is_hard)):
        yield _parameter_reason(key, definition, machine.parameters.get(key), need.needs[key])


def ability_reasons(need: Requirement, machine: MachineFacts) -> tuple[Reason, ...]:
    """Material, tolerance and surface of the best fitting ability; without a process any ability of the machine."""
    named = [a for a in machine.capabilities if need.process_key in (None, a.process_key)]
    judged = [_judge_ability(need, ability) for ability in named or [CapabilityFacts("")]]
    return min(judged, key=lambda reasons: (_severity(reasons), [reason.text for reason in reasons]))


def certificate_reasons(
    need: Requirement, certificates: Iterable[CertificateFacts]
) -> tuple[tuple[Reason, ...], dt.date]:
    """Return a reason for each needed certificate, and the last day on which all of them are valid."""
    held = tuple(certificates)
    judged = [_judge_certificate(need, key, held) for key in need.certificates]
    return tuple(reason for reason, _ in judged), min((until for _, until in judged), default=dt.date.max)


def hours_reason(need: Requirement, machine: MachineFacts, has_weeks: bool, total_min: int) -> Reason | None:
    """Enough is free in the weeks; know-how requests have no hours yet."""
    if not need.needs_hours:
        return None
    if need.need_min < machine.min_order_min:
        order: dict[str, str | int] = {"order": hours_text(machine.min_order_min)}
        return Reason("hours", False, "Gesucht ist weniger als dein kleinster Auftrag von %(order)s Stunden.", order)
    hours: dict[str, str | int] = {
        "hours": hours_text(total_min),
        "need": hours_text(need.need_min),
        "block": hours_text(machine.min_block_min),
    }
    if total_min and total_min == need.need_min:
        return Reason("hours", True, "Frei sind alle %(need)s Stunden.", hours)
    if total_min:
        return Reason("hours", True, "Frei sind %(hours)s von %(need)s Stunden.", hours)
    if has_weeks:
        return Reason("hours", False, "Gesucht ist weniger als dein Mindestblock von %(block)s Stunden.", hours)
    return Reason("hours", False, "In diesen Wochen ist zu wenig frei.", hours)


def sunday(week: str) -> dt.date:
    """Return the last day of an ISO week."""
    return monday(week) + dt.timedelta(days=6)


def process_name(need: Requirement) -> str:
    """Return the German name of the needed process, or its key if this pack does not know it."""
    process = need.pack.processes.get(need.process_key or "")
    return process.label.de if process else (need.process_key or "")


def _numbers(machine: MachineFacts, keys: Iterable[str]) -> tuple[float, ...] | None:
    values = [machine.parameters.get(key) for key in keys]
    numbers = tuple(value for value in values if isinstance(value, int | float) and not isinstance(value, bool))
    return numbers if len(numbers) == len(values) else None


def _allowance(kind: MachineType, machine: MachineFacts) -> tuple[int, int, int]:
    """Room around the part in x, y and z: the machine's own, else what its type usually needs."""
    x, y, z = kind.allowance_mm
    sides, height = machine.allowance_xy_mm, machine.allowance_z_mm
    return (x if sides is None else sides, y if sides is None else sides, z if height is None else height)


def _fits_space(
    need: Requirement, kind: MachineType, allowance: tuple[int, int, int], space: tuple[float, ...]
) -> bool:
    part = need.part_mm or ()
    room = tuple(int(side) for side in space)
    if kind.turned:
        # On a lathe the part turns about z: the larger of x and y is its diameter, the last number its length.
        return fits((max(part[:-1]), part[-1]), room, (allowance[0], allowance[2]), may_turn=False)
    if len(part) == 2:
        part = (part[0], part[0], part[1])
    if len(room) == 2:
        # A sheet lies flat: its two long sides count.
        part = tuple(sorted(part, reverse=True)[:2]) if need.may_turn else part[:2]
    return fits(part, room, allowance[: len(room)], need.may_turn)


def _parameter_reason(key: str, definition: ParameterDefinition | None, has: Value | None, wanted: Value) -> Reason:
    name: dict[str, str | int] = {"parameter": definition.label.de if definition else key, "parameter_key": key}
    code = "parameter" if definition and definition.is_hard else "wish"
    if definition is None or has is None:
        return Reason(code, None, "%(parameter)s ist unbekannt. Prüfe es bitte.", name)
    if meets(definition, has, wanted):
        return Reason(code, True, "%(parameter)s passt.", name)
    if code == "wish":
        return Reason(code, False, "Gewünscht, aber nicht ganz da: %(parameter)s.", name)
    return Reason(code, False, "%(parameter)s reicht nicht.", name)


def _judge_ability(need: Requirement, ability: CapabilityFacts) -> tuple[Reason, ...]:
    reasons = (_material_reason(need, ability), _tolerance_reason(need, ability), _surface_reason(need, ability))
    return tuple(reason for reason in reasons if reason)


def _material_reason(need: Requirement, ability: CapabilityFacts) -> Reason | None:
    if not need.material and not need.material_group:
        return None
    known = need.pack.materials.get(need.material)
    group = need.pack.material_groups.get(need.group or "")
    text = known.text if known else need.material or (group.label.de if group else need.material_group)
    name: dict[str, str | int] = {"material": text, "group": need.group or ""}
    if need.group is None or not ability.material_groups:
        return Reason("material", None, "Prüfe bitte den Werkstoff: %(material)s.", name)
    if need.group in ability.material_groups:
        return Reason("material", True, "Der Werkstoff passt: %(material)s.", name)
    return Reason("material", False, "Der Werkstoff passt nicht: %(material)s.", name)


def _tolerance_reason(need: Requirement, ability: CapabilityFacts) -> Reason | None:
    if need.needed_it is None:
        return None
    if ability.best_it is None:
        return Reason(
            "tolerance", None, "Prüfe bitte die Toleranz: IT%(needed)s.", {"needed": _it_text(need.needed_it)}
        )
    grades: dict[str, str | int] = {"needed": _it_text(need.needed_it), "best": _it_text(ability.best_it)}
    if ability.best_it <= need.needed_it:
        return Reason("tolerance", True, "Die Toleranz passt: IT%(needed)s.", grades)
    return Reason("tolerance", False, "Gesucht ist IT%(needed)s. Die Maschine schafft IT%(best)s.", grades)


def _surface_reason(need: Requirement, ability: CapabilityFacts) -> Reason | None:
    if need.needed_ra_nm is None:
        return None
    if ability.best_ra_nm is None:
        return Reason(
            "surface", None, "Prüfe bitte die Rauheit: Ra %(needed)s µm.", {"needed": _ra_text(need.needed_ra_nm)}
        )
    depths: dict[str, str | int] = {"needed": _ra_text(need.needed_ra_nm), "best": _ra_text(ability.best_ra_nm)}
    if ability.best_ra_nm <= need.needed_ra_nm:
        return Reason("surface", True, "Die Rauheit passt: Ra %(needed)s µm.", depths)
    return Reason("surface", False, "Gesucht ist Ra %(needed)s µm. Die Maschine schafft %(best)s µm.", depths)


def _judge_certificate(need: Requirement, wanted: str, held: tuple[CertificateFacts, ...]) -> tuple[Reason, dt.date]:
    kind = need.pack.certificates.get(wanted)
    name: dict[str, str | int] = {"certificate": kind.label.de if kind else wanted, "certificate_key": wanted}
    covering = [one for one in held if need.pack.covers_certificate(one.type_key, wanted)]
    if not covering:
        return Reason("certificate", False, "Das Zertifikat fehlt: %(certificate)s.", name), dt.date.min
    verified = [one for one in covering if one.verified]
    if not verified:
        return Reason("certificate", False, "Noch nicht geprüft ist das Zertifikat %(certificate)s.", name), dt.date.min
    scoped = [one for one in verified if not one.process_keys or need.process_key in (None, *one.process_keys)]
    if not scoped:
        name |= {"process": process_name(need)}
        return Reason("certificate", False, "%(certificate)s gilt nicht für %(process)s.", name), dt.date.min
    until = max(one.valid_to or dt.date.max for one in scoped)
    return _validity_reason(need, until, name, is_scope_known=_scope_is_known(need, scoped)), until


def _scope_is_known(need: Requirement, scoped: list[CertificateFacts]) -> bool:
    return need.process_key is not None or any(not one.process_keys for one in scoped)


def _validity_reason(need: Requirement, until: dt.date, name: dict[str, str | int], is_scope_known: bool) -> Reason:
    # Valid on the last day of the last booked week, not today: weeks beyond it are not proposed.
    needed_on = sunday(need.first_week if need.needs_hours else need.last_week)
    if until < sunday(need.last_week):
        name |= {"until": f"{until.day}.{until.month}.{until.year}"}
    if until < needed_on:
        return Reason("certificate", False, "%(certificate)s läuft vorher ab, am %(until)s.", name)
    if not is_scope_known:
        return Reason("certificate", None, "Prüfe, ob %(certificate)s dafür gilt.", name)
    if "until" in name:
        return Reason("certificate", True, "%(certificate)s gilt bis %(until)s. Spätere Wochen fehlen.", name)
    return Reason("certificate", True, "Das Zertifikat passt: %(certificate)s.", name)


def _severity(reasons: Iterable[Reason]) -> tuple[int, int]:
    marks = [reason.ok for reason in reasons]
    return marks.count(False), marks.count(None)


def _it_text(grade: int) -> str:
    return "01" if grade == -1 else str(grade)


def _ra_text(depth_nm: int) -> str:
    return f"{depth_nm / 1000:.3f}".rstrip("0").rstrip(".").replace(".", ",")
