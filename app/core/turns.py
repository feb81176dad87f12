"""Work that one run does for all: a call during a run makes it look once more instead of running beside it."""

import threading
from collections import defaultdict
from collections.abc import Callable


class Turns:
    """One run at a time in this process for each key."""

    def __init__(self) -> None:
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._asked_again: set[str] = set()

    def run(self, key: str, act: Callable[[], None]) -> None:
        """Do it now, or leave it to the run that is under way."""
        turn = self._turns[key]
        self._asked_again.add(key)
        while key in self._asked_again and turn.acquire(blocking=False):
            try:
                self._asked_again.discard(key)
                act()
            finally:
                turn.release()

    def was_asked_again(self, key: str) -> bool:
        """Say, once, whether somebody called during the run."""
        is_asked = key in self._asked_again
        self._asked_again.discard(key)
        return is_asked
