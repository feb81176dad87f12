"""The record types as Python values: `Agreement(…).message()` gives the fields that are signed.

Field order is wire format: it enters the type hash that `ledger.types` pins.
"""

from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any

Bytes32 = Annotated[str, "bytes32"]
Bytes = Annotated[str, "bytes"]
Address = Annotated[str, "address"]
Text = Annotated[str, "string"]
Texts = Annotated[tuple[str, ...], "string[]"]
Digests = Annotated[tuple[str, ...], "bytes32[]"]
Flag = Annotated[bool, "bool"]
Uint32 = Annotated[int, "uint32"]
Uint64 = Annotated[int, "uint64"]

ZERO32 = "0x" + "00" * 32


@dataclass(frozen=True, kw_only=True)
class Record:
    """The nine fields that every signed record begins with; `from_` and `to` are firm addresses (`firm@node`)."""

    id: Bytes32
    salt: Bytes32
    from_: Text
    to: Text
    supersedes: Bytes32 = ZERO32
    issued_at: Uint64
    expires_at: Uint64 = 0
    locale: Text = "de"
    display_hash: Bytes32

    def message(self) -> dict[str, Any]:
        """The EIP-712 message: camel case names, lists, hex text and integers."""
        message: dict[str, Any] = _to_message(self)
        return message


@dataclass(frozen=True, kw_only=True)
class Genesis(Record):
    """A firm's first record: its log, its keys, and the web addresses at which its passkeys may sign."""

    log: Text
    log_key: Text
    cosign_key: Text
    seal: Address
    passkey: Bytes
    recovery: Bytes32
    rp_id: Text
    origins: Texts


@dataclass(frozen=True, kw_only=True)
class KeyRegister(Record):
    """One more key. `purpose`: log, cosign, seal, passkey or recovery; `limit_cents` 0 means no limit."""

    purpose: Text
    kid: Bytes32
    public_key: Bytes
    role: Text
    limit_cents: Uint64
    valid_from: Uint64
    rp_id: Text
    origins: Texts


@dataclass(frozen=True, kw_only=True)
class KeyRotate(Record):
    """A new key in the place of an old one of the same purpose."""

    purpose: Text
    old_kid: Bytes32
    kid: Bytes32
    public_key: Bytes
    role: Text
    limit_cents: Uint64
    valid_from: Uint64
    rp_id: Text
    origins: Texts


@dataclass(frozen=True, kw_only=True)
class KeyRevoke(Record):
    """A key that signs nothing any more from this record on."""

    purpose: Text
    kid: Bytes32
    reason: Text


@dataclass(frozen=True, kw_only=True)
class LinkPartner(Record):
    """Two firms become partners; `genesis_*` are the digests of their first records, compared out of band by QR."""

    log_from: Text
    log_to: Text
    genesis_from: Bytes32
    genesis_to: Bytes32
    seal_from: Address
    seal_to: Address
    scope: Texts
    template: Text
    terms_hash: Bytes32
    fingerprint: Text


@dataclass(frozen=True, kw_only=True)
class LinkEnd(Record):
    """The end of a partnership, declared by one side."""

    link: Bytes32
    ends_at: Uint64
    reason: Text


@dataclass(frozen=True, kw_only=True)
class Line:
    """One booking: a machine's minutes in one ISO week; `machine` is an opaque id."""

    machine: Text
    week: Text
    minutes: Uint32
    rate_cents_per_hour: Uint64
    set_up_min: Uint32
    amount_cents: Uint64


Lines = Annotated[tuple[Line, ...], "Line[]"]


@dataclass(frozen=True, kw_only=True)
class Agreement(Record):
    """The call-off between requester (`from`) and provider (`to`); `framework` is the digest of their link.partner."""

    template: Text
    terms_hash: Bytes32
    framework: Bytes32
    log_from: Text
    log_to: Text
    currency: Text
    total_cents: Uint64
    transport_cents: Uint64
    bundled: Flag
    bundle: Bytes32
    lines: Lines


@dataclass(frozen=True, kw_only=True)
class BundleEffective(Record):
    """All agreements of a bundle are signed: those named here are in force."""

    agreements: Digests


@dataclass(frozen=True, kw_only=True)
class AgreementLapsed(Record):
    """An agreement did not come about in time."""

    agreement: Bytes32
    reason: Text


@dataclass(frozen=True, kw_only=True)
class Change(Record):
    """New lines for an agreement; `supersedes` is what they replace, `basis` mutual or the clause that permits it."""

    agreement: Bytes32
    basis: Text
    log_from: Text
    log_to: Text
    currency: Text
    total_cents: Uint64
    transport_cents: Uint64
    fee_cents: Uint64
    lines: Lines


@dataclass(frozen=True, kw_only=True)
class Cancellation(Record):
    """The end of an agreement or of some lines (positions counted from 0). `basis`: mutual, or the clause."""

    agreement: Bytes32
    basis: Text
    line_numbers: Annotated[tuple[int, ...], "uint32[]"]
    currency: Text
    fee_cents: Uint64
    reason: Text


@dataclass(frozen=True, kw_only=True)
class HoursReport(Record):
    """Minutes worked in one week for one line of an agreement, reported by the provider."""

    agreement: Bytes32
    line: Uint32
    machine: Text
    week: Text
    minutes: Uint32
    set_up_min: Uint32
    quantity: Uint32
    scrap: Uint32


@dataclass(frozen=True, kw_only=True)
class HoursConfirm(Record):
    """The requester's yes to a report."""

    report: Bytes32
    agreement: Bytes32
    line: Uint32
    week: Text
    minutes: Uint32


@dataclass(frozen=True, kw_only=True)
class Completion(Record):
    """The work is accepted, with these minutes and this amount."""

    agreement: Bytes32
    accepted_min: Uint32
    currency: Text
    amount_cents: Uint64


@dataclass(frozen=True, kw_only=True)
class Dispute(Record):
    """The requester does not accept a record as it stands."""

    subject: Bytes32
    accepted_min: Uint32
    currency: Text
    amount_cents: Uint64
    reason: Text


@dataclass(frozen=True, kw_only=True)
class ShareGrant(Record):
    """Permission to use one data set for one purpose until `expires_at`."""

    data_set: Bytes32
    purpose: Text


@dataclass(frozen=True, kw_only=True)
class ShareRevoke(Record):
    """The end of a permission."""

    grant: Bytes32
    reason: Text


@dataclass(frozen=True, kw_only=True)
class Erasure(Record):
    """The contents of these records were deleted, and why that was due."""

    erased: Digests
    legal_basis: Text


@dataclass(frozen=True, kw_only=True)
class WitnessConflict(Record):
    """Two checkpoints of one log that cannot both be true, word for word."""

    log: Text
    first: Text
    second: Text


@dataclass(frozen=True, kw_only=True)
class Anchor(Record):
    """A root written to a public chain."""

    chain_id: Uint64
    contract: Address
    transaction: Bytes32
    size: Uint64
    root: Bytes32


def _to_message(value: Any) -> Any:
    if is_dataclass(value):
        return {field_name(one.name): _to_message(getattr(value, one.name)) for one in fields(value)}
    return [_to_message(item) for item in value] if isinstance(value, tuple | list) else value


def field_name(name: str) -> str:
    """The wire name of a Python field: `log_from` is `logFrom`, `from_` is `from`."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part.capitalize() for part in rest)
