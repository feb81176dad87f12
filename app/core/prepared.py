"""Statements for the paths that every ledger entry and every message takes: compiled once, then run by the driver alone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import sqlalchemy as sa

from app.core.db import SqliteDialect

Statement = sa.SelectBase | sa.UpdateBase
Translations = list[tuple[str, Callable[[Any], Any]]]
"""Names of the values that the driver knows in another form, and how they get there or back"""


class _Compiled(NamedTuple):
    """A statement in the words of one database."""

    text: str
    constants: dict[str, Any]
    binds: Translations
    columns: tuple[str, ...]
    results: Translations


class Prepared:
    """A statement with named parameters, compiled once per kind of database.

    SQLAlchemy spends four times on an execution what the database does. What the driver raises is told in
    SQLAlchemy's words, so that a full disk is the same OperationalError everywhere.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def row(self, connection: sa.Connection, **values: Any) -> SimpleNamespace | None:
        """The one row that is found, its columns by name; None where there is none."""
        found = self._run(connection, values).fetchall()
        if not found:
            return None
        compiled = self._in_words_of(connection.dialect)
        return SimpleNamespace(**_translated(dict(zip(compiled.columns, found[0], strict=True)), compiled.results))

    def change(self, connection: sa.Connection, **values: Any) -> int:
        """How many rows it inserted or changed."""
        return int(self._run(connection, values).rowcount)

    def _run(self, connection: sa.Connection, values: dict[str, Any]) -> Any:
        compiled, cursor = self._in_words_of(connection.dialect), connection.connection.cursor()
        given = _translated(compiled.constants | values, compiled.binds)
        base = connection.dialect.loaded_dbapi.Error
        try:
            cursor.execute(compiled.text, given)
        except base as error:
            raise sa.exc.DBAPIError.instance(compiled.text, None, error, base, hide_parameters=True) from error
        return cursor

    def _in_words_of(self, dialect: sa.Dialect) -> _Compiled:
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = _compile(self._statement, dialect)
        return self._compiled[dialect.name]


def _compile(statement: Statement, dialect: sa.Dialect) -> _Compiled:
    compiled = statement.compile(dialect=SqliteDialect(paramstyle="named") if dialect.name == "sqlite" else dialect)
    assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
    binds = compiled.binds.items()
    columns = statement.selected_columns.items() if isinstance(statement, sa.SelectBase) else []
    ins = [(name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds]
    outs = [(name, column.type.dialect_impl(dialect).result_processor(dialect, None)) for name, column in columns]
    return _Compiled(
        text=str(compiled),
        constants={name: bind.effective_value for name, bind in binds if not bind.required},
        binds=[(name, process) for name, process in ins if process],
        columns=tuple(name for name, _ in columns),
        results=[(name, process) for name, process in outs if process],
    )


def _translated(values: dict[str, Any], translations: Translations) -> dict[str, Any]:
    for name, process in translations:
        values[name] = process(values[name])
    return values
