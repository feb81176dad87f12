"""What the operator types: backup, restore, and one plain sentence for what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import migrate_database
from app.core.db import Database
from tests.passkeys.world import start_node

ROOT = Path(__file__).parents[1]


def run(*command: str, **env: str) -> tuple[int, str]:
    """Exit code and all that was said; with a fresh environment, from the top folder."""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PRACTICE": "off"} | env
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data folder of a node with one firm."""
    (tmp_path / "var").mkdir()
    url = f"sqlite:///{tmp_path / 'var/werkring.sqlite'}"
    migrate_database(url)
    database = Database(url)
    start_node(database, tmp_path / "var").browser().found_firm()
    database.close()
    return tmp_path / "var"


@pytest.mark.parametrize("command", [("flask", "--app", "wsgi"), ("flask",), ("app.cli",)])
def test_a_node_is_backed_up_and_restored_into_a_fresh_folder(
    folder: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    archive, new = str(tmp_path / "backup.tgz"), tmp_path / "new"
    code, said = run(*command, "backup", archive, DATA_DIR=str(folder))
    assert (code, "restored once and found whole" in said, "node.key: inside." in said) == (0, True, True), said
    code, said = run(*command, "restore", archive, DATA_DIR=str(new))
    assert (code, "is restored" in said) == (0, True), said
    assert (new / "node.key").read_text() == (folder / "node.key").read_text()
    assert run(*command, "restore", archive, DATA_DIR=str(new))[0] == 1


def test_a_new_node_key_opens_the_firms_and_a_run_that_broke_off_is_finished(folder: Path, tmp_path: Path) -> None:
    old = (folder / "node.key").read_text()
    code, said = run("flask", "renew-node-key", DATA_DIR=str(folder))
    assert (code, "under the new node key" in said) == (0, True), said
    new = (folder / "node.key").read_text()
    assert new != old
    assert run("flask", "backup", str(tmp_path / "a.tgz"), DATA_DIR=str(folder))[0] == 0
    # as if the power had gone between the database and the file
    (folder / "node.key").rename(folder / "node.key.new")
    (folder / "node.key").write_text(old)
    assert run("flask", "backup", str(tmp_path / "b.tgz"), DATA_DIR=str(folder))[0] == 1
    assert run("flask", "renew-node-key", DATA_DIR=str(folder))[0] == 0
    assert (folder / "node.key").read_text() == new
    assert run("flask", "backup", str(tmp_path / "b.tgz"), DATA_DIR=str(folder))[0] == 0


def test_a_node_key_that_is_kept_apart_is_named_and_must_be_the_right_one(folder: Path, tmp_path: Path) -> None:
    apart, wrong = tmp_path / "apart.key", tmp_path / "wrong.key"
    (folder / "node.key").rename(apart)
    wrong.write_text("ef" * 32)
    code, said = run("flask", "backup", str(tmp_path / "b.tgz"), DATA_DIR=str(folder), NODE_KEY_FILE=str(apart))
    assert (code, "node.key: NOT inside" in said, "secret.key: inside." in said) == (0, True, True), said
    code, said = run("flask", "restore", str(tmp_path / "b.tgz"), DATA_DIR=str(tmp_path / "new"))
    assert (code, "node.key was not inside" in said) == (0, True), said
    code, said = run("flask", "backup", str(tmp_path / "c.tgz"), DATA_DIR=str(folder), NODE_KEY_FILE=str(wrong))
    assert (code, "does not open" in said, (tmp_path / "c.tgz").exists()) == (1, True, False), said


@pytest.mark.parametrize(
    "env",
    [
        {"PUBLIC_URL": "http://["},
        {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"},
        {"DATABASE_URL": "sqlite:////no/such/folder/x.sqlite"},
        {"QUEUE_URL": "foo"},
        {"CLOCK_START": "garbage"},
    ],
)
def test_a_wrong_setting_ends_the_start_in_one_sentence(tmp_path: Path, env: dict[str, str]) -> None:
    commands = [("app.cli", "serve"), ("app.cli", "migrate"), ("app.worker",)]
    for command in commands:
        code, said = run(*command, DATA_DIR=str(tmp_path), **env)
        assert code != 0
        assert said.startswith(f"Error: {next(iter(env))}"), said
        assert said.strip().count("\n") == 0
