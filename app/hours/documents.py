"""The exact texts of a weekly report and of its confirmation: no person, no price, the same at both sides."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from app.core.units import hours_text, week_days, week_label

REPORT_TEMPLATE, CONFIRM_TEMPLATE = "hours.report/1", "hours.confirm/1"
KIND_NAMES = {"run": "Bearbeiten", "set_up": "Rüsten", "programming": "Programmieren", "idle": "Stillstand"}


@dataclass(frozen=True)
class HoursLine:
    """What one machine did on one day."""

    id: str
    day: dt.date
    kind: str
    minutes: int
    quantity: int
    scrap: int


@dataclass(frozen=True)
class HoursFacts:
    """All that the text depends on. `silence_days`: working days until silence counts as a yes; 0 where it never does."""

    agreement_digest: str
    line_no: int
    machine_id: str
    machine_name: str
    week: str
    lines: tuple[HoursLine, ...]
    silence_days: int
    supersedes: str = ""
    """Digest of the report that this one corrects"""

    def minutes(self, kind: str = "run") -> int:
        return sum(line.minutes for line in self.lines if line.kind == kind)

    def parts(self) -> tuple[int, int]:
        """(made, spoiled)"""
        return sum(line.quantity for line in self.lines), sum(line.scrap for line in self.lines)


def render_report(facts: HoursFacts) -> str:
    """The exact German text of the record `hours.report`."""
    blocks = [
        ["Stundenmeldung"],
        [
            f"Einzelauftrag mit der Prüfsumme {facts.agreement_digest}, Zeile {facts.line_no}",
            f"{facts.machine_name}, {week_label(facts.week)} ({week_days(facts.week)})",
        ],
        [_line_text(line) for line in facts.lines],
        [f"{name}: {hours_text(facts.minutes(kind))} Stunden" for kind, name in KIND_NAMES.items() if facts.minutes(kind)],
        [f"Diese Meldung berichtigt die Meldung mit der Prüfsumme {facts.supersedes}."] if facts.supersedes else [],
        _silence(facts.silence_days),
    ]  # fmt: skip
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def render_confirmation(digest: str, facts: HoursFacts) -> str:
    """The exact German text of the record `hours.confirm`; `digest` of the report."""
    return (
        "Bestätigung\n\n"
        f"Die Stundenmeldung mit der Prüfsumme {digest} ist bestätigt.\n"
        f"{facts.machine_name}, {week_label(facts.week)}: {hours_text(facts.minutes())} Stunden Bearbeiten\n"
    )


def in_order(lines: Iterable[HoursLine]) -> tuple[HoursLine, ...]:
    """The one order of a report's lines: by day, then by id."""
    return tuple(sorted(lines, key=lambda line: (line.day, line.id)))


def _line_text(line: HoursLine) -> str:
    parts = f", {line.quantity} Teile" if line.quantity else ""
    scrap = f", davon {line.scrap} Ausschuss" if line.scrap else ""
    return f"{line.day:%d.%m.%Y}: {hours_text(line.minutes)} Stunden {KIND_NAMES[line.kind]}{parts}{scrap}"


def _silence(days: int) -> list[str]:
    if not days:
        return []
    return [
        f"Wird dieser Meldung nicht innerhalb von {days} Arbeitstagen nach Zugang widersprochen, gilt sie als bestätigt "
        "(Ziffer 14 des Rahmenvertrags)."
    ]
