"""Offer lines added up to machines: a rate does not depend on the week, so only the total matters for the cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.plans.rules import STEP_MIN, OfferedLine, Terms, set_up_cents, terms_of

QUARTERS_PER_CENT = 4
"""One step of 15 minutes costs rate ÷ 4 cents: counted in quarter cents, every cost of a search is a whole number."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """All usable steps of one machine on one set of terms; its lines stand in the order of their weeks.

    Two pools are never the same one, hence no comparing by content: pools serve as keys of what they give.
    """

    partner_id: str
    machine_id: str
    rate_quarters: int
    set_up_quarters: int
    block_steps: int
    total_steps: int
    lines: tuple[OfferedLine, ...]


def steps_of(minutes: int) -> int:
    """Return the whole steps in these minutes."""
    return minutes // STEP_MIN


def steps_up(minutes: int) -> int:
    """Return the steps needed to hold these minutes."""
    return -(-minutes // STEP_MIN)


def gather_pools(lines: Iterable[OfferedLine]) -> list[Pool]:
    """Return the machines that can give their smallest block, in the order of partner, machine and terms."""
    groups: dict[Terms, list[OfferedLine]] = {}
    for line in lines:
        key = terms_of(line)
        if key in groups:
            groups[key].append(line)
        else:
            groups[key] = [line]
    pools = (_pool_of(groups[key]) for key in sorted(groups))
    return [pool for pool in pools if pool.total_steps >= pool.block_steps]


def fill_weeks(pool: Pool, steps: int) -> list[tuple[OfferedLine, int]]:
    """Return the minutes per line for so many steps, earliest week first.

    A last piece below the smallest block is filled up from the weeks before it, as far as these keep their own block.
    """
    pieces: list[int] = []
    rest = steps
    for line in pool.lines:
        piece = min(rest, steps_of(line.offered_min))
        pieces.append(piece)
        rest -= piece
    _level_last_piece(pool, pieces)
    return [(line, piece * STEP_MIN) for line, piece in zip(pool.lines, pieces, strict=True) if piece]


def allot(pools: Sequence[Pool], need_steps: int, cap_steps: int | None = None) -> list[int] | None:
    """Return the cheapest steps per pool when all of these pools are used, or None if they cannot cover the need.

    Each gets its block, the cheapest rates the rest; no partner passes the cap. Ties by the order of the pools.
    """
    taken = [pool.block_steps for pool in pools]
    room = _room_by_partner(pools, taken, cap_steps)
    if any(left < 0 for left in room.values()):
        return None
    rest = need_steps - sum(taken)
    for index in sorted(range(len(pools)), key=lambda i: pools[i].rate_quarters):
        pool = pools[index]
        if rest <= 0:
            break
        more = min(rest, pool.total_steps - taken[index], room[pool.partner_id])
        taken[index] += more
        room[pool.partner_id] -= more
        rest -= more
    return taken if rest <= 0 else None


def quarters_of(pools: Sequence[Pool], taken: Sequence[int], transport: Mapping[str, int]) -> int:
    """Return the quarter cents of these steps, with set-ups and transport (given in quarter cents), not yet rounded."""
    used = [(pool, steps) for pool, steps in zip(pools, taken, strict=True) if steps]
    hours = sum(pool.rate_quarters * steps + pool.set_up_quarters for pool, steps in used)
    return hours + sum(transport.get(partner_id, 0) for partner_id in {pool.partner_id for pool, _ in used})


def _pool_of(lines: list[OfferedLine]) -> Pool:
    first = lines[0]
    return Pool(
        partner_id=first.partner_id,
        machine_id=first.machine_id,
        rate_quarters=first.rate_cents_per_hour,
        set_up_quarters=set_up_cents(first) * QUARTERS_PER_CENT,
        block_steps=max(1, steps_up(first.min_block_min)),
        total_steps=sum(line.offered_min // STEP_MIN for line in lines),
        lines=tuple(sorted(lines, key=_by_week)),
    )


def _level_last_piece(pool: Pool, pieces: list[int]) -> None:
    used = [index for index, piece in enumerate(pieces) if piece]
    last = used[-1] if used else 0
    short = min(pool.block_steps, steps_of(pool.lines[last].offered_min)) - pieces[last]
    for index in reversed(used[:-1]):
        moved = min(max(short, 0), max(0, pieces[index] - pool.block_steps))
        pieces[index] -= moved
        pieces[last] += moved
        short -= moved


def _room_by_partner(pools: Sequence[Pool], taken: Sequence[int], cap_steps: int | None) -> dict[str, int]:
    most = sum(pool.total_steps for pool in pools) if cap_steps is None else cap_steps
    room = {pool.partner_id: most for pool in pools}
    for pool, steps in zip(pools, taken, strict=True):
        room[pool.partner_id] -= steps
    return room


def _by_week(line: OfferedLine) -> tuple[str, str]:
    return (line.week, line.line_id)
