"""The node's push key: made once, wrapped under the node key, and the header that proves it to a push service."""

import base64
import os
import time
from functools import lru_cache

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from sqlalchemy.orm import Session

from app.config import Config
from app.core.db import Database
from app.firms.models import NodeSetting

SETTING = "vapid_key"
PURPOSE = b"werkring/vapid/v1"
LIFE_S = 13 * 3600
REUSE_S = 12 * 3600
"""RFC 8292 allows a day; one signature serves an origin for half of it"""


def vapid_public_key(source: Database | Session, config: Config) -> str:
    """The application server key for browsers: base64url of 65 bytes. Made at the first call.

    A Session must be a writing one if there may be no key yet.
    """
    if isinstance(source, Session):
        return (_stored(source) or _make(source, config)).split(".")[0]
    with source.read() as session:
        found = _stored(session)
    if found is None:
        with source.write() as session:
            found = _stored(session) or _make(session, config)
    return found.split(".")[0]


def known_public_key(session: Session) -> str:
    """The same key where nothing may be written; '' before anybody asked for it."""
    return (_stored(session) or "").split(".")[0]


def vapid_key(database: Database, config: Config) -> Vapid02:
    """The private key, ready to sign; raises RuntimeError when the node key does not open it."""
    vapid_public_key(database, config)
    with database.read() as session:
        stored = _stored(session) or ""
    return _open(stored, config.node_key)


class VapidHeaders:
    """Authorization headers, one signature per origin and half day. Times are the outside world's."""

    def __init__(self, key: Vapid02, contact: str) -> None:
        self._key, self._contact = key, contact
        self._known: dict[str, tuple[float, str]] = {}

    def header_for(self, origin: str) -> str:
        """The Authorization value for one push service (RFC 8292, section 3)."""
        now = time.time()
        until, header = self._known.get(origin, (0.0, ""))
        if now >= until:
            # a new dict each time: what is signed must never carry another service's audience
            claims = {"aud": origin, "exp": int(now) + LIFE_S, "sub": f"mailto:{self._contact}"}
            header = str(self._key.sign(claims)["Authorization"])
            self._known[origin] = (now + REUSE_S, header)
        return header


def rewrap_vapid(session: Session, old: bytes, new: bytes) -> None:
    """Close the push key under another node key, once."""
    row = session.get(NodeSetting, SETTING)
    if row is None:
        return
    public, _, wrapped = row.value.partition(".")
    try:
        _unwrap(_bytes(wrapped), new)
    except RuntimeError:
        row.value = f"{public}.{_wrap(_unwrap(_bytes(wrapped), old), new)}"


def _stored(session: Session) -> str | None:
    return session.scalar(sa.select(NodeSetting.value).where(NodeSetting.key == SETTING))


def _make(session: Session, config: Config) -> str:
    """Two processes that start together: the second insert does nothing and reads what the first one wrote."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    private = key.private_numbers().private_value.to_bytes(32, "big")
    value = f"{_text(public)}.{_wrap(private, config.node_key)}"
    session.execute(
        sa.text("INSERT INTO node_setting (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING"),
        {"key": SETTING, "value": value},
    )
    return _stored(session) or value


@lru_cache(maxsize=8)
def _open(stored: str, node_key: bytes) -> Vapid02:
    private = _unwrap(_bytes(stored.partition(".")[2]), node_key)
    return Vapid02(private_key=ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1()))


def _wrap(private: bytes, node_key: bytes) -> str:
    nonce = os.urandom(12)
    return _text(nonce + AESGCM(node_key).encrypt(nonce, private, PURPOSE))


def _unwrap(wrapped: bytes, node_key: bytes) -> bytes:
    try:
        return AESGCM(node_key).decrypt(wrapped[:12], wrapped[12:], PURPOSE)
    except InvalidTag:
        raise RuntimeError("The node key does not open the push key of this database.") from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
