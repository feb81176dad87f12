"""Setting a firm up: from the empty form to a ledger with a first entry and a printed recovery key."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.firms.models import Firm, Membership, Person, Site
from app.notary.models import FirmKey, LedgerHead
from app.notary.queries import evidence_file
from app.passkeys.models import FoundingDraft, Passkey
from tests.ledger.asked import ask_ledger
from tests.passkeys.world import FACTS, Browser, Node, start_node


@pytest.fixture
def node(database: Database, tmp_path: Path) -> Node:
    return start_node(database, tmp_path)


def test_a_firm_begins_with_its_manager_and_a_first_entry_that_anybody_can_verify(node: Node, tmp_path: Path) -> None:
    petra = node.browser()
    petra.found_firm()
    assert petra.is_signed_in
    with node.database.read() as session:
        firm = session.scalars(sa.select(Firm)).one()
        assert (firm.address, firm.recovery_printed_at) == ("keller@localhost", None)
        assert session.scalars(sa.select(Site.town)).all() == ["Erfurt"]
        assert session.scalars(sa.select(Person.name)).all() == ["Petra Keller"]
        assert set(session.scalars(sa.select(Membership.role))) == {"manager", "steward"}
        assert session.scalars(sa.select(Passkey.registered_seq)).all() == [0]
        assert session.scalars(sa.select(FoundingDraft)).all() == []
        head = session.get_one(LedgerHead, firm.id)
        assert (head.origin, head.size, head.signed_size) == ("keller.localhost", 1, 1)
        (tmp_path / "beweis.json").write_bytes(evidence_file(session, firm.id, 0))
    assert ask_ledger("verify", tmp_path / "beweis.json").returncode == 0


def test_the_recovery_words_are_shown_until_the_print_is_confirmed_and_never_again(node: Node) -> None:
    petra = node.browser()
    petra.found_firm()
    words = words_on(petra)
    assert len(words) == 24
    assert words_on(petra) == words
    petra.post("/notfall/schluessel/gedruckt")
    assert words_on(petra) == []
    with node.database.read() as session:
        assert session.scalars(sa.select(FirmKey.wrapped).where(FirmKey.purpose == "recovery")).all() == [None]
        assert session.scalars(sa.select(Firm.recovery_printed_at)).one() is not None


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "", "Schreib den Namen deines Betriebs."),
        ("postcode", "00000", "Diese Postleitzahl kennen wir nicht."),
        ("vat_id", "DE123456789", "Die USt-IdNr. stimmt nicht."),
        ("email", "petra", "Gib eine E-Mail-Adresse ein"),
        ("register_no", "HRB", "Die Registernummer sieht so aus"),
    ],
)
def test_a_wrong_field_gets_one_sentence_and_keeps_the_rest(node: Node, field: str, value: str, sentence: str) -> None:
    page = node.browser().post("/betrieb/neu", 422, **(FACTS | {field: value})).get_data(as_text=True)
    assert sentence in page
    assert "Werkstr. 1" in page


def test_the_draft_survives_and_fills_the_form_again(node: Node) -> None:
    petra = node.browser()
    petra.post("/betrieb/neu", **FACTS)
    assert "Keller Metallbau GmbH" in petra.get("/betrieb/neu").get_data(as_text=True)
    assert "Keller Metallbau GmbH" not in node.browser().get("/betrieb/neu").get_data(as_text=True)


def test_two_firms_of_one_name_get_two_addresses(node: Node) -> None:
    node.browser().found_firm()
    node.browser().found_firm()
    with node.database.read() as session:
        assert set(session.scalars(sa.select(Firm.address))) == {"keller@localhost", "keller-2@localhost"}


def test_a_second_firm_that_took_the_address_meanwhile_leaves_nothing_half_made(node: Node) -> None:
    slow, quick = node.browser(), node.browser()
    for browser in (slow, quick):
        browser.post("/betrieb/neu", **FACTS)
        browser.register("/betrieb/neu/schluessel/optionen", "/betrieb/neu/schluessel")
    quick.answer("/betrieb/neu/bestaetigen/optionen", "/betrieb/neu/bestaetigen")
    refused = slow.answer("/betrieb/neu/bestaetigen/optionen", "/betrieb/neu/bestaetigen", 422)
    assert refused["error"]
    with node.database.read() as session:
        assert len(session.scalars(sa.select(Firm)).all()) == 1
        assert len(session.scalars(sa.select(LedgerHead)).all()) == 1


def test_another_passkey_cannot_confirm_the_firm(node: Node) -> None:
    petra, thief = node.browser(), node.browser()
    petra.post("/betrieb/neu", **FACTS)
    petra.register("/betrieb/neu/schluessel/optionen", "/betrieb/neu/schluessel")
    petra.passkey = thief.passkey
    petra.answer("/betrieb/neu/bestaetigen/optionen", "/betrieb/neu/bestaetigen", 422)


def test_a_closed_node_says_so(database: Database, tmp_path: Path) -> None:
    visitor = start_node(database, tmp_path, FIRMS_MAY_JOIN="off").browser()
    assert "keine neuen Betriebe" in visitor.get("/betrieb/neu", 403).get_data(as_text=True)
    visitor.post("/betrieb/neu", 422, **FACTS)


def words_on(browser: Browser) -> list[str]:
    return re.findall(r'<b lang="en">([a-z]+)</b>', browser.get("/notfall/schluessel").get_data(as_text=True))
