"""Alerts to people and the ways they take: push subscriptions, deliveries, e-mail, receipts, answer tokens."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class PushDevice(FirmOwned, Base):
    """A browser's push subscription with its health; it lives no longer than the sign-in it belongs to."""

    __tablename__ = "push_device"
    __table_args__ = (
        owned_by("person", "person_id"),
        sa.UniqueConstraint("endpoint"),
        sa.UniqueConstraint("sign_in_id"),
    )

    person_id: Mapped[str] = mapped_column(sa.String(36), index=True)
    sign_in_id: Mapped[str] = mapped_column(sa.String(40))
    """public_id of the sign-in; gone with it"""
    endpoint: Mapped[str] = mapped_column(sa.Text)
    """The address at the push service; 'gone:' or 'off:' and our id once there is none"""
    p256dh: Mapped[str] = mapped_column(sa.String(120))
    auth: Mapped[str] = mapped_column(sa.String(40))
    name: Mapped[str] = mapped_column(sa.String(80), default="")
    has_buttons: Mapped[bool] = mapped_column(default=True)
    last_sent_at: Mapped[dt.datetime | None]
    last_receipt_at: Mapped[dt.datetime | None]
    failed_at: Mapped[dt.datetime | None]
    """Of the first failure since the last success"""
    retry_at: Mapped[dt.datetime | None]
    """The endpoint gets nothing before: its service asked for a rest, or failed"""
    failures: Mapped[int] = mapped_column(default=0)
    gone_at: Mapped[dt.datetime | None]
    """The service answered 404 or 410: the address is wiped, the row stays for the red light"""
    off_at: Mapped[dt.datetime | None]
    """The person wants no messages here: nothing is sent, nothing is renewed or offered again until they switch it on"""


class Alert(FirmOwned, Base):
    """A message for one person about one thing; push and mail are two ways of the same alert."""

    __tablename__ = "alert"
    __table_args__ = (
        owned_by("person", "person_id"),
        sa.UniqueConstraint("firm_id", "once_key"),
        sa.Index("ix_alert_due", "due_at", "sent_at"),
        sa.Index("ix_alert_subject", "firm_id", "subject_id"),
        sa.Index("ix_alert_person", "firm_id", "person_id", "due_at"),
        sa.Index("ix_alert_mail_due", "mail_due_at"),
    )

    person_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(30))
    subject_id: Mapped[str] = mapped_column(sa.String(80))
    """A newer message about the same subject takes the older one's place: an id, or two where two name the subject."""
    values: Mapped[dict[str, Any]]
    """Fill the text of the kind in the receiver's language; never a price, person or drawing."""
    url: Mapped[str] = mapped_column(sa.String(200))
    once_key: Mapped[str] = mapped_column(sa.String(160))
    device_id: Mapped[str | None] = mapped_column(sa.String(36))
    """Only for the test message: the one device it is meant for"""
    due_at: Mapped[dt.datetime]
    """Now, or the end of the person's quiet hours."""
    sent_at: Mapped[dt.datetime | None]
    """When it was handed out to the person's devices"""
    arrived_at: Mapped[dt.datetime | None]
    seen_at: Mapped[dt.datetime | None]
    mailed_at: Mapped[dt.datetime | None]
    mail_due_at: Mapped[dt.datetime | None]
    """30 working minutes after it was due; None: no second channel"""
    deputy_due_at: Mapped[dt.datetime | None]
    """When the deputy is told that nobody has seen it; None: told already, or not needed"""
    manager_due_at: Mapped[dt.datetime | None]
    remind_at: Mapped[dt.datetime | None]
    cancelled_at: Mapped[dt.datetime | None]


class PushDelivery(FirmOwned, Base):
    """One alert on its way to one device. `next_try_at` is also the lease: whoever moves it may send."""

    __tablename__ = "push_delivery"
    __table_args__ = (
        owned_by("alert", "alert_id"),
        sa.UniqueConstraint("firm_id", "alert_id", "device_id"),
        sa.Index("ix_push_delivery_open", "done_at", "next_try_at"),
    )

    alert_id: Mapped[str] = mapped_column(sa.String(36))
    device_id: Mapped[str] = mapped_column(sa.String(36))
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[dt.datetime]
    done_at: Mapped[dt.datetime | None]
    outcome: Mapped[str] = mapped_column(sa.String(10), default="")
    """sent, gone, refused or dropped"""


class AnswerToken(FirmOwned, Base):
    """Lets one device give one non-binding answer to one request, once, until the deadline. Only its hash is kept."""

    __tablename__ = "answer_token"
    __table_args__ = (sa.Index("ix_answer_token_alert", "firm_id", "alert_id"),)

    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    alert_id: Mapped[str] = mapped_column(sa.String(36))
    request_id: Mapped[str] = mapped_column(sa.String(36))
    request_version: Mapped[int] = mapped_column(default=1)
    """What the message spoke of; a newer version must be read first"""
    proposal_key: Mapped[str] = mapped_column(sa.String(16), default="")
    """What a plain yes offered when the message was written; '' where the message offered nothing"""
    person_id: Mapped[str] = mapped_column(sa.String(36))
    device_id: Mapped[str] = mapped_column(sa.String(36))
    allows: Mapped[str] = mapped_column(sa.String(10))
    """The answers that it can give: 'yes no', or 'no'"""
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)
    used_at: Mapped[dt.datetime | None]
    answer: Mapped[str] = mapped_column(sa.String(10), default="")


class Mail(FirmOwned, Base):
    """An e-mail that waits for the mail server, or was put into the file outbox."""

    __tablename__ = "mail"
    __table_args__ = (sa.Index("ix_mail_waiting", "sent_at", "next_try_at"),)

    to: Mapped[str] = mapped_column(sa.String(120))
    subject: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(sa.Text)
    sent_at: Mapped[dt.datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[dt.datetime]
