"""A message sealed for one browser: RFC 8291 (keys) over RFC 8188 (the record)."""

import base64
import hmac
import os
import struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.push.rules import MOST_PAYLOAD_BYTES

RECORD_BYTES = 4096
LAST_RECORD = b"\x02"


def encrypt_for(p256dh: str, auth: str, body: bytes) -> bytes:
    """Encrypt for the subscription's keys (base64url), with a new key and salt; raises ValueError for broken keys."""
    return encrypt_record(body, _bytes(p256dh), _bytes(auth), ec.generate_private_key(ec.SECP256R1()), os.urandom(16))


def encrypt_record(
    body: bytes, receiver: bytes, auth_secret: bytes, sender: ec.EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """One aes128gcm record with its header (RFC 8291, sections 3.4 and 4); key and salt must never be used twice."""
    if len(body) > MOST_PAYLOAD_BYTES or len(auth_secret) != 16:
        raise ValueError("does not fit")
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), receiver)
    own = sender.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    # HKDF (RFC 5869) written out: every output here is shorter than one hash
    shared = _hmac(auth_secret, sender.exchange(ec.ECDH(), point))
    secret = _hmac(salt, _hmac(shared, b"WebPush: info\x00" + receiver + own + b"\x01"))
    key = _hmac(secret, b"Content-Encoding: aes128gcm\x00\x01")[:16]
    nonce = _hmac(secret, b"Content-Encoding: nonce\x00\x01")[:12]
    return (
        salt + struct.pack("!LB", RECORD_BYTES, len(own)) + own + AESGCM(key).encrypt(nonce, body + LAST_RECORD, None)
    )


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
