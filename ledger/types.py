"""The registry of record types: what may be signed, and under which EIP-712 type. Never taken from a record."""

from dataclasses import fields
from hashlib import sha256
from typing import Any, get_type_hints

from ledger import records
from ledger.eip712 import Fields, Scheme
from ledger.errors import VerificationError

DOMAIN = {"name": "Werkring", "version": "1"}

RECORD_TYPES: dict[str, type[records.Record]] = {
    "genesis": records.Genesis,
    "key.register": records.KeyRegister,
    "key.rotate": records.KeyRotate,
    "key.revoke": records.KeyRevoke,
    "link.partner": records.LinkPartner,
    "link.end": records.LinkEnd,
    "agreement": records.Agreement,
    "bundle.effective": records.BundleEffective,
    "agreement.lapsed": records.AgreementLapsed,
    "change": records.Change,
    "cancellation": records.Cancellation,
    "hours.report": records.HoursReport,
    "hours.confirm": records.HoursConfirm,
    "completion": records.Completion,
    "dispute": records.Dispute,
    "share.grant": records.ShareGrant,
    "share.revoke": records.ShareRevoke,
    "erasure": records.Erasure,
    "witness.conflict": records.WitnessConflict,
    "anchor": records.Anchor,
}
PRIMARY_TYPES = {record_type: kind.__name__ for record_type, kind in RECORD_TYPES.items()}
_RECORD_TYPE_OF = {primary: record_type for record_type, primary in PRIMARY_TYPES.items()}

# A changed, added or reordered field changes what old signatures mean: it needs a new DOMAIN version, not a new pin.
REGISTRY_SHA256 = "e1e2f1ea76557bbc713214484a848040ffe0000eba18df6a872d9358d8c28cdc"


def primary_type_of(record_type: str) -> str:
    """The EIP-712 name of a record type, `Agreement` for `agreement`."""
    try:
        return PRIMARY_TYPES[record_type]
    except (KeyError, TypeError) as error:
        raise VerificationError("unknown record type") from error


def record_type_of(primary_type: str) -> str:
    """The record type of an EIP-712 name, `agreement` for `Agreement`."""
    try:
        return _RECORD_TYPE_OF[primary_type]
    except (KeyError, TypeError) as error:
        raise VerificationError("unknown record type") from error


def type_strings() -> dict[str, str]:
    """The EIP-712 type string of every record, by primary type."""
    return {primary: SCHEME.encode_type(primary) for primary in PRIMARY_TYPES.values()}


def registry_hash() -> str:
    """SHA-256 over record types and type strings, one line each, sorted."""
    lines = sorted(f"{_RECORD_TYPE_OF[primary]} {text}\n" for primary, text in type_strings().items())
    return sha256("".join(lines).encode()).hexdigest()


def fields_of(kind: type[Any]) -> Fields:
    """The (name, EIP-712 type) of a record's members, in the order that is signed."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple((records.field_name(one.name), hints[one.name].__metadata__[0]) for one in fields(kind))


def _build_scheme() -> Scheme:
    structs = [*RECORD_TYPES.values(), records.Line]
    types: dict[str, Fields] = {kind.__name__: fields_of(kind) for kind in structs}
    types["EIP712Domain"] = (("name", "string"), ("version", "string"))
    return Scheme(types, DOMAIN)


SCHEME = _build_scheme()
if registry_hash() != REGISTRY_SHA256:
    raise AssertionError("the registry of record types is not the pinned one")
