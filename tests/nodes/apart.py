"""Nodes that were linked in this process and then run on as processes of their own, over the same folders and ports."""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from app.core import clock
from app.core.db import Database
from app.federation import carrying
from tests.bench.server import Server, serving
from tests.long.race_world import MONDAY
from tests.nodes.world import Node, running_nodes, stop


@contextmanager
def nodes_on_disk(folder: Path, homes: Sequence[Sequence[str]]) -> Iterator[list[Node]]:
    """SQLite nodes whose databases lie where a process of their own looks for them. In this process nodes take turns:
    while one sends, no other fetches files, so nobody waits for them."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.multiple(carrying, FILE_WAITS_S=(), SOON=dt.timedelta()))
        databases = []
        for name in ("eins.test", "zwei.test", "drei.test")[: len(homes)]:
            (folder / name).mkdir(parents=True)
            database = Database(f"sqlite:///{folder / name / 'werkring.sqlite'}")
            stack.callback(database.close)
            database.create_tables()
            databases.append(database)
        yield stack.enter_context(running_nodes(databases, folder, homes))


@contextmanager
def one_clock() -> Iterator[str]:
    """Monday morning goes on from now, here and in every process that is told; yields what to tell."""
    start = f"{MONDAY.isoformat()}@{time.time()}"
    clock.start_at(start)
    try:
        yield start
    finally:
        clock.start_at("")


@contextmanager
def apart(node: Node, start: str, folder: Path | None = None) -> Iterator[Server]:
    """The node as the operator runs it, at its old address; over a copy of its folder if one is given."""
    stop(node)
    clock.start_at(start)  # an application that was made here has set it back
    near = ",".join(node.config.federation_test_nodes)
    told = {"NODE_NAME": node.name, "FEDERATION_TEST_NODES": near, "CLOCK_START": start}
    with serving(folder or node.config.data_dir, node.config.port, **told) as server:
        yield server
