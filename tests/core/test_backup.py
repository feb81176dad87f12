"""A backup is taken while the node writes, and believed only after it was restored."""

import shutil
import tarfile
from pathlib import Path

import pytest

from app.core.backup import BackupError, make_backup, restore_backup
from app.core.db import Database
from tests.postgres import PostgresServer
from tests.world import make_world


@pytest.fixture
def node(sqlite_database: Database) -> Path:
    """The data folder of a node with firms, keys, and a write-ahead log that still holds rows."""
    folder = Path(sqlite_database.engine.url.database or "").parent
    (folder / "node.key").write_text("ab" * 32)
    (folder / "secret.key").write_text("cd" * 32)
    with sqlite_database.write() as session:
        make_world(session)
    return folder


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'werkring.sqlite'}"


def test_a_restored_node_holds_every_row_and_key(node: Path, tmp_path: Path) -> None:
    counts = make_backup(url_of(node), node, tmp_path / "backup.tgz")
    assert counts["firm"] == 6
    assert restore_backup(tmp_path / "backup.tgz", tmp_path / "new") == counts
    assert (tmp_path / "new/node.key").read_text() == "ab" * 32
    assert (tmp_path / "backup.tgz").stat().st_mode & 0o777 == 0o600


def test_nothing_is_overwritten(node: Path, tmp_path: Path) -> None:
    make_backup(url_of(node), node, tmp_path / "backup.tgz")
    with pytest.raises(BackupError, match="there already"):
        make_backup(url_of(node), node, tmp_path / "backup.tgz")
    with pytest.raises(BackupError, match="not empty"):
        restore_backup(tmp_path / "backup.tgz", node)


def test_a_damaged_archive_is_refused(node: Path, tmp_path: Path) -> None:
    make_backup(url_of(node), node, tmp_path / "backup.tgz")
    with tarfile.open(tmp_path / "backup.tgz") as packed:
        packed.extractall(tmp_path / "open", filter="data")
    database = tmp_path / "open/werkring.sqlite"
    content = bytearray(database.read_bytes())
    content[len(content) // 2] ^= 1
    database.write_bytes(content)
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as packed:
        for path in (tmp_path / "open").iterdir():
            packed.add(path, path.name)
    with pytest.raises(BackupError, match="damaged"):
        restore_backup(tmp_path / "bad.tgz", tmp_path / "new")


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(b"nothing")
    with pytest.raises(BackupError, match="cannot be read"):
        restore_backup(tmp_path / "x.tgz", tmp_path / "new")


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="pg_dump is not installed")
def test_a_postgresql_node_is_dumped_and_listed(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    assert make_backup(url, tmp_path, tmp_path / "backup.tgz") == {}
    with tarfile.open(tmp_path / "backup.tgz") as packed:
        assert "werkring.dump" in packed.getnames()
