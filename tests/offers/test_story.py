"""500 hours over five firms: asked, matched in each house, answered, covered."""

from dataclasses import replace

import sqlalchemy as sa

from app.capacity.models import CapacityWindow
from app.core.db import Database
from app.firms.access import Role
from app.machines.actions import set_rate
from app.machines.rules import RateDraft
from app.matching.queries import stored_lines
from app.offers.actions import answer_no, answer_yes, make_offer
from app.offers.holding import TERMS
from app.offers.queries import received_offers
from app.offers.rules import LineDraft, smallest_piece
from app.partners.queries import partnership_with
from app.plans.queries import plan_input_of
from app.plans.solver import solve_exact
from app.requests.queries import arrivals_of, own_request
from app.worker import run_until_quiet
from tests.requests.story import alerts_of, ask, foreman, messages_out, offers_of, people_of_the_story, request_row
from tests.world import TestFirm


def held_min(database: Database, firm: TestFirm) -> int:
    with database.read() as session:
        query = sa.select(sa.func.sum(CapacityWindow.held_min)).where(CapacityWindow.firm_id == firm.id)
        return session.scalar(query) or 0


def test_four_partners_answer_and_the_hours_add_up_at_the_requester(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    for key in ("yilmaz", "brandt", "nowak"):
        with database.write() as session:
            answer_yes(session, world[key].id, foreman(world[key]), request_id)
    lindner = world["lindner"]
    with database.write() as session:
        some = [
            LineDraft(lindner.machine_id, "2026-W49", 600, None),
            LineDraft(lindner.machine_id, "2026-W50", 600, None),
        ]
        make_offer(session, lindner.actor(Role.FOREMAN), request_id, some, "Nur zwei Wochen")
    with database.write() as session:
        answer_no(session, world["vogt"].id, foreman(world["vogt"]), request_id)
    run_until_quiet(database)

    with database.read() as session:
        views = received_offers(session, world["keller"].id, request_id)
        assert {view.offer.partner_id: view.total_min for view in views} == {
            world["yilmaz"].id: 120 * 60,
            world["brandt"].id: 160 * 60,
            world["nowak"].id: 140 * 60,
            world["lindner"].id: 1200,
        }
        assert {view.offer.answer for view in views} == {"yes", "part"}
        assert all(line.rate_cents_per_hour == 9500 for view in views for line in view.lines)
        request = own_request(session, world["keller"].id, request_id)
        assert request.state == "quoted"
        assert [arrival.state for arrival in arrivals_of(session, world["keller"].id, request)] == ["delivered"] * 5
    assert held_min(database, world["brandt"]) == 160 * 60
    assert held_min(database, world["lindner"]) == 1200
    assert held_min(database, world["vogt"]) == 0


def test_an_offer_tells_what_each_machine_costs_and_its_smallest_order(database: Database) -> None:
    world = people_of_the_story(database)
    keller, yilmaz = world["keller"], world["yilmaz"]
    with database.write() as session:
        set_rate(session, yilmaz.actor(), yilmaz.machine_id, RateDraft(9800, 7000, 8000, 250, 500, 720))
    request_id = ask(database, world, partners=("yilmaz", "brandt"))
    weeks = [
        LineDraft(yilmaz.machine_id, "2026-W49", 300, None),
        LineDraft(yilmaz.machine_id, "2026-W50", 600, None),
    ]
    with database.write() as session:
        make_offer(session, yilmaz.actor(Role.FOREMAN), request_id, weeks)
        answer_yes(session, world["brandt"].id, foreman(world["brandt"]), request_id)
    run_until_quiet(database)
    with database.read() as session:
        mine, other = sorted(
            received_offers(session, keller.id, request_id), key=lambda view: view.offer.partner_id != yilmaz.id
        )
        told = {tuple(getattr(line, name) for name in ("rate_cents_per_hour", *TERMS[3:])) for line in mine.lines}
        assert told == {(9800, 720, 7000, 8000, 250, 500)}
        assert {tuple(getattr(line, name) for name in TERMS[4:]) for line in other.lines} == {(None, 0, 0, 0)}
        plan_input = plan_input_of(session, keller.id, own_request(session, keller.id, request_id))
    plan = solve_exact(replace(plan_input, need_min=60, lines=plan_input.lines[:2]), "cheapest")
    assert plan.covered_min == 720
    assert plan.missing_min == 0


def test_an_offer_sent_again_takes_the_new_prices_and_a_second_tap_does_not(database: Database) -> None:
    world = people_of_the_story(database)
    firm = world["yilmaz"]
    request_id = ask(database, world, partners=("yilmaz",))
    lines = [LineDraft(firm.machine_id, "2026-W49", 600, None)]
    with database.write() as session:
        first = make_offer(session, firm.actor(Role.FOREMAN), request_id, lines)
        assert make_offer(session, firm.actor(Role.FOREMAN), request_id, lines) == first
        set_rate(session, firm.actor(), firm.machine_id, RateDraft(9500, set_up_rate_cents_per_hour=7000))
        assert answer_yes(session, firm.id, foreman(firm), request_id) == first
        assert make_offer(session, firm.actor(Role.FOREMAN), request_id, lines) != first


def test_a_smallest_order_never_asks_for_more_than_is_offered() -> None:
    assert smallest_piece(line_min=300, machine_min=900, block_min=480, min_order_min=0) == 300
    assert smallest_piece(line_min=600, machine_min=900, block_min=480, min_order_min=0) == 480
    assert smallest_piece(line_min=300, machine_min=900, block_min=480, min_order_min=720) == 720
    assert smallest_piece(line_min=300, machine_min=900, block_min=480, min_order_min=60) == 480
    assert smallest_piece(line_min=300, machine_min=900, block_min=480, min_order_min=2400) == 900


def test_an_answer_arrives_even_from_a_partner_that_may_ask_us_nothing(database: Database) -> None:
    world = people_of_the_story(database)
    keller, yilmaz = world["keller"], world["yilmaz"]
    request_id = ask(database, world, partners=("yilmaz",))
    with database.write() as session:
        partnership_with(session, keller.id, yilmaz.id).scope = []
        partnership_with(session, yilmaz.id, keller.id).partner_scope = []
    with database.write() as session:
        answer_yes(session, yilmaz.id, foreman(yilmaz), request_id)
    run_until_quiet(database)
    with database.read() as session:
        assert [view.total_min for view in received_offers(session, keller.id, request_id)] == [
            held_min(database, yilmaz)
        ]


def test_each_foreman_is_asked_only_for_what_his_own_machines_have_free(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    with database.read() as session:
        assert sum(line.minutes for line in stored_lines(session, world["yilmaz"].id, request_id)) == 120 * 60
        # Vogt's small weeks are below the machine's smallest block: only the last one counts
        assert sum(line.minutes for line in stored_lines(session, world["vogt"].id, request_id)) == 480
    alerts = alerts_of(database, world["yilmaz"], "request")
    assert [alert.person_id for alert in alerts] == [foreman(world["yilmaz"])]
    assert alerts[0].values["minutes"] == 120 * 60
    assert alerts[0].url == f"/anfragen/{request_id}"


def test_the_request_carries_no_customer_and_a_third_firm_learns_nothing(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz", "brandt"))
    sent = messages_out(database, world["keller"], "request.published")
    assert len(sent) == 2
    assert all("Geheimkunde" not in str(message.body) for message in sent)
    assert all(world["brandt"].id not in str(message.body) for message in sent)
    row = request_row(database, world["yilmaz"], request_id)
    assert row is not None
    assert row.customer == ""
    assert request_row(database, world["nowak"], request_id) is None
    assert alerts_of(database, world["nowak"]) == []


def test_a_no_and_a_misfit_leave_no_trace_outside_the_house(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz", "keller")[:1])
    before = len(messages_out(database, world["yilmaz"]))
    with database.write() as session:
        answer_no(session, world["yilmaz"].id, foreman(world["yilmaz"]), request_id)
    run_until_quiet(database)
    assert len(messages_out(database, world["yilmaz"])) == before == 0
    assert offers_of(database, world["keller"], request_id) == []
    row = request_row(database, world["keller"], request_id)
    assert row is not None
    assert row.state == "open"
