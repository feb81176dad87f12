"""Take pictures of the gallery at phone size in all looks: python -m e2e.parts.shoot [page …]."""

import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Browser, sync_playwright

from e2e.parts.gallery import LOOKS, PAGES, ROOT, Facts, Link, World, render_page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SIZES = {"320": (320, 568), "360": (360, 640), "390": (390, 844), "1200": (1200, 900)}
SHOTS = ROOT / "e2e" / "shots" / "parts"


class Pages(SimpleHTTPRequestHandler):
    """Static files from the repository; a page of the gallery at /<look>/<page>."""

    def do_GET(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[0] not in LOOKS:
            return super().do_GET()
        body = page_of(parts[1], parts[0]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def page_of(name: str, look: str) -> str:
    """Return a page; the form is shown with its faults in one look, the list in the practice world."""
    world = World(True, "Yilmaz · Meister", links=(Link("#", "Wechseln"),)) if name == "anfragen" else World()
    errors = Facts().faults if (name, look) == ("formular", "dunkel") else ()
    return render_page(name, LOOKS[look], world, errors=errors)


def shoot(browser: Browser, base: str, name: str, look: str, size: str, full: bool) -> None:
    """Save one picture and stop on sideways scroll."""
    width, height = SIZES[size]
    scheme = "dark" if look == "dunkel" else "light"
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=1.5, locale="de-DE", color_scheme=scheme
    )
    page = context.new_page()
    page.on("console", lambda message: print(name, look, message.text) if message.type == "error" else None)
    page.goto(f"{base}/{look}/{name}")
    overflow = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow:
        print(f"sideways scroll of {overflow} px: {name} {look} {size}")
    page.screenshot(path=SHOTS / f"{name}-{size}-{look}{'-ganz' if full else ''}.png", full_page=full)
    context.close()


def main(names: list[str], sizes: list[str], looks: list[str]) -> None:
    """Serve on a free loopback port and take all pictures."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name in names:
            for look in looks:
                for size in sizes:
                    for full in (False, True):
                        shoot(browser, f"http://127.0.0.1:{server.server_port}", name, look, size, full)
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:] or list(PAGES), list(SIZES), list(LOOKS))
