"""When a message may ring, which push services are believed, how long to wait, and how well a device is."""

import datetime as dt
import email.utils
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from app.core.errors import RuleBroken
from app.core.units import BERLIN

MOST_CALM_A_DAY = 3
"""Messages that are not urgent, for one person on one day"""
SECOND_CHANNEL_MIN = 30
MANAGER_MIN = 60
REMIND_BEFORE_MIN = 120
MOST_PAYLOAD_BYTES = 3993
"""RFC 8291 with the 4,096 bytes that every service takes"""
LONGEST_TRY = dt.timedelta(hours=24)
LEASE = dt.timedelta(minutes=2)
BACKOFF_S = (15, 60, 300, 1200, 3600)
FRESH = dt.timedelta(days=7)
PATIENCE = dt.timedelta(seconds=60)
"""A test message that has not arrived by then needs help"""
MOST_DEVICES = 10

HOSTS = ("fcm.googleapis.com", "web.push.apple.com")
HOST_ENDINGS = (".push.services.mozilla.com", ".notify.windows.com", ".push.apple.com")
MOST_ENDPOINT = 1000
PLAIN_NETLOC = re.compile(r"[a-zA-Z0-9.-]+(:\d{1,5})?")
"""No user, no escapes: two readers of one address must not see two hosts"""
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Quiet:
    """When a person wants no message: hours of the day in German time, and whether free days are quiet too."""

    from_hour: int = 18
    to_hour: int = 6
    weekend: bool = True
    holidays: frozenset[dt.date] = frozenset()


def is_quiet(at: dt.datetime, quiet: Quiet) -> bool:
    """Say whether the person rests at this moment. Equal hours mean: never at night."""
    local = at.astimezone(BERLIN)
    if quiet.weekend and (local.weekday() >= 5 or local.date() in quiet.holidays):
        return True
    if quiet.from_hour <= quiet.to_hour:
        return quiet.from_hour <= local.hour < quiet.to_hour
    return local.hour >= quiet.from_hour or local.hour < quiet.to_hour


def end_of_quiet(at: dt.datetime, quiet: Quiet) -> dt.datetime:
    """`at` itself outside quiet time, else the moment it ends (UTC)."""
    moment = at.astimezone(dt.UTC)
    while is_quiet(moment, quiet):
        moment = _next_hour(moment)
    return moment


def add_working(at: dt.datetime, minutes: int, quiet: Quiet) -> dt.datetime:
    """The moment at which so many minutes outside quiet time have passed since `at` (UTC).

    Whole hours of UTC are whole hours of German time, so the nights of summer time need no care.
    """
    moment, rest = end_of_quiet(at, quiet), dt.timedelta(minutes=minutes)
    while rest > (here := _next_hour(moment) - moment):
        rest -= here
        moment = end_of_quiet(_next_hour(moment), quiet)
    return moment + rest


def remind_moment(reply_by: dt.datetime, due_at: dt.datetime, quiet: Quiet) -> dt.datetime | None:
    """The last working moment that leaves two working hours to answer; None when the message itself is as late."""
    moment = reply_by.astimezone(dt.UTC)
    while moment > due_at and _working_min(moment, reply_by, quiet) < REMIND_BEFORE_MIN:
        moment -= HOUR / 4
    return moment if moment - due_at > dt.timedelta(minutes=SECOND_CHANNEL_MIN) else None


def next_day(at: dt.datetime) -> dt.datetime:
    """The first moment of the following German day (UTC)."""
    tomorrow = at.astimezone(BERLIN).date() + dt.timedelta(days=1)
    return dt.datetime.combine(tomorrow, dt.time(), BERLIN).astimezone(dt.UTC)


def day_bounds(at: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """First moment of the German day of `at`, and of the day after (UTC)."""
    first = dt.datetime.combine(at.astimezone(BERLIN).date(), dt.time(), BERLIN).astimezone(dt.UTC)
    return first, next_day(at)


def check_endpoint(endpoint: str, test_hosts: Collection[str] = ()) -> None:
    """Raise RuleBroken unless the address belongs to a known push service, by https on its usual port.

    Hosts named for tests may be anything, also loopback without https.
    """
    if len(endpoint) > MOST_ENDPOINT or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise _strange_endpoint()
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise _strange_endpoint() from None
    if not PLAIN_NETLOC.fullmatch(parts.netloc) or "#" in endpoint or "\\" in endpoint:
        raise _strange_endpoint()
    if not (_is_test_host(parts, test_hosts) or (_is_push_host(parts.hostname or "") and _is_plain_https(parts, port))):
        raise _strange_endpoint()


def origin_of(endpoint: str) -> str:
    """Scheme, host and port: the audience of the VAPID token (RFC 8292, section 2)."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def retry_after_s(header: str | None, now: dt.datetime, attempts: int) -> int:
    """Seconds until the next try: what the service asks for (seconds or a date, at most a day), else our own steps."""
    asked = _asked_s(header or "", now)
    if asked is not None:
        return min(max(asked, 1), 86_400)
    return BACKOFF_S[min(max(attempts, 1), len(BACKOFF_S)) - 1]


class Outcome(StrEnum):
    """What became of one try."""

    SENT = "sent"
    GONE = "gone"
    REFUSED = "refused"
    LATER = "later"


@dataclass(frozen=True)
class Result:
    """The outcome of one letter; `wait_s` until the next try, for LATER."""

    key: tuple[str, str]
    outcome: Outcome
    wait_s: int = 0


class Health(StrEnum):
    """The light of one device."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


def health_of(
    last_receipt_at: dt.datetime | None,
    failed_at: dt.datetime | None,
    gone_at: dt.datetime | None,
    now: dt.datetime,
) -> Health:
    """Green: something arrived within a week. Red: the subscription is gone or nothing leaves. Else yellow."""
    if gone_at is not None:
        return Health.RED
    if failed_at is not None and now - failed_at > dt.timedelta(hours=1):
        return Health.RED
    if last_receipt_at is not None and now - last_receipt_at <= FRESH:
        return Health.GREEN
    return Health.YELLOW


class Probe(StrEnum):
    """How far the test message came."""

    NONE = "none"
    WAITING = "waiting"
    ARRIVED = "arrived"
    SEEN = "seen"
    MISSING = "missing"


def probe_state(
    asked_at: dt.datetime | None, arrived_at: dt.datetime | None, seen_at: dt.datetime | None, now: dt.datetime
) -> Probe:
    """None asked, on its way, arrived, seen; missing after a minute."""
    if asked_at is None:
        return Probe.NONE
    if seen_at is not None:
        return Probe.SEEN
    if arrived_at is not None:
        return Probe.ARRIVED
    return Probe.WAITING if now - asked_at < PATIENCE else Probe.MISSING


def endpoint_mark(endpoint: str) -> str:
    """A short name of a subscription's address that gives nothing of it away; static/js/push.js makes the same."""
    return hashlib.sha256(endpoint.encode()).hexdigest()[:16]


def pages_above(path: str) -> list[str]:
    """The page itself and those above it that are about one thing: '/a/1/b' -> ['/a/1', '/a/1/b']."""
    if "\0" in path:
        return []  # no page has such an address, and PostgreSQL refuses to be asked
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(3, len(parts))] + [path]


def oldest_to_drop(devices: Sequence[str], most: int = MOST_DEVICES) -> Sequence[str]:
    """Of the ids in the order of their last use, newest first, those beyond the most that one person may have."""
    return devices[most:]


def _next_hour(moment: dt.datetime) -> dt.datetime:
    return moment.replace(minute=0, second=0, microsecond=0) + HOUR


def _working_min(start: dt.datetime, end: dt.datetime, quiet: Quiet) -> float:
    moment, total = start, dt.timedelta()
    while moment < end:
        until = min(_next_hour(moment), end)
        if not is_quiet(moment, quiet):
            total += until - moment
        moment = until
    return total.total_seconds() / 60


def _is_push_host(host: str) -> bool:
    return host in HOSTS or any(host.endswith(ending) and host != ending[1:] for ending in HOST_ENDINGS)


def _is_plain_https(parts: SplitResult, port: int | None) -> bool:
    return parts.scheme == "https" and port in (None, 443)


def _is_test_host(parts: SplitResult, test_hosts: Collection[str]) -> bool:
    return parts.scheme in ("http", "https") and (parts.hostname in test_hosts or parts.netloc in test_hosts)


def _strange_endpoint() -> RuleBroken:
    return RuleBroken("Dieser Browser nutzt einen Dienst, den wir nicht kennen. Nimm einen anderen.")


def _asked_s(header: str, now: dt.datetime) -> int | None:
    if header.isascii() and header.isdigit():
        return int(header[:9])
    try:
        return int((email.utils.parsedate_to_datetime(header) - now).total_seconds())
    except (ValueError, TypeError, IndexError):
        return None
