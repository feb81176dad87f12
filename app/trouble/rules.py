"""Why agreed hours are not worked, whose affair that is, and how many of them are open."""

from collections.abc import Mapping

from app.core.errors import RuleBroken
from app.core.words import N_

STEP_MIN = 15
MOST_NOTE = 200
MOST_LINES = 60
REASONS: Mapping[str, str] = {
    "machine": N_("Maschine steht"),
    "illness": N_("Jemand ist krank"),
    "material": N_("Material fehlt"),
    "drawing": N_("Zeichnung stimmt nicht"),
}
PROVIDERS = ("machine", "illness")
"""Of these the requester may give the hours back without a fee (clause 23); the others are its own affair (clauses 6, 22)."""


def is_providers(reason: str) -> bool:
    """Say whether the reason lies at the firm that works, so that the lost hours cost the other one nothing."""
    return reason in PROVIDERS


def open_min(agreed_min: int, done_min: int) -> int:
    """What of a booking is still to be worked, in whole quarter hours."""
    return max(0, agreed_min - done_min) // STEP_MIN * STEP_MIN


def check_lost(lost_min: int, open_minutes: int, field: str = "") -> None:
    """Raise RuleBroken for minutes that are no quarter hours or that are not open."""
    if lost_min < 0 or lost_min % STEP_MIN:
        raise RuleBroken("Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5.", field)
    if lost_min > open_minutes:
        raise RuleBroken("So viele Stunden sind hier nicht mehr offen.", field)
