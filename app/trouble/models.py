"""What went wrong with agreed hours, each side in its own house under the same public id."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class Disruption(FirmOwned, Base):
    """A machine stands, somebody is ill, or something is missing. `side` ours: our work; theirs: a partner's for us."""

    __tablename__ = "disruption"
    __table_args__ = (sa.Index("ix_disruption_machine", "firm_id", "machine_id"),)

    side: Mapped[str] = mapped_column(sa.String(6))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    machine_id: Mapped[str] = mapped_column(sa.String(36))
    machine_name: Mapped[str] = mapped_column(sa.String(60))
    reason: Mapped[str] = mapped_column(sa.String(10))
    """machine, illness, material or drawing"""
    note: Mapped[str] = mapped_column(sa.String(200), default="")
    back_on: Mapped[dt.date | None] = mapped_column(sa.Date)
    """When it will probably go on, where somebody said so"""
    ended_at: Mapped[dt.datetime | None]


class DisruptionLine(FirmOwned, Base):
    """So many minutes of a booking are lost; what of them still counts stands in the booking."""

    __tablename__ = "disruption_line"
    __table_args__ = (
        owned_by("disruption", "disruption_id"),
        sa.UniqueConstraint("firm_id", "disruption_id", "booking_id"),
        sa.Index("ix_disruption_line_agreement", "firm_id", "agreement_id"),
        sa.CheckConstraint("lost_min > 0", name="positive"),
    )

    disruption_id: Mapped[str] = mapped_column(sa.String(36))
    booking_id: Mapped[str] = mapped_column(sa.String(36))
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    lost_min: Mapped[int]
