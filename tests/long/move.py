"""A firm with a year of data leaves its node and arrives on an empty one of the other kind: all of it, within minutes."""

import tempfile
import time
from pathlib import Path
from typing import Any

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Database
from app.moving.exporting import leave_node
from app.moving.rules import MOVE
from tests.long.race_world import MONDAY
from tests.moving.world import bring, lines, pack, same_files
from tests.moving.year import SMALL, Size, Year
from tests.postgres import PostgresServer

MOST_S = 300
Found = dict[str, Any]


def run(is_short: bool, seed: int) -> Found:
    """SQLite to PostgreSQL and on to SQLite; each time everything is compared with what left the first node."""
    with tempfile.TemporaryDirectory() as name, clock.frozen(MONDAY):
        folder = Path(name)
        server = PostgresServer.start(folder / "postgres")
        try:
            return _there_and_back(folder, server, SMALL if is_short else Size(), seed)
        finally:
            server.stop()


def _there_and_back(folder: Path, server: PostgresServer, size: Size, seed: int) -> Found:
    old, hub = Database(f"sqlite:///{folder / 'old.sqlite'}"), Database(server.new_database())
    home = Database(f"sqlite:///{folder / 'home.sqlite'}")
    old.create_tables()
    home.create_tables()
    keller = Year(old, size, seed).pass_by()
    leave_node(old, keller)
    export_s, first = _timed(lambda: pack(old, keller, folder, kind=MOVE, name="first"))
    import_s, there = _timed(lambda: bring(hub, first, folder))
    _, second = _timed(lambda: pack(hub, keller, folder, kind=MOVE, name="second"))
    back_s, _ = _timed(lambda: bring(home, second, folder))
    files = same_files(first, second)
    same_files(first, pack(home, keller, folder, kind=MOVE, name="third"))
    for database in (old, hub, home):
        database.close()
    counted = {
        name: len(lines(files[f"rows/{name}.jsonl"])) for name in ("work_request", "offer", "agreement", "message")
    }
    return {
        "ok": export_s + import_s <= MOST_S and export_s + back_s <= MOST_S and counted["agreement"] >= size.agreements,
        "rows": there.rows,
        "entries": there.entries,
        "files": len([name for name in files if name.startswith("files/")]),
        **counted,
        "archive_mb": round(first.stat().st_size / 1e6, 1),
        "export_s": round(export_s, 2),
        "import_postgresql_s": round(import_s, 2),
        "import_sqlite_s": round(back_s, 2),
    }


def _timed(act: Any) -> tuple[float, Any]:
    started = time.monotonic()
    found = act()
    return time.monotonic() - started, found
