"""Databases of both kinds and a frozen clock for every test."""

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Database
from app.core.log import prepare_log
from tests.postgres import PostgresServer, empty_tables
from tests.remembered import MEMORY

# no test depends on a clock
settings.register_profile("house", deadline=None)
settings.load_profile("house")

MONDAY = dt.datetime(2026, 11, 16, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: the workers take the tests one by one, in this order.

    At the very front one test builds what all tests of the practice world share: nobody shall wait for it.
    """
    order = {"safety": 1, "practice": 2}
    items.sort(key=lambda item: order.get(item.path.parent.name, 3))
    builders = [item for item in items if item.path.name == "test_template.py" and "site" in item.fixturenames]  # type: ignore[attr-defined]
    for item in builders[:1]:
        items.remove(item)
        items.insert(0, item)


prepare_log()  # as the house writes it: structlog's own picture of a fault takes longer than the deed that failed


@pytest.fixture(autouse=True)
def frozen_clock(request: pytest.FixtureRequest) -> Iterator[dt.datetime]:
    """Monday 16 November 2026, 07:00 in Germany, KW 47; a test may move it with clock.frozen()."""
    with clock.frozen(MONDAY):
        yield MONDAY


@pytest.fixture(autouse=True)
def memory_of_deeds(request: pytest.FixtureRequest) -> None:
    """What was done in the house as it is says nothing about a house that a test has bent."""
    MEMORY.is_open = "monkeypatch" not in request.fixturenames


@pytest.fixture(scope="session")
def folder_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of this run; what is made in it needs a lock."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


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


@pytest.fixture(scope="session")
def house_of_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('house') / 'werkring.sqlite'}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def house_of_postgres(postgres_server: PostgresServer) -> Iterator[Database]:
    database = Database(postgres_server.new_database())
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database with all tables: every test of actions runs on both kinds.

    The engine is kept from test to test: it remembers how its statements are written, which costs more than running them.
    """
    if request.param == "sqlite":
        return _emptied_sqlite(request)
    database: Database = request.getfixturevalue("house_of_postgres")
    database.dispatch = None
    empty_tables(database)
    return database


@pytest.fixture
def sqlite_database(request: pytest.FixtureRequest) -> Database:
    """For tests in which the kind of database cannot matter."""
    return _emptied_sqlite(request)


def _emptied_sqlite(request: pytest.FixtureRequest) -> Database:
    database: Database = request.getfixturevalue("house_of_sqlite")
    database.dispatch = None
    database.close()
    path = Path(str(database.engine.url.database))
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    return database
