"""Canonical JSON: published pairs, equality with rfc8785, and every other spelling refused."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical
from ledger.errors import VerificationError
from tests.ledger.vectors import ROOT, names, needs_vectors

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@needs_vectors
@pytest.mark.parametrize("name", names("jcs/input"))
def test_jcs_vector(name: str) -> None:
    expected = (ROOT / "jcs/output" / name).read_bytes()
    assert canonical.dumps(json.loads((ROOT / "jcs/input" / name).read_bytes())) == expected
    assert canonical.dumps(json.loads(expected)) == expected


@given(values)
def test_the_fast_way_writes_what_rfc8785_writes(value: object) -> None:
    data = canonical.dumps(value)
    assert data == rfc8785.dumps(value)  # type: ignore[arg-type]
    assert canonical.encode_plain(value) == data
    assert canonical.loads(data) == value


@given(values, st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_written_as_rfc8785_writes_them(value: object, number: float) -> None:
    assert canonical.dumps([number, value]) == rfc8785.dumps([number, value])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("name", "data"),
    {
        "duplicate-key": b'{"a":1,"a":1}',
        "duplicate-key-nested": b'[{"a":{"b":1,"b":2}}]',
        "duplicate-key-escaped": b'{"a":1,"\\u0061":2}',
        "float": b'{"a":1.0}',
        "float-exponent": b"[1e3]",
        "nan": b"[NaN]",
        "infinity": b"[-Infinity]",
        "minus-zero": b"[-0]",
        "leading-zero": b"[01]",
        "integer-beyond-2-53": b"[9007199254740992]",
        "integer-of-a-thousand-digits": b"[" + b"9" * 1000 + b"]",
        "space": b'{"a": 1}',
        "newline-at-the-end": b'{"a":1}\n',
        "unsorted-keys": b'{"b":1,"a":2}',
        "unsorted-by-utf16": '{"\U0001f600":1,"\ufb33":2}'.encode()[::-1],
        "needless-escape": b'["\\u0041"]',
        "escaped-slash": b'["\\/"]',
        "upper-case-escape": b'["\\u001F"]',
        "lone-surrogate": b'["\\ud800"]',
        "escaped-pair": b'["\\ud83d\\ude00"]',
        "not-utf8": b'["\xff"]',
        "overlong-utf8": b'["\xc0\xaf"]',
        "byte-order-mark": b'\xef\xbb\xbf["a"]',
        "empty": b"",
        "two-values": b"1 2",
        "too-deep": b"[" * 100_000 + b"]" * 100_000,
        "too-deep-objects": b'{"a":' * 70 + b"1" + b"}" * 70,
        "too-deep-and-unclosed": b'"[[' + b"[" * 1000,
        "control-character": b'["\x01"]',
    }.items(),
)
def test_bad_spelling_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(VerificationError):
        canonical.loads(data)


def test_keys_beyond_the_basic_plane_are_ordered_by_utf16() -> None:
    value = {"\U0001f600": 1, "\ufb33": 2}
    data = canonical.dumps(value)
    assert data == '{"\U0001f600":1,"\ufb33":2}'.encode()
    assert canonical.loads(data) == value
    with pytest.raises(VerificationError):
        canonical.loads('{"\ufb33":2,"\U0001f600":1}'.encode())


@pytest.mark.parametrize("value", [float("nan"), 2**53, {1: 2}, {"a": object()}, "\ud800", b"bytes", {"a": {1, 2}}])
def test_values_without_canonical_form_are_refused(value: object) -> None:
    with pytest.raises(VerificationError):
        canonical.dumps(value)


def test_brackets_in_texts_are_no_nesting() -> None:
    value = ["[{" * 1000, ["]}" * 1000, '"[' * 500]]
    assert canonical.loads(canonical.dumps(value)) == value


def test_the_size_limit_holds() -> None:
    with pytest.raises(VerificationError):
        canonical.loads(b'"' + b"a" * 100 + b'"', max_bytes=50)
    with pytest.raises(VerificationError):
        canonical.loads("text")  # type: ignore[arg-type]
