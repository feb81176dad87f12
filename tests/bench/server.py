"""A server of our own on loopback, and the smallest client that keeps its connection."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S = 60
NOT_TOLD = ("DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
"""`make run` keeps bytecode too: only the very first start of a node compiles"""


@dataclass(frozen=True)
class Server:
    """A running web process."""

    port: int
    process: "subprocess.Popen[bytes]"
    started_s: float
    """From the start of the process to its first whole answer"""


@contextmanager
def serving(folder: Path, port: int = 0, app: str = "tests.bench.hurried:app", **env: str) -> Iterator[Server]:
    """Granian as `flask serve` starts it, over the data folder; ends with the block."""
    port = port or free_port()
    told = {name: value for name, value in os.environ.items() if name not in NOT_TOLD}
    told |= {"DATA_DIR": str(folder), "PORT": str(port), "PRACTICE": "off", "PYTHONPATH": str(ROOT)} | env
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--blocking-threads", "8", "--no-ws", "--log-level", "warning", app,
    ]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(port, process)
        yield Server(port, process, time.perf_counter() - started)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


class Client:
    """One keep-alive connection; reads exactly one answer per request."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"Host: localhost:{port}\r\nCookie: werkring={cookie}\r\nAccept: text/html\r\n\r\n"
        self._rest = b""

    def get(self, path: str) -> tuple[int, bytes]:
        """(status, body)"""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{self._head}".encode())
        while b"\r\n\r\n" not in self._rest:
            self._read()
        head, _, body = self._rest.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        while len(body) < length:
            self._rest = b""
            self._read()
            body += self._rest
        self._rest = body[length:]
        return int(head.split(b" ")[1]), body[:length]

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        came = self._socket.recv(65536)
        if not came:
            raise ConnectionError("the server closed the connection")
        self._rest += came


def memory_mb(pid: int) -> float:
    """Memory of a process and its children in MB, shared pages counted once over all who share them."""
    total = 0
    for one in [pid, *_children(pid)]:
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and its children so far."""
    ticks = 0
    for one in [pid, *_children(pid)]:
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [below for child in map(int, found) for below in (child, *_children(child))]


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            client = Client(port)
            status, _ = client.get("/anmelden")
            client.close()
        except OSError:
            time.sleep(0.01)
            continue
        if status < 400:
            return
    raise RuntimeError("the server did not start")
