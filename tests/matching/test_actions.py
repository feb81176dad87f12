"""Matching happens in the receiver's house, keeps its reasons there, and makes no noise without a fit."""

from dataclasses import replace

import sqlalchemy as sa

from app.core.db import Database
from app.core.events import RequestReceived
from app.machines.models import Machine
from app.matching.actions import match_request
from app.matching.models import MatchProposal, MatchVerdict
from app.matching.queries import judge_request, stored_lines, stored_verdicts
from app.requests.queries import partner_request, receipt_of
from app.worker import run_until_quiet
from tests.requests.story import NEED, alerts_of, ask, messages_out, people_of_the_story
from tests.world import add_machine, has_number


def test_a_misfit_keeps_its_reason_in_the_house_and_rings_nowhere(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, replace(NEED, process_key="injection_moulding"), ("yilmaz",))
    yilmaz = world["yilmaz"]
    assert alerts_of(database, yilmaz) == []
    assert messages_out(database, yilmaz) == []
    with database.read() as session:
        assert stored_lines(session, yilmaz.id, request_id) == []
        receipt = receipt_of(session, yilmaz.id, request_id)
        assert receipt is not None
        assert receipt.announced_at is None


def test_reasons_are_kept_for_the_own_people(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, replace(NEED, needed_it=3), ("yilmaz",))
    with database.read() as session:
        verdicts = stored_verdicts(session, world["yilmaz"].id, request_id)
        assert [verdict.answer for verdict in verdicts] == ["no"]
        assert {key: verdicts[0].reasons[-1][key] for key in ("code", "ok")} == {"code": "tolerance", "ok": False}
        kept = session.scalars(sa.select(MatchVerdict.firm_id)).all()
        assert set(kept) == {world["yilmaz"].id}
    assert alerts_of(database, world["yilmaz"]) == []


def test_matching_the_same_request_again_keeps_one_set_of_rows(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    yilmaz = world["yilmaz"]
    with database.write() as session:
        match_request(session, RequestReceived(yilmaz.id, request_id))
    run_until_quiet(database)
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(MatchVerdict)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(MatchProposal)) == 9


def test_a_far_partner_outside_the_radius_is_not_bothered(database: Database) -> None:
    world = people_of_the_story(database)
    ask(database, world, partners=("yilmaz", "lindner"), radius_km=30)
    assert len(alerts_of(database, world["yilmaz"])) == 1
    assert alerts_of(database, world["lindner"]) == []


def test_looking_at_a_request_writes_nothing(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    yilmaz = world["yilmaz"]
    with database.write() as session:
        add_machine(session, yilmaz, "M2")
    with database.read() as session:
        judgement = judge_request(session, yilmaz.id, partner_request(session, yilmaz.id, request_id))
        assert len(judgement.verdict.machines) == 2
        assert not session.new
        assert not session.dirty
        assert len(stored_verdicts(session, yilmaz.id, request_id)) == 1


def test_the_message_says_hours_weeks_and_process_but_no_price_and_no_person(database: Database) -> None:
    world = people_of_the_story(database)
    ask(database, world, partners=("yilmaz",))
    values = alerts_of(database, world["yilmaz"])[0].values
    assert values["name"] == "Keller"
    assert (values["minutes"], values["first_week"], values["last_week"]) == (7200, "2026-W49", "2027-W04")
    assert values["process"] == {"de": "5-Achs-Fräsen", "en": "5-axis milling"}
    assert values["has_answer"] is True
    assert not has_number(str(values), "9500")
    assert "Petra" not in str(values)


def test_the_lead_time_of_a_machine_keeps_its_first_weeks_out_of_the_proposal(database: Database) -> None:
    world = people_of_the_story(database)
    yilmaz = world["yilmaz"]
    with database.write() as session:
        session.get_one(Machine, (yilmaz.id, yilmaz.machine_id)).lead_time_days = 28
    request_id = ask(database, world, partners=("yilmaz",))
    with database.read() as session:
        assert min(line.week for line in stored_lines(session, yilmaz.id, request_id)) == "2026-W51"
