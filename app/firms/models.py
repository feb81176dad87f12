"""Firms, sites, people, roles, and the rows that say who did or saw what."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned, owned_by


class Firm(Base):
    """A legal entity that owns its rows and signs."""

    __tablename__ = "firm"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    address: Mapped[str] = mapped_column(sa.String(120), unique=True)
    """`handle@node`"""
    name: Mapped[str] = mapped_column(sa.String(120))
    short_name: Mapped[str] = mapped_column(sa.String(14))
    name_in_push: Mapped[bool] = mapped_column(default=True)
    legal_form: Mapped[str] = mapped_column(sa.String(40), default="")
    register_court: Mapped[str] = mapped_column(sa.String(80), default="")
    register_no: Mapped[str] = mapped_column(sa.String(40), default="")
    vat_id: Mapped[str] = mapped_column(sa.String(20), default="")
    street: Mapped[str] = mapped_column(sa.String(120), default="")
    postcode: Mapped[str] = mapped_column(sa.String(5))
    town: Mapped[str] = mapped_column(sa.String(80))
    is_demo: Mapped[bool] = mapped_column(default=False)
    two_person_above_cents: Mapped[int | None]
    """Agreements above this sum need two managers; None: never."""
    is_anchored: Mapped[bool] = mapped_column(default=False)
    """The state of the log goes to the public chain of the node, salted, if the node has one."""
    recovery_printed_at: Mapped[dt.datetime | None]
    """No signature before the printed recovery key was confirmed."""
    witness_quorum: Mapped[int] = mapped_column(default=0)
    """How many partners must have cosigned a checkpoint of ours before others should believe it."""
    version: Mapped[int] = mapped_column(default=0)
    """Bumped by every writing transaction that changes what this firm sees; polled fragments compare it."""
    created_at: Mapped[dt.datetime]


class Site(FirmOwned, Base):
    __tablename__ = "site"

    name: Mapped[str] = mapped_column(sa.String(80))
    street: Mapped[str] = mapped_column(sa.String(120), default="")
    postcode: Mapped[str] = mapped_column(sa.String(5))
    town: Mapped[str] = mapped_column(sa.String(80))
    lat: Mapped[float]
    lon: Mapped[float]
    corpus_christi: Mapped[bool] = mapped_column(default=False)
    shift_minutes: Mapped[list[int]]
    """Seven numbers, Monday first."""
    unattended_min: Mapped[int] = mapped_column(default=0)
    first_hour: Mapped[int] = mapped_column(default=6)
    """At which the first shift of a day begins"""


class Closure(FirmOwned, Base):
    """Days on which a site is shut (`is_extra` false) or works although it would not (`is_extra` true)."""

    __tablename__ = "closure"
    __table_args__ = (owned_by("site", "site_id"),)

    site_id: Mapped[str] = mapped_column(sa.String(36))
    first_day: Mapped[dt.date]
    last_day: Mapped[dt.date]
    name: Mapped[str] = mapped_column(sa.String(80), default="")
    is_extra: Mapped[bool] = mapped_column(default=False)


class Person(FirmOwned, Base):
    """A human in one firm."""

    __tablename__ = "person"

    name: Mapped[str] = mapped_column(sa.String(80))
    phone: Mapped[str] = mapped_column(sa.String(40), default="")
    email: Mapped[str] = mapped_column(sa.String(120), default="")
    language: Mapped[str] = mapped_column(sa.String(5), default="de")
    light: Mapped[str] = mapped_column(sa.String(10), default="")
    hand: Mapped[str] = mapped_column(sa.String(12), default="")
    quiet_from: Mapped[int] = mapped_column(default=18)
    quiet_to: Mapped[int] = mapped_column(default=6)
    quiet_weekend: Mapped[bool] = mapped_column(default=True)
    deputy_id: Mapped[str | None] = mapped_column(sa.String(36))
    is_absent: Mapped[bool] = mapped_column(default=False)
    spending_limit_cents: Mapped[int | None]
    """Managers only; None: no limit of their own."""
    introduced_at: Mapped[dt.datetime | None]
    """When a worker said "Verstanden" below the first words of Heute"""
    left_at: Mapped[dt.datetime | None]


class Membership(FirmOwned, Base):
    """One role of one person, from when to when."""

    __tablename__ = "membership"
    __table_args__ = (owned_by("person", "person_id"), sa.Index("ix_membership_person", "firm_id", "person_id"))

    person_id: Mapped[str] = mapped_column(sa.String(36))
    role: Mapped[str] = mapped_column(sa.String(12))
    given_by: Mapped[str | None] = mapped_column(sa.String(36))
    """Who handed it out; None for the founder."""
    ended_at: Mapped[dt.datetime | None]


class RuleChange(FirmOwned, Base):
    """A two-person rule that one manager wants wider or gone, until another one approves it."""

    __tablename__ = "rule_change"

    above_cents: Mapped[int | None]
    """As the firm's `two_person_above_cents`."""
    asked_by: Mapped[str] = mapped_column(sa.String(36))
    approved_by: Mapped[str | None] = mapped_column(sa.String(36))
    approved_at: Mapped[dt.datetime | None]


class AuditEvent(FirmOwned, Base):
    """Who did what, or saw another firm's price or hours. `about_firm_id` is the firm whose data it was."""

    __tablename__ = "audit_event"
    __table_args__ = (
        sa.UniqueConstraint("firm_id", "once_key"),
        sa.Index("ix_audit_event_about", "firm_id", "about_firm_id"),
    )

    person_id: Mapped[str | None] = mapped_column(sa.String(36))
    verb: Mapped[str] = mapped_column(sa.String(40))
    object_kind: Mapped[str] = mapped_column(sa.String(30), default="")
    object_id: Mapped[str] = mapped_column(sa.String(36), default="")
    about_firm_id: Mapped[str | None] = mapped_column(sa.String(36))
    detail: Mapped[dict[str, Any]]
    """Values for the sentence that the Protokoll shows; never a price of another firm."""
    once_key: Mapped[str | None] = mapped_column(sa.String(120))


class RateLimitRow(Base):
    """Counters of Flask-Limiter, shared between processes."""

    __tablename__ = "rate_limit"

    key: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    count: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[float]


class NodeSetting(Base):
    """What the node made for itself at first start, such as its push keys (wrapped)."""

    __tablename__ = "node_setting"

    key: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text)
