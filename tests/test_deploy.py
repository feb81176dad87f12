"""An update of a node: whatever fails on the way, the old version runs on or runs again."""

import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.cli import STOP_S

UPDATE = Path(__file__).parents[1] / "deploy/update"
MAKEFILE = """
.venv/run .venv/words:
	@test ! -e broken-build
	@mkdir -p .venv/bin && ln -sf {python} .venv/bin/python && cp flask .venv/bin/flask
"""
FLASK = """#!/bin/sh
case $1 in restore) touch "$DATA_DIR/werkring.sqlite";; migrate) test ! -e broken-migration;; esac
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >> {box}/said
case "$*" in start*backup*) test ! -e {box}/disk-full && touch "{box}/backups/$(wc -l < {box}/said).tar.gz";; esac
"""
RUNUSER = """#!/bin/sh
shift 3
exec "$@"
"""


@dataclass
class Box:
    """A machine with a clone, a house of versions, and a node that is well while its version is not `sick`."""

    folder: Path

    @property
    def house(self) -> Path:
        return self.folder / "house"

    def publish(self, *marks: str) -> str:
        """A new version with these files in it; returns its name."""
        origin = self.folder / "origin"
        for old in ("broken-build", "broken-migration", "sick"):
            (origin / old).unlink(missing_ok=True)
        for mark in marks:
            (origin / mark).touch()
        with (origin / "versions").open("a") as file:
            file.write("one more\n")
        git(origin, "add", "-A")
        git(origin, "commit", "-q", "-m", "one more")
        return git(origin, "rev-parse", "--short=12", "HEAD").strip()

    def update(self) -> int:
        env = os.environ | {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "WERKRING_HOUSE": str(self.house), "WERKRING_WAIT_S": "1",
            "WERKRING_BACKUPS": str(self.folder / "backups"), "WERKRING_ADDRESS": str(self.folder / "address.env"),
        }  # fmt: skip
        return subprocess.run(
            [self.folder / "clone/deploy/update"], env=env, capture_output=True, check=False
        ).returncode

    def runs(self) -> str:
        return (self.house / "current").readlink().name

    def starts(self) -> int:
        return (self.folder / "said").read_text().count("restart werkring.service")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    for name in ("bin", "house", "backups", "origin/deploy", "origin/app", "origin/ledger", "origin/migrations"):
        (tmp_path / name).mkdir(parents=True)
    for path, text in (
        ("bin/systemctl", SYSTEMCTL.format(box=tmp_path)), ("bin/runuser", RUNUSER), ("origin/flask", FLASK),
        ("origin/Makefile", MAKEFILE.format(python=sys.executable)), ("origin/app/a.py", ""), ("origin/ledger/a.py", ""),
        ("origin/migrations/a.py", ""),
    ):  # fmt: skip
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)
    shutil.copy(UPDATE, tmp_path / "origin/deploy/update")
    git(tmp_path / "origin", "init", "-q")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), health_of(tmp_path / "house/current"))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    (tmp_path / "address.env").write_text(f"PUBLIC_URL=https://werkring.example\nPORT={server.server_port}\n")
    box = Box(tmp_path)
    first = box.publish()
    git(tmp_path, "clone", "-q", "origin", "clone")
    assert box.update() == 0
    assert box.runs() == first
    yield box
    server.shutdown()
    server.server_close()


def health_of(current: Path) -> type[http.server.BaseHTTPRequestHandler]:
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if (current / "sick").exists() else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Health


def git(folder: Path, *words: str) -> str:
    named = ("-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_an_update_backs_up_and_keeps_only_the_version_before(box: Box) -> None:
    versions = [box.runs()]
    for _ in range(2):
        versions.append(box.publish())
        assert box.update() == 0
    assert box.runs() == versions[2]
    assert sorted(path.name for path in box.house.iterdir()) == sorted([*versions[1:], "current"])
    assert [path.suffix for path in (box.folder / "backups").iterdir()] == [".gz", ".gz"]


@pytest.mark.parametrize("fault", ["broken-build", "broken-migration", "disk-full"])
def test_what_fails_before_the_switch_never_stops_the_old_version(box: Box, fault: str) -> None:
    before, starts = box.runs(), box.starts()
    box.publish(*([] if fault == "disk-full" else [fault]))
    if fault == "disk-full":
        (box.folder / "disk-full").touch()
    assert box.update() != 0
    assert (box.runs(), box.starts()) == (before, starts)


def test_a_version_that_does_not_become_well_makes_room_for_the_old_one(box: Box) -> None:
    before, starts = box.runs(), box.starts()
    box.publish("sick")
    assert box.update() == 1
    assert (box.runs(), box.starts()) == (before, starts + 2)
    good = box.publish()
    assert box.update() == 0
    assert box.runs() == good


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_units_say_nothing_that_systemd_does_not_know(tmp_path: Path) -> None:
    units = sorted(path for path in UPDATE.parent.glob("werkring*") if path.suffix in (".service", ".timer"))
    assert len(units) == 3
    for unit in units:
        text = unit.read_text().replace("/opt/werkring/current/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("/opt/werkring/current", str(tmp_path)))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_node_has_time_to_finish_what_it_does_before_systemd_kills_it() -> None:
    unit = (UPDATE.parent / "werkring.service").read_text()
    given_s = int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0])
    assert given_s > len(("web", "worker")) * STOP_S
