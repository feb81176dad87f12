"""What a stranger does with an evidence file: the command line, offline."""

import random
import subprocess
import sys
from pathlib import Path


def prove_offline(files: list[bytes], folder: Path) -> None:
    """Each file is accepted by the command line and refused after a flipped byte."""
    for number, content in enumerate(files):
        good = folder / f"beweis-{number}.json"
        good.write_bytes(content)
        assert run_verify(good) == 0
    content = bytearray(files[0])
    for position in random.Random(7).sample(range(len(content)), 20):
        changed = bytes(content[:position]) + bytes([content[position] ^ 1]) + bytes(content[position + 1 :])
        bad = folder / "geaendert.json"
        bad.write_bytes(changed)
        assert run_verify(bad) in (1, 2), position


def run_verify(path: Path) -> int:
    command = [sys.executable, "-m", "ledger", "verify", str(path)]
    return subprocess.run(command, capture_output=True, cwd=Path(__file__).parents[1], check=False).returncode
