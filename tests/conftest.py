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
        yield from _copy_of(request.getfixturevalue("sqlite_template"), tmp_path)
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.new_database()
        database = Database(url)
        yield database
        database.close()
        server.drop_database(url)


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """For tests in which the kind of database cannot matter."""
    yield from _copy_of(sqlite_template, tmp_path)


def _copy_of(template: Path, folder: Path) -> Iterator[Database]:
    path = folder / "werkring.sqlite"
    shutil.copy(template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()
    for file in folder.glob("werkring.sqlite*"):
        file.unlink()
