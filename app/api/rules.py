"""What a program may be allowed, how a list goes on, and when news that did not arrive is sent again."""

import datetime as dt
import hashlib
import re
from urllib.parse import SplitResult, urlsplit

from app.core.errors import RuleBroken
from app.core.words import N_

SCOPES = {
    "machines:read": N_("Maschinen lesen"),
    "free-hours:read": N_("Freie Stunden lesen"),
    "free-hours:write": N_("Freie Stunden eintragen"),
    "requests:read": N_("Anfragen lesen"),
    "offers:read": N_("Angebote lesen"),
    "bookings:read": N_("Gebuchte Stunden lesen"),
    "hours:read": N_("Gearbeitete Stunden lesen"),
    "invoices:read": N_("Rechnungen lesen"),
}
USUAL_SCOPES = ("free-hours:read", "free-hours:write", "bookings:read")
SHOWN_FOR = dt.timedelta(minutes=10)
"""So long the person who made an access may copy its secret."""
ANSWERS_KEPT = dt.timedelta(days=7)
CALLS_KEPT = dt.timedelta(days=30)
KEY = re.compile(r"[\x21-\x7e]{1,64}")
CURSOR = re.compile(r"[0-9a-f-]{36}")
USUAL_LIMIT, MOST_LIMIT = 100, 500
RETRIES_S = (30, 120, 600, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
MOST_FAILURES, FAILING_FOR = 20, dt.timedelta(days=1)
"""So many tries in a row, over so long: an evening without the firm's program is no reason."""
MOST_URL = 300
WRONG_URL = N_("Die Adresse beginnt mit https:// und einem Namen.")


def hash_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def retry_at(attempts: int, now: dt.datetime) -> dt.datetime | None:
    """When to try again after so many failures; None: not any more."""
    return now + dt.timedelta(seconds=RETRIES_S[attempts - 1]) if attempts <= len(RETRIES_S) else None


def is_hopeless(failure_count: int, failing_since: dt.datetime, now: dt.datetime) -> bool:
    """Say whether an address failed so often and so long that it is switched off."""
    return failure_count >= MOST_FAILURES and failing_since + FAILING_FOR <= now


def check_url(text: str, near_nodes: tuple[str, ...]) -> str:
    """An address to which news may go: https to a name at the usual port; raises RuleBroken. `near_nodes` for tests."""
    parts = _parts(text.strip())
    if parts is None or len(text) > MOST_URL or not text.isprintable() or " " in text.strip():
        raise RuleBroken(WRONG_URL, "address")
    is_near = f"{parts.scheme}://{parts.netloc}".removeprefix("http://") in near_nodes
    is_name = bool(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]+", parts.netloc.lower()))
    if not is_near and (parts.scheme != "https" or not is_name):
        raise RuleBroken(WRONG_URL, "address")
    return parts._replace(fragment="").geturl()


def _parts(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None
