"""The one clock. Actions get `now` from here; tests freeze it, the practice world shifts it."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from app.core.units import BERLIN

_shift: ContextVar[dt.timedelta] = ContextVar("clock_shift", default=dt.timedelta())
_frozen: ContextVar[dt.datetime | None] = ContextVar("clock_frozen", default=None)
_start_shift = dt.timedelta()


def now() -> dt.datetime:
    """Return the time in UTC, whole seconds."""
    frozen = _frozen.get()
    if frozen is not None:
        return frozen
    return (dt.datetime.now(dt.UTC) + _start_shift + _shift.get()).replace(microsecond=0)


def today() -> dt.date:
    """Return the day in Germany."""
    return now().astimezone(BERLIN).date()


def start_at(start: str) -> None:
    """Let the clock begin at an ISO time (for tests of a whole server); '' means real time.

    'TIME@SECONDS' says at which second since 1970 it began: web and worker of one node then agree.
    """
    global _start_shift
    text, _, began = start.partition("@")
    begin = dt.datetime.fromtimestamp(float(began), dt.UTC) if began else dt.datetime.now(dt.UTC)
    _start_shift = dt.datetime.fromisoformat(text) - begin if text else dt.timedelta()


@contextmanager
def shifted(shift: dt.timedelta) -> Iterator[None]:
    """Within the block the clock is moved by `shift`: each practice game has a time of its own."""
    token = _shift.set(shift)
    try:
        yield
    finally:
        _shift.reset(token)


@contextmanager
def frozen(at: dt.datetime) -> Iterator[None]:
    """Within the block the clock stands still at `at` (aware)."""
    token = _frozen.set(at.astimezone(dt.UTC))
    try:
        yield
    finally:
        _frozen.reset(token)
