"""Appending: what both signed stands in the log, provable by anybody, whatever crashes or races."""

import threading
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.notary import actions, heads, rings
from app.notary.actions import append_entry, remember_partner_keys, resume_checkpoints, seal, sign_checkpoint
from app.notary.documents import Display, new_message, passkey_kid, passkey_point, to_hex
from app.notary.models import LedgerCheckpoint, LedgerEntry, LedgerEvidence, LedgerHead
from app.notary.queries import (
    digest,
    evidence_file,
    export_log,
    fingerprint_words,
    genesis_digest,
    key_document,
    origin,
    proof_document,
    seal_address,
)  # fmt: skip
from app.notary.rings import own_keys
from ledger.errors import VerificationError
from tests.ledger.asked import ask_ledger
from tests.notary.world import EXPIRY, House, append_lapse, approve, found_house, two_houses
from tests.passkeys.software import SoftwarePasskey


def test_a_new_firm_has_a_log_of_one_entry_with_a_signed_checkpoint(database: Database) -> None:
    with database.write() as session:
        found_house(session, "keller")
    with database.read() as session:
        head = session.get_one(LedgerHead, "keller")
        assert (head.size, head.signed_size, head.origin) == (1, 1, "keller.localhost")
        assert session.get_one(LedgerCheckpoint, ("keller", 1)).root == head.root


def test_anybody_can_verify_an_entry_offline(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        house = found_house(session, "keller")
        append_lapse(session, house, 1)
    with database.read() as session:
        body = evidence_file(session, "keller", 1)
    assert verified(body, tmp_path) == 0
    for place in (len(body) // 3, len(body) // 2, len(body) - 200):
        changed = bytearray(body)
        changed[place] ^= 1
        assert verified(bytes(changed), tmp_path) != 0


def test_a_record_of_two_firms_is_verified_with_the_keys_of_both(database: Database, tmp_path: Path) -> None:
    keller, yilmaz = two_houses(database)
    exchange_keys(database, keller, yilmaz)
    seq = link_partners(database, keller, yilmaz)
    with database.read() as session:
        alone = evidence_file(session, "keller", seq)
        both = evidence_file(session, "keller", seq, proof_document(session, "yilmaz", seq))
    assert verified(alone, tmp_path) == 0
    assert verified(both, tmp_path) == 0


def test_a_whole_log_replays_without_a_fault_and_a_changed_row_is_named(database: Database, tmp_path: Path) -> None:
    keller, yilmaz = two_houses(database)
    exchange_keys(database, keller, yilmaz)
    link_partners(database, keller, yilmaz)
    with database.write() as session:
        append_lapse(session, keller, 7)
    assert fsck(database, tmp_path).returncode == 0
    with database.write() as session:
        entry = session.get_one(LedgerEntry, ("keller", 2))
        stored = session.get_one(LedgerEvidence, ("keller", entry.evidence_sha256))
        stored.body = stored.body.replace(b"Vereinbarung 7", b"Vereinbarung 8")
    result = fsck(database, tmp_path)
    assert result.returncode == 1
    assert "2" in result.stdout + result.stderr


def test_the_same_record_twice_gives_the_same_position(database: Database) -> None:
    with database.write() as session:
        house = found_house(session, "keller")
        text = "Verfallen."
        message = new_message(
            "agreement.lapsed", house.address, house.address, text, agreement="0x" + "11" * 32, reason="expired"
        )
        sealed = [seal(session, "keller", digest("AgreementLapsed", message))]
        args: tuple[Any, ...] = ("agreement.lapsed", "AgreementLapsed", message, Display("t", "de", text), sealed)
        assert append_entry(session, "keller", *args) == append_entry(session, "keller", *args) == 1
    with database.read() as session:
        assert session.get_one(LedgerHead, "keller").size == 2


def test_the_same_record_again_after_its_deadline_gives_the_same_position(database: Database) -> None:
    with database.write() as session:
        house = found_house(session, "keller")
        message = new_message(
            "agreement.lapsed", house.address, house.address, "Verfallen.", expires_at=clock.now() + EXPIRY,
            agreement="0x" + "11" * 32, reason="expired",
        )  # fmt: skip
        sealed = [seal(session, "keller", digest("AgreementLapsed", message))]
    args: tuple[Any, ...] = ("agreement.lapsed", "AgreementLapsed", message, Display("t", "de", "Verfallen."), sealed)
    with database.write() as session:
        assert append_entry(session, "keller", *args) == 1
    with clock.frozen(clock.now() + 2 * EXPIRY), database.write() as session:
        assert append_entry(session, "keller", *args) == 1
        other = message | {"id": "0x" + "22" * 32}
        sealed = [seal(session, "keller", digest("AgreementLapsed", other))]
        with pytest.raises(RuleBroken):
            append_entry(session, "keller", args[0], args[1], other, args[3], sealed)


def test_a_new_key_counts_from_the_next_entry_on(database: Database) -> None:
    with database.write() as session:
        house = found_house(session, "keller")
        append_lapse(session, house, 1)
        before = own_keys(session, "keller")
        register_passkey(session, house, SoftwarePasskey())
        assert len(own_keys(session, "keller").keys) == len(before.keys) + 1
    with pytest.raises(RuntimeError), database.write() as session:
        register_passkey(session, house, SoftwarePasskey())
        raise RuntimeError
    with database.read() as session:
        assert len(own_keys(session, "keller").keys) == len(before.keys) + 1


def test_keys_are_not_read_from_content_that_was_changed(database: Database) -> None:
    with database.write() as session:
        found_house(session, "keller")
    with database.write() as session:
        stored = session.scalars(sa.select(LedgerEvidence)).one()
        stored.body = stored.body.replace(b"keller beginnt", b"keller begonnt")
    rings._known_under.cache_clear()
    with database.read() as session, pytest.raises(VerificationError):
        own_keys(session, "keller")


def test_a_record_without_the_managers_signature_is_refused_and_nothing_stays(database: Database) -> None:
    keller, yilmaz = two_houses(database)
    exchange_keys(database, keller, yilmaz)
    with database.write() as session:
        message, text = link_message(session)
        sealed = [seal(session, firm, digest("LinkPartner", message)) for firm in ("keller", "yilmaz")]
    with pytest.raises(RuleBroken), database.write() as session:
        append_entry(session, "keller", "link.partner", "LinkPartner", message, Display("t", "de", text), sealed)
    with database.read() as session:
        assert session.get_one(LedgerHead, "keller").size == 1


def test_a_changed_text_is_refused(database: Database) -> None:
    with database.write() as session:
        house = found_house(session, "keller")
        message = new_message(
            "agreement.lapsed", house.address, house.address, "Verfallen.", agreement="0x" + "11" * 32, reason="x"
        )
        sealed = [seal(session, "keller", digest("AgreementLapsed", message))]
        with pytest.raises(RuleBroken):
            append_entry(
                session, "keller", "agreement.lapsed", "AgreementLapsed", message, Display("t", "de", "Nicht."), sealed
            )


def test_a_high_s_passkey_signature_is_stored_in_its_low_form(database: Database) -> None:
    keller, yilmaz = two_houses(database)
    exchange_keys(database, keller, yilmaz)
    keller.passkey.high_s = True
    link_partners(database, keller, yilmaz)


def test_a_crash_between_commit_and_checkpoint_is_mended_at_start(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as session:
        house = found_house(session, "keller")

    def crash(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(heads, "sign_head", crash)
        with pytest.raises(SystemExit), database.write() as session:
            append_lapse(session, house, 1)
    with database.read() as session:
        head = session.get_one(LedgerHead, "keller")
        assert (head.size, head.signed_size) == (2, 1)
    assert resume_checkpoints(database) == 1
    assert resume_checkpoints(database) == 0
    with database.read() as session:
        assert session.get_one(LedgerHead, "keller").signed_size == 2


def test_a_stored_end_that_does_not_fit_is_never_signed(database: Database) -> None:
    with database.write() as session:
        found_house(session, "keller")
    with database.write() as session:
        session.execute(sa.update(LedgerHead).values(size=1, signed_size=0, root="ab" * 32))
    with pytest.raises(VerificationError):
        sign_checkpoint(database, "keller")
    resume_checkpoints(database)
    with database.read() as session:
        assert session.get_one(LedgerHead, "keller").signed_size == 0


def test_a_log_whose_last_entry_is_gone_is_never_signed(database: Database) -> None:
    with database.write() as session:
        found_house(session, "keller")
    with database.write() as session:
        session.execute(sa.delete(LedgerEntry))
        session.execute(sa.update(LedgerHead).values(signed_size=0))
    with pytest.raises(VerificationError):
        sign_checkpoint(database, "keller")


def test_a_checkpoint_lost_in_a_power_cut_comes_back_byte_by_byte(database: Database) -> None:
    with database.write() as session:
        house = found_house(session, "keller")
        append_lapse(session, house, 1)
    with database.write() as session:
        told = session.scalars(sa.select(LedgerCheckpoint.note)).one()
        session.execute(sa.delete(LedgerCheckpoint))
        session.execute(sa.update(LedgerHead).values(signed_size=0))
    assert resume_checkpoints(database) == 1
    with database.read() as session:
        assert session.scalars(sa.select(LedgerCheckpoint.note)).all() == [told]


def test_two_that_sign_one_log_at_once_keep_one_checkpoint(database: Database) -> None:
    with database.write() as session:
        found_house(session, "keller")
    with database.write() as session:
        session.execute(sa.delete(LedgerCheckpoint))
        session.execute(sa.update(LedgerHead).values(signed_size=0))
    threads = [threading.Thread(target=with_clock, args=(sign_checkpoint, database, "keller")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.scalars(sa.select(LedgerCheckpoint.size)).all() == [1]
        assert session.get_one(LedgerHead, "keller").signed_size == 1


def test_many_writers_of_one_log_get_one_position_each(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        house = found_house(session, "keller")
    found: list[int] = []

    def write(number: int) -> None:
        with database.write() as session:
            found.append(append_lapse(session, house, number))

    threads = [threading.Thread(target=with_clock, args=(write, number)) for number in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1, 13))
    assert fsck(database, tmp_path).returncode == 0


def test_a_rolled_back_entry_leaves_no_gap(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        house = found_house(session, "keller")
    with pytest.raises(RuntimeError, match="afterwards"):
        append_and_fail(database, house)
    with database.write() as session:
        assert append_lapse(session, house, 2) == 1
    assert fsck(database, tmp_path).returncode == 0


def test_keys_of_another_log_than_the_known_one_are_refused(database: Database) -> None:
    keller, yilmaz = two_houses(database)
    exchange_keys(database, keller, yilmaz)
    with database.write() as session:
        forged = key_document(session, "nowak")
        with pytest.raises(RuleBroken):
            remember_partner_keys(session, "keller", "yilmaz", forged)
        broken = key_document(session, "yilmaz")
        broken["keys"][0]["evidence"]["display"]["text"] = "anders"
        with pytest.raises(RuleBroken):
            remember_partner_keys(session, "keller", "yilmaz", broken)


def test_a_partners_signature_holds_with_its_keys_only(database: Database) -> None:
    keller, yilmaz = two_houses(database)
    exchange_keys(database, keller, yilmaz)
    with database.write() as session:
        value = bytes(range(32))
        theirs = approve(session, yilmaz, value)
        actions.check_signature(session, "keller", "yilmaz", value, theirs)
        actions.check_signature(session, "keller", "yilmaz", value, seal(session, "yilmaz", value))
        actions.check_signature(session, "keller", None, value, approve(session, keller, value))
        with pytest.raises(RuleBroken):
            actions.check_signature(session, "keller", None, value, theirs)
        with pytest.raises(RuleBroken):
            actions.check_signature(session, "keller", "yilmaz", bytes(32), theirs)


def test_a_practice_log_says_so_in_its_name(database: Database) -> None:
    with database.write() as session:
        found_house(session, "keller", is_practice=True)
    with database.read() as session:
        assert origin(session, "keller") == "practice/keller.localhost"


def test_six_words_stand_for_a_genesis(database: Database) -> None:
    with database.write() as session:
        found_house(session, "keller")
        words = fingerprint_words(genesis_digest(session, "keller"))
    assert len(words.split()) == 6


def append_and_fail(database: Database, house: House) -> None:
    with database.write() as session:
        append_lapse(session, house, 1)
        raise RuntimeError("afterwards")


def register_passkey(session: Any, house: House, passkey: SoftwarePasskey) -> int:
    """One more manager's passkey, approved by the first one."""
    text = "Ein weiterer Schlüssel."
    message = new_message(
        "key.register", house.address, house.address, text, purpose="passkey",
        kid=to_hex(passkey_kid(passkey.cose)), public_key=to_hex(passkey_point(passkey.cose)), role="manager",
        limit_cents=0, valid_from=0, rp_id=passkey.rp_id, origins=(passkey.origin,),
    )  # fmt: skip
    value = digest("KeyRegister", message)
    signatures = [approve(session, house, value), seal(session, house.firm_id, value)]
    display = Display("key.register.de.1", "de", text)
    return append_entry(session, house.firm_id, "key.register", "KeyRegister", message, display, signatures)


def exchange_keys(database: Database, one: House, other: House) -> None:
    with database.write() as session:
        for reader, teller in ((one, other), (other, one)):
            remember_partner_keys(session, reader.firm_id, teller.firm_id, key_document(session, teller.firm_id))


def link_message(session: Any) -> tuple[dict[str, Any], str]:
    text = "Keller und Yilmaz arbeiten zusammen."
    return new_message(
        "link.partner", "keller@localhost", "yilmaz@localhost", text, expires_at=clock.now() + EXPIRY,
        log_from=origin(session, "keller"), log_to=origin(session, "yilmaz"),
        genesis_from=genesis_digest(session, "keller"), genesis_to=genesis_digest(session, "yilmaz"),
        seal_from=seal_address(session, "keller"), seal_to=seal_address(session, "yilmaz"),
        scope=("requests",), template="lohnfertigung.de.1", terms_hash="0x" + "22" * 32,
        fingerprint=f"{genesis_digest(session, 'keller')} {genesis_digest(session, 'yilmaz')}",
    ), text  # fmt: skip


def link_partners(database: Database, one: House, other: House) -> int:
    """Both sign, both append the same evidence."""
    with database.write() as session:
        message, text = link_message(session)
        value = digest("LinkPartner", message)
        signatures = [seal(session, one.firm_id, value), seal(session, other.firm_id, value)]
        signatures += [approve(session, one, value), approve(session, other, value)]
        display = Display("lohnfertigung.de.1", "de", text)
        seqs = [
            append_entry(session, firm, "link.partner", "LinkPartner", message, display, signatures)
            for firm in (one.firm_id, other.firm_id)
        ]
        assert seqs == [1, 1]
    return 1


def verified(body: bytes, folder: Path) -> int:
    path = folder / "beweis.json"
    path.write_bytes(body)
    return ask_ledger("verify", path).returncode


def fsck(database: Database, folder: Path) -> "CompletedProcess[str]":
    path = folder / "log.jsonl"
    with database.read() as session:
        path.write_bytes(b"".join(export_log(session, "keller")))
    return ask_ledger("fsck", path)


def with_clock(task: Any, *args: object) -> None:
    from tests.conftest import MONDAY

    with clock.frozen(MONDAY):
        task(*args)
