"""Plans follow the offers, belong to the requester alone, and are chosen only while their offers stand."""

import datetime as dt
import threading

import pytest
import sqlalchemy as sa

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken, WerkringError
from app.core.events import OfferReceived, RequestChanged
from app.core.ids import new_id
from app.core.outbox import emit
from app.offers.exchange import expire_offers
from app.offers.models import Offer, OfferLine
from app.plans.actions import choose_plan, lift_limit, refresh_plans, solve_due_plans
from app.plans.models import Plan, PlanLine, PlanTask
from app.plans.queries import chosen_plan, coverage_of, lines_of_plan, offers_key, plan_input_of, plans_of
from app.requests.models import WorkRequest
from app.requests.queries import own_request
from app.worker import settle_events
from tests.conftest import MONDAY
from tests.world import TestFirm, make_world

NO_CONFIG: Config = None  # type: ignore[assignment]
NEED_MIN = 300 * 60


class Case:
    """Keller asks for 300 hours; partners have offered."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.request_id = new_id()
        with database.write() as session:
            self.world = make_world(session, ("keller", "yilmaz", "brandt", "nowak"))
            now = clock.now()
            session.add(
                WorkRequest(
                    firm_id=self.keller.id, id=self.request_id, created_at=now, side="ours", kind="hours", state="quoted",
                    process_key="milling_5x", need_min=NEED_MIN, first_week="2026-W49", last_week="2027-W04", certificates=[],
                    needs={}, reply_by=now + dt.timedelta(days=2), delivery_week="2027-W04", shortage_reason="capacity",
                )
            )  # fmt: skip
        self.offers = [self.offer("yilmaz", 150, 9200), self.offer("brandt", 150, 9800)]
        self.tell(self.offers[0])

    @property
    def keller(self) -> TestFirm:
        return self.world["keller"]

    def offer(self, key: str, hours: int, rate_cents: int) -> str:
        offer_id, now = new_id(), clock.now()
        with self.database.write() as session:
            session.add(
                Offer(
                    firm_id=self.keller.id, id=offer_id, created_at=now, side="theirs", request_id=self.request_id,
                    partner_id=self.world[key].id, answer="part", state="submitted", valid_until=now + dt.timedelta(days=5),
                )
            )  # fmt: skip
            session.flush()
            session.add(
                OfferLine(
                    firm_id=self.keller.id, id=new_id(), created_at=now, offer_id=offer_id, machine_id="m-" + key,
                    machine_name="F5-650", week="2026-W50", offered_min=hours * 60, rate_cents_per_hour=rate_cents,
                )
            )  # fmt: skip
        return offer_id

    def tell(self, offer_id: str) -> None:
        with self.database.write() as session:
            refresh_plans(session, OfferReceived(self.keller.id, offer_id))

    def limit(self, most: int) -> None:
        with self.database.write() as session:
            own_request(session, self.keller.id, self.request_id).max_partners = most

    def plans(self) -> list[Plan]:
        with self.database.read() as session:
            key = offers_key(
                plan_input_of(session, self.keller.id, own_request(session, self.keller.id, self.request_id))
            )
            plans = list(plans_of(session, self.keller.id, self.request_id, key))
            session.expunge_all()
        return plans

    def choose(self, plan_id: str, accepts_part: bool = False, key: str = "keller") -> Plan:
        with self.database.write() as session:
            return choose_plan(session, self.world[key].actor(), plan_id, accepts_part)


@pytest.fixture
def case(database: Database) -> Case:
    return Case(database)


def test_offers_that_cover_the_need_become_a_proven_plan(case: Case) -> None:
    solve_due_plans(case.database, NO_CONFIG)
    plans = case.plans()
    assert [(plan.covered_min, plan.partner_count, plan.solver_status) for plan in plans] == [(NEED_MIN, 2, "proven")]
    assert plans[0].cost_cents == 150 * 9200 + 150 * 9800
    with case.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(PlanTask)) == 0
        lines = lines_of_plan(session, case.keller.id, plans[0].id)
        assert [(line.partner_name, line.minutes) for line in lines] == [
            ("Brandt Präzision", 9000),
            ("Dreherei Yilmaz", 9000),
        ]


def test_the_same_offers_are_planned_once(case: Case) -> None:
    for _ in range(2):
        case.tell(case.offers[0])
        case.tell(case.offers[1])
        solve_due_plans(case.database, NO_CONFIG)
    with case.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Plan)) == len(case.plans())


def test_a_new_offer_replaces_plans_that_nobody_chose(case: Case) -> None:
    solve_due_plans(case.database, NO_CONFIG)
    old = case.plans()[0].id
    case.tell(case.offer("nowak", 150, 8000))
    solve_due_plans(case.database, NO_CONFIG)
    with case.database.read() as session:
        assert session.get(Plan, (case.keller.id, old)) is None
        assert session.scalar(sa.select(sa.func.count()).select_from(PlanLine).where(PlanLine.plan_id == old)) == 0
    assert min(plan.cost_cents for plan in case.plans()) == 150 * 8000 + 150 * 9200


def test_a_plan_of_old_offers_cannot_be_chosen(case: Case) -> None:
    solve_due_plans(case.database, NO_CONFIG)
    plan_id = case.plans()[0].id
    case.offer("nowak", 10, 8000)
    with pytest.raises(Conflict, match="haben sich geändert"):
        case.choose(plan_id)


def test_a_limit_of_partners_is_obeyed_and_may_be_lifted(case: Case) -> None:
    case.limit(1)
    solve_due_plans(case.database, NO_CONFIG)
    assert {(plan.partner_count, plan.covered_min) for plan in case.plans()} == {(1, 9000)}
    with case.database.write() as session:
        lift_limit(session, case.keller.actor(), case.request_id)
    assert case.plans() == []
    solve_due_plans(case.database, NO_CONFIG)
    (plan,) = case.plans()
    assert (plan.partner_count, plan.covered_min) == (2, NEED_MIN)
    case.choose(plan.id)
    with pytest.raises(Conflict, match="Lade die Seite neu"), case.database.write() as session:
        lift_limit(session, case.keller.actor(), case.request_id)


def test_partners_with_an_agreement_count_towards_the_limit(case: Case) -> None:
    case.limit(2)
    case.offer("nowak", 150, 8000)
    with case.database.write() as session:
        session.get_one(Offer, (case.keller.id, case.offers[0])).state = "accepted"
        own_request(session, case.keller.id, case.request_id).agreed_min = 9000
    case.tell(case.offers[1])
    solve_due_plans(case.database, NO_CONFIG)
    assert {(plan.partner_count, plan.need_min) for plan in case.plans()} == {(1, 9000)}
    case.limit(1)
    case.tell(case.offers[1])
    solve_due_plans(case.database, NO_CONFIG)
    assert case.plans() == []


def test_other_hours_in_the_request_make_new_plans(case: Case) -> None:
    solve_due_plans(case.database, NO_CONFIG)
    with case.database.write() as session:
        request = own_request(session, case.keller.id, case.request_id)
        request.need_min = 150 * 60
        emit(session, RequestChanged(case.keller.id, request.id))
    settle_events(case.database)
    solve_due_plans(case.database, NO_CONFIG)
    assert {plan.covered_min for plan in case.plans()} == {150 * 60}


def test_an_offer_that_expired_makes_new_plans(case: Case) -> None:
    solve_due_plans(case.database, NO_CONFIG)
    with case.database.write() as session:
        session.get_one(Offer, (case.keller.id, case.offers[0])).valid_until = clock.now()
        expire_offers(session, clock.now())
    settle_events(case.database)
    solve_due_plans(case.database, NO_CONFIG)
    assert {plan.covered_min for plan in case.plans()} == {150 * 60}


def test_of_two_managers_who_choose_at_once_one_is_told_that_the_other_was_faster(case: Case) -> None:
    case.tell(case.offer("nowak", 300, 9500))
    with case.database.write() as session:
        own_request(session, case.keller.id, case.request_id).need_min = 150 * 60
    solve_due_plans(case.database, NO_CONFIG)
    plans, barrier, outcomes = case.plans()[:2], threading.Barrier(2), []
    assert len(plans) == 2

    def attempt(plan_id: str) -> None:
        with clock.frozen(MONDAY):
            barrier.wait()
            try:
                case.choose(plan_id)
                outcomes.append("chosen")
            except WerkringError as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=attempt, args=(plan.id,)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Conflict", "chosen"]


def test_choosing_twice_is_choosing_once(case: Case) -> None:
    solve_due_plans(case.database, NO_CONFIG)
    plan_id = case.plans()[0].id
    first = case.choose(plan_id).chosen_at
    assert case.choose(plan_id).chosen_at == first
    with case.database.read() as session:
        chosen = chosen_plan(session, case.keller.id, case.request_id)
        assert chosen is not None
        assert own_request(session, case.keller.id, case.request_id).state == "planned"


def test_missing_hours_must_be_accepted(case: Case) -> None:
    with case.database.write() as session:
        own_request(session, case.keller.id, case.request_id).need_min = 500 * 60
    case.tell(case.offers[0])
    solve_due_plans(case.database, NO_CONFIG)
    plan = case.plans()[0]
    assert plan.covered_min == 300 * 60
    with pytest.raises(RuleBroken):
        case.choose(plan.id)
    assert case.choose(plan.id, accepts_part=True).chosen_by == case.keller.actor().person_id


def test_no_partner_and_no_third_firm_finds_the_plan(case: Case) -> None:
    solve_due_plans(case.database, NO_CONFIG)
    for key in ("yilmaz", "nowak"):
        with pytest.raises(NotFound):
            case.choose(case.plans()[0].id, key=key)


def test_the_coverage_adds_up_live(case: Case) -> None:
    with case.database.read() as session:
        coverage = coverage_of(session, case.keller.id, own_request(session, case.keller.id, case.request_id))
    assert (coverage.offered_min, coverage.missing_min) == (300 * 60, 0)
    assert {row.partner_name for row in coverage.offers} == {"Dreherei Yilmaz", "Brandt Präzision"}
