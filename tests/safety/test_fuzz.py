"""Bad input of every kind: the short form of `python -m tests.long fuzz`, and what the long one once found."""

from pathlib import Path

from app.config import load_config
from app.core.db import Database
from app.factory import create_app
from tests.long.fuzz import ORIGIN, SHORT_INPUTS, run


def test_bad_input_never_breaks_hangs_or_comes_back_to_life() -> None:
    found = run(is_short=True, seed=1)
    assert found["first_faults"] == []
    assert found["inputs"] == SHORT_INPUTS
    assert found["planted_caught"]


def test_a_file_name_with_a_zero_byte_is_not_found(sqlite_database: Database, tmp_path: Path) -> None:
    config = load_config({"DATA_DIR": str(tmp_path), "DATABASE_URL": sqlite_database.url})
    answer = create_app(config, sqlite_database).test_client().get("/static/x/a%00b/app.css", base_url=ORIGIN)
    assert answer.status_code == 404
