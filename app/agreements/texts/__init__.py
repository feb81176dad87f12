"""Contract wording of call-offs as data, by language; here are the few ways in which numbers and days are written."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from app.core.units import BERLIN
from app.partners.texts import Part, fill, one_line, read_parts

TEXTS = Path(__file__).parent


def parts_of(name: str, language: str) -> Mapping[str, Part]:
    """Return the parts of one text file, for example ('lohnfertigung', 'de')."""
    return read_parts(TEXTS / f"{name}.{language}.txt")


def phrase(key: str, language: str, **values: object) -> str:
    """Return a phrase with its places filled; foreign words arrive on one line, whatever they hold."""
    flat = {name: one_line(value) if isinstance(value, str) else value for name, value in values.items()}
    return fill(parts_of("phrases", language)[key].body, flat)


def word_or(text: str, key: str, language: str) -> str:
    """Return a person's word on one line, or the phrase for its absence."""
    return one_line(text) or phrase(key, language)


def moment_text(at: int, language: str) -> str:
    """Return UTC seconds as day and time in Germany with the zone's name, so that the hour is never in doubt."""
    local = dt.datetime.fromtimestamp(at, BERLIN)
    zone = phrase("zone_summer" if local.dst() else "zone_winter", language)
    day = local.strftime("%d.%m.%Y" if language == "de" else "%Y-%m-%d")
    return phrase("moment", language, day=day, time=local.strftime("%H:%M"), zone=zone)


def short_moment_text(at: int, language: str) -> str:
    """Return the same for a glance: '18.11.2026, 12 Uhr', without the zone; minutes only where there are some."""
    local = dt.datetime.fromtimestamp(at, BERLIN)
    if language != "de":
        return f"{local:%Y-%m-%d, %H:%M}"
    return f"{local:%d.%m.%Y}, {local.hour}{f':{local:%M}' if local.minute else ''} Uhr"
