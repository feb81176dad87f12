"""The foreman's list and the request page per second through the real server; start, memory, bytes of the first view."""

import gzip
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from flask.testing import FlaskClient

import tests.tables  # noqa: F401
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.factory import create_app
from app.firms.access import Role
from app.notary.keys import use_node_key
from app.offers.actions import answer_yes
from app.passkeys.sessions import start_sign_in
from tests.agreements.world import NODE_KEY
from tests.bench.figure import ROUNDS, Figure, alternating_s, figure
from tests.bench.server import ROOT, Client, Server, cpu_s, memory_mb, serving
from tests.long.race_world import MONDAY
from tests.requests.story import ask, people_of_the_story

REQUESTS = 20
PAGES = 150
LOAD = 600
GOAL_START_S, GOAL_MEMORY_MB, GOAL_BYTES = 1.5, 600, 40_000
ASSET = re.compile(r'(?:href|src)="(/static/[^"#]+)')


@dataclass(frozen=True)
class Filled:
    """A data folder with 20 waiting requests, and who is signed in."""

    folder: Path
    foreman: str
    manager: str
    received_id: str
    own_id: str


def run() -> list[Figure]:
    """Pages a second over one connection, with the emptiest page of the same server as floor; then what is counted once."""
    with tempfile.TemporaryDirectory() as folder:
        filled = _fill(Path(folder))
        with serving(filled.folder, CLOCK_START=MONDAY.isoformat()) as server:
            found = [*_pages(server, filled), _memory(server, filled)]
        return [*found, _start(filled), *_bytes(filled)]


def _fill(folder: Path) -> Filled:
    load_config({"DATA_DIR": str(folder)})
    database = Database(f"sqlite:///{folder}/werkring.sqlite")
    database.create_tables()
    use_node_key(NODE_KEY)
    with clock.frozen(MONDAY):
        world = people_of_the_story(database)
        ids = [ask(database, world, partners=("yilmaz", "brandt", "nowak")) for _ in range(REQUESTS)]
        with database.write() as session:
            for key in ("brandt", "nowak"):
                answer_yes(session, world[key].id, world[key].people[Role.FOREMAN], ids[0])
            yilmaz, keller = world["yilmaz"], world["keller"]
            foreman = start_sign_in(session, yilmaz.id, yilmaz.people[Role.FOREMAN], "Pixel", has_passkey=True)
            manager = start_sign_in(session, keller.id, keller.people[Role.MANAGER], "Pixel", has_passkey=True)
        from app.worker import run_until_quiet

        run_until_quiet(database)
    database.close()
    return Filled(folder, foreman.secret, manager.secret, ids[1], ids[0])


def _pages(server: Server, filled: Filled) -> list[Figure]:
    """Right before fast: 20 rows in the list, the offers on the page."""
    foreman, manager = Client(server.port, filled.foreman), Client(server.port, filled.manager)
    wanted = {
        "foremans_list": (foreman, "/anfragen", lambda body: body.count(b"/anfragen/0") >= REQUESTS),
        "answer_page": (foreman, f"/anfragen/{filled.received_id}", lambda body: b"Keller" in body),
        "request_page": (manager, f"/suchen/{filled.own_id}", lambda body: b"Brandt" in body and b"Nowak" in body),
    }
    found = []
    for name, (client, path, is_whole) in wanted.items():
        status, body = client.get(path)
        is_right = status == 200 and is_whole(body)
        ours_s, floor_s = alternating_s([_many(client, path), _many(client, "/offline")])
        share = floor_s / ours_s
        found.append(
            figure(
                f"{name}_per_s", PAGES / ours_s, floor=PAGES / floor_s, ratio=share, is_good=is_right,
                bytes=len(body), status=status,
            )
        )  # fmt: skip
    foreman.close()
    manager.close()
    return found


def _many(client: Client, path: str) -> Callable[[], None]:
    def work() -> None:
        for _ in range(PAGES):
            status, _ = client.get(path)
            assert status == 200, (path, status)

    return work


def _memory(server: Server, filled: Filled) -> Figure:
    """Web after some load, and a worker that has settled: together."""
    env = os.environ | {
        "DATA_DIR": str(filled.folder),
        "PRACTICE": "off",
        "CLOCK_START": MONDAY.isoformat(),
        "PYTHONPATH": str(ROOT),
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "app.worker"], env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client = Client(server.port, filled.manager)
        _use(client, filled)
        early = memory_mb(server.process.pid)
        for _ in range(3):
            _use(client, filled)
        time.sleep(2)
        late = memory_mb(server.process.pid)
        total = late + memory_mb(worker.pid)
        client.close()
    finally:
        worker.terminate()
        worker.wait(20)
    is_good = total <= GOAL_MEMORY_MB and late <= early * 1.05
    return figure(
        "memory_web_and_worker_mb", total, goal=GOAL_MEMORY_MB, is_good=is_good, growth_mb=round(late - early, 1)
    )


def _use(client: Client, filled: Filled) -> None:
    for path in (f"/suchen/{filled.own_id}", "/start", "/plan", f"/suchen/{filled.own_id}/plaene", "/mehr"):
        for _ in range(LOAD // 20):
            status, _ = client.get(path)
            assert status == 200, (path, status)


def _start(filled: Filled) -> Figure:
    """From the start of the process to the first whole page, against python that only imports flask."""
    ours, bare, spent = [], [], []
    for _ in range(ROUNDS):
        with serving(filled.folder) as server:
            ours.append(server.started_s)
            spent.append(cpu_s(server.process.pid))
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import flask"], check=True)
        bare.append(time.perf_counter() - begun)
    value, floor = median(ours), median(bare)
    return figure(
        "start_to_first_answer_s",
        value,
        floor=floor,
        ratio=value / floor,
        goal=GOAL_START_S,
        is_good=value <= GOAL_START_S,
        cpu_s=round(median(spent), 2),
    )


def _bytes(filled: Filled) -> list[Figure]:
    """What a phone loads at its first visit: the page and all that it names, packed by our own server (gzip)."""
    config = load_config({"DATA_DIR": str(filled.folder)})
    with clock.frozen(MONDAY):
        database = Database(config.database_url)
        app = create_app(config, database)
        found = []
        for name, path, cookie in (
            ("start", "/", ""),
            ("request", f"/suchen/{filled.own_id}", filled.manager),
            ("answer", f"/anfragen/{filled.received_id}", filled.foreman),
        ):
            client = app.test_client()
            client.set_cookie("werkring", cookie, domain="localhost")
            page, assets = _first_view(client, path)
            total = page + assets
            found.append(
                figure(
                    f"first_view_{name}_bytes",
                    total,
                    goal=GOAL_BYTES,
                    is_good=page > 0 and total <= GOAL_BYTES,
                    page=page,
                )
            )
        database.close()
    return found


def _first_view(client: FlaskClient, path: str) -> tuple[int, int]:
    """(bytes of the page, bytes of everything it names)"""
    answer = client.get(
        path, base_url="http://localhost:8000", headers={"Accept-Encoding": "gzip"}, follow_redirects=True
    )
    assert answer.status_code == 200
    packed = answer.data
    text = (gzip.decompress(packed) if answer.headers.get("Content-Encoding") == "gzip" else packed).decode()
    assets = 0
    for url in set(ASSET.findall(text)):
        got = client.get(url, base_url="http://localhost:8000", headers={"Accept-Encoding": "gzip"})
        assert got.status_code == 200, url
        assets += len(got.data)
    return len(packed), assets
