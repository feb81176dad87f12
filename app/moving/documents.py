"""Taking everything as a document: a manager confirms it with the passkey, however long the phone lay open."""

import hashlib
from typing import Any

import sqlalchemy as sa
from flask import url_for
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound
from app.firms.access import Actor
from app.firms.queries import firm_of
from app.moving.exporting import note_export
from app.moving.forgetting import check_may_leave, kept_until, leave_for_good
from app.moving.rules import CONFIRMED_FOR
from app.notary.queries import derived_secret
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument
from app.passkeys.models import Approval
from app.web.world import config

EXPORT, LEAVE = "firm.export", "firm.leave"


def export_text(session: Session, actor: Actor, export_id: str) -> str:
    """What the manager reads; its digest is what the passkey signs."""
    return (
        f"{firm_of(session, actor.firm_id).name} nimmt eine Kopie aller Daten mit.\n"
        f"Wer: {actor.name}\nTag: {clock.today():%d.%m.%Y}\nVorgang: {export_id}\n"
    )


def export_digest(text: str) -> bytes:
    return hashlib.sha256(f"werkring/firm-export/v1\n{text}".encode()).digest()


def leave_text(session: Session, actor: Actor, leave_id: str) -> str:
    """What the manager reads and signs before everything here is erased."""
    last = kept_until(session, actor.firm_id)
    proofs = f" Verträge bleiben verschlossen bis {last:%d.%m.%Y}, wie das Gesetz es will." if last else ""
    return (
        f"{firm_of(session, actor.firm_id).name} verlässt diesen Server für immer.\n"
        f"Wer: {actor.name}\nTag: {clock.today():%d.%m.%Y}\n"
        "Gelöscht werden alle Daten, Dateien, Leute und Schlüssel. Niemand kann sie zurückholen.\n"
        f"Es bleiben die Adresse und Prüfsummen.{proofs}\n"
        "Partner erfahren es und behalten ihre Kopien.\n"
        f"Vorgang: {leave_id}\n"
    )


def leave_digest(text: str) -> bytes:
    return hashlib.sha256(f"werkring/firm-leave/v1\n{text}".encode()).digest()


def confirmed_key(session: Session, actor: Actor, export_id: str) -> bytes:
    """The transfer key of what this person confirmed within the last hour, made again each time; raises NotFound."""
    known = sa.select(Approval.digest).where(
        Approval.firm_id == actor.firm_id,
        Approval.document_kind == EXPORT,
        Approval.document_id == export_id,
        Approval.person_id == actor.person_id,
        Approval.created_at > clock.now() - CONFIRMED_FOR,
    )
    digest = session.scalar(known.limit(1))
    if digest is None:
        raise NotFound
    return derived_secret(session, actor.firm_id, f"transfer {export_id} {digest}")


def _load(session: Session, actor: Actor, export_id: str) -> SignableDocument:
    if config().is_practice:
        raise NotFound
    text = export_text(session, actor, export_id)
    return SignableDocument(
        export_digest(text),
        text,
        url_for("moving.archive", export_id=export_id),
        "firm.export",
        receipt="Bestätigt.",
        needs_recovery_sheet=False,
    )


def _finish(session: Session, actor: Actor, export_id: str, _approval: dict[str, Any]) -> str:
    note_export(session, actor.firm_id, actor.person_id)
    return url_for("moving.archive", export_id=export_id)


def _load_leave(session: Session, actor: Actor, leave_id: str) -> SignableDocument:
    if config().is_practice:
        raise NotFound
    check_may_leave(session, actor.firm_id)
    text = leave_text(session, actor, leave_id)
    return SignableDocument(
        leave_digest(text),
        text,
        url_for("firms.home"),
        "firm.export",
        receipt="Euer Betrieb verlässt diesen Server.",
        needs_recovery_sheet=False,
    )


def _finish_leave(session: Session, actor: Actor, _leave_id: str, _approval: dict[str, Any]) -> str:
    leave_for_good(session, actor.firm_id, actor.person_id)
    return url_for("firms.home")


DOCUMENTS[LEAVE] = Signable(_load_leave, _finish_leave)
DOCUMENTS[EXPORT] = Signable(_load, _finish)
