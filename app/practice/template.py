"""The template that every game is a copy of: built once per version of data and code, by one process."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy.schema import CreateTable

from app.config import Config
from app.core.db import Base, Database
from app.practice.data_files import data_digest

Fill = Callable[[Path], None]
ROOMS = (
    "federation", "firms", "passkeys", "notary", "partners", "push", "machines", "capacity", "requests", "matching",
    "offers", "plans", "bookings", "agreements", "hours", "invoices",
)  # fmt: skip


class Template:
    """One finished file in the folder; `fill` makes it where it is missing."""

    def __init__(self, folder: Path, version: str, fill: Fill) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._fill = folder, fill
        self._path = folder / f"template-{version}.sqlite"

    @property
    def is_ready(self) -> bool:
        return self._path.exists()

    def path(self) -> Path:
        """The finished template; whoever comes first builds it, the others wait for that one."""
        if self.is_ready:
            return self._path
        with self._build_lock():
            if not self.is_ready:
                self._build()
        return self._path

    def _build(self) -> None:
        """A draft is filled and then takes the name: a crash leaves a draft, never half a template."""
        draft = self._folder / "template.draft"
        for left in self._folder.glob("template.draft*"):
            left.unlink()
        self._fill(draft)
        for old in self._folder.glob("template-*.sqlite"):
            old.unlink()
        draft.replace(self._path)
        for left in self._folder.glob("template.draft*"):
            left.unlink()

    @contextmanager
    def _build_lock(self) -> Iterator[None]:
        with (self._folder / "template.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)


def pack_into_one_file(database: Database) -> None:
    """Bring the write-ahead log home and close, so that the file alone is the database."""
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def world_version(config: Config) -> str:
    """Changes with tables, keys and address: a game of another version can neither be read nor sign."""
    _load_tables()
    digest = hashlib.sha256(config.secret_key + config.node_key)
    digest.update(f"{config.origin}\n{config.node_name}\n".encode())
    for table in Base.metadata.sorted_tables:
        digest.update(str(CreateTable(table)).encode())
    return digest.hexdigest()[:12]


def template_version(config: Config) -> str:
    """Changes with the world's version, the data files and the code that fills the template."""
    digest = hashlib.sha256(world_version(config).encode() + data_digest())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _load_tables() -> None:
    """Every room's tables, whether or not its pages were opened before."""
    import_module("app.core.outbox")
    for room in ROOMS:
        if find_spec(f"app.{room}.models"):
            import_module(f"app.{room}.models")
