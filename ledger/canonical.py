"""Canonical JSON (RFC 8785): one byte string per value, and a reader that refuses every other spelling."""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

import rfc8785

from ledger.errors import VerificationError

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
# Strings and everything else that opens or closes nothing: what remains after removing them is the nesting.
_NO_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[^\[\]{}"]+', re.DOTALL)
_MAX_SAFE_INT = 2**53 - 1
# Names order by UTF-16 units; Python orders by code point. They agree for all text below U+D800,
# that is where no byte of the UTF-8 form exceeds 0xEC.
_BEYOND_COMMON_ORDER = re.compile(rb"[\xed-\xff]")


def dumps(value: object) -> bytes:
    """The RFC 8785 bytes of a JSON value.

    Raises VerificationError for anything that has no such form (NaN, integers beyond 2^53-1, lone surrogates).
    """
    try:
        if _is_plain(value):
            data = _encode(value)
            if data.isascii() or not _BEYOND_COMMON_ORDER.search(data):
                return data
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, ValueError, TypeError, RecursionError) as error:
        raise VerificationError(f"no canonical form: {error}") from error


def loads(data: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """The value of canonical JSON bytes; size limit in bytes.

    Raises VerificationError for duplicate keys, floats, unsafe integers, broken UTF-8 and bytes that are not canonical.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise VerificationError("bytes expected")
    data = bytes(data)
    if len(data) > max_bytes:
        raise VerificationError(f"longer than {max_bytes} bytes")
    check_depth(data)
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        again = _encode(value) if _has_common_order(data, text) else rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, ValueError, RecursionError) as error:
        raise VerificationError(f"not JSON as it must be: {error}") from error
    if again != data:
        _explain_difference(data)
    return value


def parse_any(data: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """The value of JSON bytes written in any spelling; still refuses duplicate keys, floats and broken UTF-8."""
    if len(data) > max_bytes:
        raise VerificationError(f"longer than {max_bytes} bytes")
    check_depth(data)
    try:
        return _CAREFUL_DECODER.decode(bytes(data).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"not JSON as it must be: {error}") from error


def check_depth(data: bytes) -> None:
    """Raises VerificationError for JSON nested deeper than 64; the interpreter's own reader may crash on it."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _NO_BRACKETS.sub(b"", data):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise VerificationError(f"nested deeper than {MAX_DEPTH}")


def encode_plain(value: object) -> bytes:
    """Canonical bytes of a value that `loads` returned, or of one built from ASCII keys, text, safe integers and lists.

    Skips the check of the types; never for a value from outside.
    """
    data = _encode(value)
    return data if data.isascii() or not _BEYOND_COMMON_ORDER.search(data) else rfc8785.dumps(value)  # type: ignore[arg-type]


def _encode(value: object) -> bytes:
    return _encode_text(value).encode("utf-8")


def _has_common_order(data: bytes, text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return not _BEYOND_COMMON_ORDER.search(data)
    return True


def _make_encoder() -> Callable[[object], str]:
    encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    # What JSONEncoder.encode makes anew for every call, made once.
    write = make(None, encoder.default, json.encoder.encode_basestring, None, ":", ",", True, False, False)
    return lambda value: "".join(write(value, 0))


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -_MAX_SAFE_INT <= value <= _MAX_SAFE_INT  # type: ignore[operator]
    if kind is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())  # type: ignore[attr-defined]
    return kind is list and all(_is_plain(item) for item in value)  # type: ignore[attr-defined]


def _safe_int(text: str) -> int:
    if len(text) < 16:
        return int(text)
    if len(text) > 17 or abs(number := int(text)) > _MAX_SAFE_INT:
        raise VerificationError("integer beyond 2^53-1")
    return number


def _refuse_float(text: str) -> NoReturn:
    raise VerificationError(f"no floats: {text[:40]}")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise VerificationError("duplicate key")
    return found


def _explain_difference(data: bytes) -> NoReturn:
    parse_any(data, len(data))
    raise VerificationError("not the canonical form (RFC 8785)")


_encode_text = _make_encoder()
# The fast reader lets a duplicate key through; writing the value again then gives other bytes.
_DECODER = json.JSONDecoder(parse_float=_refuse_float, parse_constant=_refuse_float, parse_int=_safe_int)
_CAREFUL_DECODER = json.JSONDecoder(
    parse_float=_refuse_float, parse_constant=_refuse_float, parse_int=_safe_int, object_pairs_hook=_unique_pairs
)
