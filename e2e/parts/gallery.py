"""The interface parts on test pages, rendered without the application: plain Jinja with stand-ins for the web room."""

import datetime as dt
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import segno
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.core import units
from app.core.errors import RuleBroken

ROOT = Path(__file__).parents[2]
PAGES = ("start", "zeigen", "formular", "plaene", "antwort", "anfragen", "vertrag", "leer")


@dataclass(frozen=True)
class Look:
    """How the person wants to see the pages: light '' or 'sonne', hand '' or 'handschuh'."""

    light: str = ""
    hand: str = ""


@dataclass(frozen=True)
class Link:
    """A way out of a band."""

    url: str
    label: str


@dataclass(frozen=True)
class World:
    """Real, practice or offline."""

    is_practice: bool = False
    name: str = ""
    offline: bool = False
    root: str = ""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Tab:
    """One of at most five ways at the bottom."""

    url: str
    icon: str
    label: str
    badge: int = 0
    is_active: bool = False


TABS = (
    Tab("#1", "bell", "Anfragen", 2, True),
    Tab("#2", "calendar-days", "Plan"),
    Tab("#3", "send", "Anbieten"),
    Tab("#4", "ellipsis", "Mehr"),
)
LOOKS = {"hell": Look(), "dunkel": Look(), "sonne": Look("sonne", "handschuh")}


@dataclass(frozen=True)
class Week:
    """A bar of the chart and a cell of the plan."""

    week: str
    own_min: int = 0
    partner_min: int = 0
    free_min: int = 0
    art: str = "frei"
    url: str = ""


@dataclass(frozen=True)
class Row:
    """One machine of the plan."""

    name: str
    zellen: tuple[Week, ...]
    url: str = "#"


@dataclass(frozen=True)
class Share:
    """A partner's part of the coverage."""

    name: str
    minutes: int
    signed: bool = False


@dataclass(frozen=True)
class Facts:
    """What the test pages show."""

    weeks: tuple[Week, ...] = tuple(
        Week(w, o * 60, p * 60, f * 60, art, "#" if art == "frei" else "")
        for w, o, p, f, art in zip(
            units.weeks_from("2026-W47", 8),
            (40, 24, 38, 12, 30, 0, 0, 22),
            (0, 24, 0, 16, 8, 0, 0, 10),
            (0, 0, 2, 12, 0, 0, 0, 8),
            ("eigen", "partner", "frei", "frei", "partner", "zu", "zu", "frei"),
            strict=True,
        )
    )
    shares: tuple[Share, ...] = (
        Share("Dreherei Yilmaz", 140 * 60, True),
        Share("Brandt Präzision", 120 * 60),
        Share("Nowak CNC", 60 * 60),
    )
    faults: tuple[RuleBroken, ...] = (
        RuleBroken("Gib die Stunden als Zahl ein, zum Beispiel 7,5.", "hours"),
        RuleBroken("Wähle eine Kalenderwoche, zum Beispiel KW 48.", "week"),
    )
    matrix: tuple[bytearray, ...] = field(
        default_factory=lambda: tuple(segno.make("https://werkring.example/m/7FQK").matrix)
    )


@cache
def environment() -> Environment:
    """Return the Jinja environment with the filters and context functions that the web room gives to every page."""
    env = Environment(
        loader=ChoiceLoader([FileSystemLoader(ROOT / "templates"), FileSystemLoader(Path(__file__).parent)]),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.install_gettext_callables(_same, _plural, newstyle=True)  # type: ignore[attr-defined]
    env.filters.update(
        hours=units.hours_text,
        euro=units.euro_text,
        week=units.week_short,
        week_days=units.week_days,
        day=lambda value: f"{value:%d.%m.}",
        clock=lambda value: f"{value:%H:%M}",
        said=lambda error: error.text % error.values,
    )
    env.globals.update(
        weeks_from=units.weeks_from,
        static_url=lambda path: f"/static/{path}",
        csrf_token=lambda: "t",
        once_key=lambda: "k",
        at_once_url=lambda url: f"/sofort{url}",
    )
    return env


def render_page(name: str, look: Look, world: World | None = None, **more: object) -> str:
    """Return one page of the gallery as HTML in one look."""
    values = {"look": look, "world": world or World(), "tabs": TABS, "lang": "de", "facts": Facts()}
    return environment().get_template(f"{name}.html").render(values | {"now": dt.datetime(2026, 11, 16, 7)} | more)


def _same(text: str) -> str:
    return text


def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many
