"""Rate limits: strangers are counted by network in our own database, so that all processes agree; people who signed in
in the memory of each process, since a row for every page they look at would cost more than the page."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from time import monotonic
from typing import Any

import sqlalchemy as sa
from flask import current_app, request
from flask_limiter import Limiter
from limits.storage import Storage

from app.core import clock
from app.core.errors import TooMany
from app.core.units import BERLIN
from app.web.world import config, world

View = Callable[..., Any]
# by name: the table belongs to a room above this one
_ROWS = sa.table("rate_limit", sa.column("key", sa.String), sa.column("count"), sa.column("expires_at", sa.Float))
SIGN_IN = "40 per minute; 400 per hour"
CODE = "10 per minute; 60 per hour"
CODE_FAILURES = "100 per hour"
"""Of the whole node: a code of 30 bits must not be searched for from many networks at once"""
FOUND = "20 per hour"
ANSWER = "120 per minute"
"""From lock screens: a whole shop may answer through one address"""
LOOK = "60 per minute"
CHECK = "20 per minute; 200 per hour"
"""Evidence of strangers: each file costs the node some hundred curve operations"""


@dataclass(frozen=True)
class Pace:
    """How often one person or one network may do one kind of thing."""

    name: str
    most: int
    seconds: int


LOOKS = Pace("looks", 300, 60)
"""Pages and the parts that renew themselves: a person with some open pages needs a third of it"""
DEEDS = Pace("deeds", 120, 60)
UPLOADS = Pace("uploads", 30, 3600)
PROOFS = Pace("proofs", 60, 3600)
"""What leaves as a file: evidence, PDF, tables, drawings"""

KNOCKS = Pace("knocks", 60, 60)
"""At the inbox of other nodes, by who proves nothing: each of them leaves a row for the audit"""


class DatabaseStorage(Storage):
    """Counters of fixed windows as rows; an expired row starts again at one."""

    STORAGE_SCHEME = ["werkring"]

    @property
    def base_exceptions(self) -> type[Exception]:
        return sa.exc.SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = clock.now().timestamp()
        with world().database().write() as session:
            count = session.scalar(_COUNT_UP, {"key": key[:200], "amount": amount, "now": now, "end": now + expiry})
            session.execute(sa.delete(_ROWS).where(_ROWS.c.expires_at <= now - 86_400))
        return int(count or amount)

    def get(self, key: str) -> int:
        row = self._row(key)
        return 0 if row is None else int(row.count)

    def get_expiry(self, key: str) -> float:
        row = self._row(key)
        return clock.now().timestamp() if row is None else float(row.expires_at)

    def check(self) -> bool:
        with world().database().read() as session:
            return session.scalar(sa.select(sa.literal(1))) == 1

    def reset(self) -> int | None:
        with world().database().write() as session:
            session.execute(sa.delete(_ROWS))
        return None

    def clear(self, key: str) -> None:
        with world().database().write() as session:
            session.execute(sa.delete(_ROWS).where(_ROWS.c.key == key[:200]))

    def _row(self, key: str) -> Any:
        now = clock.now().timestamp()
        query = sa.select(_ROWS.c.count, _ROWS.c.expires_at).where(_ROWS.c.key == key[:200], _ROWS.c.expires_at > now)
        with world().database().read() as session:
            return session.execute(query).one_or_none()


_COUNT_UP = sa.text(
    "INSERT INTO rate_limit (key, count, expires_at) VALUES (:key, :amount, :end) ON CONFLICT (key) DO UPDATE SET "
    "count = CASE WHEN rate_limit.expires_at <= :now THEN :amount ELSE rate_limit.count + :amount END, "
    "expires_at = CASE WHEN rate_limit.expires_at <= :now THEN :end ELSE rate_limit.expires_at END RETURNING count"
)


def visitor_network() -> str:
    """The address that is counted. A house has 2^64 of the new kind: they count as one."""
    try:
        address = ip_address(request.remote_addr or "127.0.0.1")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        old = address.ipv4_mapped
        return str(old) if old else str(ip_network((address, 64), strict=False))
    return str(address)


class Tally:
    """How much each person did in the running window of each pace; what is over is forgotten."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[tuple[Pace, int], Counter[str]] = {}

    def count(self, person_id: str, pace: Pace, now_s: float) -> int:
        """Count one more, and return how many seconds to wait: 0 when it is not too much."""
        window = int(now_s // pace.seconds)
        with self._lock:
            if (pace, window) not in self._counts:
                self._counts = {key: found for key, found in self._counts.items() if key[0] != pace}
                self._counts[pace, window] = Counter()
            self._counts[pace, window][person_id] += 1
            is_too_much = self._counts[pace, window][person_id] > pace.most
        return int((window + 1) * pace.seconds - now_s) + 1 if is_too_much else 0


def count_person(actor: Any, pace: Pace) -> None:
    """Count what a signed-in person does; raises TooMany beyond what people do."""
    if actor is None or not config().counts_people:
        return
    tally: Tally = current_app.extensions.setdefault("tally", Tally())
    wait_s = tally.count(actor.person_id, pace, monotonic())
    if wait_s:
        again_at = (clock.now() + dt.timedelta(seconds=wait_s + 59)).astimezone(BERLIN)
        raise TooMany("Das ging zu schnell. Ab %(time)s Uhr geht es weiter.", time=f"{again_at:%H:%M}")


def count_network(pace: Pace) -> int:
    """Count what came from a network; returns how many seconds it has to wait: 0 when it is not too much.

    In the memory of each process: what is bounded here are rows, and counting must not write more of them.
    """
    if not config().counts_people:
        return 0
    tally: Tally = current_app.extensions.setdefault("tally", Tally())
    return tally.count(visitor_network(), pace, monotonic())


def paced(pace: Pace) -> Callable[[View], View]:
    """A view that counts as this for whoever is signed in, beside what every view counts as."""

    def wrap(view: View) -> View:
        @wraps(view)
        def answer(**url: Any) -> Any:
            count_person(world().actor(), pace)
            return view(**url)

        answer.pace = pace  # type: ignore[attr-defined]
        return answer

    return wrap


limiter = Limiter(visitor_network, storage_uri="werkring://", strategy="fixed-window", headers_enabled=False)
