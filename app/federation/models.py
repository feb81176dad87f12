"""Messages between firms, and files beside them: each side keeps its own row."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned

WAITING = sa.text("direction = 'out' AND state = 'waiting'")
PARKED = sa.text("direction = 'out' AND state = 'parked'")


class Message(FirmOwned, Base):
    """A message that left (`direction` out) or arrived (in). Order and once-only are kept per pair of firms."""

    __tablename__ = "message"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "direction", "peer_id", "seq"),
        # only what waits: the sweep stays fast however long the history grows
        sa.Index("ix_message_lane", "firm_id", "peer_id", "seq", sqlite_where=WAITING, postgresql_where=WAITING),
        sa.Index("ix_message_parked", "firm_id", "peer_id", sqlite_where=PARKED, postgresql_where=PARKED),
        sa.Index("ix_message_subject", "firm_id", "subject_id"),
    )

    direction: Mapped[str] = mapped_column(sa.String(3))
    peer_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(40))
    seq: Mapped[int]
    body: Mapped[dict[str, Any]]
    subject_id: Mapped[str] = mapped_column(sa.String(36), default="")
    """The request, offer, agreement … that the message is about."""
    state: Mapped[str] = mapped_column(sa.String(10))
    """out: waiting, delivered, refused, parked, cancelled; in: done, unknown. Of one pair all wait, or all are parked."""
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[dt.datetime | None]
    waits_since: Mapped[dt.datetime | None]
    """When it was first tried, or tried anew after it was parked."""
    delivered_at: Mapped[dt.datetime | None]
    error: Mapped[str] = mapped_column(sa.Text, default="")


class StoredFile(FirmOwned, Base):
    """Bytes of a drawing, photo or PDF that a firm owns or received, under a random id."""

    __tablename__ = "stored_file"
    __table_args__ = (
        sa.Index(
            "ix_stored_file_unclean",
            "id",
            sqlite_where=sa.text("NOT is_clean"),
            postgresql_where=sa.text("NOT is_clean"),
        ),
    )

    sha256: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(120))
    media_type: Mapped[str] = mapped_column(sa.String(80))
    size: Mapped[int]
    body: Mapped[bytes] = mapped_column(deferred=True)
    from_firm_id: Mapped[str | None] = mapped_column(sa.String(36))
    origin_id: Mapped[str] = mapped_column(sa.String(36), default="")
    """The file's id in the house that it came from."""
    is_clean: Mapped[bool] = mapped_column(default=True)
    """A photo waits here until the worker has stripped and re-encoded it."""
    is_open: Mapped[bool] = mapped_column(default=True)
    """False: a partner's drawing that waits for the signatures, or whose request ended without an agreement."""


class FileGrant(Base):
    """A message to that firm named this file: the firm may fetch it, nobody else."""

    __tablename__ = "file_grant"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    file_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    to_firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    created_at: Mapped[dt.datetime]


class WantedFile(Base):
    """A file that a message from another node named: its message waits until the worker has fetched it, or could not."""

    __tablename__ = "wanted_file"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    from_firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    origin_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    sha256: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(120))
    media_type: Mapped[str] = mapped_column(sa.String(80))
    size: Mapped[int]
    asked_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]
    """When it was there, or known to be out of reach."""


class MessageRefusal(Base):
    """Something that came to the inbox from another node and was not let in; `firm_id` is empty where it names no firm here."""

    __tablename__ = "message_refusal"
    __table_args__ = (
        sa.Index("ix_message_refusal_at", "at"),
        sa.Index("ix_message_refusal_message", "firm_id", "message_id"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    firm_id: Mapped[str] = mapped_column(sa.String(36), index=True)
    at: Mapped[dt.datetime]
    sender: Mapped[str] = mapped_column(sa.String(120))
    """Who it claims to be."""
    reason: Mapped[str] = mapped_column(sa.String(20))
    status: Mapped[int]
    message_id: Mapped[str] = mapped_column(sa.String(36), default="")
    text: Mapped[str] = mapped_column(sa.String(300), default="")
    """What the sender's people may read of it, told again when the answer was lost."""
