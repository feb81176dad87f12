"""Whatever the network does: deeds, messages, deadlines and lost keys in any order end in one state at both sides."""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from app.agreements.actions import (
    approve_amendment,
    decline_agreement,
    decline_amendment,
    lapse_agreements,
    lapse_amendments,
    propose_cancellation,
    propose_change,
    signable_amendment,
)
from app.agreements.models import Agreement, Amendment
from app.bookings.models import Booking
from app.capacity.models import CapacityWindow
from app.core import clock, outbox
from app.core.db import Database
from app.core.errors import NotFound, WerkringError
from app.federation.actions import deliver_message, waiting_messages
from app.federation.models import Message
from app.federation.rules import Incoming
from app.firms.access import Actor
from app.notary.models import LedgerEntry
from app.notary.queries import export_log
from app.partners.actions import pause_partnership
from app.reactions import INBOX
from app.worker import end_what_is_due, run_until_quiet, settle_events
from ledger.fsck import check_log
from tests.agreements.world import (
    Deal,
    approval,
    drafted,
    lock_key,
    lock_phone,
    make_deal,
    minutes_of,
    second_manager,
    sign,
    sign_only,
    signed_by_both,
)
from tests.conftest import MONDAY

STEPS = 60
LONGEST = dt.timedelta(days=6)
"""Messages are tried for seven days."""
SHARED = ("agreement", "change", "cancellation", "bundle.effective")
OVER = ("declined", "lapsed")
EXPIRY = MONDAY + dt.timedelta(days=3)
LATE_ENDS = {10: "in_force", 13: "in_force", 18: "in_force", 0: "lapsed", 1: "lapsed", 2: "lapsed"}
"""Courses around a plan's deadline: in some it stands by a late word, in others one is missing"""
PLANTED = 4
"""A course in which a deadline comes between a signature and its arrival"""


@dataclass
class Fate:
    """One course of events, drawn from a seed: the same seed gives the same course."""

    database: Database
    deal: Deal
    dice: random.Random
    second: dict[str, Actor]
    providers: list[str]
    deeds: list[Callable[["Fate"], None]]
    story: list[str] = field(default_factory=list)

    def step(self) -> None:
        deed = self.dice.choice(self.deeds)
        self.story.append(deed.__name__)
        try:
            deed(self)
        except WerkringError as refusal:
            self.story.append(f"  no: {refusal.text}")

    def who(self, key: str) -> Actor:
        return self.dice.choice([self.deal.actor(key), self.second[key]])

    def pick(self, model: type[Agreement | Amendment], *states: str) -> tuple[str, str]:
        """Some firm and the id of something of it in one of these states; raises NotFound when there is nothing."""
        keys = {firm.id: key for key, firm in self.deal.firms.items()}
        with self.database.read() as session:
            rows = session.execute(
                sa.select(model.firm_id, model.id).where(model.state.in_(states)).order_by(model.id, model.firm_id)
            ).all()
        if not rows:
            raise NotFound
        row = self.dice.choice(rows)
        return keys[row.firm_id], row.id


def sign_one(fate: Fate) -> None:
    key, agreement_id = fate.pick(Agreement, "frozen", "signed_one")
    sign_only(fate.database, fate.deal, key, agreement_id, fate.who(key))


def decline_one(fate: Fate) -> None:
    key, agreement_id = fate.pick(Agreement, "frozen", "signed_one")
    with fate.database.write() as session:
        if fate.dice.random() < 0.2:
            decline_agreement(session, fate.who(key), agreement_id)


def propose_one(fate: Fate) -> None:
    key, agreement_id = fate.pick(Agreement, "in_force")
    line = fate.dice.randint(1, 4)
    with fate.database.write() as session:
        if fate.dice.random() < 0.4:
            propose_cancellation(session, fate.who(key), agreement_id, [line], "Kunde verschiebt")
        else:
            propose_change(session, fate.who(key), agreement_id, {line: fate.dice.choice([300, 480, 720])}, "anders")


def sign_a_change(fate: Fate) -> None:
    key, amendment_id = fate.pick(Amendment, "frozen", "signed_one")
    who = fate.who(key)
    with fate.database.read() as session:
        digest, role = signable_amendment(session, who, amendment_id)
        signature = approval(session, fate.deal, key, digest, role, who)
    with fate.database.write() as session:
        approve_amendment(session, who, amendment_id, signature)


def decline_a_change(fate: Fate) -> None:
    key, amendment_id = fate.pick(Amendment, "frozen", "signed_one")
    with fate.database.write() as session:
        if fate.dice.random() < 0.3:
            decline_amendment(session, fate.who(key), amendment_id)


def lock_a_key(fate: Fate) -> None:
    """The phone first, and later, or never, the record of it."""
    key = fate.dice.choice(list(fate.second))
    person_id = fate.second[key].person_id
    if fate.dice.random() < 0.2:
        lock_phone(fate.database, fate.deal, key, person_id)
        if fate.dice.random() < 0.7:
            lock_key(fate.database, fate.deal, key, person_id)


def pause(fate: Fate) -> None:
    key = fate.dice.choice(fate.providers)
    with fate.database.write() as session:
        if fate.dice.random() < 0.1:
            pause_partnership(session, fate.deal.actor(key), fate.deal.firms["keller"].id)


def settle(fate: Fate) -> None:
    settle_events(fate.database)


def deliver(fate: Fate) -> None:
    """One lane moves on; another one stands still."""
    with fate.database.read() as session:
        waiting = waiting_messages(session, clock.now())
    for firm_id, message_id in fate.dice.sample(list(waiting), k=min(1, len(waiting))):
        with fate.database.write() as session:
            deliver_message(session, firm_id, message_id, INBOX)


class CrashedError(Exception):
    """The worker died before it could commit."""


def crash(fate: Fate) -> None:
    with fate.database.read() as session:
        waiting = waiting_messages(session, clock.now())
    for firm_id, message_id in waiting:
        try:
            with fate.database.write() as session:
                deliver_message(session, firm_id, message_id, INBOX)
                raise CrashedError
        except CrashedError:
            continue


def repeat(fate: Fate) -> None:
    """A message arrives once more, long after its first time."""
    with fate.database.read() as session:
        done = session.scalars(
            sa.select(Message).where(Message.direction == "in", Message.kind.regexp_match("^(agreement|booking)"))
        ).all()
        session.expunge_all()
    if done:
        one = fate.dice.choice(sorted(done, key=lambda one: one.id))
        again = Incoming(one.firm_id, one.peer_id, one.id, one.kind, one.body, one.created_at)
        with fate.database.write() as session:
            INBOX[one.kind](session, again)


def deadlines(fate: Fate) -> None:
    for end in (lapse_agreements, lapse_amendments):
        with fate.database.write() as session:
            end(session, clock.now())


def deeds_of(dice: random.Random) -> list[Callable[[Fate], None]]:
    """What happens how often: in one course the network is fast, in another it hardly moves."""
    return [
        *(sign_one,) * 4, decline_one, *(propose_one,) * 2, *(sign_a_change,) * 5, decline_a_change, lock_a_key, pause,
        *(settle,) * 4, *(deliver,) * dice.choice([2, 4, 10]), crash, repeat, *(deadlines,) * 3,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_both_sides_end_in_one_state_whatever_order_things_come_in(sqlite_database: Database, seed: int) -> None:
    run_course(sqlite_database, seed)


def test_a_side_that_ends_alone_what_the_other_may_have_signed_is_found(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("ending", "amending"):
        monkeypatch.setattr(f"app.agreements.{room}._awaits_word", lambda *_: False)
    with pytest.raises(AssertionError, match="seed"):
        run_course(sqlite_database, PLANTED)


@pytest.mark.parametrize(("seed", "end"), LATE_ENDS.items())
def test_a_plan_ends_alike_at_both_sides_however_late_its_words_come(
    sqlite_database: Database, seed: int, end: str
) -> None:
    assert run_late_course(sqlite_database, seed) == {end}


def test_a_provider_that_does_not_wait_for_a_late_word_is_found(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.agreements.bundles.plan_counts_until", lambda expires_at: expires_at)
    with pytest.raises(AssertionError, match="seed"):
        run_late_course(sqlite_database, 10)


def run_late_course(database: Database, seed: int) -> set[str]:
    """Two providers sign around the deadline of their plan, and every message takes as long as it likes."""
    dice = random.Random(seed)
    providers = ["yilmaz", "brandt"]
    deal = make_deal(database, providers)
    ids = drafted(database, deal)
    for agreement_id in ids:
        sign(database, deal, "keller", agreement_id)
    second = {key: second_manager(database, deal, key) for key in ("keller", *providers)}
    deeds = [*(sign_one,) * 4, *(settle,) * 4, *(deliver,) * 3, crash, repeat, *(deadlines,) * 2]
    fate = Fate(database, deal, dice, second, providers, deeds)
    now = EXPIRY - dt.timedelta(minutes=dice.choice([5, 30, 90]))
    for _ in range(STEPS):
        with clock.frozen(now):
            fate.step()
        now = min(now + dt.timedelta(minutes=dice.choice([0, 0, 0, 0, 1, 10, 120, 600])), MONDAY + LONGEST)
    finish(fate, now, seed)
    with database.read() as session:
        return set(session.scalars(sa.select(Agreement.state)))


def run_course(database: Database, seed: int) -> None:
    """Play one course to its end and look at both sides."""
    dice = random.Random(seed)
    providers = dice.choice([["yilmaz"], ["yilmaz", "brandt"]])
    deal = make_deal(database, providers, all_or_none=dice.random() < 0.5)
    second = {key: second_manager(database, deal, key) for key in ("keller", *providers)}
    fate = Fate(database, deal, dice, second, providers, deeds_of(dice))
    ids = drafted(database, deal)
    if dice.random() < 0.6:
        signed_by_both(database, deal, ids)
    now = MONDAY
    for _ in range(STEPS):
        now = min(now + dt.timedelta(hours=dice.choice([0, 0, 0, 0, 0, 1, 4, 24])), MONDAY + LONGEST)
        with clock.frozen(now):
            fate.step()
    finish(fate, now, seed)


def finish(fate: Fate, now: dt.datetime, seed: int) -> None:
    """Everything arrives, every deadline passes, and both sides have to agree."""
    database = fate.database
    with clock.frozen(now):
        run_until_quiet(database)
    with clock.frozen(MONDAY + dt.timedelta(days=30)):
        end_what_is_due(database)
        end_what_is_due(database)
    try:
        check_course(fate)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}\n" + "\n".join(fate.story) + f"\n{error}") from error


def check_course(fate: Fate) -> None:
    for key in fate.providers:
        check_agreements(fate, key)
        check_changes(fate, key)
        check_bookings(fate, key)
    check_nothing_refused(fate)
    check_ledgers(fate)


def check_agreements(fate: Fate, key: str) -> None:
    keller, partner = fate.deal.firms["keller"].id, fate.deal.firms[key].id
    with fate.database.read() as session:
        rows = session.scalars(
            sa.select(Agreement).where(Agreement.firm_id == keller, Agreement.partner_id == partner)
        ).all()
        for ours in rows:
            theirs = session.get(Agreement, (partner, ours.id))
            if ours.state in OVER or theirs is None:
                assert ours.state in OVER, (ours.state, None)
                assert theirs is None or theirs.state in OVER, (ours.state, theirs.state)
                continue
            assert ours.state == theirs.state, (ours.state, theirs.state)
            assert (ours.minutes, ours.total_cents) == (theirs.minutes, theirs.total_cents)
            assert ours.counterpart, "no proof at the requester"
            assert theirs.counterpart, "no proof at the provider"


def check_changes(fate: Fate, key: str) -> None:
    found = []
    for one, other in (("keller", key), (key, "keller")):
        with fate.database.read() as session:
            rows = session.scalars(
                sa.select(Amendment)
                .join(Agreement, (Agreement.firm_id == Amendment.firm_id) & (Agreement.id == Amendment.agreement_id))
                .where(Amendment.firm_id == fate.deal.firms[one].id)
                .where(Agreement.partner_id == fate.deal.firms[other].id)
            ).all()
            states = {row.id: row.state for row in rows}
            assert set(states.values()) <= {"in_force", *OVER}, states
            assert all(row.counterpart for row in rows if row.state == "in_force"), "no proof of a change"
        found.append({row_id for row_id, state in states.items() if state == "in_force"})
    assert found[0] == found[1], "a change is in force at one side only"


def check_bookings(fate: Fate, key: str) -> None:
    keller, partner = fate.deal.firms["keller"].id, fate.deal.firms[key].id
    with fate.database.read() as session:
        rows = sa.select(Booking.agreement_id, Booking.line_no, Booking.agreed_min, Booking.state)
        ours = rows.where(Booking.firm_id == keller, Booking.partner_id == partner)
        theirs = rows.where(Booking.firm_id == partner, Booking.partner_id == keller)
        live = [{tuple(row) for row in session.execute(one) if row.state != "released"} for one in (ours, theirs)]
        assert live[0] == live[1], live
        most = session.scalar(
            sa.select(sa.func.max(CapacityWindow.held_min + CapacityWindow.agreed_min - CapacityWindow.actual_min))
        )
    assert most is not None
    assert most <= 0, "hours sold twice"
    assert minutes_of(fate.database, fate.deal, key) == (0, sum(row[2] for row in live[1] if row[3] == "confirmed"))


def check_nothing_refused(fate: Fate) -> None:
    """What was sealed or follows from it is never turned away."""
    with fate.database.read() as session:
        refused = session.execute(
            sa.select(Message.kind, Message.error, Message.body).where(
                Message.direction == "out", Message.state != "delivered"
            )
        ).all()
    bad = [
        (row.kind, row.body.get("step"), row.error)
        for row in refused
        if row.kind in ("agreement.signed", "agreement.effective")
        or row.body.get("step") in ("signed", "sealed", "proved")
    ]
    assert not bad, bad


def check_ledgers(fate: Fate) -> None:
    with fate.database.read() as session:
        for firm in fate.deal.firms.values():
            check_log(export_log(session, firm.id))
        shared = session.execute(
            sa.select(
                sa.func.max(LedgerEntry.subject_id).label("subject_id"),
                sa.func.count().label("logs"),
                sa.func.count(sa.distinct(LedgerEntry.evidence_sha256)).label("contents"),
            )
            .where(LedgerEntry.type.in_(SHARED))
            .group_by(LedgerEntry.digest)
        ).all()
        ended = session.scalars(sa.select(LedgerEntry.subject_id).where(LedgerEntry.type == "agreement.lapsed")).all()
    assert all(row.contents == 1 for row in shared), "both logs hold the record, but not the same"
    # What a provider signed for a plan that did not become whole in time stands in its log alone, and its end beside it.
    assert all(row.logs == 2 or row.subject_id in ended for row in shared), "a record stands in one log only"
    with fate.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(outbox.OutboxRow.settled_at.is_(None))) == 0
