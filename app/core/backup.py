"""One archive with database and keys: made while the node runs, and believed only after it was restored once."""

import hashlib
import json
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATABASE = "werkring.sqlite"
DUMP = "werkring.dump"
MANIFEST = "manifest.json"
PLACES = "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
Check = Callable[[str], None]
"""Looks into a restored database by its URL; raises BackupError."""


class BackupError(Exception):
    """One plain sentence about what went wrong."""


@dataclass(frozen=True)
class Restored:
    """What an archive held: rows per table, the names of its files, and the URL of the database that was filled ('': none)."""

    rows: dict[str, int]
    files: frozenset[str]
    database_url: str


def make_backup(
    database_url: str, data_dir: Path, target: Path, keys: Mapping[str, bytes], check: Check = lambda _url: None
) -> Restored:
    """Write the archive and restore it into an empty folder, or a scratch database, to see that it works.

    `keys` are those in use, by file name: a key goes along when its file lies in the data folder, one that is kept apart
    stays apart. Raises BackupError; a half-written archive is removed.
    """
    if target.exists():
        raise BackupError(f"{target} is there already; choose another name.")
    if not target.parent.is_dir():
        raise BackupError(f"{target.parent} is not there; choose another folder.")
    draft = target.with_name(target.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _collect(database_url, data_dir, Path(folder), keys)
            _pack(Path(folder), draft)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder, _scratch(database_url) as scratch_url:
            restored = restore_backup(draft, Path(folder) / "data", scratch_url)
            check(restored.database_url)
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    return restored


def restore_backup(archive: Path, data_dir: Path, database_url: str = "") -> Restored:
    """Fill an empty data folder from an archive and check every byte.

    A PostgreSQL dump goes into the empty database at `database_url`; without one it is left in the folder. Raises
    BackupError; the folder is empty again then.
    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise BackupError(f"{data_dir} is not empty; nothing was changed.")
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _restore(archive, data_dir, database_url)
    except BaseException:
        _empty(data_dir)
        raise


def _restore(archive: Path, data_dir: Path, database_url: str) -> Restored:
    try:
        _unpack(archive, data_dir)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise BackupError(f"{archive} cannot be read: {error}") from None
    files = _check_sums(data_dir)
    if DUMP not in files:
        return Restored(_check_sqlite(data_dir / DATABASE), files, f"sqlite:///{data_dir / DATABASE}")
    if not _is_postgres(database_url):
        _run("pg_restore", "--list", str(data_dir / DUMP))
        return Restored({}, files, "")
    rows = _fill_postgres(data_dir / DUMP, _plain(database_url))
    (data_dir / DUMP).unlink()
    return Restored(rows, files, database_url)


def _empty(folder: Path) -> None:
    """The folder itself stays: it may be a mounted disk."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _collect(database_url: str, data_dir: Path, folder: Path, keys: Mapping[str, bytes]) -> None:
    for name, key in keys.items():
        # a file that lies there but is not in use would be taken for the right key after a restore
        if (data_dir / name).is_file() and (data_dir / name).read_text().strip() == key.hex():
            shutil.copy2(data_dir / name, folder / name)
    if _is_postgres(database_url):
        _run("pg_dump", "--format=custom", f"--file={folder / DUMP}", _plain(database_url))
    else:
        _copy_sqlite(Path(database_url.removeprefix("sqlite:///")), folder / DATABASE)
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps({"v": 1, "sha256": sums}))


def _copy_sqlite(source: Path, target: Path) -> None:
    """By SQLite's own backup: a copy of the file alone would miss what still stands in the write-ahead log."""
    import pysqlite3.dbapi2 as driver

    if not source.exists():
        raise BackupError(f"{source} is not there; nothing to back up.")
    reading, writing = driver.connect(str(source)), driver.connect(str(target))
    try:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
    finally:
        writing.close()
        reading.close()


def _pack(folder: Path, target: Path) -> None:
    with tarfile.open(target, "w:gz") as packed:
        for path in sorted(folder.iterdir()):
            packed.add(path, path.name)
    target.chmod(0o600)


def _unpack(archive: Path, folder: Path) -> None:
    """Plain files beside each other, as `_pack` writes them: tarfile's own filter is missing in Debian's Python 3.11."""
    with tarfile.open(archive) as packed:
        for member in packed:
            content = packed.extractfile(member) if member.isfile() else None
            if content is None or Path(member.name).name != member.name:
                raise BackupError("This is no backup of Werkring.")
            with (folder / member.name).open("xb") as file:
                shutil.copyfileobj(content, file)
            (folder / member.name).chmod(0o600)


def _check_sums(folder: Path) -> frozenset[str]:
    try:
        sums: dict[str, str] = json.loads((folder / MANIFEST).read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupError("This is no backup of Werkring.") from None
    for name, wanted in sums.items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            raise BackupError(f"{name} in the backup is damaged.")
    return frozenset(sums)


def _check_sqlite(path: Path) -> dict[str, int]:
    import pysqlite3.dbapi2 as driver

    connection: Any = driver.connect(str(path))
    try:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        if verdict != "ok" or broken:
            raise BackupError(f"The database in the backup is damaged: {verdict}.")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return {name: _count(connection, f'"{name}"') for (name,) in tables.fetchall()}
    finally:
        connection.close()


def _fill_postgres(dump: Path, url: str) -> dict[str, int]:
    import psycopg

    with _connected(url) as connection:
        if connection.execute(PLACES).fetchall():
            raise BackupError("The database at DATABASE_URL is not empty; nothing was changed.")
    _run(
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={url}",
        str(dump),
    )
    with psycopg.connect(url) as connection:
        return {
            name.removeprefix("public."): _count(connection, name) for (name,) in connection.execute(PLACES).fetchall()
        }


@contextmanager
def _scratch(database_url: str) -> Iterator[str]:
    """A database of its own on the same server, gone afterwards; '' for SQLite, which needs only a folder."""
    if not _is_postgres(database_url):
        yield ""
        return
    import psycopg

    name, url = f"werkring_check_{secrets.token_hex(4)}", _plain(database_url)
    with _connected(url) as connection:
        try:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        except psycopg.errors.InsufficientPrivilege as error:
            raise BackupError("The backup cannot be tried out: give the database user the right CREATEDB.") from error
        try:
            head, mark, tail = database_url.partition("?")
            yield f"{head.rpartition('/')[0]}/{name}{mark}{tail}"
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    import psycopg

    try:
        connection = psycopg.connect(url, autocommit=True)
    except psycopg.OperationalError:
        raise BackupError("The database at DATABASE_URL cannot be reached.") from None
    with connection:
        yield connection


def _count(connection: Any, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _is_postgres(url: str) -> bool:
    return url.startswith("postgresql")


def _plain(url: str) -> str:
    """As PostgreSQL's own programs write it."""
    return url.replace("postgresql+psycopg", "postgresql")


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupError(f"{command[0]} is missing; install postgresql-client.") from None
    if done.returncode:
        raise BackupError(f"{command[0]}: {done.stderr.strip()[:300]}")
