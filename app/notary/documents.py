"""Records before they are signed: messages with their common fields, and a ledger that is about to begin."""

import base64
import datetime as dt
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from app.core import clock
from app.notary.pdf_seal import make_pdf_key
from ledger import keys, typed
from ledger.encoding import to_hex as to_hex
from ledger.evidence import Display as Display
from ledger.evidence import display_hash, passkey_signature
from ledger.firm_keys import PRACTICE_PREFIX
from ledger.records import ZERO32 as ZERO32
from ledger.records import Genesis
from ledger.signatures import passkey_point as passkey_point
from ledger.signatures import seal_address
from ledger.types import RECORD_TYPES, primary_type_of
from ledger.types import record_type_of as record_type_of

GENESIS_TEMPLATE = "genesis.de.1"


def origin_for(handle: str, node_name: str, *, is_practice: bool) -> str:
    """The name of a firm's log: ASCII `handle.node`; of a practice firm it begins with `practice/`."""
    return f"{PRACTICE_PREFIX if is_practice else ''}{handle}.{node_name}"


def new_message(
    record_type: str,
    from_address: str,
    to_address: str,
    text: str,
    *,
    expires_at: dt.datetime | None = None,
    issued_at: dt.datetime | None = None,
    supersedes: str = ZERO32,
    locale: str = "de",
    record_id: str = "",
    salt: str = "",
    **fields: Any,
) -> dict[str, Any]:
    """The message of a record: common fields and its own, given in snake case as in `ledger.records`.

    Addresses are `firm@node`; `text` is exactly what the signers see.
    `record_id` and `salt` are 0x hex of 32 bytes, random when left out.
    """
    kind = RECORD_TYPES[record_type]
    record = kind(
        id=record_id or to_hex(os.urandom(32)),
        salt=salt or to_hex(os.urandom(32)),
        from_=from_address,
        to=to_address,
        supersedes=supersedes,
        issued_at=int((issued_at or clock.now()).timestamp()),
        expires_at=int(expires_at.timestamp()) if expires_at else 0,
        locale=locale,
        display_hash=display_hash(text),
        **fields,
    )
    return record.message()


@dataclass(frozen=True)
class LedgerDraft:
    """A ledger that its first manager has not approved yet: plain values, so that it can be kept as JSON."""

    origin: str
    text: str
    message: dict[str, Any]
    wrapped: dict[str, str]
    """Private keys by purpose, wrapped under the node key, base64."""
    certificate: str
    """Of the key that seals the firm's PDFs; PEM."""

    @property
    def digest(self) -> bytes:
        """What the first passkey, the log key, the seal and the recovery key sign."""
        return typed.digest(primary_type_of("genesis"), self.message)

    @property
    def display(self) -> Display:
        return Display(GENESIS_TEMPLATE, "de", self.text)

    def to_body(self) -> dict[str, Any]:
        return asdict(self)


def open_draft(body: dict[str, Any]) -> LedgerDraft:
    return LedgerDraft(**body)


def draft_ledger(
    node_key: bytes, address: str, origin: str, text: str, passkey: bytes, rp_id: str, origins: tuple[str, ...]
) -> LedgerDraft:
    """Make the firm's keys and the message of its first record; `passkey` is the first manager's COSE key."""
    log, cosign = keys.generate_log_key(origin), keys.generate_cosigner_key(origin)
    seal, recovery = keys.generate_seal_key(), keys.generate_recovery_key()
    pdf = make_pdf_key(address)
    message = new_message(
        record_type_of(Genesis.__name__),
        address,
        address,
        text,
        log=origin,
        log_key=log.verifier.vkey,
        cosign_key=cosign.verifier.vkey,
        seal=seal_address(seal),
        passkey=to_hex(passkey_point(passkey)),
        recovery=to_hex(keys.recovery_public_key(recovery)),
        rp_id=rp_id,
        origins=origins,
    )
    private = {"log": log.seed, "cosign": cosign.seed, "seal": seal, "recovery": recovery, "derive": os.urandom(32)}
    private["pdf"] = pdf.private
    wrapped = {
        purpose: base64.b64encode(keys.wrap_key(key, node_key, purpose, origin)).decode()
        for purpose, key in private.items()
    }
    return LedgerDraft(origin, text, message, wrapped, pdf.certificate)


def founder_signature(draft: LedgerDraft, public_key: bytes, parts: dict[str, bytes]) -> dict[str, Any]:
    """The first manager's approval of the genesis record, from the passkey's answer over its digest."""
    place = (draft.origin, 0)
    return passkey_signature("manager", draft.message["from"], passkey_kid(public_key), place, parts)


def passkey_kid(public_key: bytes) -> bytes:
    """The id of a passkey in records: SHA-256 of its uncompressed point."""
    return sha256(passkey_point(public_key)).digest()


def is_practice_log(log: str) -> bool:
    """Whether a log is of the practice world."""
    return log.startswith(PRACTICE_PREFIX)
