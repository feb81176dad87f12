"""Rows of one firm as JSON lines and back: the same line from both kinds of database."""

import base64
import binascii
import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import outbox as outbox
from app.core.db import Base, UtcTime
from app.moving.rules import LEFT_BEHIND, MovingError

BATCH = 50
BODIES = ("stored_file", "body")
"""The one column that does not stand in its line: these bytes lie in files of their own."""

# by their place and not by name: a room that is added tomorrow is known here too
for _path in sorted(Path(__file__).parents[1].glob("*/models.py")):
    import_module(f"app.{_path.parent.name}.models")


def owned_tables() -> list[sa.Table]:
    """The tables whose rows belong to the firm and go along, what others point to first."""
    return [
        table
        for table in Base.metadata.sorted_tables
        if table.name not in LEFT_BEHIND and (table.name == "firm" or "firm_id" in table.c)
    ]


def owner_column(table: sa.Table) -> sa.Column[str]:
    """The column that says whose row it is."""
    return table.c.id if table.name == "firm" else table.c.firm_id


def fingerprint() -> str:
    """Names all tables and columns that go along: an archive fits a node that has the same."""
    lines = [
        f"{table.name}.{column.name} {type(column.type).__name__} {column.nullable}"
        for table in owned_tables()
        for column in table.columns
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def read_rows(session: Session, table: sa.Table, firm_id: str) -> Iterator[dict[str, Any]]:
    """The firm's rows of a table by primary key, without the bodies of files."""
    asked = sa.select(*line_columns(table)).where(owner_column(table) == firm_id)
    ordered = asked.order_by(*table.primary_key.columns).execution_options(yield_per=BATCH)
    for row in session.connection().execute(ordered).mappings():
        yield dict(row)


def line_columns(table: sa.Table) -> list[sa.Column[Any]]:
    return [column for column in table.columns if (table.name, column.name) != BODIES]


def write_line(table: sa.Table, row: dict[str, Any]) -> bytes:
    """One row as one line of JSON: bytes in base64, times in ISO 8601 with UTC, names as in the database."""
    values = {column.name: _plain(row[column.name]) for column in line_columns(table)}
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def read_line(table: sa.Table, line: bytes, firm_id: str) -> dict[str, Any]:
    """The row of a line; raises MovingError for one that does not fit the table, or is another firm's."""
    try:
        values = json.loads(line)
        if values.keys() != {column.name for column in line_columns(table)}:
            raise ValueError("other columns")
        row = {column.name: _typed(column, values[column.name]) for column in line_columns(table)}
    except (ValueError, AttributeError, RecursionError, binascii.Error) as error:
        raise MovingError(f"A row of {table.name} in the archive cannot be read ({error}).") from None
    if row[owner_column(table).name] != firm_id:
        raise MovingError(f"A row of {table.name} in the archive belongs to another firm.")
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, dt.date) else value


def _typed(column: sa.Column[Any], value: Any) -> Any:
    """SQLite would keep anything in any column: what PostgreSQL refuses is refused for both."""
    kind = column.type
    if value is None or isinstance(kind, sa.JSON):
        return value
    if isinstance(kind, UtcTime):
        return _aware(dt.datetime.fromisoformat(_told(value, str)))
    if isinstance(kind, sa.Date):
        return dt.date.fromisoformat(_told(value, str))
    if isinstance(kind, sa.LargeBinary):
        return base64.b64decode(_told(value, str), validate=True)
    if isinstance(kind, sa.String):
        return _text(_told(value, str), kind.length)
    if isinstance(kind, sa.Boolean):
        return _told(value, bool)
    if isinstance(kind, sa.Integer):
        return _told(value, int)
    return float(_told(value, float, int))


def _told(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise ValueError(f"{value!r:.40} is of the wrong kind")
    return value


def _text(value: str, length: int | None) -> str:
    if "\0" in value or (length is not None and len(value) > length):
        raise ValueError("a text does not fit")
    return value


def _aware(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ValueError("a time without zone")
    return value
