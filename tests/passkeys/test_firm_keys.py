"""Keys for life: seal, log, cosigner and recovery keys are replaced, a domain is left, and every old record still holds."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.firms.models import Firm
from app.notary.models import FirmKey, LedgerHead
from app.notary.queries import evidence_file, export_log, seal_address
from app.notary.rotation import PURPOSES, rewrap_keys
from app.passkeys.models import Passkey
from ledger.errors import VerificationError
from ledger.fsck import check_log
from tests.passkeys.test_routes_devices import person_id_of, second_key, verified
from tests.passkeys.world import Browser, Node, start_node


@pytest.fixture
def node(database: Database, tmp_path: Path) -> Node:
    return start_node(database, tmp_path)


@pytest.fixture
def petra(node: Node) -> Browser:
    browser = node.browser()
    browser.found_firm()
    return browser


def firm_id_of(node: Node) -> str:
    with node.database.read() as session:
        return session.scalars(sa.select(Firm.id).where(Firm.name.startswith("Keller"))).one()


def renew(petra: Browser, purpose: str) -> None:
    petra.post(f"/betrieb/schluessel/{purpose}/neu")
    petra.approve("key.rotate", purpose)


def words_on_sheet(petra: Browser) -> str:
    page = petra.get("/notfall/schluessel").get_data(as_text=True)
    return " ".join(re.findall(r'<b lang="en">([a-z]+)</b>', page))


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_new_key_takes_the_place_of_the_old_one_and_all_records_still_hold(
    petra: Browser, node: Node, tmp_path: Path, purpose: str
) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    firm_id = firm_id_of(node)
    with node.database.read() as session:
        before = session.get_one(FirmKey, (firm_id, purpose)).public_key
    renew(petra, purpose)
    with node.database.read() as session:
        row = session.get_one(FirmKey, (firm_id, purpose))
        assert (row.public_key != before, row.seq, row.next_at) == (True, 1, None)
    petra.post("/notfall/schluessel/gedruckt")
    second_key(petra, node)
    with node.database.read() as session:
        head = session.get_one(LedgerHead, firm_id)
        assert (head.size, head.signed_size) == (3, 3)
        assert all(verified(evidence_file(session, firm_id, seq), tmp_path) for seq in range(3))
        log = b"".join(export_log(session, firm_id))
    check_log(log.splitlines(keepends=True))


def test_a_planned_key_signs_nothing_until_its_record_is_approved_and_may_be_dropped(
    petra: Browser, node: Node
) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    with node.database.read() as session:
        before = seal_address(session, firm_id_of(node))
    petra.post("/betrieb/schluessel/seal/neu")
    assert "bestätigen" in petra.get("/betrieb/schluessel/seal").get_data(as_text=True)
    with node.database.read() as session:
        assert seal_address(session, firm_id_of(node)) == before
    petra.post("/betrieb/schluessel/seal/lassen")
    petra.get("/betrieb/schluessel/seal", 404)
    petra.get("/betrieb/schluessel/passkey", 404)


def test_after_a_new_sheet_only_its_words_open_the_firm(petra: Browser, node: Node) -> None:
    old = words_on_sheet(petra)
    petra.post("/notfall/schluessel/gedruckt")
    renew(petra, "recovery")
    new = words_on_sheet(petra)
    assert len(new.split()) == 24
    assert new != old
    petra.post("/notfall/schluessel/gedruckt")
    stranger, person_id = node.browser(), person_id_of(node, "Petra Keller")
    stranger.post("/notfall", 422, words=old)
    stranger.post("/notfall", 200, words=new)
    assert stranger.register("/notfall/optionen", "/notfall/pruefen", words=new, person_id=person_id) == {"next": "/"}


def test_where_two_must_sign_another_manager_approves_the_new_key(petra: Browser, node: Node) -> None:
    petra.post("/notfall/schluessel/gedruckt")
    with node.database.write() as session:
        session.get_one(Firm, firm_id_of(node)).two_person_above_cents = 100_000
    petra.post("/betrieb/schluessel/recovery/neu")
    assert "andere Leitung" in petra.approve_refused("key.rotate", "recovery")
    with node.database.write() as session:
        session.get_one(FirmKey, (firm_id_of(node), "recovery")).next_by = "somebody-else"
    assert petra.approve("key.rotate", "recovery")["next"] == "/notfall/schluessel"


def test_a_moved_domain_is_entered_with_the_printed_key_and_signs_there(
    petra: Browser, node: Node, tmp_path: Path, database: Database
) -> None:
    words, firm_id = words_on_sheet(petra), firm_id_of(node)
    petra.post("/notfall/schluessel/gedruckt")
    moved = start_node(database, tmp_path, PUBLIC_URL="https://neu.example")
    phone = moved.browser()
    phone.post("/notfall", 200, words=words)
    person_id = person_id_of(node, "Petra Keller")
    phone.register("/notfall/optionen", "/notfall/pruefen", words=words, person_id=person_id)
    with moved.database.read() as session:
        origins = session.scalars(sa.select(Passkey.origin).order_by(Passkey.created_at)).all()
        assert "https://neu.example" in origins
        assert all(verified(evidence_file(session, firm_id, seq), tmp_path) for seq in range(3))
    renew(phone, "seal")
    with moved.database.read() as session:
        assert verified(evidence_file(session, firm_id, 3), tmp_path)


def test_a_new_node_key_opens_every_key_and_the_old_one_none(petra: Browser, node: Node) -> None:
    new = bytes(range(32))
    with node.database.write() as session:
        old = node.config.node_key
        assert rewrap_keys(session, old, new) == rewrap_keys(session, old, new)
        with pytest.raises(VerificationError):
            rewrap_keys(session, old, bytes(32))
