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
    node: Mapped[str] = mapped_column(sa.String(120), default="")
    """Host and port of the partner's own node; empty for a firm on ours."""
    moved_at: Mapped[dt.datetime | None]
    """When the partner moved to that node, by its own signed word; an older word changes nothing."""
    token: Mapped[str] = mapped_column(sa.String(40), default="")
    """Of the invitation from another node that we used; it goes along until the partner knows our keys."""
    own_card: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Who we are, as the partner was told: its contract names us by it, whatever we correct meanwhile."""
    paused_by: Mapped[str] = mapped_column(sa.String(8), default="")
    """us, them or both"""
    framework_id: Mapped[str | None] = mapped_column(sa.String(36))
    approved_at: Mapped[dt.datetime | None]
    partner_approved_at: Mapped[dt.datetime | None]
    since: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime | None]
    """Of an invitation that waits for approvals."""
    ending: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The link.end message and its text while it waits for a manager's passkey."""


class PartnerInvitation(FirmOwned, Base):
    """A QR that lets one firm ask for a partnership: 48 hours, once."""

    __tablename__ = "partner_invitation"

    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    invited_by: Mapped[str] = mapped_column(sa.String(36))
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]
    used_by_firm: Mapped[str | None] = mapped_column(sa.String(36))
    for_firm: Mapped[str | None] = mapped_column(sa.String(36))
    """Only this firm may use it; None: whoever holds the QR."""
    answered_at: Mapped[dt.datetime | None]
    """When the firm that used it made itself known: after that a copy of its message opens nothing."""


class Framework(FirmOwned, Base):
    """The framework agreement: its clauses may be edited until the first approval, never after."""

    __tablename__ = "framework"
    __table_args__ = (
        sa.CheckConstraint("(frozen_at IS NULL) = (text = '')", name="frozen_has_text"),
        sa.CheckConstraint("sealed_seq IS NULL OR frozen_at IS NOT NULL", name="sealed_is_frozen"),
    )

    partner_id: Mapped[str] = mapped_column(sa.String(36))
    template_key: Mapped[str] = mapped_column(sa.String(30))
    template_version: Mapped[int]
    clauses: Mapped[list[dict[str, Any]]]
    """[{number, title, text}] as edited"""
    terms: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Periods and percentages as edited, by the names of `documents.LIMITS`; and the scopes."""
    text: Mapped[str] = mapped_column(sa.Text, default="")
    """The exact text, frozen at the first approval."""
    text_sha256: Mapped[str] = mapped_column(sa.String(64), default="")
    record: Mapped[dict[str, Any]]
    """facts, message and signatures so far of the link.partner record"""
    digest: Mapped[str] = mapped_column(sa.String(66), default="")
    frozen_at: Mapped[dt.datetime | None]
    sealed_seq: Mapped[int | None]


class BlockedFirm(FirmOwned, Base):
    """A firm that we hide from and that is hidden from us, without notice."""

    __tablename__ = "blocked_firm"
    __table_args__ = (sa.UniqueConstraint("firm_id", "address"),)

    address: Mapped[str] = mapped_column(sa.String(120))
    name: Mapped[str] = mapped_column(sa.String(120), default="")


# What was signed stays as it was, whatever the code above does: the database itself refuses.
FROZEN_COLUMNS = ("template_key", "template_version", "clauses", "terms", "text", "text_sha256", "digest", "frozen_at")
_SQLITE_GUARD = f"""
CREATE TRIGGER framework_frozen BEFORE UPDATE OF {", ".join(FROZEN_COLUMNS)} ON framework
WHEN OLD.frozen_at IS NOT NULL AND ({" OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in FROZEN_COLUMNS)})
BEGIN SELECT RAISE(ABORT, 'a signed framework agreement never changes'); END
"""
_POSTGRES_GUARD_FUNCTION = """
CREATE OR REPLACE FUNCTION keep_framework_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a signed framework agreement never changes' USING ERRCODE = 'integrity_constraint_violation'; END $$
"""
_POSTGRES_GUARD = f"""
CREATE TRIGGER framework_frozen BEFORE UPDATE ON framework FOR EACH ROW
WHEN (OLD.frozen_at IS NOT NULL AND (
{" OR ".join(f"NEW.{name}::text IS DISTINCT FROM OLD.{name}::text" for name in FROZEN_COLUMNS)}))
EXECUTE FUNCTION keep_framework_frozen()
"""
GUARDS = {"sqlite": (_SQLITE_GUARD,), "postgresql": (_POSTGRES_GUARD_FUNCTION, _POSTGRES_GUARD)}
"""By dialect; a migration runs the same statements."""

for _dialect, _statements in GUARDS.items():
    for _statement in _statements:
        sa.event.listen(
            Framework.__table__,
            "after_create",
            sa.DDL(_statement).execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
        )
