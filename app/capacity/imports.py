"""Free hours from a table: machine, week, hours; all or nothing; the same file twice changes nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import note_change, write_actual
from app.capacity.calendar import SiteCalendar, calendars, is_plannable
from app.capacity.models import CapacityWindow
from app.capacity.planning import write_maxima
from app.capacity.queries import plan_rows
from app.capacity.rules import STEP_MIN, check_window
from app.core import clock
from app.core.errors import RuleBroken
from app.core.events import CapacityFreed
from app.core.outbox import emit
from app.core.units import hours_text, monday, parse_hours, week_label, week_of, week_short, weeks_from
from app.firms.actions import bump_version, note_event
from app.machines.models import Machine
from app.machines.tables import CellFault, Columns, Row, Table, find_columns, plain_key, wide_rows, write_table

NAMES: Mapping[str, str] = {"number": "nummer", "week": "woche", "hours": "stunden"}
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "number": ("nr", "maschine", "maschinennummer", "number", "no", "machine", "machinenumber"),
    "week": ("kw", "kalenderwoche", "week", "isoweek"),
    "hours": ("freiestunden", "frei", "h", "hours", "freehours", "std"),
}
HEADINGS = {plain_key(name): key for key, names in OTHER_NAMES.items() for name in (NAMES[key], *names)}
WEEK_FORMS = (
    r"(?P<year>20[0-9]{2})\s*-?\s*(?:KW|W)\s*(?P<week>[0-9]{1,2})",
    r"(?:KW|W)?\s*(?P<week>[0-9]{1,2})\s*[/.\s-]\s*(?P<year>20[0-9]{2})",
)
MOST_FAULTS = 1000
TEMPLATE_WEEKS = 8


@dataclass(frozen=True, slots=True)
class HoursRow:
    """Free minutes of one machine in one week as the table wants them."""

    row: int
    machine_id: str
    machine_name: str
    week: str
    actual_min: int
    before_min: int
    was_reported: bool
    is_same: bool
    """True: the house already says exactly this"""


@dataclass(frozen=True, slots=True)
class HoursPreview:
    """What a table would change; with faults it changes nothing."""

    rows: tuple[HoursRow, ...]
    faults: tuple[CellFault, ...]
    ignored: tuple[str, ...]
    row_count: int

    @property
    def is_good(self) -> bool:
        return not self.faults

    @property
    def same_count(self) -> int:
        return sum(row.is_same for row in self.rows)

    @property
    def changed_count(self) -> int:
        return len(self.rows) - self.same_count

    @property
    def total_min(self) -> int:
        return sum(row.actual_min for row in self.rows)


@dataclass(frozen=True, slots=True)
class _Window:
    """What a window says now."""

    actual_min: int = 0
    held_min: int = 0
    agreed_min: int = 0
    is_reported: bool = False


@dataclass(frozen=True, slots=True)
class _House:
    """What the firm has now, read once for all rows."""

    machines: Mapping[str, Machine]
    """By number"""
    calendars: Mapping[str, SiteCalendar]
    windows: Mapping[tuple[str, str], _Window]

    def possible_min(self, machine: Machine, week: str) -> int:
        return self.calendars[machine.site_id].possible_min(week, clock.today())


def read_week(text: str) -> str:
    """Return '2026-W48' for 'KW 48/2026', '48/2026', '2026-W48' and the like; raises RuleBroken, also for no year."""
    for form in WEEK_FORMS:
        found = re.fullmatch(form, text.strip(), re.IGNORECASE | re.ASCII)
        if found:
            week = f"{found['year']}-W{int(found['week']):02d}"
            monday(week)
            return week
    raise RuleBroken("Schreibe die Woche mit dem Jahr, zum Beispiel KW 48/2026.")


def check_hours(session: Session, firm_id: str, table: Table) -> HoursPreview:
    """Read every cell and say what the table would change; writes nothing."""
    columns, faults = find_columns(table, HEADINGS, tuple(NAMES), NAMES)
    if faults:
        return HoursPreview((), tuple(faults), columns.ignored, len(table.rows))
    house = _read_house(session, firm_id)
    possible: dict[tuple[str, str], int] = {}
    rows = [row for found in table.rows if (row := _read_row(found, columns, house, possible, faults))]
    faults += wide_rows(table) + _doubles(rows, columns, table)
    faults.sort(key=lambda fault: fault.row)
    return HoursPreview(() if faults else tuple(rows), tuple(faults[:MOST_FAULTS]), columns.ignored, len(table.rows))


def apply_hours(
    session: Session, firm_id: str, preview: HoursPreview, person_id: str | None = None, program: str = ""
) -> None:
    """Write all rows of a good preview, or raise RuleBroken and write none. `program`: what wrote them, if no person did."""
    if not preview.is_good:
        raise RuleBroken("Die Tabelle hat noch Fehler. Es ist nichts gespeichert.")
    bump_version(session, firm_id)
    changed = sorted((row for row in preview.rows if not row.is_same), key=lambda row: (row.machine_id, row.week))
    house = _read_house(session, firm_id)
    by_id = {machine.id: machine for machine in house.machines.values()}
    maxima = {(row.machine_id, row.week): house.possible_min(by_id[row.machine_id], row.week) for row in changed}
    write_maxima(session, firm_id, maxima)
    for row in changed:
        write_actual(session, firm_id, row.machine_id, row.week, row.actual_min, person_id)
    # apart: between the updates each new row would be written alone
    for row in changed:
        place = (row.machine_id, row.week)
        note_change(session, firm_id, person_id, place, row.before_min, row.actual_min, row.was_reported)
    for machine_id in dict.fromkeys(row.machine_id for row in changed if row.actual_min > row.before_min):
        emit(session, CapacityFreed(firm_id, machine_id))
    if program:
        detail = {"count": len(changed), "name": program}
        note_event(session, firm_id, None, "hours_written", "import", detail=detail)
    else:
        note_event(session, firm_id, person_id, "hours_imported", "import", detail={"count": len(changed)})


def hours_table(session: Session, firm_id: str) -> bytes:
    """The coming weeks of all ready machines as CSV, in the form that the import reads."""
    shown = weeks_from(week_of(clock.today()), TEMPLATE_WEEKS + 1)[1:]
    rows = [
        (row.number, week_label(cell.week), hours_text(cell.actual_min))
        for row in plan_rows(session, firm_id, shown)
        if row.state == "ready"
        for cell in row.cells
    ]
    return write_table([tuple(NAMES.values()), *(rows or [("M1", week_label(shown[0]), "24")])])


def _read_row(
    row: Row, columns: Columns, house: _House, possible: dict[tuple[str, str], int], faults: list[CellFault]
) -> HoursRow | None:
    """Read the three cells of a row, note each fault, and return the row if there was none."""
    before = len(faults)
    machine, week, actual_min = None, "", 0
    try:
        machine = _machine(columns.cell(row, "number"), house)
    except RuleBroken as error:
        faults.append(columns.fault(row, "number", error))
    try:
        week = _coming_week(columns.cell(row, "week"))
    except RuleBroken as error:
        faults.append(columns.fault(row, "week", error))
    try:
        actual_min = _minutes(columns.cell(row, "hours"))
    except RuleBroken as error:
        faults.append(columns.fault(row, "hours", error))
    if machine is None or len(faults) > before:
        return None
    window = house.windows.get((machine.id, week), _Window())
    place = (machine.site_id, week)
    if place not in possible:
        possible[place] = house.possible_min(machine, week)
    try:
        _check_fits(week, actual_min, possible[place], window)
    except RuleBroken as error:
        faults.append(columns.fault(row, "hours", error))
        return None
    is_same = window.is_reported and window.actual_min == actual_min
    return HoursRow(
        row.number, machine.id, machine.name, week, actual_min, window.actual_min, window.is_reported, is_same
    )


def _machine(number: str, house: _House) -> Machine:
    if not number:
        raise RuleBroken("Schreibe die Nummer der Maschine.")
    machine = house.machines.get(number)
    if machine is None:
        raise RuleBroken("Eine Maschine mit dieser Nummer habt ihr nicht. Prüfe die Nummer.")
    if machine.state == "retired":
        raise RuleBroken("Diese Maschine ist ausgemustert. Lösche die Zeile.")
    return machine


def _coming_week(text: str) -> str:
    week = read_week(text)
    if week < week_of(clock.today()):
        raise RuleBroken("Diese Woche ist schon vorbei. Lösche die Zeile.")
    if not is_plannable(week, clock.today()):
        raise RuleBroken("So weit voraus geht es nicht. Wähle eine frühere Woche.")
    return week


def _minutes(text: str) -> int:
    minutes = parse_hours(text)
    if minutes % STEP_MIN:
        raise RuleBroken("Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5.")
    return minutes


def _check_fits(week: str, actual_min: int, possible_min: int, window: _Window) -> None:
    bound_min = window.held_min + window.agreed_min
    if possible_min == 0 and actual_min > bound_min:
        raise RuleBroken("In %(week)s ist der Betrieb zu. Wähle eine andere Woche.", week=week_short(week))
    check_window(max(possible_min, bound_min), actual_min, window.held_min, window.agreed_min)


def _doubles(rows: list[HoursRow], columns: Columns, table: Table) -> list[CellFault]:
    """The same machine and week twice in one table: nobody could say which row counts."""
    by_number = {row.number: row for row in table.rows}
    seen: dict[tuple[str, str], int] = {}
    faults = []
    for row in rows:
        key = (row.machine_id, row.week)
        if key in seen:
            error = RuleBroken("Diese Maschine und Woche stehen schon in Zeile %(row)s.", row=seen[key])
            faults.append(columns.fault(by_number[row.row], "week", error))
        seen.setdefault(key, row.row)
    return faults


def _read_house(session: Session, firm_id: str) -> _House:
    machines = session.scalars(sa.select(Machine).where(Machine.firm_id == firm_id)).all()
    windows = session.execute(
        sa.select(
            CapacityWindow.machine_id,
            CapacityWindow.week,
            CapacityWindow.actual_min,
            CapacityWindow.held_min,
            CapacityWindow.agreed_min,
            CapacityWindow.confirmed_at.is_not(None),
        ).where(CapacityWindow.firm_id == firm_id, CapacityWindow.week >= week_of(clock.today()))
    )
    return _House(
        machines={machine.number: machine for machine in machines},
        calendars=calendars(session, firm_id),
        windows={(row[0], row[1]): _Window(*row[2:]) for row in windows},
    )
