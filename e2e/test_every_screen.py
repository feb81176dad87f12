"""Every real page on a small phone: no fault for axe, nothing cut, nothing small, in three looks and two languages."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, TimeoutError

from app.config import load_config
from app.factory import create_app
from e2e.acts import KELLER
from e2e.full_house import House
from e2e.phone import Phone
from e2e.screens import (
    ANSWERS,
    BROKEN,
    CLOSED,
    EMPTY,
    NO_PAGES,
    NOBODY,
    OPERATOR,
    PETRA,
    PLAYED,
    REFUSED,
    SCREENS,
    Screen,
)
from e2e.tour import Tour, all_screens, touring
from tests.bench.server import serving
from tests.long.race_world import MONDAY

EMPTY_THE_FORM = """
() => {
  const form = document.querySelector("main form:has(.aktion)")
    ?? document.querySelector("main form:has(input:not([type=hidden]), textarea)");
  for (const field of form.querySelectorAll("input:not([type=hidden], [type=file]), textarea")) {
    if (["radio", "checkbox"].includes(field.type)) field.checked = false; else field.value = "";
  }
  form.noValidate = true;
  form.requestSubmit();
}
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Only for its addresses."""
    return create_app(load_config({"DATA_DIR": str(tmp_path_factory.mktemp("map"))}))


@pytest.fixture(scope="module")
def tour(browser: Browser, house: House, app: Flask) -> Iterator[Tour]:
    with touring(browser, house, app) as walk:
        yield walk


def test_every_page_has_its_row(app: Flask) -> None:
    pages = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    assert pages - NO_PAGES - PLAYED == set(SCREENS)
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= ANSWERS


def test_every_page_is_good_in_three_looks(tour: Tour) -> None:
    found = {}
    for name, endpoint, screen in all_screens():
        phone, answer = tour.open(endpoint, screen)
        faults = tour.judge(name, phone, endpoint)
        if answer.status != screen.status:
            faults = [f"answers {answer.status}", *faults]
        found |= {name: faults} if faults else {}
    assert found == {}


def test_a_form_that_is_sent_empty_comes_back_with_its_errors(tour: Tour) -> None:
    found = {}
    for endpoint in BROKEN:
        screen = SCREENS[endpoint][-1 if endpoint == "machines.new" else 0]
        phone, _ = tour.open(endpoint, screen)
        phone.page.evaluate(EMPTY_THE_FORM)
        with suppress(TimeoutError):
            phone.page.locator("#fehlerliste").wait_for()
        faults = phone.judge(f"{endpoint}-fehler")
        if not phone.page.title().startswith("Fehler:") or not phone.page.locator("#fehlerliste").count():
            faults = [f"tells of no error: {phone.page.url}", *faults]
        found |= {endpoint: faults} if faults else {}
    assert found == {}


def test_what_a_check_finds_stands_on_good_pages(tour: Tour) -> None:
    manager, stranger, found = tour.phone(PETRA), tour.phone(NOBODY), {}
    path = f"/vertraege/{tour.house.ids(PETRA)['agreement']}"
    good, pdf = (manager.page.request.get(f"{path}/{name}").body() for name in ("beweis.json", "text.pdf"))
    changed = good.replace(b"Einzelauftrag", b"Einzelbetrag", 1)
    for name, file, verdict in (
        ("stimmt", good, "Alles stimmt."),
        ("pdf", pdf, "Alles stimmt."),
        ("stimmt-nicht", changed, "Etwas stimmt nicht."),
        ("unbrauchbar", b"hallo", "Das ist kein Nachweis."),
    ):
        stranger.page.goto("/pruefen?zeile=1")
        stranger.page.get_by_label("Datei wählen").set_input_files({"name": name, "mimeType": "x/y", "buffer": file})
        stranger.tap("Prüfen", exact=True)
        stranger.see(verdict)
        found |= {name: faults} if (faults := stranger.judge(f"pruefen-{name}")) else {}
    assert found == {}


def test_a_refusal_is_a_good_page_too(tour: Tour) -> None:
    found = {}
    for name, (who, path, status) in REFUSED.items():
        phone = tour.phone(who)
        answer = phone.page.goto(path)
        assert answer is not None
        assert answer.status == status
        found |= {name: faults} if (faults := phone.judge(name)) else {}
    assert found == {}


def test_a_house_that_takes_no_new_firms_says_so_on_good_pages(browser: Browser, house: House) -> None:
    with serving(house.folder, CLOCK_START=MONDAY.isoformat(), FIRMS_MAY_JOIN="off") as server:
        phone = Phone.pick_up(browser, f"http://localhost:{server.port}", "Fremd")
        for name, (path, status) in CLOSED.items():
            answer = phone.page.goto(path.format(**house.ids("keller manager")))
            assert answer is not None
            assert answer.status == status
            assert phone.page.get_by_role("link", name="Betrieb einrichten").count() == 0
            phone.judge(name)
        phone.context.close()
    assert {screen: found for screen, found in phone.judged.items() if found} == {}


def test_whoever_confirms_a_link_from_another_node_sees_a_good_page(
    browser: Browser, house: House, app: Flask, tmp_path: Path
) -> None:
    """The second firm's manager: the other node is a copy of this one, in which Brandt invites."""
    shutil.copytree(house.folder, tmp_path / "data")
    token = house.ids("keller manager")["partner_token"]
    with ExitStack() as stack:
        other = stack.enter_context(serving(tmp_path / "data", CLOCK_START=MONDAY.isoformat()))
        near = f"localhost:{other.port}"
        told = {"CLOCK_START": MONDAY.isoformat(), "FEDERATION_TEST_NODES": near}
        server = stack.enter_context(serving(house.folder, **told))
        tour = Tour(browser, f"http://localhost:{server.port}", house, app)
        stack.callback(tour.end)
        query = f"?link=http://{near}/join/{token}"
        phone, _ = tour.open("federation.enter_link", Screen("yilmaz manager", query=query))
        phone.tap("Weiter")
        phone.see("möchte euer Partner werden")
        assert tour.judge("federation.check_link", phone, "federation.check_link") == []
        house.speak("en")
        stack.callback(house.speak, "de")
        phone.page.reload()
        assert phone.judge_language("en") == []


def test_a_manager_who_lost_every_phone_comes_back_on_good_pages(tour: Tour) -> None:
    """The sheet is written down from the screen of the first phone; the second phone is a new one."""
    first, second = (Phone.pick_up(tour.browser, tour.url, name) for name in ("Alt", "Neu"))
    found_in_steps(first, "Wieder Metallbau", "Wieder")
    words = " ".join(first.page.get_by_test_id("notfallschluessel").locator("li b").all_inner_texts())
    second.open("/notfall")
    second.write("Die 24 Wörter", words)
    second.tap("Weiter")
    second.see("Neues Gerät einrichten")
    second.judge("notfall-person")
    second.tap("Fingerabdruck")
    second.see_receipt("Geschafft. Deine alten Schlüssel sind gesperrt.")
    second.judge("notfall-geschafft")
    second.open("/notfall/schluessel")
    second.see("Der Notfallschlüssel ist gedruckt.")
    second.judge("notfall-gedruckt")
    faults = {screen: found for screen, found in second.judged.items() if found}
    for phone in (first, second):
        phone.context.close()
    assert faults == {}


def test_a_new_firm_meets_good_pages_from_its_first_tap_to_its_empty_lists(tour: Tour) -> None:
    """The two steps after the form, a worker's first steps, and every list that has nothing to show yet."""
    phone = Phone.pick_up(tour.browser, tour.url, "Neu")
    found_in_steps(phone)
    for path in EMPTY:
        phone.page.goto(path)
        phone.judge(f"neu{path.replace('/', '-')}")
    faults = {screen: found for screen, found in phone.judged.items() if found}
    phone.context.close()
    assert faults == {}


def found_in_steps(phone: Phone, name: str = "Neu Metallbau", short: str = "Neu") -> None:
    phone.open("/betrieb/neu")
    for label, text in (
        ("Vor- und Nachname", KELLER.manager), ("E-Mail-Adresse", "neu@firma.example"), ("Name des Betriebs", name),
        ("Kurzer Name", short), ("Straße", KELLER.street), ("Postleitzahl", KELLER.postcode), ("Ort", KELLER.town),
    ):  # fmt: skip
        phone.write(label, text)
    phone.tap("Weiter")
    phone.see("Schritt 2 von 3")
    phone.judge("betrieb-schritt-2")
    phone.tap("Fingerabdruck")
    phone.see("Schritt 3 von 3")
    phone.judge("betrieb-schritt-3")
    phone.tap("Fingerabdruck")
    phone.page.wait_for_url(re.compile("/schluessel$"))


def test_every_page_speaks_english_without_scrolling_sideways(tour: Tour) -> None:
    tour.house.speak("en")
    found = {}
    with english_visitors(tour):
        for name, endpoint, screen in all_screens():
            phone, _ = tour.open(endpoint, screen)
            found |= {name: faults} if (faults := phone.judge_language("en")) else {}
    tour.house.speak("de")
    assert found == {}


@contextmanager
def english_visitors(tour: Tour) -> Iterator[None]:
    contexts = [tour.phone(who).context for who in (NOBODY, OPERATOR)]
    for context in contexts:
        context.add_cookies([{"name": "language", "value": "en", "url": tour.url}])
    yield
    for context in contexts:
        context.clear_cookies(name="language")
