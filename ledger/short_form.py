"""The short form of an evidence file: what follows from the rest of it is left out, and put back before it is read.

Nothing is believed because it is short: parts are hashed and checked in their full form, and a file has one spelling.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger import canonical, typed
from ledger.encoding import from_b64url, from_hex, to_b64, to_b64url, to_hex
from ledger.errors import VerificationError
from ledger.evidence import display_hash
from ledger.firm_keys import key_id
from ledger.note import COSIGNER_KEY, LOG_KEY, make_verifier, parse_vkey
from ledger.records import ZERO32, Line
from ledger.types import DOMAIN, PRIMARY_TYPES, RECORD_TYPES, fields_of

Json = dict[str, Any]

MAX_RECORDS = 64

_FILE: Json = {"chain": [], "erasure": None, "counterpart": None, "witnesses": [], "places": []}
_NO_LEAF = to_b64(bytes(32))
_EVIDENCE: Json = {"v": 1, "domain": DOMAIN, "attachments": [], "notBefore": None}
_ZEROS: Json = {"string": "", "bool": False, "bytes32": ZERO32, "bytes": "0x", "address": "0x" + "00" * 20}
_KEY_TYPES = ("Genesis", "KeyRegister", "KeyRotate", "KeyRevoke")
_POINT, _COMPRESSED = 65, 33
_BYTES = ("bytes32", "bytes", "address")
_VKEYS = {"logKey": (LOG_KEY, ""), "cosignKey": (COSIGNER_KEY, "/witness")}
_KINDS = {"log": "log", "recovery": "recovery", "firm": "seal"}
_UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, StopIteration)
_ENDINGS = (',"crossOrigin":false}', "}")


def complete(short: Json) -> Json:
    """The full form; raises VerificationError for a file that writes what it should leave out, or cannot be completed."""
    try:
        full = _complete_file(short)
        is_shortest = shorten(full) == short
    except _UNFIT as error:
        raise VerificationError("what the file leaves out does not follow from the rest") from error
    if not is_shortest:
        raise VerificationError("the file writes what follows from the rest of it")
    return full


def bounded(values: Any) -> list[Any]:
    """A list as files hold it; raises VerificationError for anything else, or a longer one."""
    if not isinstance(values, list) or len(values) > MAX_RECORDS:
        raise VerificationError(f"list of at most {MAX_RECORDS} expected")
    return values


def shorten(full: Json) -> Json:
    """The one short form of a file."""
    keys = _read_keys(full["keys"], full["checkpoint"])
    short = {name: value for name, value in full.items() if name not in _FILE or value != _FILE[name]}
    short |= _shorten_record(_record(full), keys)
    short["keys"] = [_shorten_key_record(one, keys) for one in full["keys"]]
    if short.get("chain"):
        short["chain"] = [_shorten_record(one, keys) for one in full["chain"]]
    if short.get("erasure"):
        short["erasure"] = _shorten_record(full["erasure"], keys)
    if _has_entry(full):
        leaf = _shorten_leaf(full["counterpart"], _same_entry(full))
        short["counterpart"] = {**full["counterpart"], "leaf": leaf}
    return short


def _complete_file(short: Json) -> Json:
    filled = [_complete_texts(one, _NO_KEYS) for one in bounded(short["keys"])]
    keys = _read_keys(filled, short["checkpoint"])
    full = {**_FILE, **short, "keys": [_complete_key_record(one, keys) for one in filled]}
    full |= _complete_record(_record(short), keys)
    full["chain"] = [_complete_record(one, keys) for one in bounded(full["chain"])]
    if full["erasure"] is not None:
        full["erasure"] = _complete_record(full["erasure"], keys)
    if _has_entry(full):
        leaf = _complete_leaf(full["counterpart"], _same_entry(full))
        full["counterpart"] = {**full["counterpart"], "leaf": leaf}
    return full


def _record(file: Json) -> Json:
    return {name: file[name] for name in ("leaf", "proof", "evidence")}


def _has_entry(file: Json) -> bool:
    return file["counterpart"] is not None and file["counterpart"]["leaf"] is not None


def _same_entry(file: Json) -> Json:
    same = {name: file["leaf"][name] for name in ("type", "digest", "evidence")}
    return {**same, "log": _origin(file["counterpart"]["checkpoint"])}


def _origin(note: str) -> str:
    return note.partition("\n")[0]


def _complete_record(record: Json, keys: "_Keys") -> Json:
    filled = _complete_texts(record, keys)
    if filled["evidence"] is None:
        return filled
    return _with_signatures(filled, _complete_signatures(filled, from_hex(filled["leaf"]["digest"]), keys))


def _shorten_record(record: Json, keys: "_Keys") -> Json:
    if record["evidence"] is None:
        return _shorten_texts(record, keys)
    signatures = _shorten_signatures(record, from_hex(record["leaf"]["digest"]), keys)
    return _with_signatures(_shorten_texts(record, keys), signatures)


def _complete_key_record(filled: Json, keys: "_Keys") -> Json:
    evidence = filled["evidence"]
    digest = typed.digest(evidence["primaryType"], evidence["message"])
    whole = _with_signatures(filled, _complete_signatures(filled, digest, keys))
    return {**whole, "leaf": {**_commitments(digest, whole["evidence"]), **whole["leaf"]}}


def _shorten_key_record(record: Json, keys: "_Keys") -> Json:
    evidence = record["evidence"]
    digest = typed.digest(evidence["primaryType"], evidence["message"])
    short = _with_signatures(_shorten_texts(record, _NO_KEYS), _shorten_signatures(record, digest, keys))
    return {**short, "leaf": _without(short["leaf"], _commitments(digest, evidence))}


def _commitments(digest: bytes, evidence: Json) -> Json:
    return {"digest": to_hex(digest), "evidence": to_b64(sha256(canonical.encode_plain(evidence)).digest())}


def _with_signatures(record: Json, signatures: list[Any]) -> Json:
    return {**record, "evidence": {**record["evidence"], "signatures": signatures}}


def _complete_texts(record: Json, keys: "_Keys") -> Json:
    """Everything of a record but its signatures."""
    leaf, evidence = _complete_leaf(record, {"log": keys.origin}), record["evidence"]
    if evidence is None:
        return {**record, "leaf": leaf}
    evidence = {**_EVIDENCE, "primaryType": PRIMARY_TYPES.get(leaf["type"]), **evidence}
    message = _complete_message(evidence, leaf, keys)
    display = {**_said_twice(message), **evidence["display"]}
    return {**record, "leaf": leaf, "evidence": {**evidence, "message": message, "display": display}}


def _shorten_texts(record: Json, keys: "_Keys") -> Json:
    leaf, evidence = _shorten_leaf(record, {"log": keys.origin}), record["evidence"]
    if evidence is None:
        return {**record, "leaf": leaf}
    display, message = evidence["display"], evidence["message"]
    short = {
        **_without(evidence, {**_EVIDENCE, "primaryType": PRIMARY_TYPES.get(record["leaf"]["type"])}),
        "message": _shorten_message(evidence, record["leaf"], keys),
        "display": _without(display, _said_twice(message)),
    }
    return {**record, "leaf": leaf, "evidence": short}


def _complete_leaf(record: Json, known: Json) -> Json:
    leaf = {"seq": 0, **record["leaf"]}
    return {**_known_of_leaf(leaf["seq"], record["proof"]), **known, **leaf}


def _shorten_leaf(record: Json, known: Json) -> Json:
    leaf = record["leaf"]
    return _without(leaf, {"seq": 0, **_known_of_leaf(leaf["seq"], record["proof"]), **known})


def _known_of_leaf(seq: int, proof: list[str]) -> Json:
    """At odd positions the proof begins with the leaf before; at position 0 stands the genesis record."""
    known = {"v": 1, "prev": proof[0] if proof and seq % 2 else _NO_LEAF}
    return known if seq else {**known, "type": "genesis"}


def _said_twice(message: Json) -> Json:
    return {name: message[name] for name in ("locale", "template") if name in message}


def _complete_message(evidence: Json, leaf: Json, keys: "_Keys") -> Json:
    full = {**_known(evidence, leaf, keys), **evidence["message"]}
    full |= {name: _read_bytes(name, full[name], full) for name in _bytes_of(evidence["primaryType"])}
    if "lines" in full:
        full["lines"] = list(_complete_lines(full["lines"]))
    return full


def _shorten_message(evidence: Json, leaf: Json, keys: "_Keys") -> Json:
    message = evidence["message"]
    short = _without(message, _known(evidence, leaf, keys))
    short |= {
        name: _write_bytes(name, short[name], message) for name in _bytes_of(evidence["primaryType"]) if name in short
    }
    if "lines" in short:
        short["lines"] = list(_shorten_lines(message["lines"]))
    return short


def _known(evidence: Json, leaf: Json, keys: "_Keys") -> Json:
    """What a message says where it says nothing: the fields of its type."""
    kinds, given = _TYPES.get(evidence["primaryType"], {}), evidence["message"]
    known = {name: _zero(kind) for name, kind in kinds.items()} | {
        "locale": "de",
        "currency": "EUR",
        "logFrom": keys.logs.get(given["from"], ""),
        "logTo": keys.logs.get(given.get("to", ""), ""),
    }
    if evidence["primaryType"] in _KEY_TYPES:
        known |= {"issuedAt": leaf["at"], "displayHash": display_hash(evidence["display"]["text"])}
        known |= {"to": given["from"], "log": leaf["log"], "rpId": _host(given.get("origins"))}
    return {name: value for name, value in known.items() if name in kinds}


def _host(origins: list[str] | None) -> str:
    return urlsplit(origins[0]).hostname or "" if origins else ""


def _bytes_of(primary_type: str) -> list[str]:
    own = [name for name, kind in _TYPES.get(primary_type, {}).items() if kind in _BYTES]
    return [*own, *_VKEYS] if primary_type == "Genesis" else own


def _read_bytes(name: str, value: str, message: Json) -> str:
    if value.startswith("0x") or "+" in value:
        return value
    raw = from_b64url(value)
    if name in _VKEYS:
        alg, ending = _VKEYS[name]
        return make_verifier(message["log"] + ending, alg, raw).vkey
    return to_hex(_uncompressed(raw) if len(raw) == _COMPRESSED else raw)


def _write_bytes(name: str, value: str, message: Json) -> str:
    try:
        raw = parse_vkey(value).public_key if name in _VKEYS else from_hex(value)
        text = to_b64url(_compressed(raw) if len(raw) == _POINT else raw)
        return text if _read_bytes(name, text, message) == value else value
    except (VerificationError, *_UNFIT):
        return value


def _compressed(point: bytes) -> bytes:
    return bytes([2 + point[-1] % 2]) + point[1:33]


def _uncompressed(point: bytes) -> bytes:
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _complete_lines(lines: list[Json]) -> Iterator[Json]:
    before = _LINE
    for line in lines:
        before = {**before, **line}
        yield before


def _shorten_lines(lines: list[Json]) -> Iterator[Json]:
    before = _LINE
    for line in lines:
        yield _without(line, before)
        before = line


def _zero(kind: str) -> Any:
    return [] if kind.endswith("[]") else _ZEROS.get(kind, 0)


def _without(value: Json, known: Json) -> Json:
    """The members that are not known already; 1 is not true, and 0 not false."""
    return {
        name: item
        for name, item in value.items()
        if name not in known or type(item) is not type(known[name]) or item != known[name]
    }


def _read_keys(records: list[Json], note: str) -> "_Keys":
    said = [(one["leaf"], one["evidence"]["primaryType"], one["evidence"]["message"]) for one in records]
    return _Keys(
        {(leaf["log"], leaf["seq"]): _keys_in(primary_type, message) for leaf, primary_type, message in said},
        {message["from"]: leaf["log"] for leaf, primary_type, message in said if primary_type == "Genesis"},
        _origin(note),
    )


def _keys_in(primary_type: str, message: Json) -> Json:
    web = {"rpId": message.get("rpId"), "origins": message.get("origins")}
    if primary_type != "Genesis":
        return {**web, message["purpose"]: from_hex(message.get("publicKey", "0x"))}
    first = {purpose: from_hex(message[purpose]) for purpose in ("passkey", "recovery", "seal")}
    return {**web, **first, "log": parse_vkey(message["logKey"]).public_key}


def _complete_signatures(record: Json, digest: bytes, keys: "_Keys") -> list[Any]:
    full: list[Any] = []
    for one in bounded(record["evidence"]["signatures"]):
        signing = _Signing(record["evidence"]["message"], tuple(full), digest, keys)
        full.append(_complete_signature(one, signing) if type(one) is str else one)
    return full


def _shorten_signatures(record: Json, digest: bytes, keys: "_Keys") -> list[Any]:
    given, message = bounded(record["evidence"]["signatures"]), record["evidence"]["message"]
    return [
        _shorten_signature(one, _Signing(message, tuple(given[:place]), digest, keys))
        for place, one in enumerate(given)
    ]


def _complete_signature(text: str, signing: "_Signing") -> Json:
    label, _, data = text.partition(" ")
    role, _, number = label.partition("@")
    party, log, raw = *signing.signer(role), from_b64url(data)
    seq, kind = int(number or "0"), _KINDS.get(role, "passkey")
    key, named = signing.keys.at[log, seq], {"kind": kind, "role": role, "party": party}
    if kind == "seal":
        return {**named, "address": to_hex(key["seal"]), "signature": to_hex(raw)}
    signed = _read_assertion(raw, signing.digest, key) if kind == "passkey" else {"signature": to_b64url(raw)}
    return {**named, "kid": key_id(key[kind]), "keyAt": {"log": log, "seq": seq}, **signed}


def _shorten_signature(full: Json, signing: "_Signing") -> Any:
    """A text, or the signature as it is where the text would say something else."""
    try:
        text = _write_signature(full, signing)
        return text if _complete_signature(text, signing) == full else full
    except (VerificationError, *_UNFIT):
        return full


def _write_signature(full: Json, signing: "_Signing") -> str:
    role, seq = full["role"], full.get("keyAt", {"seq": 0})["seq"]
    if full["kind"] == "passkey":
        key = signing.keys.at[full["keyAt"]["log"], seq]
        raw = _write_assertion(full, signing.digest, key)
    else:
        raw = from_hex(full["signature"]) if full["kind"] == "seal" else from_b64url(full["signature"])
    return f"{role}{f'@{seq}' if seq else ''} {to_b64url(raw)}"


def _read_assertion(raw: bytes, digest: bytes, key: Json) -> Json:
    """From one byte for origin and ending, five of flags and counter, r and s."""
    der = encode_dss_signature(int.from_bytes(raw[6:38], "big"), int.from_bytes(raw[38:], "big"))
    return {
        "authenticatorData": to_b64url(sha256(key["rpId"].encode()).digest() + raw[1:6]),
        "clientDataJSON": to_b64url(_client_data(digest, key["origins"], raw[0])),
        "signature": to_b64url(der),
    }


def _write_assertion(full: Json, digest: bytes, key: Json) -> bytes:
    said, data = from_b64url(full["clientDataJSON"]), from_b64url(full["authenticatorData"])
    choices = range(min(256, len(key["origins"]) * len(_ENDINGS)))
    choice = next(one for one in choices if _client_data(digest, key["origins"], one) == said)
    r, s = decode_dss_signature(from_b64url(full["signature"]))
    return bytes([choice]) + data[32:] + r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _client_data(digest: bytes, origins: list[str], choice: int) -> bytes:
    """What a browser signs (WebAuthn, "limited verification"): both origin and ending are in `choice`."""
    place, ending = divmod(choice, len(_ENDINGS))
    start = f'{{"type":"webauthn.get","challenge":"{to_b64url(digest)}","origin":"{origins[place]}"'
    return (start + _ENDINGS[ending]).encode()


class _Keys(NamedTuple):
    """What the key records of the file bring (bytes by purpose, `rpId`, `origins`) by log and position; logs by firm."""

    at: dict[tuple[str, int], Json]
    logs: dict[str, str]
    origin: str


class _Signing(NamedTuple):
    """What a signature in short form stands in."""

    message: Json
    before: tuple[Json, ...]
    digest: bytes
    keys: _Keys

    def signer(self, role: str) -> tuple[str, str]:
        """The party and its log: `from` where nobody signed in that role before, else `to`."""
        side = "to" if any(one["role"] == role for one in self.before) else "from"
        return self.message[side], self.keys.logs[self.message[side]]


_NO_KEYS = _Keys({}, {}, "")
_TYPES = {kind.__name__: dict(fields_of(kind)) for kind in RECORD_TYPES.values()}
_LINE = {name: _zero(kind) for name, kind in fields_of(Line)}
