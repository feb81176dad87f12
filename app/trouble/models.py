"""What went wrong with agreed work, and what was brought for it: each side in its own house under the same public id."""

import datetime as dt
from typing import Any

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


class Defect(FirmOwned, Base):
    """What is wrong with parts. `side` ours: we made them; theirs: a partner made them for us."""

    __tablename__ = "defect"
    __table_args__ = (
        sa.Index("ix_defect_booking", "firm_id", "booking_id"),
        sa.Index("ix_defect_state", "firm_id", "state"),
    )

    side: Mapped[str] = mapped_column(sa.String(6))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    booking_id: Mapped[str] = mapped_column(sa.String(36))
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    reported_at: Mapped[dt.datetime]
    text: Mapped[str] = mapped_column(sa.String(500))
    is_late: Mapped[bool] = mapped_column(default=False)
    """Reported after the time to accept: then it has to be a hidden one."""
    state: Mapped[str] = mapped_column(sa.String(10))
    """reported, rework, disputed, settled"""
    answer: Mapped[str] = mapped_column(sa.String(500), default="")
    answered_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]


class Acceptance(FirmOwned, Base):
    """The requester takes the work of a booking. `side` ours: we worked; theirs: the partner did."""

    __tablename__ = "acceptance"
    __table_args__ = (sa.UniqueConstraint("firm_id", "booking_id"),)

    side: Mapped[str] = mapped_column(sa.String(6))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    booking_id: Mapped[str] = mapped_column(sa.String(36))
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    accepted_min: Mapped[int]


class WorkRecord(FirmOwned, Base):
    """An acceptance, or a defect that is disputed (`subject_id`), as the requester's manager signs it and both logs hold it."""

    __tablename__ = "work_record"
    __table_args__ = (sa.UniqueConstraint("firm_id", "subject_id"),)

    subject_id: Mapped[str] = mapped_column(sa.String(36))
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(10))
    """completion or dispute"""
    message: Mapped[dict[str, Any]]
    text: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[str] = mapped_column(sa.String(66))
    signatures: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    entry_seq: Mapped[int | None]
    """None while nobody has signed"""
    counterpart: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))


class Provision(FirmOwned, Base):
    """Material, tooling or a program that the requester brings. `side` ours: it comes to us; theirs: we bring it."""

    __tablename__ = "provision"
    __table_args__ = (sa.Index("ix_provision_agreement", "firm_id", "agreement_id"),)

    side: Mapped[str] = mapped_column(sa.String(6))
    partner_id: Mapped[str] = mapped_column(sa.String(36))
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(12))
    """material, tooling, fixture, gauge, nc_program"""
    description: Mapped[str] = mapped_column(sa.String(120))
    quantity: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String(10))
    """announced, received, returned, consumed, damaged, scrapped"""


class ProvisionStep(FirmOwned, Base):
    """What happened to a provision, and when."""

    __tablename__ = "provision_step"
    __table_args__ = (owned_by("provision", "provision_id"),)

    provision_id: Mapped[str] = mapped_column(sa.String(36))
    state: Mapped[str] = mapped_column(sa.String(10))
    note: Mapped[str] = mapped_column(sa.String(200), default="")


class TroublePhoto(FirmOwned, Base):
    """A photo of a defect, or of a step of a provision (`subject_id`)."""

    __tablename__ = "trouble_photo"
    __table_args__ = (
        sa.Index("ix_trouble_photo_subject", "firm_id", "subject_id"),
        sa.Index("ix_trouble_photo_file", "firm_id", "file_id"),
    )

    subject_id: Mapped[str] = mapped_column(sa.String(36))
    agreement_id: Mapped[str] = mapped_column(sa.String(36))
    file_id: Mapped[str] = mapped_column(sa.String(36))
    name: Mapped[str] = mapped_column(sa.String(120))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    media_type: Mapped[str] = mapped_column(sa.String(80))
    size: Mapped[int]
