"""WebAuthn: options for the phone, and the check of what it answers (py_webauthn plus our own rules)."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, decode_credential_public_key
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.options_to_json_dict import options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.core.errors import RuleBroken
from app.web.world import config

ALGORITHMS = [COSEAlgorithmIdentifier.ECDSA_SHA_256]
TIMEOUT_MS = 120_000
WRONG = "Das hat nicht geklappt. Versuch es noch einmal."
_COSE_HEAD, _COSE_MIDDLE = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")


@dataclass(frozen=True)
class NewPasskey:
    """A credential that a phone just made; `public_key` is its canonical COSE key, hex in JSON."""

    credential_id: str
    public_key: bytes
    user_handle: str
    sign_count: int
    is_backed_up: bool
    origin: str
    """Scheme, host and port of the address where it was made: it signs nowhere else."""

    def to_body(self) -> dict[str, Any]:
        return asdict(self) | {"public_key": self.public_key.hex()}


def open_passkey(body: dict[str, Any]) -> NewPasskey:
    return NewPasskey(**(body | {"public_key": bytes.fromhex(body["public_key"])}))


@dataclass(frozen=True)
class Assertion:
    """A verified answer of a passkey; the three byte strings are what the ledger keeps."""

    authenticator_data: bytes
    client_data: bytes
    signature: bytes
    sign_count: int
    is_backed_up: bool

    def parts(self) -> dict[str, bytes]:
        return {
            "authenticatorData": self.authenticator_data,
            "clientDataJSON": self.client_data,
            "signature": self.signature,
        }


def creation_options(challenge: bytes, handle: str, name: str, known: Sequence[str] = ()) -> dict[str, Any]:
    """What navigator.credentials.create needs; `known` credential ids must not be made twice on one phone."""
    options = generate_registration_options(
        rp_id=config().rp_id,
        rp_name="Werkring",
        user_id=base64url_to_bytes(handle),
        user_name=name,
        user_display_name=name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        supported_pub_key_algs=ALGORITHMS,
        exclude_credentials=_descriptors(known),
    )
    return options_to_json_dict(options)


def request_options(challenge: bytes, allowed: Sequence[str] = ()) -> dict[str, Any]:
    """What navigator.credentials.get needs; nothing allowed means: the phone offers what it has."""
    options = generate_authentication_options(
        rp_id=config().rp_id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_descriptors(allowed),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def verify_new_passkey(credential: dict[str, Any], challenge: bytes, handle: str) -> NewPasskey:
    """Check an answer of `create` for the person with this handle (base64url); raises RuleBroken."""
    try:
        _refuse_embedding(credential)
        found = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=config().rp_id,
            expected_origin=config().origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
        public_key = _canonical_key(found.credential_public_key)
    except _FAULTS as error:
        raise RuleBroken(WRONG) from error
    name = bytes_to_base64url(found.credential_id)
    return NewPasskey(name, public_key, handle, found.sign_count, found.credential_backed_up, config().origin)


def verify_answer(
    credential: dict[str, Any], challenge: bytes, public_key: bytes, handle: str, *, needs_handle: bool
) -> Assertion:
    """Check an answer of `get` with this key of this person; raises RuleBroken.

    The sign counter is not judged here: it flags a passkey, it never locks one out.
    """
    try:
        _refuse_embedding(credential)
        found = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=config().rp_id,
            expected_origin=config().origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        response = credential["response"]
        given = response.get("userHandle")
        if (given or needs_handle) and given != handle:
            raise RuleBroken(WRONG)
        data, client, signature = (
            base64url_to_bytes(response[name]) for name in ("authenticatorData", "clientDataJSON", "signature")
        )
    except _FAULTS as error:
        raise RuleBroken(WRONG) from error
    return Assertion(data, client, signature, found.new_sign_count, found.credential_backed_up)


def new_user_handle() -> str:
    """What a phone stores as the owner of a passkey: random, so that it says nothing of the person."""
    return bytes_to_base64url(secrets.token_bytes(32))


def credential_id_in(credential: dict[str, Any]) -> str:
    found = credential.get("id")
    return found if isinstance(found, str) and len(found) <= 400 else ""


def _refuse_embedding(credential: dict[str, Any]) -> None:
    """py_webauthn lets a page of ours inside another site's frame through; we do not."""
    client = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        raise RuleBroken(WRONG)


def _canonical_key(cose: bytes) -> bytes:
    """The one spelling of an ES256 key that the ledger knows."""
    key = decode_credential_public_key(cose)
    if not isinstance(key, DecodedEC2PublicKey) or key.crv != 1 or len(key.x) != 32 or len(key.y) != 32:
        raise RuleBroken(WRONG)
    return _COSE_HEAD + key.x + _COSE_MIDDLE + key.y


def _descriptors(ids: Sequence[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in ids]


# whatever a hostile answer can make the parsers throw
_FAULTS = (
    WebAuthnException,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
)
