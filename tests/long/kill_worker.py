"""The real worker, with one bullet: `python -m tests.long.kill_worker K before|after` dies by SIGKILL at its k-th commit."""

import os
import signal
import sys
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from app import worker


def main(die_at: int, when: str) -> None:
    """Patch the one place through which everything becomes durable, then be the worker."""
    commit, numbers = Session.commit, count(1)

    def shot(session: Session) -> Any:
        is_last = next(numbers) == die_at
        if is_last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(session)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)

    Session.commit = shot  # type: ignore[method-assign, assignment]
    worker.main()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
