"""An ERP brings 500 lines of free hours in one request, to either database: right first, then within two seconds."""

import itertools
import tempfile
from pathlib import Path
from typing import Any

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Database
from app.core.units import weeks_from
from tests.api.world import Programs, open_programs
from tests.bench.figure import alternating_s, figure
from tests.long.race_world import MONDAY
from tests.postgres import PostgresServer
from tests.world import add_machine

MACHINES, WEEKS = 10, 50
MOST_S = 2.0


def run() -> list[dict[str, Any]]:
    """Seconds for lines that all change, and, as `floor`, for the same lines again, which change nothing."""
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        server = PostgresServer.start(Path(folder))
        try:
            return [_on(Database(url), Path(folder)) for url in (f"sqlite:///{folder}/a.sqlite", server.new_database())]
        finally:
            server.stop()


def _on(database: Database, folder: Path) -> dict[str, Any]:
    database.create_tables()
    programs = open_programs(database, folder / "data", counts_people=False)
    with database.write() as session:
        for number in range(MACHINES):
            add_machine(session, programs.job.deal.firms["yilmaz"], f"N{number}")
    found = _measure(programs, database.url.partition(":")[0].partition("+")[0])
    database.close()
    return found


def _measure(programs: Programs, dialect: str) -> dict[str, Any]:
    hours = itertools.cycle((60, 120))
    bodies = [_lines(60)]
    right: list[bool] = []

    def prepare() -> None:
        bodies[0] = _lines(next(hours))

    def send() -> None:
        answer = programs.put("yilmaz", "free-hours", bodies[0])
        items = answer.get_json()["items"]
        right.append([one["reported_min"] for one in items] == [one["reported_min"] for one in bodies[0]["lines"]])

    changed_s, same_s = alternating_s((send, send), before=prepare)
    is_good = all(right) and changed_s <= MOST_S
    return figure(
        f"import_s/500/{dialect}",
        changed_s,
        floor=same_s,
        ratio=changed_s / same_s,
        goal=MOST_S,
        is_good=is_good,
        right=all(right),
    )


def _lines(minutes: int) -> dict[str, list[dict[str, object]]]:
    return {
        "lines": [
            {"machine_number": f"N{number}", "week": week, "reported_min": minutes}
            for number in range(MACHINES)
            for week in weeks_from("2026-W48", WEEKS)
        ]
    }
