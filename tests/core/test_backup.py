"""A backup is taken while the node writes, and believed only after it was restored."""

import tarfile
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from app.core.backup import BackupError, Check, Restored, make_backup, restore_backup
from app.core.db import Database
from app.firms.models import Firm
from tests.postgres import PostgresServer
from tests.world import make_world

KEYS = {"node.key": bytes.fromhex("ab" * 32), "secret.key": bytes.fromhex("cd" * 32)}


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


def back_up(folder: Path, target: Path, check: Check = lambda _url: None) -> Restored:
    return make_backup(url_of(folder), folder, target, KEYS, check)


def test_a_restored_node_holds_every_row_and_key(node: Path, tmp_path: Path) -> None:
    made = back_up(node, tmp_path / "backup.tgz")
    assert made.rows["firm"] == 6
    assert made.files == {"werkring.sqlite", "node.key", "secret.key"}
    assert restore_backup(tmp_path / "backup.tgz", tmp_path / "new").rows == made.rows
    assert (tmp_path / "new/node.key").read_text() == "ab" * 32
    assert (tmp_path / "backup.tgz").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_kept_apart_stays_apart_and_an_old_file_is_not_taken_for_it(node: Path, tmp_path: Path) -> None:
    (node / "node.key").write_text("ee" * 32)
    (node / "secret.key").unlink()
    assert back_up(node, tmp_path / "backup.tgz").files == {"werkring.sqlite"}


def test_a_backup_that_fails_its_check_leaves_no_archive(node: Path, tmp_path: Path) -> None:
    def fail(url: str) -> None:
        assert url.startswith("sqlite:///")
        assert url != url_of(node)
        raise BackupError("The node key does not open it.")

    with pytest.raises(BackupError, match="node key"):
        back_up(node, tmp_path / "backup.tgz", fail)
    assert not list(tmp_path.glob("backup*"))


def test_nothing_is_overwritten(node: Path, tmp_path: Path) -> None:
    back_up(node, tmp_path / "backup.tgz")
    with pytest.raises(BackupError, match="there already"):
        back_up(node, tmp_path / "backup.tgz")
    with pytest.raises(BackupError, match="not empty"):
        restore_backup(tmp_path / "backup.tgz", node)


def test_a_damaged_archive_is_refused_and_leaves_the_folder_empty(node: Path, tmp_path: Path) -> None:
    back_up(node, tmp_path / "backup.tgz")
    restore_backup(tmp_path / "backup.tgz", tmp_path / "open")
    database = tmp_path / "open/werkring.sqlite"
    content = bytearray(database.read_bytes())
    content[len(content) // 2] ^= 1
    database.write_bytes(content)
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as packed:
        for path in (tmp_path / "open").iterdir():
            packed.add(path, path.name)
    with pytest.raises(BackupError, match="damaged"):
        restore_backup(tmp_path / "bad.tgz", tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(b"nothing")
    with pytest.raises(BackupError, match="cannot be read"):
        restore_backup(tmp_path / "x.tgz", tmp_path / "new")


@pytest.mark.parametrize(("name", "kind"), [("../node.key", tarfile.REGTYPE), ("node.key", tarfile.SYMTYPE)])
def test_an_archive_that_reaches_out_of_its_folder_is_refused(name: str, kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "x.tgz", "w:gz") as packed:
        packed.addfile(member)
    with pytest.raises(BackupError, match="no backup"):
        restore_backup(tmp_path / "x.tgz", tmp_path / "new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "x.tgz"]


def test_a_postgresql_node_is_restored_into_a_scratch_database_that_is_gone_afterwards(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    url, seen = postgres_server.new_database(), []
    filled(url)

    def look(scratch_url: str) -> None:
        assert scratch_url != url
        seen.append(firms_in(scratch_url))

    made = make_backup(url, tmp_path, tmp_path / "backup.tgz", KEYS, look)
    assert (made.rows["firm"], made.files, seen) == (6, {"werkring.dump"}, [6])
    with psycopg.connect(postgres_server.url) as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname LIKE 'werkring_check%'").fetchall() == []
    postgres_server.drop_database(url)


def test_a_dump_goes_into_an_empty_database_only(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    filled(url)
    make_backup(url, tmp_path, tmp_path / "backup.tgz", KEYS)
    with pytest.raises(BackupError, match="not empty"):
        restore_backup(tmp_path / "backup.tgz", tmp_path / "new", url)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert restore_backup(tmp_path / "backup.tgz", tmp_path / "new", url).rows["firm"] == 6
    assert firms_in(url) == 6
    left = restore_backup(tmp_path / "backup.tgz", tmp_path / "later")
    assert (left.database_url, (tmp_path / "later/werkring.dump").is_file()) == ("", True)
    postgres_server.drop_database(url)


def filled(url: str) -> None:
    database = Database(url)
    with database.write() as session:
        make_world(session)
    database.close()


def firms_in(url: str) -> int:
    database = Database(url)
    with database.read() as session:
        count = session.scalar(sa.select(sa.func.count()).select_from(Firm)) or 0
    database.close()
    return count
