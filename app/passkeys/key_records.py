"""Passkeys of managers in the ledger: key.register and key.revoke records, made again from their rows each time."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from app.core.errors import NotFound, RuleBroken
from app.core.units import BERLIN
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm, Person
from app.notary.actions import append_entry, recovery_approval, seal
from app.notary.documents import Display, new_message, to_hex
from app.notary.queries import derived_secret, digest, passkey_kid, passkey_point, web_address
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument
from app.passkeys.models import Passkey
from app.passkeys.queries import passkey_for

REGISTER, REVOKE = "key.register", "key.revoke"


@dataclass(frozen=True)
class KeyRecord:
    """A key record before it is signed."""

    type: str
    primary_type: str
    message: dict[str, Any]
    display: Display

    @property
    def digest(self) -> bytes:
        return digest(self.primary_type, self.message)


def register_record(session: Session, passkey: Passkey) -> KeyRecord:
    """The record by which a manager's passkey may sign; the same each time while person and firm stay the same."""
    firm, person = _owners(session, passkey)
    kid = to_hex(passkey_kid(passkey.public_key))
    rp_id, origins = web_address(session, firm.id)
    text = (
        f"Ein weiterer Schlüssel der Leitung darf für {firm.name} unterschreiben.\n"
        f"Gerät: {passkey.name}\nSchlüssel: {kid[2:18]}\nGültig ab: {_day(passkey.created_at)}\n"
    )
    message = new_message(
        REGISTER,
        firm.address,
        firm.address,
        text,
        issued_at=passkey.created_at,
        record_id=_derived(session, passkey, "register id"),
        salt=_derived(session, passkey, "register salt"),
        purpose="passkey",
        kid=kid,
        public_key=to_hex(passkey_point(passkey.public_key)),
        role="manager",
        limit_cents=person.spending_limit_cents or 0,
        valid_from=int(passkey.created_at.timestamp()),
        rp_id=rp_id,
        origins=origins,
    )
    return KeyRecord(REGISTER, "KeyRegister", message, Display("key.register.de.1", "de", text))


def revoke_record(session: Session, passkey: Passkey) -> KeyRecord:
    """The record by which a revoked passkey signs nothing any more, for partners too."""
    firm, _ = _owners(session, passkey)
    if passkey.revoked_at is None:
        raise NotFound
    kid = to_hex(passkey_kid(passkey.public_key))
    text = (
        f"Ein Schlüssel der Leitung von {firm.name} ist gesperrt.\n"
        f"Gerät: {passkey.name}\nSchlüssel: {kid[2:18]}\nGesperrt seit: {_day(passkey.revoked_at)}\n"
    )
    message = new_message(
        REVOKE,
        firm.address,
        firm.address,
        text,
        issued_at=passkey.revoked_at,
        record_id=_derived(session, passkey, "revoke id"),
        salt=_derived(session, passkey, "revoke salt"),
        purpose="passkey",
        kid=kid,
        reason="revoked",
    )
    return KeyRecord(REVOKE, "KeyRevoke", message, Display("key.revoke.de.1", "de", text))


def append_key_record(session: Session, passkey: Passkey, record: KeyRecord, approval: dict[str, Any]) -> int:
    """Append it with the firm's seal; `approval` is a manager's passkey or the recovery key. Returns its position."""
    signatures = [approval, seal(session, passkey.firm_id, record.digest)]
    seq = append_entry(
        session, passkey.firm_id, record.type, record.primary_type, record.message, record.display, signatures,
        subject_id=passkey.id,
    )  # fmt: skip
    if record.type == REGISTER:
        passkey.registered_seq = seq
    else:
        passkey.revoked_seq = seq
    bump_version(session, passkey.firm_id)
    return seq


def append_by_recovery_key(session: Session, passkey: Passkey, record: KeyRecord, seed: bytes) -> int:
    """The same, approved by the printed recovery key."""
    return append_key_record(session, passkey, record, recovery_approval(session, passkey.firm_id, record.digest, seed))


def _load_register(session: Session, actor: Actor, passkey_id: str) -> SignableDocument:
    passkey = passkey_for(session, actor.firm_id, passkey_id)
    if passkey.revoked_at is not None or passkey.registered_seq is not None:
        raise RuleBroken("Dieser Schlüssel wartet nicht mehr auf eine Freigabe.")
    return _signable(register_record(session, passkey))


def _load_revoke(session: Session, actor: Actor, passkey_id: str) -> SignableDocument:
    passkey = passkey_for(session, actor.firm_id, passkey_id)
    if passkey.revoked_seq is not None or passkey.registered_seq is None:
        raise RuleBroken("Dieser Schlüssel ist schon gesperrt.")
    return _signable(revoke_record(session, passkey))


def _signable(record: KeyRecord) -> SignableDocument:
    return SignableDocument(
        record.digest,
        record.display.text,
        url_for("passkeys.devices"),
        "keys.edit",
        receipt="Bestätigt.",
        needs_recovery_sheet=False,
    )


def _finish_register(session: Session, actor: Actor, passkey_id: str, approval: dict[str, Any]) -> str:
    passkey = passkey_for(session, actor.firm_id, passkey_id)
    append_key_record(session, passkey, register_record(session, passkey), approval)
    note_event(session, actor.firm_id, actor.person_id, "key_registered", "person", passkey.person_id)
    return url_for("passkeys.devices")


def _finish_revoke(session: Session, actor: Actor, passkey_id: str, approval: dict[str, Any]) -> str:
    passkey = passkey_for(session, actor.firm_id, passkey_id)
    append_key_record(session, passkey, revoke_record(session, passkey), approval)
    return url_for("passkeys.devices")


def _owners(session: Session, passkey: Passkey) -> tuple[Firm, Person]:
    return session.get_one(Firm, passkey.firm_id), session.get_one(Person, (passkey.firm_id, passkey.person_id))


def _derived(session: Session, passkey: Passkey, label: str) -> str:
    return to_hex(derived_secret(session, passkey.firm_id, f"passkey {label} {passkey.id}"))


def _day(moment: dt.datetime) -> str:
    return moment.astimezone(BERLIN).strftime("%d.%m.%Y")


DOCUMENTS[REGISTER] = Signable(_load_register, _finish_register)
DOCUMENTS[REVOKE] = Signable(_load_revoke, _finish_revoke)
