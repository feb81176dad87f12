"""Tables that an operator's timer brings in: the same reading as on the page, all or none, and twice is once."""

from pathlib import Path

from sqlalchemy.orm import Session

from app.capacity.imports import apply_hours, check_hours
from app.core.db import Database
from app.core.errors import RuleBroken
from app.machines.imports import apply_machines, check_machines
from app.machines.tables import CellFault, Table, read_table
from app.moving.exporting import firm_at
from app.moving.rules import MovingError
from app.notary.transfer import is_elsewhere

MOST_TOLD = 20
BY_COMMAND = "flask"


class TableRefused(Exception):
    """Why nothing was written, a line for each fault."""


def import_hours(database: Database, address: str, path: Path) -> str:
    """Free hours by machine number and week; returns what changed, raises TableRefused."""
    table = _read(path)
    with database.write() as session:
        firm_id = _firm(session, address)
        preview = check_hours(session, firm_id, table)
        _check(preview.faults)
        if preview.changed_count:
            apply_hours(session, firm_id, preview, program=BY_COMMAND)
    return f"{preview.changed_count} free times written, {preview.same_count} were there."


def import_machines(database: Database, address: str, path: Path) -> str:
    """Machines with abilities and rates; returns what changed, raises TableRefused."""
    table = _read(path)
    with database.write() as session:
        firm_id = _firm(session, address)
        preview = check_machines(session, firm_id, table)
        _check(preview.faults)
        if preview.new_count + preview.changed_count:
            apply_machines(session, firm_id, preview)
    return f"{preview.new_count} machines are new, {preview.changed_count} changed, {preview.same_count} were there."


def _read(path: Path) -> Table:
    try:
        return read_table(path.read_bytes(), path.name)
    except RuleBroken as error:
        raise TableRefused(str(error)) from None


def _firm(session: Session, address: str) -> str:
    try:
        firm_id = firm_at(session, address)
    except MovingError as error:
        raise TableRefused(str(error)) from None
    if is_elsewhere(session, firm_id):
        raise TableRefused(f"{address} works at another node.")
    return firm_id


def _check(faults: tuple[CellFault, ...]) -> None:
    if faults:
        told = [f"Row {fault.row}, {fault.column}: {fault.error}" for fault in faults[:MOST_TOLD]]
        more = [f"… and {len(faults) - MOST_TOLD} more."] if len(faults) > MOST_TOLD else []
        raise TableRefused("\n".join(["Nothing is written.", *told, *more]))
