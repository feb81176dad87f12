"""Combinations of offers, the requester's alone."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class Plan(FirmOwned, Base):
    __tablename__ = "plan"
    __table_args__ = (owned_by("work_request", "request_id"), sa.Index("ix_plan_request", "firm_id", "request_id"))

    request_id: Mapped[str] = mapped_column(sa.String(36))
    goals: Mapped[list[str]]
    """Every goal that this plan is the answer to: cheapest, fastest, fewest, spread"""
    need_min: Mapped[int]
    covered_min: Mapped[int]
    cost_cents: Mapped[int]
    partner_count: Mapped[int]
    last_week: Mapped[str] = mapped_column(sa.String(8), default="")
    largest_share_permille: Mapped[int]
    has_too_few_partners: Mapped[bool] = mapped_column(default=False)
    """spread: fewer than three partners, so the largest share was made as small as possible"""
    solver_status: Mapped[str] = mapped_column(sa.String(12))
    """greedy, proven or best_found"""
    gap_permille: Mapped[int] = mapped_column(default=0)
    offers_key: Mapped[str] = mapped_column(sa.String(64))
    """SHA-256 of the offers it was built from: same offers, same plan"""
    chosen_at: Mapped[dt.datetime | None]
    chosen_by: Mapped[str | None] = mapped_column(sa.String(36))


class PlanLine(FirmOwned, Base):
    __tablename__ = "plan_line"
    __table_args__ = (owned_by("plan", "plan_id"), owned_by("offer_line", "offer_line_id"))

    plan_id: Mapped[str] = mapped_column(sa.String(36), index=True)
    offer_line_id: Mapped[str] = mapped_column(sa.String(36))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    minutes: Mapped[int]


class PlanTask(Base):
    """A request whose offers changed: its plans are to be built anew, outside of any transaction."""

    __tablename__ = "plan_task"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    request_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    created_at: Mapped[dt.datetime]
