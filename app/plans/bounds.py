"""A price per step proves which machines cannot be in a best plan (Lagrangian bound), so that the solver sees few."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.plans.pools import Pool, allot, quarters_of
from app.plans.scope import Scope

Ints = npt.NDArray[np.int64]
Incumbent = tuple[int, dict[Pool, int]]


@dataclass(frozen=True)
class Columns:
    """The pools of a scope as columns of whole numbers; `starts` is the first row of each partner."""

    rate: Ints
    fixed: Ints
    block: Ints
    total: Ints
    transport: Ints
    starts: Ints
    owner: Ints
    need_steps: int
    most_partners: int
    cap_steps: int


@dataclass(frozen=True)
class Bound:
    """What cover costs at least, at `price` quarter cents a step and `toll` per partner, with each part's reduced cost."""

    quarters: int
    price: int
    toll: int
    forced: Ints
    pool_value: Ints
    partner_sum: Ints


def columns_of(scope: Scope) -> Columns:
    """Return the columns of pools that stand in the order of their partners; no pool needs more than the need."""
    rows = np.array(
        [(p.rate_quarters, p.set_up_quarters, p.block_steps, p.total_steps) for p in scope.pools], dtype=np.int64
    )
    ids = [pool.partner_id for pool in scope.pools]
    starts = np.array([i for i, each in enumerate(ids) if i == 0 or each != ids[i - 1]], dtype=np.int64)
    owner = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(ids))))
    cap_steps = scope.cap_steps if scope.cap_steps is not None else -1
    most = max(scope.need_steps, 0) if cap_steps < 0 else min(scope.need_steps, cap_steps)
    transport = np.array([scope.transport_quarters.get(ids[i], 0) for i in starts], dtype=np.int64)
    total = np.minimum(rows[:, 3], np.maximum(rows[:, 2], most))
    return Columns(
        *(rows[:, 0], rows[:, 1], rows[:, 2], total, transport, starts, owner.astype(np.int64), scope.need_steps),
        most_partners=scope.most_partners or 0,
        cap_steps=cap_steps,
    )


def tighten(scope: Scope, best: Incumbent) -> tuple[Scope, Incumbent, int]:
    """Return the scope without pools that cannot improve, the best plan met on the way, and a lower bound in quarters.

    Lossless: a pool goes only when every cover that uses it costs more than the best plan at hand.
    """
    columns = columns_of(scope)
    bound = _best_bound(columns)
    for candidate in _round(scope, columns, bound):
        best = min(best, candidate, key=lambda each: each[0])
    keep = _forced_quarters(columns, bound) <= best[0]
    pools = tuple(pool for pool, kept in zip(scope.pools, keep.tolist(), strict=True) if kept)
    return replace(scope, pools=pools), best, bound.quarters


def _best_bound(columns: Columns) -> Bound:
    """The bound is concave in price and toll: walk up the price for each toll, and the toll only where partners are few."""
    if not columns.most_partners:
        return _best_price(columns, 0)
    high = _ceiling(columns) * columns.need_steps
    return _climb(lambda toll: _best_price(columns, toll), high)


def _best_price(columns: Columns, toll: int) -> Bound:
    return _climb(lambda price: _bound_at(columns, price, toll), _ceiling(columns) + toll)


def _climb(bound_at: Any, high: int) -> Bound:
    """Return the best bound for a whole number from 0 to `high`, by halving where the next one is no better."""
    low = 0
    while low < high:
        middle = (low + high) // 2
        if bound_at(middle + 1).quarters > bound_at(middle).quarters:
            low = middle + 1
        else:
            high = middle
    best: Bound = bound_at(low)
    return best


def _ceiling(columns: Columns) -> int:
    """At this price per step every pool pays for itself."""
    return int(columns.rate.max() + columns.fixed.max() + columns.transport.max()) + 1


def _bound_at(columns: Columns, price: int, toll: int) -> Bound:
    margin = columns.rate - price
    forced = columns.fixed + margin * np.where(margin < 0, columns.total, columns.block)
    value = np.minimum(forced, 0)
    once = columns.transport + toll
    partner = np.add.reduceat(value, columns.starts) + once
    if columns.cap_steps >= 0:
        partner = np.maximum(partner, once + _capped(columns, forced))
    quarters = price * columns.need_steps - toll * columns.most_partners + int(np.minimum(partner, 0).sum())
    return Bound(quarters, price, toll, forced, value, partner)


def _capped(columns: Columns, forced: Ints) -> Ints:
    """What a partner can save at most under the cap: its best step, as often as the cap allows."""
    per_step = np.minimum(np.floor_divide(forced, columns.total), 0)
    best: Ints = np.minimum.reduceat(per_step, columns.starts) * columns.cap_steps
    return best


def _forced_quarters(columns: Columns, bound: Bound) -> Ints:
    """The least that a cover with this pool in it costs, for each pool."""
    without = bound.quarters - np.minimum(bound.partner_sum, 0)
    with_pool = bound.partner_sum[columns.owner] - bound.pool_value + bound.forced
    least: Ints = without[columns.owner] + np.maximum(with_pool, bound.partner_sum[columns.owner])
    return least


def _round(scope: Scope, columns: Columns, bound: Bound) -> Iterator[Incumbent]:
    """Covers that the price itself suggests, at the best price and a little above."""
    for per_mille in (0, 2, 5, 10, 20, 50, 100):
        at = _bound_at(columns, bound.price + bound.price * per_mille // 1000 + 1, bound.toll)
        wanted = (at.pool_value < 0) & (at.partner_sum[columns.owner] < 0)
        used = [pool for pool, is_wanted in zip(scope.pools, wanted.tolist(), strict=True) if is_wanted]
        found = price_cover(scope, used)
        if found is not None:
            yield found


def price_cover(scope: Scope, used: Sequence[Pool]) -> Incumbent | None:
    """Return the cost in quarters and the steps when exactly these pools are used; None when they break the scope."""
    partners = len({pool.partner_id for pool in used})
    if scope.most_partners is not None and partners > scope.most_partners:
        return None
    taken = allot(used, scope.need_steps, scope.cap_steps)
    if taken is None:
        return None
    return quarters_of(used, taken, scope.transport_quarters), dict(zip(used, taken, strict=True))
