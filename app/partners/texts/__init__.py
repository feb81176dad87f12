"""Contract texts as data: reads them, fills their %(name)s places, and tidies what will be hashed and signed."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.core.errors import RuleBroken

HEAD = re.compile(r"^# (\w+)(?: \| (.+))?$", re.MULTILINE)
PLACE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Part:
    """One piece of a text file: a numbered clause with a title, or a phrase without one."""

    key: str
    title: str
    body: str

    @property
    def is_clause(self) -> bool:
        """Say whether this part is a clause: clauses are numbered, phrases are named."""
        return self.key.isdecimal()


@cache
def read_parts(path: Path) -> Mapping[str, Part]:
    """Return the parts of a text file by key, in the file's order."""
    pieces = HEAD.split(path.read_text(encoding="utf-8"))
    triples = zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    return {key: Part(key, title or "", body.strip("\n")) for key, title, body in triples}


def fill(text: str, values: Mapping[str, object]) -> str:
    """Put values into the %(name)s places, once: a value that looks like a place stays as it is.

    Raises RuleBroken for a place that has no value.
    """

    def value(place: re.Match[str]) -> str:
        name = place[1]
        if name not in values:
            raise RuleBroken("Den Platzhalter %(place)s gibt es hier nicht. Nimm ihn heraus.", place=name)
        return str(values[name])

    return PLACE.sub(value, text)


def one_line(text: str) -> str:
    """Return foreign text on one line without control or direction characters, so that it cannot imitate a clause."""
    flat = " ".join(unicodedata.normalize("NFC", text).split())
    if flat.isprintable():  # such a line, and nearly every one is, holds none of these characters
        return flat
    return "".join(letter for letter in flat if unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co"})


def tidy(text: str) -> str:
    """Return the bytes-stable form: NFC, LF, no trailing spaces, at most one empty line in a row, LF at the end."""
    lines = [line.rstrip() for line in unicodedata.normalize("NFC", text).replace("\r\n", "\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"
