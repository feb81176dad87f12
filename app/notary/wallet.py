"""The node's account on a public chain: transactions signed, sent, and followed into a block."""

import time
from dataclasses import dataclass
from typing import Any

from eth_account import Account

from app.config import AnchorConfig
from ledger.anchor.contract import CODE, CREATION_CODE
from ledger.anchor.rpc import Chain, ChainError, RefusedError, quantity
from ledger.encoding import to_hex
from ledger.keccak import keccak256

USUAL_TIP_WEI = 10**9
FIRST_NONCES = 8
"""A deployment is among the first transactions of its account: there the contract is looked for."""
MOST_GAS = 2_000_000
SHORTEST_POLL_S, LONGEST_POLL_S = 0.05, 4.0


class AnchorError(Exception):
    """One plain sentence for the operator."""


@dataclass(frozen=True)
class Wallet:
    """The account that pays; `address` is 0x and lower-case."""

    chain: Chain
    chain_id: int
    key: bytes
    address: str
    confirmations: int


def open_wallet(settings: AnchorConfig) -> Wallet:
    """The account, on the chain that was meant: a transaction for another one would be lost money."""
    chain = Chain(settings.rpc_url)
    found = chain.chain_id()
    if found != settings.chain_id:
        raise AnchorError(f"ANCHOR_RPC_URL leads to chain {found}, but ANCHOR_CHAIN_ID is {settings.chain_id}.")
    address = Account.from_key(settings.key).address
    return Wallet(chain, settings.chain_id, settings.key, str(address).lower(), settings.confirmations)


def check_contract(wallet: Wallet, contract: str) -> None:
    """Only the very contract of this house refuses a second root."""
    if not contract:
        raise AnchorError(
            "ANCHOR_CONTRACT is missing: `flask anchor --deploy` makes the contract and tells its address."
        )
    if wallet.chain.code(contract) != CODE:
        raise AnchorError(f"Under ANCHOR_CONTRACT {contract} stands no contract of this version.")


def deploy_contract(wallet: Wallet, wait_s: float) -> str:
    """The address of this account's contract, made once: a second call, or one after a crash, finds the first."""
    _await_own(wallet, wait_s)
    for nonce in range(min(count_sent(wallet, "latest"), FIRST_NONCES)):
        address = _created_at(wallet.address, nonce)
        if wallet.chain.code(address) == CODE:
            return address
    signed = sign(wallet, "", CREATION_CODE, count_sent(wallet, "latest"), fees(wallet))
    send(wallet, signed)
    receipt = await_receipt(wallet, [signed["hash"]], wait_s)
    address = str(receipt.get("contractAddress")).lower()
    if wallet.chain.code(address) != CODE:
        raise AnchorError("The chain did not take the contract; is there enough money in the account?")
    return address


def count_sent(wallet: Wallet, block: str) -> int:
    """The account's next nonce: `latest` counts what is in blocks, `pending` what waits too."""
    return quantity(wallet.chain.ask("eth_getTransactionCount", wallet.address, block))


def fees(wallet: Wallet, before: dict[str, Any] | None = None) -> dict[str, int]:
    """EIP-1559 fees in wei: twice the base fee lasts for six full blocks. Nodes replace `before` only for a quarter more."""
    base = quantity(wallet.chain.block().get("baseFeePerGas"))
    try:
        tip = quantity(wallet.chain.ask("eth_maxPriorityFeePerGas"))
    except ChainError:
        tip = USUAL_TIP_WEI
    most = 2 * base + tip
    if before is not None:
        most, tip = max(most, before["max_fee"] * 5 // 4 + 1), max(tip, before["tip"] * 5 // 4 + 1)
    return {"max_fee": most, "tip": tip}


def is_too_cheap(wallet: Wallet, sent: dict[str, Any]) -> bool:
    """True when the base fee has outgrown what a waiting transaction may cost."""
    return bool(quantity(wallet.chain.block().get("baseFeePerGas")) > sent["max_fee"])


def sign(wallet: Wallet, to: str, call: bytes, nonce: int, paid: dict[str, int]) -> dict[str, Any]:
    """A signed transaction as plain values; asks the chain how much it takes, so one that would fail is never sent."""
    asked = {"from": wallet.address, "data": to_hex(call)} | ({"to": to} if to else {})
    gas = quantity(wallet.chain.ask("eth_estimateGas", asked)) * 6 // 5
    if gas > MOST_GAS:
        raise AnchorError(f"The chain asks for {gas} gas, far more than this takes.")
    transaction = {
        "type": 2, "chainId": wallet.chain_id, "nonce": nonce, "gas": gas, "value": 0, "data": to_hex(call),
        "to": bytes.fromhex(to.removeprefix("0x")), "maxFeePerGas": paid["max_fee"], "maxPriorityFeePerGas": paid["tip"],
    }  # fmt: skip
    signed = Account.sign_transaction(transaction, wallet.key)
    return {"hash": to_hex(signed.hash), "raw": to_hex(signed.raw_transaction), "nonce": nonce, **paid}


def send(wallet: Wallet, signed: dict[str, Any]) -> None:
    """Send it, or send it again: what the chain knows already is no failure."""
    try:
        wallet.chain.ask("eth_sendRawTransaction", signed["raw"])
    except RefusedError:
        if wallet.chain.ask("eth_getTransactionByHash", signed["hash"]) is None:
            raise


def await_receipt(wallet: Wallet, hashes: list[str], wait_s: float) -> dict[str, Any]:
    """The receipt of the one of these transactions (same nonce) that came into a block."""
    deadline, pause_s = time.monotonic() + wait_s, SHORTEST_POLL_S
    while time.monotonic() < deadline:
        for one in reversed(hashes):
            if (receipt := wallet.chain.receipt(one)) is not None:
                return receipt
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_POLL_S)
    raise AnchorError(f"The chain took no transaction within {wait_s:g} seconds; run this again later.")


def is_confirmed(wallet: Wallet, receipt: dict[str, Any]) -> bool:
    """True once so many blocks hold it, its own counted, that the chain will not take it back."""
    newest = quantity(wallet.chain.block().get("number"))
    return newest - quantity(receipt.get("blockNumber")) + 1 >= wallet.confirmations


def _await_own(wallet: Wallet, wait_s: float) -> None:
    """Wait for what this account sent before: a deployment may be among it."""
    deadline = time.monotonic() + wait_s
    while count_sent(wallet, "pending") > count_sent(wallet, "latest"):
        if time.monotonic() > deadline:
            raise AnchorError("An earlier transaction of this account still waits; run this again later.")
        time.sleep(SHORTEST_POLL_S * 10)


def _created_at(sender: str, nonce: int) -> str:
    """Where a contract comes to stand: Keccak-256 of the RLP of sender and nonce (below 128)."""
    place = b"\xd6\x94" + bytes.fromhex(sender[2:]) + bytes([nonce or 0x80])
    return to_hex(keccak256(place)[12:])
