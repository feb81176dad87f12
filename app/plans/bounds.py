"""A price per step proves which machines cannot be in a best plan (Lagrangian bound), so that the solver sees few."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.plans.pools import Pool, allot, quarters_of
from app.plans.scope import Scope

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Cover = tuple[int, dict[Pool, int]]
TOLL_ROUNDS = 14


@dataclass(frozen=True)
class Columns:
    """The pools of a scope as columns; `starts` is the first row of each partner, `within_cap` what a cap leaves.

    `full_rate` is the rate with the set-up spread over the whole pool: no step of it is cheaper.
    """

    rate: Ints
    fixed: Ints
    block: Ints
    total: Ints
    transport: Ints
    starts: Ints
    owner: Ints
    full_rate: Floats
    within_cap: Ints
    need_steps: int
    cap_steps: int
    most_partners: int | None


@dataclass(frozen=True)
class Bound:
    """What any cover costs at least, at `price` quarter cents a step and `toll` a partner.

    Per pool: `forced` (its value when used) and `value` (when free to choose). Per partner: `free` adds up its pools,
    `capped` knows the cap; the larger is nearer to the truth. `steps` and `partners` are what this price would take.
    """

    quarters: int
    price: int
    toll: int
    forced: Ints
    value: Ints
    free: Ints
    capped: Ints
    steps: int
    partners: int


@dataclass(frozen=True)
class Narrowed:
    """A scope without the pools that cannot be in a best plan; `is_needed` marks those that must be in a better one."""

    scope: Scope
    is_needed: tuple[bool, ...]
    best: Cover
    least_quarters: int


def tighten(scope: Scope, best: Cover) -> Narrowed:
    """Return what is left to decide, the best plan met on the way and the lower bound.

    Lossless: a pool goes only when every cover that uses it costs more than the best plan at hand.
    """
    columns = columns_of(scope)
    bound = _best_bound(columns)
    for candidate in _round(scope, columns, bound):
        best = min(best, candidate, key=lambda each: each[0])
    keep = (_quarters_with(columns, bound) <= best[0]).tolist()
    needed = (_quarters_without(columns, bound) > best[0]).tolist()
    pools = tuple(pool for pool, kept in zip(scope.pools, keep, strict=True) if kept)
    flags = tuple(flag for flag, kept in zip(needed, keep, strict=True) if kept)
    return Narrowed(replace(scope, pools=pools), flags, best, bound.quarters)


def price_cover(scope: Scope, used: Sequence[Pool]) -> Cover | None:
    """Return the cost in quarters and the steps when exactly these pools are used; None when they break the scope."""
    if scope.most_partners is not None and len({pool.partner_id for pool in used}) > scope.most_partners:
        return None
    taken = allot(used, scope.need_steps, scope.cap_steps)
    if taken is None:
        return None
    return quarters_of(used, taken, scope.transport_quarters), dict(zip(used, taken, strict=True))


def columns_of(scope: Scope) -> Columns:
    """Return the columns of pools that stand in the order of their partners.

    A best plan passes the need by less than the largest block, so no pool and no partner needs more than that.
    """
    rows = [(pool.rate_quarters, pool.set_up_quarters, pool.block_steps, pool.total_steps) for pool in scope.pools]
    rate, fixed, block, offered = np.array(rows, dtype=np.int64).T
    ids = [pool.partner_id for pool in scope.pools]
    starts = np.array([i for i, each in enumerate(ids) if i == 0 or each != ids[i - 1]], dtype=np.int64)
    owner = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(ids))))
    highest = scope.need_steps + int(block.max()) - 1
    cap_steps = highest if scope.cap_steps is None else min(scope.cap_steps, highest)
    total = np.minimum(offered, np.maximum(block, min(scope.need_steps, cap_steps)))
    full_rate = rate + fixed / total
    return Columns(
        rate=rate,
        fixed=fixed,
        block=block,
        total=total,
        transport=np.array([scope.transport_quarters.get(ids[i], 0) for i in starts], dtype=np.int64),
        starts=starts,
        owner=owner,
        full_rate=full_rate,
        within_cap=_within_cap(total, owner, starts, full_rate, cap_steps),
        need_steps=scope.need_steps,
        cap_steps=cap_steps,
        most_partners=scope.most_partners,
    )


def _within_cap(total: Ints, owner: Ints, starts: Ints, full_rate: Floats, cap_steps: int) -> Ints:
    """The steps per pool when each partner fills its cap from its cheapest pool on."""
    order = np.lexsort((full_rate, owner))
    ordered = total[order]
    before = np.cumsum(ordered) - ordered
    before -= before[starts][owner]
    steps = np.empty_like(total)
    steps[order] = np.clip(cap_steps - before, 0, ordered)
    return steps


def _best_bound(columns: Columns) -> Bound:
    """The bound is concave in price and in toll; a toll is only asked where the number of partners is limited."""
    most = columns.most_partners
    if most is None:
        return _best_price(columns, 0)
    high = _ceiling(columns) * columns.need_steps
    return _climb(lambda toll: _best_price(columns, toll), high, lambda at: at.partners > most, high >> TOLL_ROUNDS)


def _best_price(columns: Columns, toll: int) -> Bound:
    need, high = columns.need_steps, _ceiling(columns) + toll
    return _climb(lambda price: _bound_at(columns, price, toll), high, lambda at: at.steps < need, 0)


def _climb(bound_at: Callable[[int], Bound], high: int, is_low: Callable[[Bound], bool], width: int) -> Bound:
    """Return the best bound met while halving 0..high down to `width`; every one is valid, the best is only tighter."""
    low, best = 0, bound_at(0)
    while high - low > width:
        middle = (low + high) // 2
        bound = bound_at(middle)
        best = max(best, bound, key=lambda each: each.quarters)
        if is_low(bound):
            low = middle + 1
        else:
            high = middle
    return max(best, bound_at(low), key=lambda each: each.quarters)


def _ceiling(columns: Columns) -> int:
    """At this price per step every pool pays for itself."""
    return int(columns.rate.max() + columns.fixed.max() + columns.transport.max()) + 1


def _bound_at(columns: Columns, price: int, toll: int) -> Bound:
    margin = columns.rate - price
    forced = columns.fixed + margin * np.where(margin < 0, columns.total, columns.block)
    value = np.minimum(forced, 0)
    once = columns.transport + toll
    free = once + np.add.reduceat(value, columns.starts)
    gains = np.minimum(columns.full_rate - price, 0.0) * columns.within_cap
    capped = once + np.floor(np.add.reduceat(gains, columns.starts) - 0.5).astype(np.int64)
    partner = np.maximum(free, capped)
    is_on = partner < 0
    taken = np.where((value < 0) & is_on[columns.owner], columns.within_cap, 0)
    quarters = price * columns.need_steps - toll * (columns.most_partners or 0) + int(np.minimum(partner, 0).sum())
    return Bound(quarters, price, toll, forced, value, free, capped, int(taken.sum()), int(is_on.sum()))


def _quarters_with(columns: Columns, bound: Bound) -> Ints:
    """The least that a cover costs when it uses the pool, for each pool."""
    partner = np.maximum(bound.free, bound.capped)
    others = (bound.quarters - np.minimum(partner, 0))[columns.owner]
    own = np.maximum(bound.free[columns.owner] - bound.value + bound.forced, partner[columns.owner])
    least: Ints = others + own
    return least


def _quarters_without(columns: Columns, bound: Bound) -> Ints:
    """The least that a cover costs when it does not use the pool, for each pool."""
    others = (bound.quarters - np.minimum(np.maximum(bound.free, bound.capped), 0))[columns.owner]
    own = np.maximum(bound.free[columns.owner] - bound.value, bound.capped[columns.owner])
    least: Ints = others + np.minimum(own, 0)
    return least


def _round(scope: Scope, columns: Columns, bound: Bound) -> Iterator[Cover]:
    """Covers that the price itself suggests, at the best price and a little above."""
    seen: set[bytes] = set()
    for per_mille in (0, 1, 2, 3, 5, 8, 12, 20, 35, 60, 100):
        at = _bound_at(columns, bound.price + bound.price * per_mille // 1000 + 1, bound.toll)
        wanted: Flags = (at.value < 0) & (np.maximum(at.free, at.capped) < 0)[columns.owner]
        if wanted.tobytes() in seen:
            continue
        seen.add(wanted.tobytes())
        found = price_cover(scope, [scope.pools[index] for index in np.flatnonzero(wanted).tolist()])
        if found is not None:
            yield found
