"""Signatures of people and firms: passkey assertions (WebAuthn, ES256) and seals (secp256k1), one form each."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, NoReturn

import coincurve
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.canonical import check_depth
from ledger.encoding import from_b64url, from_hex, to_b64url, to_hex
from ledger.errors import VerificationError
from ledger.keccak import keccak256
from ledger.note import verify_ed25519

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_USER_PRESENT, _USER_VERIFIED, _BACKUP_ELIGIBLE, _BACKED_UP, _ATTESTED, _EXTENSIONS = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
# CTAP2 canonical COSE_Key of ES256: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
_COSE_HEAD, _COSE_MIDDLE = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")
_ES256 = ec.ECDSA(hashes.SHA256())
# Keeps a key's agreement apart from every note: no note text begins so and ends without a newline.
_KEY_PROOF = b"werkring/key-proof/v1\n"
MAX_CLIENT_DATA_BYTES = 4096
# Of a record that names hundreds of origins the rest is parsed.
_MOST_TRIED = 4
_USUAL_START = '{"type":"webauthn.get","challenge":"'
_USUAL_ORIGIN = re.compile(r"[A-Za-z0-9:/.-]+").fullmatch
_P256_BYTES, _P256_HALF = P256_ORDER.to_bytes(32, "big"), (P256_ORDER // 2).to_bytes(32, "big")
# Strict DER of an r and a low s that fill their 32 bytes, as all but one in 128 do.
_COMMON_DER = re.compile(
    rb"\x30(?:\x44\x02\x20(?=[\x01-\x7f])|\x45\x02\x21\x00(?=[\x80-\xff]))(.{32})\x02\x20(?=[\x01-\x7f])(.{32})",
    re.DOTALL,
).fullmatch
_HALF_ORDER = (SECP256K1_ORDER // 2).to_bytes(32, "big")
_RECOVERY_ID = {27: b"\x00", 28: b"\x01"}

PasskeyKey = bytes | ec.EllipticCurvePublicKey


def verify_passkey(
    digest: bytes, signature: Mapping[str, Any], key: PasskeyKey, origins: Collection[str], rp_id: str
) -> None:
    """Raises VerificationError unless a verified user signed exactly this digest with this passkey.

    `signature` holds authenticatorData, clientDataJSON and signature as unpadded base64url; `key` is a COSE_Key, an
    uncompressed point (65 bytes) or a loaded key. Checks beyond WebAuthn: user verification, no embedding, low s.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        point = passkey_point(bytes(key))
    prepare_passkey(digest, signature, point, origins, rp_id).run()


def prepare_passkey(
    digest: bytes, signature: Mapping[str, Any], point: bytes, origins: Collection[str], rp_id: str
) -> "CurveCheck":
    """Everything of `verify_passkey` but the curve operation, which is left to the answer's `run`."""
    try:
        fields = signature["authenticatorData"], signature["clientDataJSON"], signature["signature"]
    except (KeyError, TypeError) as error:
        raise VerificationError("not a passkey signature") from error
    _check_digest(digest)
    authenticator_data, der = from_b64url(fields[0]), from_b64url(fields[2])
    client_data = _read_client_data(fields[1], digest, origins)
    _check_authenticator_data(authenticator_data, rp_id)
    _check_low_s_der(der)
    return CurveCheck("p256", point, der, authenticator_data + sha256(client_data).digest())


class CurveCheck(NamedTuple):
    """One signature whose form was checked; what remains is the curve operation, in any order, thread or process."""

    curve: str
    key: bytes
    signature: bytes
    signed: bytes

    def run(self) -> None:
        """Raises VerificationError unless the signature holds."""
        CURVES[self.curve](self.key, self.signature, self.signed)


@lru_cache(maxsize=4096)
def run_once(check: CurveCheck) -> None:
    """Raises VerificationError unless the signature holds; what held once is not computed again.

    Key, signature and signed bytes alone decide, and whether the key counts is asked elsewhere each time. For programs
    that meet one signature on several doors; a verification of stored records computes every one.
    """
    check.run()


@lru_cache(maxsize=4096)
def load_passkey(key: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of a COSE_Key (ES256, canonical) or of an uncompressed P-256 point."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), passkey_point(key))
    except ValueError as error:
        raise VerificationError("not a point of P-256") from error


def passkey_point(key: bytes) -> bytes:
    """The 65 bytes 04 || x || y of a COSE_Key (ES256, canonical) or of the point itself."""
    if len(key) == 65 and key[0] == 4:
        return key
    if len(key) == 77 and key.startswith(_COSE_HEAD) and key[42:45] == _COSE_MIDDLE:
        return b"\x04" + key[10:42] + key[45:]
    raise VerificationError("not an ES256 key")


def normalise_passkey_signature(der: bytes) -> bytes:
    """The same ECDSA signature with the lower of its two s (DER): authenticators give either, the ledger stores one."""
    r, s = _decode_der(der)
    if not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        raise VerificationError("signature out of range")
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def sign_seal(digest: bytes, private_key: bytes) -> bytes:
    """The seal over a digest: 65 bytes r || s || v, low s, v 27 or 28 (RFC 6979, the same each time)."""
    _check_digest(digest)
    signature = coincurve.PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return bytes(signature[:64] + bytes([27 + signature[64]]))


def verify_seal(digest: bytes, signature: bytes | str, address: str) -> None:
    """Raises VerificationError unless the 65 bytes (or their 0x hex) are the address's seal over the digest."""
    prepare_seal(digest, signature, address).run()


def prepare_seal(digest: bytes, signature: bytes | str, address: str) -> CurveCheck:
    """Everything of `verify_seal` but the curve operation."""
    _check_digest(digest)
    data = from_hex(signature, length=65) if isinstance(signature, str) else bytes(signature)
    if len(data) != 65 or data[64] not in (27, 28):
        raise VerificationError("a seal has 65 bytes and v 27 or 28")
    if data[32:64] > _HALF_ORDER:
        raise VerificationError("the seal has a high s")
    return CurveCheck("secp256k1", address.encode("utf-8", "replace"), data, digest)


def seal_address(private_key: bytes) -> str:
    """The lower-case address of a seal key."""
    return _address_of(coincurve.PrivateKey(private_key).public_key.format(compressed=False))


@lru_cache(maxsize=4096)
def _address_of(point: bytes) -> str:
    return to_hex(keccak256(point[1:])[12:])


def sign_key_proof(digest: bytes, seed: bytes) -> bytes:
    """64 bytes by which an Ed25519 key (log or recovery) agrees to a record; never the bytes of a checkpoint."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(_KEY_PROOF + digest)


def verify_key_proof(digest: bytes, signature: str, public_key: bytes) -> None:
    """Raises VerificationError unless the unpadded base64url text is that key's proof over the digest."""
    prepare_key_proof(digest, signature, public_key).run()


def prepare_key_proof(digest: bytes, signature: str, public_key: bytes) -> CurveCheck:
    """Everything of `verify_key_proof` but the curve operation."""
    _check_digest(digest)
    return CurveCheck("ed25519", public_key, from_b64url(signature, length=64), _KEY_PROOF + digest)


def _run_p256(point: bytes, der: bytes, signed: bytes) -> None:
    try:
        load_passkey(point).verify(der, signed, _ES256)
    except InvalidSignature as error:
        raise VerificationError("the passkey signature does not hold") from error


def _run_secp256k1(address: bytes, seal: bytes, digest: bytes) -> None:
    try:
        found = coincurve.PublicKey.from_signature_and_message(seal[:64] + _RECOVERY_ID[seal[64]], digest, hasher=None)
    except Exception as error:  # coincurve raises plain Exception for an unrecoverable signature
        raise VerificationError("the seal does not hold") from error
    if _address_of(found.format(compressed=False)) != address.decode("utf-8"):
        raise VerificationError("the seal is another key's")


def _read_client_data(text: object, digest: bytes, origins: Collection[str]) -> bytes:
    """The clientDataJSON that the person's device signed, checked."""
    challenge = to_b64url(digest)
    # The browsers' fixed form (WebAuthn, "limited verification") is made again and compared: nothing to parse.
    for ending in _usual_endings(frozenset(origins)):
        usual = f"{_USUAL_START}{challenge}{ending}".encode()
        if to_b64url(usual) == text:
            return usual
    client_data = from_b64url(text)  # type: ignore[arg-type]
    _check_client_data(client_data, challenge, origins)
    return client_data


@lru_cache(maxsize=1024)
def _usual_endings(origins: frozenset[str]) -> tuple[str, ...]:
    usual = sorted(origin for origin in origins if _USUAL_ORIGIN(origin))[:_MOST_TRIED]
    return tuple(f'","origin":"{origin}"{end}' for origin in usual for end in (',"crossOrigin":false}', "}"))


def _check_client_data(client_data: bytes, challenge: str, origins: Collection[str]) -> None:
    data = _parse_client_data(client_data)
    if data.get("type") != "webauthn.get":
        raise VerificationError("not the signature of a sign-in or approval")
    if data.get("challenge") != challenge:
        raise VerificationError("the passkey signed something else")
    if not isinstance(data.get("origin"), str) or data["origin"] not in origins:
        raise VerificationError("signed at another web address")
    if data.get("crossOrigin", False) is not False or "topOrigin" in data:
        raise VerificationError("signed inside another site's page")


def _parse_client_data(client_data: bytes) -> dict[str, Any]:
    if len(client_data) > MAX_CLIENT_DATA_BYTES:
        raise VerificationError("clientDataJSON too long")
    check_depth(client_data)
    try:
        data = json.loads(client_data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise VerificationError("clientDataJSON is not JSON") from error
    if not isinstance(data, dict):
        raise VerificationError("clientDataJSON is not an object")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise VerificationError("duplicate key in clientDataJSON")
    return dict(pairs)


def _refuse(text: str) -> NoReturn:
    raise VerificationError(f"not JSON: {text}")


def _check_authenticator_data(data: bytes, rp_id: str) -> None:
    if len(data) < 37:
        raise VerificationError("authenticatorData too short")
    if data[:32] != _hash_rp_id(rp_id):
        raise VerificationError("the passkey belongs to another domain")
    flags = data[32]
    if flags & (_USER_PRESENT | _USER_VERIFIED) != _USER_PRESENT | _USER_VERIFIED:
        raise VerificationError("the person was not verified")
    if flags & _ATTESTED or (flags & _BACKED_UP and not flags & _BACKUP_ELIGIBLE):
        raise VerificationError("flags that no assertion has")
    if bool(flags & _EXTENSIONS) != (len(data) > 37):
        raise VerificationError("authenticatorData has another length than its flags say")


@lru_cache(maxsize=1024)
def _hash_rp_id(rp_id: str) -> bytes:
    return sha256(rp_id.encode("utf-8")).digest()


def _check_low_s_der(der: bytes) -> None:
    common = _COMMON_DER(der)
    if common is not None and common[1] < _P256_BYTES and common[2] <= _P256_HALF:
        return
    r, s = _decode_der(der)
    if not 0 < r < P256_ORDER or not 0 < s <= P256_ORDER // 2:
        raise VerificationError("the passkey signature is not in its low-s form")
    if encode_dss_signature(r, s) != der:
        raise VerificationError("the passkey signature is not strict DER")


def _decode_der(der: bytes) -> tuple[int, int]:
    if len(der) > 72:
        raise VerificationError("signature too long")
    try:
        return decode_dss_signature(der)
    except ValueError as error:
        raise VerificationError("the signature is not DER") from error


def _check_digest(digest: bytes) -> None:
    if not isinstance(digest, bytes) or len(digest) != 32:
        raise VerificationError("a digest has 32 bytes")


CURVES: dict[str, Callable[[bytes, bytes, bytes], None]] = {
    "p256": _run_p256,
    "secp256k1": _run_secp256k1,
    "ed25519": verify_ed25519,
}
