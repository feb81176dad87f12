"""Passkeys, sign-in sessions, single-use challenges, invitations by QR."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class Passkey(FirmOwned, Base):
    """A person's ES256 credential; `registered_seq` is its key.register entry in the firm's ledger."""

    __tablename__ = "passkey"
    __table_args__ = (owned_by("person", "person_id"),)

    person_id: Mapped[str] = mapped_column(sa.String(36))
    credential_id: Mapped[str] = mapped_column(sa.String(400), unique=True)
    """Base64url without padding."""
    public_key: Mapped[bytes]
    """COSE key as the authenticator gave it."""
    user_handle: Mapped[str] = mapped_column(sa.String(64))
    """Random, the same for all passkeys of a person; base64url."""
    name: Mapped[str] = mapped_column(sa.String(60))
    sign_count: Mapped[int] = mapped_column(default=0)
    is_backed_up: Mapped[bool] = mapped_column(default=False)
    origin: Mapped[str] = mapped_column(sa.String(300), default="")
    """The node's address when it was made: after a move to another domain it is of no use any more."""
    registered_seq: Mapped[int | None]
    registered_limit_cents: Mapped[int | None]
    """What that entry lets it sign; None: any sum."""
    revoked_seq: Mapped[int | None]
    last_used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]
    suspicious_at: Mapped[dt.datetime | None]
    """When its counter did not grow: shown, never a lock-out."""

    @property
    def is_registered(self) -> bool:
        """Whether the ledger lets it sign; `revoked_seq` falls back to None when it is registered anew."""
        return self.registered_seq is not None and self.revoked_seq is None


class SignIn(Base):
    """One device that is signed in. Deleting the row signs it out everywhere at once."""

    __tablename__ = "sign_in"

    id_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """SHA-256 of the secret in the cookie, hex."""
    public_id: Mapped[str] = mapped_column(sa.String(36), unique=True)
    firm_id: Mapped[str] = mapped_column(sa.String(36), index=True)
    person_id: Mapped[str] = mapped_column(sa.String(36))
    role: Mapped[str] = mapped_column(sa.String(12))
    has_passkey: Mapped[bool] = mapped_column(default=True)
    device: Mapped[str] = mapped_column(sa.String(80), default="")
    created_at: Mapped[dt.datetime]
    last_seen_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]


class Challenge(Base):
    """A WebAuthn challenge: five minutes, once, for one purpose, person and document."""

    __tablename__ = "challenge"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    challenge: Mapped[str] = mapped_column(sa.String(64), index=True)
    """Base64url of the 32 bytes; two managers may be asked for the same digest at once."""
    purpose: Mapped[str] = mapped_column(sa.String(12))
    """sign_in, found, join, add, recover or approve"""
    browser_hash: Mapped[str] = mapped_column(sa.String(64), default="")
    """SHA-256 of the browser's anonymous or session secret that asked for it."""
    firm_id: Mapped[str | None] = mapped_column(sa.String(36))
    person_id: Mapped[str | None] = mapped_column(sa.String(36))
    document_kind: Mapped[str] = mapped_column(sa.String(30), default="")
    document_id: Mapped[str] = mapped_column(sa.String(36), default="")
    detail: Mapped[dict[str, Any]]
    expires_at: Mapped[dt.datetime]


class JoinInvitation(FirmOwned, Base):
    """A QR for a new employee or a new device: 24 hours, once. Only the hash of its token is kept."""

    __tablename__ = "join_invitation"

    kind: Mapped[str] = mapped_column(sa.String(10))
    """person (a new employee) or device (another phone of `person_id`)"""
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    code_hash: Mapped[str] = mapped_column(sa.String(64), default="", index=True)
    """Of the six characters that a freshly installed iPhone app asks for; empty while none are shown."""
    code_until: Mapped[dt.datetime | None]
    code_used_at: Mapped[dt.datetime | None]
    """When the installed app exchanged the code for the token."""
    name: Mapped[str] = mapped_column(sa.String(80), default="")
    email: Mapped[str] = mapped_column(sa.String(120), default="")
    """Of a new manager: the second way to reach them."""
    roles: Mapped[list[str]]
    person_id: Mapped[str | None] = mapped_column(sa.String(36))
    invited_by: Mapped[str] = mapped_column(sa.String(36))
    second_approver: Mapped[str | None] = mapped_column(sa.String(36))
    """Recovery of a lost phone needs two colleagues: the second one's id."""
    needs_second: Mapped[bool] = mapped_column(default=False)
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class Approval(FirmOwned, Base):
    """A passkey signature over the digest of one document, unmodified bytes (base64url), until the ledger keeps it."""

    __tablename__ = "approval"
    __table_args__ = (sa.UniqueConstraint("firm_id", "document_kind", "document_id", "person_id", "digest"),)

    document_kind: Mapped[str] = mapped_column(sa.String(30))
    document_id: Mapped[str] = mapped_column(sa.String(36))
    person_id: Mapped[str] = mapped_column(sa.String(36))
    passkey_id: Mapped[str] = mapped_column(sa.String(36))
    digest: Mapped[str] = mapped_column(sa.String(66))
    signature: Mapped[dict[str, Any]]
    """The ledger's signature object: kind, role, party, kid, keyAt, authenticatorData, clientDataJSON, signature."""


class FoundingDraft(Base):
    """A firm that is being set up in one browser: what was typed, its first passkey, its ledger before the approval."""

    __tablename__ = "founding_draft"

    browser_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    facts: Mapped[dict[str, Any]]
    passkey: Mapped[dict[str, Any]]
    ledger: Mapped[dict[str, Any]]
    next_url: Mapped[str] = mapped_column(sa.String(200), default="")
    expires_at: Mapped[dt.datetime]
