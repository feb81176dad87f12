"""Erasing an agreement: after its time by one side, earlier by both; what stays is the proof that it existed."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.agreements.forgetting import (
    AGREED,
    REQUESTED,
    approve_erasure,
    drop_erasure,
    erasure_of,
    keep_until,
    prepare_erasure,
)
from app.agreements.models import Agreement, AgreementErasure, AgreementLine
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Base, Database
from app.core.errors import NotFound, RuleBroken
from app.federation.actions import send_message
from app.federation.models import Message
from app.notary.queries import digest, evidence_file, export_log
from app.push.models import Alert
from app.worker import end_what_is_due, run_until_quiet
from ledger.fsck import check_log
from tests.agreements.world import Deal, approval, drafted, make_deal, sign
from tests.ledger.asked import ask_ledger

NOW = dt.datetime(2026, 11, 16, 7, tzinfo=dt.UTC)
OVER = dt.datetime(2027, 6, 1, 7, tzinfo=dt.UTC)
KEPT = dt.datetime(2034, 1, 2, 7, tzinfo=dt.UTC)


@pytest.fixture
def deal(database: Database) -> Deal:
    with clock.frozen(NOW):
        deal = make_deal(database)
        (agreement_id,) = drafted(database, deal)
        sign(database, deal, "keller", agreement_id)
        sign(database, deal, "yilmaz", theirs(database, deal))
        end_what_is_due(database)
    return deal


def ours(database: Database, deal: Deal) -> str:
    return _agreement(database, deal.firms["keller"].id)


def theirs(database: Database, deal: Deal) -> str:
    return _agreement(database, deal.firms["yilmaz"].id)


def _agreement(database: Database, firm_id: str) -> str:
    with database.read() as session:
        return session.scalars(sa.select(Agreement.id).where(Agreement.firm_id == firm_id)).one()


def agree_to_erase(database: Database, deal: Deal, key: str, agreement_id: str) -> str:
    """The manager of that firm signs the erasure; returns its state, once everybody heard."""
    actor = deal.actor(key)
    with database.write() as session:
        message = prepare_erasure(session, actor, agreement_id).message
        signature = approval(session, deal, key, digest("Erasure", message))
    with database.write() as session:
        approve_erasure(session, actor, agreement_id, signature)
    run_until_quiet(database)
    with database.read() as session:
        return erasure_of(session, actor.firm_id, agreement_id).state


def everything(database: Database) -> str:
    """All rows of all tables as one text."""
    found: list[Any] = []
    with database.read() as session:
        for table in Base.metadata.sorted_tables:
            found += [list(row) for row in session.execute(sa.select(table))]
    return repr(found)


def report(body: bytes, folder: Path) -> tuple[int, str]:
    (folder / "beweis.json").write_bytes(body)
    done = ask_ledger("verify", "--plain", folder / "beweis.json")
    return done.returncode, done.stdout


def test_after_the_duty_to_keep_one_side_erases_alone_and_the_existence_stays_provable(
    database: Database, deal: Deal, tmp_path: Path
) -> None:
    keller, agreement_id = deal.firms["keller"].id, ours(database, deal)
    with database.read() as session:
        row = session.get_one(Agreement, (keller, agreement_id))
        seq, salt, text, signature = row.entry_seq, row.message["salt"], row.text, row.signatures[0]["signature"]
        assert keep_until(session, row) < KEPT.date()
    assert salt in everything(database)
    with clock.frozen(KEPT):
        assert agree_to_erase(database, deal, "keller", agreement_id) == "done"
    assert seq is not None
    with database.read() as session:
        code, said = report(evidence_file(session, keller, seq), tmp_path)
        assert (code, "gelöscht" in said) == (0, True), said
        lines = b"".join(export_log(session, keller)).splitlines(keepends=True)
        assert check_log(lines).erased == 1
        for model in (Agreement, AgreementLine, Booking):
            assert session.scalars(sa.select(model).where(model.firm_id == keller)).all() == []  # type: ignore[attr-defined]
        # the partner keeps its own copy: it decides for itself
        assert session.get(Agreement, (deal.firms["yilmaz"].id, theirs(database, deal))) is not None
    with database.write() as session:
        for name in ("agreement_line", "agreement", "message", "ledger_evidence", "approval", "stored_file"):
            table = Base.metadata.tables[name]
            session.execute(sa.delete(table).where(table.c.firm_id == deal.firms["yilmaz"].id))
    rest = everything(database)
    assert salt not in rest
    assert signature not in rest
    assert repr(text)[1:200] not in rest


def test_before_that_both_must_agree_and_both_copies_go(database: Database, deal: Deal, tmp_path: Path) -> None:
    with clock.frozen(OVER):
        assert agree_to_erase(database, deal, "keller", ours(database, deal)) == "asked"
        with database.read() as session:
            wanted = session.get_one(AgreementErasure, (deal.firms["yilmaz"].id, theirs(database, deal)))
            assert wanted.state == "wanted"
        assert agree_to_erase(database, deal, "yilmaz", theirs(database, deal)) == "done"
    with database.read() as session:
        for key in ("keller", "yilmaz"):
            row = session.scalars(
                sa.select(AgreementErasure).where(AgreementErasure.firm_id == deal.firms[key].id)
            ).one()
            assert row.state == "done"
            assert report(evidence_file(session, row.firm_id, row.entry_seq), tmp_path)[0] == 0
            check_log(b"".join(export_log(session, row.firm_id)).splitlines(keepends=True))
        assert session.scalars(sa.select(Agreement)).all() == []
        bodies = session.scalars(sa.select(Message.body).where(Message.kind.startswith("agreement."))).all()
        assert json.dumps(bodies).count("salt") == 0


def test_a_partner_that_wants_to_keep_it_says_no_and_it_stays(database: Database, deal: Deal) -> None:
    with clock.frozen(OVER):
        agree_to_erase(database, deal, "keller", ours(database, deal))
        with database.write() as session:
            drop_erasure(session, deal.actor("yilmaz"), theirs(database, deal))
        run_until_quiet(database)
    with database.read() as session:
        assert session.scalars(sa.select(AgreementErasure)).all() == []
        assert len(session.scalars(sa.select(Agreement)).all()) == 2


def test_what_was_signed_cannot_be_taken_back_while_the_partner_decides(database: Database, deal: Deal) -> None:
    with clock.frozen(OVER):
        assert agree_to_erase(database, deal, "keller", ours(database, deal)) == "asked"
        with pytest.raises(NotFound), database.write() as session:
            drop_erasure(session, deal.actor("keller"), ours(database, deal))
        assert agree_to_erase(database, deal, "yilmaz", theirs(database, deal)) == "done"
    with database.read() as session:
        assert session.scalars(sa.select(AgreementErasure.state)).all() == ["done", "done"]


def test_a_wish_that_was_never_answered_is_ours_alone_once_the_duty_to_keep_is_over(
    database: Database, deal: Deal
) -> None:
    keller, agreement_id = deal.firms["keller"].id, ours(database, deal)
    with clock.frozen(OVER):
        assert agree_to_erase(database, deal, "keller", agreement_id) == "asked"
        assert "Beide Betriebe" in renewed(database, keller, agreement_id).text
    with clock.frozen(KEPT):
        row = renewed(database, keller, agreement_id)
        assert (row.state, row.approval, row.message["legalBasis"]) == ("draft", {}, "retention period over")
        assert "Die Frist zum Aufheben ist vorbei" in row.text
        assert renewed(database, keller, agreement_id).message == row.message
        with database.read() as session:
            kinds = session.scalars(sa.select(Alert.kind).where(Alert.firm_id == keller)).all()
        assert kinds.count("erasure") == 1
        assert agree_to_erase(database, deal, "keller", agreement_id) == "done"
    with database.read() as session:
        assert session.get(Agreement, (deal.firms["yilmaz"].id, theirs(database, deal))) is not None


def test_an_unsigned_wish_says_after_the_duty_to_keep_that_nobody_else_is_needed(
    database: Database, deal: Deal
) -> None:
    keller, agreement_id = deal.firms["keller"].id, ours(database, deal)
    with clock.frozen(OVER), database.write() as session:
        prepare_erasure(session, deal.actor("keller"), agreement_id)
    with clock.frozen(KEPT):
        assert "Die Frist zum Aufheben ist vorbei" in renewed(database, keller, agreement_id).text


def renewed(database: Database, firm_id: str, agreement_id: str) -> AgreementErasure:
    """The wish after the next full hour."""
    end_what_is_due(database)
    with database.read() as session:
        found = erasure_of(session, firm_id, agreement_id)
        session.expunge(found)
        return found


def test_both_who_ask_at_the_same_time_have_agreed(database: Database, deal: Deal) -> None:
    with clock.frozen(OVER):
        for key, agreement_id in (("keller", ours(database, deal)), ("yilmaz", theirs(database, deal))):
            actor = deal.actor(key)
            with database.write() as session:
                message = prepare_erasure(session, actor, agreement_id).message
                signature = approval(session, deal, key, digest("Erasure", message))
                approve_erasure(session, actor, agreement_id, signature)
        run_until_quiet(database)
    with database.read() as session:
        assert session.scalars(sa.select(AgreementErasure.state)).all() == ["done", "done"]


def test_nothing_is_erased_while_hours_are_owed(database: Database, deal: Deal) -> None:
    with clock.frozen(NOW), pytest.raises(RuleBroken, match="vorbei"), database.write() as session:
        prepare_erasure(session, deal.actor("keller"), ours(database, deal))


def test_a_yes_that_nobody_asked_for_erases_nothing(database: Database, deal: Deal) -> None:
    yilmaz, keller = deal.firms["yilmaz"].id, deal.firms["keller"].id
    with clock.frozen(OVER):
        with database.write() as session:
            told = session.get_one(Agreement, (yilmaz, theirs(database, deal))).digest
            send_message(session, yilmaz, keller, AGREED, {"digest": told})
            send_message(session, yilmaz, keller, REQUESTED, {"digest": "0x" + "ab" * 32})
            send_message(session, deal.firms["nowak"].id, keller, REQUESTED, {"digest": told})
        run_until_quiet(database)
    with database.read() as session:
        assert session.get(Agreement, (keller, ours(database, deal))) is not None
        assert session.scalars(sa.select(AgreementErasure)).all() == []
        states = session.scalars(sa.select(Message.state).where(Message.kind.startswith("erasure.")))
        assert set(states) == {"refused"}


def test_a_stranger_finds_no_erasure(database: Database, deal: Deal) -> None:
    with clock.frozen(OVER), pytest.raises(NotFound), database.write() as session:
        prepare_erasure(session, deal.actor("nowak"), ours(database, deal))
