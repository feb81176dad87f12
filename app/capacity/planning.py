"""Writes what the calendar allows into the windows, never below what is already promised."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.calendar import calendar_of_machine, calendars
from app.capacity.models import CapacityWindow
from app.core import clock
from app.core.db import insert_into
from app.core.ids import new_id
from app.core.units import week_of
from app.machines.models import Machine

BOUND = CapacityWindow.held_min + CapacityWindow.agreed_min


@dataclass(frozen=True, slots=True)
class BoundWeek:
    """A week in which more is promised than the calendar now allows."""

    machine_id: str
    machine_name: str
    week: str
    bound_min: int
    possible_min: int


def plan_windows(session: Session, firm_id: str, machine_id: str, weeks: Iterable[str]) -> dict[str, int]:
    """Make sure that the machine has a window in each week, with the maximum its calendar allows today.

    Returns the possible minutes by week. Raises NotFound for a machine of somebody else.
    """
    calendar = calendar_of_machine(session, firm_id, machine_id)
    today = clock.today()
    possible = {week: calendar.possible_min(week, today) for week in weeks}
    write_maxima(session, firm_id, {(machine_id, week): minutes for week, minutes in possible.items()})
    return possible


def write_maxima(session: Session, firm_id: str, maxima: Mapping[tuple[str, str], int]) -> None:
    """Create or correct the windows of (machine, week) in one statement each; what is promised stays possible."""
    if not maxima:
        return
    insert = insert_into(session, CapacityWindow)
    limit = _at_least_bound(insert.excluded.maximum_min)
    upsert = insert.on_conflict_do_update(
        index_elements=["firm_id", "machine_id", "week"],
        set_={"maximum_min": limit, "actual_min": _smaller(CapacityWindow.actual_min, limit)},
        where=CapacityWindow.maximum_min != limit,
    )
    now = clock.now()
    # one order for all writers, so that two of them never wait for each other in a circle
    rows = [_new_window(firm_id, key, minutes, now) for key, minutes in sorted(maxima.items())]
    session.execute(upsert, rows)


def recompute_maximum(session: Session, firm_id: str, site_id: str) -> list[BoundWeek]:
    """Bring all coming windows of a site in line with its calendar; returns the weeks where more is promised than fits.

    The maximum never falls below held + agreed; free hours shrink to the new maximum.
    """
    session.flush()
    for week, possible_min in _possible_by_week(session, firm_id, site_id).items():
        limit = _at_least_bound(sa.literal(possible_min))
        session.execute(
            sa.update(CapacityWindow)
            .where(CapacityWindow.firm_id == firm_id, CapacityWindow.week == week)
            .where(CapacityWindow.machine_id.in_(_machines_of(firm_id, site_id)))
            .values(maximum_min=limit, actual_min=_smaller(CapacityWindow.actual_min, limit)),
            execution_options={"synchronize_session": False},
        )
    return bound_weeks(session, firm_id, site_id)


def bound_weeks(session: Session, firm_id: str, site_id: str) -> list[BoundWeek]:
    """The coming weeks of a site in which more is promised than its calendar allows; earliest first."""
    possible = _possible_by_week(session, firm_id, site_id)
    rows = session.execute(
        sa.select(CapacityWindow.machine_id, Machine.name, CapacityWindow.week, BOUND.label("bound_min"))
        .join(Machine, (Machine.firm_id == CapacityWindow.firm_id) & (Machine.id == CapacityWindow.machine_id))
        .where(CapacityWindow.firm_id == firm_id, Machine.site_id == site_id)
        .where(CapacityWindow.week > week_of(clock.today()), BOUND > 0)
        .order_by(CapacityWindow.week, Machine.name)
    )
    return [
        BoundWeek(row.machine_id, row.name, row.week, row.bound_min, possible[row.week])
        for row in rows
        if row.bound_min > possible[row.week]
    ]


def _possible_by_week(session: Session, firm_id: str, site_id: str) -> dict[str, int]:
    calendar, today = calendars(session, firm_id)[site_id], clock.today()
    weeks: Sequence[str] = session.scalars(
        sa.select(CapacityWindow.week)
        .where(CapacityWindow.firm_id == firm_id, CapacityWindow.week >= week_of(today))
        .where(CapacityWindow.machine_id.in_(_machines_of(firm_id, site_id)))
        .distinct()
        .order_by(CapacityWindow.week)
    ).all()
    return {week: calendar.possible_min(week, today) for week in weeks}


def _machines_of(firm_id: str, site_id: str) -> sa.Select[str]:
    return sa.select(Machine.id).where(Machine.firm_id == firm_id, Machine.site_id == site_id)


def _new_window(firm_id: str, key: tuple[str, str], possible_min: int, now: dt.datetime) -> dict[str, Any]:
    return {
        "firm_id": firm_id,
        "id": new_id(),
        "created_at": now,
        "machine_id": key[0],
        "week": key[1],
        "maximum_min": possible_min,
        "actual_min": 0,
        "held_min": 0,
        "agreed_min": 0,
    }


def _at_least_bound(possible: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((possible < BOUND, BOUND), else_=possible)


def _smaller(
    one: sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[int], other: sa.ColumnElement[int]
) -> sa.ColumnElement[int]:
    return sa.case((one > other, other), else_=one)
