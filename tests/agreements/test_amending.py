"""Changing and cancelling booked hours: new signed records at both sides, bookings and free hours follow."""

import datetime as dt
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.agreements.actions import (
    approve_amendment,
    decline_amendment,
    lapse_amendments,
    propose_cancellation,
    propose_change,
    signable_amendment,
)
from app.agreements.models import Amendment
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.federation.models import Message
from app.federation.rules import Incoming
from app.firms.access import Actor
from app.notary.queries import evidence_file, export_log
from app.push.models import Alert
from app.reactions import INBOX
from app.worker import end_what_is_due, run_until_quiet, settle_events
from ledger.fsck import check_log
from tests.agreements.world import (
    Deal,
    approval,
    at,
    drafted,
    lock_key,
    lock_phone,
    make_deal,
    minutes_of,
    second_manager,
    signed_by_both,
    verified,
)
from tests.conftest import MONDAY


def test_the_requester_cancels_alone_by_the_staged_terms(database: Database, tmp_path: Path) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "keller", agreement_id, cancel=[2])
    sign_amendment(database, deal, "keller", amendment_id)
    assert amendment_states(database, deal, amendment_id) == ("in_force", "in_force")
    assert booked(database, deal, "keller") == booked(database, deal, "yilmaz") == {1: 600, 2: 0, 3: 600, 4: 600}
    assert minutes_of(database, deal, "yilmaz") == (0, 1800)
    for key in ("keller", "yilmaz"):
        assert verified(amendment_evidence(database, deal, key, amendment_id), tmp_path) == 0


@pytest.mark.parametrize(("day", "percent"), [("2026-11-16", 0), ("2026-11-17", 50), ("2026-11-28", 80)])
def test_the_fee_grows_as_the_week_comes_near(sqlite_database: Database, day: str, percent: int) -> None:
    deal, agreement_id = sealed(sqlite_database)
    with clock.frozen(dt.datetime.fromisoformat(f"{day}T09:00:00+01:00")):
        amendment_id = propose(sqlite_database, deal, "keller", agreement_id, cancel=[1])
    with sqlite_database.read() as session:
        amendment = session.get_one(Amendment, (deal.firms["keller"].id, amendment_id))
        # 10 hours at 95 euros and 2 hours of setting up at 70 euros
        assert amendment.fee_cents == 109_000 * percent // 100
        assert f"Pauschale {percent} %" in amendment.text


def test_a_provider_cancels_only_with_the_requesters_signature_and_without_a_fee(database: Database) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "yilmaz", agreement_id, cancel=[1, 2, 3, 4])
    sign_amendment(database, deal, "yilmaz", amendment_id)
    assert amendment_states(database, deal, amendment_id) == ("signed_one", "signed_one")
    assert minutes_of(database, deal, "yilmaz") == (0, 2400)
    sign_amendment(database, deal, "keller", amendment_id)
    assert amendment_states(database, deal, amendment_id) == ("in_force", "in_force")
    assert minutes_of(database, deal, "yilmaz") == (0, 0)
    for key in ("keller", "yilmaz"):
        assert at(database, deal, key, agreement_id).state == "terminated"


def test_a_change_needs_both_and_both_logs_hold_the_same_record(database: Database, tmp_path: Path) -> None:
    deal, agreement_id = sealed(database)
    first = propose(database, deal, "keller", agreement_id, change={1: 300})
    sign_amendment(database, deal, "keller", first)
    assert booked(database, deal, "keller")[1] == 600
    sign_amendment(database, deal, "yilmaz", first)
    second = propose(database, deal, "yilmaz", agreement_id, change={1: 360, 3: 480})
    sign_amendment(database, deal, "yilmaz", second)
    assert minutes_of(database, deal, "yilmaz") == (60, 2100)
    sign_amendment(database, deal, "keller", second)
    assert booked(database, deal, "keller") == booked(database, deal, "yilmaz") == {1: 360, 2: 600, 3: 480, 4: 600}
    assert minutes_of(database, deal, "yilmaz") == (0, 2040)
    for key in ("keller", "yilmaz"):
        for amendment_id in (first, second):
            assert verified(amendment_evidence(database, deal, key, amendment_id), tmp_path) == 0


def test_a_change_that_is_declined_leaves_everything_as_it_was(database: Database) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "yilmaz", agreement_id, change={1: 660})
    sign_amendment(database, deal, "yilmaz", amendment_id)
    assert minutes_of(database, deal, "yilmaz") == (60, 2400)
    with database.write() as session:
        decline_amendment(session, deal.actor("keller"), amendment_id)
    run_until_quiet(database)
    assert amendment_states(database, deal, amendment_id) == ("declined", "declined")
    assert minutes_of(database, deal, "yilmaz") == (0, 2400)


def test_a_change_that_nobody_signs_lapses(database: Database) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "keller", agreement_id, change={1: 300})
    sign_amendment(database, deal, "keller", amendment_id)
    with clock.frozen(MONDAY + dt.timedelta(days=3, hours=2)):
        end_what_is_due(database)
    assert amendment_states(database, deal, amendment_id) == ("lapsed", "lapsed")
    assert at(database, deal, "keller", agreement_id).state == "in_force"


@pytest.mark.parametrize("late", [dt.timedelta(minutes=2), dt.timedelta(days=6)])
@pytest.mark.parametrize(
    ("by", "what", "minutes"),
    [
        ("keller", {"change": {1: 300}}, 300),
        ("keller", {"change": {1: 720}}, 720),
        ("yilmaz", {"change": {1: 720}}, 720),
        ("yilmaz", {"cancel": [1]}, 0),
    ],
)
def test_a_signature_given_in_time_counts_however_late_it_arrives(
    database: Database, tmp_path: Path, late: dt.timedelta, by: str, what: dict[str, Any], minutes: int
) -> None:
    deal, agreement_id = sealed(database)
    other = {"keller": "yilmaz", "yilmaz": "keller"}[by]
    amendment_id = propose(database, deal, by, agreement_id, **what)
    sign_amendment(database, deal, by, amendment_id)
    expiry = expiry_of(database, deal, amendment_id)
    with clock.frozen(expiry - dt.timedelta(minutes=1)):
        sign_amendment_only(database, deal, other, amendment_id)
    with clock.frozen(expiry + late):
        with database.write() as session:
            lapse_amendments(session, clock.now())
        run_until_quiet(database)
        assert amendment_states(database, deal, amendment_id) == ("in_force", "in_force")
        assert booked(database, deal, "keller") == booked(database, deal, "yilmaz")
        assert booked(database, deal, "keller") == {1: minutes, 2: 600, 3: 600, 4: 600}
        assert minutes_of(database, deal, "yilmaz") == (0, 1800 + minutes)
        propose(database, deal, "keller", agreement_id, change={2: 360})
    for key in ("keller", "yilmaz"):
        assert verified(amendment_evidence(database, deal, key, amendment_id), tmp_path) == 0
        with database.read() as session:
            check_log(export_log(session, deal.firms[key].id))


@pytest.mark.parametrize(("by", "what"), [("keller", {"change": {1: 300}}), ("yilmaz", {"cancel": [1]})])
@pytest.mark.parametrize("locked", ["keller", "yilmaz"])
def test_a_key_locked_after_it_signed_a_change_leaves_nobody_bound_alone(
    database: Database, tmp_path: Path, by: str, what: dict[str, Any], locked: str
) -> None:
    deal, agreement_id = sealed(database)
    other = {"keller": "yilmaz", "yilmaz": "keller"}[by]
    petra = second_manager(database, deal, locked)
    amendment_id = propose(database, deal, by, agreement_id, **what)
    sign_amendment(database, deal, by, amendment_id, petra if locked == by else None)
    if locked == by:
        with clock.frozen(MONDAY + dt.timedelta(hours=1)):
            lock_key(database, deal, by, petra.person_id)
    with clock.frozen(MONDAY + dt.timedelta(hours=2)):
        sign_amendment_only(database, deal, other, amendment_id, petra if locked == other else None)
    if locked == other:
        with clock.frozen(MONDAY + dt.timedelta(hours=3)):
            lock_key(database, deal, other, petra.person_id)
    with clock.frozen(MONDAY + dt.timedelta(hours=4)):
        run_until_quiet(database)
    check_both_hold(database, deal, amendment_id, tmp_path)


def test_a_cancellation_holds_although_its_key_was_locked_before_it_arrived(database: Database, tmp_path: Path) -> None:
    deal, agreement_id = sealed(database)
    petra = second_manager(database, deal, "keller")
    amendment_id = propose(database, deal, "keller", agreement_id, cancel=[1])
    sign_amendment_only(database, deal, "keller", amendment_id, petra)
    with clock.frozen(MONDAY + dt.timedelta(hours=3)):
        lock_key(database, deal, "keller", petra.person_id)
        run_until_quiet(database)
    check_both_hold(database, deal, amendment_id, tmp_path)


@pytest.mark.parametrize(("by", "what"), [("keller", {"cancel": [1]}), ("yilmaz", {"change": {1: 300}})])
def test_a_stolen_key_changes_nothing_once_its_log_has_locked_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, by: str, what: dict[str, Any]
) -> None:
    deal, agreement_id = sealed(database)
    petra = second_manager(database, deal, by)
    amendment_id = propose(database, deal, by, agreement_id, **what)
    lock_key(database, deal, by, petra.person_id)
    with monkeypatch.context() as careless:
        careless.setattr("app.agreements.amending.check_signature", lambda *_: None)
        careless.setattr("app.notary.actions.checks.check_after_digest", lambda *_: [])
        sign_amendment_only(database, deal, by, amendment_id, petra)
    run_until_quiet(database)
    other = {"keller": "yilmaz", "yilmaz": "keller"}[by]
    assert state_of(database, deal, other, amendment_id) is None
    assert booked(database, deal, other)[1] == 600


def test_a_cancellation_counts_although_the_worker_stood_still_after_it(database: Database) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "keller", agreement_id, cancel=[1])
    sign_amendment_only(database, deal, "keller", amendment_id)
    with clock.frozen(MONDAY + dt.timedelta(days=2)):
        run_until_quiet(database)
    assert amendment_states(database, deal, amendment_id) == ("in_force", "in_force")


@pytest.mark.parametrize("was_faster", [True, False])
def test_a_change_that_a_locked_key_signed_comes_back_unless_the_partner_was_faster(
    database: Database, was_faster: bool
) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "yilmaz", agreement_id, change={1: 720})
    sign_amendment(database, deal, "yilmaz", amendment_id)
    if was_faster:
        sign_amendment_only(database, deal, "keller", amendment_id)
    lock_phone(database, deal, "yilmaz")
    run_until_quiet(database)
    expected = ("in_force", 2520) if was_faster else ("declined", 2400)
    assert amendment_states(database, deal, amendment_id) == (expected[0], expected[0])
    assert minutes_of(database, deal, "yilmaz") == (0, expected[1])


def test_more_hours_than_are_free_cannot_be_signed(database: Database) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "keller", agreement_id, change={1: 4200})
    sign_amendment(database, deal, "keller", amendment_id)
    with pytest.raises(RuleBroken, match="frei"):
        sign_amendment(database, deal, "yilmaz", amendment_id)
    assert minutes_of(database, deal, "yilmaz") == (0, 2400)
    assert booked(database, deal, "yilmaz")[1] == 600


def test_one_change_at_a_time(database: Database) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "keller", agreement_id, change={1: 300})
    sign_amendment(database, deal, "keller", amendment_id)
    with pytest.raises(Conflict):
        propose(database, deal, "keller", agreement_id, cancel=[2])


def test_of_two_changes_that_cross_the_requesters_stands(database: Database) -> None:
    deal, agreement_id = sealed(database)
    ours = propose(database, deal, "keller", agreement_id, change={1: 300})
    theirs = propose(database, deal, "yilmaz", agreement_id, change={3: 660})
    sign_amendment_only(database, deal, "keller", ours)
    sign_amendment_only(database, deal, "yilmaz", theirs)
    run_until_quiet(database)
    assert state_of(database, deal, "yilmaz", theirs) == "declined"
    assert state_of(database, deal, "keller", theirs) is None
    assert minutes_of(database, deal, "yilmaz") == (0, 2400)
    assert "overtaken" in told(database, deal, "yilmaz")
    sign_amendment(database, deal, "yilmaz", ours)
    assert amendment_states(database, deal, ours) == ("in_force", "in_force")
    assert booked(database, deal, "keller") == booked(database, deal, "yilmaz") == {1: 300, 2: 600, 3: 600, 4: 600}


def test_a_cancellation_overtakes_a_change_that_the_provider_wants(database: Database) -> None:
    deal, agreement_id = sealed(database)
    theirs = propose(database, deal, "yilmaz", agreement_id, change={2: 660})
    ours = propose(database, deal, "keller", agreement_id, cancel=[2])
    sign_amendment_only(database, deal, "yilmaz", theirs)
    sign_amendment_only(database, deal, "keller", ours)
    run_until_quiet(database)
    assert amendment_states(database, deal, ours) == ("in_force", "in_force")
    assert state_of(database, deal, "yilmaz", theirs) == "declined"
    assert minutes_of(database, deal, "yilmaz") == (0, 1800)
    propose(database, deal, "yilmaz", agreement_id, change={3: 660})


def test_our_own_change_waits_while_the_partners_is_open(database: Database) -> None:
    deal, agreement_id = sealed(database)
    ours = propose(database, deal, "keller", agreement_id, change={1: 300})
    theirs = propose(database, deal, "yilmaz", agreement_id, change={3: 480})
    sign_amendment(database, deal, "yilmaz", theirs)
    with pytest.raises(Conflict, match="andere Änderung"):
        sign_amendment(database, deal, "keller", ours)
    sign_amendment(database, deal, "keller", theirs)
    assert booked(database, deal, "keller") == booked(database, deal, "yilmaz") == {1: 600, 2: 600, 3: 480, 4: 600}


@pytest.mark.parametrize(
    ("sent_later_h", "on_its_way_h", "is_taken"), [(0, 0, True), (20, 0, False), (0, 120, True), (0, 170, False)]
)
def test_the_fee_is_that_of_the_day_in_the_partners_log_however_long_the_way(
    database: Database, sent_later_h: int, on_its_way_h: int, is_taken: bool
) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "keller", agreement_id, cancel=[1])
    sign_amendment_only(database, deal, "keller", amendment_id)
    body = sent(database, "booking.cancelled")
    incoming = Incoming(
        deal.firms["yilmaz"].id, deal.firms["keller"].id, "m", "booking.cancelled", body,
        clock.now() + dt.timedelta(hours=sent_later_h),
    )  # fmt: skip
    answer = nullcontext() if is_taken else pytest.raises(RuleBroken, match="day")
    with clock.frozen(incoming.at + dt.timedelta(hours=on_its_way_h)), answer, database.write() as session:
        INBOX["booking.cancelled"](session, incoming)
    assert booked(database, deal, "yilmaz")[1] == (0 if is_taken else 600)


def test_a_cancellation_of_yesterday_is_begun_anew(database: Database) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "keller", agreement_id, cancel=[1])
    with clock.frozen(MONDAY + dt.timedelta(days=1)), pytest.raises(RuleBroken, match="gestern"):
        sign_amendment(database, deal, "keller", amendment_id)


@pytest.mark.parametrize(
    "field", ["facts", "day", "expiry", "issued", "text", "message", "signatures", "agreement_id", "step"]
)
def test_a_partner_cannot_bend_a_cancellation(database: Database, field: str) -> None:
    deal, agreement_id = sealed(database)
    amendment_id = propose(database, deal, "keller", agreement_id, cancel=[1])
    sign_amendment_only(database, deal, "keller", amendment_id)
    body = sent(database, "booking.cancelled")
    bent: dict[str, object] = {
        "facts": {"facts": body["facts"] | {"lines": [[1, 600, 0], [2, 600, 0]]}},
        "day": {"facts": body["facts"] | {"day": "gestern"}},
        "expiry": {"facts": body["facts"] | {"expires_at": 2**40}},
        "issued": {"message": body["message"] | {"issuedAt": 2**40}},
        "text": {"text": body["text"] + " "},
        "message": {"message": body["message"] | {"feeCents": 0 if body["message"]["feeCents"] else 1}},
        "signatures": {"signatures": body["signatures"][:1]},
        "agreement_id": {"agreement_id": amendment_id},
        "step": {"step": "proposed"},
    }[field]
    incoming = Incoming(
        deal.firms["yilmaz"].id, deal.firms["keller"].id, "m", "booking.cancelled", body | bent, clock.now()
    )
    with pytest.raises((RuleBroken, NotFound)) as refusal, database.write() as session:
        INBOX["booking.cancelled"](session, incoming)
    assert refusal.value.status in (404, 422)
    assert booked(database, deal, "yilmaz")[1] == 600


def sealed(database: Database) -> tuple[Deal, str]:
    """An agreement in force over four weeks of ten hours each, from KW 49 on."""
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    signed_by_both(database, deal, [agreement_id])
    return deal, agreement_id


def propose(
    database: Database,
    deal: Deal,
    key: str,
    agreement_id: str,
    change: dict[int, int] | None = None,
    cancel: list[int] | None = None,
) -> str:
    with database.write() as session:
        if change is not None:
            return propose_change(session, deal.actor(key), agreement_id, change, "weniger Teile").id
        return propose_cancellation(session, deal.actor(key), agreement_id, cancel or [], "Kunde verschiebt").id


def check_both_hold(database: Database, deal: Deal, amendment_id: str, folder: Path) -> None:
    """It is in force at both sides, and both can prove it: by its evidence file and by their whole log."""
    assert amendment_states(database, deal, amendment_id) == ("in_force", "in_force")
    assert booked(database, deal, "keller") == booked(database, deal, "yilmaz")
    for key in ("keller", "yilmaz"):
        assert verified(amendment_evidence(database, deal, key, amendment_id), folder) == 0
        with database.read() as session:
            check_log(export_log(session, deal.firms[key].id))


def sign_amendment(database: Database, deal: Deal, key: str, amendment_id: str, actor: Actor | None = None) -> None:
    sign_amendment_only(database, deal, key, amendment_id, actor)
    run_until_quiet(database)


def sign_amendment_only(
    database: Database, deal: Deal, key: str, amendment_id: str, actor: Actor | None = None
) -> None:
    """The manager of that firm signs; nothing has left the house yet."""
    who = actor or deal.actor(key)
    with database.read() as session:
        digest, role = signable_amendment(session, who, amendment_id)
        signature = approval(session, deal, key, digest, role, who)
    with database.write() as session:
        approve_amendment(session, who, amendment_id, signature)


def sent(database: Database, kind: str) -> dict[str, Any]:
    """The body of the one message of this kind, written but not yet delivered."""
    settle_events(database)
    with database.read() as session:
        return session.scalars(sa.select(Message.body).where(Message.kind == kind)).one()


def told(database: Database, deal: Deal, key: str) -> Sequence[str]:
    """The kinds of alerts that people of this firm got."""
    with database.read() as session:
        return session.scalars(sa.select(Alert.kind).where(Alert.firm_id == deal.firms[key].id)).all()


def expiry_of(database: Database, deal: Deal, amendment_id: str) -> dt.datetime:
    with database.read() as session:
        return session.get_one(Amendment, (deal.firms["keller"].id, amendment_id)).expires_at


def state_of(database: Database, deal: Deal, key: str, amendment_id: str) -> str | None:
    with database.read() as session:
        found = session.get(Amendment, (deal.firms[key].id, amendment_id))
        return None if found is None else found.state


def amendment_states(database: Database, deal: Deal, amendment_id: str) -> tuple[str, str]:
    with database.read() as session:
        keller, yilmaz = (
            session.get_one(Amendment, (deal.firms[key].id, amendment_id)).state for key in ("keller", "yilmaz")
        )
    return keller, yilmaz


def amendment_evidence(database: Database, deal: Deal, key: str, amendment_id: str) -> bytes:
    with database.read() as session:
        amendment = session.get_one(Amendment, (deal.firms[key].id, amendment_id))
        assert amendment.entry_seq is not None
        assert amendment.counterpart is not None
        return evidence_file(session, deal.firms[key].id, amendment.entry_seq, amendment.counterpart)


def booked(database: Database, deal: Deal, key: str) -> dict[int, int]:
    with database.read() as session:
        rows = session.execute(
            sa.select(Booking.line_no, Booking.agreed_min).where(Booking.firm_id == deal.firms[key].id)
        ).all()
    return {row.line_no: row.agreed_min for row in rows}
