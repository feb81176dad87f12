"""Strict reading of a partner's message: every field has a type and a bound, and nothing may be left over."""

import datetime as dt
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from app.core.errors import RuleBroken
from app.core.units import monday

PUBLIC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHA256 = re.compile(r"[0-9a-f]{64}")
KEY = re.compile(r"[a-z0-9_]*")
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Control characters, and those that hide or turn text around: they could make a text read as another one."""


class Body:
    """One object of a message. Each reader takes its field away; `finish` refuses what nobody asked for.

    Every reader raises RuleBroken with the field's name, so that the message is refused as a whole.
    """

    def __init__(self, body: object) -> None:
        if not isinstance(body, Mapping) or not all(isinstance(name, str) for name in body):
            raise unreadable("body")
        self._rest: dict[str, Any] = dict(body)

    def finish(self) -> None:
        if self._rest:
            raise unreadable(sorted(self._rest)[0][:40])

    def text(self, name: str, most: int, least: int = 0) -> str:
        """One line of text."""
        found = self.lines(name, most, least)
        return found if "\n" not in found else self._refuse(name)

    def lines(self, name: str, most: int, least: int = 0) -> str:
        """Text of several lines."""
        found = self._take(name)
        if not isinstance(found, str) or not least <= len(found) <= most or UNSEEN.search(found):
            self._refuse(name)
        return str(found)

    def key(self, name: str, most: int = 40, least: int = 0) -> str:
        """A key of an industry pack: lower-case letters, digits, underscores."""
        found = self.text(name, most, least)
        return found if KEY.fullmatch(found) else self._refuse(name)

    def choice(self, name: str, options: Collection[str]) -> str:
        found = self.text(name, 80)
        return found if found in options else self._refuse(name)

    def public_id(self, name: str) -> str:
        found = self.text(name, 36)
        return found if PUBLIC_ID.fullmatch(found) else self._refuse(name)

    def sha256(self, name: str) -> str:
        found = self.text(name, 64)
        return found if SHA256.fullmatch(found) else self._refuse(name)

    def yes(self, name: str) -> bool:
        found = self._take(name)
        return found if isinstance(found, bool) else self._refuse(name)

    def whole(self, name: str, least: int, most: int) -> int:
        found = self._take(name)
        if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
            self._refuse(name)
        return int(found)

    def maybe_whole(self, name: str, least: int, most: int) -> int | None:
        return None if self._is_null(name) else self.whole(name, least, most)

    def number(self, name: str, least: float, most: float) -> float:
        found = self._take(name)
        if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= most:
            self._refuse(name)
        return float(found)

    def maybe_number(self, name: str, least: float, most: float) -> float | None:
        return None if self._is_null(name) else self.number(name, least, most)

    def maybe_key(self, name: str, most: int = 40) -> str | None:
        return None if self._is_null(name) else self.key(name, most, 1)

    def week(self, name: str) -> str:
        """A real ISO week; raises for 2025-W53."""
        found = self.text(name, 8)
        monday(found)
        return found

    def maybe_week(self, name: str) -> str | None:
        return None if self._is_null(name) else self.week(name)

    def moment(self, name: str) -> dt.datetime:
        """A time with its zone, as UTC."""
        found = self.text(name, 40)
        try:
            at = dt.datetime.fromisoformat(found)
            if at.tzinfo is not None and 2020 <= at.year <= 2100:
                return at.astimezone(dt.UTC)
        except ValueError:
            pass
        raise unreadable(name)

    def keys(self, name: str, most: int) -> list[str]:
        """A short list of pack keys, each once."""
        found = self._take(name)
        if not isinstance(found, list) or len(found) > most or len(found) != len({str(one) for one in found}):
            self._refuse(name)
        if not all(isinstance(one, str) and 0 < len(one) <= 40 and KEY.fullmatch(one) for one in found):
            self._refuse(name)
        return [str(one) for one in found]

    def items(self, name: str, most: int) -> list["Body"]:
        """A list of objects, to be read one by one; the caller finishes each."""
        found = self._take(name)
        if not isinstance(found, list) or len(found) > most:
            self._refuse(name)
        return [Body(one) for one in found]

    def inner(self, name: str) -> "Body":
        """An object inside, to be read like the whole; the caller finishes it."""
        return Body(self._take(name))

    def values(self, name: str, most: int) -> dict[str, Any]:
        """Pack parameters and their values: numbers, yes or no, a word or a list of words."""
        found = self._take(name)
        if not isinstance(found, dict) or len(found) > most:
            self._refuse(name)
        for key, value in found.items():
            if not isinstance(key, str) or not 0 < len(key) <= 40 or not KEY.fullmatch(key) or not _is_value(value):
                self._refuse(name)
        return dict(found)

    def _is_null(self, name: str) -> bool:
        """Say whether the field is there and null; then it is taken away."""
        if name not in self._rest:
            self._refuse(name)
        if self._rest[name] is not None:
            return False
        del self._rest[name]
        return True

    def _take(self, name: str) -> Any:
        if name not in self._rest:
            self._refuse(name)
        return self._rest.pop(name)

    def _refuse(self, name: str) -> Any:
        raise unreadable(name)


def unreadable(field: str) -> RuleBroken:
    """The refusal that the sender's log shows: which field, never its content."""
    return RuleBroken("Die Nachricht des Partners ist nicht lesbar: %(name)s.", field, name=field)


def _is_value(value: object) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) < 1e12
    return _is_word(value) or (isinstance(value, list) and len(value) <= 20 and all(map(_is_word, value)))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 40 and not UNSEEN.search(value)
