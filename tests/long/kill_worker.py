"""The real worker, with one bullet: it dies by SIGKILL at its k-th commit, before or after."""

import os
import signal
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from app import worker


def shoot(env: dict[str, str], log: Path, die_at: int, when: str) -> None:
    """In a process of its own: patch the one place through which everything becomes durable, then be the worker."""
    _write_into(log)
    os.environ.pop("DATABASE_URL", None)
    os.environ |= env
    commit, numbers = DefaultDialect.do_commit, count(1)

    def shot(dialect: DefaultDialect, connection: Any) -> None:
        is_last = next(numbers) == die_at
        if is_last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(dialect, connection)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)

    DefaultDialect.do_commit = shot  # type: ignore[method-assign]
    worker.main()


def _write_into(log: Path) -> None:
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
