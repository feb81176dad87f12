"""What travels between firms, how large it may be, and when to try again."""

import datetime as dt
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.core.errors import RuleBroken

MOST_BODY_BYTES = 256 * 1024
MOST_FILE_BYTES = 25 * 1024 * 1024
MOST_DEPTH = 20
LARGEST_INT = 2**53 - 1
RETRIES_MIN = (1, 2, 5, 15, 60, 180, 360)
GIVE_UP_AFTER = dt.timedelta(days=7)
FILE_MEMBER = "file_id"
"""A message names a file of the sender under this member, at any depth: that is what lets the receiver fetch it."""

PHOTO_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}
"""Into these a camera writes more than the picture: media type -> format"""


@dataclass(frozen=True)
class Incoming:
    """A message as the receiving firm's action sees it: consent, scope, order and repetition are already checked."""

    firm_id: str
    from_id: str
    id: str
    kind: str
    body: dict[str, Any]
    at: dt.datetime


def is_photo(media_type: str) -> bool:
    """Say whether a file of this type has to be cleaned before anybody sees it."""
    return media_type in PHOTO_FORMATS


def check_body(body: Any) -> int:
    """Return the size of a body in canonical bytes; raises RuleBroken for what is no plain JSON, or above 256 kB."""
    if not isinstance(body, dict):
        raise RuleBroken("Diese Nachricht lässt sich nicht senden.")
    for value in _values(body, 0):
        if not _is_plain(value):
            raise RuleBroken("Diese Nachricht lässt sich nicht senden.")
    try:
        size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
    except UnicodeEncodeError:
        raise RuleBroken("Diese Nachricht lässt sich nicht senden.") from None
    if size > MOST_BODY_BYTES:
        raise RuleBroken("Diese Nachricht ist zu lang. Kürze deinen Text.")
    return size


def named_files(body: dict[str, Any]) -> set[str]:
    """The ids of all files that a body names."""
    return set(_files_in(body))


@dataclass(frozen=True)
class NamedFile:
    """What a message says of a file beside it."""

    file_id: str
    sha256: str
    name: str
    media_type: str
    size: int


def described_files(body: dict[str, Any]) -> list[NamedFile]:
    """The files that a body names with all that fetching them needs; others are for the receiver's action to refuse."""
    found = []
    for one in _file_objects(body):
        texts = [one.get(name) for name in (FILE_MEMBER, "sha256", "name", "media_type")]
        size = one.get("size")
        if all(isinstance(text, str) for text in texts) and type(size) is int and 0 < size <= MOST_FILE_BYTES:
            file_id, sha256, name, media_type = (str(text) for text in texts)
            if len(file_id) <= 36 and re.fullmatch(r"[0-9a-f]{64}", sha256) and len(media_type) <= 80:
                found.append(NamedFile(file_id, sha256, name[-120:], media_type, size))
    return found


def next_try(waits_since: dt.datetime, attempts: int, now: dt.datetime) -> dt.datetime | None:
    """When to try again after so many failures; None after seven days: then a person is told."""
    following = now + dt.timedelta(minutes=RETRIES_MIN[min(attempts, len(RETRIES_MIN)) - 1])
    last = waits_since + GIVE_UP_AFTER
    return min(following, last) if now < last else None


def _values(value: Any, depth: int) -> Iterator[Any]:
    """Every key and every value that holds no others; an object that nests too deep counts as not plain."""
    if depth > MOST_DEPTH:
        yield object()
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key if isinstance(key, str) else object()
            yield from _values(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, depth + 1)
    else:
        yield value


def _is_plain(value: Any) -> bool:
    if value is None or type(value) in (str, bool):
        return True
    if type(value) is int:
        return abs(value) <= LARGEST_INT
    return type(value) is float and math.isfinite(value)


def _file_objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get(FILE_MEMBER), str):
            yield value
        for inner in value.values():
            yield from _file_objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _file_objects(inner)


def _files_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == FILE_MEMBER and isinstance(inner, str):
                yield inner
            else:
                yield from _files_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _files_in(inner)
