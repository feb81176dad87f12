"""A hub of two machines, each with web and worker, on one PostgreSQL: any of them answers, and one is enough."""

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Playwright

from app.core.db import Database
from app.core.outbox import OutboxRow
from app.federation.models import Message
from e2e.acts import (
    FREE_WEEKS,
    KELLER,
    YILMAZ,
    download_evidence,
    found_firm,
    invite_colleague,
    join_firm,
    link_partner,
    print_recovery_key,
    sign_waiting,
    upload_free_hours,
    wait_for,
    write_rate,
)
from e2e.caddy import in_front, missing, trusting
from e2e.node import MONDAY, Node, free_port
from e2e.phone import Phone
from e2e.proof import prove_offline
from e2e.test_three_nodes import ask, choose_plan
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]
CADDY_SEES_MS = 4_000
"""It looks after each machine every two seconds"""


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    server = PostgresServer.start(tmp_path)
    yield server.bare_database()
    server.stop()


def test_a_job_goes_through_two_machines_and_on_when_one_of_them_stops(
    play: Playwright, database_url: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        url, ports = f"https://localhost:{free_port()}", (free_port(), free_port())
        root = stack.enter_context(in_front(url, tmp_path / "caddy", *ports))
        machines = start_machines(stack, tmp_path, url, database_url, ports)
        browser = stack.enter_context(trusting(play, [root], tmp_path / "home"))
        petra, deniz, jonas = (Phone.pick_up(browser, url, name) for name in ("Petra", "Deniz", "Jonas"))
        found_firm(petra, KELLER)
        print_recovery_key(petra)
        link_partner(petra, deniz, YILMAZ)
        write_rate(deniz, YILMAZ)
        upload_free_hours(deniz, dict.fromkeys(FREE_WEEKS, "25"))
        join_firm(jonas, invite_colleague(deniz, "Jonas", "Meister"))
        ask(petra, "100", 1)
        wait_for(jonas, "5-Achs-Fräsen für Keller")
        jonas.tap("5-Achs-Fräsen für Keller")
        jonas.tap("Ja, das geht")
        jonas.see("Danke. Keller weiß Bescheid.")
        machines[0].stop()
        petra.page.wait_for_timeout(CADDY_SEES_MS)
        choose_plan(petra, "100")
        for phone in (petra, deniz):
            sign_waiting(phone)
        for phone, words in ((petra, "Für uns arbeitet"), (deniz, "Wir arbeiten für")):
            wait_for(phone, words, "Mehr", "Gebuchte Stunden", seconds=30)
        files = [content for phone in (petra, deniz) for content in download_evidence(phone)]
        assert len(files) == 2
        prove_offline(files, tmp_path)
        assert [machine.faults() for machine in machines] == [[], []]
    assert what_waits(database_url) == (0, 0)


def start_machines(stack: ExitStack, folder: Path, url: str, database_url: str, ports: tuple[int, ...]) -> list[Node]:
    """They share the database, the two keys and the clock, and no folder."""
    told = {"PUBLIC_URL": url, "DATABASE_URL": database_url, "PROXIES": "1", "CLOCK_START": f"{MONDAY}@{time.time()}"}
    for name in ("SECRET_KEY_FILE", "NODE_KEY_FILE"):
        (folder / name).write_text(secrets.token_hex(32))
        told[name] = str(folder / name)
    machines = []
    for port in ports:
        home = folder / f"machine-{port}" / "data"
        home.parent.mkdir()
        machines.append(Node.start(home, port=port, more=told))
        stack.callback(machines[-1].stop)
    return machines


def what_waits(database_url: str) -> tuple[int | None, int | None]:
    """(events without an end, messages that did not arrive)"""
    database = Database(database_url)
    with database.read() as session:
        events = session.scalar(sa.select(sa.func.count()).where(OutboxRow.settled_at.is_(None)))
        lost = sa.select(sa.func.count()).where(Message.direction == "out", Message.state != "delivered")
        found = events, session.scalar(lost)
    database.close()
    return found
