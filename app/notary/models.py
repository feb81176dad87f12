"""The firm's ledger as rows: keys, entries, evidence, head and checkpoints."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, FirmOwned


class FirmKey(Base):
    """A key of the firm: log, cosign, seal (private part wrapped under the node key) or recovery (public part only).

    `derive` and `pdf` are no keys of the ledger. The first has no public part: from it secrets are made that need not be
    stored; the second seals PDFs, its public part is a certificate.
    """

    __tablename__ = "firm_key"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    purpose: Mapped[str] = mapped_column(sa.String(12), primary_key=True)
    public_key: Mapped[str] = mapped_column(sa.Text)
    """vkey of log and cosign; 0x address of seal; public key of recovery; certificate of pdf; '' of derive."""
    wrapped: Mapped[bytes | None]
    created_at: Mapped[dt.datetime]
    seq: Mapped[int] = mapped_column(default=0)
    """Where the record stands that brought it."""
    next_public: Mapped[str] = mapped_column(sa.Text, default="")
    """The key that follows once its record is signed; empty while none is planned."""
    next_wrapped: Mapped[bytes | None]
    next_at: Mapped[dt.datetime | None]
    next_by: Mapped[str] = mapped_column(sa.String(36), default="")
    """Who wants it."""


class LedgerHead(Base):
    """The end of a firm's log; one row, changed by compare-and-swap."""

    __tablename__ = "ledger_head"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    origin: Mapped[str] = mapped_column(sa.String(160), unique=True)
    size: Mapped[int] = mapped_column(default=0)
    last_hash: Mapped[str] = mapped_column(sa.String(64), default="")
    frontier: Mapped[list[str]]
    root: Mapped[str] = mapped_column(sa.String(64))
    signed_size: Mapped[int] = mapped_column(default=0)
    """The largest size a checkpoint was signed for; never signed below it."""
    key_seqs: Mapped[list[int]]
    """Where the key records stand, so that a key ring is read without the whole log."""
    halt: Mapped[str] = mapped_column(sa.String(12), default="")
    """Why nothing is appended: restored (partners are being asked), behind or forked (what partners saw), moved (the log
    goes on at another node), copy (it goes on where it came from), leaving (partners are being told) or left (all but the
    commitments is gone); '' goes on."""
    halted_at: Mapped[dt.datetime | None]
    moved_to: Mapped[str] = mapped_column(sa.String(120), default="")
    """Host and port of the node that the firm moved to last; '' for one that never moved."""
    moved_at: Mapped[dt.datetime | None]
    keep_until: Mapped[dt.date | None]
    """Of a firm that left: the last day on which the law wants its evidence kept."""


class LedgerEntry(Base):
    """One leaf: bytes stored and hashed as they are. Never updated, never deleted."""

    __tablename__ = "ledger_entry"
    __table_args__ = (sa.UniqueConstraint("firm_id", "digest", "type"),)

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(sa.String(30))
    leaf: Mapped[bytes]
    leaf_hash: Mapped[str] = mapped_column(sa.String(64))
    digest: Mapped[str] = mapped_column(sa.String(66))
    evidence_sha256: Mapped[str] = mapped_column(sa.String(64))
    subject_id: Mapped[str] = mapped_column(sa.String(36), default="")
    """The agreement, partner, passkey … that the entry is about, to find it again."""
    at: Mapped[dt.datetime]
    counterpart: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """Where the same record stood in the partner's log before ours: leaf, proof and checkpoint"""


class LedgerEvidence(Base):
    """Body, salt, text and signatures of an entry; the part that may be erased."""

    __tablename__ = "ledger_evidence"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    sha256: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    body: Mapped[bytes]


class LedgerCheckpoint(Base):
    """A signed note over size and root, one per size."""

    __tablename__ = "ledger_checkpoint"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[str] = mapped_column(sa.String(64))
    note: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[dt.datetime]


class LedgerAudit(Base):
    """When the firm's log was last replayed in the background, and how far the running replay has come."""

    __tablename__ = "ledger_audit"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    started_at: Mapped[dt.datetime]
    checked_at: Mapped[dt.datetime | None]
    done: Mapped[int] = mapped_column(default=0)
    size: Mapped[int] = mapped_column(default=0)
    fault_at: Mapped[int | None]
    """The first position that did not hold."""


class LedgerCosignature(Base):
    """A partner's cosignature under one of our checkpoints."""

    __tablename__ = "ledger_cosignature"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    partner_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    line: Mapped[str] = mapped_column(sa.String(400))
    """As it stands under the note."""
    vkey: Mapped[str] = mapped_column(sa.String(400))
    at: Mapped[dt.datetime]


class Witness(Base):
    """How far a partner has confirmed our log."""

    __tablename__ = "witness"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    partner_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    size: Mapped[int] = mapped_column(default=0)
    asked_at: Mapped[dt.datetime]
    answered_at: Mapped[dt.datetime | None]
    cosigned_at: Mapped[dt.datetime | None]
    """What the newest cosignature says."""
    shown_at: Mapped[dt.datetime | None]
    """When we last showed this partner what we saw of logs that it may know too."""


class WitnessedLog(Base):
    """The newest checkpoint of a partner's log that we cosigned."""

    __tablename__ = "witnessed_log"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    partner_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    origin: Mapped[str] = mapped_column(sa.String(160))
    size: Mapped[int]
    note: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[dt.datetime]


class ShownCheckpoint(Base):
    """A checkpoint of a partner's log that another partner saw, until that log has proved that it is of the same tree."""

    __tablename__ = "shown_checkpoint"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    partner_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    """Whose log it is."""
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[dt.datetime]
    asked_at: Mapped[dt.datetime]
    told_at: Mapped[dt.datetime | None]
    """When our people heard that the proof does not come."""


class LedgerAnchor(FirmOwned, Base):
    """One state of the log on its way to a public chain; what a crash interrupts is taken up from here."""

    __tablename__ = "ledger_anchor"
    __table_args__ = (sa.UniqueConstraint("firm_id", "chain_id", "contract", "size"),)

    chain_id: Mapped[int]
    contract: Mapped[str] = mapped_column(sa.String(42))
    size: Mapped[int]
    root: Mapped[str] = mapped_column(sa.String(64))
    salt: Mapped[str] = mapped_column(sa.String(66))
    """0x hex; hides the log's name on the chain. The same in all anchors of a firm, or sizes could not only grow."""
    sent: Mapped[list[dict[str, Any]]]
    """Transactions as they were signed, the newest last: hash, raw, nonce, max_fee, tip (wei)."""
    seq: Mapped[int | None]
    """Where the record stands in the log; None while the chain or the record is waited for."""


class PartnerKeys(Base):
    """What a partner's genesis and key records say: used to verify its signatures, with the records themselves."""

    __tablename__ = "partner_keys"

    firm_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    partner_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    address: Mapped[str] = mapped_column(sa.String(120), index=True)
    origin: Mapped[str] = mapped_column(sa.String(160))
    document: Mapped[dict[str, Any]]
    """Its key records with proofs and the checkpoint they stand under, as `queries.key_document` writes them."""
    updated_at: Mapped[dt.datetime]


def table_of(model: type[Base]) -> sa.Table:
    """The table for statements that are written once: they skip the unit of work, which costs more than they do."""
    return Base.metadata.tables[model.__tablename__]
