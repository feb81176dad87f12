"""Hours of one machine in one ISO week, and the ledger of every change to them."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class CapacityWindow(FirmOwned, Base):
    """maximum ≥ actual ≥ held + agreed, always; hours are taken by one conditional UPDATE."""

    __tablename__ = "capacity_window"
    __table_args__ = (
        owned_by("machine", "machine_id"),
        sa.UniqueConstraint("firm_id", "machine_id", "week"),
        sa.CheckConstraint("held_min >= 0 AND agreed_min >= 0", name="not_negative"),
        sa.CheckConstraint("held_min + agreed_min <= actual_min", name="not_oversold"),
        sa.CheckConstraint("actual_min <= maximum_min", name="within_maximum"),
        sa.Index("ix_capacity_window_week", "firm_id", "week", "machine_id"),
    )

    machine_id: Mapped[str] = mapped_column(sa.String(36))
    week: Mapped[str] = mapped_column(sa.String(8))
    maximum_min: Mapped[int]
    actual_min: Mapped[int] = mapped_column(default=0)
    held_min: Mapped[int] = mapped_column(default=0)
    agreed_min: Mapped[int] = mapped_column(default=0)
    confirmed_at: Mapped[dt.datetime | None]
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(36))


class Hold(FirmOwned, Base):
    """Minutes of one window kept for one offer line: held, then agreed (booked) or released."""

    __tablename__ = "hold"
    __table_args__ = (
        owned_by("machine", "machine_id"),
        sa.UniqueConstraint("firm_id", "offer_line_id"),
        sa.Index("ix_hold_offer", "firm_id", "offer_id"),
        sa.CheckConstraint("minutes > 0", name="positive"),
    )

    offer_id: Mapped[str] = mapped_column(sa.String(36))
    offer_line_id: Mapped[str] = mapped_column(sa.String(36))
    machine_id: Mapped[str] = mapped_column(sa.String(36))
    week: Mapped[str] = mapped_column(sa.String(8))
    minutes: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String(10))
    """held, agreed or released"""
    valid_until: Mapped[dt.datetime]


class HoursChange(FirmOwned, Base):
    """Who set the free hours of a week from what to what; the undo of ten minutes reads it."""

    __tablename__ = "hours_change"
    __table_args__ = (
        owned_by("machine", "machine_id"),
        sa.Index("ix_hours_change_person", "firm_id", "person_id", "created_at"),
    )

    machine_id: Mapped[str] = mapped_column(sa.String(36))
    week: Mapped[str] = mapped_column(sa.String(8))
    before_min: Mapped[int]
    after_min: Mapped[int]
    was_reported: Mapped[bool]
    """False: before this, nobody had said anything about the week"""
    person_id: Mapped[str | None] = mapped_column(sa.String(36))
    undone_at: Mapped[dt.datetime | None]
