"""Partners witness each other's logs: cosignatures in the evidence, and a log that was set back or forked rests."""

import datetime as dt
import json
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.core.outbox import OutboxRow
from app.firms.models import Firm
from app.notary.models import LedgerCheckpoint, LedgerEntry, LedgerEvidence, LedgerHead, Witness
from app.notary.queries import entries_about, evidence_file, export_log
from app.notary.witnesses import (
    BEHIND,
    CONFLICT,
    FORKED,
    RESTORED,
    Word,
    doubt_restored_logs,
    halt_of,
    policy_of,
    take_word,
    witnesses_of,
)
from app.worker import end_what_is_due
from ledger.fsck import check_log
from ledger.policy import parse_policy
from ledger.verify import verify_bundle
from tests.agreements.world import Deal, drafted, evidence_of, make_deal, sign, signed_by_both
from tests.notary.world import House, append_lapse
from tests.passkeys.test_routes_devices import verified

NOW = dt.datetime(2026, 11, 16, 7, tzinfo=dt.UTC)


@pytest.fixture
def deal(database: Database) -> Deal:
    with clock.frozen(NOW):
        return make_deal(database)


def an_hour_later(database: Database, hours: int = 1) -> None:
    with clock.frozen(clock.now() + dt.timedelta(hours=hours, minutes=1)):
        end_what_is_due(database)


def firm(deal: Deal, key: str) -> str:
    return deal.firms[key].id


def append(database: Database, deal: Deal, number: int) -> None:
    """One more record in Keller's log."""
    with database.write() as session:
        keller = session.get_one(Firm, firm(deal, "keller"))
        append_lapse(session, House(keller.id, keller.address, deal.passkeys["keller"]), number)


def rows_of_log(database: Database, firm_id: str) -> list[object]:
    """Head, entries, evidence and checkpoints as a backup holds them."""
    with database.read() as session:
        found = []
        for model in (LedgerHead, LedgerEntry, LedgerEvidence, LedgerCheckpoint):
            for row in session.scalars(sa.select(model).where(model.firm_id == firm_id)):  # type: ignore[attr-defined]
                found.append((model, {one.key: getattr(row, one.key) for one in sa.inspect(model).column_attrs}))
        return found  # type: ignore[return-value]


def put_back_log(database: Database, firm_id: str, rows: list[object]) -> None:
    with database.write() as session:
        for model in (LedgerHead, LedgerEntry, LedgerEvidence, LedgerCheckpoint):
            session.execute(sa.delete(model).where(model.firm_id == firm_id))  # type: ignore[attr-defined]
        for model, values in rows:  # type: ignore[misc]
            session.add(model(**values))


def test_each_partner_cosigns_what_has_grown_and_the_evidence_shows_it(
    database: Database, deal: Deal, tmp_path: Path
) -> None:
    with clock.frozen(NOW):
        end_what_is_due(database)
        (agreement_id,) = drafted(database, deal)
        sign(database, deal, "keller", agreement_id)
        sign(database, deal, "yilmaz", agreement_id)
        an_hour_later(database)
    keller = firm(deal, "keller")
    with database.read() as session:
        head = session.get_one(LedgerHead, keller)
        assert {one.size for one in witnesses_of(session, keller)} == {head.size}
        assert len(witnesses_of(session, keller)) == 3
        (seq, _), *_ = entries_about(session, keller, agreement_id)
        body = evidence_file(session, keller, seq)
        file = json.loads(body)
        assert len(file["witnesses"]) == 2, "the partner's own key stands in its genesis record"
        assert file["checkpoint"].count("\n— ") == 4
        assert verified(body, tmp_path)
        policy = parse_policy(policy_of(session, keller, 3))
        assert verify_bundle(body, policy).holds
        assert check_log(b"".join(export_log(session, keller)).splitlines(keepends=True))


def test_the_whole_evidence_of_an_agreement_with_all_cosignatures_stays_below_ten_kilobytes(
    database: Database, deal: Deal
) -> None:
    with clock.frozen(NOW):
        end_what_is_due(database)
        (agreement_id,) = drafted(database, deal)
        signed_by_both(database, deal, [agreement_id])
        an_hour_later(database)
    for key, lines in (("keller", 4), ("yilmaz", 2)):
        body = evidence_of(database, deal, key, agreement_id)
        file = json.loads(body)
        assert file["checkpoint"].count("\n— ") == lines
        assert file["counterpart"]["leaf"]
        assert len(body) <= 10_000
        start = time.process_time()
        assert verify_bundle(body).holds
        assert time.process_time() - start < 0.1


def test_nobody_is_asked_twice_in_an_hour_nor_when_nothing_grew(database: Database, deal: Deal) -> None:
    with clock.frozen(NOW):
        end_what_is_due(database)
        with database.read() as session:
            before = session.get_one(Witness, (firm(deal, "keller"), firm(deal, "yilmaz"))).asked_at
        (agreement_id,) = drafted(database, deal)
        sign(database, deal, "keller", agreement_id)
        sign(database, deal, "yilmaz", agreement_id)
        end_what_is_due(database)
        with database.read() as session:
            assert session.get_one(Witness, (firm(deal, "keller"), firm(deal, "yilmaz"))).asked_at == before
        an_hour_later(database)
        an_hour_later(database, 2)
    with database.read() as session:
        asked = session.get_one(Witness, (firm(deal, "keller"), firm(deal, "yilmaz"))).asked_at
        assert asked == NOW + dt.timedelta(hours=1, minutes=1)


def test_a_log_from_an_old_backup_notices_and_rests(database: Database, deal: Deal) -> None:
    keller = firm(deal, "keller")
    with clock.frozen(NOW):
        backup = rows_of_log(database, keller)
        (agreement_id,) = drafted(database, deal)
        sign(database, deal, "keller", agreement_id)
        sign(database, deal, "yilmaz", agreement_id)
        end_what_is_due(database)
        put_back_log(database, keller, backup)
        with database.write() as session:
            assert doubt_restored_logs(session) >= 1
            assert halt_of(session, keller) == RESTORED
        an_hour_later(database)
        with database.read() as session:
            assert halt_of(session, keller) == BEHIND
            assert "LogHalted" in session.scalars(sa.select(OutboxRow.kind)).all()
        with pytest.raises(RuleBroken, match="ruht"):
            append(database, deal, 1)


def test_a_restored_log_that_partners_know_as_it_is_goes_on(database: Database, deal: Deal) -> None:
    with clock.frozen(NOW):
        end_what_is_due(database)
        with database.write() as session:
            doubt_restored_logs(session)
        with pytest.raises(RuleBroken, match="ruht"):
            append(database, deal, 1)
        an_hour_later(database)
    with database.read() as session:
        assert halt_of(session, firm(deal, "keller")) == ""
        assert halt_of(session, firm(deal, "yilmaz")) == ""


def test_a_second_history_becomes_a_record_at_the_partner_and_stops_the_log(database: Database, deal: Deal) -> None:
    keller, yilmaz = firm(deal, "keller"), firm(deal, "yilmaz")
    with clock.frozen(NOW):
        backup = rows_of_log(database, keller)
        append(database, deal, 1)
        end_what_is_due(database)
        put_back_log(database, keller, backup)
        append(database, deal, 2)
        with database.write() as session:
            for row in session.scalars(sa.select(Witness).where(Witness.firm_id == keller)):
                row.size = 0
        an_hour_later(database)
    with database.read() as session:
        assert halt_of(session, keller) == FORKED
        entries = session.scalars(
            sa.select(LedgerEntry.seq).where(LedgerEntry.firm_id == yilmaz, LedgerEntry.type == CONFLICT)
        ).all()
        assert len(entries) == 1
        assert verify_bundle(evidence_file(session, yilmaz, entries[0]), None).holds
        assert "LogContradicted" in session.scalars(sa.select(OutboxRow.kind)).all()


def test_a_partner_that_only_claims_to_have_seen_more_stops_nothing(database: Database, deal: Deal) -> None:
    keller, yilmaz = firm(deal, "keller"), firm(deal, "yilmaz")
    with clock.frozen(NOW):
        end_what_is_due(database)
    with database.write() as session:
        head = session.get_one(LedgerHead, keller)
        note = session.get_one(LedgerCheckpoint, (keller, head.signed_size)).note
        forged = note.replace(f"\n{head.signed_size}\n", "\n999\n", 1)
    with pytest.raises(RuleBroken), database.write() as session:
        take_word(session, keller, yilmaz, Word(409, "999\n", "text/x.tlog.size", note, forged))
    with database.read() as session:
        assert halt_of(session, keller) == ""
