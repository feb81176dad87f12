"""HTTP message signatures between nodes (RFC 9421, Ed25519) with Content-Digest (RFC 9530)."""

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from http_message_signatures.exceptions import HTTPMessageSignaturesException

TAG = "werkring"
SENDER, RECEIVER, INVITATION = "werkring-from", "werkring-to", "werkring-invitation"
COVERED = ("@method", "@target-uri", "content-digest", SENDER, RECEIVER)
LIFE_S = 300
"""How long a signature counts, and how far two clocks may differ."""
FULLEST_HEADER = 4096


class Unsigned(Exception):
    """No signature of that key over this request; the text is a word for the log."""


class UnknownKey(Unsigned):
    """Signed by a key that we do not hold."""


@dataclass
class Signed:
    """A request as both sides sign it: method, whole address, headers."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """What the signed parameters say: whose key, when, and the message's id."""

    created: int
    nonce: str


def sign_request(
    method: str,
    url: str,
    sender: str,
    receiver: str,
    body: bytes,
    key: tuple[str, Ed25519PrivateKey],
    nonce: str,
    now_s: int,
    more: Mapping[str, str] | None = None,
    tag: str = TAG,
) -> dict[str, str]:
    """The headers of a signed request; those in `more` are signed too. `tag` says what it is signed for."""
    more = dict(more or {})
    request = Signed(method, url, {SENDER: sender, RECEIVER: receiver, "content-digest": digest_of(body)} | more)
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=_One(key[0], key[1], None))
    signer.sign(
        request,
        key_id=key[0],
        created=dt.datetime.fromtimestamp(now_s, dt.UTC),
        expires=dt.datetime.fromtimestamp(now_s + LIFE_S, dt.UTC),
        nonce=nonce,
        tag=tag,
        label="sig",
        use_existing_digest=True,
        covered_component_ids=(*COVERED, *more),
    )
    return request.headers


def check_request(
    method: str, url: str, headers: Mapping[str, str], kid: str, public: Ed25519PublicKey, covered: tuple[str, ...] = ()
) -> Claim:
    """What a request's signature says, if that key made it over all that counts; raises Unsigned.

    The bytes of the body are not looked at: the digest over them is what was signed. Times are the caller's to judge.
    """
    names = {SENDER, RECEIVER, INVITATION, "content-digest", "signature", "signature-input"}
    given = {name.lower(): value for name, value in headers.items() if name.lower() in names}
    if any(len(value) > FULLEST_HEADER for value in given.values()):
        raise Unsigned("long headers")
    known = _One(kid, None, public)
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=known)
    try:
        results = verifier.verify(
            Signed(method, url, given), max_age=None, expect_tag=TAG, require_components=(*COVERED, *covered)
        )
    except (HTTPMessageSignaturesException, ValueError, TypeError, KeyError) as error:
        raise (UnknownKey("key") if known.missed else Unsigned("signature")) from error
    said = results[0].parameters
    if len(results) != 1 or type(said.get("expires")) is not int or type(said.get("nonce")) is not str:
        raise Unsigned("parameters")
    created, expires = int(said["created"]), int(said["expires"])
    if not 0 < expires - created <= LIFE_S:
        raise Unsigned("parameters")
    return Claim(created, str(said["nonce"]))


def digest_of(body: bytes) -> str:
    """The Content-Digest of these bytes."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Judged by our own clock, which a test may move, after the signature held."""


class _One(HTTPSignatureKeyResolver):
    """One key: no id leads anywhere else."""

    def __init__(self, kid: str, private: Ed25519PrivateKey | None, public: Ed25519PublicKey | None) -> None:
        self._kid, self._private, self._public = kid, private, public
        self.missed = False

    def resolve_private_key(self, key_id: str) -> Any:
        return self._private

    def resolve_public_key(self, key_id: str) -> Any:
        self.missed = key_id != self._kid
        return None if self.missed else self._public
