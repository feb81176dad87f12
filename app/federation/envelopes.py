"""A message on its way between nodes: one canonical form, read strictly."""

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import rfc8785

from app.core.errors import RuleBroken
from app.federation.rules import MOST_BODY_BYTES, MOST_DEPTH, check_body
from app.partners.wire import ADDRESS as ADDRESS
from app.web.json import depth_of

MOST_BYTES = MOST_BODY_BYTES
"""Of one request: of one message, or of several, a line each"""
MOST_TOGETHER = 50
"""Messages under one signature"""
MEMBERS = frozenset({"v", "id", "from", "to", "seq", "kind", "at", "expires", "subject", "body"})
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KIND = re.compile(r"[a-z]+\.[a-z_]+")
LIFE = dt.timedelta(days=7)
LARGEST_SEQ = 2**40
LONGEST_ADDRESS, LONGEST_KIND = 120, 40


@dataclass(frozen=True)
class Envelope:
    """What one message says about itself; `at` and `expires` are seconds since 1970."""

    id: str
    sender: str
    receiver: str
    seq: int
    kind: str
    at: int
    expires: int
    subject: str
    body: dict[str, Any]


def write_envelope(envelope: Envelope) -> bytes:
    """Its bytes: canonical JSON (RFC 8785)."""
    return _canonical(
        {
            "v": 1,
            "id": envelope.id,
            "from": envelope.sender,
            "to": envelope.receiver,
            "seq": envelope.seq,
            "kind": envelope.kind,
            "at": envelope.at,
            "expires": envelope.expires,
            "subject": envelope.subject,
            "body": envelope.body,
        }
    )


def read_envelope(data: bytes) -> Envelope:
    """The envelope in these bytes; raises RuleBroken for anything but the one form that `write_envelope` gives."""
    if depth_of(data) > MOST_DEPTH + 1:
        raise _unreadable()
    try:
        read = json.loads(data.decode(), object_pairs_hook=_members, parse_constant=_refuse)
    except ValueError:
        raise _unreadable() from None
    if not isinstance(read, dict) or read.keys() != MEMBERS or type(read["v"]) is not int or read["v"] != 1:
        raise _unreadable()
    body = read["body"]
    check_body(body)
    if _canonical(read) != data:
        raise _unreadable()
    return Envelope(
        _text(read["id"], UUID, 36),
        _text(read["from"], ADDRESS, LONGEST_ADDRESS),
        _text(read["to"], ADDRESS, LONGEST_ADDRESS),
        _number(read["seq"]),
        _text(read["kind"], KIND, LONGEST_KIND),
        _number(read["at"]),
        _number(read["expires"]),
        "" if read["subject"] == "" else _text(read["subject"], UUID, 36),
        body,
    )


def _canonical(value: Any) -> bytes:
    try:
        return bytes(rfc8785.dumps(value))
    except (rfc8785.CanonicalizationError, ValueError):
        raise _unreadable() from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _text(value: Any, pattern: re.Pattern[str], longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or not pattern.fullmatch(value):
        raise _unreadable()
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not 0 < value <= LARGEST_SEQ:
        raise _unreadable()
    return value


def _unreadable() -> RuleBroken:
    return RuleBroken("Diese Nachricht lässt sich nicht lesen.")
