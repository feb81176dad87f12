"""Take pictures of the gallery at phone size in all looks: python -m e2e.parts.shoot [page …]."""

import sys
from collections.abc import Sequence

from playwright.sync_api import Browser, sync_playwright

from e2e.parts.gallery import LOOKS, PAGES, ROOT
from e2e.parts.serve import FLAGS, Gallery

SIZES = {"320": (320, 568), "360": (360, 640), "390": (390, 844), "1200": (1200, 900)}
SHOTS = ROOT / "e2e" / "shots" / "parts"


def shoot(browser: Browser, base: str, name: str, look: str, size: str) -> None:
    """Save the first view and the whole page; say so when a page scrolls sideways."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1.5,
        locale="de-DE",
        color_scheme="dark" if look == "dunkel" else "light",
        service_workers="block",
    )
    page = context.new_page()
    page.goto(f"{base}/{look}/{name}")
    overflow = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow:
        print(f"sideways scroll of {overflow} px: {name} {look} {size}")
    page.wait_for_timeout(300)
    page.screenshot(path=SHOTS / f"{name}-{size}-{look}.png")
    page.screenshot(path=SHOTS / f"{name}-{size}-{look}-ganz.png", full_page=True)
    context.close()


def main(names: Sequence[str], sizes: Sequence[str] = tuple(SIZES), looks: Sequence[str] = tuple(LOOKS)) -> None:
    """Take all pictures from a server of our own on a free loopback port."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    gallery = Gallery()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name in names:
            for look in looks:
                for size in sizes:
                    shoot(browser, gallery.url, name, look, size)
        browser.close()
    gallery.close()


if __name__ == "__main__":
    main(sys.argv[1:] or PAGES)
