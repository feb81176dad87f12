"""Machines, what they can do, what they cost (private), and certificates."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class Machine(FirmOwned, Base):
    __tablename__ = "machine"
    __table_args__ = (owned_by("site", "site_id"), sa.UniqueConstraint("firm_id", "number"))

    site_id: Mapped[str] = mapped_column(sa.String(36))
    number: Mapped[str] = mapped_column(sa.String(20))
    """The shop's own short number; imports find the machine by it."""
    type_key: Mapped[str] = mapped_column(sa.String(40))
    name: Mapped[str] = mapped_column(sa.String(60))
    photo_id: Mapped[str | None] = mapped_column(sa.String(36))
    serial_no: Mapped[str] = mapped_column(sa.String(60), default="")
    year_built: Mapped[int | None]
    state: Mapped[str] = mapped_column(sa.String(10), default="ready")
    """ready, down or retired"""
    min_block_min: Mapped[int] = mapped_column(default=480)
    set_up_min: Mapped[int] = mapped_column(default=0)
    lead_time_days: Mapped[int] = mapped_column(default=0)
    allowance_xy_mm: Mapped[int | None]
    """Room that a part needs around it here, in length and width; None: as its type usually does"""
    allowance_z_mm: Mapped[int | None]
    parameters: Mapped[dict[str, Any]]
    """key -> number, bool or list of text, keys of the pack"""
    needs_check: Mapped[bool] = mapped_column(default=False)
    """Made in one tap with usual values; a person has not looked at them yet."""


class Capability(FirmOwned, Base):
    __tablename__ = "capability"
    __table_args__ = (
        owned_by("machine", "machine_id"),
        sa.UniqueConstraint("firm_id", "machine_id", "process_key"),
        sa.Index("ix_capability_process", "process_key", "firm_id"),
    )

    machine_id: Mapped[str] = mapped_column(sa.String(36))
    process_key: Mapped[str] = mapped_column(sa.String(40))
    material_groups: Mapped[list[str]]
    best_it: Mapped[int | None]
    best_ra_nm: Mapped[int | None]


class RateCard(FirmOwned, Base):
    """Private to the firm; the newest `valid_from` that has begun counts."""

    __tablename__ = "rate_card"
    __table_args__ = (owned_by("machine", "machine_id"), sa.UniqueConstraint("firm_id", "machine_id", "valid_from"))

    machine_id: Mapped[str] = mapped_column(sa.String(36))
    rate_cents_per_hour: Mapped[int]
    set_up_rate_cents_per_hour: Mapped[int | None]
    """None: set-up costs as much as the other hours"""
    programming_rate_cents_per_hour: Mapped[int] = mapped_column(default=0)
    """0: programming is not charged"""
    night_surcharge_permille: Mapped[int] = mapped_column(default=0)
    sunday_surcharge_permille: Mapped[int] = mapped_column(default=0)
    min_order_min: Mapped[int] = mapped_column(default=0)
    valid_from: Mapped[dt.date]


class Certificate(FirmOwned, Base):
    __tablename__ = "certificate"
    __table_args__ = (sa.UniqueConstraint("firm_id", "type_key", "number"),)

    type_key: Mapped[str] = mapped_column(sa.String(40))
    number: Mapped[str] = mapped_column(sa.String(60))
    issuer: Mapped[str] = mapped_column(sa.String(80), default="")
    process_keys: Mapped[list[str]]
    """Empty: the whole firm"""
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date]
    file_id: Mapped[str | None] = mapped_column(sa.String(36))
    verified_at: Mapped[dt.datetime | None]
    verified_by: Mapped[str | None] = mapped_column(sa.String(36))
    rejected_at: Mapped[dt.datetime | None]
    rejected_by: Mapped[str | None] = mapped_column(sa.String(36))
    warned_at: Mapped[dt.datetime | None]
    """When the managers heard that it ends soon"""


class ImportRun(FirmOwned, Base):
    """An uploaded table, checked and waiting for the person's yes; applied all or nothing."""

    __tablename__ = "import_run"

    kind: Mapped[str] = mapped_column(sa.String(12))
    """machines or hours"""
    person_id: Mapped[str] = mapped_column(sa.String(36))
    file_name: Mapped[str] = mapped_column(sa.String(120))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    body: Mapped[bytes]
    row_count: Mapped[int]
    applied_at: Mapped[dt.datetime | None]
