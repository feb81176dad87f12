"""How often strangers may be asked, and how long a question or a no holds."""

import datetime as dt

MOST_APPROACHES_A_DAY = 5
MOST_INTRODUCTIONS_A_DAY = 10
INTRODUCTION_LIFE = dt.timedelta(days=14)
"""So long both have to say yes, and so long their invitations then hold."""
APPROACH_LIFE = dt.timedelta(days=30)
"""So long an approach waits for an answer; then it counts for nothing."""
NO_HOLDS = dt.timedelta(days=90)
"""So long a firm that said no is not asked again."""


def is_settled(state: str, since: dt.datetime, now: dt.datetime) -> bool:
    """Say whether an approach hinders no other one any more. `since`: when it was answered, else made."""
    return state == "accepted" or since + (NO_HOLDS if state == "declined" else APPROACH_LIFE) <= now
