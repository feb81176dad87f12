"""Call-offs under a framework agreement, their amendments and the requester's bundles."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class Bundle(FirmOwned, Base):
    """The requester's private view of one plan's agreements, all together or none."""

    __tablename__ = "bundle"

    request_id: Mapped[str] = mapped_column(sa.String(36))
    plan_id: Mapped[str] = mapped_column(sa.String(36))
    all_or_none: Mapped[bool]
    state: Mapped[str] = mapped_column(sa.String(12))
    """waiting, effective, lapsed"""
    expires_at: Mapped[dt.datetime]


class Agreement(FirmOwned, Base):
    """One call-off, seen from one side. `facts` and `text` never change after the first signature."""

    __tablename__ = "agreement"
    __table_args__ = (
        owned_by("work_request", "request_id"),
        sa.Index("ix_agreement_list", "firm_id", "state"),
        sa.Index("ix_agreement_bundle", "firm_id", "bundle_id"),
    )

    side: Mapped[str] = mapped_column(sa.String(6))
    """ours: we are the requester and drafted it; theirs: we are the provider"""
    request_id: Mapped[str] = mapped_column(sa.String(36))
    offer_id: Mapped[str] = mapped_column(sa.String(36))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    framework_id: Mapped[str | None] = mapped_column(sa.String(36))
    bundle_id: Mapped[str | None] = mapped_column(sa.String(36))
    """The requester's own; the provider's side keeps None and the blinded value in `message`."""
    template_key: Mapped[str] = mapped_column(sa.String(30))
    facts: Mapped[dict[str, Any]]
    """Plain values from which the text is rendered again by the other side."""
    text: Mapped[str] = mapped_column(sa.Text)
    message: Mapped[dict[str, Any]]
    """The EIP-712 message"""
    digest: Mapped[str] = mapped_column(sa.String(66))
    display_sha256: Mapped[str] = mapped_column(sa.String(64))
    signatures: Mapped[list[dict[str, Any]]]
    not_before: Mapped[str] = mapped_column(sa.Text, default="")
    """The requester's checkpoint when it signed, part of the evidence: a key that it locks later was valid then."""
    total_cents: Mapped[int]
    minutes: Mapped[int]
    """Sum and minutes as they stand after changes and cancellations; `facts` and `message` keep the signed ones."""
    expires_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(sa.String(14))
    """frozen, signed_one, waiting_bundle, in_force, declined, lapsed, superseded, terminated"""
    is_bundled: Mapped[bool] = mapped_column(default=False)
    signed_at: Mapped[dt.datetime | None]
    partner_signed_at: Mapped[dt.datetime | None]
    in_force_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    end_reason: Mapped[str] = mapped_column(sa.String(40), default="")
    entry_seq: Mapped[int | None]
    pdf_file_id: Mapped[str | None] = mapped_column(sa.String(36))
    counterpart: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """Leaf, proof and checkpoint of the same evidence in the partner's log."""
    contact_phone: Mapped[str] = mapped_column(sa.String(40), default="")
    """The partner's, told with its signature; outside the signed text."""
    sealed_at: Mapped[dt.datetime | None]
    """When the record entered our own log."""
    effective_digest: Mapped[str] = mapped_column(sa.String(66), default="")
    """Of the record `bundle.effective`, at the requester's side; at the provider's, of one that came after the end"""
    note: Mapped[str] = mapped_column(sa.String(200), default="")
    """Why somebody declined, in own words."""
    signers: Mapped[list[str]] = mapped_column(default=list)
    """Our own people who signed, so that nobody signs twice."""


class AgreementLine(FirmOwned, Base):
    __tablename__ = "agreement_line"
    __table_args__ = (owned_by("agreement", "agreement_id"), sa.UniqueConstraint("firm_id", "agreement_id", "line_no"))

    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    line_no: Mapped[int]
    offer_line_id: Mapped[str] = mapped_column(sa.String(36))
    machine_id: Mapped[str] = mapped_column(sa.String(36))
    machine_name: Mapped[str] = mapped_column(sa.String(60))
    week: Mapped[str] = mapped_column(sa.String(8))
    minutes: Mapped[int]
    rate_cents_per_hour: Mapped[int]
    set_up_min: Mapped[int] = mapped_column(default=0)
    amount_cents: Mapped[int]


class Amendment(FirmOwned, Base):
    """A change or cancellation of an agreement in force: a new record that names the one before."""

    __tablename__ = "amendment"
    __table_args__ = (owned_by("agreement", "agreement_id"),)

    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(12))
    """change or cancellation"""
    by_us: Mapped[bool]
    facts: Mapped[dict[str, Any]]
    """kind, the facts its text is rendered from, and per booking line its number, old and new minutes"""
    text: Mapped[str] = mapped_column(sa.Text)
    message: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(sa.String(66))
    signatures: Mapped[list[dict[str, Any]]]
    fee_cents: Mapped[int] = mapped_column(default=0)
    needs_both: Mapped[bool]
    expires_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(sa.String(12))
    """frozen, signed_one, in_force, declined, lapsed"""
    entry_seq: Mapped[int | None]
    signers: Mapped[list[str]] = mapped_column(default=list)
    not_before: Mapped[str] = mapped_column(sa.Text, default="")
    """The checkpoint of who wants it, when it signed: as in an agreement."""
    counterpart: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    in_force_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    end_reason: Mapped[str] = mapped_column(sa.String(40), default="")


class AgreementErasure(FirmOwned, Base):
    """The wish to erase an agreement (its id is ours too), and what stays of it afterwards."""

    __tablename__ = "agreement_erasure"

    partner_id: Mapped[str] = mapped_column(sa.String(36))
    state: Mapped[str] = mapped_column(sa.String(8))
    """draft (ours, unsigned), asked (signed, the partner decides), wanted (the partner asks), done"""
    is_agreed: Mapped[bool] = mapped_column(default=False)
    """The partner has erased its copy already."""
    text: Mapped[str] = mapped_column(sa.Text)
    message: Mapped[dict[str, Any]]
    approval: Mapped[dict[str, Any]]
    entry_seq: Mapped[int]
    """Where the agreement stands in our log."""
    erased_at: Mapped[dt.datetime | None]
