"""The published test vectors beside the repository; tests on them skip, visibly, where the folder is absent."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3] / "shared" / "vectors"
needs_vectors = pytest.mark.skipif(not ROOT.is_dir(), reason=f"published vectors are not at {ROOT}")


def names(folder: str, pattern: str = "**/*.json") -> list[str]:
    """Paths below the folder, the published names of the vectors; none where the folder is absent."""
    found = sorted(str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).glob(pattern))
    return found or ["absent"]


def load(folder: str, name: str) -> Any:
    return json.loads((ROOT / folder / name).read_text(encoding="utf-8"))
