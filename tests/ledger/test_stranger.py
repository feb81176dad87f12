"""Somebody who has only FORMAT.md and the vectors writes a verifier: it accepts our log, and no changed one."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.ledger import stranger
from tests.ledger.stranger import Stranger
from tests.ledger.write_vectors import FOLDER

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ledger" / "FORMAT.md").read_text(encoding="utf-8")
LINES = (FOLDER / "log.jsonl").read_bytes().splitlines(keepends=True)


def test_the_stranger_knows_nothing_of_the_ledger() -> None:
    tree = ast.parse(Path(stranger.__file__).read_text(encoding="utf-8"))
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named |= {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    assert not [name for name in named if name is None or name.split(".")[0] in ("ledger", "tests", "app")]


def test_the_stranger_finds_that_the_whole_log_holds() -> None:
    assert Stranger(PAGE).check_export(LINES) == 24


@pytest.mark.parametrize("place", range(2, len(LINES), 5))
def test_the_stranger_finds_a_changed_line(place: int) -> None:
    text = LINES[place]
    at = len(text) // 2
    while not chr(text[at]).isalnum():
        at += 1
    changed = text[:at] + (b"1" if text[at : at + 1] != b"1" else b"2") + text[at + 1 :]
    with pytest.raises(Exception):  # noqa: B017  a stranger has no one kind of error
        Stranger(PAGE).check_export([*LINES[:place], changed, *LINES[place + 1 :]])


def test_the_stranger_puts_back_what_an_evidence_file_leaves_out_and_finds_that_it_holds() -> None:
    Stranger(PAGE).check_file((FOLDER / "good-agreement.json").read_bytes())


FILES = [one for one in json.loads((FOLDER / "files.json").read_bytes()) if one["failed"]]
CHANGED = [one for one in FILES if set(one["failed"]) & {2, 4, 5, 6, 7}]


@pytest.mark.parametrize("one", CHANGED, ids=lambda one: one["name"])
def test_the_stranger_refuses_a_changed_evidence_file(one: dict[str, Any]) -> None:
    good = (FOLDER / "good-agreement.json").read_bytes()
    changed = good[: one["at"]] + one["put"].encode() + good[one["at"] + one["cut"] :]
    with pytest.raises(Exception):  # noqa: B017  a stranger has no one kind of error
        Stranger(PAGE).check_file(changed)


def test_the_stranger_computes_the_digests_of_the_vectors() -> None:
    reader = Stranger(PAGE)
    for one in json.loads((FOLDER / "records.json").read_bytes()):
        if one["message"] is not None:
            found = reader.digest(reader.names[one["type"]], one["message"])
            assert "0x" + found.hex() == one["digest"]
