"""Passkeys and seals: published assertions, and every departure refused for its own reason."""

from typing import Any

import coincurve
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from ledger import signatures
from ledger.encoding import from_b64url, to_b64url, to_hex
from ledger.errors import VerificationError
from tests.ledger.software_passkey import USER_PRESENT, USER_VERIFIED, SoftwarePasskey
from tests.ledger.vectors import load, names, needs_vectors

DIGEST = bytes(range(32))
RP_ID, ORIGIN = "werkring.example", "https://werkring.example"


def encode(assertion: dict[str, bytes]) -> dict[str, str]:
    normal = {**assertion, "signature": signatures.normalise_passkey_signature(assertion["signature"])}
    return {name: to_b64url(value) for name, value in normal.items()}


def verify(device: SoftwarePasskey, signature: dict[str, str], digest: bytes = DIGEST) -> None:
    signatures.verify_passkey(digest, signature, device.cose_key, [ORIGIN], RP_ID)


@needs_vectors
@pytest.mark.parametrize("name", names("webauthn"))
def test_webauthn_vector(name: str) -> None:
    vector = load("webauthn", name)
    key, challenge = from_b64url(vector["credentialPublicKey"]), from_b64url(vector["challenge"])
    if not vector["lowS"]:
        with pytest.raises(VerificationError, match=r"low-s|verified|page"):
            signatures.verify_passkey(challenge, vector, key, [vector["origin"]], vector["rpId"])
    der = signatures.normalise_passkey_signature(from_b64url(vector["signature"]))
    normal = {**vector, "signature": to_b64url(der)}

    def check() -> None:
        signatures.verify_passkey(challenge, normal, key, [vector["origin"]], vector["rpId"])

    if vector["crossOrigin"] or vector["topOrigin"]:
        with pytest.raises(VerificationError, match="inside another"):
            check()
    elif not vector["flags"]["UV"]:
        with pytest.raises(VerificationError, match="not verified"):
            check()
    else:
        check()
        for member in ("authenticatorData", "clientDataJSON", "signature"):
            for bit in range(8 * len(from_b64url(normal[member]))):
                changed = bytearray(from_b64url(normal[member]))
                changed[bit // 8] ^= 1 << bit % 8
                with pytest.raises(VerificationError):
                    signatures.verify_passkey(
                        challenge,
                        {**normal, member: to_b64url(bytes(changed))},
                        key,
                        [vector["origin"]],
                        vector["rpId"],
                    )


def test_a_managers_passkey_signs_a_digest() -> None:
    device = SoftwarePasskey()
    signature = encode(device.sign(DIGEST))
    verify(device, signature)
    signatures.verify_passkey(DIGEST, signature, device.point, {ORIGIN}, RP_ID)
    signatures.verify_passkey(DIGEST, signature, device.private_key.public_key(), (ORIGIN,), RP_ID)


@pytest.mark.parametrize(
    ("name", "device"),
    {
        "not-verified": SoftwarePasskey(flags=USER_PRESENT),
        "not-present": SoftwarePasskey(flags=USER_VERIFIED),
        "other-origin": SoftwarePasskey(origin="https://werkring.example.evil"),
        "other-domain": SoftwarePasskey(rp_id="evil.example"),
        "embedded": SoftwarePasskey(more_client_data={"crossOrigin": True}),
        "embedded-at-the-top": SoftwarePasskey(more_client_data={"topOrigin": "https://evil.example"}),
        "cross-origin-as-text": SoftwarePasskey(more_client_data={"crossOrigin": "false"}),
        "registration-instead": SoftwarePasskey(more_client_data={"type": "webauthn.create"}),
        "backed-up-but-not-eligible": SoftwarePasskey(flags=0x15),
        "attested-data-in-an-assertion": SoftwarePasskey(flags=0x45),
        "extensions-announced-and-missing": SoftwarePasskey(flags=0x85),
    }.items(),
)
def test_an_assertion_made_otherwise_is_refused(name: str, device: SoftwarePasskey) -> None:
    with pytest.raises(VerificationError):
        verify(device, encode(device.sign(DIGEST)))


@pytest.mark.parametrize(
    "more", [{}, {"crossOrigin": False}, {"crossOrigin": False, "other": "unknown members are allowed"}]
)
def test_browsers_may_write_client_data_in_their_ways(more: dict[str, object]) -> None:
    device = SoftwarePasskey(more_client_data=more, flags=0x1D)
    verify(device, encode(device.sign(DIGEST)))


def test_another_digest_key_or_missing_member_is_refused() -> None:
    device, other = SoftwarePasskey(), SoftwarePasskey()
    signature = encode(device.sign(DIGEST))
    bad: list[Any] = [(device, signature, bytes(32)), (other, signature, DIGEST), (device, {}, DIGEST)]
    bad += [(device, signature, DIGEST[:31]), (device, None, DIGEST), (device, {**signature, "signature": 5}, DIGEST)]
    for case in bad:
        with pytest.raises(VerificationError):
            verify(*case)


def test_a_high_s_is_refused_and_normalised() -> None:
    device = SoftwarePasskey()
    assertion = device.sign(DIGEST)
    r, s = decode_dss_signature(signatures.normalise_passkey_signature(assertion["signature"]))
    high = encode_dss_signature(r, signatures.P256_ORDER - s)
    with pytest.raises(VerificationError, match="low-s"):
        verify(device, {**encode(assertion), "signature": to_b64url(high)})
    assert signatures.normalise_passkey_signature(high) == encode_dss_signature(r, s)


@pytest.mark.parametrize("key", [b"", bytes(65), b"\x04" + bytes(64), bytes(77), b"\x02" + bytes(32)])
def test_what_is_no_es256_key_is_refused(key: bytes) -> None:
    with pytest.raises(VerificationError):
        signatures.verify_passkey(DIGEST, encode(SoftwarePasskey().sign(DIGEST)), key, [ORIGIN], RP_ID)


@given(st.binary(min_size=32, max_size=32).filter(any), st.binary(min_size=32, max_size=32))
def test_our_seal_is_eth_accounts_signature(secret: bytes, digest: bytes) -> None:
    secret = (int.from_bytes(secret, "big") % (signatures.SECP256K1_ORDER - 1) + 1).to_bytes(32, "big")
    account = Account.from_key(secret)
    seal = signatures.sign_seal(digest, secret)
    assert seal == bytes(account.unsafe_sign_hash(digest).signature)
    assert signatures.seal_address(secret) == account.address.lower()
    signatures.verify_seal(digest, seal, account.address.lower())
    signatures.verify_seal(digest, to_hex(seal), account.address.lower())


def test_every_changed_bit_of_a_seal_is_refused() -> None:
    secret = bytes(31) + b"\x07"
    seal, address = signatures.sign_seal(DIGEST, secret), signatures.seal_address(secret)
    for bit in range(8 * 65):
        changed = bytearray(seal)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VerificationError):
            signatures.verify_seal(DIGEST, bytes(changed), address)


def test_seals_in_another_form_are_refused() -> None:
    secret = bytes(31) + b"\x07"
    seal, address = signatures.sign_seal(DIGEST, secret), signatures.seal_address(secret)
    twin_s = signatures.SECP256K1_ORDER - int.from_bytes(seal[32:64], "big")
    twin = seal[:32] + twin_s.to_bytes(32, "big") + bytes([55 - seal[64]])
    recovered = coincurve.PublicKey.from_signature_and_message(twin[:64] + bytes([twin[64] - 27]), DIGEST, hasher=None)
    assert recovered == coincurve.PrivateKey(secret).public_key  # the twin does verify: only its form is refused
    bad = [twin, seal[:64] + bytes([seal[64] - 27]), seal + b"\x00", seal[:64], b"", bytes(64) + b"\x1b"]
    for wrong in bad:
        with pytest.raises(VerificationError):
            signatures.verify_seal(DIGEST, wrong, address)
    for other in (address.upper(), "0x" + "00" * 20, ""):
        with pytest.raises(VerificationError):
            signatures.verify_seal(DIGEST, seal, other)


def test_a_key_proof_is_no_checkpoint_signature() -> None:
    seed = bytes(31) + b"\x09"
    proof = to_b64url(signatures.sign_key_proof(DIGEST, seed))
    public = signatures.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    signatures.verify_key_proof(DIGEST, proof, public)
    with pytest.raises(VerificationError):
        signatures.verify_ed25519(public, from_b64url(proof), DIGEST)
    with pytest.raises(VerificationError):
        signatures.verify_key_proof(bytes(32), proof, public)


def test_what_held_once_holds_for_the_same_bytes_only() -> None:
    secret, other = b"\x01" * 32, b"\x02" * 32
    seal, address = signatures.sign_seal(DIGEST, secret), signatures.seal_address(secret)
    for _ in range(2):
        signatures.run_once(signatures.prepare_seal(DIGEST, seal, address))
        for digest, signed, by in (
            (bytes(32), seal, address),
            (DIGEST, signatures.sign_seal(DIGEST, other), address),
            (DIGEST, seal, signatures.seal_address(other)),
        ):
            with pytest.raises(VerificationError):
                signatures.run_once(signatures.prepare_seal(digest, signed, by))
