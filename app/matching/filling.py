"""Filling a need from free weeks: as many minutes as possible, the first machine first, the earliest weeks first.

A week takes at least the machine's min block, so not every sum can be reached. A set of reachable sums is kept as
spans (low, high); all numbers here are steps of 15 minutes, as hours are offered and booked in such steps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

STEP_MIN = 15

Spans: TypeAlias = tuple[tuple[int, int], ...]
Lines: TypeAlias = tuple[tuple[str, int], ...]

NOTHING: Spans = ((0, 0),)


@dataclass(frozen=True, slots=True)
class Supply:
    """Free weeks of one machine in steps, earliest first, each at least one block."""

    block: int
    windows: Lines


def supply_of(windows: Iterable[tuple[str, int]], min_block_min: int) -> Supply:
    """Return a machine's usable weeks from its free minutes; a rest smaller than a step or a block is no use."""
    block = max(1, -(-min_block_min // STEP_MIN))
    steps = ((week, free_min // STEP_MIN) for week, free_min in sorted(windows))
    return Supply(block, tuple((week, free) for week, free in steps if free >= block))


def fill_need(need_min: int, supplies: Sequence[Supply]) -> tuple[Lines, ...]:
    """Return for each machine its (week, minutes) lines.

    The sum is the largest that can be reached without going above the need; of all ways there, earlier machines take
    as much as they can, and each machine the earliest weeks. A machine more never makes the sum smaller.
    """
    cap = max(0, need_min // STEP_MIN)
    own = [_sums_of(supply, cap) for supply in supplies]
    # later[i]: what the machines from i on can reach together.
    later = list(accumulate(reversed(own), lambda total, spans: _add(total, spans, cap), initial=NOTHING))[::-1]
    left = later[0][-1][1]
    lines = []
    for place, supply in enumerate(supplies):
        share = _largest_share(own[place], later[place + 1], left)
        left -= share
        lines.append(_fill_weeks(supply, share))
    return tuple(lines)


def _sums_of(supply: Supply, cap: int) -> Spans:
    """k weeks can carry anything from k blocks up to the k fullest weeks together."""
    fullest = sorted((free for _, free in supply.windows), reverse=True)
    spans = [(count * supply.block, top) for count, top in enumerate(accumulate(fullest), 1)]
    return _join([*NOTHING, *spans], cap)


def _add(a: Spans, b: Spans, cap: int) -> Spans:
    return _join([(low + more_low, high + more_high) for low, high in a for more_low, more_high in b], cap)


def _join(spans: Iterable[tuple[int, int]], cap: int) -> Spans:
    joined: list[tuple[int, int]] = []
    for low, high in sorted((low, min(high, cap)) for low, high in spans if low <= cap):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def _largest_share(own: Spans, later: Spans, left: int) -> int:
    """The largest sum of this machine whose rest the later machines can still reach exactly."""
    rests = [(left - high, left - low) for low, high in later]
    return max(min(high, most) for low, high in own for least, most in rests if max(low, least) <= min(high, most))


def _fill_weeks(supply: Supply, target: int) -> Lines:
    chosen = _choose_weeks(supply, target)
    spare = target - supply.block * len(chosen)
    lines = []
    for week, free in chosen:
        more = min(free - supply.block, spare)
        spare -= more
        lines.append((week, (supply.block + more) * STEP_MIN))
    return tuple(lines)


def _choose_weeks(supply: Supply, target: int) -> list[tuple[str, int]]:
    """The earliest weeks that can carry exactly the target with a block in each; the target must be reachable."""
    slots, carried = target // supply.block, 0
    chosen: list[tuple[str, int]] = []
    for place, (week, free) in enumerate(supply.windows):
        if carried >= target:
            break
        later = sorted((one for _, one in supply.windows[place + 1 :]), reverse=True)
        if carried + free + sum(later[: slots - len(chosen) - 1]) >= target:
            chosen.append((week, free))
            carried += free
    return chosen
