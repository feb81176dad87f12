"""The practice world as a newcomer meets it: the Vorführung in one tap, and one game on two phones."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from e2e.node import Node
from e2e.phone import Phone

MOST_SECONDS, MOST_TAPS = 300, 30
READY_S = 60


@pytest.fixture(scope="module")
def practice_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node.start(tmp_path_factory.mktemp("practice") / "data", practice=True)
    yield node
    node.stop()


@pytest.fixture
def phones(browser: Browser, practice_node: Node) -> Iterator[list[Phone]]:
    pair = [Phone.pick_up(browser, practice_node.url, name) for name in ("erstes", "zweites")]
    for phone in pair:
        phone.context.set_default_timeout(READY_S * 1000)
    yield pair
    faults = {screen: found for phone in pair for screen, found in phone.judged.items() if found}
    for phone in pair:
        phone.context.close()
    assert faults == {}
    assert practice_node.faults() == []


def test_a_stranger_plays_the_five_acts_without_an_account(phones: list[Phone]) -> None:
    phone = phones[0]
    phone.open("/")
    phone.tap("Vorführung ansehen")
    phone.page.wait_for_url(re.compile("/uebung/"))
    phone.count_from_here()
    started = time.monotonic()
    acts = set()
    while "/vorfuehrung/ende" not in phone.page.url:
        phone.see("VORFÜHRUNG")
        acts.add(re.search(r"(\d) von 5", phone.page.inner_text("body"))[1])  # type: ignore[index]
        phone.judge(f"S39-{len(acts)}")
        if phone.page.get_by_role("button", name="Ja, das geht").count() and "/handy" in phone.page.url:
            phone.page.get_by_role("button", name="Ja, das geht").first.click()
        else:
            phone.page.locator(".fuehrung button").first.click()
        phone.taps += 1
        assert phone.taps <= MOST_TAPS
        phone.page.wait_for_load_state()
    phone.see("500 von 500 Stunden")
    phone.judge("S39-ende")
    assert acts >= {"1", "2", "3", "4"}
    assert time.monotonic() - started < MOST_SECONDS


def test_two_phones_play_one_game(phones: list[Phone], tmp_path: Path) -> None:
    first, second = phones
    first.open("/uebung/")
    first.judge("S38")
    first.tap("Üben starten")
    first.tap("Keller")
    first.judge("S38-personen")
    first.page.get_by_test_id("person-manager").first.click()
    first.see("ÜBUNG")
    first.judge("uebung-start")
    first.open("/uebung/zweites-handy")
    code = re.search(r"\b[A-Z]{6}\b", first.page.inner_text("main"))
    assert code
    second.open("/uebung/")
    second.write("Code vom ersten Handy", code[0])
    second.tap("Code eingeben")
    second.see("Wer willst du sein?")
    second.open("/mehr")
    assert "/anmelden" in second.page.url
