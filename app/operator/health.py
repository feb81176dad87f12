"""How the node is: numbers for who runs it. Never a firm's name, rate, hour, request, agreement or partner."""

import datetime as dt
import platform
import shutil
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.outbox import OutboxRow
from app.federation.models import Message
from app.firms.models import Firm, NodeSetting
from app.notary.heads import LEFT
from app.notary.models import LedgerHead
from app.notary.transfer import LEAVING
from app.push.models import Mail

HEARTBEAT = "worker_heartbeat"
ROOT = Path(__file__).parents[2]
WORKER_SILENT_S = 180
OLD_MESSAGE_S = 3600
LEAST_FREE_PERMILLE = 50
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Health:
    """Versions, worker, queues, room on the disk; `warnings` are what the operator should look at."""

    version: str
    python: str
    database: str
    schema: str
    firms: int
    worker_silent_s: int | None
    """Since its last sign of life; None: it has never run"""
    events_waiting: int
    events_parked: int
    oldest_event_s: int
    messages_waiting: int
    messages_parked: int
    oldest_message_s: int
    mails_waiting: int
    logs_halted: int
    database_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int

    @property
    def database_mb(self) -> int:
        return round(self.database_bytes / MEGABYTE)

    @property
    def disk_free_mb(self) -> int:
        return round(self.disk_free_bytes / MEGABYTE)

    @property
    def warnings(self) -> tuple[str, ...]:
        """worker, disk, events, messages, logs."""
        faults = {
            "worker": self.worker_silent_s is None or self.worker_silent_s > WORKER_SILENT_S,
            "disk": self.disk_free_bytes * 1000 < self.disk_total_bytes * LEAST_FREE_PERMILLE,
            "events": self.events_parked > 0,
            "messages": self.messages_parked > 0 or self.oldest_message_s > OLD_MESSAGE_S,
            "logs": self.logs_halted > 0,
        }
        return tuple(name for name, is_there in faults.items() if is_there)


def health_of(session: Session, data_dir: Path) -> Health:
    """The state of the node now."""
    disk, last = shutil.disk_usage(data_dir), last_heartbeat(session)
    waiting = Message.direction == "out", Message.state == "waiting"
    left = sa.select(LedgerHead.firm_id).where(LedgerHead.halt == LEFT)
    unsettled = OutboxRow.settled_at.is_(None), OutboxRow.parked_at.is_(None)
    return Health(
        version=version(),
        python=platform.python_version(),
        database=_database(session),
        schema=_schema(session),
        firms=_count(session, Firm, Firm.id.not_in(left)),
        worker_silent_s=None if last is None else _age_s(last),
        events_waiting=_count(session, OutboxRow, *unsettled),
        events_parked=_count(session, OutboxRow, OutboxRow.settled_at.is_(None), OutboxRow.parked_at.is_not(None)),
        oldest_event_s=_oldest_s(session, OutboxRow, *unsettled),
        messages_waiting=_count(session, Message, *waiting),
        messages_parked=_count(session, Message, Message.direction == "out", Message.state == "parked"),
        oldest_message_s=_oldest_s(session, Message, *waiting),
        mails_waiting=_count(session, Mail, Mail.sent_at.is_(None)),
        logs_halted=_count(session, LedgerHead, LedgerHead.halt.not_in(("", LEAVING, LEFT))),
        database_bytes=_size(session),
        disk_free_bytes=disk.free,
        disk_total_bytes=disk.total,
    )


def last_heartbeat(session: Session) -> dt.datetime | None:
    """The worker's last sign of life."""
    row = session.get(NodeSetting, HEARTBEAT)
    return dt.datetime.fromisoformat(row.value) if row else None


@lru_cache(maxsize=1)
def version() -> str:
    """Of this installation."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def _count(session: Session, table: Any, *where: Any) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


def _oldest_s(session: Session, table: Any, *where: Any) -> int:
    oldest = session.scalar(sa.select(table.created_at).where(*where).order_by(table.created_at).limit(1))
    return 0 if oldest is None else _age_s(oldest)


def _age_s(since: dt.datetime) -> int:
    return max(0, int((clock.now() - since).total_seconds()))


def _database(session: Session) -> str:
    dialect = session.connection().dialect
    return f"{dialect.name} {'.'.join(str(part) for part in dialect.server_version_info or ())}"


def _schema(session: Session) -> str:
    """The last migration; '' where tables were made without."""
    if not sa.inspect(session.connection()).has_table("alembic_version"):
        return ""
    return str(session.scalar(sa.text("SELECT version_num FROM alembic_version")) or "")


def _size(session: Session) -> int:
    if session.connection().dialect.name == "postgresql":
        return int(session.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)
    pages, size = (session.scalar(sa.text(f"PRAGMA {name}")) or 0 for name in ("page_count", "page_size"))
    return int(pages) * int(size)
