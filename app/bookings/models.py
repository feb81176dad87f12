"""Agreed hours of one machine in one week, on both sides."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned


class Booking(FirmOwned, Base):
    """`side` ours: we work (provider). `side` theirs: a partner works for us. State held only while a bundle waits."""

    __tablename__ = "booking"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "agreement_id", "line_no"),
        sa.Index("ix_booking_week", "firm_id", "week"),
        sa.CheckConstraint("agreed_min >= 0", name="not_negative"),
        sa.CheckConstraint("lost_min >= 0 AND lost_min <= agreed_min", name="lost_of_agreed"),
    )

    side: Mapped[str] = mapped_column(sa.String(6))
    is_our_work: Mapped[bool]
    """Our people work and report: the provider's, but where a machine is only lent, the requester's."""
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    line_no: Mapped[int]
    request_id: Mapped[str] = mapped_column(sa.String(36))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    machine_id: Mapped[str] = mapped_column(sa.String(36))
    machine_name: Mapped[str] = mapped_column(sa.String(60))
    week: Mapped[str] = mapped_column(sa.String(8))
    agreed_min: Mapped[int]
    counted_min: Mapped[int] = mapped_column(default=0)
    """Worked minutes that are checked and not disputed: fewer cannot be agreed any more."""
    rate_cents_per_hour: Mapped[int]
    title: Mapped[str] = mapped_column(sa.String(80), default="")
    lost_min: Mapped[int] = mapped_column(default=0)
    """Of the agreed minutes: what its provider said it cannot work. The requester may give so much back without a fee."""
    back_message_id: Mapped[str] = mapped_column(sa.String(36), default="")
    """At the provider: what told the requester that the work goes on. Until it arrived, the loss still counts there."""
    state: Mapped[str] = mapped_column(sa.String(12))
    """held, confirmed, running, done, settled, cancelled, rescheduled, released"""
    ended_at: Mapped[dt.datetime | None]
