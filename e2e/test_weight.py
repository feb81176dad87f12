"""What the first view costs on a bad network: all bytes as they travel, counted by the browser itself."""

import gzip
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from app.web.static import script
from e2e.full_house import House
from e2e.node import ROOT
from tests.bench.server import serving
from tests.long.race_world import MONDAY

MOST_FIRST, MOST_NEXT, MOST_SCRIPT = 60_000, 12_000, 25_000
"""Bytes: the first view with all its files, a following page, and all JavaScript together (ux.md, section 5)."""
SCREENS = {
    "Anfrage": ("keller manager", "/suchen/{sent}"),
    "Suchen": ("keller manager", "/suchen"),
    "Antwort": ("yilmaz foreman", "/anfragen/{waiting}"),
    "Pläne": ("keller manager", "/suchen/{planned}/plaene"),
    "Plan": ("keller manager", "/plaene/{plan}"),
    "Unterschrift": ("keller manager", "/vertraege/{unsigned}"),
}


@pytest.fixture(scope="module")
def url(house: House) -> Iterator[str]:
    with serving(house.folder, CLOCK_START=MONDAY.isoformat()) as server:
        yield f"http://localhost:{server.port}"


@pytest.mark.parametrize("screen", SCREENS)
def test_the_first_view_and_the_next_page_stay_small(browser: Browser, house: House, url: str, screen: str) -> None:
    who, path = SCREENS[screen]
    check_weight(browser, url, path.format(**house.ids(who)), house.cookie(who))


def check_weight(browser: Browser, url: str, path: str, cookie: str = "") -> None:
    """Both views of a page, by a browser that was never here."""
    # a service worker would load the page in the browser's stead, and out of sight of the counter
    context = browser.new_context(base_url=url, locale="de-DE", service_workers="block")
    if cookie:
        context.add_cookies([{"name": "werkring", "value": cookie, "url": url}])
    page = context.new_page()
    first, following = weigh(page, path), weigh(page, path)
    context.close()
    assert 5_000 < first <= MOST_FIRST
    assert 500 < following <= MOST_NEXT


def weigh(page: Page, path: str) -> int:
    """Encoded bytes, heads included, of a page and everything that it loads."""
    sizes: list[int] = []
    cdp = page.context.new_cdp_session(page)
    cdp.send("Network.enable")
    cdp.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.goto(path, wait_until="networkidle")
    cdp.detach()
    return sum(sizes)


def test_all_javascript_together_stays_small() -> None:
    scripts = list(ROOT.glob("static/**/*.js"))
    assert len(scripts) >= 5
    assert sum(len(gzip.compress(script(path).encode())) for path in scripts) <= MOST_SCRIPT
