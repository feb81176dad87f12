"""The software passkey of the practice world: held by the server, made from its secret, so that it binds nobody.

Nothing but the practice instance imports this module. Records signed here bear log names that begin with `practice/`.
"""

import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from app.config import Config
from app.core.db import Database
from app.core.ids import new_secret
from app.firms.access import Actor
from app.passkeys import approvals
from app.passkeys.ceremony import NewPasskey

CURVE = ec.SECP256R1()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
COSE_X, COSE_Y = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")
USER_PRESENT_AND_VERIFIED = 0x05


def new_practice_passkey(config: Config, label: str) -> NewPasskey:
    """The passkey of one practice person; the same label under the same secret is the same key again."""
    _only_in_practice(config)
    credential_id = bytes_to_base64url(_derived(config, f"credential {label}")[:20])
    handle = bytes_to_base64url(_derived(config, f"handle {label}")[:32])
    return NewPasskey(credential_id, _public_key(_private_key(config, credential_id)), handle, 0, False, config.origin)


def sign_challenge(config: Config, credential_id: str, challenge: bytes) -> dict[str, bytes]:
    """What a phone would answer to this challenge: authenticatorData, clientDataJSON and signature."""
    _only_in_practice(config)
    client = _client_data(config, challenge)
    data = hashlib.sha256(config.rp_id.encode()).digest() + bytes([USER_PRESENT_AND_VERIFIED]) + bytes(4)
    signed = _private_key(config, credential_id).sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
    return {"authenticatorData": data, "clientDataJSON": client, "signature": _with_low_s(signed)}


def approve_document(database: Database, config: Config, actor: Actor, kind: str, document_id: str) -> tuple[str, str]:
    """Approve as the actor by the same two steps as a phone, with the same checks.

    Returns the URL to go on to and the receipt to show; raises what a real approval raises.
    """
    browser = new_secret()
    with database.read() as session:
        shown = approvals.shown_digest(approvals.document_to_sign(session, actor, kind, document_id).digest)
    options = approvals.begin(database, actor, kind, document_id, browser, shown)
    credential_id = options["allowCredentials"][0]["id"]
    parts = sign_challenge(config, credential_id, base64url_to_bytes(options["challenge"]))
    return approvals.finish(database, actor, kind, document_id, browser, _credential(credential_id, parts))


def _credential(credential_id: str, parts: dict[str, bytes]) -> dict[str, Any]:
    response = {name: bytes_to_base64url(value) for name, value in parts.items()}
    return {"id": credential_id, "rawId": credential_id, "type": "public-key", "response": response}


def _client_data(config: Config, challenge: bytes) -> bytes:
    fields = {
        "type": "webauthn.get",
        "challenge": bytes_to_base64url(challenge),
        "origin": config.origin,
        "crossOrigin": False,
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def _private_key(config: Config, credential_id: str) -> ec.EllipticCurvePrivateKey:
    wide = _derived(config, f"key {credential_id}")
    return ec.derive_private_key(int.from_bytes(wide, "big") % (ORDER - 1) + 1, CURVE)


def _public_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    point = key.public_key().public_numbers()
    return COSE_X + point.x.to_bytes(32, "big") + COSE_Y + point.y.to_bytes(32, "big")


def _derived(config: Config, label: str) -> bytes:
    return hmac.new(config.secret_key, f"werkring/practice/passkey\n{label}".encode(), hashlib.sha512).digest()


def _with_low_s(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, ORDER - s))


def _only_in_practice(config: Config) -> None:
    if not config.is_practice:
        raise RuntimeError("the software passkey exists in the practice world only")
