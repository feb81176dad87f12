"""S05 and the reports of phones, over HTTP."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.db import Database
from app.factory import create_app
from app.firms.access import Role
from app.passkeys.sessions import cookie_name, start_sign_in
from app.push.actions import alert_people
from app.push.delivery import send_due_alerts
from app.push.models import Alert, PushDevice
from app.push.rules import endpoint_mark
from app.push.vapid import vapid_public_key
from tests.conftest import MONDAY
from tests.push.service import PushService
from tests.push.world import PushWorld, make_push_world

SAME = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
FORM = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def site(sqlite_database: Database, tmp_path: Path) -> Iterator[tuple[PushWorld, PushService]]:
    world = make_push_world(sqlite_database, tmp_path)
    service = PushService(vapid_public_key(world.database, world.config))
    world.config = replace(world.config, push_test_hosts=(service.host,))
    yield world, service
    service.close()


@pytest.fixture
def client(site: tuple[PushWorld, PushService]) -> FlaskClient:
    return client_of(site[0], Role.FOREMAN)


def client_of(world: PushWorld, role: Role) -> FlaskClient:
    """A browser in which a person of Yilmaz is signed in."""
    with world.database.write() as session:
        person = world.yilmaz.people[role]
        new = start_sign_in(session, world.yilmaz.id, person, "Android-Handy", has_passkey=True)
    client = create_app(world.config, world.database).test_client()
    client.set_cookie(cookie_name(world.config), new.secret, domain="localhost")
    return client


def subscribe(client: FlaskClient, service: PushService, name: str = "jonas", **platform: object) -> TestResponse:
    body = {"subscription": service.new_phone(name).json(), "platform": {"os": "android", "actions": 2} | platform}
    headers = SAME | {"User-Agent": "Mozilla/5.0 (Linux; Android 15)"}
    return client.post("/push/geraet", json=body, headers=headers)


class Heads(HTMLParser):
    """Counts what a page may have once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings = self.primaries = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.headings += tag == "h1"
        self.primaries += dict(attrs).get("class") in ("knopf pri", "knopf ja")


def page(client: FlaskClient, path: str = "/nachrichten") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    if path == "/nachrichten":
        heads = Heads(answer.text)
        assert (heads.headings, heads.primaries <= 1) == (1, True)
    return answer.text


def test_the_page_asks_first_and_carries_the_servers_key(
    site: tuple[PushWorld, PushService], client: FlaskClient
) -> None:
    text = page(client)
    assert "Dürfen wir dir Nachrichten schicken?" in text
    assert vapid_public_key(site[0].database, site[0].config) in text
    assert 'data-subscribe-url="/push/geraet"' in text
    assert "foreman@yilmaz.example" in text


def test_from_the_tap_to_seen(site: tuple[PushWorld, PushService], client: FlaskClient) -> None:
    # given a subscription and a test message on its way
    world, service = site
    assert subscribe(client, service).status_code == 200
    assert client.post("/push/probe", json={}, headers=SAME).status_code == 200
    assert 'data-testid="probe-waiting"' in page(client, "/nachrichten/stand")

    # when the phone shows it, reports it, and it is tapped
    send_due_alerts(world.database, world.config)
    note = service.got[0].message["notification"]
    assert (note["title"], note["actions"]) == ("Es klappt!", [{"action": "seen", "title": "Gesehen"}])
    phone = client.application.test_client()
    assert phone.post(note["data"]["arrived_url"], json={}, headers=SAME).status_code == 200
    text = page(client)
    assert 'data-testid="probe-arrived"' in text
    assert 'data-testid="geraet-green"' in text
    assert phone.post(note["data"]["seen_url"], json={}, headers=SAME).status_code == 200

    # then the page stops asking
    text = page(client, "/nachrichten/stand")
    assert 'data-testid="probe-seen"' in text
    assert "load delay" not in text


def test_seen_can_be_said_on_the_page(site: tuple[PushWorld, PushService], client: FlaskClient) -> None:
    subscribe(client, site[1])
    client.post("/push/probe", json={}, headers=SAME)
    send_due_alerts(site[0].database, site[0].config)
    assert client.post("/nachrichten/gesehen", headers=FORM).status_code == 303
    text = page(client)
    assert 'data-testid="probe-seen"' in text
    assert 'data-testid="geraet-green"' in text


def test_a_missing_test_message_gets_help_in_two_steps(
    site: tuple[PushWorld, PushService], client: FlaskClient
) -> None:
    subscribe(client, site[1])
    client.post("/push/probe", json={}, headers=SAME)
    with site[0].database.write() as session:
        session.execute(sa.update(Alert).values(created_at=MONDAY.replace(hour=6, minute=58)))
    text = page(client)
    assert "Schritt 1 von 2" in text
    assert "Schritt 2 von 2" in text
    assert client.post("/push/probe", headers=FORM).status_code == 303


def test_a_lost_subscription_is_red_with_one_way_back(site: tuple[PushWorld, PushService], client: FlaskClient) -> None:
    subscribe(client, site[1])
    with site[0].database.write() as session:
        session.execute(sa.update(PushDevice).values(gone_at=MONDAY, endpoint="gone:1"))
    assert "Wieder einschalten" in page(client)
    assert client.post("/push/probe", json={}, headers=SAME).status_code == 422


def test_iphones_and_old_browsers_get_no_buttons(site: tuple[PushWorld, PushService], client: FlaskClient) -> None:
    for platform in ({"os": "ios", "actions": 2}, {"actions": 0}, {"actions": None}):
        assert subscribe(client, site[1], **platform).status_code == 200
        with site[0].database.read() as session:
            assert session.scalars(sa.select(PushDevice.has_buttons)).one() is False


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        7,
        {},
        {"subscription": None},
        {"subscription": {"endpoint": "https://fcm.googleapis.com/x"}},
        {"subscription": {"endpoint": "https://fcm.googleapis.com/x", "keys": []}},
        {"subscription": {"endpoint": 7, "keys": {"p256dh": "x", "auth": "y"}}},
        {"subscription": {"endpoint": "x" * 5000, "keys": {"p256dh": "x", "auth": "y"}}},
        {"subscription": {"endpoint": "https://evil.example/", "keys": {"p256dh": "x", "auth": "y"}}},
        {
            "subscription": {"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": "x", "auth": "y"}},
            "platform": 7,
        },
        {
            "subscription": {"endpoint": "https://fcm.googleapis.com/x", "keys": {"p256dh": "x", "auth": "y"}},
            "platform": {"actions": "many"},
        },
    ],
)
def test_anything_else_than_a_subscription_is_refused_in_plain_words(client: FlaskClient, body: object) -> None:
    answer = client.post("/push/geraet", json=body, headers=SAME)
    assert answer.status_code == 422
    assert answer.get_json()["error"].endswith(".")


def test_strangers_and_foreign_pages_get_nothing(site: tuple[PushWorld, PushService], client: FlaskClient) -> None:
    stranger = client.application.test_client()
    assert subscribe(stranger, site[1]).status_code == 403
    assert stranger.get("/nachrichten").status_code == 303
    for path in ("/push/probe", "/nachrichten/gesehen", "/push/entfernen"):
        assert stranger.post(path, headers=FORM).status_code == 403
    for path in ("/push/angekommen", "/push/gesehen", "/push/angekommen?zettel=x", "/push/gesehen?zettel=%00"):
        assert stranger.post(path, json={}, headers=SAME).status_code == 404
    evil = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert client.post("/push/geraet", json={}, headers=evil).status_code == 403


def test_a_device_is_removed_by_its_owner_only(site: tuple[PushWorld, PushService], client: FlaskClient) -> None:
    world, service = site
    subscribe(client, service)
    with world.database.read() as session:
        device = session.scalars(sa.select(PushDevice.id)).one()
    manager = client_of(world, Role.MANAGER)
    assert manager.post("/push/entfernen", data={"device": device}, headers=FORM).status_code == 404
    assert device not in page(manager)
    assert client.post("/push/entfernen", data={"device": device}, headers=FORM).status_code == 303
    assert "Dürfen wir dir Nachrichten schicken?" in page(client)


def test_every_page_tells_the_browser_what_the_server_knows_of_its_subscription(
    site: tuple[PushWorld, PushService], client: FlaskClient
) -> None:
    def told() -> str:
        return re.findall(r'<meta name="push"[^>]* data-device="([^"]*)"', page(client, "/mehr"))[0]

    assert told() == ""
    subscribe(client, site[1])
    assert told() == endpoint_mark(endpoint_of(site[0]))
    assert 'name="push"' not in client.application.test_client().get("/").text


def test_whoever_opens_the_page_of_a_message_has_seen_it(
    site: tuple[PushWorld, PushService], client: FlaskClient
) -> None:
    # given messages about a page, and one about another page, for two people
    world = site[0]
    people = [world.yilmaz.people[role] for role in (Role.FOREMAN, Role.MANAGER)]
    with world.database.write() as session:
        for subject, url in (("p1", "/partner"), ("p2", "/nachrichten")):
            alert_people(session, world.yilmaz.id, people, "partner", subject, url, {})

    # when one of them opens it; a page that asks by itself is no person
    assert client.get("/partner", headers={"HX-Request": "true"}).status_code == 200
    assert seen_by(world) == set()
    assert 'data-count="1"' in page(client, "/partner")

    # then it is seen by this person only
    assert seen_by(world) == {(world.foreman(), "p1")}
    assert client.get("/betrieb/daten").status_code == 403
    page(client)
    assert seen_by(world) == {(world.foreman(), "p1"), (world.foreman(), "p2")}


def test_the_test_message_is_not_seen_by_looking_at_its_page(
    site: tuple[PushWorld, PushService], client: FlaskClient
) -> None:
    subscribe(client, site[1])
    client.post("/push/probe", json={}, headers=SAME)
    page(client)
    assert seen_by(site[0]) == set()


def test_later_is_remembered_for_this_device(client: FlaskClient) -> None:
    assert client.post("/nachrichten/spaeter", headers=FORM).status_code == 303
    assert 'data-device="off"' in page(client)


def seen_by(world: PushWorld) -> set[tuple[str, str]]:
    with world.database.read() as session:
        rows = session.execute(sa.select(Alert.person_id, Alert.subject_id).where(Alert.seen_at.is_not(None)))
        return {(row.person_id, row.subject_id) for row in rows}


def endpoint_of(world: PushWorld) -> str:
    with world.database.read() as session:
        return session.scalars(sa.select(PushDevice.endpoint)).one()
