"""How an agreement stands after its changes and cancellations: the sealed facts stay, what counts is reckoned from all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.agreements.call_off import cap_for
from app.agreements.documents import CallOffFacts, CallOffLine, line_amount_cents
from app.core.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class LineChange:
    """New minutes of one line, counted from 1 as in the sealed text; 0 cancels it."""

    line_no: int
    old_min: int
    new_min: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts as they stand now, and for each of their lines the number it has in the sealed text."""

    facts: CallOffFacts
    line_nos: tuple[int, ...]

    def line(self, line_no: int) -> CallOffLine:
        """The line of that number; raises RuleBroken for one that is gone or never was."""
        if line_no not in self.line_nos:
            raise RuleBroken("Diese Buchung gibt es nicht mehr. Lade die Seite neu.", field="lines")
        return self.facts.lines[self.line_nos.index(line_no)]


def first_standing(facts: CallOffFacts) -> Standing:
    """The agreement as it was sealed."""
    return Standing(facts, tuple(range(1, len(facts.lines) + 1)))


def standing_after(facts: CallOffFacts, changes: Sequence[Sequence[LineChange]]) -> Standing:
    """The agreement after some amendments, the oldest first; cancelling every line keeps the last facts."""
    standing = first_standing(facts)
    for amendment in changes:
        standing = apply_changes(standing, amendment)
    return standing


def apply_changes(standing: Standing, changes: Sequence[LineChange]) -> Standing:
    """Set new minutes; total and cap follow. Raises RuleBroken for a line that is gone or stands differently."""
    wanted = {change.line_no: change for change in changes}
    for change in changes:
        if standing.line(change.line_no).minutes != change.old_min:
            raise RuleBroken("Diese Buchung hat sich geändert. Lade die Seite neu.", field="lines")
    kept = [
        (number, _with_minutes(line, wanted[number].new_min) if number in wanted else line)
        for number, line in zip(standing.line_nos, standing.facts.lines, strict=True)
        if number not in wanted or wanted[number].new_min > 0
    ]
    if not kept:
        return Standing(standing.facts, ())
    return Standing(_priced(standing.facts, tuple(line for _, line in kept)), tuple(number for number, _ in kept))


def changes_from(rows: Sequence[Sequence[Any]]) -> tuple[LineChange, ...]:
    """Changes as they stand in an amendment's facts: [number, old minutes, new minutes]; raises RuleBroken."""
    if not rows or len(rows) > 200 or any(not _is_row(row) for row in rows):
        raise RuleBroken("Wähle mindestens eine Buchung.", field="lines")
    changes = tuple(LineChange(row[0], row[1], row[2]) for row in rows)
    numbers = [change.line_no for change in changes]
    if numbers != sorted(set(numbers)):
        raise RuleBroken("Eine Buchung steht doppelt.", field="lines")
    return changes


def _is_row(row: object) -> bool:
    return (
        isinstance(row, list | tuple)
        and len(row) == 3
        and all(type(value) is int and 0 <= value <= 10_080 for value in row)
    )


def _with_minutes(line: CallOffLine, minutes: int) -> CallOffLine:
    set_up_rate = line.terms.set_up_rate_cents_per_hour
    amount = line_amount_cents(minutes, line.rate_cents_per_hour, line.set_up_min, set_up_rate)
    return replace(line, minutes=minutes, amount_cents=amount)


def _priced(facts: CallOffFacts, lines: tuple[CallOffLine, ...]) -> CallOffFacts:
    total = sum(line.amount_cents for line in lines) + facts.transport_cents
    cap = cap_for(total, facts.transport_cents, facts.tolerance_percent)
    return replace(facts, lines=lines, total_cents=total, cap_cents=cap)
