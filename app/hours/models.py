"""Hours as they were worked: weekly reports per booking, their entries, the signed records, and apart from all: who."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class HourReport(FirmOwned, Base):
    """The slip of one booking: its week is the booking's. `side` ours: our people report; theirs: the partner's do.

    A correction after a dispute is a new report that names the one before.
    """

    __tablename__ = "hour_report"
    __table_args__ = (
        sa.Index("ix_hour_report_booking", "firm_id", "booking_id"),
        sa.Index("ix_hour_report_agreement", "firm_id", "agreement_id"),
        sa.Index("ix_hour_report_state", "firm_id", "state"),
    )

    side: Mapped[str] = mapped_column(sa.String(6))
    booking_id: Mapped[str] = mapped_column(sa.String(36))
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    week: Mapped[str] = mapped_column(sa.String(8))
    state: Mapped[str] = mapped_column(sa.String(14))
    """draft, reported, checked, confirmed, disputed, corrected, auto_confirmed, invoiced"""
    supersedes: Mapped[str | None] = mapped_column(sa.String(36))
    checked_at: Mapped[dt.datetime | None]
    arrived_at: Mapped[dt.datetime | None]
    """When the requester's side had it: from then on its days of silence count."""
    settled_at: Mapped[dt.datetime | None]
    """Confirmed, by a person or by silence."""
    disputed_entries: Mapped[list[str]] = mapped_column(default=list)
    reason: Mapped[str] = mapped_column(sa.String(200), default="")
    """Why the other side disputes, in own words."""


class HourEntry(FirmOwned, Base):
    """Minutes of one day and kind. Never updated: a correction is a new entry that names the old one."""

    __tablename__ = "hour_entry"
    __table_args__ = (
        owned_by("hour_report", "report_id"),
        sa.Index("ix_hour_entry_report", "firm_id", "report_id"),
        sa.UniqueConstraint("firm_id", "entry_key"),
        sa.CheckConstraint("minutes >= 0 AND minutes <= 1440 AND minutes % 15 = 0", name="quarter_hours"),
        sa.CheckConstraint("quantity >= 0 AND scrap >= 0", name="not_negative"),
    )

    report_id: Mapped[str] = mapped_column(sa.String(36))
    day: Mapped[dt.date] = mapped_column(sa.Date)
    minutes: Mapped[int]
    kind: Mapped[str] = mapped_column(sa.String(12))
    """run, set_up, programming, idle"""
    quantity: Mapped[int] = mapped_column(default=0)
    scrap: Mapped[int] = mapped_column(default=0)
    corrects: Mapped[str | None] = mapped_column(sa.String(36))
    entry_key: Mapped[str | None] = mapped_column(sa.String(64))
    """Hash of person and the phone's random key: the same entry sent twice is one. None for a partner's entry."""
    phone_at: Mapped[dt.datetime | None]
    """When the phone kept it, by its own clock."""
    is_late: Mapped[bool] = mapped_column(default=False)
    """It came after the foreman's check."""


class HourAuthor(FirmOwned, Base):
    """Who wrote an entry (its id is ours too): lies apart, never leaves the firm, and becomes a pseudonym."""

    __tablename__ = "hour_author"
    __table_args__ = (owned_by("hour_entry", "id"), sa.Index("ix_hour_author_person", "firm_id", "person_id"))

    person_id: Mapped[str] = mapped_column(sa.String(36))
    hidden_at: Mapped[dt.datetime | None]


class HourRecord(FirmOwned, Base):
    """A report or its confirmation as it was signed and entered into our log."""

    __tablename__ = "hour_record"
    __table_args__ = (owned_by("hour_report", "report_id"), sa.UniqueConstraint("firm_id", "report_id", "kind"))

    report_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(8))
    """report or confirm"""
    message: Mapped[dict[str, Any]]
    text: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[str] = mapped_column(sa.String(66))
    signatures: Mapped[list[dict[str, Any]]]
    entry_seq: Mapped[int]
    counterpart: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
