"""A browser without JavaScript: whoever is signed in asks, answers, answers in part and offers free hours all the same."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.full_house import House
from tests.bench.server import serving
from tests.long.race_world import MONDAY


@pytest.fixture(scope="module")
def url(house: House) -> Iterator[str]:
    with serving(house.folder, CLOCK_START=MONDAY.isoformat()) as server:
        yield f"http://localhost:{server.port}"


def sign_in(browser: Browser, url: str, cookie: str) -> Page:
    """The start page of somebody whose browser runs no script; the passkey was asked for elsewhere."""
    context = browser.new_context(
        viewport={"width": 360, "height": 640}, locale="de-DE", base_url=url, java_script_enabled=False
    )
    context.set_default_timeout(30_000)
    context.add_cookies([{"name": "werkring", "value": cookie, "url": url}])
    page = context.new_page()
    page.goto("/")
    return page


def tap(page: Page, role: str, name: str) -> None:
    page.get_by_role(role, name=name).first.click()  # type: ignore[arg-type]


def test_a_manager_asks_for_hours(browser: Browser, url: str, house: House) -> None:
    page = sign_in(browser, url, house.cookie("brandt manager"))
    tap(page, "link", "Suchen")
    page.locator("label", has_text="5-Achs-Fräsen").first.click()
    page.get_by_label("Wie viele Stunden").fill("40")
    page.locator("fieldset", has_text="Von wann").locator("label", has_text="KW 49").click()
    page.locator("fieldset", has_text="Bis wann").locator("label", has_text="KW 50").click()
    tap(page, "button", "Weiter")
    page.locator("label", has_text="Keine freie Zeit").click()
    tap(page, "button", "Weiter")
    tap(page, "button", "Anfrage senden")
    expect(page.get_by_text("Gesendet an")).to_be_visible()
    page.context.close()


def test_a_foreman_answers_yes_and_takes_it_back_and_offers_a_part(browser: Browser, url: str, house: House) -> None:
    page = sign_in(browser, url, house.cookie("yilmaz foreman"))
    tap(page, "link", "5-Achs-Fräsen für Keller")
    tap(page, "button", "Ja, das geht")
    expect(page.get_by_text("Danke. Keller weiß Bescheid.")).to_be_visible()
    tap(page, "button", "Rückgängig")
    tap(page, "link", "Ein Teil geht")
    page.get_by_label("Stunden").first.fill("10")
    tap(page, "button", "Vorschlag senden")
    expect(page.get_by_text("Danke. Keller weiß Bescheid.")).to_be_visible()
    page.context.close()


def test_a_foreman_offers_free_hours_with_the_steps_of_the_counter(browser: Browser, url: str, house: House) -> None:
    page = sign_in(browser, url, house.cookie("lindner foreman"))
    tap(page, "link", "Anbieten")
    page.locator("label", has_text="KW 48").click()
    page.get_by_label("Wie viele Stunden").fill("24")
    tap(page, "button", "Mehr")
    expect(page.get_by_label("Wie viele Stunden")).to_have_value("24,5")
    tap(page, "button", "Anbieten")
    expect(page.get_by_text("Gemerkt")).to_be_visible()
    page.context.close()


def test_a_stranger_checks_the_evidence_of_an_agreement(browser: Browser, url: str, house: House) -> None:
    page = sign_in(browser, url, house.cookie("keller manager"))
    evidence = page.request.get(f"/vertraege/{house.ids('keller manager')['agreement']}/beweis.json").body()
    page.context.clear_cookies()
    page.goto("/")
    tap(page, "link", "Nachweis prüfen")
    page.get_by_label("Datei wählen").set_input_files(
        {"name": "beweis.json", "mimeType": "application/json", "buffer": evidence}
    )
    tap(page, "button", "Prüfen")
    expect(page.get_by_text("Alles stimmt.")).to_be_visible()
    page.context.close()


def test_an_empty_field_is_told_on_the_page(browser: Browser, url: str, house: House) -> None:
    page = sign_in(browser, url, house.cookie("brandt manager"))
    tap(page, "link", "Suchen")
    page.get_by_label("Wie viele Stunden").fill("viele")
    tap(page, "button", "Weiter")
    expect(page).to_have_title("Fehler: Kapazität suchen")
    expect(page.get_by_label("Wie viele Stunden")).to_have_value("viele")
    page.context.close()
