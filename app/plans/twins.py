"""Equal offers are settled by name: of two machines or partners alike in everything, the first by id carries more."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import groupby

from app.plans.pools import Pool
from app.plans.scope import Scope


def settle_ties(scope: Scope, steps: Mapping[Pool, int]) -> dict[Pool, int]:
    """Return the same plan with the shares of equal machines, then of equal partners, in the order of their ids."""
    settled = dict(steps)
    partners = [list(group) for _, group in groupby(scope.pools, key=lambda pool: pool.partner_id)]
    for pools in partners:
        if any(pool in settled for pool in pools):
            for twins in _alike([[pool] for pool in pools], _machine_shape):
                _hand_out(settled, twins)
    ordered = [sorted(pools, key=_shape) for pools in partners]
    for twins in _alike(ordered, lambda pools: (_transport(scope, pools), *map(_shape, pools))):
        if any(pool in settled for pools in twins for pool in pools):
            for exact_twins in _alike(twins, lambda pools: tuple(_weeks(pool) for pool in pools)):
                _hand_out(settled, exact_twins)
    return settled


def _hand_out(settled: dict[Pool, int], twins: Sequence[Sequence[Pool]]) -> None:
    shares = sorted(([settled.pop(pool, 0) for pool in pools] for pools in twins), reverse=True)
    for pools, share in zip(twins, shares, strict=True):
        settled.update((pool, given) for pool, given in zip(pools, share, strict=True) if given)


def _alike(groups: Iterable[list[Pool]], shape: Callable[[list[Pool]], Hashable]) -> list[list[list[Pool]]]:
    """Return the groups that share their shape with another one, in the order of their ids."""
    found: dict[Hashable, list[list[Pool]]] = {}
    for pools in groups:
        found.setdefault(shape(pools), []).append(pools)
    return [twins for twins in found.values() if len(twins) > 1]


def _shape(pool: Pool) -> tuple[int, int, int, int]:
    return (pool.rate_quarters, pool.set_up_quarters, pool.block_steps, pool.total_steps)


def _weeks(pool: Pool) -> tuple[tuple[str, int], ...]:
    return tuple((line.week, line.offered_min) for line in pool.lines)


def _machine_shape(pools: list[Pool]) -> Hashable:
    return (_shape(pools[0]), _weeks(pools[0]))


def _transport(scope: Scope, pools: Sequence[Pool]) -> int:
    return scope.transport_quarters.get(pools[0].partner_id, 0)
