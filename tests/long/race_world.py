"""Few hot windows of two providers, partners' requests to answer, and a third firm as noise."""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from app.capacity.models import CapacityWindow
from app.core import clock
from app.core.db import Database
from app.core.holidays import holidays_near
from app.firms.access import Role
from app.requests.rules import default_valid_until, reply_by_choices
from tests.requests.story import NEED, ask, people_of_the_story
from tests.world import TestFirm, add_free_hours, add_machine

MONDAY = dt.datetime(2026, 11, 16, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))
HOT_WEEKS = ("2026-W49", "2026-W50", "2026-W51")
HOT_MIN = 40 * 60
PROVIDERS = ("yilmaz", "brandt")
REQUESTS = 12


@dataclass(frozen=True)
class HotFirm:
    """A provider as the writers need it: plain values, so that it travels to other processes."""

    firm: TestFirm
    machines: tuple[str, ...]
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """Where the race happens."""

    url: str
    folder: Path
    firms: tuple[HotFirm, ...]
    requester_id: str
    expiries: tuple[dt.datetime, ...]
    """The times at which some of the offers end."""
    actual_min: dict[tuple[str, str, str], int]
    """Free minutes at the start by (firm, machine, week)."""

    def windows(self) -> Sequence[tuple[HotFirm, str, str]]:
        return [(hot, machine, week) for hot in self.firms for machine in hot.machines for week in HOT_WEEKS]


def set_scene(url: str, folder: Path, is_new: bool) -> Scene:
    """Fill an empty database (or make its tables first) with the story, twelve open requests and hot windows."""
    database = Database(url)
    if is_new:
        database.create_tables()
    with clock.frozen(MONDAY):
        scene = _fill(database, url, folder)
    database.close()
    return scene


def _fill(database: Database, url: str, folder: Path) -> Scene:
    world = people_of_the_story(database)
    firms = [world[key] for key in PROVIDERS]
    extra: dict[str, str] = {}
    with database.write() as session:
        for firm in firms:
            extra[firm.id] = add_machine(session, firm, "M2", 8700)
            add_free_hours(session, firm, extra[firm.id], 90 * 60)
        session.execute(
            sa.update(CapacityWindow)
            .where(CapacityWindow.firm_id.in_([firm.id for firm in firms]), CapacityWindow.week.in_(HOT_WEEKS))
            .values(actual_min=HOT_MIN)
        )
    replies = reply_by_choices(clock.now(), holidays_near(clock.today()))
    requests = [_ask(database, world, number, replies) for number in range(REQUESTS)]
    return Scene(
        url=url,
        folder=folder,
        firms=tuple(HotFirm(firm, (firm.machine_id, extra[firm.id]), tuple(requests)) for firm in firms),
        requester_id=world["keller"].id,
        expiries=tuple(default_valid_until(reply, holidays_near(clock.today())) for reply in replies[:3]),
        actual_min=_actual_min(database),
    )


def _ask(database: Database, world: dict[str, TestFirm], number: int, replies: Sequence[dt.datetime]) -> str:
    need = random.Random(number).choice((16, 24, 40, 60)) * 60
    wanted = type(NEED)(**{**_fields(NEED), "need_min": need, "first_week": HOT_WEEKS[0], "last_week": HOT_WEEKS[-1]})
    return ask(database, world, wanted, PROVIDERS, reply_by=replies[number % 3])


def _fields(need: object) -> dict[str, object]:
    return {name: getattr(need, name) for name in type(need).__dataclass_fields__}  # type: ignore[attr-defined]


def _actual_min(database: Database) -> dict[tuple[str, str, str], int]:
    with database.read() as session:
        rows = session.execute(
            sa.select(CapacityWindow.firm_id, CapacityWindow.machine_id, CapacityWindow.week, CapacityWindow.actual_min)
        )
        return {(row.firm_id, row.machine_id, row.week): row.actual_min for row in rows}


def manager_of(hot: HotFirm) -> str:
    return hot.firm.people[Role.MANAGER]
