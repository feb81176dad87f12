"""EIP-712 digests, strict: an unknown, missing or wrong-typed field is refused before anything is hashed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ledger.errors import VerificationError
from ledger.keccak import keccak256

Encoder = Callable[[Any], bytes]
Fields = tuple[tuple[str, str], ...]
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_ARRAY = re.compile(r"(.+)\[([1-9][0-9]*|)\]")
_NUMBER = re.compile(r"(u?)int([1-9][0-9]*)")
_FIXED_BYTES = re.compile(r"bytes([1-9][0-9]*)")
_MAX_CACHED_TEXT = 200


def digest_typed_data(data: Mapping[str, Any]) -> bytes:
    """The digest of a full EIP-712 document with members types, primaryType, domain and message."""
    if not isinstance(data, Mapping) or set(data) != {"types", "primaryType", "domain", "message"}:
        raise VerificationError("typed data has types, primaryType, domain and message")
    scheme = Scheme(_read_types(data["types"]), data["domain"], is_strict_hex=False)
    if data["primaryType"] == "EIP712Domain":
        raise VerificationError("the domain is not a message")
    return scheme.digest(data["primaryType"], data["message"])


class Scheme:
    """A set of struct types with one domain; type hashes and encoders are made once."""

    def __init__(self, types: Mapping[str, Fields], domain: Mapping[str, Any], *, is_strict_hex: bool = True) -> None:
        self._types = dict(types)
        self._is_strict_hex = is_strict_hex
        self._structs: dict[str, _Struct] = {}
        for name in self._types:
            self._struct(name)
        self.domain_separator = self.hash_struct("EIP712Domain", domain)
        self._prefix = b"\x19\x01" + self.domain_separator

    def digest(self, primary_type: str, message: Mapping[str, Any]) -> bytes:
        """keccak-256(0x1901 || domain separator || hash of the struct)."""
        return keccak256(self._prefix + self.hash_struct(primary_type, message))

    def hash_struct(self, name: str, value: Mapping[str, Any]) -> bytes:
        """keccak-256(type hash || encoded fields)."""
        struct = self._structs.get(name)
        if struct is None:
            raise VerificationError(f"unknown type {str(name)[:60]}")
        return struct.hash(value)

    def encode_type(self, name: str) -> str:
        """The type string of EIP-712, `Name(type field,…)` and then all types it refers to in order of their names."""
        found: set[str] = set()
        _collect(self._types, name, found)
        order = [name, *sorted(found - {name})]
        return "".join(f"{one}({','.join(f'{kind} {key}' for key, kind in self._types[one])})" for one in order)

    def _struct(self, name: str) -> "_Struct":
        if name not in self._structs:
            # Registered before its fields, so that a type may refer to itself.
            struct = self._structs[name] = _Struct(name, keccak256(self.encode_type(name).encode()))
            struct.encoders = tuple((key, self._encoder(kind)) for key, kind in self._types[name])
            struct.names = frozenset(key for key, _ in self._types[name])
        return self._structs[name]

    def _encoder(self, kind: str) -> Encoder:
        if array := _ARRAY.fullmatch(kind):
            return _array_encoder(self._encoder(array[1]), int(array[2]) if array[2] else None)
        if kind in self._types:
            return self._struct(kind).hash
        return _atom_encoder(kind, self._is_strict_hex)


@dataclass(eq=False)
class _Struct:
    name: str
    type_hash: bytes
    encoders: tuple[tuple[str, Encoder], ...] = ()
    names: frozenset[str] = field(default_factory=frozenset)

    def hash(self, value: Any) -> bytes:
        if not isinstance(value, dict) or value.keys() != self.names:
            raise VerificationError(f"{self.name} has other fields: {_difference(value, self.names)}")
        try:
            return keccak256(self.type_hash + b"".join([encode(value[key]) for key, encode in self.encoders]))
        except VerificationError:
            self._name_bad_field(value)
            raise

    def _name_bad_field(self, value: dict[str, Any]) -> None:
        for key, encode in self.encoders:
            try:
                encode(value[key])
            except VerificationError as error:
                raise VerificationError(f"{self.name}.{key}: {error}") from error


def _difference(value: Any, names: frozenset[str]) -> str:
    if not isinstance(value, dict):
        return "not an object"
    return ", ".join(sorted(str(key)[:40] for key in value.keys() ^ names)[:5])


def _atom_encoder(kind: str, is_strict_hex: bool) -> Encoder:
    if kind == "string":
        return _encode_string
    if kind == "bool":
        return _encode_bool
    if kind == "bytes":
        return _bytes_encoder(is_strict_hex)
    if kind == "bytes32" and is_strict_hex:
        return _encode_bytes32
    if kind == "address":
        return _fixed_encoder(20, is_strict_hex, is_number=True)
    if (number := _NUMBER.fullmatch(kind)) and int(number[2]) % 8 == 0 and int(number[2]) <= 256:
        return _unsigned_encoder(int(number[2])) if number[1] else _signed_encoder(int(number[2]))
    if (fixed := _FIXED_BYTES.fullmatch(kind)) and int(fixed[1]) <= 32:
        return _fixed_encoder(int(fixed[1]), is_strict_hex, is_number=False)
    raise VerificationError(f"unknown type {kind[:60]}")


def _encode_string(value: Any) -> bytes:
    if type(value) is not str:
        raise VerificationError("text expected")
    return _hash_short_text(value) if len(value) <= _MAX_CACHED_TEXT else _hash_text(value)


def _hash_text(value: str) -> bytes:
    try:
        return keccak256(value.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise VerificationError("not text") from error


# Names of firms, logs, machines and weeks return all the time; keccak is the dearest step of a digest.
_hash_short_text = lru_cache(maxsize=8192)(_hash_text)


def _encode_bool(value: Any) -> bytes:
    if type(value) is not bool:
        raise VerificationError("true or false expected")
    return value.to_bytes(32, "big")


def _encode_bytes32(value: Any) -> bytes:
    # The commonest field: writing the digits again is quicker than a pattern, and as strict.
    try:
        data = bytes.fromhex(value[2:])
    except (TypeError, ValueError) as error:
        raise VerificationError("0x and 64 hex digits expected") from error
    if len(data) != 32 or f"0x{data.hex()}" != value:
        raise VerificationError("0x and 64 hex digits expected")
    return data


def _unsigned_encoder(bits: int) -> Encoder:
    limit = 1 << bits

    def encode(value: Any) -> bytes:
        if type(value) is not int or not 0 <= value < limit:
            raise VerificationError(f"whole number below 2^{bits} expected")
        return value.to_bytes(32, "big")

    return encode


def _signed_encoder(bits: int) -> Encoder:
    limit = 1 << (bits - 1)

    def encode(value: Any) -> bytes:
        if type(value) is not int or not -limit <= value < limit:
            raise VerificationError(f"whole number of {bits} bits expected")
        return value.to_bytes(32, "big", signed=True)

    return encode


def _fixed_encoder(length: int, is_strict_hex: bool, *, is_number: bool) -> Encoder:
    letters = "[0-9a-f]" if is_strict_hex else "[0-9a-fA-F]"
    matches = re.compile(f"0x{letters}{{{2 * length}}}").fullmatch
    padding = bytes(32 - length)

    def encode(value: Any) -> bytes:
        if type(value) is not str or not matches(value):
            raise VerificationError(f"0x and {2 * length} hex digits expected")
        data = bytes.fromhex(value[2:])
        return padding + data if is_number else data + padding

    return encode


def _bytes_encoder(is_strict_hex: bool) -> Encoder:
    matches = re.compile("0x(?:[0-9a-f]{2})*" if is_strict_hex else "0x(?:[0-9a-fA-F]{2})*").fullmatch

    def encode(value: Any) -> bytes:
        if type(value) is not str or not matches(value):
            raise VerificationError("0x and hex digits expected")
        return keccak256(bytes.fromhex(value[2:]))

    return encode


def _array_encoder(encode_item: Encoder, length: int | None) -> Encoder:
    def encode(value: Any) -> bytes:
        if not isinstance(value, list) or (length is not None and len(value) != length):
            raise VerificationError("list expected" if length is None else f"list of {length} expected")
        return keccak256(b"".join([encode_item(item) for item in value]))

    return encode


def _collect(types: Mapping[str, Fields], name: str, found: set[str]) -> None:
    if name in found:
        return
    found.add(name)
    for _, kind in types[name]:
        if (base := kind.partition("[")[0]) in types:
            _collect(types, base, found)


def _read_types(types: Any) -> dict[str, Fields]:
    if not isinstance(types, Mapping) or "EIP712Domain" not in types:
        raise VerificationError("types must hold EIP712Domain")
    return {name: _read_fields(name, fields) for name, fields in types.items()}


def _read_fields(name: Any, fields: Any) -> Fields:
    if not _is_identifier(name) or not isinstance(fields, list):
        raise VerificationError(f"not a struct type: {str(name)[:60]}")
    if not all(isinstance(one, Mapping) and set(one) == {"name", "type"} for one in fields):
        raise VerificationError(f"{name}: a field has a name and a type")
    pairs = tuple((one["name"], one["type"]) for one in fields)
    if not all(_is_identifier(key) and isinstance(kind, str) for key, kind in pairs):
        raise VerificationError(f"{name}: a field's name is an identifier and its type a text")
    if len({key for key, _ in pairs}) != len(pairs):
        raise VerificationError(f"{name}: a field is named twice")
    return pairs


def _is_identifier(name: Any) -> bool:
    return isinstance(name, str) and _IDENTIFIER.fullmatch(name) is not None
