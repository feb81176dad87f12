"""What every benchmark prints, and how it takes its time."""

import gc
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

Figure = dict[str, Any]
ROUNDS = 5


def figure(
    name: str,
    value: float,
    *,
    floor: float | None = None,
    peer: float | None = None,
    ratio: float | None = None,
    goal: float | None = None,
    is_good: bool,
    **more: object,
) -> Figure:
    """One line of output; numbers keep four significant digits."""
    numbers = {"value": value, "floor": floor, "peer": peer, "ratio": ratio, "goal": goal}
    told = {key: None if number is None else float(f"{number:.4g}") for key, number in numbers.items()}
    return {"name": name, **told, "ok": is_good, **more}


def alternating_s(
    works: Sequence[Callable[[], object]],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
    before: Callable[[], object] = lambda: None,
) -> list[float]:
    """Medians of several works, taken in turns so that a busy neighbour slows all of them alike.

    `before` prepares each round and is not timed.
    What only computes is timed with time.process_time, what waits for a disk or another process by the clock on the wall.
    """
    before()
    for work in works:
        work()
    gc.collect()
    gc.freeze()
    taken = []
    for _ in range(rounds):
        before()
        taken.append([_seconds(work, clock) for work in works])
    return [median(column) for column in zip(*taken, strict=True)]


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    gc.disable()
    try:
        start = clock()
        work()
        return clock() - start
    finally:
        gc.enable()
