"""S47: a machine stands. The hours that this costs are known at once, asked elsewhere, and leave the old agreement."""

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.agreements.actions import propose_cancellation
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.ids import new_id
from app.federation.models import Message
from app.federation.rules import Incoming
from app.firms.access import Role
from app.hours.actions import confirm_report
from app.invoices.models import InvoiceLine
from app.machines.models import Machine
from app.notary.queries import export_log
from app.push.models import Alert
from app.reactions import INBOX
from app.requests.actions import start_draft
from app.requests.models import WorkRequest
from app.requests.queries import draft_for, own_request, requirement_of
from app.requests.rules import RequestKind
from app.trouble.actions import ask_for_help, give_back_lost, resume_work, take_plan
from app.trouble.models import Disruption, DisruptionLine
from app.trouble.queries import helpers_for, lost_hours
from app.worker import run_until_quiet
from ledger.fsck import check_log
from tests.agreements.test_amending import amendment_evidence
from tests.agreements.test_forgetting import KEPT, agree_to_erase
from tests.agreements.world import minutes_of, sign, verified
from tests.hours.world import TUESDAY, begin_work
from tests.trouble.world import (
    answer,
    any_shop_can,
    asked_for,
    bookings,
    close_week,
    disruption,
    get_help,
    give_back,
    plan_of,
    stop,
    who_got,
)


def test_lost_hours_are_replaced_by_another_partner_and_leave_the_old_agreement(
    database: Database, tmp_path: Path
) -> None:
    work = begin_work(database)
    any_shop_can(work)
    keller, yilmaz = work.deal.firms["keller"], work.deal.firms["yilmaz"]
    with clock.frozen(TUESDAY):
        work.report(150)
        close_week(work)
        found = stop(work, {"2026-W49": 450, "2026-W50": 600})
        with database.read() as session:
            told = session.scalars(sa.select(Alert).where(Alert.firm_id == keller.id, Alert.kind == "disruption")).all()
            assert {alert.person_id for alert in told} == {keller.people[Role.MANAGER], keller.people[Role.FOREMAN]}
            assert {alert.values["minutes"] for alert in told} == {1050}
            assert session.get_one(Machine, (yilmaz.id, yilmaz.machine_id)).state == "down"
            helpers = helpers_for(session, disruption(work, "keller", found), work.deal.request_id)
            assert {one.name for one in helpers} == {"Brandt Präzision", "Nowak Zerspanung"}
        request_id = get_help(work, found)
        assert get_help(work, found) == request_id, "two taps ask once"
        with database.read() as session:
            asked = session.get_one(WorkRequest, (keller.id, request_id))
            assert (asked.need_min, asked.state, asked.first_week) == (1050, "open", "2026-W49")
        answer(work, "nowak", request_id)
        plan_id = plan_of(work, request_id)
        with database.write() as session:
            agreement_id = take_plan(session, work.deal.actor("keller"), found, plan_id)
        run_until_quiet(database)
        sign(database, work.deal, "keller", agreement_id)
        sign(database, work.deal, "nowak", agreement_id)
        amendment = give_back(work, found)
    assert (amendment.kind, amendment.message["basis"], amendment.fee_cents) == ("change", "clause 23", 0)
    for key in ("keller", "yilmaz"):
        booked = bookings(work, key)
        assert {week: one.agreed_min for week, one in booked.items()} == {
            "2026-W49": 150, "2026-W50": 0, "2026-W51": 600, "2026-W53": 600,
        }  # fmt: skip
        assert booked["2026-W50"].state == "cancelled"
        with database.read() as session:
            check_log(export_log(session, work.deal.firms[key].id))
        assert verified(amendment_evidence(database, work.deal, key, amendment.id), tmp_path) == 0
    assert minutes_of(database, work.deal, "yilmaz") == (0, 1350)
    assert minutes_of(database, work.deal, "nowak")[1] == 1050
    with database.read() as session, pytest.raises(Conflict):
        give_back_lost(session, work.deal.actor("keller"), found)


def test_who_works_on_the_same_job_is_asked_at_once_and_others_when_somebody_wants_that(database: Database) -> None:
    work = begin_work(database, ("yilmaz", "brandt"))
    any_shop_can(work)
    keller = work.deal.firms["keller"]
    with clock.frozen(TUESDAY):
        found = stop(work, {"2026-W49": 600})
        (asked,) = asked_for(work, found)
        assert (asked.need_min, asked.state, asked.created_by) == (600, "open", keller.people[Role.MANAGER])
        assert who_got(work, asked.id) == {"brandt"}
        with database.read() as session:
            told = session.scalars(sa.select(Alert).where(Alert.firm_id == keller.id, Alert.kind == "disruption")).all()
            assert {alert.values["minutes"] for alert in told} == {600}
        assert get_help(work, found) == get_help(work, found) == asked.id
        assert who_got(work, asked.id) == {"brandt", "nowak"}
        answer(work, "nowak", asked.id)
        assert plan_of(work, asked.id)
        assert len(asked_for(work, found)) == 1


def test_a_machine_that_stops_again_and_again_rings_nobody_else_and_good_news_takes_the_question_back(
    sqlite_database: Database,
) -> None:
    database = sqlite_database
    work = begin_work(database, ("yilmaz", "brandt"))
    any_shop_can(work)
    with clock.frozen(TUESDAY):
        found = stop(work, {"2026-W49": 600})
        with database.write() as session:
            resume_work(session, work.person("yilmaz"), found)
        run_until_quiet(database)
        (asked,) = asked_for(work, found)
        assert asked.state == "cancelled"
        again = stop(work, {"2026-W49": 600})
        assert again != found
        assert asked_for(work, again) == []
        assert who_got(work, get_help(work, again)) == {"brandt", "nowak"}


def test_where_one_of_two_jobs_has_nobody_else_in_its_plan_people_decide_for_both(sqlite_database: Database) -> None:
    database = sqlite_database
    work = begin_work(database, ("yilmaz", "brandt"))
    any_shop_can(work)
    keller = work.deal.actor("keller")
    with clock.frozen(TUESDAY):
        with database.write() as session:
            first = own_request(session, keller.firm_id, work.deal.request_id)
            other = start_draft(session, keller, RequestKind.HOURS, requirement_of(first))
            second = draft_for(session, keller.firm_id, other)
            second.title, second.shortage_reason = first.title, first.shortage_reason
            later = sa.update(Booking).where(Booking.firm_id == keller.firm_id, Booking.week == "2026-W50")
            session.execute(later.values(request_id=other))
        found = stop(work, {"2026-W49": 600, "2026-W50": 600})
        assert asked_for(work, found) == []
        with database.write() as session:
            assert len(ask_for_help(session, keller, found)) == 2
    assert [one.need_min for one in asked_for(work, found)] == [600, 600]


def test_where_too_much_is_asked_already_the_people_hear_of_it_all_the_same(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = begin_work(sqlite_database, ("yilmaz", "brandt"))
    monkeypatch.setattr("app.requests.limits.MOST_OPEN", 0)
    with clock.frozen(TUESDAY):
        assert asked_for(work, stop(work)) == []
    with sqlite_database.read() as session:
        keller = work.deal.firms["keller"].id
        assert session.scalars(sa.select(Alert).where(Alert.firm_id == keller, Alert.kind == "disruption")).all()


def test_what_lies_at_the_requester_asks_nobody_by_itself(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database, ("yilmaz", "brandt"))
    any_shop_can(work)
    with clock.frozen(TUESDAY):
        assert asked_for(work, stop(work, reason="material")) == []


def test_a_plan_that_was_chosen_already_stays_when_it_works_again(sqlite_database: Database) -> None:
    database = sqlite_database
    work = begin_work(database, ("yilmaz", "brandt"))
    any_shop_can(work)
    with clock.frozen(TUESDAY):
        found = stop(work, {"2026-W49": 600})
        (asked,) = asked_for(work, found)
        answer(work, "nowak", get_help(work, found))
        plan_id = plan_of(work, asked.id)
        with database.write() as session:
            take_plan(session, work.deal.actor("keller"), found, plan_id)
            resume_work(session, work.person("yilmaz"), found)
        run_until_quiet(database)
        assert asked_for(work, found)[0].state == "contracting"


def test_who_works_again_says_so_and_its_hours_count_again(database: Database) -> None:
    work = begin_work(database)
    with clock.frozen(TUESDAY):
        found = stop(work)
        with database.write() as session:
            resume_work(session, work.person("yilmaz"), found)
        run_until_quiet(database)
        assert disruption(work, "keller", found).ended_at is not None
        assert work.booking("keller").lost_min == 0
        with database.write() as session, pytest.raises(Conflict):
            give_back_lost(session, work.deal.actor("keller"), found)
        again = stop(work, {"2026-W49": 300})
        assert again != found
        assert give_back(work, again).fee_cents == 0
    assert work.booking("yilmaz").agreed_min == 300


def test_hours_of_a_week_that_is_over_by_now_are_given_back_too(database: Database, tmp_path: Path) -> None:
    work = begin_work(database)
    with clock.frozen(TUESDAY):
        found = stop(work)
    with clock.frozen(TUESDAY + dt.timedelta(weeks=1)):
        with database.write() as session, pytest.raises(RuleBroken, match="schon vorbei"):
            propose_cancellation(session, work.deal.actor("keller"), work.agreement_id, [1], "Zu spät")
        amendment = give_back(work, found)
    assert (amendment.kind, amendment.state, amendment.fee_cents) == ("cancellation", "in_force", 0)
    for key in ("keller", "yilmaz"):
        assert (work.booking(key).agreed_min, work.booking(key).state) == (0, "cancelled")
        assert verified(amendment_evidence(database, work.deal, key, amendment.id), tmp_path) == 0


def test_hours_given_back_before_the_good_news_arrived_stay_given_back(sqlite_database: Database) -> None:
    database = sqlite_database
    work = begin_work(database)
    with clock.frozen(TUESDAY):
        found = stop(work)
        with database.write() as session:
            resume_work(session, work.person("yilmaz"), found)
        # nothing has travelled yet: Keller signs while Yilmaz works again
        amendment = give_back(work, found)
    assert amendment.state == "in_force"
    assert work.booking("yilmaz").agreed_min == work.booking("keller").agreed_min == 0


def test_what_lies_at_the_requester_itself_gives_nothing_back_for_free(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        found = stop(work, reason="drawing", note="Maß 12 fehlt.")
        with sqlite_database.read() as session:
            (lost,) = lost_hours(session, disruption(work, "keller", found))
            assert (lost.lost_min, lost.left_min) == (600, 0)
            kinds = set(session.scalars(sa.select(Alert.kind).where(Alert.subject_id == found)))
            assert kinds == {"hours_lost"}
        with sqlite_database.write() as session, pytest.raises(Conflict):
            give_back_lost(session, work.deal.actor("keller"), found)


def test_nobody_says_more_hours_lost_than_are_open(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        work.report(450)
        with pytest.raises(RuleBroken):
            stop(work, {"2026-W49": 300})
        with pytest.raises(RuleBroken):
            stop(work, {"2026-W49": 0})
        found = stop(work, {"2026-W49": 150})
    with sqlite_database.write() as session, pytest.raises(NotFound):
        resume_work(session, work.deal.actor("keller"), found)


def test_a_requester_that_gives_back_more_than_was_said_is_refused(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    keller, yilmaz = work.deal.firms["keller"], work.deal.firms["yilmaz"]
    with clock.frozen(TUESDAY):
        found = stop(work, {"2026-W49": 150})
        with sqlite_database.write() as session:
            # Keller bends its own rows
            mine = Booking.firm_id == keller.id, Booking.id == work.booking_ids["keller"]
            session.execute(sa.update(Booking).where(*mine).values(lost_min=600))
            session.execute(sa.update(DisruptionLine).where(DisruptionLine.firm_id == keller.id).values(lost_min=600))
        give_back(work, found)
    with sqlite_database.read() as session:
        sent = sa.select(Message.state).where(Message.firm_id == keller.id, Message.kind == "booking.cancelled")
        assert session.scalars(sent).all() == ["refused"]
        assert session.get_one(Booking, (yilmaz.id, work.booking_ids["yilmaz"])).agreed_min == 600


@pytest.mark.parametrize("change", [{"lost_min": 615}, {"line_no": 9}, {"machine_id": "x"}, {"from": "brandt"}])
def test_a_partner_says_nothing_of_hours_that_are_not_its_own(
    sqlite_database: Database, change: dict[str, int | str]
) -> None:
    work = begin_work(sqlite_database)
    keller, yilmaz = work.deal.firms["keller"], work.deal.firms["yilmaz"]
    line = {"agreement_id": work.agreement_id, "line_no": 1, "lost_min": 600}
    body = {"disruption_id": new_id(), "machine_id": yilmaz.machine_id, "reason": "machine", "note": "", "back_on": ""}
    body |= {name: new_id() for name in change if name == "machine_id"}
    body["lines"] = [line | {name: value for name, value in change.items() if name in line}]  # type: ignore[assignment]
    sender = work.deal.firms[str(change.get("from", "yilmaz"))]
    incoming = Incoming(keller.id, sender.id, new_id(), "booking.disrupted", body, clock.now())
    with sqlite_database.write() as session, pytest.raises((NotFound, RuleBroken)):
        INBOX["booking.disrupted"](session, incoming)


def test_what_was_worked_before_it_stood_is_invoiced_and_nothing_beyond(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    yilmaz = work.deal.firms["yilmaz"]
    with clock.frozen(TUESDAY):
        work.report(120, kind="set_up", key="set-up of the phone")
        with pytest.raises(RuleBroken):
            stop(work)
        found = stop(work, {"2026-W49": 585})
        close_week(work)
        with sqlite_database.write() as session:
            confirm_report(session, work.deal.actor("keller"), work.reports("keller")[0].id)
        run_until_quiet(sqlite_database)
        give_back(work, found)
        assert work.booking("yilmaz").agreed_min == 15
        with sqlite_database.read() as session:
            lines = session.scalars(sa.select(InvoiceLine).where(InvoiceLine.firm_id == yilmaz.id))
            assert {line.kind: line.minutes for line in lines} == {"set_up": 120, "transport": 0}
        work.report(60, key="more than is left")
        with pytest.raises(RuleBroken):
            close_week(work)


def test_a_disruption_goes_with_its_agreement(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        found = stop(work)
    with clock.frozen(KEPT):
        assert agree_to_erase(work.database, work.deal, "yilmaz", work.agreement_id) == "done"
    with sqlite_database.read() as session:
        for model in (Disruption, DisruptionLine):
            assert set(session.scalars(sa.select(model.firm_id))) == {work.deal.firms["keller"].id}
        message = session.scalars(
            sa.select(Message).where(Message.subject_id == found, Message.direction == "out")
        ).one()
        assert message.body == {}
