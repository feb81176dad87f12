"""After a part is agreed the rest is asked for in two taps: everything told before is filled in."""

import datetime as dt
from pathlib import Path

import pytest

from app.agreements.actions import decline_agreement, draft_agreements
from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict
from app.plans.actions import choose_plan, solve_due_plans
from app.plans.queries import coverage_of, offers_key, plan_input_of, plans_of
from app.requests.actions import ask_again, publish_request, withdraw_request
from app.requests.models import WorkRequest
from app.requests.queries import chosen_ids, files_of
from app.worker import end_what_is_due, run_until_quiet
from tests.agreements.test_amending import propose, sign_amendment
from tests.agreements.world import Deal, drafted, make_deal, minutes_of, provider_of, sign, signed_by_both
from tests.conftest import MONDAY
from tests.machines.house import open_house
from tests.offers.test_drawings import ask_with_drawings
from tests.requests.story import messages_out, people_of_the_story

NO_CONFIG: Config = None  # type: ignore[assignment]


def part_agreed(database: Database) -> Deal:
    """40 of 500 hours are signed, and more is not wanted of that plan."""
    deal = make_deal(database, all_or_none=False)
    signed_by_both(database, deal, drafted(database, deal))
    return deal


def half_declined(database: Database) -> Deal:
    """Of a plan over two partners Yilmaz has signed and Brandt said no; what Nowak offered still stands."""
    deal = make_deal(database, ("yilmaz", "brandt"), all_or_none=False)
    ids = {provider_of(database, deal, one): one for one in drafted(database, deal)}
    sign(database, deal, "keller", ids["brandt"])
    with database.write() as session:
        decline_agreement(session, deal.actor("brandt"), ids["brandt"])
    run_until_quiet(database)
    signed_by_both(database, deal, [ids["yilmaz"]])
    return deal


def asked(database: Database, deal: Deal, request_id: str) -> WorkRequest:
    with database.read() as session:
        found = session.get_one(WorkRequest, (deal.firms["keller"].id, request_id))
        session.expunge(found)
    return found


def test_the_rest_of_a_part_is_asked_for_with_everything_told_before(database: Database) -> None:
    deal = part_agreed(database)
    assert asked(database, deal, deal.request_id).agreed_min == 40 * 60
    with database.write() as session:
        rest_id = ask_again(session, deal.actor("keller"), deal.request_id)
        publish_request(session, deal.actor("keller"), rest_id)
    run_until_quiet(database)
    old, rest = asked(database, deal, deal.request_id), asked(database, deal, rest_id)
    assert (rest.need_min, rest.state) == (460 * 60, "open")
    for name in (
        "title",
        "process_key",
        "material",
        "needed_it",
        "certificates",
        "last_week",
        "shortage_reason",
        "customer",
    ):
        assert getattr(rest, name) == getattr(old, name), name
    with database.read() as session:
        partners = {deal.firms[key].id for key in ("yilmaz", "brandt", "nowak")}
        assert set(chosen_ids(session, deal.firms["keller"].id, rest_id)) == partners
    assert len(messages_out(database, deal.firms["keller"], "request.published")) == 3


def test_the_page_says_what_is_missing_and_asks_for_it_in_two_taps(sqlite_database: Database, tmp_path: Path) -> None:
    deal = part_agreed(sqlite_database)
    house = open_house(sqlite_database, tmp_path).enter(deal.actor("keller"))
    page = house.get(f"/suchen/{deal.request_id}").text
    assert "Es fehlen noch 460 Stunden." in page
    assert "Den Rest anfragen" in page
    check = house.post(f"/suchen/{deal.request_id}/rest")
    assert check.location.endswith("/schritt/3")
    assert "460" in house.get(check.location).text
    sent = house.post(check.location.removesuffix("schritt/3") + "senden")
    assert "/suchen/" in sent.location


def test_nothing_is_asked_again_while_the_request_runs_or_when_nothing_is_missing(database: Database) -> None:
    deal = make_deal(database)
    with pytest.raises(Conflict), database.write() as session:
        ask_again(session, deal.actor("keller"), deal.request_id)
    with database.write() as session:
        session.get_one(WorkRequest, (deal.firms["keller"].id, deal.request_id)).need_min = 40 * 60
    signed_by_both(database, deal, drafted(database, deal))
    with pytest.raises(Conflict), database.write() as session:
        ask_again(session, deal.actor("keller"), deal.request_id)


def test_a_plan_that_waits_for_its_last_signature_has_nothing_agreed_yet(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    sign(database, deal, "keller", ids[1])
    assert asked(database, deal, deal.request_id).agreed_min == 0
    sign(database, deal, provider_of(database, deal, ids[1]), ids[1])
    assert asked(database, deal, deal.request_id).agreed_min == 80 * 60


def test_offers_that_still_stand_are_planned_for_the_rest(database: Database) -> None:
    deal, keller = half_declined(database), "keller"
    assert asked(database, deal, deal.request_id).state == "quoted"
    solve_due_plans(database, NO_CONFIG)
    with database.read() as session:
        request = session.get_one(WorkRequest, (deal.firms[keller].id, deal.request_id))
        coverage = coverage_of(session, deal.firms[keller].id, request)
        key = offers_key(plan_input_of(session, deal.firms[keller].id, request))
        plans = plans_of(session, deal.firms[keller].id, deal.request_id, key)
        session.expunge_all()
    assert (coverage.need_min, coverage.offered_min) == (500 * 60, 40 * 60 + 46 * 60)
    assert {(plan.need_min, plan.covered_min, plan.partner_count) for plan in plans} == {(460 * 60, 46 * 60, 1)}
    with database.write() as session:
        choose_plan(session, deal.actor(keller), plans[0].id, accepts_part=True)
        (rest_id,) = draft_agreements(session, deal.actor(keller), plans[0].id)
    run_until_quiet(database)
    signed_by_both(database, deal, [rest_id])
    done = asked(database, deal, deal.request_id)
    assert (done.state, done.agreed_min) == ("contracted", 86 * 60)


def test_when_the_plan_for_the_rest_falls_through_too_what_is_agreed_stands(database: Database) -> None:
    deal = half_declined(database)
    solve_due_plans(database, NO_CONFIG)
    with database.write() as session:
        request = session.get_one(WorkRequest, (deal.firms["keller"].id, deal.request_id))
        key = offers_key(plan_input_of(session, deal.firms["keller"].id, request))
        plan_id = plans_of(session, deal.firms["keller"].id, deal.request_id, key)[0].id
        choose_plan(session, deal.actor("keller"), plan_id, accepts_part=True)
        (rest_id,) = draft_agreements(session, deal.actor("keller"), plan_id)
        decline_agreement(session, deal.actor("keller"), rest_id)
    run_until_quiet(database)
    done = asked(database, deal, deal.request_id)
    assert (done.state, done.agreed_min) == ("contracted", 40 * 60)


@pytest.mark.parametrize("is_given_up", [True, False])
def test_a_rest_that_nobody_wants_or_offers_any_more_ends_as_contracted(database: Database, is_given_up: bool) -> None:
    deal = half_declined(database)
    if is_given_up:
        with database.write() as session:
            withdraw_request(session, deal.actor("keller"), deal.request_id)
        run_until_quiet(database)
    else:
        with clock.frozen(MONDAY + dt.timedelta(days=12)):
            end_what_is_due(database)
    assert asked(database, deal, deal.request_id).state == "contracted"
    assert minutes_of(database, deal, "yilmaz") == (0, 40 * 60)


def test_cancelled_hours_are_missing_again(database: Database) -> None:
    deal = make_deal(database, all_or_none=False)
    (agreement_id,) = drafted(database, deal)
    signed_by_both(database, deal, [agreement_id])
    sign_amendment(database, deal, "keller", propose(database, deal, "keller", agreement_id, cancel=[2]))
    assert asked(database, deal, deal.request_id).agreed_min == 30 * 60


def test_an_expired_request_is_asked_again_with_its_drawings_and_weeks_to_come(database: Database) -> None:
    world = people_of_the_story(database)
    request_id, keller = ask_with_drawings(database, world), world["keller"]
    with clock.frozen(MONDAY + dt.timedelta(days=24)):
        end_what_is_due(database)
        with database.write() as session:
            again_id = ask_again(session, keller.actor(), request_id)
            publish_request(session, keller.actor(), again_id)
        run_until_quiet(database)
        with database.read() as session:
            row = session.get_one(WorkRequest, (keller.id, again_id))
            assert (row.first_week, row.last_week) == ("2026-W50", "2027-W04")
            old, new = files_of(session, keller.id, request_id), files_of(session, keller.id, again_id)
            assert [(file.name, file.confidentiality) for file in new] == [(f.name, f.confidentiality) for f in old]
            assert not {file.file_id for file in new} & {file.file_id for file in old}
            assert len(files_of(session, world["yilmaz"].id, again_id)) == 2
