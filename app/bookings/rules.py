"""The steps of a booking, all others are refused, and how many minutes of it may count."""

from app.core.errors import RuleBroken
from app.core.units import hours_text

STEPS: dict[str, frozenset[str]] = {
    "held": frozenset({"confirmed", "released"}),
    "confirmed": frozenset({"cancelled", "rescheduled", "running"}),
    "running": frozenset({"done", "cancelled"}),
    "done": frozenset({"settled"}),
    # its invoice was credited: the hours are to be paid again
    "settled": frozenset({"done"}),
}
LIVE = ("held", "confirmed", "running", "done", "settled")


def check_step(now: str, then: str) -> None:
    """Raise RuleBroken when a booking cannot go from one state to the other."""
    if then not in STEPS.get(now, frozenset()):
        raise RuleBroken("Diese Buchung ist schon beendet.")


def most_min(agreed_min: int, tolerance_percent: int) -> int:
    """So many minutes of a booking may count at all."""
    return agreed_min * (100 + tolerance_percent) // 100


def check_lowered(new_min: int, counted_min: int, tolerance_percent: int) -> None:
    """Raise RuleBroken when fewer minutes would be agreed than are worked: nobody could confirm them any more."""
    if most_min(new_min, tolerance_percent) < counted_min:
        raise RuleBroken(
            "Hier sind schon %(hours)s Stunden gearbeitet. Weniger geht nicht.", "lines", hours=hours_text(counted_min)
        )
