"""A passkey in plain software (ES256): any origin, flags and counter, for tests and nothing else."""

import json
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.encoding import to_b64url

USER_PRESENT, USER_VERIFIED = 0x01, 0x04


@dataclass
class SoftwarePasskey:
    rp_id: str = "werkring.example"
    origin: str = "https://werkring.example"
    flags: int = USER_PRESENT | USER_VERIFIED
    counter: int = 0
    more_client_data: dict[str, object] = field(default_factory=lambda: {"crossOrigin": False})
    private_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def point(self) -> bytes:
        return self.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def cose_key(self) -> bytes:
        x, y = self.point[1:33], self.point[33:]
        return bytes.fromhex("a5010203262001215820") + x + bytes.fromhex("225820") + y

    def sign(self, challenge: bytes) -> dict[str, bytes]:
        """The three parts of an assertion over the challenge."""
        self.counter += 1
        client = {"type": "webauthn.get", "challenge": to_b64url(challenge), "origin": self.origin}
        client_data = json.dumps({**client, **self.more_client_data}, separators=(",", ":")).encode()
        data = sha256(self.rp_id.encode()).digest() + bytes([self.flags]) + self.counter.to_bytes(4, "big")
        signature = self.private_key.sign(
            data + sha256(client_data).digest(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        )
        return {"authenticatorData": data, "clientDataJSON": client_data, "signature": signature}
