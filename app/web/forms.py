"""Forms: what was typed is kept, every wrong field gets one sentence, all at once."""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from werkzeug.datastructures import MultiDict

from app.core.errors import RuleBroken
from app.core.units import monday, parse_euro, parse_hours, week_of

Read = TypeVar("Read")


class Form:
    """Typed reading of a form. Values that cannot be read are noted in `errors` and come back as None.

    `Form(prefill)` serves an empty form too, so that templates know one shape: `form.value(name)`, `form.values(name)`,
    `form.error(name)`, `form.errors` (list of RuleBroken in the order of reading).
    """

    def __init__(self, fields: MultiDict[str, str] | dict[str, Any] | None = None) -> None:
        self.fields = fields if isinstance(fields, MultiDict) else MultiDict(fields or {})
        self.errors: list[RuleBroken] = []

    def value(self, name: str) -> str:
        found = self.fields.get(name)
        return "" if found is None else str(found)

    def values(self, name: str) -> list[str]:
        return [str(value) for value in self.fields.getlist(name)]

    def error(self, name: str) -> RuleBroken | None:
        return next((error for error in self.errors if error.field == name), None)

    def add_error(self, error: RuleBroken) -> None:
        self.errors.append(error)

    @property
    def is_good(self) -> bool:
        return not self.errors

    def text(self, name: str, missing: str = "", most: int = 80) -> str:
        """Read one line; `missing` is the sentence for an empty field, '' makes it optional."""
        found = " ".join(visible(self.value(name)).split())
        if any(unicodedata.category(c) == "Cc" for c in found):
            self._fail(name, "Hier steht ein unsichtbares Zeichen. Schreib den Text neu.")
        if not found and missing:
            self._fail(name, missing)
        if len(found) > most:
            self._fail(name, "Das ist zu lang. Höchstens %(most)s Zeichen passen.", most=most)
        return found[:most]

    def long_text(self, name: str, missing: str = "", most: int = 1000) -> str:
        """Read several lines; line ends become LF, other control characters are refused."""
        found = re.sub("\r\n?|[\u2028\u2029\x85]", "\n", visible(self.value(name))).strip()
        if any(unicodedata.category(c) == "Cc" and c != "\n" for c in found):
            self._fail(name, "Hier steht ein unsichtbares Zeichen. Schreib den Text neu.")
        if not found and missing:
            self._fail(name, missing)
        if len(found) > most:
            self._fail(name, "Das ist zu lang. Höchstens %(most)s Zeichen passen.", most=most)
        return found[:most]

    def hours(self, name: str, missing: str = "Gib die Stunden als Zahl ein, zum Beispiel 7,5.") -> int | None:
        """Read hours as minutes."""
        found = self._given(name, missing)
        return self._try(name, lambda: parse_hours(found, name)) if found else None

    def euro(self, name: str, missing: str = "Gib den Betrag in Euro ein, zum Beispiel 85,50.") -> int | None:
        """Read euros as cents."""
        found = self._given(name, missing)
        return self._try(name, lambda: parse_euro(found, name)) if found else None

    def whole(self, name: str, least: int, most: int, missing: str = "") -> int | None:
        """Read a whole number within bounds; '.' may group thousands. `missing` may name them: %(least)s, %(most)s."""
        found = self.value(name).replace(" ", "")
        if not found:
            if missing:
                self._fail(name, missing, least=least, most=most)
            return None
        if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3})+", found):
            found = found.replace(".", "")
        if not re.fullmatch(r"-?[0-9]{1,9}", found) or not least <= int(found) <= most:
            self._fail(name, "Gib eine ganze Zahl von %(least)s bis %(most)s ein.", least=least, most=most)
            return None
        return int(found)

    def week(self, name: str, missing: str = "Wähle eine Kalenderwoche, zum Beispiel KW 48.") -> str | None:
        found = self._given(name, missing)
        return self._try(name, lambda: week_of(monday(found))) if found else None

    def day(self, name: str, missing: str = "") -> dt.date | None:
        found = self._given(name, missing)
        if not found:
            return None
        german = re.fullmatch(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})", found)
        try:
            return dt.date(*map(int, german.groups()[::-1])) if german else dt.date.fromisoformat(found)
        except ValueError:
            self._fail(name, "Gib ein Datum ein, zum Beispiel 24.12.2026.")
            return None

    def choice(self, name: str, options: Collection[str], missing: str = "Wähle eine Möglichkeit aus.") -> str | None:
        found = self.value(name)
        if not found and not missing:
            return None
        if found not in options:
            self._fail(name, missing or "Wähle eine Möglichkeit aus.")
            return None
        return found

    def choices(self, name: str, options: Collection[str], missing: str = "") -> list[str]:
        found = self.values(name)
        unknown = [value for value in found if value not in options]
        if unknown or (missing and not found):
            self._fail(name, missing or "Wähle eine Möglichkeit aus.")
        return [value for value in dict.fromkeys(found) if value in options]

    def yes(self, name: str) -> bool:
        return self.value(name) in ("on", "1", "ja", "yes", "true")

    def mail(self, name: str, missing: str = "") -> str:
        found = self.text(name, missing, 120)
        if found and not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]{2,}", found):
            self._fail(name, "Gib eine E-Mail-Adresse ein, zum Beispiel petra@keller.de.")
        return found

    def _given(self, name: str, missing: str) -> str:
        """What stands in a field; for an empty one `missing` is noted, '' makes it optional."""
        found = self.value(name).strip()
        if not found and missing:
            self._fail(name, missing)
        return found

    def _fail(self, name: str, text: str, **values: object) -> None:
        if self.error(name) is None:
            self.errors.append(RuleBroken(text, name, **values))

    def _try(self, name: str, read: Callable[[], Read]) -> Read | None:
        try:
            return read()
        except RuleBroken as error:
            error.field = name
            self.errors.append(error)
            return None


def visible(text: str) -> str:
    """Text as people see it: pasted signs that hide, join or turn letters go, each letter has one spelling.

    Partners refuse texts that hold them, and a name in a contract must be the same at both sides.
    """
    return "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) not in ("Cf", "Co", "Cs"))


def first_error(errors: Iterable[RuleBroken]) -> RuleBroken | None:
    return next(iter(errors), None)
