"""A partner's node is away for 72 virtual hours and 1,000 messages; and nobody's pages wait for a node that does not answer."""

import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import tests.tables  # noqa: F401
from app.config import Config
from app.core import clock
from app.core.db import Database
from app.federation.carrying import send_due_messages
from app.federation.models import WAITING, Message
from app.firms.access import Role
from app.notary.keys import use_node_key
from app.partners.models import Partnership
from app.passkeys.sessions import start_sign_in
from tests.bench.server import Client
from tests.long.processes import forked
from tests.long.race_world import MONDAY
from tests.nodes.apart import apart, nodes_on_disk, one_clock
from tests.nodes.job import ask
from tests.nodes.silence import BACK_IN_MIN, be_away, write
from tests.nodes.world import Node, link, messages, settle_all

MESSAGES, SHORT_MESSAGES = 1000, 60
TURNS, SHORT_TURNS, PAGES = 12, 2, 100
MOST_RATIO = 1.10
Found = dict[str, Any]


def run(is_short: bool, seed: int) -> Found:
    """First the return, then the pages of those who wait for it."""
    count = SHORT_MESSAGES if is_short else MESSAGES
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        found = _come_back(Path(folder), count)
    with tempfile.TemporaryDirectory() as folder:
        calm_s, silent_s, tries = _time_pages(Path(folder), SHORT_TURNS if is_short else TURNS)
    ratio = silent_s / calm_s
    pages = {
        "page_p95_ms": round(calm_s * 1000, 2), "page_p95_beside_silence_ms": round(silent_s * 1000, 2),
        "ratio": round(ratio, 3), "tries_in_vain": tries,
    }  # fmt: skip
    return {"ok": found.pop("ok") and tries > 0 and (is_short or ratio <= MOST_RATIO), **found, **pages}


def _come_back(folder: Path, count: int) -> Found:
    with nodes_on_disk(folder, [["keller"], ["yilmaz"], ["brandt"]]) as nodes:
        one, two, three = nodes
        link(one, "keller", two, "yilmaz", nodes)
        link(one, "keller", three, "brandt", nodes)
        back = be_away(nodes, count, MONDAY, 30)
        left = [row for row in messages(one) if row.state != "delivered"]
    wanted = list(range(count))
    is_good = back.came == wanted and back.meanwhile == wanted and back.minutes <= BACK_IN_MIN and not left
    return {
        "ok": is_good, "messages": count, "came": len(back.came), "once_in_order": back.came == wanted,
        "virtual_minutes": back.minutes, "others_had_all_before": back.meanwhile == wanted, "left": len(left),
    }  # fmt: skip


def _time_pages(folder: Path, turns: int) -> tuple[float, float, int]:
    """p95 in seconds of the requester's page, calm and beside a worker that knocks in vain, taken in turns; and its tries."""
    with ExitStack() as stack:
        start = stack.enter_context(one_clock())
        with clock.frozen(MONDAY):
            (one, two, three) = nodes = stack.enter_context(nodes_on_disk(folder, [["keller"], ["yilmaz"], ["brandt"]]))
            link(one, "keller", two, "yilmaz", nodes)
            link(one, "keller", three, "brandt", nodes)
            ids = [one.partner_id("keller", address) for address in ("yilmaz@zwei.test", "brandt@drei.test")]
            request_id = ask(one, ids, file=b"")
            settle_all(nodes)
            silent = f"localhost:{stack.enter_context(_deaf_port())}"
            with one.database.write() as session:
                session.execute(sa.update(Partnership).where(Partnership.partner_id == ids[0]).values(node=silent))
                manager = start_sign_in(
                    session, one.firm_id("keller"), one.firms["keller"].people[Role.MANAGER], "Pixel", has_passkey=True
                )
            write(one, "keller", ids[0], range(20))
        server = stack.enter_context(apart(one, start))
        is_silent = stack.enter_context(_knocking(one, silent, start))
        client = Client(server.port, manager.secret)
        calm, loud = [], []
        _pages(client, request_id)
        for _ in range(turns):
            for taken, switch in ((calm, is_silent.clear), (loud, is_silent.set)):
                switch()
                time.sleep(0.5)
                taken += _pages(client, request_id)
        client.close()
        tries = max(row.attempts for row in messages(one))
    return _p95(calm), _p95(loud), tries


def _pages(client: Client, request_id: str) -> list[float]:
    taken = []
    for _ in range(PAGES):
        began = time.perf_counter()
        status, body = client.get(f"/suchen/{request_id}")
        taken.append(time.perf_counter() - began)
        assert status == 200, status
        assert b"Yilmaz" in body
    return taken


@contextmanager
def _deaf_port() -> Iterator[int]:
    """A port behind which nobody takes a connection: who knocks waits for its own timeout."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def _knocking(node: Node, silent: str, start: str) -> Iterator[Event]:
    """A worker beside the node; while the event is set, what waits for the silent node is due again and again."""
    context = forked()
    is_silent, is_over = context.Event(), context.Event()
    near = (*node.config.federation_test_nodes, silent)
    process = context.Process(target=_knock, args=(node.config, near, node.database.url, start, is_silent, is_over))
    process.start()
    try:
        yield is_silent
    finally:
        is_over.set()
        process.join(30)


def _knock(config: Config, near: tuple[str, ...], url: str, start: str, is_silent: Event, is_over: Event) -> None:
    clock.start_at(start)
    use_node_key(config.node_key)
    database, config = Database(url), replace(config, federation_test_nodes=near)
    while not is_over.is_set():
        if is_silent.is_set():
            with database.write() as session:
                session.execute(sa.update(Message).where(WAITING).values(next_try_at=clock.now()))
        send_due_messages(database, config)
        time.sleep(0.2)
    database.close()


def _p95(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]
