"""Devices and keys: what was taken away is gone at once, and who may sign stands in the ledger."""

import datetime as dt
import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.firms.access import Actor
from app.firms.models import Firm, Person, RuleChange
from app.notary.models import LedgerHead
from app.notary.queries import entries_about, evidence, evidence_file, export_log
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument
from app.passkeys.models import Approval, Passkey, SignIn
from app.passkeys.queries import waiting_key_count
from app.passkeys.rules import FRESH
from tests.ledger.asked import ask_ledger
from tests.passkeys.test_routes_join import invite
from tests.passkeys.world import Browser, Node, start_node

DIGEST = bytes(range(32))


@pytest.fixture
def node(database: Database, tmp_path: Path) -> Node:
    return start_node(database, tmp_path)


@pytest.fixture
def petra(node: Node) -> Browser:
    browser = node.browser()
    browser.found_firm()
    noise = node.browser()
    noise.found_firm(name="Nowak GmbH", short_name="Nowak", person_name="Nora Nowak")
    return browser


def key_ids(node: Node, name: str) -> list[str]:
    with node.database.read() as session:
        keys = sa.select(Passkey.id).join(Person, Person.id == Passkey.person_id).where(Person.name == name)
        return list(session.scalars(keys.order_by(Passkey.created_at, Passkey.id)))


def person_id_of(node: Node, name: str) -> str:
    with node.database.read() as session:
        return session.scalars(sa.select(Person.id).where(Person.name == name)).one()


def second_key(petra: Browser, node: Node) -> str:
    """Petra registers a passkey on another device and approves it with her first one."""
    first = petra.passkey
    petra.passkey = type(first)()
    known = set(key_ids(node, "Petra Keller"))
    petra.register("/geraete/schluessel/optionen", "/geraete/schluessel")
    (new,) = set(key_ids(node, "Petra Keller")) - known
    second, petra.passkey = petra.passkey, first
    petra.approve("key.register", new)
    petra.passkey = second
    return new


def test_a_second_passkey_may_sign_after_the_first_one_approved_it(petra: Browser, node: Node, tmp_path: Path) -> None:
    new = second_key(petra, node)
    with node.database.read() as session:
        passkey = session.scalars(sa.select(Passkey).where(Passkey.id == new)).one()
        assert passkey.registered_seq == 1
        assert entries_about(session, passkey.firm_id, new) == [(1, "key.register")]
        assert verified(evidence_file(session, passkey.firm_id, 1), tmp_path)
    petra.sign_in()


def test_a_phone_that_was_left_open_gives_nobody_a_key_or_phone_of_its_person(petra: Browser) -> None:
    with clock.frozen(clock.now() + FRESH):
        assert "anderes-handy" not in petra.get("/geraete").get_data(as_text=True)
        petra.send("/geraete/schluessel/optionen", status=422)
        petra.post("/geraete/neu", 422)
        shown = petra.answer("/anmelden/optionen", "/anmelden/pruefen", weiter="/geraete")
        assert shown == {"next": "/geraete"}
        assert "anderes-handy" in petra.get("/geraete").get_data(as_text=True)
        petra.post("/geraete/neu")
        petra.send("/geraete/schluessel/optionen")


def test_a_new_managers_passkey_waits_for_a_colleagues_approval(petra: Browser, node: Node) -> None:
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas", "manager"))
    (key,) = key_ids(node, "Jonas")
    assert "wartet auf Freigabe" in petra.get("/geraete").get_data(as_text=True)
    assert "noch nicht freigegeben" in jonas.send(jonas.options_path("key.register", key), status=422)["error"]
    petra.get(f"/geraete/schluessel/{key}")
    petra.approve("key.register", key)
    petra.post("/notfall/schluessel/gedruckt")
    with signable(node):
        assert jonas.approve("test", "doc-1") == {"next": "/done"}
        assert petra.approve("test", "doc-1") == {"next": "/done"}
    with node.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Approval.document_kind == "test")) == 2


def test_an_approval_needs_the_printed_recovery_key(petra: Browser, node: Node) -> None:
    with signable(node):
        answer = petra.send(petra.options_path("test", "doc-1"), status=422)
        assert "Drucke zuerst den Notfallschlüssel" in answer["error"]


def test_a_text_that_changed_after_the_page_was_loaded_is_not_signed(petra: Browser, node: Node) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    with signable(node, bytes(32)):
        loaded = petra.options_path("test", "doc-1")
    with signable(node):
        assert petra.send(loaded, status=422)["error"] == "Der Text hat sich geändert. Bitte prüfe ihn neu."
        assert "geändert" in petra.send("/unterschrift/test/doc-1/optionen", status=422)["error"]
        assert petra.send(petra.options_path("test", "doc-1"))["challenge"]


def test_an_approval_serves_once_for_one_document_one_person_one_browser(petra: Browser, node: Node) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    with signable(node) as finished:
        options = petra.send(petra.options_path("test", "doc-1"))
        credential = petra.passkey.get(options)
        petra.send("/unterschrift/test/doc-2", {"credential": credential}, 422)
        petra.send("/anmelden/pruefen", {"credential": credential}, 422)
        petra.send("/unterschrift/test/doc-1", {"credential": credential})
        petra.send("/unterschrift/test/doc-1", {"credential": credential}, 422)
        assert finished == ["doc-1"]


def test_a_sign_in_answer_is_no_approval(petra: Browser, node: Node) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    with signable(node):
        credential = petra.passkey.get(petra.send("/anmelden/optionen"))
        petra.send(petra.options_path("test", "doc-1"))
        petra.send("/unterschrift/test/doc-1", {"credential": credential}, 422)


def test_another_persons_challenge_is_refused(petra: Browser, node: Node) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas", "manager"))
    petra.approve("key.register", key_ids(node, "Jonas")[0])
    with signable(node):
        petra.send(petra.options_path("test", "doc-1"))
        jonas.send(jonas.options_path("test", "doc-2"))
        credential = jonas.passkey.assertion("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
        answer = jonas.passkey._credential(**credential)
        jonas.send("/unterschrift/test/doc-1", {"credential": answer}, 422)
        petra.passkey = jonas.passkey
        petra.approve("test", "doc-1", 422)


def test_a_text_that_changed_meanwhile_is_not_signed(petra: Browser, node: Node) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    with signable(node) as finished:
        credential = petra.passkey.get(petra.send(petra.options_path("test", "doc-1")))
    with signable(node, bytes(32)):
        answer = petra.send("/unterschrift/test/doc-1", {"credential": credential}, 422)
    assert answer["error"] == "Der Text hat sich geändert. Bitte prüfe ihn neu."
    assert finished == []


def test_a_worker_cannot_begin_an_approval(petra: Browser, node: Node) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    ayse = node.browser()
    ayse.join(invite(petra, "Ayşe", "worker"))
    with signable(node):
        ayse.send(ayse.options_path("test", "doc-1"), status=403)
        ayse.send(ayse.options_path("unknown", "doc-1"), status=404)


def test_a_locked_key_signs_out_every_device_of_its_person_at_once(petra: Browser, node: Node, tmp_path: Path) -> None:
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas", "manager"))
    (key,) = key_ids(node, "Jonas")
    petra.approve("key.register", key)
    where = petra.post(f"/geraete/schluessel/{key}/sperren").headers["Location"]
    assert not jonas.is_signed_in
    jonas.sign_in(422)
    assert "Schlüssel sperren" in petra.get(where).get_data(as_text=True)
    petra.approve("key.revoke", key)
    with node.database.read() as session:
        passkey = session.scalars(sa.select(Passkey).where(Passkey.id == key)).one()
        assert entries_about(session, passkey.firm_id, key) == [(1, "key.register"), (2, "key.revoke")]
        (tmp_path / "log.jsonl").write_bytes(b"".join(export_log(session, passkey.firm_id)))
    assert ask_ledger("fsck", tmp_path / "log.jsonl").returncode == 0


def test_a_key_locked_between_challenge_and_answer_signs_nothing(petra: Browser, node: Node) -> None:
    second_key(petra, node)
    petra.post("/notfall/schluessel/gedruckt")
    locked = key_ids(node, "Petra Keller")
    with signable(node) as finished:
        credential = petra.passkey.get(petra.send(petra.options_path("test", "doc-1")))
        petra.post(f"/geraete/schluessel/{locked[-1]}/sperren")
        petra.send("/unterschrift/test/doc-1", {"credential": credential}, 422)
        assert finished == []


def test_the_last_signing_key_of_a_firm_cannot_be_locked(petra: Browser, node: Node) -> None:
    (key,) = key_ids(node, "Petra Keller")
    petra.post(f"/geraete/schluessel/{key}/sperren", 422)
    second_key(petra, node)
    petra.post(f"/geraete/schluessel/{key}/sperren")
    assert petra.is_signed_in


def test_a_workers_key_never_enters_the_ledger_as_a_managers(petra: Browser, node: Node) -> None:
    ayse = node.browser()
    ayse.join(invite(petra, "Ayşe", "worker"))
    (key,) = key_ids(node, "Ayşe")
    petra.get(f"/geraete/schluessel/{key}", 404)
    petra.approve_refused("key.register", key)


def test_a_former_manager_signs_in_but_the_ledger_hears_that_the_key_signs_nothing(
    petra: Browser, node: Node, tmp_path: Path
) -> None:
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas", "manager"))
    (key,) = key_ids(node, "Jonas")
    petra.approve("key.register", key)
    person = person_id_of(node, "Jonas")
    where = petra.post(f"/betrieb/leute/{person}", roles=["worker"]).headers["Location"]
    assert "unterschreibt nicht mehr" in petra.get("/geraete").get_data(as_text=True)
    assert "Gesperrt seit" in petra.get(where).get_data(as_text=True)
    petra.approve("key.revoke", key)
    jonas.sign_in()
    again = clock.now() + dt.timedelta(minutes=1)
    with clock.frozen(again):
        petra.post(f"/betrieb/leute/{person}", roles=["worker", "manager"])
        petra.approve("key.register", key)
    with node.database.read() as session:
        passkey = session.scalars(sa.select(Passkey).where(Passkey.id == key)).one()
        assert [kind for _, kind in entries_about(session, passkey.firm_id, key)] == [
            "key.register", "key.revoke", "key.register",
        ]  # fmt: skip
        (tmp_path / "log.jsonl").write_bytes(b"".join(export_log(session, passkey.firm_id)))
    assert ask_ledger("fsck", tmp_path / "log.jsonl").returncode == 0
    with clock.frozen(again), signable(node):
        petra.post("/notfall/schluessel/gedruckt")
        jonas.sign_in()
        jonas.approve("test", "doc-1")


def test_no_old_sign_in_carries_new_rights(petra: Browser, node: Node) -> None:
    ayse, phone = node.browser(), node.browser()
    ayse.join(invite(petra, "Ayşe", "worker"))
    phone.post(f"/willkommen/{invite(petra, 'Paul', 'worker')}/ohne")
    for name in ("Ayşe", "Paul"):
        petra.post(f"/betrieb/leute/{person_id_of(node, name)}", roles=["worker", "foreman"])
    assert not ayse.is_signed_in
    assert phone.is_signed_in, "a phone without passkey gains nothing and stays"
    before = petra.client.get_cookie("werkring").value  # type: ignore[union-attr]
    petra.post(f"/betrieb/leute/{person_id_of(node, 'Petra Keller')}", roles=["manager", "steward", "foreman"])
    assert petra.client.get_cookie("werkring").value != before  # type: ignore[union-attr]
    assert petra.is_signed_in


def test_under_the_two_person_rule_nobody_makes_the_second_manager_alone(petra: Browser, node: Node) -> None:
    jonas, twin = node.browser(), node.browser()
    jonas.join(invite(petra, "Jonas", "manager"))
    petra.approve("key.register", key_ids(node, "Jonas")[0])
    petra.post("/betrieb/zwei-leitungen", two_person_above="1.000")
    twin.join(invite(petra, "Zwilling", "manager"))
    (key,) = key_ids(node, "Zwilling")
    assert "andere Leitung" in petra.approve_refused("key.register", key)
    jonas.approve("key.register", key)


def test_a_wider_two_person_rule_needs_the_other_managers_passkey(petra: Browser, node: Node) -> None:
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas", "manager"))
    petra.approve("key.register", key_ids(node, "Jonas")[0])
    petra.post("/betrieb/zwei-leitungen", two_person_above="1.000")
    petra.post("/betrieb/zwei-leitungen", two_person_above="")
    with node.database.read() as session:
        change = session.scalars(sa.select(RuleChange.id)).one()
    assert "bisher: über 1.000,00\N{NO-BREAK SPACE}€" in jonas.get(f"/betrieb/zwei-leitungen/{change}").get_data(
        as_text=True
    )
    assert "andere Leitung" in petra.approve_refused("rule.change", change)
    jonas.approve("rule.change", change)
    with node.database.read() as session:
        rules = session.scalars(sa.select(Firm.two_person_above_cents).where(Firm.name.startswith("Keller")))
        assert rules.one() is None


def test_one_device_is_signed_out_from_another(petra: Browser, node: Node) -> None:
    phone = node.browser()
    phone.passkey = petra.passkey
    phone.sign_in()
    with node.database.read() as session:
        firm_id = session.scalars(sa.select(Firm.id).where(Firm.name.startswith("Keller"))).one()
        assert session.scalar(sa.select(sa.func.count()).where(SignIn.firm_id == firm_id)) == 2
    petra.post("/geraete/alle-abmelden")
    assert not phone.is_signed_in
    assert petra.is_signed_in


def test_nobody_signs_out_a_device_of_another_person_or_firm(petra: Browser, node: Node) -> None:
    ayse = node.browser()
    ayse.join(invite(petra, "Ayşe", "worker"))
    with node.database.read() as session:
        rows = session.execute(sa.select(SignIn.public_id, Person.name).join(Person, Person.id == SignIn.person_id))
        device_of = {name: device_id for device_id, name in rows}
    ayse.post(f"/geraete/{device_of['Petra Keller']}/abmelden", 403)
    petra.post(f"/geraete/{device_of['Nora Nowak']}/abmelden", 404)
    petra.post(f"/geraete/{device_of['Ayşe']}/abmelden")
    assert petra.is_signed_in
    assert not ayse.is_signed_in


def test_who_leaves_the_firm_is_signed_out_on_every_device_and_comes_in_with_no_key(petra: Browser, node: Node) -> None:
    jonas, second = node.browser(), node.browser()
    jonas.join(invite(petra, "Jonas", "foreman"))
    second.passkey = jonas.passkey
    second.sign_in()
    with node.database.read() as session:
        jonas_id = session.scalars(sa.select(Person.id).where(Person.name == "Jonas")).one()
    petra.post(f"/betrieb/leute/{jonas_id}/ende")
    assert not jonas.is_signed_in
    assert not second.is_signed_in
    second.sign_in(422)


def test_devices_show_ones_own_to_workers_and_all_to_managers(petra: Browser, node: Node) -> None:
    ayse = node.browser()
    ayse.join(invite(petra, "Ayşe", "worker"))
    assert "Petra Keller" not in ayse.get("/geraete").get_data(as_text=True)
    page = petra.get("/geraete").get_data(as_text=True)
    assert "Ayşe" in page
    assert "Du hast nur einen Schlüssel" in page
    assert "Nowak" not in page


def test_the_recovery_key_replaces_a_lost_phone_with_records_of_its_own(
    petra: Browser, node: Node, tmp_path: Path
) -> None:
    page = petra.get("/notfall/schluessel").get_data(as_text=True)
    words = " ".join(re.findall(r'<b lang="en">([a-z]+)</b>', page))
    petra.post("/notfall/schluessel/gedruckt")
    stranger = node.browser()
    assert "Diese Wörter stimmen nicht" in stranger.post("/notfall", 422, words=words + " x").get_data(as_text=True)
    new = node.browser()
    page = new.post("/notfall", 200, words=f"  {words.upper()} ").get_data(as_text=True)
    assert "Petra Keller" in page
    person_id = re.search(r'name="person_id" value="([\w-]+)"', page)[1]  # type: ignore[index]
    assert new.register("/notfall/optionen", "/notfall/pruefen", words=words, person_id=person_id) == {"next": "/"}
    assert new.is_signed_in
    assert not petra.is_signed_in
    petra.sign_in(422)
    with node.database.read() as session:
        firm_id = session.scalars(sa.select(Firm.id).where(Firm.name.startswith("Keller"))).one()
        assert session.get_one(LedgerHead, firm_id).size == 3
        assert all(verified(evidence_file(session, firm_id, seq), tmp_path) for seq in range(3))
    with signable(node):
        new.approve("test", "doc-1")


def test_the_words_of_one_firm_open_no_other(petra: Browser, node: Node) -> None:
    page = petra.get("/notfall/schluessel").get_data(as_text=True)
    words = " ".join(re.findall(r'<b lang="en">([a-z]+)</b>', page))
    with node.database.read() as session:
        other = session.scalars(
            sa.select(Person.id).join(Firm, Firm.id == Person.firm_id).where(Firm.name == "Nowak GmbH")
        ).one()
    node.browser().send("/notfall/optionen", {"words": words, "person_id": other}, 404)
    node.browser().send("/notfall/optionen", {"words": "zoo " * 24, "person_id": other}, 422)


def verified(body: bytes, folder: Path) -> bool:
    (folder / "beweis.json").write_bytes(body)
    result = ask_ledger("verify", "--json", folder / "beweis.json")
    assert result.returncode == 0, json.dumps(result.stdout)
    return True


def test_a_new_limit_of_a_manager_counts_once_another_manager_wrote_it_into_the_ledger(
    petra: Browser, node: Node, tmp_path: Path
) -> None:
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas", "manager"))
    (key,), person = key_ids(node, "Jonas"), person_id_of(node, "Jonas")
    petra.post(f"/betrieb/leute/{person}", roles=["manager"], limit="5.000")
    petra.approve("key.register", key)
    petra.post("/notfall/schluessel/gedruckt")
    assert "wartet auf neue Grenze" not in petra.get("/geraete").get_data(as_text=True)
    petra.post(f"/betrieb/leute/{person}", roles=["manager"], limit="10.000")
    assert "wartet auf neue Grenze" in petra.get("/geraete").get_data(as_text=True)
    with node.database.read() as session:
        firm_id = session.scalars(sa.select(Passkey.firm_id).where(Passkey.id == key)).one()
        assert waiting_key_count(session, firm_id) == 1
    with signable(node, sum_cents=6_000_00):
        refused = jonas.send(jonas.options_path("test", "doc-1"), status=422)
        assert "Deine neue Grenze gilt noch nicht." in refused["error"]
        assert "andere Leitung" in jonas.send(f"/unterschrift/key.register/{key}/optionen", status=422)["error"]
        assert "Grenze: 10.000,00" in petra.get(f"/geraete/schluessel/{key}").get_data(as_text=True)
        petra.approve("key.register", key)
        jonas.approve("test", "doc-1")
    assert registered_limits(node, key, tmp_path) == [5_000_00, 10_000_00]


def test_a_deputys_key_is_allowed_what_the_absent_manager_may_sign(petra: Browser, node: Node, tmp_path: Path) -> None:
    jonas = node.browser()
    jonas.join(invite(petra, "Jonas", "manager"))
    (key,), person = key_ids(node, "Jonas"), person_id_of(node, "Jonas")
    petra.post(f"/betrieb/leute/{person}", roles=["manager"], limit="5.000")
    petra.approve("key.register", key)
    petra_id = person_id_of(node, "Petra Keller")
    petra.post(f"/betrieb/leute/{petra_id}", roles=["manager", "steward"], limit="", deputy=person)
    petra.approve("key.register", key)
    assert registered_limits(node, key, tmp_path) == [5_000_00, 0]


def registered_limits(node: Node, key: str, folder: Path) -> list[int]:
    """What the records of a key allow, in a log that holds."""
    with node.database.read() as session:
        firm_id = session.scalars(sa.select(Passkey.firm_id).where(Passkey.id == key)).one()
        entries = entries_about(session, firm_id, key)
        (folder / "log.jsonl").write_bytes(b"".join(export_log(session, firm_id)))
        found = [evidence(session, firm_id, seq)["message"]["limitCents"] for seq, _ in entries]
    assert ask_ledger("fsck", folder / "log.jsonl").returncode == 0
    return found


class signable:  # noqa: N801 - reads as a verb in the tests
    """While it is open, a room of its own has documents to sign; remembers what was finished."""

    def __init__(self, node: Node, digest: bytes = DIGEST, sum_cents: int = 0) -> None:
        self.digest, self.sum_cents, self.finished = digest, sum_cents, list[str]()

    def __enter__(self) -> list[str]:
        DOCUMENTS["test"] = Signable(self._load, self._finish)
        return self.finished

    def __exit__(self, *_: object) -> None:
        del DOCUMENTS["test"]

    def _load(self, _session: object, _actor: Actor, document_id: str) -> SignableDocument:
        if not document_id.startswith("doc"):
            raise RuleBroken("Das gibt es nicht.")
        return SignableDocument(self.digest, "Prüfblatt", "/done", "agreements.sign", sum_cents=self.sum_cents)

    def _finish(self, _session: object, _actor: Actor, document_id: str, signature: dict[str, object]) -> str:
        assert signature["kind"] == "passkey"
        self.finished.append(document_id)
        return "/done"
