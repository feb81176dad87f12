"""Accesses of programs, what they were answered, addresses of calendars, and news on its way to a firm's own program."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class ApiToken(FirmOwned, Base):
    """One access of one program. The secret follows from this row's id and the firm's keys; here lies its hash."""

    __tablename__ = "api_token"
    __table_args__ = (sa.UniqueConstraint("secret_hash"),)

    name: Mapped[str] = mapped_column(sa.String(60))
    scopes: Mapped[list[str]]
    secret_hash: Mapped[str] = mapped_column(sa.String(64))
    created_by: Mapped[str] = mapped_column(sa.String(36))
    copied_at: Mapped[dt.datetime | None]
    """When the person said that the secret is copied: it is shown to nobody any more."""
    last_used_on: Mapped[dt.date | None] = mapped_column(sa.Date)
    revoked_at: Mapped[dt.datetime | None]


class ApiAnswer(FirmOwned, Base):
    """What a program was answered under an idempotency key."""

    __tablename__ = "api_answer"
    __table_args__ = (
        owned_by("api_token", "token_id"),
        sa.UniqueConstraint("firm_id", "token_id", "key"),
        sa.Index("ix_api_answer_age", "created_at"),
    )

    token_id: Mapped[str] = mapped_column(sa.String(36))
    key: Mapped[str] = mapped_column(sa.String(64))
    body_sha256: Mapped[str] = mapped_column(sa.String(64))
    answer: Mapped[str] = mapped_column(sa.Text)


class CalendarFeed(FirmOwned, Base):
    """The secret address of a person's or a machine's calendar; a new address is a new row."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        owned_by("person", "person_id"),
        owned_by("machine", "machine_id"),
        sa.UniqueConstraint("secret_hash"),
        sa.UniqueConstraint("firm_id", "person_id"),
        sa.UniqueConstraint("firm_id", "machine_id"),
        sa.CheckConstraint("(person_id IS NULL) <> (machine_id IS NULL)", name="one_owner"),
    )

    person_id: Mapped[str | None] = mapped_column(sa.String(36))
    machine_id: Mapped[str | None] = mapped_column(sa.String(36))
    secret_hash: Mapped[str] = mapped_column(sa.String(64))


class Webhook(FirmOwned, Base):
    """Where a firm's own program hears that something happened. One per firm; its signing key follows from its id."""

    __tablename__ = "webhook"
    __table_args__ = (sa.UniqueConstraint("firm_id"),)

    url: Mapped[str] = mapped_column(sa.String(300))
    failure_count: Mapped[int] = mapped_column(default=0)
    """Tries in a row that did not arrive"""
    failing_since: Mapped[dt.datetime | None]
    off_at: Mapped[dt.datetime | None]
    """Switched off by too many of them"""
    last_tried_at: Mapped[dt.datetime | None]
    last_status: Mapped[int | None]
    """What the address answered last; 0: nothing"""


class WebhookCall(FirmOwned, Base):
    """One piece of news for one webhook; its id is the delivery id, the same in every try."""

    __tablename__ = "webhook_call"
    __table_args__ = (
        owned_by("webhook", "webhook_id"),
        sa.Index("ix_webhook_call_due", "state", "next_try_at"),
    )

    webhook_id: Mapped[str] = mapped_column(sa.String(36))
    event: Mapped[str] = mapped_column(sa.String(40))
    object_kind: Mapped[str] = mapped_column(sa.String(20))
    object_id: Mapped[str] = mapped_column(sa.String(36))
    state: Mapped[str] = mapped_column(sa.String(10), default="waiting")
    """waiting, delivered or failed"""
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[dt.datetime]
    done_at: Mapped[dt.datetime | None]
