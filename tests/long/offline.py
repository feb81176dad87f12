"""A worker reports hours while the net is cut at random points and pages are killed: nothing lost, nothing doubled."""

import datetime as dt
import random
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from app.config import load_config
from app.core.db import Database
from app.hours.models import HourEntry
from e2e.full_house import House, furnish
from e2e.net import Net
from e2e.phone import FLAGS
from tests.bench.server import free_port, serving
from tests.long.race_world import MONDAY

FRIDAY = MONDAY + dt.timedelta(days=4)
SENDS, SHORT_SENDS = 100, 5
CUTS = ("before", "up", "down", "none")
OPEN_QUEUE = (
    "async () => { await import(document.querySelector('script[type=module]').src.replace('app.js', 'hours.js')); }"
)
IS_KEPT = """() => location.pathname === "/stunden" || !document.querySelector("[data-testid=gemerkt]")?.hidden"""
COPIED = """async (path) => {
  for (let tried = 0; tried < 200; tried++) {
    for (const name of await caches.keys()) if (await (await caches.open(name)).match(path)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}"""


def run(is_short: bool, seed: int) -> dict[str, Any]:
    """The whole harness with a house and a browser of its own."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        house = furnish(Path(folder) / "data")
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        found = send_hours(browser, house, SHORT_SENDS if is_short else SENDS, seed)
        browser.close()
    return found


def send_hours(browser: Browser, house: House, count: int, seed: int) -> dict[str, Any]:
    """Report `count` quarter hours over a net that tears; returns what the node holds afterwards."""
    luck, port, inner = random.Random(seed), free_port(), free_port()
    before = entries(house)
    with serving(house.folder, port=inner, CLOCK_START=FRIDAY.isoformat(), PUBLIC_URL=f"http://localhost:{port}"):
        net = Net(port, inner)
        worker = Worker(browser, house, net, f"http://localhost:{port}")
        for number in range(count):
            worker.report(number, luck)
        left = worker.come_back()
        worker.context.close()
        net.close()
    sent = entries(house) - before
    doubled = sum(seen - 1 for seen in sent.values() if seen > 1)
    lost = count - len(sent)
    return {"ok": not (lost or doubled or left), "sends": count, "lost": lost, "doubled": doubled, "unsent": left}


def entries(house: House) -> "Counter[str]":
    """How often each entry stands in the worker's house: each bears its own number of parts."""
    database = Database(load_config({"DATA_DIR": str(house.folder)}).database_url)
    firm_id = house.houses["yilmaz"].firm.id
    with database.read() as session:
        rows = session.execute(sa.select(HourEntry.quantity).where(HourEntry.firm_id == firm_id)).scalars()
        found = Counter(str(quantity) for quantity in rows if quantity)
    database.close()
    return found


class Worker:
    """Somebody with a phone at the machine."""

    def __init__(self, browser: Browser, house: House, net: Net, url: str) -> None:
        self.net, self.url = net, url
        self.path = f"/auftrag/{house.ids('yilmaz worker')['work']}/stunden"
        self.context: BrowserContext = browser.new_context(
            viewport={"width": 360, "height": 640}, locale="de-DE", timezone_id="Europe/Berlin", base_url=url,
        )  # fmt: skip
        self.context.clock.set_fixed_time(FRIDAY)
        self.context.add_cookies([{"name": "werkring", "value": house.cookie("yilmaz worker"), "url": url}])
        self.page = self.open("/heute")
        self.page.evaluate("async () => { await navigator.serviceWorker.ready; }")
        self.page.wait_for_function("() => navigator.serviceWorker.controller !== null")
        self.page.reload()
        assert self.page.evaluate(COPIED, self.path)

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(path)
        return page

    def report(self, number: int, luck: random.Random) -> None:
        """Open the page, type, tap, and let the net tear somewhere; the page may be killed on the way."""
        cut = luck.choice(CUTS)
        if luck.random() < 0.5:
            self.net.cut()  # the page itself comes from the phone then
        with suppress(Error):
            self.page.goto(self.path)
        self._fill(number)
        if cut != "before":
            self.net.mend()
        else:
            self.net.cut()
        if cut in ("up", "down"):
            self.net.cut_after(cut, luck.randrange(900))
        self.page.get_by_test_id("stunden-senden").click(no_wait_after=True)
        self._wait_until_kept()
        if luck.random() < 0.4:
            self.page.close()
            self.net.mend()
            self.page = self.open("/heute")
        else:
            self.net.mend()

    def come_back(self) -> int:
        """The net is back and the app is opened; returns how many entries still wait after that."""
        self.net.mend()
        self.page.close()
        self.page = self.open("/mehr")  # the list of hours would draw itself anew under our hands
        self.page.evaluate(
            "async () => { await import(document.querySelector('script[type=module]').src.replace('app.js', 'hours.js')); }"
        )
        return int(
            self.page.evaluate(
                """async () => {
                  for (let tried = 0; tried < 100; tried++) {
                    await self.waiting.sendAll();
                    if (!(await self.waiting.list()).length) return 0;
                    await new Promise((resolve) => setTimeout(resolve, 100));
                  }
                  return (await self.waiting.list()).length;
                }"""
            )
        )

    def _fill(self, number: int) -> None:
        self.page.get_by_label("Wie viele Stunden").fill("0,25")
        details = self.page.locator("details")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        day = (FRIDAY - dt.timedelta(days=number % 5)).date()
        self.page.get_by_test_id(f"day-{day}").check(force=True)
        self.page.get_by_label("Teile").fill(str(number + 1))

    def _wait_until_kept(self) -> None:
        """Either the next page, or the words that it is kept."""
        self.page.wait_for_function(IS_KEPT)
