"""An empty database, migrated, is exactly what the models say; on both kinds."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import tests.tables  # noqa: F401
from app.cli import migrate_database
from app.core.db import Base, Database
from tests.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return url


def test_migrations_and_models_agree(empty_url: str) -> None:
    migrate_database(empty_url)
    migrate_database(empty_url)
    database = Database(empty_url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = [
            found
            for found in compare_metadata(context, Base.metadata)
            if found[0] != "remove_table" or found[1].name != "alembic_version"
        ]
    database.close()
    assert differences == []


def test_a_row_that_oversells_is_refused_by_the_migrated_database(empty_url: str) -> None:
    migrate_database(empty_url)
    database = Database(empty_url)
    checks = {check["name"] for check in sa.inspect(database.engine).get_check_constraints("capacity_window")}
    database.close()
    assert "ck_capacity_window_not_oversold" in checks


def test_a_migrated_database_guards_what_was_signed_or_issued_as_the_models_do(empty_url: str, tmp_path: Path) -> None:
    migrate_database(empty_url)
    database = Database(empty_url)
    if database.is_sqlite:
        made = Database(f"sqlite:///{tmp_path / 'made.sqlite'}")
        made.create_tables()
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
        with database.read() as session, made.read() as other:
            guards = session.execute(sa.text(query)).all()
            assert guards == other.execute(sa.text(query)).all()
        made.close()
        names = {name for name, _ in guards}
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        with database.read() as session:
            names = set(session.scalars(sa.text(query)))
    database.close()
    assert {"framework_frozen", "invoice_frozen", "invoice_kept", "invoice_line_kept"} <= names
