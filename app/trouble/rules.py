"""Why agreed hours are not worked and whose affair that is; the steps of a defect and of what was brought."""

import datetime as dt
from collections.abc import Mapping

from app.core.errors import Conflict, RuleBroken
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


MOST_TEXT = 500
MOST_PHOTOS = 6
MOST_DESCRIPTION = 120
MOST_PIECES = 1_000_000
DEFECTS_UNTIL = dt.timedelta(days=365)
"""Claims for defects end twelve months after acceptance (clause 12)."""
DEFECT_STEPS: Mapping[str, frozenset[str]] = {
    "reported": frozenset({"rework", "disputed", "settled"}),
    "disputed": frozenset({"rework", "settled"}),
    "rework": frozenset({"settled"}),
}
PROVISION_KINDS: Mapping[str, str] = {
    "material": N_("Material"),
    "tooling": N_("Werkzeug"),
    "fixture": N_("Vorrichtung"),
    "gauge": N_("Messmittel"),
    "nc_program": N_("Programm"),
}
PROVISION_STATES: Mapping[str, str] = {
    "announced": N_("unterwegs"),
    "received": N_("angekommen"),
    "returned": N_("zurückgegeben"),
    "consumed": N_("verbraucht"),
    "damaged": N_("beschädigt"),
    "scrapped": N_("Ausschuss"),
}
PROVISION_STEPS: Mapping[str, tuple[str, ...]] = {
    "announced": ("received",),
    "received": ("consumed", "returned", "damaged", "scrapped"),
}


def check_defect_step(now: str, then: str) -> None:
    """Raise Conflict when a defect cannot go from one state to the other."""
    if then not in DEFECT_STEPS.get(now, frozenset()):
        raise Conflict("Das ist schon geklärt. Lade die Seite neu.")


def check_provision_step(now: str, then: str) -> None:
    """Raise Conflict when what was brought cannot go from one state to the other."""
    if then not in PROVISION_STEPS.get(now, ()):
        raise Conflict("Das ist schon erledigt. Lade die Seite neu.")
