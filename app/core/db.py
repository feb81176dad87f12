"""One database: SQLite embedded or PostgreSQL, the same promises on both."""

import datetime as dt
import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, registry, sqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SAFE_SQLITE = (3, 51, 3)
log = structlog.get_logger()
Row = TypeVar("Row")
UNSYNCED = sa.text("SET LOCAL synchronous_commit TO off")
HANDED_ON = 0
"""Between two owners of the write queue; no thread has this number."""


class UtcTime(sa.TypeDecorator[dt.datetime]):
    """An aware time, kept in UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.astimezone(dt.UTC) if dialect.name != "sqlite" else value.astimezone(dt.UTC).replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """All tables. No relationships: loaders are queries that name the acting firm."""

    metadata = sa.MetaData(naming_convention=NAMES)
    type_annotation_map = {
        dt.datetime: UtcTime(),
        dict[str, Any]: sa.JSON(),
        list[str]: sa.JSON(),
        list[int]: sa.JSON(),
        list[dict[str, Any]]: sa.JSON(),
        int: sa.BigInteger(),
    }


class FirmOwned:
    """A row that belongs to one firm. Two firms that share a thing hold one row each, under the same id."""

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    created_at: Mapped[dt.datetime]


def owned_by(table: str, column: str) -> sa.ForeignKeyConstraint:
    """A foreign key inside one firm: (firm_id, column) -> table(firm_id, id)."""
    return sa.ForeignKeyConstraint(["firm_id", column], [f"{table}.firm_id", f"{table}.id"])


class FairLock:
    """First come, first served; a file lock keeps the order between processes too."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._owner: int | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        self._enter()
        try:
            with self._file_held():
                yield
        finally:
            self._leave()

    def _enter(self) -> None:
        me = threading.get_ident()
        with self._guard:
            if self._owner == me:
                # Waiting for ourselves would stop every writer of the node for good.
                raise RuntimeError("One transaction must not write inside another one.")
            if self._owner is None:
                self._owner = me
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()
        self._owner = me

    def _leave(self) -> None:
        with self._guard:
            self._owner = HANDED_ON if self._waiting else None
            if self._waiting:
                self._waiting.popleft().set()

    @contextmanager
    def _file_held(self) -> Iterator[None]:
        if self._path is None:
            yield
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


AfterCommit = Callable[["Database"], None]


class Database:
    """One engine with a reader's and a writer's door. `dispatch` is told the ids of events that a commit left behind."""

    def __init__(self, url: str, dispatch: Callable[["Database", list[str]], None] | None = None) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.dispatch = dispatch
        if self.is_sqlite:
            self.engine = _sqlite_engine(url)
            # BEGIN IMMEDIATE before the first read, or a stale snapshot would sell twice
            self._writer = _sqlite_engine(url, begin="BEGIN IMMEDIATE")
            self._unsynced = _sqlite_engine(url, begin="BEGIN IMMEDIATE", synchronous="NORMAL")
        else:
            self.engine = self._writer = self._unsynced = _postgres_engine(url)
        path = self.engine.url.database
        self._queue = FairLock(f"{path}.lock" if path and path != ":memory:" else None) if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A snapshot to read from; whatever is changed in it is thrown away."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            session.rollback()

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """As `read`, and however long it takes, all is seen as it stood at the first look."""
        with Session(self.engine, expire_on_commit=False) as session:
            if not self.is_sqlite:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session
            session.rollback()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: commits when the block ends, rolls back when it raises; then tells what follows."""
        with self._turn(), Session(self._writer, expire_on_commit=False) as session:
            session.info["database"] = self
            session.connection()  # begins before the first read
            yield session
            is_stored = not session.info.get("is_void")
            session.commit() if is_stored else session.rollback()
        for task in session.info.get("after_end", ()):
            task(self)
        if is_stored:
            self._tell(session)

    @contextmanager
    def write_unsynced(self) -> Iterator[sa.Connection]:
        """A short transaction that does not wait for the disk: statements only, nothing follows from it.

        After a power cut it is there whole or not at all, and never missing where a later transaction is there.
        Only for what the next start makes again by itself.
        """
        with self._turn(), self._unsynced.begin() as connection:
            if not self.is_sqlite:
                connection.execute(UNSYNCED)
            yield connection

    def _tell(self, session: Session) -> None:
        for task in session.info.get("after_commit", ()):
            task(self)
        if self.dispatch and session.info.get("events"):
            try:
                self.dispatch(self, session.info["events"])
            except Exception:
                # what was done is stored; the worker finds what follows within a minute
                log.exception("worker not told")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._queue is None:
            yield
            return
        with self._queue.held():
            yield

    def create_tables(self) -> None:
        """Make every table at once: for tests and practice templates; a real node migrates instead."""
        with self._turn():
            Base.metadata.create_all(self._writer)

    def close(self) -> None:
        for engine in (self.engine, self._writer, self._unsynced):
            engine.dispose()


def after_commit(session: Session, task: AfterCommit) -> None:
    """Run `task(database)` once the transaction is durable, before the answer leaves."""
    session.info.setdefault("after_commit", []).append(task)


def after_end(session: Session, task: AfterCommit) -> None:
    """Run `task(database)` when the transaction is over, stored or rolled back; it may write."""
    session.info.setdefault("after_end", []).append(task)


def each_alone(
    session: Session, rows: Iterable[Row], act: Callable[[Row], object], give_up: Callable[[Row], object] | None = None
) -> None:
    """Run `act` for every row in a savepoint of its own: what fails for one is undone and logged, the others go on.

    `give_up` then settles the row, so that it does not come first again for ever.
    """
    for row in rows:
        try:
            with session.begin_nested():
                act(row)
        except sa.exc.OperationalError:
            raise  # the database itself: the whole transaction is tried again
        except Exception:
            log.exception("left out", act=getattr(act, "__name__", ""))
            if give_up is not None:
                give_up(row)


def insert_into(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in the words of the database at hand."""
    is_postgres = session.connection().dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgres else sqlite.insert(table)


def void(session: Session) -> None:
    """Let the running write transaction end in a rollback although nothing was raised."""
    session.info["is_void"] = True


class SqliteDialect(SQLiteDialect_pysqlite):
    """SQLite whose transactions begin in our words. An event would do it too, and make every statement a third dearer."""

    driver = "werkring"
    supports_statement_cache = True

    def __init__(self, begin: str = "BEGIN", **more: Any) -> None:
        super().__init__(**more)
        self._begin = begin

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SqliteDialect)

    def __hash__(self) -> int:
        # all engines write the same words: what one compiled serves the other doors and the other practice games too
        return hash(SqliteDialect)

    def do_begin(self, dbapi_connection: Any) -> None:
        dbapi_connection.driver_connection.execute(self._begin)


registry.register("sqlite.werkring", __name__, SqliteDialect.__name__)
_compiled: sa.util.LRUCache[Any, Any] = sa.util.LRUCache(2000)


def _sqlite_engine(url: str, *, begin: str = "BEGIN", synchronous: str = "FULL") -> sa.Engine:
    import pysqlite3.dbapi2 as driver

    if driver.sqlite_version_info < SAFE_SQLITE:
        raise RuntimeError(
            f"SQLite {driver.sqlite_version} can corrupt its write-ahead log; 3.51.3 or later is needed."
        )
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="sqlite+werkring"),
        module=driver,
        begin=begin,
        execution_options={"compiled_cache": _compiled},
        connect_args={"timeout": 30, "check_same_thread": False},
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgres_engine(url: str) -> sa.Engine:
    return sa.create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True)


def unusable(error: sa.exc.DBAPIError) -> str:
    """One sentence for the operator whose database does not answer, or not as it should."""
    return f"DATABASE_URL: the database cannot be used ({str(error.orig).splitlines()[0]})."
