"""The plan as a mixed-integer model for HiGHS: steps per machine, one switch per machine and per partner."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any

import numpy as np

from app.plans.bounds import Columns, Narrowed, columns_of
from app.plans.pools import Pool
from app.plans.scope import Scope

Row = tuple[float, float, list[tuple[int, float]]]


@dataclass(frozen=True)
class Answer:
    """The pools that the solver uses (None: it found no cover in time), and what any cover costs at least."""

    used: tuple[Pool, ...] | None
    least_quarters: int


def solve_model(narrowed: Narrowed, time_limit_s: float) -> Answer:
    """Return the cheapest cover of what is left to decide, beginning at the best known one. One thread, fixed seed.

    Steps stay continuous: once the switches are set, the best steps are whole (each pool lies in one sum and one cap).
    """
    import highspy  # only where a plan is built: 0.07 s and 12 MB

    columns = columns_of(narrowed.scope)
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in _options(time_limit_s).items():
        solver.setOptionValue(name, value)
    solver.passModel(_program(highspy, columns, narrowed.is_needed))
    if narrowed.best[1]:
        solution = highspy.HighsSolution()
        solution.col_value = _start_values(columns, [narrowed.best[1].get(pool, 0) for pool in narrowed.scope.pools])
        solver.setSolution(solution)
    solver.run()
    return _answer(highspy, solver, narrowed.scope)


def _options(time_limit_s: float) -> dict[str, Any]:
    """Costs are whole quarter cents: a gap below one is no gap. No switch may be a little on, for steps hang on it."""
    return {
        "output_flag": False,
        "threads": 1,
        "random_seed": 1,
        "time_limit": time_limit_s,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": 0.9,
        "mip_feasibility_tolerance": 1e-9,
    }


def _program(highspy: Any, columns: Columns, is_needed: Sequence[bool]) -> Any:
    """Columns: steps per pool, switch per pool, switch per partner."""
    pools, partners = len(columns.rate), len(columns.starts)
    rows = _rows(columns)
    program = highspy.HighsLp()
    program.num_col_ = 2 * pools + partners
    program.num_row_ = len(rows)
    program.col_cost_ = np.concatenate([columns.rate, columns.fixed, columns.transport]).astype(float)
    program.col_lower_ = np.concatenate([np.zeros(pools), is_needed, np.zeros(partners)]).astype(float)
    program.col_upper_ = np.concatenate([columns.total, np.ones(pools + partners)]).astype(float)
    whole, part = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
    program.integrality_ = [part] * pools + [whole] * (pools + partners)
    program.row_lower_ = np.array([low for low, _, _ in rows])
    program.row_upper_ = np.array([high for _, high, _ in rows])
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.cumsum([0] + [len(cells) for _, _, cells in rows])
    program.a_matrix_.index_ = np.array([index for _, _, cells in rows for index, _ in cells])
    program.a_matrix_.value_ = np.array([value for _, _, cells in rows for _, value in cells])
    return program


def _rows(columns: Columns) -> list[Row]:
    pools, partners = len(columns.rate), len(columns.starts)
    block, total, owner = columns.block.tolist(), columns.total.tolist(), columns.owner.tolist()
    endless = float("inf")
    rows: list[Row] = [(float(columns.need_steps), endless, [(i, 1.0) for i in range(pools)])]
    for i in range(pools):
        rows.append((-endless, 0.0, [(i, 1.0), (pools + i, -float(total[i]))]))
        rows.append((0.0, endless, [(i, 1.0), (pools + i, -float(block[i]))]))
        rows.append((-endless, 0.0, [(pools + i, 1.0), (2 * pools + owner[i], -1.0)]))
    rows += _partner_rows(columns, np.add.reduceat(columns.total, columns.starts).tolist())
    if columns.most_partners is not None:
        rows.append((-endless, float(columns.most_partners), [(2 * pools + j, 1.0) for j in range(partners)]))
    return rows


def _partner_rows(columns: Columns, totals: list[int]) -> list[Row]:
    """All steps of a partner hang on its switch, and stay under the cap or the need where that is lower."""
    pools = len(columns.rate)
    ends = [*columns.starts.tolist()[1:], pools]
    rows: list[Row] = []
    for partner, (first, end) in enumerate(zip(columns.starts.tolist(), ends, strict=True)):
        most = min(totals[partner], columns.cap_steps)
        cells = [(i, 1.0) for i in range(first, end)]
        rows.append((-float("inf"), 0.0, [*cells, (2 * pools + partner, -float(most))]))
    return rows


def _start_values(columns: Columns, start: Sequence[int]) -> list[float]:
    switches = [float(steps > 0) for steps in start]
    partners = [0.0] * len(columns.starts)
    for owner, is_on in zip(columns.owner.tolist(), switches, strict=True):
        partners[owner] = max(partners[owner], is_on)
    return [*(float(steps) for steps in start), *switches, *partners]


def _answer(highspy: Any, solver: Any, scope: Scope) -> Answer:
    info = solver.getInfo()
    least = ceil(info.mip_dual_bound - 0.001) if isfinite(info.mip_dual_bound) else 0
    if info.primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
        return Answer(None, least)
    switches = list(solver.getSolution().col_value)[len(scope.pools) : 2 * len(scope.pools)]
    used = tuple(pool for pool, switch in zip(scope.pools, switches, strict=True) if switch > 0.5)
    return Answer(used, least)
