"""The database keeps its promises on both kinds."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import db
from app.core.db import Database, after_commit, void
from app.firms.models import NodeSetting


def test_what_raises_is_rolled_back(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        session.add(NodeSetting(key="a", value="1"))
        raise RuntimeError
    with database.read() as session:
        assert session.get(NodeSetting, "a") is None


def test_a_void_transaction_leaves_nothing_and_starts_nothing(database: Database) -> None:
    done: list[str] = []
    with database.write() as session:
        session.add(NodeSetting(key="a", value="1"))
        after_commit(session, lambda _: done.append("ran"))
        void(session)
    with database.read() as session:
        assert session.get(NodeSetting, "a") is None
    assert done == []


def test_writers_on_one_sqlite_file_wait_for_each_other(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.add(NodeSetting(key="n", value="0"))

    def add_one() -> None:
        for _ in range(20):
            with sqlite_database.write() as session:
                row = session.get_one(NodeSetting, "n")
                row.value = str(int(row.value) + 1)

    writers = [threading.Thread(target=add_one) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with sqlite_database.read() as session:
        assert session.get_one(NodeSetting, "n").value == "160"


def test_sqlite_is_durable_and_checks_foreign_keys(sqlite_database: Database) -> None:
    for door in (sqlite_database.read, sqlite_database.write):
        with door() as session:
            settings = [
                session.scalar(sa.text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        assert settings == ["wal", 2, 1]


def test_only_what_can_be_made_again_does_not_wait_for_the_disk(database: Database) -> None:
    asked = sa.text("PRAGMA synchronous" if database.is_sqlite else "SHOW synchronous_commit")
    waits, does_not = (2, 1) if database.is_sqlite else ("on", "off")
    for _ in range(2):
        with database.write_unsynced() as connection:
            assert connection.scalar(asked) == does_not
        with database.write() as session:
            assert session.scalar(asked) == waits


def test_an_unsynced_transaction_is_whole_too(database: Database) -> None:
    add = sa.insert(NodeSetting).values(key="a", value="1")
    with pytest.raises(RuntimeError), database.write_unsynced() as connection:
        connection.execute(add)
        raise RuntimeError
    with database.write_unsynced() as connection:
        connection.execute(add)
    with database.read() as session:
        assert session.get_one(NodeSetting, "a").value == "1"


def test_who_reads_on_sqlite_sees_one_moment(sqlite_database: Database) -> None:
    with sqlite_database.read() as reading:
        assert reading.scalar(sa.select(sa.func.count()).select_from(NodeSetting)) == 0
        with sqlite_database.write() as session:
            session.add(NodeSetting(key="a", value="1"))
        assert reading.scalar(sa.select(sa.func.count()).select_from(NodeSetting)) == 0


def test_a_transaction_inside_another_one_is_refused_instead_of_waiting_for_itself(sqlite_database: Database) -> None:
    with (
        pytest.raises(RuntimeError, match="inside another"),
        sqlite_database.write(),
        sqlite_database.write(),
    ):
        pass
    with sqlite_database.write() as session:
        session.add(NodeSetting(key="n", value="still writable"))


def test_a_second_sqlite_file_is_asked_in_the_words_of_the_first(sqlite_database: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path}/other.sqlite")
    other.create_tables()
    doors = [door for database in (sqlite_database, other) for door in (database.read, database.write)]
    known = []
    for door in doors:
        with door() as session:
            assert session.get(NodeSetting, "a") is None
        known.append(len(db._compiled))
    assert len(set(known)) == 1
    other.close()
