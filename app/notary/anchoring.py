"""Anchoring firms' logs on a public chain: every step is a durable row, so that a killed run goes on where it stopped."""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.errors import WerkringError
from app.core.ids import new_id
from app.firms.models import Firm
from app.notary.actions import append_entry, seal
from app.notary.documents import Display, new_message
from app.notary.models import LedgerAnchor, LedgerCheckpoint, LedgerEntry
from app.notary.queries import address, derived_secret, digest, evidence, origin
from app.notary.wallet import (
    LONGEST_POLL_S,
    AnchorError,
    Wallet,
    await_receipt,
    count_sent,
    fees,
    is_confirmed,
    is_too_cheap,
    send,
    sign,
)
from app.notary.witnesses import halt_of
from ledger.anchor.check import Claim, check_receipt
from ledger.anchor.contract import anchor_call, newest_call, origin_hash, root_call
from ledger.anchor.rpc import RefusedError
from ledger.encoding import to_hex
from ledger.errors import VerificationError

TEMPLATE = "anchor.de.1"


def anchor_firms(database: Database, wallet: Wallet, contract: str, say: Callable[[str], None], wait_s: float) -> bool:
    """Anchor the newest checkpoint of every firm that wants it; False when one could not be, which stops no other."""
    with database.read() as session:
        firms = session.execute(sa.select(Firm.id, Firm.address).where(Firm.is_anchored).order_by(Firm.address)).all()
    is_good = True
    for firm in firms:
        try:
            size = anchor_firm(database, wallet, contract, firm.id, wait_s)
            say(f"{firm.address}: {'nothing new' if size is None else f'{size} entries anchored'}.")
        except (AnchorError, VerificationError, WerkringError) as error:
            is_good = False
            say(f"{firm.address}: not anchored. {error}")
    return is_good


def anchor_firm(database: Database, wallet: Wallet, contract: str, firm_id: str, wait_s: float) -> int | None:
    """Anchor the firm's newest checkpoint and enter the record; the size, or None when nothing was new."""
    _send_vanished(database, wallet, contract, firm_id)
    with database.write() as session:
        row = begin_anchor(session, firm_id, wallet.chain_id, contract)
        if row is None:
            return None
        log = origin(session, firm_id)
    # What is to be anchored stands fixed. After a crash here the next run begins with this row.
    hashed = origin_hash(bytes.fromhex(row.salt[2:]), log)
    receipt = _confirmed(database, wallet, row, hashed, wait_s)
    # The chain holds it for good. After a crash here the next run finds the receipt by the hash that was kept before sending.
    transaction = str(receipt.get("transactionHash"))
    check_receipt(receipt, Claim(wallet.chain_id, contract, transaction, hashed, row.size, bytes.fromhex(row.root)))
    with database.write() as session:
        record_anchor(session, firm_id, row.id, transaction)
    return row.size


def _send_vanished(database: Database, wallet: Wallet, contract: str, firm_id: str) -> None:
    """What the chain took back although it was confirmed goes there again, byte for byte, under the recorded hash."""
    with database.read() as session:
        row = _last_recorded(session, firm_id, wallet.chain_id, contract)
        if row is None or row.seq is None:
            return
        size, transaction = row.size, evidence(session, firm_id, row.seq)["message"]["transaction"]
        signed = next(one for one in row.sent if one["hash"] == transaction)
    if wallet.chain.receipt(transaction) is not None:
        return
    try:
        send(wallet, signed)
    except RefusedError as error:
        raise AnchorError(f"The chain took back the anchor of {size} entries and does not take it again.") from error


def _last_recorded(session: Session, firm_id: str, chain_id: int, contract: str) -> LedgerAnchor | None:
    here = sa.select(LedgerAnchor).where(
        LedgerAnchor.firm_id == firm_id, LedgerAnchor.chain_id == chain_id, LedgerAnchor.contract == contract
    )
    return session.scalar(here.where(LedgerAnchor.seq.is_not(None)).order_by(LedgerAnchor.size.desc()).limit(1))


def begin_anchor(session: Session, firm_id: str, chain_id: int, contract: str) -> LedgerAnchor | None:
    """The firm's unfinished anchor, or a new one of the newest checkpoint; None when only anchors came since the last."""
    if halt_of(session, firm_id):
        raise AnchorError("This ledger rests: it may be an old state or a rewritten one.")
    rows = session.scalars(
        sa.select(LedgerAnchor).where(LedgerAnchor.firm_id == firm_id).order_by(LedgerAnchor.created_at)
    ).all()
    here = [row for row in rows if (row.chain_id, row.contract) == (chain_id, contract)]
    row = next((one for one in here if one.seq is None), None)
    if row is not None and row.sent:
        return row
    newest = _newest_checkpoint(session, firm_id)
    last = max((one.size for one in here if one.seq is not None), default=0)
    if newest is None or not _has_news(session, firm_id, last, newest.size):
        return None
    if row is None:
        salt = rows[-1].salt if rows else to_hex(derived_secret(session, firm_id, "anchor"))
        row = LedgerAnchor(
            firm_id=firm_id, id=new_id(), created_at=clock.now(), chain_id=chain_id, contract=contract, salt=salt, sent=[]
        )  # fmt: skip
        session.add(row)
    row.size, row.root = newest.size, newest.root
    return row


def record_anchor(session: Session, firm_id: str, anchor_id: str, transaction: str) -> None:
    """Enter the record of an anchor that the chain holds, once."""
    row = session.get_one(LedgerAnchor, (firm_id, anchor_id), with_for_update=True)
    if row.seq is not None:
        return
    own = address(session, firm_id)
    text = (
        f"Der Stand unseres Buchs mit {row.size} Einträgen steht in einer öffentlichen Kette.\n"
        f"Kette: {row.chain_id}\nVertrag dort: {row.contract}\nVorgang: {transaction}\nWurzel: {row.root}\n"
    )
    message = new_message(
        "anchor", own, own, text, salt=row.salt, chain_id=row.chain_id, contract=row.contract, transaction=transaction,
        size=row.size, root=f"0x{row.root}",
    )  # fmt: skip
    sealed = seal(session, firm_id, digest("Anchor", message))
    row.seq = append_entry(
        session, firm_id, "anchor", "Anchor", message, Display(TEMPLATE, "de", text), [sealed], subject_id=row.id
    )


def _newest_checkpoint(session: Session, firm_id: str) -> LedgerCheckpoint | None:
    kept = sa.select(LedgerCheckpoint).where(LedgerCheckpoint.firm_id == firm_id)
    return session.scalars(kept.order_by(LedgerCheckpoint.size.desc()).limit(1)).one_or_none()


def _has_news(session: Session, firm_id: str, last: int, newest: int) -> bool:
    """An anchor is an entry too: it alone is no reason for the next one."""
    entries = sa.select(LedgerEntry.seq).where(LedgerEntry.firm_id == firm_id, LedgerEntry.seq >= last)
    return session.scalar(entries.where(LedgerEntry.seq < newest, LedgerEntry.type != "anchor").limit(1)) is not None


def _receipt_of(wallet: Wallet, row: LedgerAnchor) -> dict[str, Any] | None:
    """The receipt of what an earlier run sent; one that failed counts as not sent."""
    receipts = [wallet.chain.receipt(one["hash"]) for one in row.sent]
    return next((one for one in receipts if one is not None and one.get("status") == "0x1"), None)


def _confirmed(database: Database, wallet: Wallet, row: LedgerAnchor, hashed: bytes, wait_s: float) -> dict[str, Any]:
    """The receipt under enough blocks. What a chain took back meanwhile is sent again."""
    deadline = time.monotonic() + wait_s
    while True:
        receipt = _receipt_of(wallet, row) or _send(database, wallet, row, hashed, wait_s)
        if receipt.get("status") != "0x1" or is_confirmed(wallet, receipt):
            return receipt
        if time.monotonic() > deadline:
            raise AnchorError(f"The chain has not confirmed it by {wallet.confirmations} blocks; run this again later.")
        time.sleep(min(LONGEST_POLL_S, wait_s / 10))


def _send(database: Database, wallet: Wallet, row: LedgerAnchor, hashed: bytes, wait_s: float) -> dict[str, Any]:
    _check_growing(wallet, row, hashed)
    signed = _transaction(wallet, row, hashed)
    if signed not in row.sent:
        with database.write() as session:
            kept = session.get_one(LedgerAnchor, (row.firm_id, row.id))
            kept.sent = row.sent = [*row.sent, signed]
    # The hash is durable before the chain can know it: whatever crashes, nothing is paid that nobody finds again.
    send(wallet, signed)
    return await_receipt(wallet, [one["hash"] for one in row.sent if one["nonce"] == signed["nonce"]], wait_s)


def _check_growing(wallet: Wallet, row: LedgerAnchor, hashed: bytes) -> None:
    """The chain remembers what a restored or rewritten log has forgotten."""
    largest = int.from_bytes(wallet.chain.call(row.contract, newest_call(wallet.address, hashed)), "big")
    if largest < row.size:
        return
    known = wallet.chain.call(row.contract, root_call(wallet.address, hashed, row.size))
    if any(known) and known.hex() != row.root:
        raise AnchorError(f"The chain holds another root for {row.size} entries: this ledger was rewritten.")
    raise AnchorError(f"The chain knows {largest} entries already: was this node restored from an old backup?")


def _transaction(wallet: Wallet, row: LedgerAnchor, hashed: bytes) -> dict[str, Any]:
    """What was signed before, while its nonce is free and its fee suffices; else a new one in its place."""
    before = row.sent[-1] if row.sent and row.sent[-1]["nonce"] >= count_sent(wallet, "latest") else None
    if before is not None and not is_too_cheap(wallet, before):
        return before
    nonce = count_sent(wallet, "pending") if before is None else before["nonce"]
    call = anchor_call(hashed, row.size, bytes.fromhex(row.root))
    return sign(wallet, row.contract, call, nonce, fees(wallet, before))
