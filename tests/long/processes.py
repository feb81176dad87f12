"""Processes of their own that find the house already imported: each would need two seconds of its own for that."""

import multiprocessing
from multiprocessing.context import ForkServerContext

PRELOADED = ["tests.long.race", "tests.long.fuzz", "tests.long.kill_worker", "tests.long.sign"]


def forked() -> ForkServerContext:
    """Where new processes come from: a server with one thread and nothing open, so that they share no connection."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context
