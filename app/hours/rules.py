"""The steps of a weekly report, its kinds of time, and how much of it may count."""

from app.core.errors import RuleBroken

KINDS = ("run", "set_up", "programming", "idle")
STEPS: dict[str, frozenset[str]] = {
    "draft": frozenset({"reported"}),
    "reported": frozenset({"checked"}),
    "checked": frozenset({"confirmed", "disputed", "auto_confirmed"}),
    "disputed": frozenset({"corrected"}),
    "confirmed": frozenset({"invoiced"}),
    "auto_confirmed": frozenset({"invoiced"}),
}
OPEN = ("draft", "reported")
"""Workers may still change it."""
CONFIRMED = ("confirmed", "auto_confirmed", "invoiced")


def check_step(now: str, then: str) -> None:
    """Raise RuleBroken when a report cannot go from one state to the other."""
    if then not in STEPS.get(now, frozenset()):
        raise RuleBroken("Diese Stunden sind schon weiter. Lade die Seite neu.")
