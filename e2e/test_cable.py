"""The main job between machines of their own: each node in a network namespace, and a cable that is cut in the middle."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from e2e.acts import (
    BRANDT,
    FREE_WEEKS,
    KELLER,
    YILMAZ,
    download_evidence,
    found_firm,
    invite_colleague,
    join_firm,
    print_recovery_key,
    sign_waiting,
    upload_free_hours,
    wait_for,
    wait_here,
    write_rate,
)
from e2e.caddy import CADDYFILE, missing, trusting
from e2e.node import Node
from e2e.phone import Phone
from e2e.proof import prove_offline
from e2e.test_three_nodes import ask, choose_plan, link_nodes

NAMES = ("saale.example", "werra.example", "ilm.example")
PORT = 8000
LACKS = missing() or ("" if shutil.which("ip") and os.geteuid() == 0 else "needs root and iproute2")
pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(LACKS), reason=LACKS or "-")]
OWN_AUTHORITY = "admin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects"


@dataclass
class Cables:
    """Machines as network namespaces on one switch; their addresses are such as the world has, and lead nowhere else."""

    mark: str = field(default_factory=lambda: f"wr{os.getpid()}")

    def machine(self, number: int) -> str:
        return f"{self.mark}-{number}"

    def plug_in(self, machines: dict[int, str]) -> None:
        """One switch, one cable for each machine, and a list of all names on each."""
        _run("ip", "netns", "add", self.machine(0))
        self._in(0, "ip", "link", "add", "switch", "type", "bridge")
        self._in(0, "ip", "link", "set", "switch", "up")
        hosts = "127.0.0.1 localhost\n" + "".join(f"45.90.0.{number} {name}\n" for number, name in machines.items())
        for number in machines:
            here = self.machine(number)
            folder = Path("/etc/netns") / here
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(hosts)
            _run("ip", "netns", "add", here)
            self._in(
                number,
                "ip",
                "link",
                "add",
                "eth0",
                "type",
                "veth",
                "peer",
                "name",
                f"port{number}",
                "netns",
                self.machine(0),
            )
            self._in(0, "ip", "link", "set", f"port{number}", "master", "switch", "up")
            self._in(number, "ip", "addr", "add", f"45.90.0.{number}/24", "dev", "eth0")
            self._in(number, "ip", "link", "set", "eth0", "up")
            self._in(number, "ip", "link", "set", "lo", "up")

    def cut(self, number: int) -> None:
        self._in(0, "ip", "link", "set", f"port{number}", "down")

    def join(self, number: int) -> None:
        self._in(0, "ip", "link", "set", f"port{number}", "up")

    def within(self, number: int) -> tuple[str, ...]:
        return "ip", "netns", "exec", self.machine(number)

    def pull_out(self) -> None:
        for folder in Path("/etc/netns").glob(f"{self.mark}-*"):
            shutil.rmtree(folder)
        names = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            if name.startswith(f"{self.mark}-"):
                _run("ip", "netns", "del", name)

    def _in(self, number: int, *command: str) -> None:
        _run(*self.within(number), *command)


@pytest.fixture
def cables() -> Iterator[Cables]:
    found = Cables()
    try:
        found.plug_in({1: NAMES[0], 2: NAMES[1], 3: NAMES[2], 9: "people.example"})
        yield found
    finally:
        found.pull_out()


@contextmanager
def three_machines(cables: Cables, folder: Path) -> Iterator[tuple[list[Node], list[Path]]]:
    """Caddy and a node on each; every machine trusts the authorities of all three, as the world's would be."""
    with ExitStack() as stack:
        roots = [stack.enter_context(_caddy(cables, number, name, folder)) for number, name in enumerate(NAMES, 1)]
        trust = folder / "authorities.pem"
        trust.write_text("".join(root.read_text() for root in roots))
        nodes = []
        for number, name in enumerate(NAMES, 1):
            home = folder / f"node-{number}" / "data"
            home.parent.mkdir()
            told = {"PUBLIC_URL": f"https://{name}", "PROXIES": "1", "SSL_CERT_FILE": str(trust)}
            nodes.append(Node.start(home, port=PORT, more=told, within=cables.within(number)))
            stack.callback(nodes[-1].stop)
        yield nodes, roots


@contextmanager
def _caddy(cables: Cables, number: int, name: str, folder: Path) -> Iterator[Path]:
    home = folder / f"caddy-{number}"
    home.mkdir()
    (home / "Caddyfile").write_text(CADDYFILE.read_text().replace("admin off", OWN_AUTHORITY))
    env = os.environ | dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(home))
    env |= {"PUBLIC_URL": f"https://{name}", "PORT": str(PORT)}
    command = [*cables.within(number), "caddy", "run", "--adapter", "caddyfile", "--config", str(home / "Caddyfile")]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    root = home / "caddy/pki/authorities/local/root.crt"
    try:
        deadline = time.monotonic() + 20
        while not root.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield root
    finally:
        process.terminate()
        process.wait(20)


def test_a_cut_cable_delays_the_job_and_loses_nothing(play: Playwright, cables: Cables, tmp_path: Path) -> None:
    browser_of_people = tmp_path / "chromium"
    browser_of_people.write_text(f'#!/bin/sh\nexec {" ".join(cables.within(9))} /usr/bin/chromium "$@"\n')
    browser_of_people.chmod(0o755)
    with (
        three_machines(cables, tmp_path) as (nodes, roots),
        trusting(play, roots, tmp_path / "home", executable=str(browser_of_people)) as browser,
    ):
        petra, deniz, uwe = (
            Phone.pick_up(browser, f"https://{name}", who)
            for name, who in zip(NAMES, ("Petra", "Deniz", "Uwe"), strict=True)
        )
        found_firm(petra, KELLER)
        print_recovery_key(petra)
        foremen = {}
        for phone, shop in ((deniz, YILMAZ), (uwe, BRANDT)):
            link_nodes(petra, phone, shop)
            write_rate(phone, shop)
            upload_free_hours(phone, dict.fromkeys(FREE_WEEKS, "25"))
            foremen[shop] = Phone.pick_up(browser, phone.base, f"Jonas {shop.short}")
            join_firm(foremen[shop], invite_colleague(phone, f"Jonas {shop.short}", "Meister"))
        cables.cut(2)
        ask(petra)
        say_yes(foremen[BRANDT])
        wait_here(petra, "unterwegs", seconds=40)
        wait_here(petra, "200 von 400 Stunden", seconds=40)
        cables.join(2)
        say_yes(foremen[YILMAZ], seconds=240)
        wait_here(petra, "400 von 400 Stunden", seconds=60)
        choose_plan(petra)
        for _ in range(2):
            sign_waiting(petra)
        wait_for(deniz, "ohne eure Unterschrift", seconds=60)
        cables.cut(1)
        sign_waiting(deniz)
        cables.join(1)
        sign_waiting(uwe)
        wait_for(petra, "Für uns arbeitet", "Mehr", "Gebuchte Stunden", seconds=240)
        for phone in (deniz, uwe):
            wait_for(phone, "Wir arbeiten für", "Mehr", "Gebuchte Stunden", seconds=60)
        files = [content for phone in (petra, deniz, uwe) for content in download_evidence(phone)]
        assert len(files) == 4
        prove_offline(files, tmp_path)
        assert [node.faults() for node in nodes] == [[], [], []]


def say_yes(foreman: Phone, seconds: int = 30) -> None:
    wait_for(foreman, "5-Achs-Fräsen für Keller", seconds=seconds)
    foreman.tap("5-Achs-Fräsen für Keller")
    foreman.tap("Ja, das geht")
    foreman.see("Danke. Keller weiß Bescheid.")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
