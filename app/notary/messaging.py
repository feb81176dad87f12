"""The key that signs a firm's messages to other nodes: made from its secret, vouched for by its log key."""

from functools import lru_cache
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.orm import Session

from app.notary.keys import derived_secret, log_signer
from app.notary.rings import verify_key_document
from ledger import checkpoint
from ledger import note as notes
from ledger.encoding import from_b64, to_b64
from ledger.errors import VerificationError

TITLE = "werkring message key v1"


class MessageKey(NamedTuple):
    """The key of one firm; `kid` changes with the log key, for a firm that renews one renews both."""

    kid: str
    private: Ed25519PrivateKey


class SenderKey(NamedTuple):
    """What a key document says about the key of a partner's messages."""

    kid: str
    public: Ed25519PublicKey


def message_key(session: Session, firm_id: str) -> MessageKey:
    """The key by which our messages are known. It is never the log key: one key, one purpose."""
    vkey = log_signer(session, firm_id).verifier.vkey
    seed = derived_secret(session, firm_id, f"message key {vkey}")
    key = _private(seed)
    return MessageKey(_kid(key.public_key()), key)


def message_key_note(session: Session, firm_id: str) -> str:
    """The log key's word for the message key: a signed note of three lines."""
    signer = log_signer(session, firm_id)
    public = message_key(session, firm_id).private.public_key().public_bytes_raw()
    return notes.sign(f"{TITLE}\n{signer.verifier.name}\n{to_b64(public)}\n", signer)


def sender_key(document: dict[str, Any]) -> SenderKey:
    """The message key that a key document names, with every record behind it checked; raises VerificationError."""
    note = document.get("message")
    if type(note) is not str:
        raise VerificationError("the key document names no key for messages")
    keys = verify_key_document(document)
    size = checkpoint.parse(notes.parse(document["checkpoint"]).text).size
    return _vouched(note, keys.origin, keys.log_key(size).vkey)


@lru_cache(maxsize=1024)
def _vouched(note: str, origin: str, log_vkey: str) -> SenderKey:
    notes.open(note, [log_vkey])
    lines = notes.parse(note).text.split("\n")
    if len(lines) != 4 or lines[:2] != [TITLE, origin] or lines[3]:
        raise VerificationError("not a note about a message key")
    public = Ed25519PublicKey.from_public_bytes(from_b64(lines[2], length=32))
    return SenderKey(_kid(public), public)


@lru_cache(maxsize=1024)
def _private(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def _kid(public: Ed25519PublicKey) -> str:
    """The first eight bytes in hex: it only chooses among keys, it proves nothing."""
    return public.public_bytes_raw().hex()[:16]
