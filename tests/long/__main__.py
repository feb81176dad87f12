"""`python -m tests.long NAME|all [--short]`: one JSON line per harness; exits with 1 when any of them failed."""

import argparse
import json
import sys
import time
from importlib import import_module

NAMES = (
    "race",
    "matrix",
    "canary",
    "fuzz",
    "kill",
    "sign",
    "move",
    "simulate",
    "away",
    "envelopes",
    "offline",
    "invoices",
    "interface",
)
ALONE = ("simulate",)
"""They play many seeds; a given one alone"""


def main(words: list[str]) -> int:
    """Run the harnesses that are named; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.long", description=__doc__)
    parser.add_argument("name", choices=(*NAMES, "all"))
    parser.add_argument("--short", action="store_true", help="the form that `make test` runs")
    parser.add_argument("--seed", type=int, help="another luck; of the simulation this seed alone")
    given = parser.parse_args(words)
    names = NAMES if given.name == "all" else (given.name,)
    results = [_run(name, given.short, given.seed) for name in names]
    return 0 if all(results) else 1


def _run(name: str, is_short: bool, seed: int | None) -> bool:
    started = time.monotonic()
    if name not in ALONE:
        seed = 1 if seed is None else seed
    found = import_module(f"tests.long.{name}").run(is_short=is_short, seed=seed)
    line = {"name": name, "short": is_short, "seed": seed, **found, "seconds": round(time.monotonic() - started, 1)}
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return bool(found["ok"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
