"""Caddy in front of a node, as deploy/ puts it there, but with an authority of its own; and a browser that trusts that one."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright

from e2e.phone import FLAGS

CADDYFILE = Path(__file__).parents[1] / "deploy/Caddyfile"
OWN_AUTHORITY = (
    "admin off\n\tdefault_bind 127.0.0.1\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects"
)
CHROMIUM = "/usr/bin/chromium"
START_S = 20


def missing() -> str:
    """What this machine lacks for such a story; '' for nothing."""
    lacks = [name for name in ("caddy", "certutil") if shutil.which(name) is None]
    return f"needs {' and '.join(lacks)}" if lacks else ""


@contextmanager
def in_front(public_url: str, folder: Path, *ports: int) -> Iterator[Path]:
    """Answer at `public_url` for the node on one port, or a hub on several; yields the certificate of the authority."""
    folder.mkdir()
    (folder / "Caddyfile").write_text(CADDYFILE.read_text().replace("admin off", OWN_AUTHORITY))
    home = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))
    env = os.environ | home | {"PUBLIC_URL": public_url, "PORT": " 127.0.0.1:".join(map(str, ports))}
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    root = folder / "caddy/pki/authorities/local/root.crt"
    try:
        _wait(public_url, root, process)
        yield root
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def trusting(
    play: Playwright, roots: Sequence[Path], folder: Path, *flags: str, executable: str = CHROMIUM
) -> Iterator[Browser]:
    """A Chromium of somebody whose machine trusts these authorities."""
    store = folder / ".pki/nssdb"
    store.mkdir(parents=True)
    named = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*named, "-N", "--empty-password"], check=True)
    for root in roots:
        subprocess.run([*named, "-A", "-n", str(root), "-t", "C,,", "-i", str(root)], check=True)
    chromium = play.chromium.launch(
        executable_path=executable, args=[*FLAGS, *flags], env={**os.environ, "HOME": str(folder)}
    )
    yield chromium
    chromium.close()


def _wait(public_url: str, root: Path, process: "subprocess.Popen[bytes]") -> None:
    port = public_url.rpartition(":")[2]
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if root.exists() and _answers(port, public_url, root):
            return
        time.sleep(0.1)
    raise RuntimeError("Caddy did not start: " + (root.parents[4] / "log").read_text())


def _answers(port: str, public_url: str, root: Path) -> bool:
    """Say whether a handshake for the name holds; the node behind may not be there yet."""
    name = public_url.removeprefix("https://").rpartition(":")[0]
    context = ssl.create_default_context(cafile=str(root))
    try:
        with (
            socket.create_connection(("127.0.0.1", int(port)), 2) as raw,
            context.wrap_socket(raw, server_hostname=name),
        ):
            return True
    except OSError:
        return False
