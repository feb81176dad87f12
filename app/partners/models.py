"""Consent between two firms, seen from one of them."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned


class Partnership(FirmOwned, Base):
    """Our side of the consent of two firms. `profile` is what the partner chose to tell us about itself."""

    __tablename__ = "partnership"
    __table_args__ = (sa.UniqueConstraint("firm_id", "partner_id"),)

    partner_id: Mapped[str] = mapped_column(sa.String(36))
    address: Mapped[str] = mapped_column(sa.String(120))
    name: Mapped[str] = mapped_column(sa.String(120))
    short_name: Mapped[str] = mapped_column(sa.String(14))
    town: Mapped[str] = mapped_column(sa.String(80))
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    profile: Mapped[dict[str, Any]]
    """legal facts for the contract, capabilities (process keys), certificates, fingerprint words"""
    state: Mapped[str] = mapped_column(sa.String(10))
    """invited, half, active, paused, ended, lapsed, declined"""
    we_invited: Mapped[bool]
    scope: Mapped[list[str]]
    """What we allow this partner to send us: requests, know_how, training, purchasing, data, introductions."""
    partner_scope: Mapped[list[str]]
    """What the partner allows us to send."""
    paused_by: Mapped[str] = mapped_column(sa.String(8), default="")
    """us, them or both"""
    framework_id: Mapped[str | None] = mapped_column(sa.String(36))
    approved_at: Mapped[dt.datetime | None]
    partner_approved_at: Mapped[dt.datetime | None]
    since: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime | None]
    """Of an invitation that waits for approvals."""


class PartnerInvitation(FirmOwned, Base):
    """A QR that lets one firm ask for a partnership: 48 hours, once."""

    __tablename__ = "partner_invitation"

    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    invited_by: Mapped[str] = mapped_column(sa.String(36))
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]
    used_by_firm: Mapped[str | None] = mapped_column(sa.String(36))


class Framework(FirmOwned, Base):
    """The framework agreement: its clauses may be edited until the first approval, never after."""

    __tablename__ = "framework"

    partner_id: Mapped[str] = mapped_column(sa.String(36))
    template_key: Mapped[str] = mapped_column(sa.String(30))
    template_version: Mapped[int]
    clauses: Mapped[list[dict[str, Any]]]
    """[{number, title, text}] as edited"""
    text: Mapped[str] = mapped_column(sa.Text, default="")
    """The exact text, frozen at the first approval."""
    text_sha256: Mapped[str] = mapped_column(sa.String(64), default="")
    record: Mapped[dict[str, Any]]
    """The link.partner message and its signatures so far."""
    digest: Mapped[str] = mapped_column(sa.String(66), default="")
    frozen_at: Mapped[dt.datetime | None]
    sealed_seq: Mapped[int | None]


class BlockedFirm(FirmOwned, Base):
    """A firm that we hide from and that is hidden from us, without notice."""

    __tablename__ = "blocked_firm"
    __table_args__ = (sa.UniqueConstraint("firm_id", "address"),)

    address: Mapped[str] = mapped_column(sa.String(120))
    name: Mapped[str] = mapped_column(sa.String(120), default="")
