"""A request has a purpose and is bounded: nobody can sound out a partner's free hours by asking again and again."""

import datetime as dt

from app.core.errors import RuleBroken

MOST_OPEN = 20
MOST_OPEN_FROM_ONE = 20
SMALL_MIN = 8 * 60
MOST_SMALL = 5
SMALL_WITHIN = dt.timedelta(days=7)
MOST_LINES_A_DAY = 40
MOST_CHANGES_A_DAY = 20
DRAFT_DAYS = 7
GRACE = dt.timedelta(minutes=10)
"""An answer that left in time may still be on its way when the deadline has passed."""


def check_open_count(open_count: int) -> None:
    """Raise RuleBroken when the firm has as many open requests as it may have."""
    if open_count >= MOST_OPEN:
        raise RuleBroken("Ihr habt schon %(most)s offene Anfragen. Schließe erst eine ab.", most=MOST_OPEN)


def check_probes(partner_name: str, small_count: int) -> None:
    """Raise RuleBroken when one partner was asked for a few hours too often; withdrawn requests count too."""
    if small_count >= MOST_SMALL:
        raise RuleBroken(
            "%(name)s bekam diese Woche schon %(count)s kleine Anfragen. Ruf dort lieber an.",
            "partners",
            name=partner_name,
            count=small_count,
        )


def check_changes_today(count: int) -> None:
    """Raise RuleBroken when a partner changes one request more often than anybody reads: each change rings a phone."""
    if count > MOST_CHANGES_A_DAY:
        raise RuleBroken("Der Partner hat diese Anfrage heute zu oft geändert.")


def check_lines_today(count: int) -> None:
    """Raise RuleBroken when one side of a thread has written more than anybody reads in a day."""
    if count >= MOST_LINES_A_DAY:
        raise RuleBroken("Das sind heute sehr viele Fragen. Ruf lieber an.", "text")
