"""The quick start of a new firm: one tap a machine, with usual values that a person checks later.

A file of its own, because the values are data of one industry and not a rule.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
import yaml
from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.queries import sites
from app.machines.actions import MachineExtras, free_numbers, write_ability, write_machine
from app.machines.models import Machine
from app.machines.rules import MachineDraft, check_capability, check_parameters
from app.packs.queries import load_pack
from app.packs.rules import Value

USUAL = Path(__file__).with_name("usual.yaml")
MOST_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class UsualMachine:
    """What a machine of a type usually is."""

    type_key: str
    values: dict[str, Value]
    processes: tuple[str, ...]
    groups: tuple[str, ...]
    best_it: int | None
    best_ra_nm: int | None
    min_block_min: int
    set_up_min: int


@lru_cache(maxsize=1)
def usual_machines() -> dict[str, UsualMachine]:
    """The types of the quick start with their usual values, in the order of the page."""
    return {key: _usual(key, entry) for key, entry in yaml.safe_load(USUAL.read_text("utf-8")).items()}


def add_quick_machines(session: Session, actor: Actor, type_keys: list[str]) -> list[str]:
    """Add one machine of each type with usual values, marked as not yet checked; returns their ids.

    Raises RuleBroken when nothing was chosen, a type is not offered here, or the firm has no site yet.
    """
    if not type_keys or len(type_keys) > MOST_AT_ONCE:
        raise RuleBroken("Wähle mindestens eine Maschine aus.", "types")
    if unknown := [key for key in type_keys if key not in usual_machines()]:
        raise RuleBroken("Diesen Maschinentyp kennen wir nicht. Wähle einen aus der Liste.", "types", types=unknown)
    places = sites(session, actor.firm_id)
    if not places:
        raise RuleBroken("Trage zuerst den Standort deines Betriebs ein.", "types")
    taken = session.scalars(sa.select(Machine.number).where(Machine.firm_id == actor.firm_id))
    numbers = free_numbers(taken, len(type_keys))
    added = [
        _add(session, actor, usual_machines()[key], number, places[0].id)
        for key, number in zip(type_keys, numbers, strict=True)
    ]
    bump_version(session, actor.firm_id)
    return added


def _add(session: Session, actor: Actor, usual: UsualMachine, number: str, site_id: str) -> str:
    name = load_pack().machine_type(usual.type_key).label("de")
    draft = MachineDraft(number, usual.type_key, name[:60], None, usual.min_block_min, usual.set_up_min)
    machine = write_machine(session, actor.firm_id, draft, MachineExtras(site_id, usual.values, needs_check=True))
    for key in usual.processes:
        facts = check_capability(load_pack(), key, usual.groups, usual.best_it, usual.best_ra_nm)
        write_ability(session, actor.firm_id, machine.id, facts)
    detail = {"name": machine.name}
    note_event(session, actor.firm_id, actor.person_id, "machine_added", "machine", machine.id, detail=detail)
    return machine.id


def _usual(key: str, entry: dict[str, object]) -> UsualMachine:
    kind = load_pack().machine_type(key)
    return UsualMachine(
        type_key=key,
        values=check_parameters(kind, _mapping(entry["parameters"])),
        processes=tuple(_list(entry.get("processes"))) or kind.processes,
        groups=tuple(_list(entry.get("groups"))),
        best_it=_whole(entry.get("best_it")),
        best_ra_nm=_whole(entry.get("best_ra_nm")),
        min_block_min=round(float(str(entry["min_block_h"])) * 60),
        set_up_min=round(float(str(entry["set_up_h"])) * 60),
    )


def _mapping(found: object) -> dict[str, object]:
    return dict(found) if isinstance(found, dict) else {}


def _list(found: object) -> list[str]:
    return [str(item) for item in found] if isinstance(found, list) else []


def _whole(found: object) -> int | None:
    return int(str(found)) if found is not None else None
