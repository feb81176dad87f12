"""Whoever comes in, goes out or is kept out leaves a line for the one who runs the node, and no secret in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.core.db import Database
from tests.passkeys.world import Browser, Node, start_node


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path) -> Node:
    return start_node(sqlite_database, tmp_path)


@pytest.fixture
def petra(node: Node) -> Browser:
    browser = node.browser()
    browser.found_firm()
    return browser


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_coming_in_and_going_out_are_written_down_with_person_and_device(
    petra: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    petra.post("/abmelden")
    petra.sign_in()
    out, came = lines(capsys)
    assert (out["event"], came["event"], came["has_passkey"]) == ("signed out", "signed in", True)
    assert out["person_id"] == came["person_id"]
    assert out["sign_in_id"] != came["sign_in_id"]


def test_who_is_kept_out_is_written_down_without_the_secret_that_was_tried(
    petra: Browser, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    petra.post("/abmelden")
    credential = petra.passkey.get(petra.send("/anmelden/optionen"))
    capsys.readouterr()
    stranger = node.browser()
    stranger.send("/anmelden/pruefen", {"credential": credential}, 422)
    stranger.post("/anmelden/code", 422, code="ABCDEF")
    stranger.post("/notfall", 422, words="abandon " * 24)
    stranger.get("/willkommen/" + "a" * 22, 404)
    said = capsys.readouterr().out
    found = [json.loads(line) for line in said.splitlines()]
    assert [(line["event"], line.get("page", "")) for line in found] == [
        ("refused", "/anmelden/pruefen"),
        ("code refused", ""),
        ("recovery words refused", ""),
        ("invitation refused", ""),
    ]
    for secret in ("ABCDEF", "abandon", "aaaaaaaa", credential["id"]):
        assert secret not in said
