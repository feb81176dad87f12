"""Databases of both kinds and a frozen clock for every test."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Database
from tests.postgres import PostgresServer

MONDAY = dt.datetime(2026, 11, 16, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))


@pytest.fixture(autouse=True)
def frozen_clock(request: pytest.FixtureRequest) -> Iterator[dt.datetime]:
    """Monday 16 November 2026, 07:00 in Germany, KW 47; a test may move it with clock.frozen()."""
    with clock.frozen(MONDAY):
        yield MONDAY


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.sqlite"
    database = Database(f"sqlite:///{path}")
    database.create_tables()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer.start(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with all tables: every test of actions runs on both kinds."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "werkring.sqlite")
        database = Database(f"sqlite:///{tmp_path / 'werkring.sqlite'}")
    else:
        database = Database(request.getfixturevalue("postgres_server").new_database())
    yield database
    database.close()


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """For tests in which the kind of database cannot matter."""
    shutil.copy(sqlite_template, tmp_path / "werkring.sqlite")
    database = Database(f"sqlite:///{tmp_path / 'werkring.sqlite'}")
    yield database
    database.close()
