"""Free hours of the acting firm. Nobody else ever reads these rows."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.calendar import calendars
from app.capacity.models import CapacityWindow, HoursChange
from app.core import clock
from app.core.errors import NotFound
from app.core.units import week_of, weeks
from app.firms.models import Closure
from app.machines.models import Capability, Machine
from app.machines.queries import machine_cards

FREE = CapacityWindow.actual_min - CapacityWindow.held_min - CapacityWindow.agreed_min


class FreeWeek(NamedTuple):
    """Minutes of one machine in one week that nobody has yet; a tuple, since matching reads thousands of them."""

    machine_id: str
    week: str
    free_min: int


@dataclass(frozen=True, slots=True)
class WeekCell:
    """One machine in one week: what is possible, reported, held and agreed."""

    week: str
    maximum_min: int
    actual_min: int = 0
    held_min: int = 0
    agreed_min: int = 0
    is_reported: bool = False

    @property
    def bound_min(self) -> int:
        return self.held_min + self.agreed_min

    @property
    def free_min(self) -> int:
        return self.actual_min - self.bound_min

    @property
    def own_min(self) -> int:
        return max(0, self.maximum_min - self.actual_min)

    @property
    def limits_h(self) -> tuple[float, float]:
        """Least and most hours that can be reported, as the stepper wants them."""
        return self.bound_min / 60, max(self.maximum_min, self.bound_min) / 60

    @property
    def state(self) -> str:
        """free, partner, own, closed, or open: nobody has said anything about this week."""
        if self.free_min > 0:
            return "free"
        if self.bound_min:
            return "partner"
        if not self.maximum_min:
            return "closed"
        return "own" if self.is_reported else "open"

    @property
    def shares(self) -> tuple[int, int]:
        """Percent of the week that is our own and that is promised, as a bar draws them; the rest is free."""
        whole = max(self.maximum_min, 1)
        return 100 * self.own_min // whole, 100 * self.bound_min // whole


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One machine over some weeks."""

    machine_id: str
    number: str
    name: str
    state: str
    cells: tuple[WeekCell, ...]


def free_for_matching(
    session: Session, firm_id: str, process_key: str | None, first_week: str, last_week: str
) -> list[FreeWeek]:
    """Free minutes of the firm's ready machines that do the process, by machine and week; one query.

    Without a process: of all ready machines. The current week counts only from tomorrow on, past ones not at all.
    """
    current = week_of(clock.today())
    asked = {"firm_id": firm_id, "first_week": max(first_week, current), "last_week": last_week}
    if process_key is not None:
        asked["process_key"] = process_key
    session.flush()
    # on the bare connection: the session's own way costs as much again for every firm asked
    rows = session.connection().execute(_free_statement(process_key is not None), asked)
    found = list(map(FreeWeek._make, rows))
    return found if first_week > current else _without_past_days(session, firm_id, found, current)


def own_free_by_week(session: Session, firm_id: str, process_key: str, first: str, last: str) -> dict[str, int]:
    """Own free minutes for a process in every week of the range, weeks without any included as 0."""
    total = dict.fromkeys(weeks(first, last), 0)
    for row in free_for_matching(session, firm_id, process_key, first, last):
        total[row.week] += row.free_min
    return total


def own_free_min(session: Session, firm_id: str, process_key: str, first: str, last: str) -> int | None:
    """Own free minutes for a process over the weeks; None where nobody has told what our machines for it have free."""
    asked = {"firm_id": firm_id, "process_key": process_key}
    machines = session.scalars(_ready_machines(has_process=True), asked).all()
    told = (
        sa.select(CapacityWindow.id)
        .where(CapacityWindow.firm_id == firm_id, CapacityWindow.machine_id.in_(machines))
        .where(CapacityWindow.week >= first, CapacityWindow.week <= last, CapacityWindow.confirmed_at.is_not(None))
    )
    if machines and session.scalar(told.limit(1)) is None:
        return None
    return sum(own_free_by_week(session, firm_id, process_key, first, last).values())


def free_of_machine(session: Session, firm_id: str, machine_id: str, week: str) -> int:
    """Free minutes of one window; 0 where nothing was reported."""
    query = sa.select(FREE).where(CapacityWindow.firm_id == firm_id, CapacityWindow.machine_id == machine_id)
    return session.scalar(query.where(CapacityWindow.week == week)) or 0


def plan_rows(session: Session, firm_id: str, shown: Sequence[str]) -> list[PlanRow]:
    """All machines in service over the weeks, weeks without a window filled from the calendar."""
    machines = session.execute(
        sa.select(Machine.id, Machine.number, Machine.name, Machine.state, Machine.site_id)
        .where(Machine.firm_id == firm_id, Machine.state != "retired")
        .order_by(Machine.number, Machine.id)
    ).all()
    possible = _possible(session, firm_id, {machine.site_id for machine in machines}, shown)
    windows = _cells(session, firm_id, shown)
    return [
        PlanRow(
            machine.id,
            machine.number,
            machine.name,
            machine.state,
            tuple(windows.get((machine.id, week)) or WeekCell(week, possible[machine.site_id, week]) for week in shown),
        )
        for machine in machines
    ]


def plan_row(session: Session, firm_id: str, machine_id: str, shown: Sequence[str]) -> PlanRow:
    """One machine over the weeks; raises NotFound."""
    found = next((row for row in plan_rows(session, firm_id, shown) if row.machine_id == machine_id), None)
    if found is None:
        raise NotFound
    return found


def last_used_machine(session: Session, firm_id: str, person_id: str) -> str | None:
    """The machine for which the person last reported hours, if it is still ready."""
    ready = {card.id for card in machine_cards(session, firm_id, only_ready=True)}
    query = sa.select(HoursChange.machine_id).where(HoursChange.firm_id == firm_id, HoursChange.person_id == person_id)
    found = session.scalar(query.order_by(HoursChange.created_at.desc(), HoursChange.id.desc()).limit(1))
    return found if found in ready else None


def usual_min(session: Session, firm_id: str, machine_id: str) -> int | None:
    """The minutes last reported for the machine, as a guess for the next gap; None when there are none."""
    query = sa.select(HoursChange.after_min).where(HoursChange.firm_id == firm_id, HoursChange.machine_id == machine_id)
    return session.scalar(
        query.where(HoursChange.after_min > 0, HoursChange.undone_at.is_(None))
        .order_by(HoursChange.created_at.desc(), HoursChange.id.desc())
        .limit(1)
    )


def closures(session: Session, firm_id: str, site_id: str, since: dt.date) -> Sequence[Closure]:
    """Closed and extra days of a site that are not over yet, earliest first."""
    query = sa.select(Closure).where(Closure.firm_id == firm_id, Closure.site_id == site_id, Closure.last_day >= since)
    return session.scalars(query.order_by(Closure.first_day, Closure.id)).all()


@cache
def _free_statement(has_process: bool) -> sa.Select[str, str, int]:
    """Built once: SQLAlchemy takes longer to put it together than the database to answer it."""
    return (
        sa.select(CapacityWindow.machine_id, CapacityWindow.week, FREE)
        .where(CapacityWindow.firm_id == sa.bindparam("firm_id"), FREE > 0)
        .where(CapacityWindow.week >= sa.bindparam("first_week"), CapacityWindow.week <= sa.bindparam("last_week"))
        .where(CapacityWindow.machine_id.in_(_ready_machines(has_process)))
        .order_by(CapacityWindow.machine_id, CapacityWindow.week)
    )


def _ready_machines(has_process: bool) -> sa.Select[str]:
    query = sa.select(Machine.id).where(Machine.firm_id == sa.bindparam("firm_id"), Machine.state == "ready")
    if not has_process:
        return query
    return query.join(
        Capability, (Capability.firm_id == Machine.firm_id) & (Capability.machine_id == Machine.id)
    ).where(Capability.process_key == sa.bindparam("process_key"))


def _without_past_days(session: Session, firm_id: str, found: list[FreeWeek], current: str) -> list[FreeWeek]:
    """Lower the current week to what its remaining days allow."""
    left = _left_this_week(session, firm_id)
    lowered = [
        row._replace(free_min=min(row.free_min, left[row.machine_id])) if row.week == current else row for row in found
    ]
    return [row for row in lowered if row.free_min > 0]


def _left_this_week(session: Session, firm_id: str) -> dict[str, int]:
    """Minutes that each machine can still run this week."""
    today = clock.today()
    by_site = {site_id: one.possible_min(week_of(today), today) for site_id, one in calendars(session, firm_id).items()}
    rows = session.execute(sa.select(Machine.id, Machine.site_id).where(Machine.firm_id == firm_id))
    return {row.id: by_site[row.site_id] for row in rows}


def _possible(
    session: Session, firm_id: str, site_ids: Iterable[str], shown: Sequence[str]
) -> Mapping[tuple[str, str], int]:
    today, found = clock.today(), calendars(session, firm_id)
    return {(site_id, week): found[site_id].possible_min(week, today) for site_id in site_ids for week in shown}


def _cells(session: Session, firm_id: str, shown: Sequence[str]) -> dict[tuple[str, str], WeekCell]:
    rows = session.execute(
        sa.select(
            CapacityWindow.machine_id,
            CapacityWindow.week,
            CapacityWindow.maximum_min,
            CapacityWindow.actual_min,
            CapacityWindow.held_min,
            CapacityWindow.agreed_min,
            CapacityWindow.confirmed_at.is_not(None) | (CapacityWindow.actual_min > 0),
        ).where(CapacityWindow.firm_id == firm_id, CapacityWindow.week.in_(shown))
    )
    return {(row[0], row[1]): WeekCell(*row[1:]) for row in rows}
