"""Foreign forms are refused, every answer carries its headers, pages are packed, and there is one public name."""

import gzip
import re
from pathlib import Path

import pytest

from app.core.db import Database
from app.web.security import FILE_POLICY, HEADERS, PACKED_FROM_BYTES
from tests.web.tiny import Tiny, open_tiny
from tests.world import make_world

PUBLIC = "https://werkring.example"
LOCAL = "http://localhost:8000"


@pytest.fixture
def tiny(sqlite_database: Database, tmp_path: Path) -> Tiny:
    with sqlite_database.write() as session:
        keller = make_world(session, ("keller", "yilmaz"))["keller"]
    tiny = open_tiny(sqlite_database, tmp_path)
    tiny.acting[0] = keller.actor()
    return tiny


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none", "Origin": "http://localhost"},
    ],
)
def test_a_form_of_our_own_page_is_taken(tiny: Tiny, headers: dict[str, str]) -> None:
    assert tiny.post(wert="x", headers=headers).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://localhost:81"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "https://localhost"},
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 32},
        {"X-CSRF-Token": "ä" * 32},
    ],
)
def test_a_form_from_elsewhere_is_refused_and_does_nothing(tiny: Tiny, headers: dict[str, str]) -> None:
    answer = tiny.post(wert="x", headers=headers)
    assert answer.status_code == 403
    assert tiny.done() == []


def test_an_old_browser_proves_itself_with_the_token_of_its_sign_in(tiny: Tiny) -> None:
    token = tiny.client.get("/t/schein").text
    assert re.fullmatch("[0-9a-f]{32}", token)
    assert tiny.post(wert="eins", headers={}, csrf=token).status_code == 303
    assert tiny.post(wert="zwei", headers={"X-CSRF-Token": token}).status_code == 303
    assert tiny.post(wert="ohne", headers={"Sec-Fetch-Site": "same-origin"}, csrf=token).status_code == 303
    assert tiny.post(wert="falsch", headers={}, csrf="ä").status_code == 403
    tiny.acting[0] = None
    assert tiny.client.get("/t/schein").text != token
    assert tiny.post(wert="drei", headers={}, csrf=token).status_code == 403


def test_each_strangers_browser_has_a_token_of_its_own(tiny: Tiny) -> None:
    tiny.acting[0] = None
    mine, other = tiny.app.test_client(), tiny.app.test_client()
    token = mine.get("/t/schein").text
    assert mine.get("/t/schein").text == token
    assert other.get("/t/schein").text != token
    cookie = mine.get_cookie("browser")
    assert cookie is not None
    assert cookie.http_only
    assert mine.post("/ansicht", data={"light": "sonne", "csrf": token}).status_code == 303
    assert other.post("/ansicht", data={"light": "sonne", "csrf": token}).status_code == 403


def test_a_token_does_not_help_a_page_that_says_it_is_foreign(tiny: Tiny) -> None:
    token = tiny.client.get("/t/schein").text
    assert tiny.post(wert="x", headers={"Sec-Fetch-Site": "cross-site"}, csrf=token).status_code == 403
    assert tiny.post(wert="x", headers={"Origin": "https://evil.example"}, csrf=token).status_code == 403


@pytest.mark.parametrize("path", ["/t/offen", "/t/seite", "/gibt-es-nicht", "/t/fehler/absturz", "/healthz"])
def test_every_answer_carries_the_headers_also_when_it_failed(tiny: Tiny, path: str) -> None:
    found = tiny.client.get(path).headers
    assert {name: found.get(name) for name in HEADERS} == HEADERS
    assert found["Cache-Control"] == "no-store, private"
    assert "Strict-Transport-Security" not in found
    policy = found["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("policy", [HEADERS["Content-Security-Policy"], FILE_POLICY])
def test_no_page_and_no_file_can_be_framed_or_send_its_links_elsewhere(policy: str) -> None:
    assert {"object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "CONNECT"])
def test_a_verb_that_no_page_uses_does_nothing(tiny: Tiny, method: str) -> None:
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin", "X-Geheim": "zurueck"}
    answer = tiny.client.open("/t/tat", method=method, headers=own)
    assert answer.status_code == 405
    assert "zurueck" not in answer.text
    assert tiny.done() == []


def test_only_a_node_with_tls_promises_tls(sqlite_database: Database, tmp_path: Path) -> None:
    secure = open_tiny(sqlite_database, tmp_path, PUBLIC)
    answer = secure.client.get("/t/offen", base_url=PUBLIC)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "127.0.0.1", "localhost:9000"])
def test_whoever_typed_an_address_is_sent_to_the_name_that_passkeys_know(
    sqlite_database: Database, tmp_path: Path, host: str
) -> None:
    tiny = open_tiny(sqlite_database, tmp_path, LOCAL)
    answer = tiny.client.get("/t/offen?viel=2", base_url=f"http://{host}")
    assert (answer.status_code, answer.headers["Location"]) == (302, LOCAL + "/t/offen?viel=2")
    assert tiny.client.get("/healthz", base_url=f"http://{host}").status_code != 302
    assert tiny.client.get("/t/offen", base_url=LOCAL).status_code == 200


def test_a_false_host_name_leads_nowhere_else(sqlite_database: Database, tmp_path: Path) -> None:
    tiny = open_tiny(sqlite_database, tmp_path, LOCAL)
    answer = tiny.client.get("/t/seite", base_url="http://evil.example")
    assert "evil.example" not in answer.headers.get("Location", "") + answer.text


def test_long_pages_are_packed_for_those_who_can_unpack_and_short_ones_are_not(tiny: Tiny) -> None:
    length = PACKED_FROM_BYTES
    packed = tiny.client.get(f"/t/offen?viel={length}", headers={"Accept-Encoding": "gzip"})
    plain = tiny.client.get(f"/t/offen?viel={length}")
    short = tiny.client.get(f"/t/offen?viel={length - 1}", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data == b"x" * length
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert int(packed.headers["Content-Length"]) == len(packed.data) < 100
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in short.headers


def test_a_way_back_from_outside_never_leaves_the_house(tiny: Tiny) -> None:
    tiny.acting[0] = None
    answer = tiny.client.get("/t/seite")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/anmelden?weiter=/t/seite"
