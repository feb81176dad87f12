"""From draft to sealed bookings: both sides hold the same proof, and hours are agreed once."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements import bundles
from app.agreements.models import Agreement
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database
from app.federation.actions import cancel_waiting
from app.federation.models import Message
from app.notary.models import LedgerEntry, LedgerEvidence
from app.notary.queries import export_log
from app.offers.models import Offer
from app.partners.actions import block_firm, pause_partnership
from app.partners.queries import partnership_with
from app.partners.rules import OWED
from app.requests.models import WorkRequest
from app.worker import run_until_quiet
from ledger.fsck import check_log
from tests.agreements.test_amending import check_both_hold, propose, sign_amendment
from tests.agreements.world import (
    Deal,
    at,
    drafted,
    evidence_inside,
    evidence_of,
    lock_key,
    make_deal,
    minutes_of,
    provider_of,
    second_manager,
    sign,
    sign_only,
    signed_by_both,
    states,
    verified,
)
from tests.conftest import MONDAY


def test_two_managers_sign_and_the_hours_are_booked_at_both_sides(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    assert at(database, deal, "keller", agreement_id).state == "frozen"
    sign(database, deal, "keller", agreement_id)
    assert states(database, deal, agreement_id) == ("signed_one", "signed_one")
    assert minutes_of(database, deal, "yilmaz") == (2400, 0)
    sign(database, deal, "yilmaz", agreement_id)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")
    assert minutes_of(database, deal, "yilmaz") == (0, 2400)
    with database.read() as session:
        booked = session.execute(
            sa.select(Booking.firm_id, Booking.side, Booking.state, sa.func.sum(Booking.agreed_min)).group_by(
                Booking.firm_id, Booking.side, Booking.state
            )
        ).all()
    keller, yilmaz = deal.firms["keller"].id, deal.firms["yilmaz"].id
    assert {tuple(row) for row in booked} == {
        (keller, "theirs", "confirmed", 2400),
        (yilmaz, "ours", "confirmed", 2400),
    }


def test_both_logs_hold_the_same_evidence_and_anybody_can_verify_it(database: Database, tmp_path: Path) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    signed_by_both(database, deal, [agreement_id])
    files = [evidence_of(database, deal, key, agreement_id) for key in ("keller", "yilmaz")]
    assert evidence_inside(files[0]) == evidence_inside(files[1])
    with database.read() as session:
        bodies = session.scalars(
            sa.select(LedgerEvidence.body)
            .join(
                LedgerEntry,
                (LedgerEntry.firm_id == LedgerEvidence.firm_id)
                & (LedgerEntry.evidence_sha256 == LedgerEvidence.sha256),
            )
            .where(LedgerEntry.type == "agreement")
        ).all()
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    for file in files:
        assert verified(file, tmp_path) == 0
        assert json.loads(file)["counterpart"]["leaf"]


def test_a_flipped_byte_anywhere_is_found(sqlite_database: Database, tmp_path: Path) -> None:
    deal = make_deal(sqlite_database)
    (agreement_id,) = drafted(sqlite_database, deal)
    signed_by_both(sqlite_database, deal, [agreement_id])
    body = evidence_of(sqlite_database, deal, "yilmaz", agreement_id)
    for place in range(40, len(body), len(body) // 12):
        changed = bytearray(body)
        changed[place] ^= 1
        assert verified(bytes(changed), tmp_path) != 0, place


def test_offers_that_were_not_chosen_are_declined_once_everything_is_signed(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    assert minutes_of(database, deal, "nowak") == (2760, 0)
    signed_by_both(database, deal, [agreement_id])
    with database.read() as session:
        found = {(one.firm_id, one.side): one.state for one in session.scalars(sa.select(Offer)).all()}
        request = session.get_one(WorkRequest, (deal.firms["keller"].id, deal.request_id))
        assert request.state == "contracted"
    assert found[deal.firms["nowak"].id, "ours"] == "declined"
    assert found[deal.firms["yilmaz"].id, "ours"] == "accepted"
    assert minutes_of(database, deal, "nowak") == (0, 0)


def test_a_bundle_is_booked_only_when_every_partner_has_signed(database: Database, tmp_path: Path) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    assert len(ids) == 2
    signed_by_both(database, deal, ids[:1])
    first = "yilmaz" if at(database, deal, "keller", ids[0]).partner_id == deal.firms["yilmaz"].id else "brandt"
    second = {"yilmaz": "brandt", "brandt": "yilmaz"}[first]
    assert states(database, deal, ids[0], first) == ("waiting_bundle", "waiting_bundle")
    assert minutes_of(database, deal, first) == (2400, 0)
    signed_by_both(database, deal, ids[1:])
    for agreement_id, key in ((ids[0], first), (ids[1], second)):
        assert states(database, deal, agreement_id, key) == ("in_force", "in_force")
        assert minutes_of(database, deal, key) == (0, 2400)
        assert verified(evidence_of(database, deal, key, agreement_id), tmp_path) == 0
    with database.read() as session:
        assert set(session.scalars(sa.select(Booking.state))) == {"confirmed"}
        assert set(session.scalars(sa.select(Message.state))) <= {"delivered", "done"}


def test_partners_of_one_plan_cannot_recognise_each_other(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids)
    blinded = {at(database, deal, "keller", one).message["bundle"] for one in ids}
    assert len(blinded) == 2
    with database.read() as session:
        seen_by_yilmaz = session.scalars(
            sa.select(Message.body).where(Message.firm_id == deal.firms["yilmaz"].id, Message.direction == "in")
        ).all()
    other = deal.firms["brandt"]
    assert all(word not in repr(seen_by_yilmaz) for word in (other.id, other.name, "brandt", "Geheimkunde"))


@pytest.mark.parametrize("times", [2])
def test_messages_that_arrive_twice_change_nothing(database: Database, times: int) -> None:
    from app.federation.rules import Incoming
    from app.reactions import INBOX

    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids)
    with database.read() as session:
        arrived = session.scalars(sa.select(Message).where(Message.direction == "in").order_by(Message.id)).all()
        before = session.scalar(sa.select(sa.func.count()).select_from(LedgerEntry))
        session.expunge_all()
    for message in arrived * (times - 1):
        if message.kind.startswith("agreement."):
            with database.write() as session:
                INBOX.get(message.kind)(
                    session,
                    Incoming(
                        message.firm_id, message.peer_id, message.id, message.kind, message.body, message.created_at
                    ),
                )
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(LedgerEntry)) == before
        assert session.scalar(sa.select(sa.func.count()).select_from(Booking)) == 16
    assert minutes_of(database, deal, "yilmaz") == (0, 2400)


@pytest.mark.parametrize("deed", ["end", "block", "pause"])
def test_nobody_is_bound_alone_because_the_partnership_changed_after_the_second_signature(
    database: Database, deed: str
) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    sign_only(database, deal, "yilmaz", agreement_id)
    leave(database, deal, "yilmaz", "keller", deed)
    run_until_quiet(database)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")
    assert all(at(database, deal, key, agreement_id).counterpart for key in ("keller", "yilmaz"))


@pytest.mark.parametrize("deed", ["end", "block"])
def test_a_partner_that_leaves_keeps_its_word_and_takes_no_other_down(database: Database, deed: str) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    first, second = (provider_of(database, deal, agreement_id) for agreement_id in ids)
    leave(database, deal, first, "keller", deed)
    signed_by_both(database, deal, ids[1:])
    for agreement_id, key in ((ids[0], first), (ids[1], second)):
        assert states(database, deal, agreement_id, key) == ("in_force", "in_force")
        assert minutes_of(database, deal, key) == (0, 2400)


def test_a_fault_with_one_partner_of_a_plan_keeps_nothing_from_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    healthy, broken = (provider_of(database, deal, agreement_id) for agreement_id in ids)
    whole = bundles.send_message

    def send(session: Session, from_id: str, to_id: str, *rest: Any) -> str:
        if to_id == deal.firms[broken].id:
            raise OSError("no way there")
        return whole(session, from_id, to_id, *rest)

    with monkeypatch.context() as fault:
        fault.setattr(bundles, "send_message", send)
        signed_by_both(database, deal, ids)
    assert states(database, deal, ids[0], healthy) == ("in_force", "in_force")
    with clock.frozen(MONDAY + dt.timedelta(hours=1)):
        run_until_quiet(database)
    assert states(database, deal, ids[1], broken) == ("in_force", "in_force")


def test_a_key_that_is_locked_after_its_firm_signed_leaves_nobody_bound_alone(
    database: Database, tmp_path: Path
) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    petra = second_manager(database, deal, "keller")
    sign(database, deal, "keller", agreement_id, petra)
    with clock.frozen(MONDAY + dt.timedelta(hours=1)):
        lock_key(database, deal, "keller", petra.person_id)
    with clock.frozen(MONDAY + dt.timedelta(hours=2)):
        sign(database, deal, "yilmaz", agreement_id)
        assert states(database, deal, agreement_id) == ("in_force", "in_force")
        for key in ("keller", "yilmaz"):
            assert verified(evidence_of(database, deal, key, agreement_id), tmp_path) == 0
            with database.read() as session:
                check_log(export_log(session, deal.firms[key].id))


def test_a_key_that_was_locked_before_signs_nothing_under_an_older_checkpoint(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    petra = second_manager(database, deal, "keller")
    sign_only(database, deal, "keller", agreement_id, petra)
    lock_key(database, deal, "keller", petra.person_id)
    run_until_quiet(database)
    with database.read() as session:
        assert session.get(Agreement, (deal.firms["yilmaz"].id, agreement_id)) is None


def test_a_key_that_the_provider_locks_after_its_entry_leaves_nobody_bound_alone(
    database: Database, tmp_path: Path
) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    petra = second_manager(database, deal, "yilmaz")
    sign_only(database, deal, "yilmaz", agreement_id, petra)
    with clock.frozen(MONDAY + dt.timedelta(hours=1)):
        lock_key(database, deal, "yilmaz", petra.person_id)
    with clock.frozen(MONDAY + dt.timedelta(hours=2)):
        run_until_quiet(database)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")
    for key in ("keller", "yilmaz"):
        assert verified(evidence_of(database, deal, key, agreement_id), tmp_path) == 0
        with database.read() as session:
            check_log(export_log(session, deal.firms[key].id))
    with clock.frozen(MONDAY + dt.timedelta(hours=3)):
        amendment_id = propose(database, deal, "keller", agreement_id, change={1: 300})
        for key in ("keller", "yilmaz"):
            sign_amendment(database, deal, key, amendment_id)
    check_both_hold(database, deal, amendment_id, tmp_path)


def test_a_stolen_key_that_the_providers_log_had_locked_before_binds_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    petra = second_manager(database, deal, "yilmaz")
    lock_key(database, deal, "yilmaz", petra.person_id)
    with monkeypatch.context() as careless:
        careless.setattr("app.agreements.approving.check_signature", lambda *_: None)
        careless.setattr("app.notary.actions.checks.check_after_digest", lambda *_: [])
        sign_only(database, deal, "yilmaz", agreement_id, petra)
    run_until_quiet(database)
    assert states(database, deal, agreement_id) == ("signed_one", "in_force")
    with database.read() as session:
        assert "agreement" not in session.scalars(
            sa.select(LedgerEntry.type).where(LedgerEntry.firm_id == deal.firms["keller"].id)
        )


def leave(database: Database, deal: Deal, key: str, other: str, deed: str) -> None:
    """One firm ends, blocks or pauses the partnership with another: what that leaves behind, without its message."""
    firm_id, partner_id = deal.firms[key].id, deal.firms[other].id
    with database.write() as session:
        if deed == "block":
            block_firm(session, deal.actor(key), partner_id)
        elif deed == "pause":
            pause_partnership(session, deal.actor(key), partner_id)
        else:
            partnership_with(session, firm_id, partner_id).state = "ended"
            partnership_with(session, partner_id, firm_id).state = "ended"
            cancel_waiting(session, firm_id, partner_id, keep=OWED)
