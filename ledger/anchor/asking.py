"""A chain asked about an anchor record, today."""

from datetime import UTC, datetime
from functools import partial

from ledger.anchor.check import Claim, Witness, check_receipt
from ledger.anchor.contract import CODE, root_call
from ledger.anchor.rpc import Chain, quantity
from ledger.errors import VerificationError


def ask_chain(url: str) -> Witness:
    """A chain as witness."""
    return partial(confirm_on_chain, Chain(url))


def confirm_on_chain(chain: Chain, claim: Claim) -> str:
    """1 the right chain · 2 our contract and no look-alike · 3 the event in the receipt · 4 what the contract says today."""
    if chain.chain_id() != claim.chain_id:
        raise VerificationError("another chain than the record names")
    if chain.code(claim.contract) != CODE:
        raise VerificationError("under this address stands another contract")
    receipt = chain.receipt(claim.transaction)
    if receipt is None:
        raise VerificationError("the chain does not know the transaction")
    event = check_receipt(receipt, claim)
    if chain.call(claim.contract, root_call(event.sender, claim.origin_hash, claim.size)) != claim.root:
        raise VerificationError("the contract holds another root")
    number = quantity(receipt.get("blockNumber"))
    anchored_at = quantity(chain.block(hex(number)).get("timestamp"))
    return f"in block {number} of chain {claim.chain_id}, {_said(anchored_at)}"


def _said(at: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError) as error:
        raise VerificationError("a block without a time") from error
