"""One Chromium of the distribution for all stories; each story has its own node."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from e2e.full_house import House, move_in
from e2e.node import Node
from e2e.phone import FLAGS, Phone
from tests.push.service import PushService

# no story fails because the machine is busy: how long a person waits is asserted where it matters
expect.set_options(timeout=30_000)

LONGEST_FIRST = ("test_every_screen.py", "test_practice.py", "test_main_job.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The workers take the files one by one, in this order."""
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.name) if item.path.name in LONGEST_FIRST else 9)


@pytest.fixture(scope="session")
def play() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(play: Playwright) -> Iterator[Browser]:
    chromium = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """In which every page has something to show; each file of stories may change its own."""
    own = tmp_path_factory.getbasetemp()
    of_the_run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return move_in(tmp_path_factory.mktemp("house") / "data", of_the_run / "furnished")


@pytest.fixture
def push_service() -> Iterator[PushService]:
    service = PushService()
    yield service
    service.close()


@pytest.fixture
def node(tmp_path: Path, push_service: PushService) -> Iterator[Node]:
    """An empty node of the real world."""
    running = Node.start(tmp_path / "data", push_service.host)
    yield running
    running.stop()


PickUp = Callable[..., Phone]


@pytest.fixture
def pick_up(browser: Browser, node: Node) -> Iterator[PickUp]:
    """Hand out phones; at the end every page that was judged must have been without fault."""
    phones: list[Phone] = []

    def hand_out(name: str, **wishes: object) -> Phone:
        phones.append(Phone.pick_up(browser, node.url, name, **wishes))  # type: ignore[arg-type]
        return phones[-1]

    yield hand_out
    faults = {screen: found for phone in phones for screen, found in phone.judged.items() if found}
    for phone in phones:
        phone.context.close()
    assert faults == {}
