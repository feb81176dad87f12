"""Firms that play along: after three seconds, differently each round, and never for a person who is there."""

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.agreements.actions import draft_agreements
from app.agreements.models import Agreement
from app.core import clock
from app.core.db import Database
from app.core.holidays import holidays_near
from app.firms.access import Role
from app.offers.models import Offer
from app.offers.queries import received_offers
from app.partners.queries import active_partners
from app.plans.actions import choose_plan
from app.plans.models import Plan
from app.practice.bots import BOTS, Behaviour, due_answers, play_bots
from app.practice.people import acting, become, firm_by_short_name
from app.practice.signing import approve_document
from app.requests.actions import Details, publish_request, save_details, start_draft
from app.requests.drafts import RequirementDraft
from app.requests.rules import RequestKind, ShortageReason, default_reply_by
from tests.conftest import MONDAY
from tests.practice.visitors import Site

LATER = MONDAY + dt.timedelta(seconds=4)


@pytest.fixture
def database(site: Site) -> Iterator[Database]:
    player = site.player()
    with site.practice.app.test_request_context("/", base_url="http://localhost:8000/uebung"):
        yield site.database(player)


def _ask(database: Database, need_h: int = 320, kind: RequestKind = RequestKind.HOURS) -> str:
    need = RequirementDraft(
        "milling_5x", need_min=need_h * 60, first_week="2026-W49", last_week="2027-W04", part_count=10
    )
    with database.write() as session:
        petra = acting(session, firm_by_short_name(session, "Keller").id, Role.MANAGER)
        partners = tuple(one.partner_id for one in active_partners(session, petra.firm_id))
        told = Details(
            title="Gehäuse",
            shortage_reason=ShortageReason.CAPACITY,
            reply_by=default_reply_by(clock.now(), holidays_near(clock.today())),
            partner_ids=partners,
        )
        request_id = start_draft(session, petra, kind, need)
        save_details(session, petra, request_id, need, told)
        publish_request(session, petra, request_id)
    return request_id


def _offers(database: Database, request_id: str) -> dict[str, int]:
    with database.read() as session:
        keller = firm_by_short_name(session, "Keller")
        names = {firm_by_short_name(session, name).id: name for name in (*BOTS, "Yilmaz", "Kaminski", "Elsner")}
        return {
            names[view.offer.partner_id]: view.total_min // 60
            for view in received_offers(session, keller.id, request_id)
        }


def test_nobody_answers_before_three_seconds_have_passed(database: Database, site: Site) -> None:
    request_id = _ask(database)
    play_bots(database, site.practice.config)
    assert _offers(database, request_id) == {}
    with clock.frozen(MONDAY + dt.timedelta(seconds=2)):
        assert due_answers(database) == []
    with clock.frozen(MONDAY + dt.timedelta(seconds=3)):
        assert len(due_answers(database)) == 3


def test_the_four_bots_say_yes_part_no_and_nothing_and_change_places_each_round(database: Database, site: Site) -> None:
    rounds = []
    for number in range(4):
        with clock.frozen(MONDAY + dt.timedelta(minutes=number)):
            request_id = _ask(database, 16)
        with clock.frozen(MONDAY + dt.timedelta(minutes=number, seconds=4)):
            rounds.append({said for _firm, one, said in due_answers(database) if one == request_id})
            said = {firm: said for firm, one, said in due_answers(database) if one == request_id}
            assert len(said) == 3
            play_bots(database, site.practice.config)
            assert len(_offers(database, request_id)) == 2
    assert all(found == {Behaviour.YES, Behaviour.PART, Behaviour.NO} for found in rounds)


def test_a_plain_yes_offers_what_the_firm_has_free_and_a_part_about_half(database: Database, site: Site) -> None:
    request_id = _ask(database)
    with clock.frozen(LATER):
        play_bots(database, site.practice.config)
    free = {"Brandt": 160, "Nowak": 140, "Lindner": 100, "Vogt": 60}
    offered = _offers(database, request_id)
    assert len(offered) == 2
    shares = sorted(offered[name] / free[name] for name in offered)
    assert shares[1] == 1
    assert 0.4 <= shares[0] <= 0.5


def test_a_no_stays_in_the_house_of_the_bot(database: Database, site: Site) -> None:
    request_id = _ask(database)
    with clock.frozen(LATER):
        silent = next(firm for firm, _one, said in due_answers(database) if said is Behaviour.NO)
        play_bots(database, site.practice.config)
    with database.read() as session:
        count = sa.select(sa.func.count()).select_from(Offer).where(Offer.request_id == request_id)
        assert session.scalar(count.where(sa.or_(Offer.firm_id == silent, Offer.partner_id == silent))) == 0


def test_each_answer_is_given_once(database: Database, site: Site) -> None:
    request_id = _ask(database)
    with clock.frozen(LATER):
        play_bots(database, site.practice.config)
        before = _offers(database, request_id)
        assert due_answers(database) == []
        play_bots(database, site.practice.config)
    assert _offers(database, request_id) == before


def test_a_firm_that_somebody_plays_does_not_answer_by_itself(database: Database) -> None:
    with database.write() as session:
        nowak = acting(session, firm_by_short_name(session, "Nowak").id, Role.FOREMAN)
        become(session, nowak.firm_id, nowak.person_id)
    _ask(database)
    with clock.frozen(LATER):
        assert nowak.firm_id not in {firm for firm, _one, _said in due_answers(database)}


def test_bots_answer_who_can_do_this_with_a_day_of_work(database: Database, site: Site) -> None:
    request_id = _ask(database, 0, RequestKind.KNOW_HOW)
    with clock.frozen(LATER):
        play_bots(database, site.practice.config)
    assert set(_offers(database, request_id).values()) == {8}


def test_managers_of_bot_firms_sign_what_waits_for_them(database: Database, site: Site) -> None:
    request_id = _ask(database, 80)
    with clock.frozen(LATER):
        play_bots(database, site.practice.config)
        with database.write() as session:
            petra = acting(session, firm_by_short_name(session, "Keller").id, Role.MANAGER)
            plan = session.scalars(
                sa.select(Plan).where(Plan.request_id == request_id).order_by(Plan.cost_cents)
            ).first()
            assert plan is not None
            choose_plan(session, petra, plan.id, accepts_part=True)
            ids = draft_agreements(session, petra, plan.id)
        for agreement_id in ids:
            approve_document(database, site.practice.config, petra, "agreement", agreement_id)
        play_bots(database, site.practice.config)
        assert _states(database, ids) == {"signed_one"}
    with clock.frozen(LATER + dt.timedelta(seconds=4)):
        play_bots(database, site.practice.config)
    assert _states(database, ids) == {"in_force"}


def test_a_page_that_polls_is_enough_for_the_answers_to_arrive(site: Site) -> None:
    visitor = site.player()
    visitor.become("Keller", "manager")
    with site.practice.app.test_request_context("/", base_url="http://localhost:8000/uebung"):
        request_id = _ask(site.database(visitor))
    visitor.open(f"/uebung/suchen/{request_id}")
    assert "Noch keine Antwort" in visitor.words
    site.practice.tended.clear()
    with clock.frozen(LATER):
        visitor.open(f"/uebung/suchen/{request_id}/abdeckung?v=0", **{"HX-Request": "true"})
        assert "angekommen" in visitor.words
    assert len(_offers(site.database(visitor), request_id)) == 2


def _states(database: Database, ids: list[str]) -> set[str]:
    with database.read() as session:
        return set(session.scalars(sa.select(Agreement.state).where(Agreement.id.in_(ids))))
