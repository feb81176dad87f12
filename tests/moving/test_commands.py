"""What the operator types when a firm moves."""

from pathlib import Path

import pytest

from app.cli import migrate_database
from app.core.db import Database
from tests.passkeys.world import start_node
from tests.test_cli import run

ADDRESS = "keller@localhost"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data folder of a node with one firm, whose events are settled."""
    from app.worker import run_until_quiet

    (tmp_path / "var").mkdir()
    url = f"sqlite:///{tmp_path / 'var/werkring.sqlite'}"
    migrate_database(url)
    database = Database(url)
    start_node(database, tmp_path / "var").browser().found_firm()
    run_until_quiet(database)
    database.close()
    return tmp_path / "var"


def words_in(said: str) -> str:
    return next(line for line in said.splitlines() if len(line.split()) == 24)


def test_a_firm_moves_to_a_fresh_node_and_the_old_one_rests(folder: Path, tmp_path: Path) -> None:
    archive, new = tmp_path / "keller.tar.gz", tmp_path / "new"
    there = {"DATA_DIR": str(new), "PUBLIC_URL": "https://new.example"}
    code, said = run("flask", "export", "--move", ADDRESS, str(archive), DATA_DIR=str(folder))
    assert (code, "--to go together" in said, archive.exists()) == (1, True, False), said
    code, said = run("flask", "export", "--move", "--to", "new.example", ADDRESS, str(archive), DATA_DIR=str(folder))
    assert (code, "has left this node" in said, oct(archive.stat().st_mode)[-3:]) == (0, True, "600"), said
    words = words_in(said)
    code, wrong = run("flask", "import", str(archive), "--words", "Haus " * 24, **there)
    assert (code, wrong.startswith("Error: These are not 24 words"), wrong.count("\n")) == (1, True, 1), wrong
    code, said = run("flask", "import", str(archive), "--words", words, DATA_DIR=str(tmp_path / "wrong"))
    assert (code, "moves to new.example" in said) == (1, True), said
    code, said = run("flask", "import", str(archive), "--words", words, **there)
    assert (code, "is here" in said, "copy" in said) == (0, True, False), said
    code, said = run("flask", "import", str(archive), "--words", words, **there)
    assert (code, "on this node already" in said) == (1, True), said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keller.tar.gz", "new", "var", "wrong"]
    assert not [path for path in new.iterdir() if path.is_dir()]


def test_a_move_that_was_given_up_is_taken_back(folder: Path, tmp_path: Path) -> None:
    move = ("--move", "--to", "new.example")
    assert run("flask", "export", *move, ADDRESS, str(tmp_path / "a.tgz"), DATA_DIR=str(folder))[0] == 0
    assert run("flask", "resume-log", ADDRESS, DATA_DIR=str(folder))[0] == 1
    code, said = run("flask", "resume-log", ADDRESS, "--alone", DATA_DIR=str(folder))
    assert (code, "goes on" in said) == (0, True), said
    assert run("flask", "resume-log", ADDRESS, "--alone", DATA_DIR=str(folder))[0] == 1


def test_the_operator_lets_a_firm_leave_and_is_told_what_stays(folder: Path) -> None:
    code, said = run("flask", "forget", "--yes", ADDRESS, DATA_DIR=str(folder))
    assert (code, "its partners are told" in said, "the hashes of its log" in said) == (0, True, True), said
    code, said = run("flask", "forget", "--yes", ADDRESS, DATA_DIR=str(folder))
    assert (code, "it is leaving already" in said) == (1, True), said


def test_what_cannot_be_exported_is_said_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.tgz"
    code, said = run("flask", "export", "nobody@localhost", str(target), DATA_DIR=str(folder))
    assert (code, said.strip(), target.exists()) == (1, "Error: There is no firm nobody@localhost on this node.", False)
    target.touch()
    code, said = run("flask", "export", ADDRESS, str(target), DATA_DIR=str(folder))
    assert (code, "is there already" in said) == (1, True), said


def test_two_operators_link_their_nodes_by_one_code(folder: Path) -> None:
    code, said = run("flask", "link-node", "other.example", DATA_DIR=str(folder))
    assert (code, "flask link-node localhost:8000 --code " in said) == (0, True), said
    made = said.split("--code ")[1].strip()
    assert run("flask", "link-node", "third.example", "--code", made, DATA_DIR=str(folder))[0] == 0
    assert run("flask", "link-node", "third.example", "--code", "x", DATA_DIR=str(folder))[0] == 1
    assert run("flask", "unlink-node", "other.example", DATA_DIR=str(folder))[0] == 0
