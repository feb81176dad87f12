"""Alerts to people and the ways they take: push subscriptions, e-mail, receipts, answer tokens."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class PushDevice(FirmOwned, Base):
    """A browser's push subscription with its health."""

    __tablename__ = "push_device"
    __table_args__ = (owned_by("person", "person_id"), sa.UniqueConstraint("endpoint"))

    person_id: Mapped[str] = mapped_column(sa.String(36))
    sign_in_id: Mapped[str] = mapped_column(sa.String(36))
    """public_id of the sign-in; gone with it"""
    endpoint: Mapped[str] = mapped_column(sa.Text)
    p256dh: Mapped[str] = mapped_column(sa.String(120))
    auth: Mapped[str] = mapped_column(sa.String(40))
    name: Mapped[str] = mapped_column(sa.String(80), default="")
    has_buttons: Mapped[bool] = mapped_column(default=True)
    last_sent_at: Mapped[dt.datetime | None]
    last_receipt_at: Mapped[dt.datetime | None]
    failed_at: Mapped[dt.datetime | None]
    retry_at: Mapped[dt.datetime | None]
    failures: Mapped[int] = mapped_column(default=0)


class Alert(FirmOwned, Base):
    """A message for one person about one thing; push and mail are two ways of the same alert."""

    __tablename__ = "alert"
    __table_args__ = (
        owned_by("person", "person_id"),
        sa.UniqueConstraint("firm_id", "once_key"),
        sa.Index("ix_alert_due", "due_at", "sent_at"),
        sa.Index("ix_alert_subject", "firm_id", "subject_id"),
    )

    person_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(30))
    subject_id: Mapped[str] = mapped_column(sa.String(36))
    values: Mapped[dict[str, Any]]
    """Fill the text of the kind in the receiver's language; never a price, person or drawing."""
    url: Mapped[str] = mapped_column(sa.String(200))
    once_key: Mapped[str] = mapped_column(sa.String(160))
    due_at: Mapped[dt.datetime]
    """Now, or the end of the person's quiet hours."""
    sent_at: Mapped[dt.datetime | None]
    arrived_at: Mapped[dt.datetime | None]
    seen_at: Mapped[dt.datetime | None]
    mailed_at: Mapped[dt.datetime | None]
    mail_due_at: Mapped[dt.datetime | None]
    """30 working minutes after it was sent; None: no second channel needed"""
    cancelled_at: Mapped[dt.datetime | None]


class AnswerToken(FirmOwned, Base):
    """Lets one device give one non-binding answer to one request, once, until the deadline. Only its hash is kept."""

    __tablename__ = "answer_token"

    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    alert_id: Mapped[str] = mapped_column(sa.String(36))
    request_id: Mapped[str] = mapped_column(sa.String(36))
    person_id: Mapped[str] = mapped_column(sa.String(36))
    device_id: Mapped[str] = mapped_column(sa.String(36))
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]
    answer: Mapped[str] = mapped_column(sa.String(10), default="")


class Mail(FirmOwned, Base):
    """An e-mail that waits for the mail server, or was put into the file outbox."""

    __tablename__ = "mail"

    to: Mapped[str] = mapped_column(sa.String(120))
    subject: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(sa.Text)
    sent_at: Mapped[dt.datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[dt.datetime]
