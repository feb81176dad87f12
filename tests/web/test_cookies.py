"""On a node with TLS no other host and no plain page can plant or read a cookie of ours."""

from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from app.core.db import Database
from app.web.cookies import kept_look
from app.web.world import config, join_world, world
from tests.web.tiny import Tiny, open_tiny
from tests.world import make_world

PUBLIC = "https://werkring.example"
HEADERS = {"Origin": PUBLIC, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def tiny(sqlite_database: Database, tmp_path: Path) -> Tiny:
    with sqlite_database.write() as session:
        keller = make_world(session, ("keller",))["keller"]
    tiny = open_tiny(sqlite_database, tmp_path, PUBLIC)
    tiny.acting[0] = keller.actor()
    return tiny


def cookies_of(answer: TestResponse) -> list[str]:
    return answer.headers.getlist("Set-Cookie")


def test_every_small_cookie_of_a_node_with_tls_belongs_to_this_host_alone(tiny: Tiny) -> None:
    client = tiny.app.test_client()
    asked = client.post("/ansicht", base_url=PUBLIC, headers=HEADERS, data={"light": "sonne", "language": "en"})
    done = client.post("/t/tat", base_url=PUBLIC, headers=HEADERS, data={"wert": "x"})
    tiny.acting[0] = None
    stranger = client.get("/t/schein", base_url=PUBLIC)
    begun = client.post("/anmelden/optionen", base_url=PUBLIC, headers=HEADERS, json={})
    found = [line for answer in (asked, done, stranger, begun) for line in cookies_of(answer)]
    names = {line.partition("=")[0] for line in found}
    assert names == {f"__Host-{name}" for name in ("light", "language", "quittung", "browser", "zeremonie")}
    for line in found:
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(line.split("; "))
        assert "Domain" not in line


def test_what_was_kept_is_read_again_and_a_receipt_is_forgotten_when_shown(tiny: Tiny) -> None:
    client = tiny.app.test_client()
    client.post("/t/tat", base_url=PUBLIC, headers=HEADERS, data={"wert": "x"})
    tiny.acting[0] = None
    client.post("/ansicht", base_url=PUBLIC, headers=HEADERS, data={"light": "sonne"})
    shown = client.get("/", base_url=PUBLIC)
    assert "Gemerkt." in shown.text
    assert 'data-licht="sonne"' in shown.text
    forgotten = next(line for line in cookies_of(shown) if line.startswith("__Host-quittung="))
    assert "Secure" in forgotten
    assert "Max-Age=0" in forgotten
    assert "Gemerkt." not in client.get("/", base_url=PUBLIC).text


def test_the_practice_world_takes_the_look_of_the_real_one_until_it_has_its_own(tiny: Tiny) -> None:
    with tiny.app.app_context():
        join_world(tiny.app, replace(world(), config=replace(config(), is_practice=True)))
    for cookie, expected in (
        ("__Host-light=sonne", "sonne"),
        ("__Host-light=sonne; __Secure-light=dunkel", "dunkel"),
        ("light=geplant", ""),
    ):
        with tiny.app.test_request_context(headers={"Cookie": cookie}):
            assert kept_look("light") == expected
