"""`python -m ledger` as a stranger runs it: exit codes, plain words, JSON."""

import json
import subprocess
import sys
from os import environ
from pathlib import Path

import pytest

from ledger.fsck import export_log
from ledger.report import PRACTICE_DE
from tests.ledger.asked import ask_ledger as run
from tests.ledger.test_fsck import LINES
from tests.ledger.test_pdf import attached, pdf
from tests.ledger.world import make_world

ROOT = Path(__file__).resolve().parents[2]
WORLD = make_world(noise=1)


def start(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which needs half a second only to begin."""
    command = [sys.executable, "-m", "ledger", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=environ | {"LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("name", "code"), [("good.json", 0), ("bad.json", 1), ("missing.json", 2)], ids=["holds", "fails", "unusable"]
)
def test_the_process_says_and_ends_as_what_it_found(good: Path, bad: Path, name: str, code: int) -> None:
    answer, expected = start("verify", good.with_name(name)), run("verify", good.with_name(name))
    assert (answer.returncode, answer.stdout, answer.stderr) == (code, expected.stdout, expected.stderr)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.json"
    path.write_bytes(WORLD.file_bytes())
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.json"
    path.write_bytes(WORLD.file_bytes().replace(b"40 Stunden", b"41 Stunden", 1))
    return path


def test_a_good_file_ends_in_zero_and_plain_german(good: Path) -> None:
    answer = run("verify", good, "--plain")
    assert answer.returncode == 0
    assert "Alles stimmt." in answer.stdout
    assert "Die Siegel der Betriebe stimmen." in answer.stdout
    assert "entry" not in answer.stdout


def test_a_good_file_in_english_and_json(good: Path) -> None:
    assert "Everything holds." in run("verify", good, "--lang", "en").stdout
    found = json.loads(run("verify", good, "--json").stdout)
    assert found["holds"] is True
    assert [step["number"] for step in found["steps"]] == list(range(1, 14))


def test_the_language_of_the_machine_decides_where_none_is_asked_for(good: Path) -> None:
    assert "Everything holds." in run("verify", good, locale="en_GB.UTF-8").stdout
    assert "Alles stimmt." in run("verify", good, locale="de_DE.UTF-8").stdout


def test_plain_words_begin_with_the_facts_and_name_each_line(good: Path) -> None:
    lines = run("verify", good, "--plain").stdout.splitlines()
    assert lines[1] == "Eintrag: Vereinbarung"
    assert "Zeile 2: KW 41/2026, 40 Stunden, 3.680,00 EUR" in lines
    assert lines[-1] == "Alles stimmt."


def test_a_pdf_is_checked_by_the_evidence_inside(tmp_path: Path) -> None:
    path = tmp_path / "vereinbarung.pdf"
    path.write_bytes(pdf(attached(WORLD.file_bytes(), is_packed=True)))
    answer = run("verify", path, "--plain")
    assert (answer.returncode, "Alles stimmt." in answer.stdout) == (0, True)
    path.write_bytes(pdf())
    assert run("verify", path).returncode == 2


def test_a_changed_file_ends_in_one_and_names_the_steps(good: Path, bad: Path) -> None:
    answer = run("verify", good, bad, "--plain")
    assert answer.returncode == 1
    assert "X  7. Der Text ist nicht der unterschriebene." in answer.stdout


def test_unusable_input_ends_in_two(good: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("hello")
    assert run("verify", tmp_path / "x.json").returncode == 2
    assert run("verify", tmp_path / "missing.json", "--json").returncode == 2
    assert run("verify", good, "--policy", tmp_path / "x.json").returncode == 2
    assert run("verify").returncode == 2


def test_a_policy_is_applied(good: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.txt"
    policy.write_text(f"log {WORLD.requester.log_key.verifier.vkey}\nquorum none\n")
    assert run("verify", good, "--policy", policy).returncode == 0
    policy.write_text(f"log {WORLD.provider.log_key.verifier.vkey}\nquorum none\n")
    assert run("verify", good, "--policy", policy).returncode == 1


def test_a_practice_file_ends_in_one_unless_practice_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "practice.json"
    path.write_bytes(make_world("practice/", noise=0).file_bytes())
    refused, asked = run("verify", path), run("verify", path, "--practice")
    assert (refused.returncode, asked.returncode) == (1, 0)
    assert PRACTICE_DE in refused.stdout
    assert PRACTICE_DE in asked.stdout


def test_fsck_replays_a_log_and_names_the_first_bad_position(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"".join(LINES))
    answer = run("fsck", log)
    assert answer.returncode == 0
    assert "Alles stimmt." in answer.stdout
    assert json.loads(run("fsck", log, "--json", "--fast").stdout)["entries"] == 7
    log.write_bytes(b"".join(LINES).replace("zu spät".encode(), "zu früh".encode(), 1))
    answer = run("fsck", log)
    assert answer.returncode == 1
    assert answer.stdout.startswith("Eintrag 1 ")
    assert json.loads(run("fsck", log, "--json").stdout)["position"] == 1
    log.write_bytes(b"no log")
    assert run("fsck", log).returncode == 2
    assert run("fsck", tmp_path / "missing").returncode == 2


def test_fsck_of_a_practice_log_ends_in_one_unless_asked_for(tmp_path: Path) -> None:
    world, log = make_world("practice/", noise=0), tmp_path / "log.jsonl"
    keys = [(world.provider.prove(0), world.provider.note())]
    log.write_bytes(b"".join(export_log(world.requester.origin, world.requester.entries(), (), keys)))
    assert run("fsck", log).returncode == 1
    answer = run("fsck", log, "--practice")
    assert answer.returncode == 0
    assert PRACTICE_DE in answer.stdout


def test_fsck_finds_a_log_that_is_shorter_than_what_a_partner_saw(tmp_path: Path) -> None:
    log, note = tmp_path / "log.jsonl", tmp_path / "seen.txt"
    entries = [line for line in LINES if b'"kind":"entry"' in line or b'"kind":"key"' in line]
    log.write_bytes(b"".join([LINES[0], *entries]))
    note.write_text(json.loads(LINES[-1])["note"])
    assert run("fsck", log, "--seen", note).returncode == 0
    log.write_bytes(b"".join([LINES[0], *entries[:-1]]))
    assert run("fsck", log).returncode == 0
    answer = run("fsck", log, "--json", "--seen", note)
    assert (answer.returncode, json.loads(answer.stdout)["position"]) == (1, 6)
    note.write_text("no note")
    assert run("fsck", log, "--seen", note).returncode == 2


def test_of_a_pdf_it_is_said_that_only_the_evidence_inside_was_checked(tmp_path: Path) -> None:
    path = tmp_path / "agreement.pdf"
    path.write_bytes(pdf(attached(WORLD.file_bytes(), is_packed=True)))
    answer = run("verify", path, "--plain")
    assert answer.returncode == 0
    assert "- 15. Bild und Siegel der PDF sind nicht geprüft." in answer.stdout
    steps = json.loads(run("verify", path, "--json").stdout)["steps"]
    assert (steps[-1]["number"], steps[-1]["verdict"]) == (15, "not applicable")


# Proof files


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.txt"
    path.write_text(f"log {WORLD.requester.log_key.verifier.vkey}\nquorum none\n")
    return path


def made_proof(folder: Path, *arguments: str | Path) -> Path:
    answer, path = run("proof", "make", *arguments), folder / "one.tlog-proof"
    assert answer.returncode == 0, answer.stderr
    path.write_text(answer.stdout, encoding="utf-8")
    return path


def test_a_proof_file_of_an_evidence_file_is_made_and_checked(good: Path, policy: Path, tmp_path: Path) -> None:
    proof = made_proof(tmp_path, good)
    answer = run("proof", "check", proof, "--policy", policy)
    where = f"Eintrag {WORLD.seq} von {WORLD.requester.head.size} in {WORLD.requester.origin}."
    assert (answer.returncode, answer.stdout) == (0, f"Alles stimmt. {where}\n")
    found = json.loads(run("proof", "check", proof, "--policy", policy, "--json").stdout)
    assert (found["holds"], found["position"], found["origin"]) == (True, WORLD.seq, WORLD.requester.origin)
    assert "Everything holds." in run("proof", "check", proof, "--policy", policy, "--lang", "en").stdout


def test_a_proof_file_of_any_entry_of_a_log_is_made_and_checked(policy: Path, tmp_path: Path) -> None:
    own, log = WORLD.requester, tmp_path / "log.jsonl"
    log.write_bytes(b"".join(export_log(own.origin, own.entries(), [(own.head.size, own.note())])))
    for number in range(own.head.size):
        proof = made_proof(tmp_path, log, "--entry", str(number))
        assert f"Eintrag {number} von" in run("proof", "check", proof, "--policy", policy).stdout
    for number in (-1, own.head.size):
        assert run("proof", "make", log, "--entry", str(number)).returncode == 2
    log.write_bytes(b"".join(export_log(own.origin, own.entries())))
    assert "no checkpoint" in run("proof", "make", log, "--entry", "0").stderr


def test_a_proof_that_does_not_hold_ends_in_one(good: Path, policy: Path, tmp_path: Path) -> None:
    proof, leaf = made_proof(tmp_path, good), tmp_path / "leaf"
    leaf.write_bytes(WORLD.requester.leaves[WORLD.seq])
    assert run("proof", "check", proof, "--policy", policy, "--leaf", leaf).returncode == 0
    leaf.write_bytes(WORLD.requester.leaves[0])
    answer = run("proof", "check", proof, "--policy", policy, "--leaf", leaf)
    assert (answer.returncode, answer.stdout[:20]) == (1, "Etwas stimmt nicht (")
    policy.write_text(f"log {WORLD.provider.log_key.verifier.vkey}\nquorum none\n")
    assert run("proof", "check", proof, "--policy", policy).returncode == 1
    found = json.loads(run("proof", "check", proof, "--policy", policy, "--json").stdout)
    assert found["holds"] is False


def test_what_is_no_proof_file_or_proves_nothing_named_is_unusable(good: Path, policy: Path, tmp_path: Path) -> None:
    assert run("proof", "check", good, "--policy", policy).returncode == 2
    proof = made_proof(tmp_path, good)
    first, extra, rest = proof.read_text(encoding="utf-8").split("\n", 2)
    assert extra.startswith("extra ")
    proof.write_text(f"{first}\n{rest}", encoding="utf-8")
    assert "--leaf" in run("proof", "check", proof, "--policy", policy).stderr
