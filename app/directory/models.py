"""Tables of the directory: entries, approaches, introductions, and what linked nodes show."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned


class DirectoryEntry(Base):
    """All that a firm chose to show to strangers, and nothing else; name and town stand with the firm. No row: hidden."""

    __tablename__ = "directory_entry"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    is_listed: Mapped[bool] = mapped_column(default=False)
    """Firms of this node find it in the directory."""
    is_far: Mapped[bool] = mapped_column(default=False)
    """Firms of linked nodes find it too, as long as it is listed."""
    is_public: Mapped[bool] = mapped_column(default=False)
    """Its profile page is open to everybody."""
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    certificates: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    """[{key, name, valid_to}], as told to partners"""
    updated_at: Mapped[dt.datetime]


class DirectoryProcess(Base):
    """One process of a firm that shows itself, in the words of the industry pack."""

    __tablename__ = "directory_process"
    __table_args__ = (sa.Index("ix_directory_process_key", "process_key", "firm_id"),)

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    process_key: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    de: Mapped[str] = mapped_column(sa.String(80))
    en: Mapped[str] = mapped_column(sa.String(80))


class Approach(FirmOwned, Base):
    """A firm of the directory asks another one to become partners: one row in each house, under the same id."""

    __tablename__ = "approach"
    __table_args__ = (sa.Index("ix_approach_peer", "firm_id", "peer_id"),)

    direction: Mapped[str] = mapped_column(sa.String(3))
    """out or in"""
    peer_id: Mapped[str] = mapped_column(sa.String(36))
    address: Mapped[str] = mapped_column(sa.String(120))
    name: Mapped[str] = mapped_column(sa.String(120))
    town: Mapped[str] = mapped_column(sa.String(80))
    state: Mapped[str] = mapped_column(sa.String(10))
    """waiting, accepted or declined"""
    person_id: Mapped[str | None] = mapped_column(sa.String(36))
    """Who asked, or who answered"""
    answered_at: Mapped[dt.datetime | None]
    node: Mapped[str] = mapped_column(sa.String(120), default="")
    """Host and port of the linked node where the other firm lives; '' for one of this node."""
    link: Mapped[str] = mapped_column(sa.Text, default="")
    """Across nodes: the invitation of the firm that asks, for the other one"""
    sent_at: Mapped[dt.datetime | None]
    """Across nodes: when the other node took it"""


class LinkedNode(Base):
    """A node whose operator and ours agreed to show each other their directories; both entered the same code."""

    __tablename__ = "linked_node"

    node: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(64))
    linked_at: Mapped[dt.datetime]
    asked_at: Mapped[dt.datetime | None]
    heard_at: Mapped[dt.datetime | None]
    """When it last told us its entries."""


class FarEntry(Base):
    """An entry in the directory of a linked node, as that node told it."""

    __tablename__ = "far_entry"
    __table_args__ = (sa.UniqueConstraint("node", "address"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    node: Mapped[str] = mapped_column(sa.String(120))
    address: Mapped[str] = mapped_column(sa.String(120))
    name: Mapped[str] = mapped_column(sa.String(120))
    town: Mapped[str] = mapped_column(sa.String(80))
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    processes: Mapped[list[dict[str, Any]]]
    """[{key, de, en}]"""
    certificates: Mapped[list[dict[str, Any]]]
    """[{key, name, valid_to}]"""


class Introduction(FirmOwned, Base):
    """We, in the middle, propose that two of our partners get to know each other. Neither learns the other's answer."""

    __tablename__ = "introduction"

    person_id: Mapped[str] = mapped_column(sa.String(36))
    one_id: Mapped[str] = mapped_column(sa.String(36))
    other_id: Mapped[str] = mapped_column(sa.String(36))
    one_offer: Mapped[str] = mapped_column(sa.String(36))
    """Under this id the first one knows it: the two cannot compare"""
    other_offer: Mapped[str] = mapped_column(sa.String(36))
    one_answer: Mapped[str] = mapped_column(sa.String(3), default="")
    """yes, no or ''"""
    other_answer: Mapped[str] = mapped_column(sa.String(3), default="")
    one_link: Mapped[str] = mapped_column(sa.Text, default="")
    """The invitation that came with the first one's yes, for the other one"""
    other_link: Mapped[str] = mapped_column(sa.Text, default="")
    expires_at: Mapped[dt.datetime]


class IntroductionOffer(FirmOwned, Base):
    """A partner proposes a firm to us: by what it does and where about it is, until both have said yes."""

    __tablename__ = "introduction_offer"

    from_id: Mapped[str] = mapped_column(sa.String(36))
    """The partner in the middle"""
    processes: Mapped[list[dict[str, Any]]]
    """[{key, de, en}]"""
    region: Mapped[str] = mapped_column(sa.String(2))
    """The first two digits of its postcode"""
    answer: Mapped[str] = mapped_column(sa.String(3), default="")
    answered_by: Mapped[str | None] = mapped_column(sa.String(36))
    name: Mapped[str] = mapped_column(sa.String(120), default="")
    """From here on: what we learn once both said yes"""
    town: Mapped[str] = mapped_column(sa.String(80), default="")
    address: Mapped[str] = mapped_column(sa.String(120), default="")
    link: Mapped[str] = mapped_column(sa.Text, default="")
    expires_at: Mapped[dt.datetime]
