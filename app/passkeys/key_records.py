"""Passkeys of managers in the ledger: key.register and key.revoke records, made again from their rows each time."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import url_for
from sqlalchemy.orm import Session

from app.core.errors import NotFound, RuleBroken
from app.core.units import BERLIN, euro_text
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.firms.queries import manager_role_of, person_for, signing_limits
from app.firms.rules import covers
from app.notary.actions import append_entry, recovery_approval, seal
from app.notary.documents import Display, new_message, to_hex
from app.notary.queries import derived_secret, digest, passkey_kid, passkey_point
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
    firm, last_seq = session.get_one(Firm, passkey.firm_id), passkey.revoked_seq or passkey.registered_seq
    kid, since = to_hex(passkey_kid(passkey.public_key)), _signs_since(session, passkey)
    limit_cents = _limit(session, passkey)
    what = (
        f"Ein Schlüssel der Leitung von {firm.name} hat eine andere Grenze."
        if passkey.is_registered
        else f"Ein weiterer Schlüssel der Leitung darf für {firm.name} unterschreiben."
    )
    text = (
        f"{what}\nGerät: {passkey.name}\nSchlüssel: {kid[2:18]}\nGültig ab: {_day(since)}\n"
        f"Grenze: {'keine' if limit_cents is None else f'{euro_text(limit_cents)} EUR'}\n"
    )
    message = new_message(
        REGISTER,
        firm.address,
        firm.address,
        text,
        issued_at=since,
        record_id=_derived(session, passkey, "register id", last_seq),
        salt=_derived(session, passkey, "register salt", last_seq),
        purpose="passkey",
        kid=kid,
        public_key=to_hex(passkey_point(passkey.public_key)),
        role="manager",
        limit_cents=limit_cents or 0,
        valid_from=int(since.timestamp()),
        rp_id=urlsplit(passkey.origin).hostname or "",
        origins=(passkey.origin,),
    )
    return KeyRecord(REGISTER, "KeyRegister", message, Display("key.register.de.1", "de", text))


def revoke_record(session: Session, passkey: Passkey) -> KeyRecord:
    """The record by which a revoked passkey, or one of a former manager, signs nothing any more, for partners too."""
    firm = session.get_one(Firm, passkey.firm_id)
    until = passkey.revoked_at or _was_manager_until(session, passkey)
    if until is None:
        raise NotFound
    kid = to_hex(passkey_kid(passkey.public_key))
    text = (
        f"Ein Schlüssel der Leitung von {firm.name} ist gesperrt.\n"
        f"Gerät: {passkey.name}\nSchlüssel: {kid[2:18]}\nGesperrt seit: {_day(until)}\n"
    )
    message = new_message(
        REVOKE,
        firm.address,
        firm.address,
        text,
        issued_at=until,
        record_id=_derived(session, passkey, "revoke id", passkey.registered_seq),
        salt=_derived(session, passkey, "revoke salt", passkey.registered_seq),
        purpose="passkey",
        kid=kid,
        reason="revoked",
    )
    return KeyRecord(REVOKE, "KeyRevoke", message, Display("key.revoke.de.1", "de", text))


def due_record(session: Session, passkey: Passkey) -> KeyRecord | None:
    """The record by which the ledger follows person and passkey: the key of a manager signs, any other does not."""
    may_sign = passkey.revoked_at is None and _was_manager_until(session, passkey) is None
    is_told = not may_sign or passkey.registered_limit_cents == _limit(session, passkey)
    if passkey.is_registered == may_sign and is_told:
        return None
    return register_record(session, passkey) if may_sign else revoke_record(session, passkey)


def append_key_record(session: Session, passkey: Passkey, record: KeyRecord, approval: dict[str, Any]) -> int:
    """Append it with the firm's seal; `approval` is a manager's passkey or the recovery key. Returns its position."""
    signatures = [approval, seal(session, passkey.firm_id, record.digest)]
    seq = append_entry(
        session, passkey.firm_id, record.type, record.primary_type, record.message, record.display, signatures,
        subject_id=passkey.id,
    )  # fmt: skip
    if record.type == REGISTER:
        passkey.registered_seq, passkey.revoked_seq = seq, None
        passkey.registered_limit_cents = record.message["limitCents"] or None
    else:
        passkey.revoked_seq = seq
    bump_version(session, passkey.firm_id)
    return seq


def append_by_recovery_key(session: Session, passkey: Passkey, record: KeyRecord, seed: bytes) -> int:
    """The same, approved by the printed recovery key."""
    return append_key_record(session, passkey, record, recovery_approval(session, passkey.firm_id, record.digest, seed))


def _load_register(session: Session, actor: Actor, passkey_id: str) -> SignableDocument:
    passkey = passkey_for(session, actor.firm_id, passkey_id)
    record = due_record(session, passkey)
    if record is None or record.type != REGISTER:
        raise RuleBroken("Dieser Schlüssel wartet nicht auf eine Freigabe.")
    _check_second(session, actor, passkey)
    _check_wider(session, actor, passkey)
    return _signable(record)


def _load_revoke(session: Session, actor: Actor, passkey_id: str) -> SignableDocument:
    passkey = passkey_for(session, actor.firm_id, passkey_id)
    record = due_record(session, passkey)
    if record is None or record.type != REVOKE:
        raise RuleBroken("Dieser Schlüssel wartet nicht auf eine Sperre.")
    return _signable(record)


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


def _check_second(session: Session, actor: Actor, passkey: Passkey) -> None:
    """Where two must sign, nobody makes the second one alone."""
    role = manager_role_of(session, actor.firm_id, passkey.person_id)
    has_rule = session.get_one(Firm, actor.firm_id).two_person_above_cents is not None
    if has_rule and role is not None and role.given_by == actor.person_id:
        raise RuleBroken("Diesen Schlüssel muss eine andere Leitung freigeben.")


def _check_wider(session: Session, actor: Actor, passkey: Passkey) -> None:
    """As with the limit itself: nobody lifts the own one, or one above it."""
    wanted = _limit(session, passkey)
    if not passkey.is_registered or covers(passkey.registered_limit_cents, wanted):
        return
    own_cents = person_for(session, actor.firm_id, actor.person_id).spending_limit_cents
    if actor.person_id == passkey.person_id or not covers(own_cents, wanted):
        raise RuleBroken("Diesen Schlüssel muss eine andere Leitung freigeben.")


def _limit(session: Session, passkey: Passkey) -> int | None:
    return signing_limits(session, passkey.firm_id).get(passkey.person_id)


def _signs_since(session: Session, passkey: Passkey) -> dt.datetime:
    role = manager_role_of(session, passkey.firm_id, passkey.person_id)
    return max(passkey.created_at, role.created_at) if role else passkey.created_at


def _was_manager_until(session: Session, passkey: Passkey) -> dt.datetime | None:
    """None for a manager of today; for somebody who never was one, since the passkey is there."""
    role = manager_role_of(session, passkey.firm_id, passkey.person_id)
    return role.ended_at if role else passkey.created_at


def _derived(session: Session, passkey: Passkey, label: str, last_seq: int | None) -> str:
    return to_hex(derived_secret(session, passkey.firm_id, f"passkey {label} {passkey.id} {last_seq}"))


def _day(moment: dt.datetime) -> str:
    return moment.astimezone(BERLIN).strftime("%d.%m.%Y")


DOCUMENTS[REGISTER] = Signable(_load_register, _finish_register)
DOCUMENTS[REVOKE] = Signable(_load_revoke, _finish_revoke)
