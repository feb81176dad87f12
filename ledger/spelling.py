"""Evidence read by its one canonical spelling: a pattern for each record type, as the leaf has one.

Members stand in the order of their names, without spaces, texts with none but the short escapes and numbers without
leading zeros: what matches is RFC 8785. What does not match is read the long way, which also says why it is refused.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from ledger import canonical
from ledger.errors import VerificationError
from ledger.types import DOMAIN, PRIMARY_TYPES, RECORD_TYPES, fields_of

# Bytes that no text holds as they are, and the backslash.
_UNCOMMON = bytes(range(0x20)) + b"\\"
# Nothing is ever given back (`+` after a repetition): a text that does not match costs no more than one that does.
_ANY = r'[^"]*+'
_CAREFUL = r'[^"\\\x00-\x1f]*+'
_ESCAPED = rf'{_CAREFUL}(?:\\["\\bfnrt]{_CAREFUL})*+'
# Fifteen digits are safe integers.
_INT = "(0|[1-9][0-9]{0,14})"
_FLAG = "(true|false)"
_END = '],"v":1}'

Match = Callable[[str, int], re.Match[str] | None]


class Spelled(NamedTuple):
    """The members of an evidence as its bytes spell them."""

    message: dict[str, Any]
    display: tuple[str, str, str]
    signatures: tuple[dict[str, Any], ...]
    not_before: str | None


class _Form(NamedTuple):
    """How evidence of one type is spelled, up to its signatures, and what turns a text into a value."""

    match: Match
    names: tuple[str, ...]
    readers: tuple[tuple[str, Callable[[str], Any]], ...]
    passkey: Match
    seal: Match


def read_spelled(data: bytes, record_type: str) -> Spelled | None:
    """The members of canonical evidence of that type; None for bytes that need the long way."""
    form = _form(record_type, len(data.translate(None, _UNCOMMON)) == len(data))
    try:
        text = data.decode("utf-8")
        if (match := form.match(text, 0)) is None:
            return None
        signatures = _read_signatures(form, text, match.end())
        if signatures is None:
            return None
        locale, template, words, *values, note = match.groups()
        message: dict[str, Any] = dict(zip(form.names, values, strict=True))
        for name, read in form.readers:
            message[name] = read(message[name])
        not_before = None if note is None else _read_text(note)
        return Spelled(message, (template, locale, _read_text(words)), signatures, not_before)
    except (VerificationError, UnicodeDecodeError):
        return None


def _read_signatures(form: _Form, text: str, at: int) -> tuple[dict[str, Any], ...] | None:
    found: list[dict[str, Any]] = []
    while True:
        if match := form.passkey(text, at):
            found.append(_passkey(*match.groups()))
        elif match := form.seal(text, at):
            found.append(_seal(*match.groups()))
        else:
            return None
        at = match.end()
        if not text.startswith(",", at):
            return tuple(found) if text[at:] == _END else None
        at += 1


def _passkey(
    authenticator: str, client: str, log: str, seq: str, kid: str, party: str, role: str, signature: str
) -> dict[str, Any]:
    return {
        "authenticatorData": authenticator,
        "clientDataJSON": client,
        "keyAt": {"log": log, "seq": int(seq)},
        "kid": kid,
        "kind": "passkey",
        "party": party,
        "role": role,
        "signature": signature,
    }


def _seal(address: str, party: str, role: str, signature: str) -> dict[str, Any]:
    return {"address": address, "kind": "seal", "party": party, "role": role, "signature": signature}


@lru_cache(maxsize=64)
def _form(record_type: str, is_plain: bool) -> _Form:
    """`is_plain`: there is no control character and no backslash, so a text is all up to the next quote."""
    chars, long = (_ANY, f'"({_ANY})"') if is_plain else (_CAREFUL, f'"({_ESCAPED})"')
    text, listed = f'"({chars})"', rf'(\[(?:[^"\]]++|"{chars}")*+\])'
    kinds = dict(sorted(fields_of(RECORD_TYPES[record_type])))
    spelled = {name: _spelling(kind, text, listed) for name, kind in kinds.items()}
    readers: dict[str, Callable[[str], Any]] = {_INT: int, _FLAG: "true".__eq__, listed: _read_list}
    members = ",".join(f'"{name}":{one}' for name, one in spelled.items())
    body = (
        rf'\{{"attachments":\[\],"display":\{{"locale":{text},"template":{text},"text":{long}\}},"domain":{_DOMAIN}'
        + rf',"message":\{{{members}\}}'
        + rf',"notBefore":(?:null|\{{"checkpoint":{long}\}}),"primaryType":"{PRIMARY_TYPES[record_type]}","signatures":\['
    )
    last = rf'"party":{text},"role":{text},"signature":{text}\}}'
    passkey = (
        rf'\{{"authenticatorData":{text},"clientDataJSON":{text},"keyAt":\{{"log":{text},"seq":{_INT}\}},"kid":{text}'
        + rf',"kind":"passkey",{last}'
    )
    return _Form(
        re.compile(body).match,
        tuple(kinds),
        tuple((name, readers[one]) for name, one in spelled.items() if one in readers),
        re.compile(passkey).match,
        re.compile(rf'\{{"address":{text},"kind":"seal",{last}').match,
    )


def _spelling(kind: str, text: str, listed: str) -> str:
    if kind.endswith("]"):
        return listed
    if kind.startswith("uint"):
        return _INT
    return _FLAG if kind == "bool" else text


def _read_text(spelled: str) -> str:
    return spelled if "\\" not in spelled else str(json.loads(f'"{spelled}"'))


def _read_list(spelled: str) -> Any:
    return canonical.loads(spelled.encode("utf-8"))


_DOMAIN = re.escape(json.dumps(DOMAIN, separators=(",", ":")))
