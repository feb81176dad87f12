"""Signing in and out: once, from the right place, with the right key, and gone at once when it must be."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.outbox import OutboxRow
from app.notary.models import LedgerHead
from app.passkeys.models import Challenge, Passkey, SignIn
from app.passkeys.rules import hash_of
from tests.passkeys.software import UP, SoftwarePasskey
from tests.passkeys.world import ORIGIN, SCRIPT, Browser, Node, start_node


@pytest.fixture
def node(database: Database, tmp_path: Path) -> Node:
    return start_node(database, tmp_path)


@pytest.fixture
def petra(node: Node) -> Browser:
    """The first manager, signed out on her phone."""
    browser = node.browser()
    browser.found_firm()
    noise = node.browser()
    noise.found_firm(name="Nowak GmbH", short_name="Nowak")
    browser.post("/abmelden")
    return browser


def test_a_passkey_signs_in_without_any_name(petra: Browser) -> None:
    assert not petra.is_signed_in
    assert petra.sign_in() == {"next": "/"}
    assert petra.is_signed_in


def test_signing_in_goes_on_to_the_page_that_was_wanted_but_never_to_another_site(petra: Browser) -> None:
    assert petra.answer("/anmelden/optionen", "/anmelden/pruefen", weiter="/geraete") == {"next": "/geraete"}
    for foreign in ("//evil.example", "https://evil.example", "/\\evil.example", 7):
        assert petra.answer("/anmelden/optionen", "/anmelden/pruefen", weiter=foreign) == {"next": "/"}


def test_the_same_answer_never_signs_in_twice_even_with_a_counter_of_zero(petra: Browser) -> None:
    credential = petra.passkey.get(petra.send("/anmelden/optionen"))
    petra.send("/anmelden/pruefen", {"credential": credential})
    petra.send("/anmelden/pruefen", {"credential": credential}, 422)


def test_another_browser_cannot_use_a_stolen_answer(petra: Browser, node: Node) -> None:
    credential = petra.passkey.get(petra.send("/anmelden/optionen"))
    thief = node.browser()
    thief.send("/anmelden/optionen")
    thief.send("/anmelden/pruefen", {"credential": credential}, 422)


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"flags": UP},
        {"flags": 0x04},
        {"client": {"crossOrigin": True}},
        {"client": {"crossOrigin": "false"}},
        {"client": {"topOrigin": "https://evil.example"}},
        {"client": {"type": "webauthn.create"}},
        {"user_handle": "AAAA"},
        {"user_handle": None},
        {"key": SoftwarePasskey().key},
    ],
    ids=lambda change: "-".join(f"{name}={value}" for name, value in change.items())[:40],
)
def test_a_dishonest_answer_is_refused(petra: Browser, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(petra.passkey, name, value)
    petra.sign_in(422)
    assert not petra.is_signed_in


def test_a_high_s_signature_signs_in(petra: Browser) -> None:
    petra.passkey.high_s = True
    petra.sign_in()


def test_a_challenge_dies_after_five_minutes(petra: Browser) -> None:
    credential = petra.passkey.get(petra.send("/anmelden/optionen"))
    with clock.frozen(clock.now() + dt.timedelta(minutes=5)):
        petra.send("/anmelden/pruefen", {"credential": credential}, 422)


def test_a_challenge_for_one_purpose_serves_no_other(petra: Browser) -> None:
    petra.sign_in()
    adding = petra.send("/geraete/schluessel/optionen")
    credential = petra.passkey.get({"challenge": adding["challenge"]})
    petra.send("/anmelden/pruefen", {"credential": credential}, 422)


@pytest.mark.parametrize(
    "body", [{}, {"credential": 1}, {"credential": {"response": {}}}, {"credential": {"response": 3}}]
)
def test_broken_answers_are_refused_in_plain_words(petra: Browser, body: dict[str, Any]) -> None:
    assert petra.send("/anmelden/pruefen", body, 422)["error"].endswith(".")


def test_a_counter_that_does_not_grow_is_flagged_and_never_locks_out(petra: Browser, node: Node) -> None:
    petra.passkey.counter = 7
    petra.sign_in()
    petra.sign_in()
    with node.database.read() as session:
        assert [row is not None for row in session.scalars(sa.select(Passkey.suspicious_at)).all()].count(True) == 1


def test_the_cookie_holds_a_secret_whose_hash_alone_is_stored(petra: Browser, node: Node) -> None:
    petra.sign_in()
    cookie = petra.client.get_cookie("werkring")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert len(cookie.value) == 43
    with node.database.read() as session:
        assert hash_of(cookie.value) in session.scalars(sa.select(SignIn.id_hash)).all()


def test_a_secure_node_uses_a_host_cookie(database: Database, tmp_path: Path) -> None:
    node = start_node(database, tmp_path, PUBLIC_URL="https://werkring.example")
    client, passkey = node.app.test_client(), SoftwarePasskey("https://werkring.example", "werkring.example")
    base, headers = "https://werkring.example", {"Origin": "https://werkring.example", "Sec-Fetch-Site": "same-origin"}
    from tests.passkeys.world import FACTS

    client.post("/betrieb/neu", base_url=base, data=FACTS, headers=headers)

    def run(options: str, finish: str, answer: Any) -> Any:
        asked = client.post(options, base_url=base, json={}, headers=headers).get_json()
        return client.post(finish, base_url=base, json={"credential": answer(asked)}, headers=headers)

    run("/betrieb/neu/schluessel/optionen", "/betrieb/neu/schluessel", passkey.create)
    done = run("/betrieb/neu/bestaetigen/optionen", "/betrieb/neu/bestaetigen", passkey.get)
    cookie = next(line for line in done.headers.getlist("Set-Cookie") if line.startswith("__Host-werkring="))
    assert all(part in cookie for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"))
    assert "Domain" not in cookie


def test_no_page_writes_a_session_of_flask_or_flask_login(petra: Browser) -> None:
    petra.sign_in()
    answer = petra.get("/geraete")
    assert "session" not in (answer.headers.get("Set-Cookie") or "")
    assert petra.client.get_cookie("session") is None
    assert petra.client.get_cookie("remember_token") is None


def test_signing_out_wipes_the_phone_and_an_old_cookie_opens_nothing(petra: Browser, node: Node) -> None:
    petra.sign_in()
    cookie = petra.client.get_cookie("werkring")
    assert cookie is not None
    answer = petra.post("/abmelden")
    assert '"storage"' in answer.headers["Clear-Site-Data"]
    petra.client.set_cookie("werkring", cookie.value, domain="localhost")
    assert not petra.is_signed_in
    with node.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(OutboxRow.kind == "SignedOut")) == 2


def test_a_new_sign_in_in_the_same_browser_ends_the_old_one(petra: Browser, node: Node) -> None:
    petra.sign_in()
    old = petra.client.get_cookie("werkring")
    petra.sign_in()
    new = petra.client.get_cookie("werkring")
    assert old is not None
    assert new is not None
    assert old.value != new.value
    with node.database.read() as session:
        assert hash_of(old.value) not in session.scalars(sa.select(SignIn.id_hash)).all()


def test_switching_the_view_changes_the_secret(petra: Browser) -> None:
    petra.sign_in()
    old = petra.client.get_cookie("werkring")
    petra.post("/rolle", role="steward")
    new = petra.client.get_cookie("werkring")
    assert old is not None
    assert new is not None
    assert old.value != new.value
    assert petra.is_signed_in
    petra.post("/rolle", 422, role="foreman")


def test_a_device_that_rested_for_two_months_is_signed_out(petra: Browser) -> None:
    petra.sign_in()
    with clock.frozen(clock.now() + dt.timedelta(days=59)):
        assert petra.is_signed_in
    with clock.frozen(clock.now() + dt.timedelta(days=59 + 60)):
        assert not petra.is_signed_in


def test_last_seen_is_written_every_ten_minutes_at_most(petra: Browser, node: Node) -> None:
    petra.sign_in()
    start = clock.now()

    def seen() -> dt.datetime:
        with node.database.read() as session:
            return max(session.scalars(sa.select(SignIn.last_seen_at)))

    with clock.frozen(start + dt.timedelta(minutes=9)):
        petra.get("/geraete")
    assert seen() == start
    with clock.frozen(start + dt.timedelta(minutes=10)):
        petra.get("/geraete")
    assert seen() == start + dt.timedelta(minutes=10)


def test_strangers_cannot_try_forever(petra: Browser) -> None:
    for _ in range(10):
        petra.post("/anmelden/code", 422, code="ABCDEF")
    petra.post("/anmelden/code", 429, code="ABCDEF")
    with clock.frozen(clock.now() + dt.timedelta(minutes=1)):
        petra.post("/anmelden/code", 422, code="ABCDEF")


def test_a_form_from_another_site_is_refused(petra: Browser) -> None:
    answer = petra.client.post(
        "/anmelden/optionen", base_url=ORIGIN, json={}, headers=SCRIPT | {"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403


def test_challenges_that_ran_out_are_swept(petra: Browser, node: Node) -> None:
    for _ in range(3):
        petra.send("/anmelden/optionen")
    with clock.frozen(clock.now() + dt.timedelta(minutes=6)):
        petra.send("/anmelden/optionen")
    with node.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Challenge)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(LedgerHead)) == 2
