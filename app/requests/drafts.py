"""A request while it is being written: what is told, and everything that is still wrong with it.

A file of its own beside rules.py: forms need all faults at once, the life of a request needs none of this.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.core.errors import RuleBroken
from app.core.units import BERLIN, monday
from app.machines.rules import read_value
from app.packs.rules import MachineType, Pack, ParameterDefinition, Value
from app.requests.rules import RequestKind, ShortageReason

MOST_NEED_MIN = 10_000 * 60
MOST_WEEKS = 104
MOST_MM = 100_000
MOST_G = 100_000_000


@dataclass(frozen=True, slots=True)
class RequirementDraft:
    """What is to be made: process, size, material, precision. None and empty mean: not told, does not matter."""

    process_key: str | None = None
    machine_type_key: str | None = None
    need_min: int = 0
    first_week: str = ""
    last_week: str = ""
    part_mm: tuple[int, int, int] | None = None
    """x, y, z; of a turned part x = y = diameter and z = length"""
    part_g: int | None = None
    may_turn: bool = True
    material: str = ""
    material_group: str = ""
    needed_it: int | None = None
    needed_ra_nm: int | None = None
    general_tolerance: str = ""
    certificates: tuple[str, ...] = ()
    needs: Mapping[str, Value] = field(default_factory=dict)
    part_count: int | None = None


@dataclass(frozen=True, slots=True)
class RequestDraft:
    """A request before it leaves the house. `partner_count`: chosen partners whose consent has the scope `requests`."""

    kind: RequestKind
    requirement: RequirementDraft
    title: str = ""
    note: str = ""
    shortage_reason: ShortageReason | None = None
    reply_by: dt.datetime | None = None
    delivery_week: str | None = None
    radius_km: int | None = None
    partner_count: int = 0


def faults_of_requirement(draft: RequestDraft, pack: Pack, today: dt.date) -> tuple[RuleBroken, ...]:
    """Return all that is wrong with what is asked for, one sentence per field; empty when it may go on."""
    return (*_need_faults(draft, pack), *_week_faults(draft, today), *_part_faults(draft.requirement, pack))


def faults_of_request(draft: RequestDraft, pack: Pack, now: dt.datetime) -> tuple[RuleBroken, ...]:
    """Return all that stops draft → open, one sentence per field; `now` is an aware time."""
    today = now.astimezone(BERLIN).date()
    return (*faults_of_requirement(draft, pack, today), *_publish_faults(draft, now))


def check_open(draft: RequestDraft, pack: Pack, now: dt.datetime) -> None:
    """Guard of draft → open; raises the first fault."""
    for fault in faults_of_request(draft, pack, now):
        raise fault


def read_needs(pack: Pack, raw: Mapping[str, object]) -> dict[str, Value]:
    """Return needed values in the kinds the pack asks for, empty ones left out; raises RuleBroken with its field."""
    for key in raw:
        if key not in pack.parameters:
            raise RuleBroken("Dieses Merkmal kennen wir nicht. Wähle eins aus der Liste.", "needs")
    return {key: read_value(pack.parameters[key], value) for key, value in raw.items() if value not in (None, "", [])}


def asked_parameters(process_key: str | None, pack: Pack) -> tuple[ParameterDefinition, ...]:
    """The hard properties of the machines that usually do the process, without those that size and weight tell already."""
    found: dict[str, ParameterDefinition] = {}
    for kind in pack.types_for(process_key) if process_key else ():
        told = {*kind.envelope, *kind.turned, kind.load}
        found |= {key: one for key, one in kind.parameters.items() if one.is_hard and key not in told}
    return tuple(found.values())


def asked_types(process_key: str | None, pack: Pack) -> tuple[MachineType, ...]:
    """The machine types that usually do the process, where there is a choice."""
    kinds = pack.types_for(process_key) if process_key else ()
    return kinds if len(kinds) > 1 else ()


def _need_faults(draft: RequestDraft, pack: Pack) -> Iterator[RuleBroken]:
    need = draft.requirement
    if need.process_key and need.process_key not in pack.processes:
        yield RuleBroken("Dieses Verfahren kennen wir nicht. Wähle eins aus der Liste.", "process_key")
    if need.machine_type_key and need.machine_type_key not in pack.machine_types:
        yield RuleBroken("Diesen Maschinentyp kennen wir nicht. Wähle einen aus der Liste.", "machine_type_key")
    if draft.kind is RequestKind.HOURS:
        if not need.process_key:
            yield RuleBroken("Wähle, was du suchst.", "process_key")
        if need.need_min <= 0:
            yield RuleBroken("Gib die Stunden als Zahl ein, zum Beispiel 500.", "need")
    elif need.part_count is None:
        yield RuleBroken("Gib ein, wie viele Stück du brauchst.", "part_count")
    if need.need_min > MOST_NEED_MIN or need.need_min % 15:
        yield RuleBroken("Gib Viertelstunden ein, höchstens 10.000 Stunden.", "need")
    if need.part_count is not None and not 1 <= need.part_count <= 10_000_000:
        yield RuleBroken("Gib die Stückzahl als ganze Zahl ab 1 ein.", "part_count")


def _week_faults(draft: RequestDraft, today: dt.date) -> Iterator[RuleBroken]:
    need = draft.requirement
    told = {"first_week": need.first_week, "last_week": need.last_week}
    if draft.delivery_week is not None:
        told["delivery_week"] = draft.delivery_week
    faults = [fault for name, week in told.items() if (fault := _week_fault(week, name))]
    yield from faults
    if faults:
        return
    if need.last_week < need.first_week:
        yield RuleBroken("Das Ende liegt vor dem Anfang. Wähle eine spätere KW.", "last_week")
    elif monday(need.last_week) + dt.timedelta(days=6) <= today:
        yield RuleBroken("Diese KW ist schon vorbei. Wähle eine spätere.", "last_week")
    elif monday(need.last_week) - monday(need.first_week) > dt.timedelta(weeks=MOST_WEEKS):
        yield RuleBroken("Das sind zu viele Wochen. Höchstens zwei Jahre sind möglich.", "last_week")


def _week_fault(week: str, name: str) -> RuleBroken | None:
    try:
        monday(week)
    except RuleBroken as fault:
        return RuleBroken(fault.text, name, **{key: str(value) for key, value in fault.values.items()})
    return None


def _part_faults(need: RequirementDraft, pack: Pack) -> Iterator[RuleBroken]:
    if need.part_mm is not None and not all(1 <= side <= MOST_MM for side in need.part_mm):
        yield RuleBroken("Gib die Maße in ganzen Millimetern ein, zum Beispiel 250.", "part_mm")
    if need.part_g is not None and not 1 <= need.part_g <= MOST_G:
        yield RuleBroken("Gib das Gewicht als Zahl ein, zum Beispiel 2,5.", "part_g")
    if len(need.material) > 40:
        yield RuleBroken("Kürze den Werkstoff. Höchstens 40 Zeichen.", "material")
    if need.material_group and need.material_group not in pack.material_groups:
        yield RuleBroken("Diese Werkstoffgruppe kennen wir nicht. Wähle eine aus der Liste.", "material_group")
    if need.needed_it is not None and need.needed_it not in pack.tolerances.it_grades:
        yield RuleBroken("Diesen Toleranzgrad gibt es nicht. Wähle einen aus der Liste.", "needed_it")
    if need.needed_ra_nm is not None and need.needed_ra_nm not in pack.tolerances.ra_steps_nm:
        yield RuleBroken("Diese Rauheit steht nicht in der Liste. Wähle die nächste.", "needed_ra_nm")
    if need.general_tolerance and need.general_tolerance not in pack.tolerances.general:
        yield RuleBroken("Wähle die Norm mit ihrem Jahr aus der Liste.", "general_tolerance")
    if set(need.certificates) - pack.certificates.keys():
        yield RuleBroken("Dieses Zertifikat kennen wir nicht. Wähle eins aus der Liste.", "certificates")
    try:
        read_needs(pack, need.needs)
    except RuleBroken as fault:
        yield fault


def _publish_faults(draft: RequestDraft, now: dt.datetime) -> Iterator[RuleBroken]:
    if draft.shortage_reason is None:
        yield RuleBroken("Wähle den Grund: Warum geht es nicht allein?", "shortage_reason")
    if draft.reply_by is None or draft.reply_by <= now:
        yield RuleBroken("Die Antwort-Frist liegt nicht in der Zukunft. Wähle eine spätere.", "reply_by")
    elif draft.reply_by > now + dt.timedelta(days=90):
        yield RuleBroken("Die Antwort-Frist ist zu lang. Höchstens 90 Tage sind möglich.", "reply_by")
    if draft.partner_count < 1:
        yield RuleBroken("Wähle mindestens einen Partner aus.", "partners")
    if draft.radius_km is not None and not 1 <= draft.radius_km <= 2000:
        yield RuleBroken("Gib den Umkreis in Kilometern ein, zum Beispiel 80.", "radius_km")
    if len(draft.title) > 80 or len(draft.note) > 500:
        yield RuleBroken("Kürze den Text. Der Titel hat höchstens 80 Zeichen, die Notiz 500.", "note")
