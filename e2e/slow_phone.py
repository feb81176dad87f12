"""A cheap phone on a slow network: python -m e2e.slow_phone prints one JSON line per figure; exit 1 on a miss.

Slow 4G (562 ms, 1.44 Mbit/s) and a processor four times slower than this machine's: the biggest thing in sight of five
screens, cold and warm, and the time from a tap to its visible answer; each the median of five runs.
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from e2e.full_house import House, furnish
from e2e.phone import FLAGS
from tests.bench.server import serving
from tests.long.race_world import MONDAY

ROUNDS = 5
GOALS_MS = {"cold": 1800, "warm": 1000, "answer": 1200}
"""G3, G4 and G5 of ux.md, section 5."""
NETWORK = {"offline": False, "latency": 562, "downloadThroughput": 1_440_000 / 8, "uploadThroughput": 675_000 / 8}
SLOWER, SETTLE_MS = 4, 500
SCREENS = {
    "S01 start": ("", "/"),
    "S14 answer": ("yilmaz foreman", "/anfragen/{waiting}"),
    "S21 request": ("keller manager", "/suchen"),
    "S22 plans": ("keller manager", "/suchen/{planned}/plaene"),
    "S24 sign": ("keller manager", "/vertraege/{unsigned}"),
}
WATCH_LCP = """
new PerformanceObserver((list) => { for (const entry of list.getEntries()) self.biggest = entry.startTime; })
  .observe({ type: "largest-contentful-paint", buffered: true });
"""


def main() -> int:
    """Fill a node, measure every figure, tell each at once."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        house = furnish(Path(folder) / "data")
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        with serving(house.folder, CLOCK_START=MONDAY.isoformat()) as server:
            results = measure_all(browser, f"http://localhost:{server.port}", house)
        browser.close()
    return 0 if all(results) else 1


def measure_all(browser: Browser, url: str, house: House) -> list[bool]:
    good = []
    for name, (who, path) in SCREENS.items():
        cold, warm = zip(*(views(browser, url, house, who, path) for _ in range(ROUNDS)), strict=True)
        good += [tell(name, "cold", cold), tell(name, "warm", warm)]
    good.append(tell("S14 tap on yes", "answer", [answer_ms(browser, url, house) for _ in range(ROUNDS)]))
    return good


def views(browser: Browser, url: str, house: House, who: str, path: str) -> tuple[float, float]:
    """Largest contentful paint of a first and of a second look, in ms."""
    page = slow_page(browser, url, house, who)
    address = path.format(**house.ids(who)) if who else path
    found = biggest_ms(page, address), biggest_ms(page, address)
    page.context.close()
    return found


def slow_page(browser: Browser, url: str, house: House, who: str) -> Page:
    """A phone that was never here; its service worker, which no throttle reaches, is left out."""
    context = browser.new_context(
        viewport={"width": 360, "height": 640}, device_scale_factor=2, is_mobile=True, has_touch=True, locale="de-DE",
        base_url=url, service_workers="block",
    )  # fmt: skip
    if who:
        context.add_cookies([{"name": "werkring", "value": house.cookie(who), "url": url}])
    context.add_init_script(WATCH_LCP)
    page = context.new_page()
    cdp = context.new_cdp_session(page)
    cdp.send("Network.enable")
    cdp.send("Network.emulateNetworkConditions", NETWORK)
    cdp.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return page


def biggest_ms(page: Page, address: str) -> float:
    page.goto(address, wait_until="load")
    page.wait_for_timeout(SETTLE_MS)
    return float(page.evaluate("() => self.biggest || 0"))


def answer_ms(browser: Browser, url: str, house: House) -> float:
    """From the tap on yes to the green band; then the answer is taken back for the next round."""
    page = slow_page(browser, url, house, "yilmaz foreman")
    page.goto("/anfragen/{waiting}".format(**house.ids("yilmaz foreman")), wait_until="networkidle")
    receipt = page.get_by_test_id("quittung")
    begun = time.monotonic()
    page.get_by_role("button", name="Ja, das geht").click(no_wait_after=True)
    receipt.wait_for()
    took = time.monotonic() - begun
    page.get_by_role("button", name="Rückgängig").first.click()
    page.get_by_role("button", name="Ja, das geht").wait_for()
    page.context.close()
    return took * 1000


def tell(screen: str, figure: str, values_ms: Sequence[float]) -> bool:
    value, goal = round(median(values_ms)), GOALS_MS[figure]
    line = {"screen": screen, "figure": f"{figure}_ms", "value": value, "goal": goal, "ok": 0 < value <= goal}
    print(json.dumps(line), flush=True)
    return bool(line["ok"])


if __name__ == "__main__":
    sys.exit(main())
