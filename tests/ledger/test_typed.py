"""EIP-712: published messages, equality with eth-account, and every loose input refused."""

from functools import lru_cache
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import typed, types
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.records import ZERO32
from tests.ledger.vectors import ROOT, load, needs_vectors


@lru_cache(maxsize=1)
def published() -> dict[str, Any]:
    return load("eip712", "digests.json") if ROOT.is_dir() else {"digests": [], "refused": []}


def message_of(entry: dict[str, Any]) -> dict[str, Any]:
    content = load("eip712", entry["file"])
    return content if entry["name"] is None else content[entry["name"]]


def case_id(entry: dict[str, Any]) -> str:
    return entry["name"] or entry["file"]


@needs_vectors
@pytest.mark.parametrize("entry", published()["digests"], ids=case_id)
def test_eip712_vector(entry: dict[str, Any]) -> None:
    if entry["looseInput"] is None:
        assert to_hex(typed.digest_typed_data(message_of(entry))) == entry["digest"]
        return
    # A loose input may be read as eth-account reads it, or refused; a third answer would be wrong.
    assert digest_or_refusal(message_of(entry)) in (entry["digest"], "refused")


def digest_or_refusal(message: dict[str, Any]) -> str:
    try:
        return to_hex(typed.digest_typed_data(message))
    except VerificationError:
        return "refused"


@needs_vectors
@pytest.mark.parametrize("entry", published()["refused"], ids=case_id)
def test_eip712_refused_vector(entry: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        typed.digest_typed_data(message_of(entry))


def values_of(kind: str) -> st.SearchStrategy[Any]:
    if kind.endswith("[]"):
        return st.lists(values_of(kind[:-2]), max_size=3)
    return {
        "string": st.text(st.characters(exclude_categories=["Cs"])),
        "bool": st.booleans(),
        "bytes": st.binary(max_size=80).map(to_hex),
        "bytes32": st.binary(min_size=32, max_size=32).map(to_hex),
        "address": st.binary(min_size=20, max_size=20).map(to_hex),
        "uint32": st.integers(0, 2**32 - 1),
        "uint64": st.integers(0, 2**64 - 1),
        "Line": st.deferred(lambda: messages_of("Line")),
    }[kind]


def messages_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({key: values_of(kind) for key, kind in types.SCHEME._types[name]})


def full_message(primary_type: str, message: dict[str, Any]) -> dict[str, Any]:
    used = [primary_type, "EIP712Domain"] + (["Line"] if "lines" in message else [])
    declared = {name: [{"name": key, "type": kind} for key, kind in types.SCHEME._types[name]] for name in used}
    return {"types": declared, "primaryType": primary_type, "domain": types.DOMAIN, "message": message}


@pytest.mark.parametrize("primary_type", types.PRIMARY_TYPES.values())
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_our_digest_is_eth_accounts_digest(primary_type: str, data: st.DataObject) -> None:
    message = data.draw(messages_of(primary_type))
    full = full_message(primary_type, message)
    expected = _hash_eip191_message(encode_typed_data(full_message=full))
    assert typed.digest(primary_type, message) == expected
    assert typed.digest_typed_data(full) == expected


def sample(primary_type: str = "Completion") -> dict[str, Any]:
    blank: dict[str, Any] = {"string": "x", "bytes32": ZERO32, "uint64": 1, "uint32": 1}
    return {key: blank[kind] for key, kind in types.SCHEME._types[primary_type]}


@pytest.mark.parametrize(
    ("name", "change"),
    {
        "unknown-field": {"extra": 1},
        "number-as-text": {"acceptedMin": "1"},
        "text-as-number": {"currency": 1},
        "null-for-text": {"currency": None},
        "bool-for-number": {"acceptedMin": True},
        "float-for-number": {"acceptedMin": 1.0},
        "negative": {"acceptedMin": -1},
        "beyond-uint32": {"acceptedMin": 2**32},
        "beyond-uint64": {"amountCents": 2**64},
        "upper-case-hex": {"agreement": "0x" + "AB" * 32},
        "hex-without-prefix": {"agreement": "00" * 33},
        "short-hex": {"agreement": "0x00"},
        "hex-with-space": {"agreement": "0x" + "00 " * 21 + "0"},
        "bytes-for-hex": {"agreement": bytes(32)},
        "list-for-text": {"currency": ["EUR"]},
        "lone-surrogate": {"currency": "\ud800"},
        "long-lone-surrogate": {"currency": "\ud800" * 300},
    }.items(),
)
def test_loose_input_is_refused(name: str, change: dict[str, Any]) -> None:
    typed.digest("Completion", sample())
    with pytest.raises(VerificationError):
        typed.digest("Completion", {**sample(), **change})


@pytest.mark.parametrize("field", sample())
def test_a_missing_field_is_refused(field: str) -> None:
    message = sample()
    del message[field]
    with pytest.raises(VerificationError):
        typed.digest("Completion", message)


@pytest.mark.parametrize("field", sample())
def test_every_field_enters_the_digest(field: str) -> None:
    message = sample()
    other = {int: 2, str: "0x" + "11" * 32}[type(message[field])]
    assert typed.digest("Completion", message) != typed.digest("Completion", {**message, field: other})


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(VerificationError):
        typed.digest("Nonsense", {})
    with pytest.raises(VerificationError):
        types.primary_type_of("nonsense")
    with pytest.raises(VerificationError):
        types.record_type_of("EIP712Domain")


def test_the_registry_is_pinned_and_every_type_begins_with_the_nine_fields() -> None:
    assert types.registry_hash() == types.REGISTRY_SHA256
    nine = "bytes32 id,bytes32 salt,string from,string to,bytes32 supersedes,uint64 issuedAt,uint64 expiresAt"
    for name, text in types.type_strings().items():
        assert text.startswith(f"{name}({nine},string locale,bytes32 displayHash,")


@pytest.mark.parametrize("kind", ["uint7", "uint264", "bytes33", "int", "Unknown", "string[", "uint256[0]", 5])
def test_a_type_that_eip712_does_not_know_is_refused(kind: object) -> None:
    declared = {"EIP712Domain": [{"name": "name", "type": "string"}], "Mail": [{"name": "a", "type": kind}]}
    data = {"types": declared, "primaryType": "Mail", "domain": {"name": "x"}, "message": {"a": 1}}
    with pytest.raises(VerificationError):
        typed.digest_typed_data(data)
