"""16 writers on few hot windows, on both databases: nothing is sold twice, nothing drifts, nothing acknowledged is missing."""

import random
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import sqlalchemy.exc

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Database
from app.core.errors import WerkringError
from tests.long.planted import DefaultDatabase, hold_read_then_write
from tests.long.processes import forked
from tests.long.race_check import Watcher, missing
from tests.long.race_paths import WEIGHTS, Ack, Line, Writer, hold
from tests.long.race_world import MONDAY, Scene, set_scene
from tests.postgres import PostgresServer

PROCESSES, THREADS = 4, 4
ATTEMPTS, SHORT_ATTEMPTS, PLANTED_ATTEMPTS = 100_000, 960, 320
EXPECTED = (WerkringError,)
Found = dict[str, Any]


def run(is_short: bool, seed: int) -> Found:
    """Race on both databases, then once more on each with the planted fault, which must be found."""
    attempts = SHORT_ATTEMPTS if is_short else ATTEMPTS
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresServer.start(Path(folder))
        try:
            urls = {"sqlite": sqlite_url(Path(folder), "race"), "postgresql": server.new_database()}
            planted = {"sqlite": sqlite_url(Path(folder), "planted"), "postgresql": server.new_database()}
            found = {kind: race(url, Path(folder), attempts, seed) for kind, url in urls.items()}
            caught = {kind: is_planted_caught(url, Path(folder), seed) for kind, url in planted.items()}
        finally:
            server.stop()
    return {"ok": all(one["ok"] for one in found.values()) and all(caught.values()), **found, "planted_caught": caught}


def sqlite_url(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}.sqlite"


def race(url: str, folder: Path, attempts: int, seed: int) -> Found:
    """All booking paths at once; `ok` when nothing was oversold, drifted, is missing, or failed unexpectedly."""
    scene = set_scene(url, folder, is_new=url.startswith("sqlite"))
    watcher, results = _watched(scene, attempts, seed, is_planted=False)
    acks = [ack for result in results for ack in result["acks"]]
    database = Database(url)
    try:
        with database.read() as session:
            lost = missing(session, scene, acks)
    finally:
        database.close()
    counts: Counter[str] = sum((result["counts"] for result in results), Counter())
    faults = [fault for result in results for fault in result["faults"]]
    return {
        "ok": not (watcher.oversold or watcher.drift_min or lost or faults) and counts["done"] > 0,
        "attempts": sum(counts[kind] for kind in ("done", "refused", "fault")),
        "done": counts["done"],
        "refused": counts["refused"],
        "faults": len(faults),
        "first_faults": faults[:3],
        "looks": watcher.looks,
        "oversold": watcher.oversold,
        "drift_min": watcher.drift_min,
        "acknowledged": len(acks),
        "missing": len(lost),
        "first_missing": lost[:3],
        "paths": {name: counts[name] for name in sorted(counts) if name not in ("done", "refused", "fault")},
    }


def is_planted_caught(url: str, folder: Path, seed: int) -> bool:
    """The same race with hours that are read and then written: says whether the checks notice."""
    scene = set_scene(url, folder, is_new=url.startswith("sqlite"))
    watcher, _ = _watched(scene, PLANTED_ATTEMPTS, seed, is_planted=True)
    return watcher.oversold > 0 and watcher.drift_min > 0


def _watched(scene: Scene, attempts: int, seed: int, is_planted: bool) -> tuple[Watcher, list[Found]]:
    watcher = Watcher(Database(scene.url))
    thread = threading.Thread(target=watcher.watch)
    thread.start()
    try:
        with ProcessPoolExecutor(PROCESSES, forked()) as pool:
            share = attempts // PROCESSES
            work = [pool.submit(write_much, scene, share, seed * 1000 + n, is_planted) for n in range(PROCESSES)]
            results = [one.result() for one in work]
    finally:
        watcher.is_done.set()
        thread.join()
        watcher.look()
        watcher.database.close()
    return watcher, results


def write_much(scene: Scene, attempts: int, seed: int, is_planted: bool) -> Found:
    """One process: four threads that try their share of the attempts."""
    database = DefaultDatabase(scene.url) if is_planted else Database(scene.url)
    shared: list[Line] = []
    faults: list[str] = []
    writers = [Writer(scene, database, random.Random(seed * 10 + n), shared) for n in range(THREADS)]
    for writer in writers:
        writer.hold = hold_read_then_write if is_planted else writer.hold
    work = [
        threading.Thread(target=_write, args=(writer, attempts // THREADS, is_planted, faults)) for writer in writers
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    database.close()
    acks: list[Ack] = [ack for writer in writers for ack in writer.acks]
    return {"acks": acks, "faults": faults, "counts": sum((Counter(writer.counts) for writer in writers), Counter())}


def _write(writer: Writer, attempts: int, is_planted: bool, faults: list[str]) -> None:
    paths, weights = ([hold], [1]) if is_planted else (list(WEIGHTS), list(WEIGHTS.values()))
    with clock.frozen(MONDAY):
        for path in writer.luck.choices(paths, weights, k=attempts):
            outcome = _outcome(writer, path, is_planted, faults)
            writer.counts[outcome] = writer.counts.get(outcome, 0) + 1
            if outcome == "done":
                writer.counts[path.__name__] = writer.counts.get(path.__name__, 0) + 1


def _outcome(writer: Writer, path: Callable[..., Any], is_planted: bool, faults: list[str]) -> str:
    try:
        writer.attempt(path)
    except EXPECTED:
        return "refused"
    except Exception as error:
        # the planted variant also fails loudly ("database is locked"): what counts is what it does in silence
        if not (is_planted and isinstance(error, sqlalchemy.exc.DBAPIError)):
            faults.append(f"{path.__name__}: {traceback.format_exception_only(error)[-1][:300]}")
        return "fault"
    return "done"
