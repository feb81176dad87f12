"""Curve operations in batches, here and in other processes: nothing but these costs much, and none needs another."""

import multiprocessing
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Self

from ledger.errors import VerificationError
from ledger.signatures import CURVES, CurveCheck

Batch = list[tuple[int, CurveCheck]]
Failure = tuple[int, str]
"""Position in the log, and why the signature does not hold"""
# A short log is checked before another process has come up.
ALONE_AT_FIRST = 2
AHEAD_PER_PROCESS = 2


class Curves:
    """Runs batches in the order of their positions, in up to `processes` processes, this one counted."""

    def __init__(self, processes: int = 1) -> None:
        self._others = max(processes - 1, 0)
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: deque[Future[Failure | None]] = deque()
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def run(self, batch: Batch) -> Failure | None:
        """Take a batch; the first failure of the log as soon as one is known, of this batch or of an earlier one."""
        self._taken += 1
        failures = [self._waiting.popleft().result() for _ in range(self._done())]
        if self._taken <= ALONE_AT_FIRST or len(self._waiting) >= AHEAD_PER_PROCESS * self._others:
            failures.append(run_batch(batch))
        else:
            self._waiting.append(self._others_pool().submit(run_batch, batch))
        return self._first(failures) if any(failures) else None

    def settle(self) -> Failure | None:
        """Wait for all that was taken; the first failure."""
        return self._first([])

    def _first(self, failures: list[Failure | None]) -> Failure | None:
        while self._waiting:
            failures.append(self._waiting.popleft().result())
        return min(filter(None, failures), default=None)

    def _done(self) -> int:
        return next((number for number, one in enumerate(self._waiting) if not one.done()), len(self._waiting))

    def _others_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._others, multiprocessing.get_context("spawn"))
        return self._pool


def run_batch(batch: Batch) -> Failure | None:
    """Position and reason of the first signature in the log that does not hold; None when all do.

    Curve by curve: each curve's tables stay in the processor's cache.
    """
    failures = []
    for curve, verify in CURVES.items():
        for position, check in batch:
            if check.curve == curve:
                try:
                    verify(check.key, check.signature, check.signed)
                except VerificationError as error:
                    failures.append((position, str(error)))
    return min(failures, default=None)
