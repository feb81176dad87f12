"""The firm's private keys: wrapped under the node key in the database, opened once per process."""

import hashlib
import hmac
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.notary.models import FirmKey, LedgerHead, table_of
from ledger.errors import VerificationError
from ledger.keys import unwrap_key, wrap_key
from ledger.note import Signer, parse_vkey

_node_keys: list[bytes] = []
_KEY, _HEAD = table_of(FirmKey), table_of(LedgerHead)
_ORIGIN = sa.select(_HEAD.c.origin).where(_HEAD.c.firm_id == sa.bindparam("firm"))
_KEY_WITH_ORIGIN = (
    sa.select(_KEY.c.public_key, _KEY.c.wrapped, _HEAD.c.origin)
    .join(_HEAD, _HEAD.c.firm_id == _KEY.c.firm_id)
    .where(_KEY.c.firm_id == sa.bindparam("firm"), _KEY.c.purpose == sa.bindparam("what"))
)


class PdfKey(NamedTuple):
    """A private key and the certificate over it, both PEM."""

    private: bytes
    certificate: str


def use_node_key(node_key: bytes) -> None:
    """Let this process open keys that were wrapped under `node_key` (32 bytes); each world has its own."""
    if node_key not in _node_keys:
        _node_keys.append(node_key)


def is_opened_by(session: Session, node_key: bytes) -> bool:
    """Say whether a node key opens the firms' keys of this database; True where there is no firm yet."""
    row = session.scalar(sa.select(FirmKey).where(FirmKey.wrapped.is_not(None)).limit(1))
    if row is None or row.wrapped is None:
        return True
    try:
        unwrap_key(row.wrapped, node_key, row.purpose, _origin(session, row.firm_id))
    except VerificationError:
        return False
    return True


def log_signer(session: Session, firm_id: str) -> Signer:
    """The key that signs the firm's checkpoints."""
    return _signer(session, firm_id, "log")


def cosigner(session: Session, firm_id: str) -> Signer:
    """The key by which the firm witnesses its partners' logs."""
    return _signer(session, firm_id, "cosign")


def seal_key(session: Session, firm_id: str) -> tuple[bytes, str]:
    """The firm's secp256k1 private key, 32 bytes, and its 0x address."""
    row = _key(session, firm_id, "seal")
    return _opened("seal", row.wrapped, row.origin), row.public_key


def pdf_key(session: Session, firm_id: str) -> PdfKey:
    """The key that seals the firm's PDFs."""
    row = _key(session, firm_id, "pdf")
    return PdfKey(_opened("pdf", row.wrapped, row.origin), row.public_key)


def recovery_seed(session: Session, firm_id: str) -> bytes | None:
    """The recovery key until its print was confirmed; None ever after."""
    row = session.get(FirmKey, (firm_id, "recovery"))
    if row is None or row.wrapped is None:
        return None
    return open_wrapped(row.wrapped, "recovery", _origin(session, firm_id))


def derived_secret(session: Session, firm_id: str, label: str) -> bytes:
    """32 bytes that only this node can make again: for salts and tokens that need not be stored."""
    row = _key(session, firm_id, "derive")
    seed = _opened("derive", row.wrapped, row.origin)
    return hmac.new(seed, f"werkring/derived/v1\n{label}".encode(), hashlib.sha256).digest()


@lru_cache(maxsize=8192)
def open_wrapped(wrapped: bytes, purpose: str, origin: str) -> bytes:
    """The private key; raises VerificationError when no node key of this process opens it."""
    for node_key in _node_keys:
        try:
            return unwrap_key(wrapped, node_key, purpose, origin)
        except VerificationError:
            continue
    raise VerificationError("no node key opens this key")


def rewrapped(wrapped: bytes | None, old: bytes, new: bytes, purpose: str, origin: str) -> bytes | None:
    """The same private key closed under another node key, once; None where none is kept."""
    if wrapped is None:
        return None
    try:
        unwrap_key(wrapped, new, purpose, origin)
    except VerificationError:
        return wrap_key(unwrap_key(wrapped, old, purpose, origin), new, purpose, origin)
    return wrapped


def make_signer(purpose: str, public_key: str, wrapped: bytes | None, origin: str) -> Signer:
    """The log or cosigner key of a key row, opened."""
    public = parse_vkey(public_key)
    return Signer(public.name, public.alg, _opened(purpose, wrapped, origin))


def _signer(session: Session, firm_id: str, purpose: str) -> Signer:
    row = _key(session, firm_id, purpose)
    return make_signer(purpose, row.public_key, row.wrapped, row.origin)


def _opened(purpose: str, wrapped: bytes | None, origin: str) -> bytes:
    if wrapped is None:
        raise VerificationError(f"the private {purpose} key is not kept here")
    return open_wrapped(wrapped, purpose, origin)


def _key(session: Session, firm_id: str, purpose: str) -> sa.Row[Any, Any, Any]:
    return session.connection().execute(_KEY_WITH_ORIGIN, {"firm": firm_id, "what": purpose}).one()


def _origin(session: Session, firm_id: str) -> str:
    found: str = session.connection().execute(_ORIGIN, {"firm": firm_id}).scalar_one()
    return found
