"""The shortfall that a firm sends to chosen partners, on both sides, with questions and files."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class WorkRequest(FirmOwned, Base):
    """`side` ours: we ask. `side` theirs: a partner asks us; then only what the partner sent stands here."""

    __tablename__ = "work_request"
    __table_args__ = (
        sa.Index("ix_work_request_list", "firm_id", "side", "state", "reply_by"),
        sa.CheckConstraint("last_week >= first_week", name="weeks"),
    )

    side: Mapped[str] = mapped_column(sa.String(6))
    partner_id: Mapped[str | None] = mapped_column(sa.String(36))
    """side theirs: who asks"""
    kind: Mapped[str] = mapped_column(sa.String(10))
    """hours or know_how"""
    version: Mapped[int] = mapped_column(default=1)
    job_version: Mapped[int] = mapped_column(default=1)
    """The version that last changed the job itself; an answer to an earlier one no longer answers it."""
    state: Mapped[str] = mapped_column(sa.String(12))
    title: Mapped[str] = mapped_column(sa.String(80), default="")
    pack: Mapped[str] = mapped_column(sa.String(20), default="metal")
    process_key: Mapped[str | None] = mapped_column(sa.String(40))
    machine_type_key: Mapped[str | None] = mapped_column(sa.String(40))
    need_min: Mapped[int] = mapped_column(default=0)
    agreed_min: Mapped[int] = mapped_column(default=0)
    """side ours: what of the need is agreed now, after changes and cancellations"""
    first_week: Mapped[str] = mapped_column(sa.String(8))
    last_week: Mapped[str] = mapped_column(sa.String(8))
    delivery_week: Mapped[str | None] = mapped_column(sa.String(8))
    material: Mapped[str] = mapped_column(sa.String(40), default="")
    material_group: Mapped[str] = mapped_column(sa.String(2), default="")
    part_x_mm: Mapped[int | None]
    part_y_mm: Mapped[int | None]
    part_z_mm: Mapped[int | None]
    part_g: Mapped[int | None]
    may_turn: Mapped[bool] = mapped_column(default=True)
    needed_it: Mapped[int | None]
    needed_ra_nm: Mapped[int | None]
    general_tolerance: Mapped[str] = mapped_column(sa.String(40), default="")
    certificates: Mapped[list[str]]
    needs: Mapped[dict[str, Any]]
    part_count: Mapped[int | None]
    note: Mapped[str] = mapped_column(sa.String(500), default="")
    shortage_reason: Mapped[str] = mapped_column(sa.String(20), default="")
    radius_km: Mapped[int | None]
    reply_by: Mapped[dt.datetime | None]
    contact_name: Mapped[str] = mapped_column(sa.String(80), default="")
    contact_phone: Mapped[str] = mapped_column(sa.String(40), default="")
    customer: Mapped[str] = mapped_column(sa.String(80), default="")
    """own firm only, never sent"""
    allow_part: Mapped[bool] = mapped_column(default=True)
    max_partners: Mapped[int | None]
    """side ours: a plan takes no more partners than these; never sent"""
    all_or_none: Mapped[bool] = mapped_column(default=True)
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    draft_step: Mapped[int] = mapped_column(default=1)
    created_by: Mapped[str | None] = mapped_column(sa.String(36))
    disruption_id: Mapped[str | None] = mapped_column(sa.String(36))
    """side ours: it asks for hours that a partner cannot work after all; never sent"""
    published_at: Mapped[dt.datetime | None]
    closed_at: Mapped[dt.datetime | None]
    own_free_min: Mapped[int | None]
    """side ours: our own free minutes for it when it went out, the only ground to say that we needed help; never sent"""
    unchosen_erased_at: Mapped[dt.datetime | None]
    """When the offers that no agreement came of were erased, where the request itself stays."""


class Invitation(FirmOwned, Base):
    """side ours: one asked partner. Whether it arrived is in `message`; its reading is the partner's own."""

    __tablename__ = "invitation"
    __table_args__ = (
        owned_by("work_request", "request_id"),
        sa.UniqueConstraint("firm_id", "request_id", "partner_id"),
    )

    request_id: Mapped[str] = mapped_column(sa.String(36))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    is_chosen: Mapped[bool] = mapped_column(default=True)


class Receipt(FirmOwned, Base):
    """side theirs: what happened in our house to a request; never leaves it."""

    __tablename__ = "receipt"
    __table_args__ = (owned_by("work_request", "request_id"), sa.UniqueConstraint("firm_id", "request_id"))

    request_id: Mapped[str] = mapped_column(sa.String(36))
    announced_at: Mapped[dt.datetime | None]
    read_at: Mapped[dt.datetime | None]
    read_by: Mapped[str | None] = mapped_column(sa.String(36))
    answered_at: Mapped[dt.datetime | None]
    answered_by: Mapped[str | None] = mapped_column(sa.String(36))
    answer: Mapped[str] = mapped_column(sa.String(6), default="")
    """yes, part or no; a no stays here"""
    escalated_at: Mapped[dt.datetime | None]
    manager_told_at: Mapped[dt.datetime | None]


class RequestFile(FirmOwned, Base):
    """A drawing or photo that belongs to a request (or to a question on it)."""

    __tablename__ = "request_file"
    __table_args__ = (owned_by("work_request", "request_id"),)

    request_id: Mapped[str] = mapped_column(sa.String(36))
    question_id: Mapped[str | None] = mapped_column(sa.String(36))
    file_id: Mapped[str] = mapped_column(sa.String(36))
    name: Mapped[str] = mapped_column(sa.String(120))
    index: Mapped[str] = mapped_column(sa.String(20), default="")
    sha256: Mapped[str] = mapped_column(sa.String(64))
    media_type: Mapped[str] = mapped_column(sa.String(80))
    size: Mapped[int]
    confidentiality: Mapped[str] = mapped_column(sa.String(16), default="partner")


class Question(FirmOwned, Base):
    """One line of the thread between requester and one partner about one request."""

    __tablename__ = "question"
    __table_args__ = (
        owned_by("work_request", "request_id"),
        sa.Index("ix_question_thread", "firm_id", "request_id", "partner_id"),
    )

    request_id: Mapped[str] = mapped_column(sa.String(36))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    is_ours: Mapped[bool]
    text: Mapped[str] = mapped_column(sa.String(1000))
    seen_at: Mapped[dt.datetime | None]
