"""Joining by QR: once, within a day, with the rights that the inviter may give."""

import datetime as dt
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.firms.models import Membership, Person
from app.passkeys.models import JoinInvitation, Passkey, SignIn
from tests.passkeys.world import ORIGIN, SCRIPT, Browser, Node, start_node

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"


@pytest.fixture
def node(database: Database, tmp_path: Path) -> Node:
    return start_node(database, tmp_path)


@pytest.fixture
def petra(node: Node) -> Browser:
    browser = node.browser()
    browser.found_firm()
    return browser


def invite(inviter: Browser, name: str, *roles: str) -> str:
    """The token of a new invitation."""
    email = "leitung@keller.de" if "manager" in roles else ""
    answer = inviter.post("/betrieb/einladen", name=name, roles=list(roles), email=email)
    page = inviter.get(answer.headers["Location"]).get_data(as_text=True)
    return re.search(r"/willkommen/([\w-]+)", page)[1]  # type: ignore[index]


def test_a_worker_joins_in_three_taps_and_speaks_her_language(petra: Browser, node: Node) -> None:
    token = invite(petra, "Ayşe Demir", "worker")
    ayse = node.browser()
    page = ayse.get(f"/willkommen/{token}").get_data(as_text=True)
    assert "Willkommen bei Keller Metallbau GmbH." in page
    assert "Bist du Ayşe Demir?" in page
    ayse.get(f"/willkommen/{token}/sprache")
    assert ayse.post(f"/willkommen/{token}/sprache", language="en").headers["Location"].endswith("/anmelden")
    assert ayse.join(token) == {"next": "/"}
    assert ayse.is_signed_in
    with node.database.read() as session:
        assert session.scalars(sa.select(Person.language).where(Person.name == "Ayşe Demir")).all() == ["en"]
        roles = sa.select(Membership.role).join(Person, Person.id == Membership.person_id)
        assert session.scalars(roles.where(Person.name == "Ayşe Demir")).all() == ["worker"]


def test_an_invitation_is_used_up_by_the_sign_in_and_not_by_looking(petra: Browser, node: Node) -> None:
    token = invite(petra, "Ayşe Demir", "worker")
    for _ in range(2):
        node.browser().get(f"/willkommen/{token}")
    node.browser().join(token)
    late = node.browser()
    late.get(f"/willkommen/{token}", 404)
    late.send(f"/willkommen/{token}/optionen", status=404)


def test_two_phones_with_one_invitation_make_one_person(petra: Browser, node: Node) -> None:
    token = invite(petra, "Ayşe Demir", "worker")
    quick, slow = node.browser(), node.browser()
    credential = slow.passkey.create(slow.send(f"/willkommen/{token}/optionen"))
    quick.join(token)
    slow.send(f"/willkommen/{token}/anmelden", {"credential": credential}, 404)
    with node.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 2


def test_unknown_used_and_expired_invitations_get_the_same_answer(petra: Browser, node: Node) -> None:
    used, expired = invite(petra, "Ayşe", "worker"), invite(petra, "Jonas", "foreman")
    node.browser().join(used)
    stranger = node.browser()
    with clock.frozen(clock.now() + dt.timedelta(hours=24)):
        answers = {stranger.get(f"/willkommen/{token}", 404).data for token in (used, expired, "a" * 22)}
    assert len(answers) == 1


def test_without_a_screen_lock_a_worker_gets_worker_rights_on_this_device_only(petra: Browser, node: Node) -> None:
    token = invite(petra, "Ayşe Demir", "worker")
    ayse = node.browser()
    assert "Ohne weiter" in ayse.get(f"/willkommen/{token}/anmelden").get_data(as_text=True)
    ayse.post(f"/willkommen/{token}/ohne")
    assert ayse.is_signed_in
    ayse.get("/betrieb/einladen", 403)
    ayse.send("/geraete/schluessel/optionen", status=422)
    with node.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Passkey)) == 1


def test_a_foreman_cannot_do_without_a_passkey(petra: Browser, node: Node) -> None:
    token = invite(petra, "Jonas Keller", "foreman")
    jonas = node.browser()
    assert "Ohne weiter" not in jonas.get(f"/willkommen/{token}/anmelden").get_data(as_text=True)
    jonas.post(f"/willkommen/{token}/ohne", 422)
    assert not jonas.is_signed_in
    jonas.join(token)


def test_nobody_hands_out_more_than_they_may(petra: Browser, node: Node) -> None:
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas Keller", "foreman"))
    invite(jonas, "Ayşe Demir", "worker")
    jonas.post("/betrieb/einladen", 422, name="Ayşe", roles=["manager"])
    jonas.post("/betrieb/einladen", 422, name="Ayşe", roles=[])
    ayse = node.browser()
    ayse.join(invite(petra, "Ayşe", "worker"))
    ayse.post("/betrieb/einladen", 403, name="Paul", roles=["worker"])


def code_on(page: str) -> str:
    return re.search(r'data-testid="code">([2-9A-Z]{6})<', page)[1]  # type: ignore[index]


def code_for(safari: Browser, token: str) -> str:
    """The code that an iPhone shows beside the steps of the installation."""
    where = safari.post(f"/willkommen/{token}/sprache", language="de").headers["Location"]
    page = safari.get(where).get_data(as_text=True)
    assert "Zum Home-Bildschirm" in page
    return code_on(page)


def test_an_iphone_installs_first_and_the_installed_app_asks_for_the_code(petra: Browser, node: Node) -> None:
    token = invite(petra, "Ayşe Demir", "worker")
    safari, app = node.browser(IPHONE), node.browser(IPHONE)
    code = code_for(safari, token)
    where = app.post("/anmelden/code", code=f" {code[:3].lower()}-{code[3:].lower()} ").headers["Location"]
    assert "Bist du Ayşe Demir?" in app.get(where).get_data(as_text=True)
    assert app.post(f"{where}/sprache", language="de").headers["Location"].endswith(f"{token}/anmelden")
    app.join(token)
    assert app.is_signed_in


def test_a_code_is_exchanged_once_and_opens_nothing_else(petra: Browser, node: Node) -> None:
    token = invite(petra, "Ayşe Demir", "worker")
    code, stranger = code_for(node.browser(IPHONE), token), node.browser()
    for path in ("", "/sprache", "/app", "/anmelden"):
        stranger.get(f"/willkommen/{code}{path}", 404)
    stranger.send(f"/willkommen/{code}/optionen", status=404)
    stranger.post(f"/willkommen/{code}/ohne", 404)
    node.browser(IPHONE).post("/anmelden/code", code=code)
    stranger.post("/anmelden/code", 422, code=code)


def test_an_invitation_has_no_code_before_its_phone_shows_one_and_after_a_quarter_of_an_hour(
    petra: Browser, node: Node
) -> None:
    shown = petra.post("/betrieb/einladen", name="Jonas", roles=["manager"]).headers["Location"]
    page = petra.get(shown).get_data(as_text=True)
    token = re.search(r"/willkommen/([\w-]+)", page)[1]  # type: ignore[index]
    with node.database.read() as session:
        assert session.scalars(sa.select(JoinInvitation.code_hash)).all() == [""]
    safari = node.browser(IPHONE)
    code = code_for(safari, token)
    assert code not in petra.get(shown).get_data(as_text=True)
    with clock.frozen(clock.now() + dt.timedelta(minutes=15)):
        safari.post("/anmelden/code", 422, code=code)
        assert 'data-testid="code"' not in safari.get(f"/willkommen/{token}/app").get_data(as_text=True)
        safari.post(f"/willkommen/{token}/code")
        renewed = code_on(safari.get(f"/willkommen/{token}/app").get_data(as_text=True))
        assert renewed != code
        safari.post("/anmelden/code", 422, code=code)
        safari.post("/anmelden/code", code=renewed)


def test_codes_cannot_be_searched_for_from_many_networks(petra: Browser, node: Node) -> None:
    code = code_for(node.browser(IPHONE), invite(petra, "Ayşe Demir", "worker"))

    def tries(number: int, typed: str) -> int:
        from_there = {"REMOTE_ADDR": f"10.0.{number}.1"}
        return petra.client.post(
            "/anmelden/code", base_url=ORIGIN, data={"code": typed}, headers=SCRIPT, environ_base=from_there
        ).status_code

    with clock.frozen(clock.now()):
        assert {tries(number, "ABCDEF") for number in range(100)} == {422}
        assert tries(101, code) == 429
    with clock.frozen(clock.now() + dt.timedelta(hours=1)):
        assert tries(102, "ABCDEF") == 422


def test_an_invitation_is_withdrawn_and_shown_to_its_maker_only(petra: Browser, node: Node) -> None:
    answer = petra.post("/betrieb/einladen", name="Ayşe Demir", roles=["worker"])
    where = answer.headers["Location"]
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas", "foreman"))
    jonas.get(where, 404)
    petra.post(f"{where}/zurueck")
    petra.get(where, 404)


def test_only_hashes_of_token_and_code_are_stored(petra: Browser, node: Node) -> None:
    token = invite(petra, "Ayşe Demir", "worker")
    with node.database.read() as session:
        row = session.scalars(sa.select(JoinInvitation)).one()
        assert token not in str(vars(row))


def test_a_colleagues_passkey_cannot_join_a_second_time(petra: Browser, node: Node) -> None:
    ayse = node.browser()
    ayse.join(invite(petra, "Ayşe Demir", "worker"))
    token = invite(petra, "Paul", "worker")
    credential = ayse.passkey.create(ayse.send(f"/willkommen/{token}/optionen"))
    ayse.send(f"/willkommen/{token}/anmelden", {"credential": credential}, 422)


def test_a_new_phone_of_ones_own_needs_the_old_one_only(petra: Browser, node: Node) -> None:
    where = petra.post("/geraete/neu").headers["Location"]
    token = re.search(r"/willkommen/([\w-]+)", petra.get(where).get_data(as_text=True))[1]  # type: ignore[index]
    phone = node.browser()
    phone.join(token)
    assert phone.is_signed_in
    with node.database.read() as session:
        handles = session.scalars(sa.select(Passkey.user_handle)).all()
        assert len(handles) == 2
        assert len(set(handles)) == 1
        assert len(set(session.scalars(sa.select(SignIn.person_id)))) == 1


def test_a_lost_phone_of_a_foreman_needs_two_colleagues(petra: Browser, node: Node) -> None:
    jonas, otto = node.browser(), node.browser()
    jonas.join(invite(petra, "Jonas", "foreman"))
    otto.join(invite(petra, "Otto", "steward"))
    with node.database.read() as session:
        person_id = session.scalars(sa.select(Person.id).where(Person.name == "Jonas")).one()
    where = petra.post("/geraete/neu", person_id=person_id).headers["Location"]
    page = petra.get(where).get_data(as_text=True)
    assert "Eine zweite Person" in page
    token = re.search(r"/willkommen/([\w-]+)", page)[1]  # type: ignore[index]
    phone = node.browser()
    phone.send(f"/willkommen/{token}/optionen", status=422)
    approval = where.replace("/betrieb/einladen/", "/geraete/einladung/") + "/zustimmen"
    petra.post(approval, 422)
    jonas.post(approval, 403)
    assert "Neues Handy für Jonas" in otto.get("/geraete").get_data(as_text=True)
    otto.post(approval)
    phone.join(token)
    assert phone.is_signed_in


def test_the_yes_of_a_second_person_counts_only_while_that_person_may_give_it(petra: Browser, node: Node) -> None:
    jonas, otto = node.browser(), node.browser()
    jonas.join(invite(petra, "Jonas", "foreman"))
    otto.join(invite(petra, "Otto", "steward"))
    where = petra.post("/geraete/neu", person_id=person_id_of(node, "Jonas")).headers["Location"]
    token = re.search(r"/willkommen/([\w-]+)", petra.get(where).get_data(as_text=True))[1]  # type: ignore[index]
    otto.post(where.replace("/betrieb/einladen/", "/geraete/einladung/") + "/zustimmen")
    with node.database.write() as session:
        otto_id = person_id_of(node, "Otto")
        session.execute(sa.update(Membership).where(Membership.person_id == otto_id).values(role="worker"))
    phone = node.browser()
    assert "zweite Person" in phone.send(f"/willkommen/{token}/optionen", status=422)["error"]
    petra.post(f"/betrieb/leute/{otto_id}/ende")
    assert "zweite Person" in phone.send(f"/willkommen/{token}/optionen", status=422)["error"]


def person_id_of(node: Node, name: str) -> str:
    with node.database.read() as session:
        return session.scalars(sa.select(Person.id).where(Person.name == name)).one()


def test_a_worker_without_passkey_gets_a_new_code_from_one_foreman(petra: Browser, node: Node) -> None:
    jonas, ayse = node.browser(), node.browser()
    jonas.join(invite(petra, "Jonas", "foreman"))
    ayse.post(f"/willkommen/{invite(jonas, 'Ayşe', 'worker')}/ohne")
    with node.database.read() as session:
        person_id = session.scalars(sa.select(Person.id).where(Person.name == "Ayşe")).one()
    where = jonas.post("/geraete/neu", person_id=person_id).headers["Location"]
    token = re.search(r"/willkommen/([\w-]+)", jonas.get(where).get_data(as_text=True))[1]  # type: ignore[index]
    node.browser().join(token)
    with node.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 3


def test_a_foreman_finds_the_workers_that_he_may_give_a_new_code_and_nobody_else(petra: Browser, node: Node) -> None:
    jonas, otto = node.browser(), node.browser()
    jonas.join(invite(petra, "Jonas", "foreman"))
    otto.join(invite(petra, "Otto", "steward"))
    node.browser().join(invite(petra, "Ayşe", "worker"))
    ayse, otto_id, petra_id = (f'value="{person_id_of(node, name)}"' for name in ("Ayşe", "Otto", "Petra Keller"))
    page = jonas.get("/geraete").get_data(as_text=True)
    assert ayse in page
    assert otto_id not in page
    page = otto.get("/geraete").get_data(as_text=True)
    assert ayse in page
    assert petra_id not in page


def test_a_stranger_cannot_make_invitations(node: Node, petra: Browser) -> None:
    stranger = node.browser()
    assert stranger.client.get("/betrieb/einladen", base_url=ORIGIN).status_code == 303
    stranger.post("/betrieb/einladen", 403, name="X", roles=["worker"])


def test_a_manager_is_invited_with_an_email_and_with_the_limit_of_the_inviter(petra: Browser, node: Node) -> None:
    page = petra.post("/betrieb/einladen", 422, name="Jonas", roles=["manager"]).get_data(as_text=True)
    assert "Eine Leitung braucht eine E-Mail-Adresse." in page
    token = invite(petra, "Jonas", "manager")
    with node.database.write() as session:
        session.execute(sa.update(Person).values(spending_limit_cents=500_00))
    node.browser().join(token)
    with node.database.read() as session:
        jonas = session.scalars(sa.select(Person).where(Person.name == "Jonas")).one()
        assert (jonas.email, jonas.spending_limit_cents) == ("leitung@keller.de", 500_00)
