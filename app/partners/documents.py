"""The framework agreement of two firms: its facts, the exact German text that is signed, the English reading aid."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from app.core.errors import RuleBroken
from app.partners.texts import fill, one_line, read_parts, tidy

TEXTS = Path(__file__).parent / "texts"
TEMPLATE_KEYS = ("lohnfertigung", "maschinennutzung")
LONGEST_CLAUSE = 8000
LONGEST_TITLE = 120
CLAUSE_PLACES = frozenset(
    {"party_a", "party_b", "scopes", "valid_from", "notice_days", "payment_days", "tolerance_percent"}
    | {"acceptance_days", "silence_days", "scrap_percent", "cancellation_steps"}
)
LIMITS = {
    "notice_days": (14, 365),
    "payment_days": (7, 60),
    "tolerance_percent": (0, 50),
    "acceptance_days": (3, 30),
    "silence_days": (2, 30),
    "scrap_percent": (0, 20),
}
LOOKS_LIKE_HEADING = re.compile(r"^\s*(Ziffer|Clause)\s+\d+\s", re.MULTILINE)
Facts = TypeVar("Facts")


@dataclass(frozen=True)
class Party:
    """One firm as a contract names it; empty strings where it has none (no register entry, for example)."""

    name: str
    legal_form: str
    register_court: str
    register_no: str
    vat_id: str
    street: str
    postcode: str
    town: str
    represented_by: str = ""


@dataclass(frozen=True)
class Clause:
    """A numbered clause; its text may hold %(name)s places out of CLAUSE_PLACES."""

    number: int
    title: str
    text: str


@dataclass(frozen=True)
class CancellationStep:
    """Who cancels at least `days_before` days before the Monday of the week pays `fee_percent` of the net amount."""

    days_before: int
    fee_percent: int


@dataclass(frozen=True)
class Template:
    """A contract template as shipped: a draft that the firms' lawyers may change."""

    key: str
    version: int
    title: str
    draft_note: str
    clauses: tuple[Clause, ...]
    clauses_en: tuple[Clause, ...]


@dataclass(frozen=True)
class FrameworkFacts:
    """All that the text of a framework agreement depends on; `valid_from` is YYYY-MM-DD, periods count days."""

    template_key: str
    version: int
    party_a: Party
    party_b: Party
    valid_from: str
    clauses: tuple[Clause, ...]
    scopes: tuple[str, ...] = ("requests", "know_how")
    notice_days: int = 30
    payment_days: int = 30
    tolerance_percent: int = 10
    acceptance_days: int = 10
    silence_days: int = 5
    scrap_percent: int = 3
    cancellation_steps: tuple[CancellationStep, ...] = (
        CancellationStep(14, 0),
        CancellationStep(3, 50),
        CancellationStep(0, 80),
    )


@cache
def load_template(key: str) -> Template:
    """Return the template 'lohnfertigung' or 'maschinennutzung'; raises RuleBroken for any other key."""
    if key not in TEMPLATE_KEYS:
        raise RuleBroken("Diese Vertragsvorlage gibt es nicht. Wähle eine aus der Liste.", field="template_key")
    german = read_parts(TEXTS / f"{key}.de.txt")
    return Template(
        key,
        int(german["version"].body),
        german["title"].body,
        german["draft_note"].body,
        _clauses(TEXTS / f"{key}.de.txt"),
        _clauses(TEXTS / f"{key}.en.txt"),
    )


def framework_title(facts: FrameworkFacts) -> str:
    """Return the title line of the signed text."""
    return load_template(facts.template_key).title


def render_framework(facts: FrameworkFacts) -> str:
    """Return the exact German text that both managers sign: NFC, LF, no trailing spaces, the same bytes every time.

    Raises RuleBroken for facts or clauses that check_framework refuses.
    """
    check_framework(facts)
    blocks = [_heading(clause, "de") + "\n\n" + clause.text for clause in framework_clauses(facts)]
    return tidy("\n\n\n".join([framework_title(facts), *blocks]))


def framework_reading_aid(facts: FrameworkFacts) -> str:
    """Return the English reading aid as one text; it is never part of what is signed."""
    blocks = [_heading(clause, "en") + "\n\n" + clause.text for clause in framework_clauses_en(facts)]
    title = read_parts(TEXTS / f"{facts.template_key}.en.txt")["title"].body
    return tidy("\n\n".join([title, *blocks]))


def framework_clauses(facts: FrameworkFacts) -> tuple[Clause, ...]:
    """Return the clauses with every place filled, in the order of the text."""
    values = _values(facts, "de")
    return tuple(replace(clause, text=fill(clause.text, values)) for clause in facts.clauses)


def framework_clauses_en(facts: FrameworkFacts) -> tuple[Clause, ...]:
    """Return the reading aid for each clause, in the same order; a clause that the parties changed says it has none."""
    template, values = load_template(facts.template_key), _values(facts, "en")
    german = {clause.number: clause for clause in template.clauses}
    english = {clause.number: clause for clause in template.clauses_en}
    edited = read_parts(TEXTS / "phrases.en.txt")["edited"].body
    return tuple(
        replace(english[clause.number], text=fill(english[clause.number].text, values))
        if german.get(clause.number) == clause and facts.version == template.version
        else Clause(clause.number, clause.title, edited)
        for clause in facts.clauses
    )


def check_framework(facts: FrameworkFacts) -> None:
    """Raise RuleBroken with a plain sentence if periods, percentages or clauses cannot stand in a contract."""
    load_template(facts.template_key)
    for name, (least, most) in LIMITS.items():
        if not least <= getattr(facts, name) <= most:
            raise RuleBroken("Gib eine Zahl von %(least)s bis %(most)s ein.", field=name, least=least, most=most)
    _check_steps(facts.cancellation_steps)
    numbers = [clause.number for clause in facts.clauses]
    expected = [clause.number for clause in load_template(facts.template_key).clauses]
    if numbers != expected:
        raise RuleBroken("Es fehlt eine Ziffer. Lass jede Ziffer der Vorlage stehen.", field="clauses")
    for clause in facts.clauses:
        check_clause_text(clause)


def check_clause_text(clause: Clause) -> None:
    """Raise RuleBroken if a clause is empty, too long, holds hidden characters, unknown places or a false heading."""
    field = f"clause_{clause.number}"
    if not clause.title.strip() or not clause.text.strip():
        raise RuleBroken("Die Ziffer ist leer. Schreib einen Text hinein.", field=field)
    if len(clause.title) > LONGEST_TITLE or len(clause.text) > LONGEST_CLAUSE:
        raise RuleBroken("Der Text ist zu lang. Höchstens %(most)s Zeichen passen.", field=field, most=LONGEST_CLAUSE)
    if tidy_clause(clause.number, clause.title, clause.text) != clause:
        raise RuleBroken("Der Text hat unsichtbare Zeichen. Tippe ihn neu, statt ihn einzufügen.", field=field)
    if LOOKS_LIKE_HEADING.search(clause.text):
        raise RuleBroken("Beginne keine Zeile mit „Ziffer“ und einer Zahl. Das sieht aus wie eine Überschrift.", field)
    fill(clause.text, dict.fromkeys(CLAUSE_PLACES, ""))


def tidy_clause(number: int, title: str, text: str) -> Clause:
    """Return what a person typed as a clause in the form that is signed: one kind of space and line end only."""
    lines = [one_line(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return Clause(number, one_line(title), tidy("\n".join(lines)).rstrip("\n"))


def party_text(party: Party) -> str:
    """Return the block that names one firm in a contract, one fact a line; nobody who represents it, no such line."""
    phrases = read_parts(TEXTS / "phrases.de.txt")
    values = {name: one_line(value) or phrases["not_given"].body for name, value in asdict(party).items()}
    values["register"] = fill(phrases["register" if party.register_no else "no_register"].body, values)
    lines = [phrases["party"].body] + ([phrases["represented"].body] if party.represented_by.strip() else [])
    return fill("\n".join(lines), values)


def day_text(day: str) -> str:
    """'2026-10-01' -> '01.10.2026'; raises RuleBroken for a day that does not exist."""
    try:
        return dt.date.fromisoformat(day).strftime("%d.%m.%Y")
    except ValueError:
        raise RuleBroken("Das Datum %(day)s gibt es nicht. Wähle ein anderes.", day=day) from None


def facts_from(kind: type[Facts], data: Mapping[str, Any]) -> Facts:
    """Build facts from a message (JSON of `dataclasses.asdict`): exact fields and types, else RuleBroken."""
    hints = get_type_hints(kind)
    if not isinstance(data, Mapping) or set(data) != set(hints):
        raise RuleBroken("Die Nachricht passt nicht zu dieser Version. Bitte den Partner um eine neue.")
    return kind(**{name: _from_json(hint, data[name]) for name, hint in hints.items()})


def _from_json(hint: Any, value: Any) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return facts_from(hint, value)
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        return tuple(_from_json(get_args(hint)[0], item) for item in value)
    if hint in (str, int, bool) and type(value) is hint:
        return value
    raise RuleBroken("Die Nachricht passt nicht zu dieser Version. Bitte den Partner um eine neue.")


def _clauses(path: Path) -> tuple[Clause, ...]:
    return tuple(Clause(int(p.key), p.title, p.body) for p in read_parts(path).values() if p.is_clause)


def _heading(clause: Clause, language: str) -> str:
    shape = read_parts(TEXTS / f"phrases.{language}.txt")["heading"].body
    return fill(shape, {"number": clause.number, "title": one_line(clause.title)})


def _values(facts: FrameworkFacts, language: str) -> dict[str, object]:
    plain = {f.name: getattr(facts, f.name) for f in fields(facts) if f.name in CLAUSE_PLACES}
    return plain | {
        "party_a": party_text(facts.party_a),
        "party_b": party_text(facts.party_b),
        "valid_from": day_text(facts.valid_from) if language == "de" else facts.valid_from,
        "scopes": ", ".join(_scope_label(scope, language) for scope in facts.scopes),
        "cancellation_steps": "\n".join(step_lines(facts.cancellation_steps, language)),
    }


def _scope_label(scope: str, language: str) -> str:
    part = read_parts(TEXTS / f"phrases.{language}.txt").get(f"scope_{scope}")
    return part.body if part else one_line(scope)


def step_lines(steps: tuple[CancellationStep, ...], language: str) -> list[str]:
    """Return the cancellation steps as the texts show them, one a line, in 'de' or 'en'."""
    phrases = read_parts(TEXTS / f"phrases.{language}.txt")
    lines = []
    for step in steps:
        key = ("step_" if step.days_before else "step_late_") + ("fee" if step.fee_percent else "free")
        lines.append(fill(phrases[key].body, {"days": step.days_before, "percent": step.fee_percent}))
    return lines


def _check_steps(steps: tuple[CancellationStep, ...]) -> None:
    days = [step.days_before for step in steps]
    fees = [step.fee_percent for step in steps]
    if not steps or days[-1] != 0 or days != sorted(set(days), reverse=True) or days[0] > 365:
        raise RuleBroken("Ordne die Stornostufen nach Tagen. Die letzte Stufe gilt ab 0 Tagen.", "cancellation_steps")
    if fees != sorted(fees) or fees[0] < 0 or fees[-1] > 100:
        raise RuleBroken("Jede Stufe braucht eine höhere Pauschale, von 0 bis 100 Prozent.", "cancellation_steps")
