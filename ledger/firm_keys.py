"""The keys of one firm as its log tells them: what was valid at which position, from genesis on."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from ledger.encoding import from_hex, to_hex
from ledger.errors import VerificationError
from ledger.leaf import Leaf
from ledger.note import COSIGNER_KEY, LOG_KEY, Verifier, make_verifier, parse_vkey
from ledger.signatures import load_passkey

PRACTICE_PREFIX = "practice/"
_LEVELS = {"worker": 1, "accountant": 1, "steward": 1, "foreman": 2, "manager": 3}
_NEEDED_LEVEL = {"worker": 1, "foreman": 2, "manager": 3, "second": 3}
KEY_RECORDS = frozenset({"genesis", "key.register", "key.rotate", "key.revoke"})
_PURPOSES = frozenset({"log", "cosign", "seal", "passkey", "recovery"})
OVER_LIMIT = "the sum is above the limit of the key"
NOT_YET = "the key was not valid yet"


class Position(NamedTuple):
    """Where a signature is placed: `seq` in the signer's own log where known, else the claimed time `at` decides.

    `tolerance_s`: how far the clock that told the time may be behind the signer's own.
    """

    seq: int | None
    at: int
    tolerance_s: int = 0


@dataclass(frozen=True)
class RegisteredKey:
    """A key with the record that brought it; `limit_cents` 0 means no limit, `valid_from` counts seconds since 1970."""

    purpose: str
    kid: str
    public_key: bytes
    seq: int
    at: int
    role: str = ""
    limit_cents: int = 0
    valid_from: int = 0
    rp_id: str = ""
    origins: frozenset[str] = frozenset()


@dataclass
class FirmKeys:
    """All keys of a firm, grown record by record; `firm` is the address, `origin` the log's name."""

    firm: str
    origin: str
    genesis_digest: bytes
    log_name: str
    cosign_name: str
    keys: list[RegisteredKey] = field(default_factory=list)
    revoked: dict[str, list[Position]] = field(default_factory=dict)
    _by_place: dict[tuple[int, str], RegisteredKey] = field(default_factory=dict)
    _by_kid: dict[str, list[RegisteredKey]] = field(default_factory=dict)
    _cosigners: dict[Verifier, int | None] = field(default_factory=dict)
    _seals: dict[str, RegisteredKey] = field(default_factory=dict)
    """By address; of one that was registered twice the newer"""

    @classmethod
    def from_genesis(cls, leaf: Leaf, message: dict[str, Any]) -> "FirmKeys":
        """The keys of a firm's first record; its signatures are checked by the caller, against these very keys."""
        log_key, cosign_key = parse_vkey(message["logKey"]), parse_vkey(message["cosignKey"])
        if leaf.type != "genesis" or leaf.seq != 0 or message["log"] != leaf.log or message["from"] == "":
            raise VerificationError("not the first record of this log")
        if log_key.alg != LOG_KEY or cosign_key.alg != COSIGNER_KEY or log_key.name != leaf.log:
            raise VerificationError("log key or cosigner key of another type or name")
        firm = cls(message["from"], leaf.log, leaf.digest, log_key.name, cosign_key.name)
        web = {"rp_id": message["rpId"], "origins": frozenset(message["origins"])}
        firm._add("log", log_key.public_key, leaf)
        firm._add("cosign", cosign_key.public_key, leaf)
        firm._add("seal", from_hex(message["seal"], length=20), leaf)
        firm._add("passkey", from_hex(message["passkey"], length=65), leaf, role="manager", **web)
        firm._add("recovery", from_hex(message["recovery"], length=32), leaf)
        return firm

    def apply(self, leaf: Leaf, message: dict[str, Any]) -> None:
        """Takes one more verified key record into account."""
        self._cosigners = {}
        if message["purpose"] not in _PURPOSES or message["from"] != self.firm:
            raise VerificationError("key record of another firm or for an unknown purpose")
        if leaf.type == "key.rotate":
            self._revoke(message["oldKid"], message["purpose"], leaf)
        if leaf.type == "key.revoke":
            self._revoke(message["kid"], message["purpose"], leaf)
        else:
            self._add_registered(leaf, message)

    def passkey(self, kid: str, key_seq: int, role: str, place: Position, cents: int = 0) -> RegisteredKey:
        """The passkey registered at `key_seq`; raises VerificationError unless it could sign such a sum in that role."""
        key = self._by_place.get((key_seq, kid))
        if key is None or key.purpose != "passkey":
            raise VerificationError("the passkey is not registered where the signature says")
        self._check_valid(key, place)
        if _LEVELS.get(key.role, 0) < _NEEDED_LEVEL.get(role, 9):
            raise VerificationError(f"a passkey of the role {key.role} does not sign as {role}")
        if cents and 0 < self._newest(key, place).limit_cents < cents:
            raise VerificationError(OVER_LIMIT)
        return key

    def signing_key(self, purpose: str, kid: str, key_seq: int, place: Position) -> RegisteredKey:
        """The log or recovery key registered at `key_seq`, where valid at that place."""
        key = self._by_place.get((key_seq, kid))
        if key is None or key.purpose != purpose:
            raise VerificationError(f"the {purpose} key is not registered where the signature says")
        self._check_valid(key, place)
        return key

    def check_seal(self, address: str, place: Position) -> None:
        """Raises VerificationError unless the address was the firm's seal at that place."""
        key = self._seals.get(address)
        if key is None:
            raise VerificationError("not a seal of this firm")
        self._check_valid(key, place)

    def log_key(self, size: int) -> Verifier:
        """The key that signs a checkpoint of `size` entries: the newest registered and not revoked among them."""
        keys = [key for key in self.keys if key.purpose == "log" and key.seq < size]
        keys = [key for key in keys if (end := self._end_of(key)) is None or end.seq is None or end.seq >= size]
        if not keys:
            raise VerificationError("no log key for a checkpoint of this size")
        return make_verifier(self.log_name, LOG_KEY, keys[-1].public_key)

    def cosign_key(self) -> Verifier:
        """The newest cosigner key."""
        return list(self.cosigners())[-1]

    def cosigners(self) -> dict[Verifier, int | None]:
        """Every cosigner key in the order of registration, with the time from which on it does not count."""
        if not self._cosigners:
            found = [key for key in self.keys if key.purpose == "cosign"]
            ends = [self._end_of(key) for key in found]
            verifiers = [make_verifier(self.cosign_name, COSIGNER_KEY, key.public_key) for key in found]
            times = [None if end is None else end.at for end in ends]
            self._cosigners = dict(zip(verifiers, times, strict=True))
        return self._cosigners

    def _end_of(self, key: RegisteredKey) -> Position | None:
        """Where that registration ended; a key may be registered again later."""
        return next((end for end in self.revoked.get(key.kid, []) if end.seq is not None and end.seq > key.seq), None)

    def _newest(self, key: RegisteredKey, place: Position) -> RegisteredKey:
        """The last registration of a key before that place: a limit counts whichever one the signature names."""
        seq, known = place.seq, self._by_kid[key.kid]
        before = [one for one in known if (one.at <= place.at if seq is None else one.seq < seq)]
        return before[-1] if before else key

    def _check_valid(self, key: RegisteredKey, place: Position) -> None:
        # The first record is signed by the very keys that it brings.
        if place.seq is not None and key.seq >= place.seq and not key.seq == place.seq == 0:
            raise VerificationError("the key was registered after this record")
        if key.valid_from > place.at + place.tolerance_s:
            raise VerificationError(NOT_YET)
        revoked = self._end_of(key)
        if revoked is None or revoked.seq is None:
            return
        if revoked.seq < place.seq if place.seq is not None else revoked.at <= place.at:
            raise VerificationError("the key was revoked before this record")

    def _add_registered(self, leaf: Leaf, message: dict[str, Any]) -> None:
        purpose, public_key = message["purpose"], from_hex(message["publicKey"])
        if len(public_key) != {"passkey": 65, "seal": 20}.get(purpose, 32):
            raise VerificationError("public key of another length than its purpose has")
        if message["kid"] != key_id(public_key):
            raise VerificationError("the key's id does not fit the key")
        web = {"rp_id": message["rpId"], "origins": frozenset(message["origins"])}
        more = {"role": message["role"], "limit_cents": message["limitCents"], "valid_from": message["validFrom"]}
        self._add(purpose, public_key, leaf, **more, **web)

    def _add(self, purpose: str, public_key: bytes, leaf: Leaf, **more: Any) -> None:
        if purpose == "passkey":
            load_passkey(public_key)  # refuses what is no point of the curve
        kid = key_id(public_key)
        if any(key.kid == kid and key.purpose != purpose for key in self.keys):
            raise VerificationError("one key has one purpose")
        key = RegisteredKey(purpose, kid, public_key, leaf.seq, leaf.at, **more)
        self.keys.append(key)
        self._by_place[leaf.seq, kid] = key
        self._by_kid.setdefault(kid, []).append(key)
        if purpose == "seal":
            self._seals[to_hex(public_key)] = key

    def _revoke(self, kid: str, purpose: str, leaf: Leaf) -> None:
        if not any(key.kid == kid and key.purpose == purpose for key in self.keys):
            raise VerificationError("the key to be revoked was never registered")
        self.revoked.setdefault(kid, []).append(Position(leaf.seq, leaf.at))


def key_id(public_key: bytes) -> str:
    """The id of a key in records, 0x hex: SHA-256 of its bytes (passkey 65, seal 20, the others 32)."""
    return to_hex(sha256(public_key).digest())
