"""What matching found in our own house for a partner's request; never leaves it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class MatchVerdict(FirmOwned, Base):
    """One machine's verdict on one request, with the reasons as shown to our own people."""

    __tablename__ = "match_verdict"
    __table_args__ = (
        owned_by("work_request", "request_id"),
        sa.UniqueConstraint("firm_id", "request_id", "machine_id"),
    )

    request_id: Mapped[str] = mapped_column(sa.String(36))
    machine_id: Mapped[str] = mapped_column(sa.String(36))
    request_version: Mapped[int]
    answer: Mapped[str] = mapped_column(sa.String(8))
    """yes, partly, check or no"""
    reasons: Mapped[list[dict[str, Any]]]
    minutes: Mapped[int] = mapped_column(default=0)


class MatchProposal(FirmOwned, Base):
    """What a plain yes would offer: machine, week, minutes, rate."""

    __tablename__ = "match_proposal"
    __table_args__ = (
        owned_by("work_request", "request_id"),
        sa.UniqueConstraint("firm_id", "request_id", "machine_id", "week"),
    )

    request_id: Mapped[str] = mapped_column(sa.String(36))
    machine_id: Mapped[str] = mapped_column(sa.String(36))
    week: Mapped[str] = mapped_column(sa.String(8))
    minutes: Mapped[int]
    rate_cents_per_hour: Mapped[int | None]
    """None: no rate card, so no one-tap answer"""
