"""One archive with database and keys: made while the node runs, and believed only after it was restored once."""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

DATABASE = "werkring.sqlite"
DUMP = "werkring.dump"
KEYS = ("secret.key", "node.key")
MANIFEST = "manifest.json"


class BackupError(Exception):
    """One plain sentence about what went wrong."""


def make_backup(database_url: str, data_dir: Path, target: Path) -> dict[str, int]:
    """Write the archive and restore it into an empty folder to see that it works; returns rows per table.

    Raises BackupError; a half-written archive is removed.
    """
    if target.exists():
        raise BackupError(f"{target} is there already; choose another name.")
    draft = target.with_name(target.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _collect(database_url, data_dir, Path(folder))
            _pack(Path(folder), draft)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            counts = restore_backup(draft, Path(folder) / "data", database_url if _is_postgres(database_url) else "")
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    return counts


def restore_backup(archive: Path, data_dir: Path, database_url: str = "") -> dict[str, int]:
    """Fill an empty data folder from an archive and check every byte; returns rows per table.

    A PostgreSQL dump is only checked here and left in the folder: `pg_restore` brings it into a new database.
    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise BackupError(f"{data_dir} is not empty; nothing was changed.")
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(data_dir, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{archive} cannot be read: {error}") from None
    _check_sums(data_dir)
    if _is_postgres(database_url):
        _run("pg_restore", "--list", str(data_dir / DUMP))
        return {}
    return _check_database(data_dir / DATABASE)


def _collect(database_url: str, data_dir: Path, folder: Path) -> None:
    for name in KEYS:
        if (data_dir / name).exists():
            shutil.copy2(data_dir / name, folder / name)
    if _is_postgres(database_url):
        plain = database_url.replace("postgresql+psycopg", "postgresql")
        _run("pg_dump", "--format=custom", f"--file={folder / DUMP}", plain)
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


def _check_sums(folder: Path) -> None:
    try:
        sums: dict[str, str] = json.loads((folder / MANIFEST).read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupError("This is no backup of Werkring.") from None
    for name, wanted in sums.items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            raise BackupError(f"{name} in the backup is damaged.")


def _check_database(path: Path) -> dict[str, int]:
    import pysqlite3.dbapi2 as driver

    connection: Any = driver.connect(str(path))
    try:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        if verdict != "ok" or broken:
            raise BackupError(f"The database in the backup is damaged: {verdict}.")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return {name: _count(connection, name) for (name,) in tables.fetchall()}
    finally:
        connection.close()


def _count(connection: Any, table: str) -> int:
    return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


def _is_postgres(url: str) -> bool:
    return url.startswith("postgresql")


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupError(f"{command[0]} is missing; install postgresql-client.") from None
    if done.returncode:
        raise BackupError(f"{command[0]}: {done.stderr.strip()[:300]}")
