"""The digest that is signed: EIP-712 over the pinned record types."""

from collections.abc import Mapping
from typing import Any

from ledger.eip712 import digest_typed_data
from ledger.types import SCHEME

__all__ = ["digest", "digest_typed_data"]


def digest(primary_type: str, message: Mapping[str, Any]) -> bytes:
    """The 32 bytes that are signed for a record: keccak-256(0x1901 || domain || struct).

    `primary_type` is a name of `ledger.types`. Raises VerificationError for every departure from the type.
    """
    return SCHEME.digest(primary_type, message)
