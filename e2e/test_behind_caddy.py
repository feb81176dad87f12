"""A node for one shop as deploy/ sets it up: behind Caddy, with TLS that browser and partners check."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from e2e.acts import KELLER, PARTNERS_PAGE, YILMAZ, found_firm, invite_partner, print_recovery_key, wait_for
from e2e.caddy import in_front, missing, trusting
from e2e.node import Node, free_port
from e2e.phone import Phone
from e2e.test_three_nodes import link_nodes

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
SLOW_CLIENTS = 24
"""Three times the threads of the node"""


@dataclass
class Shop:
    """A node of one firm at its https address, and the authority that vouches for it."""

    url: str
    root: Path
    node: Node


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A node whose name is no localhost: nothing but its certificate makes it a safe place."""
    with ExitStack() as stack:
        yield open_shops(stack, tmp_path, f"https://saale.test:{free_port()}")[0]


def open_shops(stack: ExitStack, folder: Path, *urls: str, strange: str = "") -> list[Shop]:
    """Nodes that know of each other and trust all authorities, each with its own.

    At `strange` the first of them answers too, by a certificate of an authority that nobody knows.
    """
    ports = [free_port() for _ in urls]
    fronts = zip(urls, ports, strict=True)
    roots = [stack.enter_context(in_front(url, folder / f"caddy-{port}", port)) for url, port in fronts]
    trust = folder / "authorities.pem"
    trust.write_text("".join(root.read_text() for root in roots))
    if strange:
        stack.enter_context(in_front(strange, folder / "caddy-strange", ports[0]))
    near = ",".join(url for url in (*urls, strange) if url.startswith("https://localhost:"))
    shops = []
    for url, port, root in zip(urls, ports, roots, strict=True):
        home = folder / f"node-{port}" / "data"
        home.parent.mkdir()
        told = {"PUBLIC_URL": url, "PROXIES": "1", "FEDERATION_TEST_NODES": near, "SSL_CERT_FILE": str(trust)}
        if near:
            told["NODE_NAME"] = f"node-{port}.test"
        shops.append(Shop(url, root, Node.start(home, port=port, more=told)))
        stack.callback(shops[-1].node.stop)
    return shops


def test_a_firm_begins_with_a_passkey_on_its_own_domain(play: Playwright, shop: Shop, tmp_path: Path) -> None:
    with trusting(play, [shop.root], tmp_path / "home", "--host-resolver-rules=MAP saale.test 127.0.0.1") as browser:
        petra = Phone.pick_up(browser, shop.url, "Petra")
        found_firm(petra, KELLER)
        print_recovery_key(petra)
        assert petra.page.evaluate("() => isSecureContext")
        scope = petra.page.evaluate("async () => (await navigator.serviceWorker.ready).scope")
        assert scope == f"{shop.url}/"
        answer = petra.page.goto("/mehr")
        assert answer is not None
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
        assert answer.headers["content-encoding"] == "gzip"
        [kept] = [cookie for cookie in petra.context.cookies() if cookie.get("name", "").startswith("__Host-werkring")]
        assert (kept.get("secure"), kept.get("httpOnly")) == (True, True)
        petra.context.close()
    assert shop.node.faults() == []


def test_slow_bodies_wait_at_the_door_and_large_ones_are_refused_there(shop: Shop) -> None:
    slow = [say(shop, head("POST", "/federation/inbox", length=9) + b"x") for _ in range(SLOW_CLIENTS)]
    began = time.monotonic()
    assert status(say(shop, head("GET", "/anmelden"))) == 200
    assert status(say(shop, head("GET", "/.well-known/werkring/keller.json"))) == 404
    assert time.monotonic() - began < 5
    for one in slow:
        one.close()
    large = say(shop, head("POST", "/federation/inbox", length=2_000_000) + b"x" * 2_000_000)
    # the Caddy of Debian 12 says 502 where later ones say 413
    assert status(large) in (413, 502)


@pytest.mark.long
def test_two_nodes_become_partners_over_tls_that_both_check(play: Playwright, tmp_path: Path) -> None:
    with ExitStack() as stack:
        one, other, strange = (f"https://localhost:{free_port()}" for _ in range(3))
        shops = open_shops(stack, tmp_path, one, other, strange=strange)
        browser = stack.enter_context(trusting(play, [shop.root for shop in shops], tmp_path / "home"))
        petra, deniz = (Phone.pick_up(browser, shop.url, shop.url) for shop in shops)
        found_firm(petra, KELLER)
        print_recovery_key(petra)
        link_nodes(petra, deniz, YILMAZ)
        wait_for(petra, "Partner seit", *PARTNERS_PAGE)
        deniz.open(f"{other}/partner/annehmen?link={invite_partner(petra).replace(one, strange).partition('#')[0]}")
        deniz.tap("Weiter")
        deniz.see("Der andere Betrieb ist gerade nicht zu erreichen.")
        assert [shop.node.faults() for shop in shops] == [[], []]


def head(method: str, path: str, length: int = 0) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: saale.test\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def say(shop: Shop, words: bytes) -> ssl.SSLSocket:
    """A connection over which so much has been said; Caddy may close it before all is heard."""
    raw = socket.create_connection(("127.0.0.1", int(shop.url.rpartition(":")[2])), 20)
    line = ssl.create_default_context(cafile=str(shop.root)).wrap_socket(raw, server_hostname="saale.test")
    with suppress(OSError):
        line.sendall(words)
    return line


def status(line: ssl.SSLSocket) -> int:
    with line:
        return int(line.recv(64).split(b" ")[1])
