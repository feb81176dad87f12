"""A real PostgreSQL server for the tests: a given one or the distribution's; also as root."""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg

from app.core.db import Base, Database

SETTINGS = (
    "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "jit=off",
    "-c", "max_connections=200",
)  # fmt: skip


@dataclass
class PostgresServer:
    """A running server and the template that holds all tables."""

    url: str
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    template: str = field(default="")

    @classmethod
    def start(cls, folder: Path) -> "PostgresServer":
        """Take TEST_DATABASE_URL if it is set, else start the distribution's server."""
        given = os.environ.get("TEST_DATABASE_URL")
        if given:
            return cls(given)
        return _start_distribution(cls, _distribution_folder(), folder)

    def new_database(self) -> str:
        """Create an empty database with all tables; returns its URL."""
        if not self.template:
            self.template = self._make_template()
        name = f"t{uuid.uuid4().hex[:16]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}" STRATEGY FILE_COPY')
        return self._named(name)

    def bare_database(self) -> str:
        """Create a database without tables, as an operator does; returns its URL."""
        name = f"b{uuid.uuid4().hex[:16]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._named(name)

    def drop_database(self, url: str) -> None:
        name = url.partition("?")[0].rsplit("/", 1)[1]
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _make_template(self) -> str:
        name = f"template{uuid.uuid4().hex[:10]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        database = Database(self._named(name))
        database.create_tables()
        database.close()
        return name

    def _named(self, name: str) -> str:
        """Same server, other database: as an SQLAlchemy URL."""
        head, _, tail = self.url.partition("?")
        base = head.rsplit("/", 1)[0].replace("postgresql://", "postgresql+psycopg://")
        return f"{base}/{name}" + (f"?{tail}" if tail else "")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # at once, also when a failed test left a connection open
            self.process.wait(20)


def empty_tables(database: Database) -> None:
    """Take out what the test before left; other connections that it left open are ended, else their locks would hold.

    One round trip over a connection that stays: a new one would have to learn about every table again.
    """
    with database.engine.begin() as connection:
        connection.exec_driver_sql(_emptying())


@cache
def _emptying() -> str:
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    no_order_among_keys = "SET LOCAL session_replication_role = replica"
    deletes = [f'DELETE FROM "{table.name}"' for table in Base.metadata.sorted_tables]
    return "; ".join([f"SELECT pg_terminate_backend(pid) {others}", no_order_among_keys, *deletes])


def _distribution_folder() -> Path:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise RuntimeError("PostgreSQL is missing: `make test` installs it.")


def _start_distribution(cls: type[PostgresServer], binaries: Path, folder: Path) -> PostgresServer:
    """PostgreSQL refuses to run as root: then it runs as `nobody`, in a folder that `nobody` owns."""
    home = Path(f"/tmp/werkring-pg-{uuid.uuid4().hex[:8]}") if os.geteuid() == 0 else folder / "pg"
    home.mkdir(mode=0o700)
    before: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(home, "nobody", "nogroup")
        before = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    data = home / "data"
    subprocess.run(
        [*before, str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, cwd="/tmp",
    )  # fmt: skip
    port = _free_port()
    command = [
        *before,
        str(binaries / "postgres"),
        "-D",
        str(data),
        "-p",
        str(port),
        "-k",
        str(home),
        "-h",
        "127.0.0.1",
        *SETTINGS,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp")
    server = cls(f"postgresql://postgres@127.0.0.1:{port}/postgres", home, process)
    _wait_for(server.url)
    return server


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise RuntimeError("PostgreSQL did not start")
