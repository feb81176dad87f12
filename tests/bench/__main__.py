"""`python -m tests.bench [NAME …]`: one JSON line per figure; exits with 1 when something is not right or misses its goal."""

import argparse
import json
import sys
import time
from importlib import import_module
from typing import Any

NAMES = ("match", "plan", "pages", "ledger", "push", "nodes", "interface")


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all; every one checks first that what it times is right."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", nargs="*", choices=(*NAMES, []))
    names = parser.parse_args(words).name or NAMES
    started = time.monotonic()
    figures = [figure for name in names for figure in _run(name)]
    missed = [figure["name"] for figure in figures if not figure["ok"]]
    seconds = round(time.monotonic() - started)
    print(json.dumps({"name": "all", "figures": len(figures), "missed": missed, "seconds": seconds}))
    return 1 if missed else 0


def _run(name: str) -> list[dict[str, Any]]:
    figures: list[dict[str, Any]] = import_module(f"tests.bench.{name}").run()
    for figure in figures:
        print(json.dumps(figure), flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
