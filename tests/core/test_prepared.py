"""A prepared statement does what SQLAlchemy would do, on both databases, and its errors are SQLAlchemy's."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.core.prepared import Prepared
from app.notary.models import LedgerEntry, table_of
from tests.postgres import empty_tables

ENTRY = table_of(LedgerEntry)
INSERT = Prepared(sa.insert(ENTRY))
READ = Prepared(sa.select(ENTRY).where(ENTRY.c.firm_id == sa.bindparam("firm"), ENTRY.c.type == "genesis"))
RENAME = Prepared(
    sa.update(ENTRY).where(ENTRY.c.firm_id == sa.bindparam("firm")).values(subject_id=sa.bindparam("subject"))
)
AT = dt.datetime(2026, 11, 16, 7, 0, 0, 250_000, tzinfo=dt.UTC)


def entry(firm: str = "keller", **changed: Any) -> dict[str, Any]:
    return {
        "firm_id": firm, "seq": 0, "type": "genesis", "leaf": b"\x00leaf", "leaf_hash": "ab", "digest": "0x01",
        "evidence_sha256": "cd", "subject_id": "ä", "at": AT, "counterpart": None,
    } | changed  # fmt: skip


@pytest.mark.parametrize("counterpart", [None, {"leaf": {"seq": 1}, "proof": ["ü"]}])
def test_what_goes_in_comes_out_again_here_and_by_sqlalchemy(database: Database, counterpart: Any) -> None:
    stored = entry(counterpart=counterpart)
    with database.write() as session:
        assert INSERT.change(session.connection(), **stored) == 1
        INSERT.change(session.connection(), **entry("noise"))
    with database.read() as session:
        found = READ.row(session.connection(), firm="keller")
        assert found is not None
        assert vars(found) == stored
        whole = session.get_one(LedgerEntry, ("keller", 0))
        assert {name: getattr(whole, name) for name in stored} == stored


def test_who_is_not_there_is_not_found_and_not_changed(database: Database) -> None:
    with database.write() as session:
        connection = session.connection()
        INSERT.change(connection, **entry())
        assert READ.row(connection, firm="yilmaz") is None
        assert RENAME.change(connection, firm="yilmaz", subject="x") == 0
        assert RENAME.change(connection, firm="keller", subject="x") == 1
    with database.read() as session:
        assert session.get_one(LedgerEntry, ("keller", 0)).subject_id == "x"


def test_what_the_database_refuses_is_an_error_of_sqlalchemy_without_the_values(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError) as raised, database.write() as session:
        INSERT.change(session.connection(), **entry())
        INSERT.change(session.connection(), **entry(subject_id="Geheimkunde"))
    assert "Geheimkunde" not in str(raised.value)
    with database.read() as session:
        assert session.get(LedgerEntry, ("keller", 0)) is None


def test_a_disk_that_takes_nothing_is_the_same_error_as_everywhere(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.execute(sa.text("PRAGMA query_only=ON"))
        with pytest.raises(sa.exc.OperationalError):
            INSERT.change(session.connection(), **entry())
        session.execute(sa.text("PRAGMA query_only=OFF"))


def test_a_connection_that_postgresql_ended_fails_once_and_the_next_one_works(house_of_postgres: Database) -> None:
    empty_tables(house_of_postgres)
    with pytest.raises(sa.exc.OperationalError), house_of_postgres.write() as session:
        own = session.scalar(sa.text("SELECT pg_backend_pid()"))
        with house_of_postgres.read() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:own)"), {"own": own})
        INSERT.change(session.connection(), **entry())
    with house_of_postgres.write() as session:
        assert INSERT.change(session.connection(), **entry()) == 1
