"""The contract Anchor.sol: its code, its calls and its event as bytes (Solidity ABI, fixed words only)."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.encoding import from_hex, to_hex
from ledger.errors import VerificationError
from ledger.keccak import keccak256

_COMPILED = json.loads(Path(__file__).with_name("Anchor.json").read_text(encoding="utf-8"))
CREATION_CODE = from_hex(_COMPILED["creationCode"])
CODE = from_hex(_COMPILED["code"])
"""What stands on the chain under the contract's address: the same for everybody, nothing in it is set at deployment."""

ANCHORED = to_hex(keccak256(b"Anchored(address,bytes32,uint64,bytes32)"))
_ANCHOR = keccak256(b"anchor(bytes32,uint64,bytes32)")[:4]
_NEWEST = keccak256(b"newest(address,bytes32)")[:4]
_ROOT_AT = keccak256(b"rootAt(address,bytes32,uint64)")[:4]


@dataclass(frozen=True)
class Anchored:
    """The event of one anchor; `sender` is a 0x address."""

    sender: str
    origin_hash: bytes
    size: int
    root: bytes


def origin_hash(salt: bytes, origin: str) -> bytes:
    """SHA-256 of salt and log name: who does not know the salt cannot tell whose log it is."""
    return sha256(salt + origin.encode("ascii")).digest()


def anchor_call(hashed: bytes, size: int, root: bytes) -> bytes:
    """The data of a transaction that anchors."""
    return _ANCHOR + hashed + _word(size) + root


def newest_call(sender: str, hashed: bytes) -> bytes:
    """Asks for the largest size that was anchored."""
    return _NEWEST + _address(sender) + hashed


def root_call(sender: str, hashed: bytes, size: int) -> bytes:
    """Asks for the root at a size."""
    return _ROOT_AT + _address(sender) + hashed + _word(size)


def read_event(entry: dict[str, Any]) -> Anchored | None:
    """The event in one log entry of a receipt; None for any other event. Raises VerificationError for broken ones."""
    try:
        topics, data = entry["topics"], from_hex(entry["data"])
        if len(topics) != 3 or topics[0] != ANCHORED:
            return None
        sender, hashed = from_hex(topics[1], 32), from_hex(topics[2], 32)
    except (KeyError, TypeError) as error:
        raise VerificationError("not a log entry of a receipt") from error
    if len(data) != 64 or any(sender[:12]):
        raise VerificationError("not the event of the contract")
    return Anchored(to_hex(sender[12:]), hashed, int.from_bytes(data[:32], "big"), data[32:])


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _address(sender: str) -> bytes:
    return bytes(12) + from_hex(sender, 20)
