"""The Protokoll has words of its own for everything that is written into it."""

import re
from pathlib import Path

from app.config import load_config
from app.factory import create_app
from app.firms.protocol import SENTENCES

KINDS_OF_THINGS = {"agreement", "approach", "introduction", "machine", "partner", "request"}
"""What the pattern finds where the deed is passed on in a variable."""
NOTED = re.compile(r'note_event\(\s*session,[^"]*?"([a-z_]+)"')


def test_every_deed_that_is_noted_has_its_sentence(tmp_path: Path) -> None:
    create_app(load_config({"DATA_DIR": str(tmp_path)}))
    code = "".join(path.read_text() for path in sorted(Path("app").glob("*/*.py")))
    deeds = set(NOTED.findall(code))
    assert {"published", "offered", "answered_no", "firm_changed"} <= deeds
    assert deeds - set(SENTENCES) - KINDS_OF_THINGS - {"seen_by"} == set()
