"""Sealed answers: ours to a partner's request, and partners' to ours."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class Offer(FirmOwned, Base):
    """`side` ours: we offer. `side` theirs: a partner offered to us."""

    __tablename__ = "offer"
    __table_args__ = (
        owned_by("work_request", "request_id"),
        sa.Index("ix_offer_request", "firm_id", "request_id", "state"),
    )

    side: Mapped[str] = mapped_column(sa.String(6))
    request_id: Mapped[str] = mapped_column(sa.String(36))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    version: Mapped[int] = mapped_column(default=1)
    request_version: Mapped[int] = mapped_column(default=1)
    """The version of the request that this answers."""
    answer: Mapped[str] = mapped_column(sa.String(6))
    """yes or part"""
    state: Mapped[str] = mapped_column(sa.String(16))
    """submitted, superseded, withdrawn, declined, expired, selected, partly_selected, accepted, released"""
    valid_until: Mapped[dt.datetime]
    transport_cents: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(sa.String(300), default="")
    answered_by: Mapped[str | None] = mapped_column(sa.String(36))
    """side ours: the person"""
    by_token: Mapped[bool] = mapped_column(default=False)
    is_bound: Mapped[bool] = mapped_column(default=False)
    """side ours: a partner's signed draft stands on it; only the end of that agreement frees the hours."""


class OfferLine(FirmOwned, Base):
    __tablename__ = "offer_line"
    __table_args__ = (owned_by("offer", "offer_id"), sa.CheckConstraint("offered_min > 0", name="positive"))

    offer_id: Mapped[str] = mapped_column(sa.String(36), index=True)
    machine_id: Mapped[str] = mapped_column(sa.String(36))
    """On the requester's side an opaque id; the text shown is machine_name."""
    machine_name: Mapped[str] = mapped_column(sa.String(60))
    machine_type_key: Mapped[str] = mapped_column(sa.String(40), default="")
    week: Mapped[str] = mapped_column(sa.String(8))
    offered_min: Mapped[int]
    rate_cents_per_hour: Mapped[int]
    set_up_min: Mapped[int] = mapped_column(default=0)
    min_block_min: Mapped[int] = mapped_column(default=0)
    """The least worth taking on this machine: its block, or its smallest order where one is set"""
    set_up_rate_cents_per_hour: Mapped[int | None]
    """None: set-up costs as much as the other hours"""
    programming_rate_cents_per_hour: Mapped[int] = mapped_column(default=0)
    night_surcharge_permille: Mapped[int] = mapped_column(default=0)
    sunday_surcharge_permille: Mapped[int] = mapped_column(default=0)
