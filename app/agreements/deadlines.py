"""Until when both must have signed, and until when the word that a whole plan stands still counts."""

import datetime as dt

from app.agreements.models import Agreement
from app.agreements.rules import EXPIRY_WORKING_DAYS, PLAN_GRACE_WORKING_DAYS, WORD_MAY_TAKE, on_day, whole_minute
from app.capacity.rules import add_working_days
from app.core.holidays import holidays_near
from app.core.units import BERLIN


def default_expiry(now: dt.datetime) -> dt.datetime:
    """Three working days from now, at the same time of day in Germany."""
    return whole_minute(_working_days_after(now, EXPIRY_WORKING_DAYS))


def plan_counts_until(expires_at: dt.datetime) -> dt.datetime:
    """One working day after the deadline, at the same time of day: what was signed in time may take so long to arrive."""
    return _working_days_after(expires_at, PLAN_GRACE_WORKING_DAYS)


def word_counts_until(agreement: Agreement) -> dt.datetime:
    """How long who has signed waits for the other side: a plan's requester one working day, all others for a message's time.

    The word that a plan stands may be spoken on its last day, so its providers wait for both.
    """
    if not agreement.is_bundled:
        return agreement.expires_at + WORD_MAY_TAKE
    until = plan_counts_until(agreement.expires_at)
    return until if agreement.side == "ours" else until + WORD_MAY_TAKE


def _working_days_after(at: dt.datetime, count: int) -> dt.datetime:
    day = at.astimezone(BERLIN).date()
    return on_day(at, add_working_days(day, count, holidays_near(day)))
