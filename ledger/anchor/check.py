"""Does a chain hold what an anchor record says? The claim, and its check against the receipt of the transaction."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ledger.anchor.contract import Anchored, origin_hash, read_event
from ledger.canonical import check_depth
from ledger.encoding import from_hex
from ledger.errors import VerificationError

MAX_RECEIPT_BYTES = 1_000_000


@dataclass(frozen=True)
class Claim:
    """What an anchor record says; hex values as in the record."""

    chain_id: int
    contract: str
    transaction: str
    origin_hash: bytes
    size: int
    root: bytes


Witness = Callable[[Claim], str]
"""Confirms a claim and says in a few words by what; raises VerificationError for one that does not hold."""


def claim_of(message: Mapping[str, Any], origin: str) -> Claim:
    """The claim of an anchor record's message in the log `origin`; the record's salt is that of the origin hash."""
    hashed = origin_hash(from_hex(message["salt"], 32), origin)
    return Claim(
        message["chainId"],
        message["contract"],
        message["transaction"],
        hashed,
        message["size"],
        from_hex(message["root"], 32),
    )


def read_receipt(text: bytes) -> Witness:
    """A kept answer to eth_getTransactionReceipt as witness: as good as the place it was kept."""
    check_depth(text)
    try:
        kept: Any = json.loads(text) if len(text) <= MAX_RECEIPT_BYTES else None
    except (ValueError, RecursionError) as error:
        raise VerificationError("not a receipt of a transaction") from error
    receipt = kept.get("result", kept) if isinstance(kept, dict) else None
    if not isinstance(receipt, dict):
        raise VerificationError("not a receipt of a transaction")
    return partial(_confirm_by_receipt, receipt)


def check_receipt(receipt: Mapping[str, Any], claim: Claim) -> Anchored:
    """The one event of the claim in the receipt of a transaction that went well."""
    if receipt.get("transactionHash") != claim.transaction or receipt.get("status") != "0x1":
        raise VerificationError("the receipt is of another transaction, or of one that failed")
    events = [event for entry in _entries(receipt, claim.contract) if (event := read_event(entry)) is not None]
    wanted = (claim.origin_hash, claim.size, claim.root)
    for event in events:
        if (event.origin_hash, event.size, event.root) == wanted:
            return event
    raise VerificationError("the transaction did not anchor this root of this log")


def _confirm_by_receipt(receipt: Mapping[str, Any], claim: Claim) -> str:
    check_receipt(receipt, claim)
    return f"by the receipt in the file; chain {claim.chain_id} itself was not asked"


def _entries(receipt: Mapping[str, Any], contract: str) -> list[dict[str, Any]]:
    entries = receipt.get("logs")
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise VerificationError("a receipt without events")
    return [one for one in entries if str(one.get("address")).lower() == contract]
