"""Who may do what, on every route: `python -m tests.long matrix` as a test."""

from pathlib import Path

import pytest

from app.config import load_config
from app.core.db import Database
from app.factory import create_site
from tests.long.matrix import check_all, is_planted_caught, open_matrix, routes_of
from tests.safety.table import PRACTICE, TABLE


def test_every_route_answers_each_role_as_the_table_says_and_nobody_learns_of_foreign_things(
    sqlite_database: Database, tmp_path: Path
) -> None:
    found = check_all(open_matrix(sqlite_database, tmp_path))
    assert found.wrong == []
    assert found.leaks == []
    assert found.checks > 2000
    assert found.pairs > 1000


def test_a_route_that_tells_foreign_things_from_missing_ones_is_found(tmp_path: Path) -> None:
    assert is_planted_caught(tmp_path)


@pytest.mark.parametrize("world", ["real", "practice"])
def test_the_practice_world_has_its_own_routes_in_the_table_and_the_real_world_has_none_of_them(
    tmp_path: Path, world: str
) -> None:
    site = create_site(load_config({"DATA_DIR": str(tmp_path)}))
    app = site.app if world == "real" else site.mounts["/uebung"].app
    views = app.view_functions
    real = {f"{rule.endpoint} {method}": views[rule.endpoint].permission for rule, method in routes_of(app)}
    expected = {name: row.permission for name, row in TABLE.items()}
    assert real == (expected if world == "real" else expected | PRACTICE)
