"""A passkey in software: any counter, flags, origin, relying party and key, to try what phones never do."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ledger.encoding import to_b64url
from ledger.signatures import P256_ORDER

UP, UV, AT = 0x01, 0x04, 0x40


@dataclass
class SoftwarePasskey:
    """One credential; change a field before a ceremony to misbehave."""

    origin: str = "http://localhost:8000"
    rp_id: str = "localhost"
    counter: int = 0
    flags: int = UP | UV
    client: dict[str, Any] = field(default_factory=dict)
    high_s: bool = False
    user_handle: str | None = None
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(20))

    @property
    def cose(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y}, canonical=True)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer navigator.credentials.create; remembers the user handle."""
        self.user_handle = options["user"]["id"]
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self.cose
        data = self._authenticator_data(self.flags | AT) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client_data("webauthn.create", options["challenge"])
        return self._credential(clientDataJSON=client, attestationObject=attestation)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer navigator.credentials.get."""
        parts = self.assertion(options["challenge"])
        answer = self._credential(**parts)
        if self.user_handle:
            answer["response"]["userHandle"] = self.user_handle
        return answer

    def assertion(self, challenge: str) -> dict[str, bytes]:
        """authenticatorData, clientDataJSON and signature over a base64url challenge."""
        client, data = self._client_data("webauthn.get", challenge), self._authenticator_data(self.flags)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return {"authenticatorData": data, "clientDataJSON": client, "signature": self._with_s(signed)}

    def _with_s(self, signed: bytes) -> bytes:
        r, s = decode_dss_signature(signed)
        low = min(s, P256_ORDER - s)
        return encode_dss_signature(r, P256_ORDER - low if self.high_s else low)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        fields = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(fields | self.client, separators=(",", ":")).encode()

    def _authenticator_data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _credential(self, **response: bytes) -> dict[str, Any]:
        name = to_b64url(self.credential_id)
        parts = {key: to_b64url(value) for key, value in response.items()}
        return {"id": name, "rawId": name, "type": "public-key", "response": parts, "clientExtensionResults": {}}
