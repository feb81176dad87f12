"""Worlds with which tests begin again and again: made by real actions once, then put back row by row."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.db import Base

Rows = list[tuple[sa.Table, list[dict[str, Any]]]]


def rows_of(session: Session, firm_ids: Collection[str] | None = None) -> Rows:
    """Every row, or every row of these firms, table by table, so that no row comes before what it points to."""
    found = []
    for table in Base.metadata.sorted_tables:
        query = sa.select(table)
        if firm_ids is not None:
            query = query.where(table.c.get("firm_id", table.c[0]).in_(firm_ids))
        rows = [_without_null_json(table, dict(row)) for row in session.execute(query).mappings()]
        found += [(table, rows)] if rows else []
    return found


def put_back(session: Session, rows: Rows) -> None:
    """Insert what rows_of kept."""
    for table, kept in rows:
        same_columns = defaultdict(list)
        for row in kept:
            same_columns[tuple(row)].append(row)
        for some in same_columns.values():
            session.execute(sa.insert(table), some)


def _without_null_json(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    """A None that is named would be stored as the JSON word null, which is not the same as nothing."""
    return {
        name: value for name, value in row.items() if value is not None or not isinstance(table.c[name].type, sa.JSON)
    }
