"""What a phone asks for: files for ever under one version, manifest, service worker, offline page, and the node's health."""

import datetime as dt
import gzip
import json
import re
from pathlib import Path

import pytest

from app.core import clock
from app.core.db import Database
from app.web.pwa import WORKER_SILENT_S
from app.web.static import ROOT, script, version
from app.worker import note_heartbeat
from tests.conftest import MONDAY
from tests.web.tiny import Tiny, open_tiny

YEAR = "public, max-age=31536000, immutable"


@pytest.fixture
def tiny(sqlite_database: Database, tmp_path: Path) -> Tiny:
    return open_tiny(sqlite_database, tmp_path)


def test_a_static_file_is_kept_for_a_year_and_packed_once(tiny: Tiny) -> None:
    url = f"/static/{version()}/css/app.css"
    plain = tiny.client.get(url)
    packed = tiny.client.get(url, headers={"Accept-Encoding": "gzip"})
    assert plain.data == (ROOT / "css/app.css").read_bytes()
    assert gzip.decompress(packed.data) == plain.data
    assert {answer.headers["Cache-Control"] for answer in (plain, packed)} == {YEAR}
    assert {answer.headers["Vary"] for answer in (plain, packed)} == {"Accept-Encoding"}
    assert (plain.mimetype, packed.headers["Content-Encoding"]) == ("text/css", "gzip")
    assert plain.headers["X-Content-Type-Options"] == "nosniff"


def test_a_picture_is_not_packed_twice(tiny: Tiny) -> None:
    answer = tiny.client.get(f"/static/{version()}/icons/icon-192.png", headers={"Accept-Encoding": "gzip"})
    assert answer.mimetype == "image/png"
    assert "Content-Encoding" not in answer.headers
    assert answer.data == (ROOT / "icons/icon-192.png").read_bytes()


def test_our_scripts_travel_without_comments_and_foreign_ones_as_they_are(tiny: Tiny) -> None:
    ours, foreign = (tiny.client.get(f"/static/{version()}/{name}") for name in ("js/app.js", "vendor/htmx.min.js"))
    assert not re.search(r"^ *(//|/\*)", ours.text, re.M)
    assert "startWorker()" in ours.text
    assert foreign.data == (ROOT / "vendor/htmx.min.js").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../pyproject.toml",
        "..%2fpyproject.toml",
        "%2e%2e/%2e%2e/etc/passwd",
        "css/../../app/config.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "..\\pyproject.toml",
        "css",
        "css/",
        "vendor/CHECKSUMS",
        "vendor/LICENSE-htmx.txt",
        "css/missing.css",
        "css/app.css%00.png",
    ],
)
def test_nothing_but_static_files_leaves_that_door(tiny: Tiny, name: str) -> None:
    answer = tiny.client.get(f"/static/{version()}/{name}")
    assert answer.status_code in (308, 400, 404)
    assert b"[project]" not in answer.data
    assert b"root:" not in answer.data
    assert answer.headers["Cache-Control"] != YEAR


def test_the_manifest_makes_the_pages_an_app_whose_icons_are_there(tiny: Tiny) -> None:
    answer = tiny.client.get("/manifest.webmanifest")
    assert answer.mimetype == "application/manifest+json"
    body = json.loads(answer.data)
    assert (body["id"], body["start_url"], body["scope"], body["display"]) == ("/", "/", "/", "standalone")
    assert body["name"] == "Werkring"
    assert {icon.get("purpose") for icon in body["icons"]} == {None, "maskable"}
    assert [tiny.client.get(icon["src"]).status_code for icon in body["icons"]] == [200] * 3


def test_an_app_that_is_installed_while_practising_starts_in_the_real_firm(tiny: Tiny) -> None:
    answer = tiny.client.get("/manifest.webmanifest", environ_overrides={"SCRIPT_NAME": "/uebung"})
    body = json.loads(answer.data)
    assert (body["id"], body["start_url"], body["scope"], body["name"]) == ("/", "/", "/", "Werkring")


def test_the_service_worker_names_this_version_and_only_files_that_are_there(tiny: Tiny) -> None:
    answer = tiny.client.get("/sw.js")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Service-Worker-Allowed"] == "/"
    facts = dict(re.findall(r"const (\w+)=(.*?);", answer.text.splitlines()[0]))
    assert json.loads(facts["VERSION"]) == version()
    assert json.loads(facts["ROOT"]) == "/"
    shell = json.loads(facts["SHELL"])
    assert f"/static/{version()}/css/app.css" in shell
    assert [url for url in shell if tiny.client.get(url).status_code != 200] == []
    assert answer.text.endswith(script(ROOT / "sw.js"))


def test_the_offline_page_stands_alone(tiny: Tiny) -> None:
    answer = tiny.client.get("/offline")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Dafür brauchst du Netz." in answer.text


def test_a_node_is_well_while_its_worker_is_heard(tiny: Tiny) -> None:
    note_heartbeat(tiny.database)
    with clock.frozen(MONDAY + dt.timedelta(seconds=WORKER_SILENT_S - 1)):
        answer = tiny.client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"web": "ok", "database": "ok", "worker": "ok"})


@pytest.mark.parametrize("was_heard", [True, False])
def test_a_silent_worker_makes_the_node_ill(tiny: Tiny, was_heard: bool) -> None:
    if was_heard:
        note_heartbeat(tiny.database)
    with clock.frozen(MONDAY + dt.timedelta(seconds=WORKER_SILENT_S)):
        answer = tiny.client.get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"web": "ok", "database": "ok", "worker": "silent"})


def test_health_says_nothing_about_the_house(tiny: Tiny) -> None:
    answer = tiny.client.get("/healthz")
    assert answer.json is not None
    assert set(answer.json) == {"web", "database", "worker"}
    assert answer.headers["Cache-Control"] == "no-store, private"
