"""Messages between firms: each side keeps its own row."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned


class Message(FirmOwned, Base):
    """A message that left (`direction` out) or arrived (in). Order and once-only are kept per pair of firms."""

    __tablename__ = "message"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "direction", "peer_id", "seq"),
        sa.Index("ix_message_waiting", "state", "next_try_at"),
    )

    direction: Mapped[str] = mapped_column(sa.String(3))
    peer_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(40))
    seq: Mapped[int]
    body: Mapped[dict[str, Any]]
    subject_id: Mapped[str] = mapped_column(sa.String(36), default="")
    """The request, offer, agreement … that the message is about."""
    state: Mapped[str] = mapped_column(sa.String(10))
    """out: waiting, delivered, refused, parked, cancelled; in: done, refused, unknown"""
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[dt.datetime | None]
    delivered_at: Mapped[dt.datetime | None]
    error: Mapped[str] = mapped_column(sa.Text, default="")


class StoredFile(FirmOwned, Base):
    """Bytes of a drawing, photo or PDF that a firm owns or received, under a random id."""

    __tablename__ = "stored_file"

    sha256: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(120))
    media_type: Mapped[str] = mapped_column(sa.String(80))
    size: Mapped[int]
    body: Mapped[bytes]
    from_firm_id: Mapped[str | None] = mapped_column(sa.String(36))
    is_clean: Mapped[bool] = mapped_column(default=True)
    """A photo waits here until the worker has stripped and re-encoded it."""


class FileOpening(FirmOwned, Base):
    """Who has opened what: the owner sees it. One row per file, person and day."""

    __tablename__ = "file_opening"
    __table_args__ = (sa.UniqueConstraint("firm_id", "file_id", "by_firm_id", "by_person_id", "day"),)

    file_id: Mapped[str] = mapped_column(sa.String(36))
    by_firm_id: Mapped[str] = mapped_column(sa.String(36))
    by_person_id: Mapped[str] = mapped_column(sa.String(36), default="")
    day: Mapped[dt.date]
