"""The steps of a booking; all others are refused."""

from app.core.errors import RuleBroken

STEPS: dict[str, frozenset[str]] = {
    "held": frozenset({"confirmed", "released"}),
    "confirmed": frozenset({"cancelled", "rescheduled", "running"}),
    "running": frozenset({"done", "cancelled"}),
    "done": frozenset({"settled"}),
}
LIVE = ("held", "confirmed", "running", "done", "settled")


def check_step(now: str, then: str) -> None:
    """Raise RuleBroken when a booking cannot go from one state to the other."""
    if then not in STEPS.get(now, frozenset()):
        raise RuleBroken("Diese Buchung ist schon beendet.")
