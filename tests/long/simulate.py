"""Thirty virtual days of three nodes from a seed: loss, delay, doubles, reordering, power cuts, restarts, clock jumps.

People ask, answer, plan, sign, change and cancel meanwhile. Then the net heals, and when all is quiet nothing is lost,
nothing took effect twice, both sides hold the same evidence, and no minute is sold twice.
"""

import datetime as dt
import logging
import os
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
import structlog

from app.federation.carrying import send_due_messages
from app.federation.fetching import fetch_wanted_files
from app.plans.actions import solve_due_plans
from app.worker import end_what_is_due, run_until_quiet
from tests.long.processes import forked
from tests.long.race_world import MONDAY
from tests.long.simulate_check import faults_of, one_sided_of, unheard
from tests.long.simulate_net import Net
from tests.long.simulate_people import People
from tests.long.simulate_planted import PLANTED, PLANTED_SEEDS
from tests.long.simulate_world import Place, PowerCut, World, build_world, carried_by, copied, repeatable

SEEDS, SHORT_SEEDS, PROCESSES = 1000, 20, 2
DAYS, HOURS, ROUNDS_MIN, ACTS = 30, (9,), (0, 3), 3
"""Once a day, but not at weekends, three people of each firm act; the workers work twice then, some minutes apart."""
HEALING_DAYS, MOST_ROUNDS = (1, 2, 4, 8, 12, 16, 18), 12
"""Who waits for a partner's word gives up after 14 days."""
OUTAGES = tuple(dt.timedelta(hours=hours) for hours in (1, 4, 12, 24, 72, 144))
Found = dict[str, Any]


@dataclass
class Outcome:
    """What one seed came to; `trace` only where something is wrong."""

    seed: int
    faults: list[str]
    counts: Counter[str]
    cpu_s: float
    trace: list[str] = field(default_factory=list)


def run(is_short: bool, seed: int | None) -> Found:
    """All seeds, or the given one alone with its trace; then each planted fault, which a few seeds must find."""
    if seed is not None:
        return _alone(seed)
    seeds = range(1, (SHORT_SEEDS if is_short else SEEDS) + 1)
    with ProcessPoolExecutor(PROCESSES, forked()) as pool:
        outcomes = list(pool.map(play_here, seeds, chunksize=5))
        caught = dict(zip(PLANTED, pool.map(seeds_until_caught, PLANTED), strict=True))
    failed = [one for one in outcomes if one.faults]
    for one in failed[:3]:
        tell(one)
    return {
        "ok": not failed and all(caught.values()),
        "seeds": len(outcomes),
        "failed": [one.seed for one in failed],
        "cpu_s_per_seed": round(sum(one.cpu_s for one in outcomes) / len(outcomes), 2),
        "counts": dict(sorted(sum((one.counts for one in outcomes), Counter()).items())),
        "planted_caught_after_seeds": caught,
    }


def _alone(seed: int) -> Found:
    outcome = play_here(seed)
    tell(outcome)
    return {
        "ok": not outcome.faults,
        "faults": len(outcome.faults),
        "cpu_s": round(outcome.cpu_s, 2),
        "counts": dict(sorted(outcome.counts.items())),
    }


def play_here(seed: int) -> Outcome:
    """One seed in this process, whose world is built at the first one."""
    if not _MADE:
        _FOLDERS.append(tempfile.TemporaryDirectory(dir=_roomy()))
        _MADE.append(build_world(Path(_FOLDERS[0].name) / "world", Net))
    return play(_MADE[0], seed)


def seeds_until_caught(name: str) -> int:
    """How many seeds it takes until a planted fault is found; 0 when it never is."""
    for seed in range(1, PLANTED_SEEDS + 1):
        with PLANTED[name]():
            outcome = play_here(seed)
        if outcome.faults:
            return seed
    return 0


def play(world: World, seed: int) -> Outcome:
    """The thirty days of one seed, the healing, and what does not hold afterwards."""
    began = time.process_time()
    folder = world.folder.with_name(f"seed{seed}-{os.getpid()}")
    with copied(world, folder) as places, repeatable(seed):
        simulation = Simulation(places, random.Random(seed))
        with carried_by(simulation.net), simulation.listening():
            simulation.play()
            faults = [*simulation.net.faults, *faults_of(places)]
        simulation.net.counts["one_sided"] += one_sided_of(places)
    cpu_s = time.process_time() - began
    return Outcome(seed, faults, simulation.net.counts, cpu_s, list(simulation.told()) if faults else [])


def tell(outcome: Outcome) -> None:
    """The trace of a seed and what does not hold, to read."""
    for line in outcome.trace:
        print(line)
    for fault in outcome.faults:
        print(f"seed {outcome.seed}: {fault}")
    if outcome.faults:
        print(f"again, alone: python -m tests.long simulate --seed {outcome.seed}")


class Simulation:
    """Three nodes, the net between them, and the weather."""

    def __init__(self, places: Sequence[Place], luck: random.Random) -> None:
        self.places, self.luck = places, luck
        self.net = Net(places, luck, MONDAY)
        self.people = [People(place, luck) for place in places]
        self.calm_until: dict[tuple[str, str], dt.datetime] = {}

    def play(self) -> None:
        for day in range(1, DAYS + 1):
            for hour in HOURS:
                self._tick(MONDAY + dt.timedelta(days=day, hours=hour - 7, minutes=self.luck.randrange(50)))
        self._heal()

    def told(self) -> Iterator[str]:
        for at, where, what, more in self.net.trace:
            yield f"{at:%d.%m. %H:%M} {where:10}{what:24}{more}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """What the house logs as an error is a fault here: refusals by rule are none, crashes are."""
        before = structlog.get_config()
        structlog.configure(processors=[self._hear], cache_logger_on_first_use=False)
        try:
            # a task that the power cut off leaves nobody behind to hear its exception
            with patch.object(logging.getLogger("asyncio"), "disabled", True):
                yield
        finally:
            structlog.configure(**before)

    def _hear(self, _logger: Any, method: str, event: dict[str, Any]) -> Any:
        if method in ("error", "exception", "critical"):
            told = {name: value for name, value in event.items() if name != "exc_info"}
            self.net.faults.append(f"{told} {traceback.format_exc() if event.get('exc_info') else ''}")
        raise structlog.DropEvent

    def _tick(self, at: dt.datetime) -> None:
        """A few minutes of the day: the weather changes, people act, workers work, messages cross."""
        self.net.now = at
        self._change_weather()
        is_weekend = at.weekday() >= 5
        for people in () if is_weekend else self.people:
            for _ in range(ACTS):
                if people.place.off_until is None:
                    self._guarded(people.place, lambda people=people: self._act(people))
        for minute in ROUNDS_MIN:
            self.net.now = at + dt.timedelta(minutes=minute)
            self.net.bring_late()
            for place in self.luck.sample(self.places, len(self.places)):
                self._work(place, is_whole=minute == 0 and self._happens(0.15))

    def _act(self, people: People) -> None:
        with self.net.working(people.place):
            what, came_of_it = people.work()
        if came_of_it:
            is_refused = came_of_it.startswith("refused")
            self.net.counts["acts refused" if is_refused else f"act {what}"] += 1
            self.net.note(people.place.name, what, came_of_it)

    def _work(self, place: Place, is_whole: bool) -> None:
        if place.off_until is None and place.idle_until is None:
            self._guarded(place, lambda: self._run_worker(place, is_whole))

    def _run_worker(self, place: Place, is_whole: bool) -> None:
        with self.net.working(place):
            if is_whole:
                end_what_is_due(place.database)
            elif _has_work(place):
                run_until_quiet(place.database)
            else:
                return
            solve_due_plans(place.database, place.config)
            fetch_wanted_files(place.database, place.config)
            send_due_messages(place.database, place.config)

    def _guarded(self, place: Place, act: Callable[[], None]) -> None:
        """Do it; where the power fails meanwhile, a new process starts, at once or hours later."""
        try:
            act()
        except PowerCut:
            self.net.note(place.name, "power cut")
            self.net.counts["power cuts"] += 1
            self._restart(place)
            if self.luck.random() < 0.3:
                self._switch_off(place)
        except Exception:
            self.net.faults.append(f"{place.name}: {traceback.format_exc()}")

    def _restart(self, place: Place) -> None:
        with self.net.working(place):
            place.restart()

    def _switch_off(self, place: Place) -> None:
        assert self.net.now is not None
        place.off_until = self.net.now + self.luck.choice(OUTAGES[:4])
        self.net.note(place.name, "is off", place.off_until)

    def _change_weather(self) -> None:
        now = self.net.now
        assert now is not None
        for pair in combinations([place.name for place in self.places], 2):
            if self.calm_until.get(pair, now) <= now and self._happens(0.06):
                self._cut(pair, now + self.luck.choice(OUTAGES))
        for place in self.places:
            self._change_place(place, now)

    def _cut(self, pair: tuple[str, str], until: dt.datetime) -> None:
        """Two nodes do not reach each other, or only one of them the other; then the line holds for a day."""
        one, other = self.luck.choice((pair, pair[::-1]))
        self.net.cut_until[one, other] = until
        if self._happens(0.8):
            self.net.cut_until[other, one] = until
        self.calm_until[pair] = until + dt.timedelta(days=1)
        self.net.note(one, "cannot reach", f"{other} until {until:%d.%m. %H:%M}")
        self.net.counts["outages"] += 1

    def _change_place(self, place: Place, now: dt.datetime) -> None:
        if place.off_until is not None and place.off_until <= now:
            place.off_until = None
            self.net.note(place.name, "is on again")
            self._restart(place)
        if place.idle_until is not None and place.idle_until <= now:
            place.idle_until = None
        if self._happens(0.02) and place.off_until is None:
            self._switch_off(place)
        if self._happens(0.03):
            place.idle_until = now + dt.timedelta(hours=14)
            self.net.note(place.name, "worker stands still")
            self.net.counts["idle workers"] += 1
        if self._happens(0.03):
            self.net.note(place.name, "restart")
            self.net.counts["restarts"] += 1
            self._restart(place)
        if self._happens(0.05):
            place.house.cut_in = self.luck.randint(2, 30)
        if self._happens(0.3 if place.offset else 0.03):
            minutes = 0 if place.offset else self.luck.choice((-1, 1)) * self.luck.choice((2, 6, 20, 90, 300))
            place.offset = dt.timedelta(minutes=minutes)
            self.net.note(place.name, "clock jumps", place.offset)
            self.net.counts["clock jumps"] += 1

    def _happens(self, share: float) -> bool:
        return self.luck.random() < share

    def _heal(self) -> None:
        """Net, clocks and workers are well again, people press what a page offers, and days pass."""
        assert self.net.now is not None
        self.net.faults += [fault for place in self.places for fault in unheard(place)]
        self.net.note("", "all heals")
        self.net.luck = None
        for place in self.places:
            place.offset, place.idle_until, place.house.cut_in = dt.timedelta(), None, 0
            if place.off_until is not None:
                place.off_until = None
                self._restart(place)
        for people in self.people:
            with self.net.working(people.place):
                while people.send_all_again():
                    self.net.counts["lanes sent again"] += 1
        healed_at = self.net.now
        for days in HEALING_DAYS:
            self.net.now = healed_at + dt.timedelta(days=days)
            self._rest()

    def _rest(self) -> None:
        """Let every node work until nothing goes any more."""
        assert self.net.now is not None
        for number in range(MOST_ROUNDS):
            before = len(self.net.trace)
            self.net.now += dt.timedelta(minutes=2)
            self.net.bring_late()
            for place in self.places:
                self._work(place, is_whole=number == 0)
            if len(self.net.trace) == before:
                return
        self.net.faults.append("the nodes do not come to rest")


def _has_work(place: Place) -> bool:
    """Looks once whether a worker would find anything: it costs a tenth of letting it look."""
    with place.database.engine.connect() as connection:
        return connection.scalar(_WORK) is not None


_WORK = sa.text(
    "SELECT 1 FROM outbox WHERE settled_at IS NULL UNION ALL SELECT 1 FROM message WHERE direction = 'out' AND state = 'waiting' "
    "UNION ALL SELECT 1 FROM wanted_file WHERE ended_at IS NULL UNION ALL SELECT 1 FROM plan_task LIMIT 1"
)
_MADE: list[World] = []
_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def _roomy() -> str | None:
    """Memory instead of a disk, where there is enough of it: what power cuts leave behind is decided by us."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return None
    found = os.statvfs(shared)
    return str(shared) if found.f_bavail * found.f_frsize > 500_000_000 else None
