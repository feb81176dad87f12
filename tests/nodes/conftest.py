"""Nodes for tests: the first on either kind of database, the others on SQLite."""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from app.core import connections
from app.core.db import Database
from app.federation import carrying
from tests.nodes.world import Node, running_nodes


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes take turns here: while one sends, no other fetches files. And a busy machine is no silent partner."""
    monkeypatch.setattr(connections, "TIMEOUT", aiohttp.ClientTimeout(total=120))
    monkeypatch.setattr(carrying, "FILE_WAITS_S", ())
    monkeypatch.setattr(carrying, "SOON", dt.timedelta())
    carrying._silent.clear()


@pytest.fixture
def nodes(database: Database, tmp_path: Path) -> Iterator[list[Node]]:
    """Keller, Yilmaz and Brandt, each on a node of its own; nobody knows anybody yet."""
    with ExitStack() as stack:
        others = []
        for name in ("zwei", "drei"):
            other = Database(f"sqlite:///{tmp_path / name}.sqlite")
            stack.callback(other.close)
            other.create_tables()
            others.append(other)
        homes = [["keller"], ["yilmaz"], ["brandt"]]
        yield stack.enter_context(running_nodes([database, *others], tmp_path, homes))
