"""Lighthouse on a phone: python -m e2e.lighthouse; exit 1 below the goals.

First over the five screens that decide, then over every page on the way from the work to the money.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from app.config import load_config
from app.factory import create_app
from e2e.acts import (
    KELLER,
    YILMAZ,
    found_firm,
    invite_colleague,
    join_firm,
    link_partner,
    print_recovery_key,
    upload_free_hours,
    wait_for,
    wait_here,
    write_rate,
)
from e2e.full_house import move_in
from e2e.node import Node
from e2e.phone import FLAGS, Phone
from e2e.screens import SCREENS
from e2e.tour import touring

Result = dict[str, object]
GOALS = {"performance": 95, "accessibility": 100, "best-practices": 100}
TALL = [f"--screenEmulation.{name}" for name in ("mobile", "width=412", "height=3000", "deviceScaleFactor=1.75")]
WORK_ROOMS = ("bookings", "hours", "trouble", "invoices", "insights", "api")
TOOL = Path(__file__).parent / "node_modules/.bin/lighthouse"


def main() -> int:
    """Measure each screen as the person who sees it."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as play:
        folder = Path(name)
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            results = [*measure_main_job(browser, folder), *measure_work_to_money(browser, folder)]
        finally:
            browser.close()
    return 0 if all(result["ok"] for result in results) else 1


def measure_main_job(browser: Browser, folder: Path) -> list[Result]:
    """Play the story up to the signature, then measure."""
    node = Node.start(folder / "data")
    try:
        screens = play_until_signature(
            *(Phone.pick_up(browser, node.url, name) for name in ("Petra", "Deniz", "Jonas"))
        )
        return [measure(name, url, cookie, folder) for name, (url, cookie) in screens.items()]
    finally:
        node.stop()


def measure_work_to_money(browser: Browser, folder: Path) -> list[Result]:
    """Every page of these rooms in a house in which each has something to show."""
    house = move_in(folder / "house" / "data", folder / "furnished")
    app = create_app(load_config({"DATA_DIR": str(folder / "map")}))
    results = []
    with touring(browser, house, app) as walk:
        for endpoint, (screen, *_) in SCREENS.items():
            if endpoint.partition(".")[0] in WORK_ROOMS:
                phone, _ = walk.open(endpoint, screen)
                results.append(measure(endpoint, phone.page.url, cookie_of(phone), folder))
    return results


def play_until_signature(petra: Phone, deniz: Phone, jonas: Phone) -> dict[str, tuple[str, str]]:
    """Returns address and cookie of each screen."""
    found_firm(petra, KELLER)
    print_recovery_key(petra)
    link_partner(petra, deniz, YILMAZ)
    write_rate(deniz, YILMAZ)
    upload_free_hours(deniz, {"KW 49/2026": "25", "KW 50/2026": "25"})
    join_firm(jonas, invite_colleague(deniz, "Jonas Weber", "Meister"))
    petra.open("/suchen")
    petra.tap("5-Achs-Fräsen")
    petra.write("Stunden", "40")
    petra.page.locator("fieldset", has_text="Von wann").locator("label", has_text="KW 49").click()
    petra.page.locator("fieldset", has_text="Bis wann").locator("label", has_text="KW 50").click()
    petra.tap("Weiter")
    petra.tap("Keine freie Zeit")
    petra.tap("Weiter")
    petra.tap("Anfrage senden")
    petra.see("Gesendet an")
    request_url = petra.page.url
    wait_for(jonas, "5-Achs-Fräsen für Keller")
    answer_url = request_url.replace("/suchen/", "/anfragen/")
    screens = {"S01 start": (petra.base + "/", ""), "S21 request": (petra.base + "/suchen", cookie_of(petra))}
    screens["S14 answer"] = (answer_url, cookie_of(jonas))
    deniz.open(answer_url)
    deniz.tap("Ja, das geht")
    deniz.see("Danke.")
    wait_here(petra, "40 von 40")
    petra.tap("Pläne vergleichen")
    petra.see("Plan A wählen")
    screens["S22 plans"] = (petra.page.url, cookie_of(petra))
    petra.tap("Plan A wählen")
    petra.tap("Vereinbarung erstellen")
    petra.see("Prüfe die fünf Punkte")
    screens["S24 sign"] = (petra.page.url, cookie_of(petra))
    return screens


def cookie_of(phone: Phone) -> str:
    return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in phone.context.cookies())


def measure(name: str, url: str, cookie: str, folder: Path) -> Result:
    """Run Lighthouse once on one address; prints and returns its scores.

    A button that the fixed bar cuts in half at the height of its screen counts as too small there, although one scrolls on:
    what a tall screen does not find is none of the page.
    """
    found = run_lighthouse(url, cookie, folder)
    scores = {key: round(100 * found["categories"][key]["score"]) for key in GOALS}
    lcp_ms = round(found["audits"]["largest-contentful-paint"]["numericValue"])
    weight = round(found["audits"]["total-byte-weight"]["numericValue"])
    failed = [audit["id"] for audit in found["audits"].values() if audit.get("score") == 0]
    result: Result = {"screen": name, **scores, "lcp_ms": lcp_ms, "bytes": weight, "failed": failed}
    if scores["accessibility"] < GOALS["accessibility"] and "target-size" in failed:
        tall = run_lighthouse(url, cookie, folder, *TALL)
        result["accessibility_tall"] = scores["accessibility"] = round(
            100 * tall["categories"]["accessibility"]["score"]
        )
    result["ok"] = all(scores[key] >= goal for key, goal in GOALS.items())
    print(json.dumps(result), flush=True)
    return result


def run_lighthouse(url: str, cookie: str, folder: Path, *more: str) -> dict[str, Any]:
    """What Lighthouse says of one address."""
    report, headers = folder / "report.json", folder / "headers.json"
    headers.write_text(json.dumps({"Cookie": cookie} if cookie else {}))
    command = [
        str(TOOL), url, "--quiet", "--form-factor=mobile", "--throttling-method=simulate", f"--only-categories={','.join(GOALS)}",
        f"--chrome-flags=--headless=new {' '.join(FLAGS)}", f"--extra-headers={headers}", "--output=json",
        f"--output-path={report}", *more,
    ]  # fmt: skip
    subprocess.run(command, check=True, env=os.environ | {"CHROME_PATH": "/usr/bin/chromium"})
    found: dict[str, Any] = json.loads(report.read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
