"""Answering: in full or not at all, once, before the deadline, and taken back within ten minutes."""

import datetime as dt
import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.capacity.actions import offer_hours
from app.capacity.models import CapacityWindow, Hold
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import OfferMade
from app.firms.access import Role
from app.machines.models import RateCard
from app.matching.queries import judge_request
from app.offers.actions import (
    answer_no,
    answer_yes,
    decline_offer,
    expire_offers,
    make_offer,
    release_selection,
    select_offer,
    send_offer,
    undo_answer,
    withdraw_offer,
)
from app.offers.queries import inbox, own_offer, waiting_count
from app.offers.rules import LineDraft
from app.plans.actions import build_plans
from app.plans.queries import coverage_of, plan_input_of
from app.requests.actions import Change, change_request, withdraw_request
from app.requests.models import WorkRequest
from app.requests.queries import partner_request
from app.worker import run_until_quiet
from tests.offers.test_story import held_min
from tests.requests.story import (
    KNOW_HOW,
    NEED,
    RequestKind,
    alerts_of,
    ask,
    foreman,
    later,
    messages_out,
    offers_of,
    people_of_the_story,
    request_row,
)
from tests.world import FIRST_WEEK, LAST_WEEK, TestFirm, add_machine

World = dict[str, TestFirm]


def yes(database: Database, firm: TestFirm, request_id: str, **more: object) -> str:
    with database.write() as session:
        offer_id = answer_yes(session, firm.id, foreman(firm), request_id, **more)  # type: ignore[arg-type]
    run_until_quiet(database)
    return offer_id


def test_a_second_tap_on_yes_offers_once(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    first = yes(database, world["yilmaz"], request_id)
    assert yes(database, world["yilmaz"], request_id) == first
    assert yes(database, world["yilmaz"], request_id, by_token=True) == first
    assert held_min(database, world["yilmaz"]) == 120 * 60
    assert len(messages_out(database, world["yilmaz"], "offer.made")) == 1


def test_two_foremen_of_one_firm_answering_in_the_same_second_hold_once(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm, faults = world["brandt"], []

    def answer() -> None:
        try:
            with clock.frozen(dt.datetime(2026, 11, 16, 6, tzinfo=dt.UTC)), database.write() as session:
                answer_yes(session, firm.id, foreman(firm), request_id, by_token=True)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=answer) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    assert faults == []
    assert held_min(database, firm) == 160 * 60
    assert len([offer for offer in offers_of(database, firm, request_id) if offer.state == "submitted"]) == 1


def test_two_partners_answering_in_the_same_second_both_count(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    keys, faults = ("yilmaz", "brandt", "nowak"), []

    def answer(firm: TestFirm) -> None:
        try:
            with clock.frozen(dt.datetime(2026, 11, 16, 6, tzinfo=dt.UTC)), database.write() as session:
                answer_yes(session, firm.id, foreman(firm), request_id)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=answer, args=(world[key],)) for key in keys]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    run_until_quiet(database)
    assert faults == []
    assert len(offers_of(database, world["keller"], request_id)) == 3


def test_hours_that_shrank_since_the_message_are_said_and_nothing_is_held(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    with database.write() as session:
        offer_hours(session, firm.actor(Role.FOREMAN), firm.machine_id, FIRST_WEEK, 480)
    with pytest.raises(RuleBroken, match="nur noch 8 Stunden frei"):
        yes(database, firm, request_id, by_token=True)
    assert held_min(database, firm) == 0
    assert offers_of(database, firm, request_id) == []


def test_hours_that_shrank_while_the_page_was_open_are_shown_again_before_a_yes(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    with database.read() as session:
        shown = judge_request(session, firm.id, partner_request(session, firm.id, request_id)).key
    with database.write() as session:
        offer_hours(session, firm.actor(Role.FOREMAN), firm.machine_id, FIRST_WEEK, 480)
    with pytest.raises(Conflict, match="Prüfe die Stunden"):
        yes(database, firm, request_id, shown=shown)


def test_hours_cannot_shrink_under_an_offer(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    yes(database, firm, request_id)
    with pytest.raises(RuleBroken, match="zugesagt"), database.write() as session:
        offer_hours(session, firm.actor(Role.FOREMAN), firm.machine_id, FIRST_WEEK, 480)


def test_an_answer_after_the_deadline_is_refused(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    with clock.frozen(later(days=3)), pytest.raises(Conflict, match="Die Frist ist vorbei"):
        yes(database, world["yilmaz"], request_id)


def test_an_answer_to_a_withdrawn_request_says_who_withdrew_it(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    yes(database, world["brandt"], request_id)
    with database.write() as session:
        withdraw_request(session, world["keller"].actor(), request_id)
    run_until_quiet(database)
    with pytest.raises(Conflict, match="Keller hat die Anfrage zurückgezogen"):
        yes(database, world["yilmaz"], request_id)
    assert held_min(database, world["brandt"]) == 0
    assert offers_of(database, world["brandt"], request_id)[0].state == "declined"


def test_a_withdrawal_that_crosses_an_answer_frees_the_hours_again(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    # both act before either message was delivered
    with database.write() as session:
        withdraw_request(session, world["keller"].actor(), request_id)
    with database.write() as session:
        answer_yes(session, firm.id, foreman(firm), request_id)
    assert held_min(database, firm) == 120 * 60
    run_until_quiet(database)
    assert held_min(database, firm) == 0
    assert offers_of(database, world["keller"], request_id) == []


def test_a_new_version_of_an_answer_replaces_the_first_one_on_both_sides(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    yes(database, firm, request_id)
    with database.write() as session:
        # the same hours again and less: possible only because old and new change hands together
        make_offer(session, firm.actor(Role.FOREMAN), request_id, [LineDraft(firm.machine_id, FIRST_WEEK, 600, None)])
    run_until_quiet(database)
    assert held_min(database, firm) == 600
    assert sorted(offer.state for offer in offers_of(database, firm, request_id)) == ["submitted", "superseded"]
    assert sorted(offer.state for offer in offers_of(database, world["keller"], request_id)) == [
        "submitted",
        "superseded",
    ]


def test_a_refused_new_version_leaves_the_first_one_held(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    yes(database, firm, request_id)
    with pytest.raises(RuleBroken, match="frei"), database.write() as session:
        make_offer(session, firm.actor(Role.FOREMAN), request_id, [LineDraft(firm.machine_id, FIRST_WEEK, 3000, None)])
    assert held_min(database, firm) == 120 * 60
    assert [offer.state for offer in offers_of(database, firm, request_id)] == ["submitted"]


def test_a_yes_is_undone_within_ten_minutes_and_not_later(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    yes(database, firm, request_id)
    with database.write() as session:
        undo_answer(session, firm.id, foreman(firm), request_id)
    run_until_quiet(database)
    assert held_min(database, firm) == 0
    assert [offer.state for offer in offers_of(database, world["keller"], request_id)] == ["withdrawn"]
    yes(database, firm, request_id)
    with clock.frozen(later(minutes=11)), pytest.raises(Conflict, match="zehn Minuten"), database.write() as session:
        undo_answer(session, firm.id, foreman(firm), request_id)
    assert held_min(database, firm) == 120 * 60


def test_an_answer_undone_before_it_left_is_never_sent(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    with database.write() as session:
        answer_yes(session, firm.id, foreman(firm), request_id)
    with database.write() as session:
        undo_answer(session, firm.id, foreman(firm), request_id)
    run_until_quiet(database)
    assert messages_out(database, firm) == []
    assert offers_of(database, world["keller"], request_id) == []


def test_an_offer_can_be_taken_back_until_it_is_chosen(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    offer_id = yes(database, firm, request_id)
    with clock.frozen(later(hours=2)), database.write() as session:
        withdraw_offer(session, firm.actor(Role.FOREMAN), offer_id)
    assert held_min(database, firm) == 0
    offer_id = yes(database, firm, request_id)
    with database.write() as session:
        select_offer(session, world["keller"].id, offer_id, True, later(days=3))
    run_until_quiet(database)
    with pytest.raises(Conflict), database.write() as session:
        withdraw_offer(session, firm.actor(Role.FOREMAN), offer_id)
    assert held_min(database, firm) == 120 * 60


def test_a_no_after_a_yes_takes_the_yes_back(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    yes(database, firm, request_id)
    with database.write() as session:
        answer_no(session, firm.id, foreman(firm), request_id)
    run_until_quiet(database)
    assert held_min(database, firm) == 0
    assert [offer.state for offer in offers_of(database, world["keller"], request_id)] == ["withdrawn"]
    assert messages_out(database, firm, "offer.withdrawn")[0].body["reason"] == "undone"


def test_a_colleagues_no_or_undo_never_takes_a_yes_back(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    yes(database, firm, request_id)
    with database.write() as session, pytest.raises(Conflict, match="schon jemand Ja gesagt"):
        answer_no(session, firm.id, firm.people[Role.MANAGER], request_id)
    with database.write() as session, pytest.raises(Conflict, match="jemand anders"):
        undo_answer(session, firm.id, firm.people[Role.MANAGER], request_id)
    assert held_min(database, firm) == 120 * 60


def test_an_undo_after_a_colleagues_newer_answer_leaves_that_one(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    yes(database, firm, request_id)
    with database.write() as session:
        line = LineDraft(firm.machine_id, FIRST_WEEK, 600, 9500)
        make_offer(session, firm.actor(), request_id, [line])
    with database.write() as session, pytest.raises(Conflict, match="jemand anders"):
        undo_answer(session, firm.id, foreman(firm), request_id)
    assert held_min(database, firm) == 600


def test_offers_expire_on_both_sides_and_the_hours_come_free(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    yes(database, world["yilmaz"], request_id)
    with clock.frozen(later(days=8)):
        with database.write() as session:
            expire_offers(session, clock.now())
        run_until_quiet(database)
    assert held_min(database, world["yilmaz"]) == 0
    assert [offer.state for offer in offers_of(database, world["keller"], request_id)] == ["expired"]
    assert [offer.state for offer in offers_of(database, world["yilmaz"], request_id)] == ["expired"]


def test_chosen_hours_stay_held_until_the_agreement_and_come_free_when_it_lapses(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    offer_id = yes(database, firm, request_id)
    until = later(days=5)
    with database.write() as session:
        select_offer(session, world["keller"].id, offer_id, False, until)
    run_until_quiet(database)
    with database.read() as session:
        holds = session.scalars(sa.select(Hold).where(Hold.firm_id == firm.id, Hold.state == "held")).all()
        assert {hold.valid_until for hold in holds} == {until}
    assert offers_of(database, firm, request_id)[0].state == "partly_selected"
    with database.write() as session:
        release_selection(session, firm.id, offer_id)
    assert held_min(database, firm) == 0


def test_who_is_not_chosen_learns_no_price_and_no_rank(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    offer_id = yes(database, world["brandt"], request_id)
    with database.write() as session:
        decline_offer(session, world["keller"].id, offer_id)
    run_until_quiet(database)
    assert messages_out(database, world["keller"], "offer.declined")[0].body == {"offer_id": offer_id}
    assert offers_of(database, world["brandt"], request_id)[0].state == "declined"
    assert held_min(database, world["brandt"]) == 0


def test_a_change_of_weeks_drops_answers_that_no_longer_fit_and_keeps_the_others(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    yilmaz, brandt = world["yilmaz"], world["brandt"]
    with database.write() as session:
        make_offer(
            session, yilmaz.actor(Role.FOREMAN), request_id, [LineDraft(yilmaz.machine_id, FIRST_WEEK, 600, None)]
        )
    yes(database, brandt, request_id)
    with database.write() as session:
        row = session.get_one(WorkRequest, (world["keller"].id, request_id))
        assert row.reply_by is not None
        told = Change(row.need_min, FIRST_WEEK, "2026-W51", None, row.reply_by, "kürzer", "")
        change_request(session, world["keller"].actor(), request_id, told)
    run_until_quiet(database)
    states = {offer.partner_id: offer.state for offer in offers_of(database, world["keller"], request_id)}
    assert states == {yilmaz.id: "submitted", brandt.id: "withdrawn"}
    assert held_min(database, brandt) == 0
    assert len(alerts_of(database, brandt, "request")) == 2
    assert [alert.person_id for alert in alerts_of(database, brandt, "answer_dropped")] == [foreman(brandt)]
    assert len(alerts_of(database, yilmaz, "request")) == 1
    assert [alert.values for alert in alerts_of(database, yilmaz, "request_changed")] == [{"name": "Keller"}]
    row = request_row(database, brandt, request_id)
    assert row is not None
    assert (row.version, row.last_week, row.note) == (2, "2026-W51", "kürzer")


def test_where_one_partner_does_it_all_only_firms_with_all_the_hours_are_asked(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, replace(NEED, need_min=130 * 60), allow_part=False)
    rung = {
        key for key in ("yilmaz", "brandt", "nowak", "lindner", "vogt") if alerts_of(database, world[key], "request")
    }
    assert rung == {"brandt", "nowak"}
    brandt, part = world["brandt"], [LineDraft(world["brandt"].machine_id, FIRST_WEEK, 600, None)]
    with pytest.raises(RuleBroken, match="Ein Teil reicht hier nicht"), database.write() as session:
        make_offer(session, brandt.actor(Role.FOREMAN), request_id, part)
    yes(database, brandt, request_id)
    yes(database, world["nowak"], request_id)
    with database.read() as session:
        row = session.get_one(WorkRequest, (world["keller"].id, request_id))
        coverage = coverage_of(session, world["keller"].id, row)
        plans = build_plans(plan_input_of(session, world["keller"].id, row))
    assert (coverage.need_min, coverage.offered_min, len(coverage.offers)) == (130 * 60, 130 * 60, 2)
    assert {(one.plan.partner_count, one.plan.covered_min, one.plan.missing_min) for one in plans} == {(1, 130 * 60, 0)}


def test_a_new_version_that_no_longer_fits_settles_the_old_message(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    with database.write() as session:
        row = session.get_one(WorkRequest, (world["keller"].id, request_id))
        assert row.reply_by is not None
        told = Change(row.need_min, "2027-W10", "2027-W11", None, row.reply_by, "", "")
        change_request(session, world["keller"].actor(), request_id, told)
    run_until_quiet(database)
    assert [alert.cancelled_at is None for alert in alerts_of(database, firm, "request")] == [False]


def test_a_yes_to_an_older_version_is_refused(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    with pytest.raises(Conflict, match="hat die Anfrage geändert"):
        yes(database, world["yilmaz"], request_id, by_token=True, version=7)


def test_without_a_rate_card_the_manager_is_asked_and_only_the_manager_can_answer(database: Database) -> None:
    world = people_of_the_story(database)
    firm = world["yilmaz"]
    with database.write() as session:
        session.execute(sa.delete(RateCard).where(RateCard.firm_id == firm.id))
    request_id = ask(database, world)
    assert [alert.person_id for alert in alerts_of(database, firm, "request")] == [firm.people[Role.MANAGER]]
    with pytest.raises(RuleBroken, match="Stundensatz"):
        yes(database, firm, request_id)
    with database.write() as session:
        make_offer(session, firm.actor(), request_id, [LineDraft(firm.machine_id, FIRST_WEEK, 600, 8800)])
    run_until_quiet(database)
    assert [offer.partner_id for offer in offers_of(database, world["keller"], request_id)] == [firm.id]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (("2026-W47", 600), "passt nicht zur Anfrage"),
        (("2027-W05", 600), "passt nicht zur Anfrage"),
        (("2026-W49", 610), "Viertelstunden"),
        (("2026-W49", 0), "Viertelstunden"),
        (("2026-W49", 60 * 170), "So viele Stunden hat eine KW nicht"),
    ],
)
def test_a_line_that_cannot_be_offered_is_refused_in_plain_words(
    sqlite_database: Database, line: tuple[str, int], text: str
) -> None:
    world = people_of_the_story(sqlite_database)
    request_id = ask(sqlite_database, world)
    firm = world["yilmaz"]
    with pytest.raises(RuleBroken, match=text), sqlite_database.write() as session:
        make_offer(session, firm.actor(Role.FOREMAN), request_id, [LineDraft(firm.machine_id, *line, None)])
    assert offers_of(sqlite_database, firm, request_id) == []


def test_a_machine_of_another_firm_cannot_be_offered(sqlite_database: Database) -> None:
    world = people_of_the_story(sqlite_database)
    request_id = ask(sqlite_database, world)
    firm, foreign = world["yilmaz"], world["brandt"].machine_id
    with pytest.raises(RuleBroken, match="nicht bereit"), sqlite_database.write() as session:
        make_offer(session, firm.actor(Role.FOREMAN), request_id, [LineDraft(foreign, FIRST_WEEK, 600, 9500)])


def test_a_firm_that_was_not_asked_finds_no_request(sqlite_database: Database) -> None:
    world = people_of_the_story(sqlite_database)
    request_id = ask(sqlite_database, world, partners=("yilmaz",))
    with pytest.raises(NotFound):
        yes(sqlite_database, world["nowak"], request_id)
    with pytest.raises(NotFound):
        yes(sqlite_database, world["keller"], request_id)


def test_a_know_how_request_is_answered_with_hours_weeks_and_machine(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, KNOW_HOW, ("yilmaz",), RequestKind.KNOW_HOW)
    firm = world["yilmaz"]
    assert len(alerts_of(database, firm, "know_how")) == 1
    with database.write() as session:
        make_offer(session, firm.actor(Role.FOREMAN), request_id, [LineDraft(firm.machine_id, "2026-W50", 300, None)])
    run_until_quiet(database)
    offers = offers_of(database, world["keller"], request_id)
    assert [(offer.answer, offer.state) for offer in offers] == [("yes", "submitted")]


def test_the_list_shows_what_waits_by_deadline_and_the_tab_counts_it(database: Database) -> None:
    world = people_of_the_story(database)
    slow = ask(database, world, partners=("yilmaz",), reply_by=later(days=4))
    quick = ask(database, world, partners=("yilmaz",), reply_by=later(days=1))
    firm = world["yilmaz"]
    with database.read() as session:
        assert [row.id for row in inbox(session, firm.id, clock.now())] == [quick, slow]
        assert waiting_count(session, firm.id, clock.now()) == 2
    yes(database, firm, quick)
    with database.read() as session:
        assert waiting_count(session, firm.id, clock.now()) == 1
        assert waiting_count(session, world["brandt"].id, clock.now()) == 0


def test_an_offer_is_sent_once_even_if_the_reaction_runs_again(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    firm = world["yilmaz"]
    offer_id = yes(database, firm, request_id)
    with database.write() as session:
        send_offer(session, OfferMade(firm.id, offer_id))
    run_until_quiet(database)
    assert len(messages_out(database, firm, "offer.made")) == 1
    with database.read() as session:
        view = own_offer(session, firm.id, request_id)
        assert view is not None
        assert view.total_min == 120 * 60


def test_the_spread_over_two_machines_prefers_those_with_a_rate(database: Database) -> None:
    world = people_of_the_story(database)
    firm = world["yilmaz"]
    with database.write() as session:
        second = add_machine(session, firm, "M2", rate_cents=None)
        offer_hours(session, firm.actor(Role.FOREMAN), second, FIRST_WEEK, 2400)
    request_id = ask(database, world, partners=("yilmaz",))
    with database.read() as session:
        judgement = judge_request(session, firm.id, partner_request(session, firm.id, request_id))
        assert {line.machine_id for line in judgement.lines} == {firm.machine_id}
        assert judgement.has_rates
        assert session.scalar(sa.select(sa.func.count()).select_from(CapacityWindow)) is not None
    assert LAST_WEEK
