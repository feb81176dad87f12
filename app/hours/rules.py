"""The steps of a weekly report, its kinds of time, and how much of it may count."""

import datetime as dt

from app.core.errors import RuleBroken
from app.core.units import monday, week_of

CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter is taken for a number"""
KINDS = ("run", "set_up", "programming", "idle")
STEPS: dict[str, frozenset[str]] = {
    "draft": frozenset({"reported"}),
    "reported": frozenset({"checked"}),
    "checked": frozenset({"confirmed", "disputed", "auto_confirmed"}),
    "disputed": frozenset({"corrected"}),
    "confirmed": frozenset({"invoiced"}),
    "auto_confirmed": frozenset({"invoiced", "confirmed", "disputed"}),
}
OPEN = ("draft", "reported")
"""Workers may still change it."""
CONFIRMED = ("confirmed", "auto_confirmed", "invoiced")
COUNTING = ("checked", *CONFIRMED)
"""What the other side has confirmed or still may."""
WORKABLE = ("confirmed", "running", "done")
"""States of a booking on which hours may be reported."""
STEP_MIN, HALF_HOUR_MIN, DAY_MIN = 15, 30, 24 * 60
MOST_PARTS = 1_000_000
HIDDEN_AFTER = dt.timedelta(days=90)
"""So long a person's id stands beside an entry."""


def check_step(now: str, then: str) -> None:
    """Raise RuleBroken when a report cannot go from one state to the other."""
    if then not in STEPS.get(now, frozenset()):
        raise RuleBroken("Diese Stunden sind schon weiter. Lade die Seite neu.")


def planned_min(agreed_min: int, reported_min: int) -> int:
    """What a day's work on a booking usually is: a fifth of the week in half hours, never more than what is left."""
    share = -(-agreed_min // (5 * HALF_HOUR_MIN)) * HALF_HOUR_MIN
    left = agreed_min - reported_min
    return min(share, left, DAY_MIN) if left > 0 else HALF_HOUR_MIN


def days_to_report(week: str, today: dt.date) -> list[dt.date]:
    """The days of a week on which somebody may have worked by now, the newest first."""
    first = monday(week)
    days = (first + dt.timedelta(days=n) for n in range(7))
    return sorted((day for day in days if day <= today), reverse=True)


def check_day(day: dt.date, week: str, today: dt.date) -> None:
    """Raise RuleBroken for a day that is not of the agreed week, or has not come yet."""
    if day > today:
        raise RuleBroken("Dieser Tag kommt erst noch.", "day")
    if week_of(day) != week:
        raise RuleBroken("Dieser Tag liegt nicht in der vereinbarten KW.", "day")


def check_entry(minutes: int, quantity: int, scrap: int, other_min: int) -> None:
    """Raise RuleBroken unless the machine's day holds it. `other_min`: what the machine did on that day already."""
    if minutes % STEP_MIN or minutes < 0:
        raise RuleBroken("Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5.", "hours")
    if minutes + other_min > DAY_MIN:
        raise RuleBroken("Eine Maschine läuft höchstens 24 Stunden am Tag. Prüfe die Zahl.", "hours")
    if scrap > quantity:
        raise RuleBroken("Mehr Ausschuss als Teile geht nicht. Prüfe die Zahlen.", "scrap")


def machine_code(machine_id: str) -> str:
    """Five letters on a machine's sticker, from the random end of its id."""
    rest = int(machine_id.replace("-", "")[-8:], 16)
    return "".join(CODE_LETTERS[rest >> 5 * place & 31] for place in range(5))


def read_code(text: str) -> str:
    """The letters of a sticker as somebody typed them: small, with gaps, O for 0, I or L for 1."""
    return "".join(letter for letter in text.upper() if letter.isalnum()).translate(str.maketrans("OIL", "011"))
