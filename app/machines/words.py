"""From what people write in tables to the pack's keys: types, processes, groups, IT, Ra."""

import re
from collections.abc import Mapping
from functools import lru_cache

from app.core.errors import RuleBroken
from app.machines.tables import plain_key
from app.packs.queries import load_pack
from app.packs.rules import MachineType, Value


def find_type(text: str) -> MachineType:
    """Return the machine type that a key or a German or English name means; raises RuleBroken."""
    key = _type_words().get(plain_key(text))
    if key is None:
        raise RuleBroken("Diesen Maschinentyp kennen wir nicht. Nimm einen Namen aus der Liste.")
    return load_pack().machine_type(key)


def soft_name(name: str) -> str:
    """A long German name with soft hyphens, so that it breaks well on a narrow phone without a dictionary."""
    return re.sub(r"(?<=[a-zäöüß]{4})(maschine|zentrum|presse|zelle|automat|messmaschine)", "\u00ad\\1", name)


def find_processes(text: str) -> tuple[str, ...]:
    """Return the process keys of a cell, separated by semicolon, slash or comma; raises RuleBroken for an unknown one."""
    words = _process_words()
    if plain_key(text) in words:
        return (words[plain_key(text)],)
    found = []
    for part in _parts(text):
        if plain_key(part) not in words:
            raise RuleBroken("Das Verfahren „%(word)s“ kennen wir nicht. Prüfe das Wort.", word=part)
        found.append(words[plain_key(part)])
    return tuple(dict.fromkeys(found))


def find_groups(text: str) -> tuple[str, ...]:
    """Return the material groups of a cell, letters or names; raises RuleBroken for an unknown one."""
    groups = load_pack().material_groups
    words = {plain_key(group.label.de): key for key, group in groups.items()}
    words |= {plain_key(key): key for key in groups}
    if plain_key(text) in words:
        return (words[plain_key(text)],)
    found = []
    for word in _group_words(text, words):
        if plain_key(word) not in words:
            raise RuleBroken("Die Werkstoffgruppe „%(word)s“ gibt es nicht. Nimm P, M, K, N, S oder H.", word=word)
        found.append(words[plain_key(word)])
    return tuple(key for key in groups if key in found)


def read_it(text: str) -> int:
    """Return the grade of '7', 'IT7' or 'IT01' (-1); raises RuleBroken."""
    word = text.strip().upper().removeprefix("IT").strip()
    grade = -1 if word == "01" else int(word) if re.fullmatch(r"-?[0-9]{1,2}", word) else None
    if grade is None or grade not in load_pack().tolerances.it_grades:
        raise RuleBroken("Diesen Toleranzgrad gibt es nicht. Schreibe zum Beispiel 7.")
    return grade


def read_ra(text: str) -> int:
    """Return nanometres of '0,8', '0.8' or 'Ra 0,8 µm'; raises RuleBroken for a value outside the usual steps."""
    word = re.sub(r"(?i)^ra|[µμu]m$|\s", "", text.strip().casefold()).replace(",", ".")
    steps = load_pack().tolerances.ra_steps_nm
    nanometres = round(float(word) * 1000) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", word) else None
    if nanometres is None or nanometres not in steps:
        choices = "  ".join(ra_text(step) for step in steps)
        raise RuleBroken("Diese Rauheit steht nicht in der Liste. Nimm eine von: %(choices)s.", choices=choices)
    return nanometres


def ra_text(nanometres: int) -> str:
    """800 -> '0,8'"""
    return f"{nanometres / 1000:g}".replace(".", ",")


def value_text(value: Value | None) -> str:
    """A parameter's value as people write it: '12,5', 'ja', '3+2, 5'; '' when it is not known."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "ja" if value else "nein"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return str(value).replace(".", ",") if isinstance(value, float) else str(value)


def _group_words(text: str, words: Mapping[str, str]) -> list[str]:
    """'P, M' and 'P M' and 'PM' are two letters; 'Rostfreier Stahl' stays one name."""
    parts = [word for part in _parts(text) for word in ([part] if plain_key(part) in words else part.split())]
    if len(parts) == 1 and all(plain_key(sign) in words for sign in parts[0]):
        return list(parts[0])
    return parts


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;,/|\n]", text) if part.strip()]


@lru_cache(maxsize=1)
def _type_words() -> Mapping[str, str]:
    kinds = load_pack().machine_types
    return {plain_key(word): key for key, kind in kinds.items() for word in (kind.label.en, kind.label.de, key)}


@lru_cache(maxsize=1)
def _process_words() -> Mapping[str, str]:
    words: dict[str, str] = {}
    for key, process in load_pack().processes.items():
        for word in (key, process.label.de, process.chip.de, process.label.en, process.chip.en):
            words.setdefault(plain_key(word), key)
    return words
