"""A new key of the firm in the place of an old one: made, kept aside until its record is signed, then put in force."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound
from app.notary.keys import rewrapped
from app.notary.models import FirmKey
from app.notary.queries import origin
from ledger import keys
from ledger.encoding import from_hex, to_hex
from ledger.firm_keys import key_id
from ledger.note import Signer, parse_vkey
from ledger.signatures import seal_address

PURPOSES = ("seal", "log", "cosign", "recovery")


def firm_keys(session: Session, firm_id: str) -> list[FirmKey]:
    """The firm's keys, in the order in which people see them."""
    return [session.get_one(FirmKey, (firm_id, purpose)) for purpose in PURPOSES]


def firm_key(session: Session, firm_id: str, purpose: str) -> FirmKey:
    """One of them; raises NotFound."""
    row = session.get(FirmKey, (firm_id, purpose)) if purpose in PURPOSES else None
    if row is None:
        raise NotFound
    return row


def plan_key(session: Session, firm_id: str, purpose: str, person_id: str, node_key: bytes) -> None:
    """Make the key that shall follow; a colleague who wants it too finds the same one."""
    row = firm_key(session, firm_id, purpose)
    if row.next_at is not None:
        return
    log = origin(session, firm_id)
    private, row.next_public = _new_key(purpose, log)
    row.next_wrapped = keys.wrap_key(private, node_key, purpose, log)
    row.next_at, row.next_by = clock.now(), person_id


def forget_planned_key(session: Session, firm_id: str, purpose: str) -> None:
    """Nobody wants it any more; nothing was signed."""
    _clear(firm_key(session, firm_id, purpose))


def put_in_force(session: Session, firm_id: str, purpose: str, seq: int) -> None:
    """Its record stands at `seq`: from here on the new key signs, and the old one is gone from this node."""
    row = firm_key(session, firm_id, purpose)
    row.public_key, row.wrapped, row.created_at, row.seq = row.next_public, row.next_wrapped, clock.now(), seq
    _clear(row)
    session.flush()


def public_bytes(purpose: str, public_key: str) -> bytes:
    """A key of a key row as records name it: seal 20 bytes, the others 32."""
    return parse_vkey(public_key).public_key if purpose in ("log", "cosign") else from_hex(public_key)


def kid_of(purpose: str, public_key: str) -> str:
    """The id of a key in records, 0x hex."""
    return key_id(public_bytes(purpose, public_key))


def rewrap_keys(session: Session, old: bytes, new: bytes) -> int:
    """Close all firms' keys under another node key; returns how many. Raises VerificationError where neither key opens one."""
    rows = session.scalars(sa.select(FirmKey)).all()
    for row in rows:
        log = origin(session, row.firm_id)
        row.wrapped = rewrapped(row.wrapped, old, new, row.purpose, log)
        row.next_wrapped = rewrapped(row.next_wrapped, old, new, row.purpose, log)
    return len(rows)


def _new_key(purpose: str, log: str) -> tuple[bytes, str]:
    """Private bytes, and the public part as a key row holds it."""
    if purpose == "seal":
        secret = keys.generate_seal_key()
        return secret, seal_address(secret)
    if purpose == "recovery":
        seed = keys.generate_recovery_key()
        return seed, to_hex(keys.recovery_public_key(seed))
    signer: Signer = keys.generate_log_key(log) if purpose == "log" else keys.generate_cosigner_key(log)
    return signer.seed, signer.verifier.vkey


def _clear(row: FirmKey) -> None:
    row.next_public, row.next_wrapped, row.next_at, row.next_by = "", None, None, ""
