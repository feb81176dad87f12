"""Signatures of the firm and its people in the form that the ledger keeps, and their check."""

from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.notary.documents import passkey_kid
from app.notary.heads import stored_head
from app.notary.keys import seal_key
from app.notary.models import FirmKey, PartnerKeys
from app.notary.queries import address, origin
from app.notary.rings import keys_under, partner_keys
from ledger.encoding import from_hex
from ledger.errors import VerificationError
from ledger.evidence import key_signature, passkey_signature, seal_signature
from ledger.firm_keys import FirmKeys, Position
from ledger.keys import recovery_public_key
from ledger.note import Signer
from ledger.signatures import prepare_passkey, prepare_seal, run_once, sign_key_proof, sign_seal

Signature = dict[str, Any]


def seal(session: Session, firm_id: str, digest: bytes) -> Signature:
    """Sign a digest in the firm's name. A seal alone never binds: records ask for a passkey beside it."""
    key, seal_address = seal_key(session, firm_id)
    return seal_signature(address(session, firm_id), seal_address, sign_seal(digest, key))


def passkey_approval(
    session: Session, firm_id: str, role: str, public_key: bytes, key_seq: int, assertion: dict[str, bytes]
) -> Signature:
    """The ledger's form of a passkey assertion (authenticatorData, clientDataJSON, signature as bytes), s made low."""
    place = (origin(session, firm_id), key_seq)
    return passkey_signature(role, address(session, firm_id), passkey_kid(public_key), place, assertion)


def log_signature(party: str, log: str, digest: bytes, key: Signer) -> Signature:
    """The log key's agreement to its own genesis record."""
    return key_signature("log", party, _kid(key.verifier.public_key), (log, 0), sign_key_proof(digest, key.seed))


def recovery_approval(session: Session, firm_id: str, digest: bytes, seed: bytes) -> Signature:
    """A key record approved by the firm's printed recovery key."""
    place = session.get_one(FirmKey, (firm_id, "recovery")).seq
    return recovery_signature(address(session, firm_id), origin(session, firm_id), place, digest, seed)


def recovery_signature(party: str, log: str, key_seq: int, digest: bytes, seed: bytes) -> Signature:
    """The recovery key's agreement to a key record."""
    kid = _kid(recovery_public_key(seed))
    return key_signature("recovery", party, kid, (log, key_seq), sign_key_proof(digest, seed))


def check_signature(
    session: Session, firm_id: str, partner_id: str | None, digest: bytes, signature: Signature, seq: int | None = None
) -> None:
    """Raises RuleBroken unless the signature holds now: of our own firm, or of that partner.

    `seq`: a partner's signature holds as of that position of its log, where the signed record is proved to stand.
    """
    try:
        keys, place = _ring(session, firm_id, partner_id, seq)
        _check_one(keys, place, digest, signature)
    except (VerificationError, KeyError, TypeError) as error:
        raise RuleBroken("Diese Unterschrift stimmt nicht. Es wurde nichts gespeichert.") from error


def _ring(session: Session, firm_id: str, partner_id: str | None, seq: int | None) -> tuple[FirmKeys, Position]:
    now_s = int(clock.now().timestamp())
    if partner_id is None:
        head = stored_head(session, firm_id)
        if head is None:
            raise VerificationError("no ledger of this firm")
        return keys_under(session, head), Position(head.size, now_s)
    row = session.get(PartnerKeys, (firm_id, partner_id))
    keys = None if row is None else partner_keys(session, firm_id, row.address)
    if keys is None:
        raise VerificationError("no keys of this partner")
    return keys, Position(seq, now_s)


def _check_one(keys: FirmKeys, place: Position, digest: bytes, signature: Signature) -> None:
    if signature.get("party") != keys.firm:
        raise VerificationError("signed by another firm")
    if signature.get("kind") == "seal":
        keys.check_seal(signature["address"], place)
        return run_once(prepare_seal(digest, from_hex(signature["signature"], length=65), signature["address"]))
    if signature.get("kind") != "passkey" or signature["keyAt"]["log"] != keys.origin:
        raise VerificationError("not a signature of a person or seal of this firm")
    key = keys.passkey(signature["kid"], signature["keyAt"]["seq"], signature["role"], place)
    return run_once(prepare_passkey(digest, signature, key.public_key, key.origins, key.rp_id))


def _kid(public_key: bytes) -> bytes:
    return sha256(public_key).digest()
