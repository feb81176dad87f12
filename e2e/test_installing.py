"""The app can be put on a phone: what Chromium asks of it before it offers that, and the icons it would use."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Playwright

from e2e.phone import FLAGS
from tests.bench.server import serving
from tests.long.race_world import MONDAY

ICONS = {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")}


def test_chromium_finds_nothing_against_installing(play: Playwright, tmp_path: Path) -> None:
    with serving(tmp_path / "data", CLOCK_START=MONDAY.isoformat()) as server:
        errors, manifest = what_chromium_says(play, f"http://localhost:{server.port}", tmp_path / "profile")
    assert errors == []
    assert {(icon["sizes"], icon.get("purpose", "any")) for icon in manifest["icons"]} >= ICONS
    assert manifest["display"] == "standalone"


def what_chromium_says(play: Playwright, url: str, profile: Path) -> tuple[list[Any], dict[str, Any]]:
    """(installability errors, the manifest); only a profile on disk may install."""
    context = play.chromium.launch_persistent_context(
        str(profile), executable_path="/usr/bin/chromium", args=FLAGS, base_url=url
    )
    page = context.new_page()
    page.goto("/")
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    errors = context.new_cdp_session(page).send("Page.getInstallabilityErrors")["installabilityErrors"]
    manifest = context.request.get("/manifest.webmanifest").json()
    context.close()
    return errors, manifest
