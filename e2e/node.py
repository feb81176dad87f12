"""A whole node for a story: web and worker as the operator starts them, on a free loopback port, with its own folder."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MONDAY = "2026-11-16T07:00:00+01:00"
START_S = 60
ASKS_HEALTH = "import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=2)"


@dataclass
class Node:
    """A running Werkring."""

    url: str
    data_dir: Path
    process: "subprocess.Popen[bytes]"
    log: Path
    within: tuple[str, ...] = ()
    """What a command begins with that shall run where the node runs, such as in a network of its own"""

    @classmethod
    def start(
        cls,
        data_dir: Path,
        push_host: str = "",
        practice: bool = False,
        port: int = 0,
        more: dict[str, str] | None = None,
        within: tuple[str, ...] = (),
    ) -> "Node":
        """Start web and worker; the clock begins on Monday 16 November 2026, 07:00 (KW 47)."""
        port = port or free_port()
        env = os.environ | {
            "DATA_DIR": str(data_dir), "PORT": str(port), "CLOCK_START": MONDAY, "PUSH_TEST_HOSTS": push_host,
            "PRACTICE": "on" if practice else "off", "PUSH_CONTACT": "betrieb@werkring.example",
        }  # fmt: skip
        env.pop("DATABASE_URL", None)
        env |= more or {}
        log = data_dir.parent / "node.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*within, sys.executable, "-m", "app.cli", "serve"],
                cwd=ROOT,
                env=env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        node = cls(f"http://localhost:{port}", data_dir, process, log, within)
        try:
            node._wait()
        except RuntimeError:
            node.stop()
            raise
        return node

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def faults(self) -> list[str]:
        """Lines of the log that tell of an error."""
        return [line for line in self.log.read_text().splitlines() if '"error"' in line or "Traceback" in line]

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text())
            if self._is_well():
                return
            time.sleep(0.05)
        raise RuntimeError("The node did not become well: " + self.log.read_text())

    def _is_well(self) -> bool:
        if self.within:
            asks = [*self.within, sys.executable, "-c", ASKS_HEALTH, self.url + "/healthz"]
            return subprocess.run(asks, capture_output=True, check=False).returncode == 0
        try:
            with urllib.request.urlopen(self.url + "/healthz", timeout=2):
                return True
        except OSError:
            return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
