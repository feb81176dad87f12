"""New keys of the firm in the place of old ones: key.rotate records, approved by a manager's passkey."""

from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from app.core.errors import NotFound, RuleBroken
from app.core.units import BERLIN
from app.core.words import N_
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.notary.actions import append_entry, seal
from app.notary.documents import Display, new_message, to_hex
from app.notary.models import FirmKey
from app.notary.queries import derived_secret
from app.notary.rotation import firm_key, kid_of, public_bytes, put_in_force
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument
from app.passkeys.key_records import KeyRecord

ROTATE = "key.rotate"
KEY_NAMES = {
    "seal": N_("Siegel"),
    "log": N_("Logbuch-Schlüssel"),
    "cosign": N_("Zeugen-Schlüssel"),
    "recovery": N_("Notfallschlüssel"),
}


def rotate_record(session: Session, firm_id: str, purpose: str) -> KeyRecord:
    """The record that puts the planned key in the place of the old one; raises NotFound when none is planned."""
    row, firm = firm_key(session, firm_id, purpose), session.get_one(Firm, firm_id)
    if row.next_at is None:
        raise NotFound
    kid, old_kid = kid_of(purpose, row.next_public), kid_of(purpose, row.public_key)
    text = (
        f"{firm.name} ersetzt einen Schlüssel des Betriebs: {KEY_NAMES[purpose]}.\n"
        f"Alter Schlüssel: {old_kid[2:18]}\nNeuer Schlüssel: {kid[2:18]}\n"
        f"Gültig ab: {row.next_at.astimezone(BERLIN):%d.%m.%Y}\n"
    )
    message = new_message(
        ROTATE,
        firm.address,
        firm.address,
        text,
        issued_at=row.next_at,
        record_id=_derived(session, row, "id"),
        salt=_derived(session, row, "salt"),
        purpose=purpose,
        old_kid=old_kid,
        kid=kid,
        public_key=to_hex(public_bytes(purpose, row.next_public)),
        role="",
        limit_cents=0,
        valid_from=int(row.next_at.timestamp()),
        rp_id="",
        origins=(),
    )
    return KeyRecord(ROTATE, "KeyRotate", message, Display("key.rotate.de.1", "de", text))


def rotate_key(session: Session, actor: Actor, purpose: str, approval: dict[str, Any]) -> None:
    """Put the planned key in force: the record is sealed with the old key, what is signed after it bears the new one."""
    record = rotate_record(session, actor.firm_id, purpose)
    signatures = [approval, seal(session, actor.firm_id, record.digest)]
    seq = append_entry(
        session, actor.firm_id, ROTATE, record.primary_type, record.message, record.display, signatures,
        subject_id=purpose,
    )  # fmt: skip
    put_in_force(session, actor.firm_id, purpose, seq)
    note_event(session, actor.firm_id, actor.person_id, "key_rotated", detail={"purpose": purpose})
    bump_version(session, actor.firm_id)


def _load(session: Session, actor: Actor, purpose: str) -> SignableDocument:
    record = rotate_record(session, actor.firm_id, purpose)
    has_rule = session.get_one(Firm, actor.firm_id).two_person_above_cents is not None
    if has_rule and firm_key(session, actor.firm_id, purpose).next_by == actor.person_id:
        raise RuleBroken("Das muss eine andere Leitung bestätigen.")
    return SignableDocument(
        record.digest, record.display.text, url_for("passkeys.firm_keys"), "keys.edit", receipt="Bestätigt."
    )


def _finish(session: Session, actor: Actor, purpose: str, approval: dict[str, Any]) -> str:
    rotate_key(session, actor, purpose, approval)
    if purpose != "recovery":
        return url_for("passkeys.firm_keys")
    session.get_one(Firm, actor.firm_id).recovery_printed_at = None
    return url_for("passkeys.recovery_sheet")


def _derived(session: Session, row: FirmKey, label: str) -> str:
    return to_hex(derived_secret(session, row.firm_id, f"rotate {label} {row.next_public}"))


DOCUMENTS[ROTATE] = Signable(_load, _finish)
