"""Machines from a table: read every cell, show every fault, then all or nothing; the same file twice changes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.core.events import AbilitiesChanged, CapacityFreed
from app.core.outbox import emit, emit_once
from app.core.units import parse_euro, parse_hours
from app.firms.actions import bump_version, note_event
from app.firms.models import Site
from app.firms.queries import sites
from app.machines.actions import MachineExtras, write_ability, write_machine, write_rate
from app.machines.columns import NAMES, PRICES, known_headings, unit_faults
from app.machines.models import Capability, Machine
from app.machines.queries import abilities_by_machine, rates_on
from app.machines.rules import (
    CapabilityFacts,
    MachineDraft,
    RateDraft,
    check_machine,
    check_parameters,
    check_rate,
    restore_values,
)
from app.machines.tables import CellFault, Columns, Row, Table, find_columns, plain_key, wide_rows
from app.machines.words import find_groups, find_processes, find_type, read_it, read_ra
from app.packs.queries import load_pack
from app.packs.rules import MachineType, Value

T = TypeVar("T")
D = TypeVar("D")

MOST_FAULTS = 1000
GROUPS = "material_groups"
COLUMN_OF = {
    "year_built": "year",
    "min_block_min": "min_block",
    "set_up_min": "set_up",
    "lead_time_days": "lead_time",
    "allowance_xy_mm": "allowance_xy",
    "allowance_z_mm": "allowance_z",
}
"""Field of a rule's refusal -> key of the column"""
RATE_FIELDS = dict(zip(PRICES, (field.name for field in fields(RateDraft)), strict=True))
"""Key of the column -> field of the rate card, which stand in the same order"""


@dataclass(frozen=True, slots=True)
class MachineRow:
    """One machine as the table wants it to be."""

    row: int
    draft: MachineDraft
    extras: MachineExtras
    abilities: tuple[CapabilityFacts, ...]
    rate: RateDraft | None
    machine_id: str | None
    """None: a new machine"""
    is_same: bool
    """True: the house already says exactly this"""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a table would change; with faults it changes nothing."""

    rows: tuple[MachineRow, ...]
    faults: tuple[CellFault, ...]
    ignored: tuple[str, ...]
    row_count: int

    @property
    def is_good(self) -> bool:
        return not self.faults

    @property
    def new_count(self) -> int:
        return sum(row.machine_id is None for row in self.rows)

    @property
    def same_count(self) -> int:
        return sum(row.is_same for row in self.rows)

    @property
    def changed_count(self) -> int:
        return len(self.rows) - self.new_count - self.same_count


@dataclass(frozen=True, slots=True)
class _House:
    """What the firm has now, read once for all rows."""

    sites: Mapping[str, str]
    """Plain name, town or postcode -> site id"""
    first_site: str | None
    machines: Mapping[str, Machine]
    """By number"""
    abilities: Mapping[str, tuple[CapabilityFacts, ...]]
    rates: Mapping[str, RateDraft]
    may_rate: bool
    this_year: int


def check_machines(session: Session, firm_id: str, table: Table, may_rate: bool = True) -> Preview:
    """Read every cell and say what the table would change; writes nothing.

    `may_rate` false: a foreman's table, in which rates are refused.
    """
    columns, faults = find_columns(table, known_headings(), ("number", "type"), NAMES)
    faults += unit_faults(columns)
    if faults:
        return Preview((), tuple(faults[:MOST_FAULTS]), columns.ignored, len(table.rows))
    house = _read_house(session, firm_id, may_rate)
    rows = [row for found in table.rows if (row := _read_row(found, columns, house, faults))]
    faults += wide_rows(table) + _doubles(table, columns)
    faults.sort(key=lambda fault: fault.row)
    return Preview(() if faults else tuple(rows), tuple(faults[:MOST_FAULTS]), columns.ignored, len(table.rows))


def apply_machines(session: Session, firm_id: str, preview: Preview, person_id: str | None = None) -> None:
    """Write all rows of a good preview, or raise RuleBroken and write none."""
    if not preview.is_good:
        raise RuleBroken("Die Tabelle hat noch Fehler. Es ist nichts gespeichert.")
    bump_version(session, firm_id)
    changed = [row for row in preview.rows if not row.is_same]
    for row in changed:
        machine = write_machine(session, firm_id, row.draft, row.extras, row.machine_id)
        _replace_abilities(session, firm_id, machine.id, row.abilities)
        if row.rate is not None and rates_on(session, firm_id, [machine.id], clock.today()) != {machine.id: row.rate}:
            write_rate(session, firm_id, machine.id, row.rate, clock.today())
        emit(session, CapacityFreed(firm_id, machine.id))
    detail = {"count": len(changed)}
    note_event(session, firm_id, person_id, "machines_imported", "import", "", detail=detail)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of one row, read one by one; every fault is noted and reading goes on."""

    row: Row
    columns: Columns
    faults: list[CellFault]

    def text(self, key: str) -> str:
        return self.columns.cell(self.row, key)

    def refuse(self, key: str, error: RuleBroken) -> None:
        self.faults.append(self.columns.fault(self.row, key, error))

    def read(self, key: str, reader: Callable[[str], T], otherwise: D) -> T | D:
        """The value of a cell; `otherwise` for an empty or a wrong one."""
        if not self.text(key):
            return otherwise
        try:
            return reader(self.text(key))
        except RuleBroken as error:
            self.refuse(key, error)
            return otherwise


def _read_row(row: Row, columns: Columns, house: _House, faults: list[CellFault]) -> MachineRow | None:
    """Read all cells of one row, note each fault, and return the machine if there was none."""
    before, cells = len(faults), _Cells(row, columns, faults)
    old = house.machines.get(cells.text("number"))
    kind = cells.read("type", find_type, None)
    if kind is None:
        if not cells.text("type"):
            cells.refuse("type", RuleBroken("Schreibe den Maschinentyp, zum Beispiel CNC-Drehmaschine."))
        _note_other_faults(cells, house)
        return None
    draft = _read_draft(cells, kind, old)
    site_id = cells.read("site", lambda text: _site(text, house), old.site_id if old else house.first_site)
    rate = _read_rate(cells, house, house.rates.get(old.id) if old else None)
    serial_no = cells.read("serial", _serial, old.serial_no if old else "")
    groups = cells.read("groups", find_groups, None)
    abilities = _read_abilities(cells, kind, house.abilities.get(old.id, ()) if old else (), groups)
    values = _read_values(cells, kind, old) | _groups_asked(kind, groups)
    _check_whole_row(cells, draft, site_id, house)
    if len(faults) > before or site_id is None:
        return None
    extras = MachineExtras(site_id, values, serial_no)
    found = MachineRow(row.number, draft, extras, abilities, rate, old.id if old else None, is_same=False)
    return replace(found, is_same=old is not None and _is_same(found, old, house))


def _note_other_faults(cells: _Cells, house: _House) -> None:
    """A row without a known type is lost, but its other cells are looked at all the same: one round of mending."""
    readers: dict[str, Callable[[str], object]] = {
        "processes": find_processes,
        "groups": find_groups,
        "it": read_it,
        "ra": read_ra,
        "min_block": parse_hours,
        "set_up": parse_hours,
        "lead_time": _whole,
        "allowance_xy": _whole,
        "allowance_z": _whole,
        **{key: partial(_price, key, house) for key in PRICES},
        "site": lambda text: _site(text, house),
        "year": _whole,
        "serial": _serial,
    }
    for key, reader in readers.items():
        cells.read(key, reader, None)
    if not cells.text("number"):
        cells.refuse("number", RuleBroken("Gib der Maschine eine Nummer. Höchstens 20 Zeichen.", "number"))


def _read_draft(cells: _Cells, kind: MachineType, old: Machine | None) -> MachineDraft:
    """What the row says, then what the house says, then what is usual."""
    return MachineDraft(
        number=cells.text("number"),
        type_key=kind.key,
        name=cells.text("name") or (old.name if old else kind.label.de),
        year_built=cells.read("year", _whole, None) or (old.year_built if old else None),
        min_block_min=cells.read("min_block", parse_hours, old.min_block_min if old else 480),
        set_up_min=cells.read("set_up", parse_hours, old.set_up_min if old else 0),
        lead_time_days=cells.read("lead_time", _whole, old.lead_time_days if old else 0),
        allowance_xy_mm=cells.read("allowance_xy", _whole, old.allowance_xy_mm if old else None),
        allowance_z_mm=cells.read("allowance_z", _whole, old.allowance_z_mm if old else None),
    )


def _read_rate(cells: _Cells, house: _House, old: RateDraft | None) -> RateDraft | None:
    """The row's rate card over the one that stands; None when the row tells no price at all."""
    told = {key: cells.read(key, partial(_price, key, house), None) for key in PRICES}
    given = {RATE_FIELDS[key]: value for key, value in told.items() if value is not None}
    if not given:
        return None
    if old is None and told["rate"] is None:
        if not cells.text("rate"):
            cells.refuse("rate", RuleBroken("Trage hier auch den Stundensatz ein."))
        return None
    draft = replace(old, **given) if old else RateDraft(**given)
    try:
        check_rate(draft)
    except RuleBroken as error:
        cells.refuse(error.field, error)
    return draft


def _check_whole_row(cells: _Cells, draft: MachineDraft, site_id: str | None, house: _House) -> None:
    try:
        check_machine(draft, load_pack(), house.this_year)
    except RuleBroken as error:
        cells.refuse(COLUMN_OF.get(error.field, error.field), error)
    if site_id is None and not cells.text("site"):
        cells.refuse("site", RuleBroken("Trage zuerst den Standort deines Betriebs ein."))


def _read_abilities(
    cells: _Cells, kind: MachineType, old: tuple[CapabilityFacts, ...], groups: tuple[str, ...] | None
) -> tuple[CapabilityFacts, ...]:
    """The processes of the row with its groups and best values; what the row leaves open stays as it was.

    A table holds one value a machine, the house one a process: the value of the first process changes nothing.
    """
    known = {facts.process_key: facts for facts in old}
    first = old[0] if old else CapabilityFacts("")
    keys = cells.read("processes", find_processes, tuple(known) or kind.processes[:1])
    best_it, best_ra = cells.read("it", read_it, None), cells.read("ra", read_ra, None)
    groups = None if groups == first.material_groups else groups
    best_it = None if best_it == first.best_it else best_it
    best_ra = None if best_ra == first.best_ra_nm else best_ra
    return tuple(_ability(known.get(key) or replace(first, process_key=key), groups, best_it, best_ra) for key in keys)


def _ability(
    was: CapabilityFacts, groups: tuple[str, ...] | None, best_it: int | None, best_ra: int | None
) -> CapabilityFacts:
    return CapabilityFacts(
        was.process_key,
        was.material_groups if groups is None else groups,
        was.best_it if best_it is None else best_it,
        was.best_ra_nm if best_ra is None else best_ra,
    )


def _read_values(cells: _Cells, kind: MachineType, old: Machine | None) -> dict[str, Value]:
    """The parameters of the row; a column that the file does not have leaves the machine's value as it is."""
    values = {key: value for key, value in _values_of(old).items() if key in kind.parameters}
    for key in cells.columns.places.keys() & load_pack().parameters.keys():
        if not cells.text(key):
            values.pop(key, None)
            continue
        try:
            values |= check_parameters(kind, {key: cells.text(key)})
        except RuleBroken as error:
            cells.refuse(key, error)
    return values


def _groups_asked(kind: MachineType, groups: tuple[str, ...] | None) -> dict[str, Value]:
    """A type that asks for its groups among its parameters reads them from the one column of groups."""
    if not groups or GROUPS not in kind.parameters:
        return {}
    return {GROUPS: frozenset(groups) & frozenset(kind.parameters[GROUPS].choices)}


def _values_of(machine: Machine | None) -> dict[str, Value]:
    return restore_values(machine.parameters) if machine else {}


def _is_same(row: MachineRow, old: Machine, house: _House) -> bool:
    draft = MachineDraft(**{field.name: getattr(old, field.name) for field in fields(MachineDraft)})
    extras = MachineExtras(old.site_id, _values_of(old), old.serial_no, old.needs_check)
    is_rated = row.rate is None or row.rate == house.rates.get(old.id)
    abilities = house.abilities.get(old.id, ())
    return (draft, extras) == (row.draft, row.extras) and is_rated and set(abilities) == set(row.abilities)


def _replace_abilities(session: Session, firm_id: str, machine_id: str, abilities: tuple[CapabilityFacts, ...]) -> None:
    kept = [facts.process_key for facts in abilities]
    gone = session.scalars(
        sa.delete(Capability)
        .where(Capability.firm_id == firm_id, Capability.machine_id == machine_id)
        .where(Capability.process_key.not_in(kept))
        .returning(Capability.process_key)
    )
    if gone.all():
        emit_once(session, AbilitiesChanged(firm_id))
    for facts in abilities:
        write_ability(session, firm_id, machine_id, facts)


def _read_house(session: Session, firm_id: str, may_rate: bool) -> _House:
    places = sites(session, firm_id)
    machines = session.scalars(sa.select(Machine).where(Machine.firm_id == firm_id)).all()
    return _House(
        sites={plain_key(word): site.id for site in reversed(places) for word in _site_words(site)},
        first_site=places[0].id if places else None,
        machines={machine.number: machine for machine in machines},
        abilities=abilities_by_machine(session, firm_id),
        rates=rates_on(session, firm_id, [machine.id for machine in machines], clock.today()),
        may_rate=may_rate,
        this_year=clock.today().year,
    )


def _site_words(site: Site) -> tuple[str, ...]:
    return (site.postcode, site.town, site.name)


def _site(text: str, house: _House) -> str:
    if plain_key(text) not in house.sites:
        raise RuleBroken("Diesen Standort hat dein Betrieb nicht. Prüfe den Namen.")
    return house.sites[plain_key(text)]


def _price(key: str, house: _House, text: str) -> int:
    """One cell of the rate card: cents, minutes or per mille."""
    if not house.may_rate:
        raise RuleBroken("Stundensätze trägt nur die Leitung ein. Lösche die Spalte.")
    if key == "min_order":
        return parse_hours(text)
    return 10 * _whole(text.removesuffix("%").strip()) if key.endswith("_surcharge") else parse_euro(text)


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise RuleBroken("Gib eine ganze Zahl ein.")
    return int(text)


def _serial(text: str) -> str:
    if len(text) > 60:
        raise RuleBroken("Das ist zu lang. Höchstens %(most)s Zeichen passen.", most=60)
    return text


def _doubles(table: Table, columns: Columns) -> list[CellFault]:
    """The same number twice in one table: nobody could say which row counts."""
    seen: dict[str, int] = {}
    faults = []
    for row in table.rows:
        number = columns.cell(row, "number")
        if number in seen and number:
            error = RuleBroken("Diese Nummer steht schon in Zeile %(row)s.", row=seen[number])
            faults.append(columns.fault(row, "number", error))
        seen.setdefault(number, row.number)
    return faults
