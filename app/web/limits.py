"""Rate limits on everything that strangers may post, counted in our own database so that all processes agree."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import sqlalchemy as sa
from flask import request
from flask_limiter import Limiter
from limits.storage import Storage

from app.core import clock
from app.web.world import world

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


limiter = Limiter(visitor_network, storage_uri="werkring://", strategy="fixed-window", headers_enabled=False)
