"""Signed notes (C2SP signed-note): Ed25519 log keys (type 0x01) and cosigner keys (type 0x04)."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.encoding import from_b64, to_b64
from ledger.errors import VerificationError

LOG_KEY = 0x01
COSIGNER_KEY = 0x04
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
_KEY_ID = re.compile(r"[0-9a-f]{8}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True)
class SignatureLine:
    """One line below a note's text; `signature` without the four bytes of the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {to_b64(self.key_id + self.signature)}\n"


@dataclass(frozen=True)
class Note:
    """A note taken apart, nothing verified yet; `text` ends in a newline."""

    text: str
    signatures: tuple[SignatureLine, ...]


@dataclass(frozen=True)
class Opened:
    """A note of which at least one signature is by a known key; each key counts once."""

    text: str
    verified: tuple[SignatureLine, ...]
    unverified: tuple[SignatureLine, ...]


@dataclass(frozen=True)
class Verifier:
    """A public key with its name; `alg` is LOG_KEY or COSIGNER_KEY."""

    name: str
    key_id: bytes
    alg: int
    public_key: bytes

    @property
    def vkey(self) -> str:
        """The C2SP text form of the key."""
        return f"{self.name}+{self.key_id.hex()}+{to_b64(bytes([self.alg]) + self.public_key)}"


@dataclass(frozen=True)
class Signer:
    """A private key with its name; only log keys sign notes, cosigner keys sign checkpoints."""

    name: str
    alg: int
    seed: bytes

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        public_key = _public_half(self.seed)
        return Verifier(self.name, _key_id(self.name, self.alg, public_key), self.alg, public_key)

    @property
    def skey(self) -> str:
        """The C2SP text form of the private key."""
        body = to_b64(bytes([self.alg]) + self.seed)
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{body}"

    def sign_bytes(self, message: bytes) -> bytes:
        """64 bytes of Ed25519."""
        return _load_seed(self.seed).sign(message)


def sign(text: str, signer: Signer | str, existing: Iterable[SignatureLine] = ()) -> str:
    """The note of `text` with the signer's line after the existing ones; an older line of the same key is replaced.

    `signer` may be a signing key in its text form. Raises VerificationError for a text or line that no note can hold.
    """
    key = parse_skey(signer) if isinstance(signer, str) else signer
    if key.alg != LOG_KEY:
        raise VerificationError("only a log key signs a note as it is")
    _check_text(text)
    own = key.verifier
    _check_name(own.name)
    line = SignatureLine(own.name, own.key_id, key.sign_bytes(text.encode("utf-8")))
    kept = [other for other in existing if (other.name, other.key_id) != (own.name, own.key_id)]
    return format_note(text, [*kept, line])


def format_note(text: str, lines: Sequence[SignatureLine]) -> str:
    """Text, an empty line, the signature lines; checked by reading it back."""
    note = text + "\n" + "".join(str(line) for line in lines)
    parse(note)
    return note


def open(note: str | bytes, vkeys: Iterable[Verifier | str]) -> list[str]:
    """The names of the keys whose signatures hold; raises VerificationError when none does or a known one fails."""
    return [line.name for line in open_note(note, vkeys).verified]


def open_note(note: str | bytes, vkeys: Iterable[Verifier | str]) -> Opened:
    """The note with its lines sorted into verified and unknown; a known key's wrong signature refuses the whole."""
    parsed = parse(note)
    known = [parse_vkey(key) if isinstance(key, str) else key for key in vkeys]
    verified: dict[tuple[str, bytes], SignatureLine] = {}
    unverified: dict[SignatureLine, None] = {}
    for line in parsed.signatures:
        key = find_key(known, line.name, line.key_id)
        if key is None:
            unverified[line] = None
        elif (line.name, line.key_id) not in verified:
            check_line(parsed.text, line, key)
            verified[line.name, line.key_id] = line
    if not verified:
        raise VerificationError("no signature by a known key")
    return Opened(parsed.text, tuple(verified.values()), tuple(unverified))


def find_key(known: Iterable[Verifier], name: str, key_id: bytes) -> Verifier | None:
    """The one key of that name and id; raises VerificationError when it is listed twice."""
    found = [key for key in known if (key.name, key.key_id) == (name, key_id)]
    if len(found) > 1:
        raise VerificationError(f"key {name} is listed twice")
    return found[0] if found else None


def check_line(text: str, line: SignatureLine, key: Verifier) -> None:
    """Raises VerificationError unless the line is the key's signature over the text, by the rule of its type."""
    _CHECKS[key.alg](text, line, key)


def parse(note: str | bytes) -> Note:
    """Text and signature lines of a note; nothing is verified."""
    text = _decode(note)
    if _CONTROL.search(text):
        raise VerificationError("control character in a note")
    cut = text.rfind("\n\n")
    if cut < 0 or not text.endswith("\n"):
        raise VerificationError("a note needs text, an empty line and signature lines, each ended by a newline")
    block = text[cut + 2 :]
    if not block:
        raise VerificationError("a note without signatures")
    return Note(text[: cut + 1], parse_lines(block))


def parse_lines(block: str) -> tuple[SignatureLine, ...]:
    """Signature lines alone, as witnesses answer them."""
    if not block.endswith("\n"):
        raise VerificationError("the last signature line does not end in a newline")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise VerificationError(f"more than {MAX_SIGNATURES} signatures")
    return tuple(parse_line(line) for line in lines)


def parse_line(line: str) -> SignatureLine:
    """One line `— name base64(key id || signature)`, without its newline."""
    dash, _, rest = line.partition(" ")
    name, space, body = rest.partition(" ")
    if dash != "—" or not space:
        raise VerificationError("not a signature line")
    _check_name(name)
    data = from_b64(body)
    if len(data) < 5:
        raise VerificationError("signature too short")
    return SignatureLine(name, data[:4], data[4:])


@lru_cache(maxsize=4096)
def parse_vkey(vkey: str) -> Verifier:
    """A verifier key `name+id+base64`; strict in every character."""
    parts = vkey.split("+", 2) if isinstance(vkey, str) else []
    if len(parts) != 3:
        raise VerificationError("not a verifier key")
    name, key_id, body = parts
    alg, public_key = _parse_key_body(name, key_id, body)
    if key_id != _key_id(name, alg, public_key).hex():
        raise VerificationError("the key id does not fit the key")
    return Verifier(name, bytes.fromhex(key_id), alg, public_key)


def parse_skey(skey: str) -> Signer:
    """A signing key `PRIVATE+KEY+name+id+base64`; strict in every character."""
    parts = skey.split("+", 4) if isinstance(skey, str) else []
    if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
        raise VerificationError("not a signing key")
    _, _, name, key_id, body = parts
    alg, seed = _parse_key_body(name, key_id, body)
    signer = Signer(name, alg, seed)
    if key_id != signer.verifier.key_id.hex():
        raise VerificationError("the key id does not fit the key")
    return signer


@lru_cache(maxsize=4096)
def make_verifier(name: str, alg: int, public_key: bytes) -> Verifier:
    """The verifier of a public key (32 bytes) under a name."""
    _check_name(name)
    return Verifier(name, _key_id(name, alg, public_key), alg, public_key)


@lru_cache(maxsize=1024)
def _public_half(seed: bytes) -> bytes:
    return _load_seed(seed).public_key().public_bytes_raw()


@lru_cache(maxsize=1024)
def _load_seed(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def _parse_key_body(name: str, key_id: str, body: str) -> tuple[int, bytes]:
    _check_name(name)
    if not _KEY_ID.fullmatch(key_id):
        raise VerificationError("the key id must be eight hex digits")
    data = from_b64(body)
    if len(data) != 33 or data[0] not in (LOG_KEY, COSIGNER_KEY):
        raise VerificationError("unknown type or length of key")
    return data[0], data[1:]


def _key_id(name: str, alg: int, public_key: bytes) -> bytes:
    return sha256(name.encode("utf-8") + b"\n" + bytes([alg]) + public_key).digest()[:4]


def _check_name(name: str) -> None:
    if not name or "+" in name or any(letter.isspace() for letter in name) or _CONTROL.search(name):
        raise VerificationError("a key name is not empty and holds neither spaces nor plus signs")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise VerificationError("a note's text ends in a newline and holds no control characters")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise VerificationError("not text") from error


def _decode(note: str | bytes) -> str:
    if len(note) > MAX_NOTE_BYTES:
        raise VerificationError("note too long")
    if isinstance(note, str):
        return note
    try:
        return note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerificationError("a note must be UTF-8") from error


def _check_log_signature(text: str, line: SignatureLine, key: Verifier) -> None:
    verify_ed25519(key.public_key, line.signature, text.encode("utf-8"))


def _check_cosignature(text: str, line: SignatureLine, key: Verifier) -> None:
    timestamp = cosignature_time(line)
    verify_ed25519(key.public_key, line.signature[8:], cosigned_message(text, timestamp))


def cosignature_time(line: SignatureLine) -> int:
    """The seconds since 1970 that a cosignature line states."""
    if len(line.signature) != 72:
        raise VerificationError("a cosignature has 8 bytes of time and 64 of signature")
    timestamp = int.from_bytes(line.signature[:8], "big")
    if timestamp >= 2**63:
        raise VerificationError("time of the cosignature out of range")
    return timestamp


def cosigned_message(text: str, timestamp: int) -> bytes:
    """The bytes an Ed25519 cosigner signs for a checkpoint text (C2SP tlog-cosignature)."""
    if type(timestamp) is not int or not 0 <= timestamp < 2**63:
        raise VerificationError("time of the cosignature out of range")
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Raises VerificationError unless the 64 bytes sign the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise VerificationError("Ed25519 signature does not hold") from error


_CHECKS: dict[int, Callable[[str, SignatureLine, Verifier], None]] = {
    LOG_KEY: _check_log_signature,
    COSIGNER_KEY: _check_cosignature,
}
