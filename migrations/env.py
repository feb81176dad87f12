"""Runs migrations against the URL that the caller gives. Never imports the app's models: a migration is history."""

import fcntl
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context

TOGETHER = 7_317_001
"""One advisory lock number: two nodes starting together migrate one after the other."""


def run(url: str) -> None:
    if url.startswith("sqlite"):
        _run_sqlite(url)
    else:
        _run_postgres(url)


def _run_sqlite(url: str) -> None:
    import pysqlite3.dbapi2 as driver

    engine = sa.create_engine(url, module=driver)
    with Path(f"{engine.url.database}.migrate").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.commit()
            _migrate(connection)
    engine.dispose()


def _run_postgres(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": TOGETHER})
        connection.commit()
        _migrate(connection)
    engine.dispose()


def _migrate(connection: Any) -> None:
    context.configure(
        connection=connection, target_metadata=context.config.attributes.get("metadata"), render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


run(context.config.attributes["url"])
