"""One request at 100 receiving firms with 1,000 and 10,000 free-hour rows each: each house asks its own rows."""

import random
import tempfile
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

import tests.tables  # noqa: F401
from app.capacity.queries import free_for_matching
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.core.units import weeks_from
from app.firms.models import Firm, Site
from app.machines.models import Capability, Machine, RateCard
from app.matching.queries import judge_request
from app.requests.models import WorkRequest
from tests.bench.figure import Figure, alternating_s, figure
from tests.long.race_world import MONDAY

FIRMS = 100
SIZES = {1_000: (50, 20), 10_000: (100, 100)}
"""Rows per firm: machines × weeks"""
PROCESSES = (
    "milling_5x",
    "turning",
    "edm_wire",
    "sawing",
    "milling_3x",
    "drilling",
    "honing",
    "lapping",
    "brazing",
    "painting",
)
FIRST_WEEK, LAST_WEEK = "2026-W49", "2027-W03"
CALM_ROUNDS = 9
GOAL_SUM, GOAL_WORST_S = 25.0, 0.002


@dataclass
class Houses:
    """One database with all firms, and the same rows in memory, inverted: process -> columns."""

    database: Database
    firm_ids: list[str]
    memory: list[dict[str, tuple[Any, Any, Any]]]
    weeks: list[str]


def run() -> list[Figure]:
    """Sum and worst firm for both sizes against the same filter in memory, their growth, and the whole judgement."""
    found: list[Figure] = []
    took: dict[int, tuple[float, int]] = {}
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        for size in SIZES:
            houses = _houses(f"sqlite:///{folder}/{size}.sqlite", size)
            figures, rows = _measure(houses, size)
            found += figures
            took[size] = (figures[0]["value"], rows)
            houses.database.close()
    (small_s, small_rows), (large_s, large_rows) = took[1_000], took[10_000]
    growth, rows_growth = large_s / small_s, large_rows / small_rows
    found.append(
        figure(
            "match_growth_10x_rows",
            growth,
            floor=rows_growth,
            ratio=growth / rows_growth,
            goal=1.0,
            is_good=growth <= rows_growth,
        )
    )
    return found


def _measure(houses: Houses, size: int) -> tuple[list[Figure], int]:
    with houses.database.read() as session:
        expected = [sorted(_in_memory(houses, place)) for place in range(FIRMS)]
        answers = [sorted(map(tuple, _query(session, firm_id))) for firm_id in houses.firm_ids]
        is_right = answers == expected and sum(map(len, answers)) > FIRMS
        ours_s, floor_s = alternating_s(
            [
                lambda: [_query(session, firm_id) for firm_id in houses.firm_ids],
                lambda: [_in_memory(houses, place) for place in range(FIRMS)],
            ],
            CALM_ROUNDS,
            process_time,
        )
        each = [lambda firm_id=firm_id: _query(session, firm_id) for firm_id in houses.firm_ids]
        worst_s = max(alternating_s(each, clock=process_time))
        judged_s = _judged_s(session, houses)
    ratio, rows = ours_s / floor_s, sum(map(len, answers))
    return [
        figure(
            f"match_100_firms_{size}_rows_s",
            ours_s,
            floor=floor_s,
            ratio=ratio,
            goal=GOAL_SUM,
            is_good=is_right and ratio <= GOAL_SUM,
            rows=rows,
        ),
        figure(
            f"match_worst_firm_{size}_rows_s", worst_s, goal=GOAL_WORST_S, is_good=is_right and worst_s <= GOAL_WORST_S
        ),
        figure(f"judge_100_firms_{size}_rows_s", judged_s, floor=floor_s, ratio=judged_s / floor_s, is_good=is_right),
    ], rows


def _query(session: Session, firm_id: str) -> list[Any]:
    return free_for_matching(session, firm_id, PROCESSES[0], FIRST_WEEK, LAST_WEEK)


def _in_memory(houses: Houses, place: int) -> list[tuple[str, str, int]]:
    """The floor: the rows of the process, a mask over weeks and minutes, the same rows out."""
    machines, weeks, free = houses.memory[place][PROCESSES[0]]
    first, last = houses.weeks.index(FIRST_WEEK), houses.weeks.index(LAST_WEEK)
    fits = np.flatnonzero((weeks >= first) & (weeks <= last) & (free > 0))
    return [
        (machine, houses.weeks[week], minutes)
        for machine, week, minutes in zip(
            machines[fits].tolist(), weeks[fits].tolist(), free[fits].tolist(), strict=True
        )
    ]


def _judged_s(session: Session, houses: Houses) -> float:
    """The whole judgement as it runs when a request arrives: machines, abilities, rates, reasons, proposal."""
    requests = [_request(firm_id) for firm_id in houses.firm_ids]
    verdicts = [judge_request(session, request.firm_id, request) for request in requests]
    assert all(verdict.lines for verdict in verdicts)
    work = lambda: [judge_request(session, request.firm_id, request) for request in requests]  # noqa: E731
    return alternating_s([work], clock=process_time)[0]


def _request(firm_id: str) -> WorkRequest:
    return WorkRequest(
        firm_id=firm_id, id=new_id(), side="theirs", kind="hours", state="open", pack="metal", process_key=PROCESSES[0],
        need_min=500 * 60, first_week=FIRST_WEEK, last_week=LAST_WEEK, material="", material_group="", certificates=[],
        needs={}, version=1, job_version=1, may_turn=True, allow_part=True,
        general_tolerance="",
    )  # fmt: skip


def _houses(url: str, size: int) -> Houses:
    machines, week_count = SIZES[size]
    database, luck = Database(url), random.Random(size)
    database.create_tables()
    weeks = weeks_from("2026-W48", week_count)
    houses = Houses(database, [], [], weeks)
    for number in range(FIRMS):
        with database.write() as session:
            _add_house(session, houses, number, machines, luck)
    with database.write() as session:
        session.execute(sa.text("ANALYZE"))
    return houses


def _add_house(session: Session, houses: Houses, number: int, machine_count: int, luck: random.Random) -> None:
    firm_id, site_id, now = new_id(), new_id(), clock.now()
    common = {"firm_id": firm_id, "created_at": now}
    session.add(
        Firm(
            id=firm_id, address=f"f{number}@bench", name=f"Firma {number}", short_name=f"F{number}", legal_form="GmbH",
            postcode="98527", town="Suhl", created_at=now,
        )
    )  # fmt: skip
    session.flush()
    session.add(
        Site(
            id=site_id,
            name="Suhl",
            postcode="98527",
            town="Suhl",
            lat=50.6,
            lon=10.7,
            shift_minutes=[960] * 5 + [0, 0],
            **common,
        )
    )
    session.flush()
    ids = [new_id() for _ in range(machine_count)]
    session.execute(
        sa.insert(Machine),
        [
            {
                "id": one,
                "site_id": site_id,
                "number": f"M{n}",
                "type_key": "mill_5axis",
                "name": f"F{n}",
                "parameters": {},
                **common,
            }
            for n, one in enumerate(ids)
        ],
    )
    process_of = {one: PROCESSES[n % len(PROCESSES)] for n, one in enumerate(ids)}
    session.execute(
        sa.insert(Capability),
        [
            {"id": new_id(), "machine_id": one, "process_key": process_of[one], "material_groups": [], **common}
            for one in ids
        ],
    )
    session.execute(
        sa.insert(RateCard),
        [
            {"id": new_id(), "machine_id": one, "rate_cents_per_hour": 9000, "valid_from": MONDAY.date(), **common}
            for one in ids
        ],
    )
    rows = [(one, place, luck.choice((0, 0, 480, 600, 1200))) for one in ids for place in range(len(houses.weeks))]
    _insert_windows(session, houses, firm_id, rows)
    houses.firm_ids.append(firm_id)
    houses.memory.append({process: _columns(rows, process_of, process) for process in PROCESSES})


def _insert_windows(session: Session, houses: Houses, firm_id: str, rows: list[tuple[str, int, int]]) -> None:
    """Straight to the driver: a million rows are no part of the measurement."""
    columns = "firm_id, id, created_at, machine_id, week, maximum_min, actual_min, held_min, agreed_min"
    session.connection().exec_driver_sql(
        f"INSERT INTO capacity_window ({columns}) VALUES (?, ?, ?, ?, ?, 4440, ?, 0, 0)",
        [
            (firm_id, f"{firm_id[:8]}{n:028d}", "2026-11-16 06:00:00.000000", machine, houses.weeks[place], free)
            for n, (machine, place, free) in enumerate(rows)
        ],
    )


def _columns(rows: list[tuple[str, int, int]], process_of: dict[str, str], process: str) -> tuple[Any, Any, Any]:
    own = [row for row in rows if process_of[row[0]] == process]
    return np.array([row[0] for row in own]), np.array([row[1] for row in own]), np.array([row[2] for row in own])
