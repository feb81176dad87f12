"""One bad row of one firm: the others' plans, messages, deadlines and checkpoints go on as if it were not there."""

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

import app.plans.actions as plan_actions
from app.agreements.models import Agreement
from app.capacity.models import CapacityWindow
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.federation.models import Message
from app.firms.access import Role
from app.notary.actions import resume_checkpoints
from app.notary.models import FirmKey, LedgerCheckpoint, LedgerEntry, LedgerHead
from app.offers.actions import answer_yes
from app.offers.models import Offer
from app.plans.actions import solve_due_plans
from app.plans.check import PlanBroken
from app.plans.models import PlanTask
from app.plans.rules import PlanInput
from app.push.delivery import claim, hand_out
from app.push.mails import write_due_mails
from app.push.models import Alert, Mail, PushDelivery
from app.worker import end_what_is_due, run_until_quiet
from tests.agreements.world import drafted, make_deal, sign
from tests.push.conftest import service as service
from tests.push.service import PushService
from tests.push.world import PushWorld, give_phone, make_push_world
from tests.requests.story import ask, offers_of, people_of_the_story
from tests.world import TestFirm

World = dict[str, TestFirm]


@pytest.fixture
def world(sqlite_database: Database, tmp_path: Path) -> PushWorld:
    return make_push_world(sqlite_database, tmp_path)


def later(**span: int) -> dt.datetime:
    return clock.now() + dt.timedelta(**span)


def test_offers_that_no_plan_can_be_built_from_leave_the_plans_of_others_alone(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firms = people_of_the_story(sqlite_database)
    first, second = ask(sqlite_database, firms), ask(sqlite_database, firms)
    for request_id, key in ((first, "yilmaz"), (second, "brandt")):
        with sqlite_database.write() as session:
            answer_yes(session, firms[key].id, firms[key].people[Role.FOREMAN], request_id)
        run_until_quiet(sqlite_database)
    honest, bad = plan_actions.build_plans, offers_of(sqlite_database, firms["keller"], first)[0].id

    def build(plan_input: PlanInput) -> object:
        if any(line.offer_id == bad for line in plan_input.lines):
            raise PlanBroken("7: usable minutes were left out")
        return honest(plan_input)

    monkeypatch.setattr(plan_actions, "build_plans", build)
    solve_due_plans(sqlite_database, load_config({"DATA_DIR": str(tmp_path)}))
    with sqlite_database.read() as session:
        waiting = session.scalars(sa.select(PlanTask.request_id)).all()
    assert waiting == [first]


def bad_alert(database: Database, firm: TestFirm) -> str:
    """A message of a kind that this version does not know (a step back after an update), due before all others."""
    alert = Alert(
        firm_id=firm.id, id=new_id(), created_at=clock.now(), person_id=firm.people[Role.FOREMAN], kind="request",
        subject_id=new_id(), values={"reply_by": "gestern", "first_week": 7, "minutes": "viele"}, url="/", once_key=new_id(),
        due_at=later(hours=-2), mail_due_at=later(hours=-1),
    )  # fmt: skip
    with database.write() as session:
        session.add(alert)
        session.flush()
        return alert.id


def good_alert(database: Database, firm: TestFirm) -> str:
    from app.push.actions import alert_people
    from tests.push.world import VALUES

    with database.write() as session:
        person = firm.people[Role.FOREMAN]
        alert = alert_people(session, firm.id, [person], "request", new_id(), "/anfragen", VALUES, "gut")[0]
        alert.mail_due_at = later(minutes=-1)
        return alert.id


def test_a_message_that_cannot_be_written_holds_up_no_other_message(world: PushWorld, service: PushService) -> None:
    database, firm = world.database, world.yilmaz
    give_phone(world, service, "phone")
    bad, good = bad_alert(database, firm), good_alert(database, firm)
    hand_out(database)
    letters = claim(database, world.config)
    with database.read() as session:
        rows = {
            row.alert_id: (row.outcome, row.done_at is not None) for row in session.scalars(sa.select(PushDelivery))
        }
    assert len(letters) == 1
    assert rows[good] == ("", False)
    assert rows[bad][1]


def test_a_mail_that_cannot_be_written_holds_up_no_other_mail(world: PushWorld) -> None:
    bad_alert(world.database, world.yilmaz)
    good_alert(world.database, world.yilmaz)
    write_due_mails(world.database, world.config)
    with world.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Mail)) == 1


def test_an_agreement_that_cannot_end_keeps_no_other_one_open(sqlite_database: Database) -> None:
    deal = make_deal(sqlite_database, ("yilmaz", "brandt"), all_or_none=False)
    ids = drafted(sqlite_database, deal)
    for agreement_id in ids:
        sign(sqlite_database, deal, "keller", agreement_id)
    with sqlite_database.write() as session:
        # the first partner's seal cannot be opened any more
        first = session.get_one(Agreement, (deal.firms["keller"].id, ids[0])).partner_id
        session.execute(
            sa.update(FirmKey).where(FirmKey.firm_id == first, FirmKey.purpose == "seal").values(wrapped=b"broken")
        )
    with clock.frozen(later(days=20)):
        end_what_is_due(sqlite_database)
    with sqlite_database.read() as session:
        states = {
            (row.firm_id, row.id): row.state
            for row in session.execute(sa.select(Agreement.firm_id, Agreement.id, Agreement.state))
        }
    assert states[first, ids[0]] == "signed_one"
    assert {state for key, state in states.items() if key != (first, ids[0])} == {"lapsed"}


def test_an_offer_whose_hours_do_not_add_up_keeps_no_other_offer_alive(sqlite_database: Database) -> None:
    firms = people_of_the_story(sqlite_database)
    request_id = ask(sqlite_database, firms)
    for key in ("yilmaz", "brandt", "nowak"):
        with sqlite_database.write() as session:
            answer_yes(session, firms[key].id, firms[key].people[Role.FOREMAN], request_id)
    run_until_quiet(sqlite_database)
    broken = min(firms[key].id for key in ("yilmaz", "brandt", "nowak"))
    with sqlite_database.write() as session:
        session.execute(sa.update(CapacityWindow).where(CapacityWindow.firm_id == broken).values(held_min=0))
    with clock.frozen(later(days=30)):
        end_what_is_due(sqlite_database)
    with sqlite_database.read() as session:
        live = session.execute(sa.select(Offer.firm_id, Offer.side).where(Offer.state == "submitted")).all()
    assert [(row.firm_id, row.side) for row in live] in ([(broken, "ours")], [])


def test_a_log_that_was_tampered_with_stops_neither_the_others_nor_the_worker(sqlite_database: Database) -> None:
    deal = make_deal(sqlite_database)
    keller, yilmaz = deal.firms["keller"].id, deal.firms["yilmaz"].id
    with sqlite_database.write() as session:
        session.execute(sa.delete(LedgerCheckpoint).where(LedgerCheckpoint.firm_id.in_((keller, yilmaz))))
        session.execute(sa.update(LedgerHead).where(LedgerHead.firm_id.in_((keller, yilmaz))).values(signed_size=0))
        session.execute(sa.update(LedgerEntry).where(LedgerEntry.firm_id == min(keller, yilmaz)).values(leaf=b"{}"))
    resume_checkpoints(sqlite_database)
    with sqlite_database.read() as session:
        signed = session.scalars(
            sa.select(LedgerCheckpoint.firm_id).where(LedgerCheckpoint.firm_id.in_((keller, yilmaz)))
        ).all()
    assert signed == [max(keller, yilmaz)]


def test_a_checkpoint_that_a_crash_left_out_is_signed_within_the_minute(sqlite_database: Database) -> None:
    deal = make_deal(sqlite_database)
    keller = deal.firms["keller"].id
    with sqlite_database.write() as session:
        session.execute(sa.delete(LedgerCheckpoint).where(LedgerCheckpoint.firm_id == keller))
        session.execute(sa.update(LedgerHead).where(LedgerHead.firm_id == keller).values(signed_size=0))
    end_what_is_due(sqlite_database)
    with sqlite_database.read() as session:
        head = session.get_one(LedgerHead, keller)
        assert head.signed_size == head.size


def test_an_unknown_event_and_a_message_that_fails_wait_alone(sqlite_database: Database) -> None:
    firms = people_of_the_story(sqlite_database)
    keller, yilmaz, now = firms["keller"].id, firms["yilmaz"].id, clock.now()
    with sqlite_database.write() as session:
        session.add(
            OutboxRow(
                id="0" * 36, firm_id=keller, kind="NeverHeardOf", body={"x": 1}, created_at=now, next_try_at=now,
                attempts=0, settled_at=None, parked_at=None,
            )
        )  # fmt: skip
        session.add(
            Message(
                firm_id=firms["brandt"].id, id=new_id(), created_at=now, direction="out", peer_id=keller,
                kind="agreement.drafted", seq=1, body={"agreement_id": new_id()}, state="waiting", next_try_at=now,
            )
        )  # fmt: skip
    request_id = ask(sqlite_database, firms)
    with sqlite_database.read() as session:
        arrived = session.scalar(
            sa.select(sa.func.count())
            .select_from(Message)
            .where(Message.firm_id == yilmaz, Message.direction == "in", Message.kind == "request.published")
        )
        row = session.get_one(OutboxRow, "0" * 36)
        assert (row.attempts, row.settled_at) == (1, None)
    assert request_id
    assert arrived == 1
