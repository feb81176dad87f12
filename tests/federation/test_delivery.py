"""Messages: with consent only, each once, in order per pair, whoever fails beside it."""

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app import worker
from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.events import MessageParked
from app.core.outbox import OutboxRow
from app.federation.actions import (
    cancel_waiting,
    deliver_message,
    erase_bodies,
    resend_parked,
    send_message,
    waiting_messages,
)
from app.federation.lanes import _DUE, _FIRST, _RESTING, parked_since
from app.federation.models import Message
from app.federation.queries import stuck_messages
from app.federation.rules import GIVE_UP_AFTER, MOST_BODY_BYTES, check_body, next_try
from app.firms.access import Role
from app.firms.models import AuditEvent
from app.partners.models import BlockedFirm, Partnership
from tests.conftest import MONDAY
from tests.federation.lanes import Inbox
from tests.world import TestFirm, make_world

KEYS = ("keller", "yilmaz", "nowak")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    replaced = Inbox()
    with patch.object(worker, "INBOX", replaced), patch.object(worker, "REACTIONS", {}):
        yield replaced


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session, KEYS)


def send(database: Database, one: TestFirm, other: TestFirm, *names: str, kind: str = "request.published") -> None:
    with database.write() as session:
        for name in names:
            send_message(session, one.id, other.id, kind, {"name": name}, name)


def taken(database: Database, firm: TestFirm) -> list[str]:
    """What took effect at a firm, in order."""
    with database.read() as session:
        rows = session.execute(
            sa.select(AuditEvent.detail, Message.seq)
            .join(Message, (Message.firm_id == AuditEvent.firm_id) & (Message.id == AuditEvent.object_id))
            .where(AuditEvent.firm_id == firm.id, AuditEvent.verb == "took")
            .order_by(Message.peer_id, Message.seq)
        )
        return [row.detail["name"] for row in rows]


def states(database: Database, firm: TestFirm) -> list[str]:
    with database.read() as session:
        return list(
            session.scalars(
                sa.select(Message.state)
                .where(Message.firm_id == firm.id, Message.direction == "out")
                .order_by(Message.peer_id, Message.seq)
            )
        )


@contextmanager
def changed(database: Database, firm: TestFirm, partner: TestFirm, **values: object) -> Iterator[None]:
    with database.write() as session:
        session.execute(
            sa.update(Partnership)
            .where(Partnership.firm_id == firm.id, Partnership.partner_id == partner.id)
            .values(**values)
        )
    yield


def test_messages_arrive_once_and_in_order(database: Database, world: dict[str, TestFirm], inbox: Inbox) -> None:
    names = [str(number) for number in range(60)]
    send(database, world["keller"], world["yilmaz"], *names)
    worker.run_until_quiet(database)
    worker.run_until_quiet(database)
    assert taken(database, world["yilmaz"]) == names
    assert taken(database, world["nowak"]) == []
    assert set(states(database, world["keller"])) == {"delivered"}


def test_one_broken_partner_blocks_nobody_else_and_keeps_its_order(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    inbox.failing = {world["yilmaz"].id}
    send(database, world["keller"], world["yilmaz"], "a", "b")
    send(database, world["keller"], world["nowak"], "c", "d")
    worker.run_until_quiet(database)
    assert taken(database, world["nowak"]) == ["c", "d"]
    assert taken(database, world["yilmaz"]) == []
    inbox.failing = set()
    worker.run_until_quiet(database)
    assert taken(database, world["yilmaz"]) == []
    with clock.frozen(MONDAY + dt.timedelta(minutes=2)):
        worker.run_until_quiet(database)
    assert taken(database, world["yilmaz"]) == ["a", "b"]


def test_after_72_hours_away_everything_comes_once_and_in_order(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    inbox.failing = {world["yilmaz"].id}
    for hour in range(0, 72, 6):
        with clock.frozen(MONDAY + dt.timedelta(hours=hour)):
            send(database, world["keller"], world["yilmaz"], str(hour))
            worker.run_until_quiet(database)
    inbox.failing = set()
    with clock.frozen(MONDAY + dt.timedelta(hours=79)):
        worker.run_until_quiet(database)
    assert taken(database, world["yilmaz"]) == [str(hour) for hour in range(0, 72, 6)]


def park(database: Database, inbox: Inbox, one: TestFirm, other: TestFirm, *names: str) -> dt.datetime:
    """Nothing reaches the other firm until all that was written is parked; returns when that was."""
    inbox.failing = {other.id}
    send(database, one, other, *names)
    at = MONDAY
    while "waiting" in states(database, one):
        with clock.frozen(at):
            worker.run_until_quiet(database)
        at += dt.timedelta(hours=1)
    return at


def test_after_seven_days_all_that_waits_for_a_partner_rests_in_its_order_and_a_person_is_told(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    keller, yilmaz, nowak = (world[key] for key in KEYS)
    at = park(database, inbox, keller, yilmaz, "old", "older")
    assert MONDAY + dt.timedelta(days=6, hours=17) < at <= MONDAY + GIVE_UP_AFTER + dt.timedelta(hours=1)
    assert states(database, keller) == ["parked", "parked"]
    with database.read() as session:
        told = session.scalars(sa.select(OutboxRow.body).where(OutboxRow.kind == MessageParked.__name__)).all()
        assert [dt.datetime.fromisoformat(body["since"]) for body in told] == [MONDAY]
        assert [one.state for one in stuck_messages(session, keller.id, yilmaz.id, MONDAY)] == ["parked", "parked"]
        assert parked_since(session, keller.id, yilmaz.id) == MONDAY
        assert parked_since(session, keller.id, nowak.id) is None
    inbox.failing = set()
    with clock.frozen(at):
        send(database, keller, yilmaz, "new")
        send(database, keller, nowak, "to somebody else")
        worker.run_until_quiet(database)
    assert taken(database, yilmaz) == []
    assert taken(database, nowak) == ["to somebody else"]


def test_what_rests_is_sent_again_as_soon_as_the_partner_is_heard_of(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    keller, yilmaz, nowak = (world[key] for key in KEYS)
    at = park(database, inbox, keller, yilmaz, "a", "b")
    inbox.failing = set()
    with clock.frozen(at):
        send(database, keller, yilmaz, "c")
        send(database, nowak, keller, "from somebody else")
        worker.run_until_quiet(database)
        assert taken(database, yilmaz) == []
        inbox.refusing = {"nonsense"}
        send(database, yilmaz, keller, "nonsense")
        worker.run_until_quiet(database)
        assert taken(database, yilmaz) == []
        send(database, yilmaz, keller, "good morning")
        worker.run_until_quiet(database)
        worker.run_until_quiet(database)
    assert taken(database, yilmaz) == ["a", "b", "c"]


def test_one_tap_sends_once_more_and_a_partner_still_away_gets_seven_more_days(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    at = park(database, inbox, keller, yilmaz, "a", "b")
    for _ in range(2):
        with clock.frozen(at), database.write() as session:
            resend_parked(session, keller.actor(Role.MANAGER), yilmaz.id)
    with clock.frozen(at):
        worker.run_until_quiet(database)
    assert states(database, keller) == ["waiting", "waiting"]
    inbox.failing = set()
    with clock.frozen(at + dt.timedelta(days=6)):
        worker.run_until_quiet(database)
    assert taken(database, yilmaz) == ["a", "b"]
    with database.read() as session:
        resent = session.scalars(sa.select(AuditEvent.id).where(AuditEvent.verb == "messages_resent")).all()
        assert len(resent) == 1
    with pytest.raises(NotFound), database.write() as session:
        resend_parked(session, yilmaz.actor(Role.MANAGER), world["nowak"].id)


def test_what_rests_goes_nowhere_once_the_partnership_is_over_or_its_subject_is_erased(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    at = park(database, inbox, keller, yilmaz, "a", "b")
    inbox.failing = set()
    with clock.frozen(at), database.write() as session:
        erase_bodies(session, keller.id, ["a"])
        assert cancel_waiting(session, keller.id, yilmaz.id) == 1
        send_message(session, yilmaz.id, keller.id, "request.published", {"name": "heard"})
    with clock.frozen(at):
        worker.run_until_quiet(database)
    assert taken(database, yilmaz) == []
    assert states(database, keller) == ["cancelled", "cancelled"]


def test_a_refusal_is_final_noted_once_at_the_receiver_and_leaves_nothing_behind(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    inbox.refusing = {"b"}
    send(database, keller, yilmaz, "a", "b", "c")
    worker.run_until_quiet(database)
    worker.run_until_quiet(database)
    assert taken(database, yilmaz) == ["a", "c"]
    assert states(database, keller) == ["delivered", "refused", "delivered"]
    with database.read() as session:
        refused = session.execute(
            sa.select(AuditEvent.firm_id, AuditEvent.about_firm_id).where(AuditEvent.verb == "message_refused")
        ).all()
        count = session.scalar(
            sa.select(sa.func.count()).where(Message.firm_id == yilmaz.id, Message.direction == "in")
        )
    assert [tuple(row) for row in refused] == [(yilmaz.id, keller.id)]
    assert count == 2


def test_an_unknown_kind_is_kept_not_lost(database: Database, world: dict[str, TestFirm], inbox: Inbox) -> None:
    send(database, world["keller"], world["yilmaz"], "later", kind="gathering.announced")
    worker.run_until_quiet(database)
    with database.read() as session:
        row = session.scalars(sa.select(Message).where(Message.firm_id == world["yilmaz"].id)).one()
        assert (row.state, row.body) == ("unknown", {"name": "later"})
    assert states(database, world["keller"]) == ["delivered"]


def test_two_workers_at_once_never_double_an_effect(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    names = [str(number) for number in range(25)]
    send(database, world["keller"], world["yilmaz"], *names)
    send(database, world["yilmaz"], world["keller"], *names)
    faults: list[BaseException] = []

    def work() -> None:
        try:
            with clock.frozen(MONDAY):
                worker.run_until_quiet(database)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with clock.frozen(MONDAY + dt.timedelta(minutes=2)):
        worker.run_until_quiet(database)
    assert not faults
    assert taken(database, world["yilmaz"]) == names
    assert taken(database, world["keller"]) == names


def test_a_message_never_overtakes_an_older_one(database: Database, world: dict[str, TestFirm], inbox: Inbox) -> None:
    send(database, world["keller"], world["yilmaz"], "first", "second")
    with database.write() as session:
        second = session.scalars(sa.select(Message.id).where(Message.subject_id == "second")).one()
        deliver_message(session, world["keller"].id, second, inbox)  # type: ignore[arg-type]
    assert taken(database, world["yilmaz"]) == []
    assert states(database, world["keller"]) == ["waiting", "waiting"]


@pytest.mark.parametrize(
    ("ours", "theirs", "kind", "may_leave", "may_enter"),
    [
        ({}, {}, "request.published", True, True),
        ({"state": "paused"}, {}, "request.published", False, True),
        ({}, {"state": "paused"}, "request.published", True, False),
        ({"state": "paused"}, {"state": "paused"}, "agreement.drafted", True, True),
        ({"state": "paused"}, {"state": "paused"}, "request.closed", True, True),
        ({"state": "ended"}, {}, "agreement.drafted", False, True),
        ({}, {"state": "ended"}, "agreement.drafted", True, False),
        ({"state": "half"}, {"state": "half"}, "request.published", False, False),
        ({"state": "invited"}, {"state": "invited"}, "offer.made", False, False),
        ({"state": "lapsed"}, {}, "offer.made", False, True),
        ({"partner_scope": ["know_how"]}, {}, "request.published", False, True),
        ({}, {"scope": ["know_how"]}, "request.published", True, False),
        ({"partner_scope": []}, {"scope": []}, "offer.made", True, True),
    ],
)
def test_no_message_passes_without_consent_and_scope_on_both_sides(
    database: Database,
    world: dict[str, TestFirm],
    inbox: Inbox,
    ours: dict[str, object],
    theirs: dict[str, object],
    kind: str,
    may_leave: bool,
    may_enter: bool,
) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    if not may_leave:
        with changed(database, keller, yilmaz, **ours), pytest.raises(RuleBroken):
            send(database, keller, yilmaz, "x", kind=kind)
        assert states(database, keller) == []
        return
    send(database, keller, yilmaz, "x", kind=kind)
    if theirs:
        with changed(database, yilmaz, keller, **theirs):
            pass
    worker.run_until_quiet(database)
    assert taken(database, yilmaz) == (["x"] if may_enter else [])
    assert states(database, keller) == (["delivered"] if may_enter else ["refused"])


def test_what_waited_when_the_consent_ended_stays_here(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    send(database, keller, yilmaz, "a", "b")
    with changed(database, keller, yilmaz, state="ended"):
        worker.run_until_quiet(database)
    assert taken(database, yilmaz) == []
    assert set(states(database, keller)) == {"cancelled"}


def test_cancelling_stops_all_but_the_kept_kinds(database: Database, world: dict[str, TestFirm], inbox: Inbox) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    send(database, keller, yilmaz, "a")
    send(database, keller, yilmaz, "b", kind="agreement.drafted")
    send(database, keller, world["nowak"], "c")
    with database.write() as session:
        assert cancel_waiting(session, keller.id, yilmaz.id, keep=frozenset({"agreement.drafted"})) == 1
    worker.run_until_quiet(database)
    assert taken(database, yilmaz) == ["b"]
    assert taken(database, world["nowak"]) == ["c"]


def test_a_blocked_firm_gets_and_sends_nothing_although_it_is_a_partner(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    send(database, keller, yilmaz, "before")
    with database.write() as session:
        session.add(
            BlockedFirm(firm_id=yilmaz.id, id="b", created_at=clock.now(), address="keller@test", name="Keller")
        )
    worker.run_until_quiet(database)
    assert taken(database, yilmaz) == []
    with pytest.raises(RuleBroken):
        send(database, yilmaz, keller, "x")


def test_strangers_cannot_send(database: Database, world: dict[str, TestFirm], inbox: Inbox) -> None:
    for kind in ("request.published", "partner.invite", "partner.accept", "partner.end", "gathering.announced"):
        with pytest.raises(RuleBroken):
            send(database, world["yilmaz"], world["nowak"], "x", kind=kind)


def test_an_oversized_or_strange_body_is_refused_at_the_door(database: Database, world: dict[str, TestFirm]) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    for body in (
        {"text": "ä" * (MOST_BODY_BYTES // 2)},
        {"at": MONDAY},
        {"rate": float("nan")},
        {"number": 2**53},
        {1: "x"},
        {"text": "\ud800"},
        {"bytes": b"x"},
    ):
        with pytest.raises(RuleBroken), database.write() as session:
            send_message(session, keller.id, yilmaz.id, "request.published", body)  # type: ignore[arg-type]
    assert states(database, keller) == []


def test_a_body_that_grew_on_the_way_is_refused_by_the_receiver(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    send(database, world["keller"], world["yilmaz"], "a")
    with database.write() as session:
        session.execute(sa.update(Message).values(body={"text": "x" * MOST_BODY_BYTES}))
    worker.run_until_quiet(database)
    assert states(database, world["keller"]) == ["refused"]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abc", max_size=4), plain, max_size=4))
def test_plain_json_passes_with_its_size(body: dict[str, object]) -> None:
    assert 2 <= check_body(body) <= MOST_BODY_BYTES


@given(st.integers(1, 400), st.integers(0, 10 * 24 * 60))
def test_tries_come_later_and_later_and_end_after_seven_days(attempts: int, passed_min: int) -> None:
    now = MONDAY + dt.timedelta(minutes=passed_min)
    following = next_try(MONDAY, attempts, now)
    if following is None:
        assert now >= MONDAY + GIVE_UP_AFTER
    else:
        assert dt.timedelta(minutes=1) <= following - now <= dt.timedelta(hours=6)
        assert following <= MONDAY + GIVE_UP_AFTER


def test_the_sweep_finds_the_oldest_of_every_pair_however_long_the_queues_are(
    database: Database, world: dict[str, TestFirm], inbox: Inbox
) -> None:
    keller, yilmaz, nowak = (world[key] for key in KEYS)
    for one, other in ((keller, yilmaz), (keller, nowak), (yilmaz, keller), (nowak, keller)):
        send(database, one, other, *(f"{one.key}-{other.key}-{number}" for number in range(5)))
    with database.write() as session:
        session.execute(
            sa.update(Message)
            .where(Message.firm_id == nowak.id, Message.seq == 1)
            .values(next_try_at=clock.now() + dt.timedelta(minutes=5))
        )
    with database.read() as session:
        due = waiting_messages(session, clock.now())
        names = {session.get_one(Message, key).subject_id for key in due}
    assert names == {"keller-yilmaz-0", "keller-nowak-0", "yilmaz-keller-0"}
    with database.read() as session:
        assert waiting_messages(session, clock.now() - dt.timedelta(minutes=1)) == []


def test_looking_for_the_next_message_never_reads_the_history(sqlite_database: Database) -> None:
    with sqlite_database.read() as session:
        for query in (_DUE, _RESTING, _FIRST):
            values = {"now": "2026", "late": "2026", "firm_id": "a", "peer_id": "b"}
            rows = session.execute(sa.text(f"EXPLAIN QUERY PLAN {query.text}"), values)
            steps = [row.detail for row in rows if row.detail.startswith(("SCAN m", "SEARCH m", "SEARCH o"))]
            assert steps
            assert all("ix_message_lane" in step or "seq=?" in step for step in steps), steps
