"""Without consent nothing is answered, nothing is held and nobody is rung: ended, resting and blocked partnerships."""

import pytest
import sqlalchemy as sa

from app.capacity.actions import offer_hours
from app.core.db import Database
from app.core.errors import Conflict
from app.core.events import PartnershipBroken
from app.core.outbox import emit
from app.firms.access import Role
from app.offers.actions import answer_yes
from app.offers.queries import inbox, received_offers, waiting_count
from app.partners.actions import block_firm, pause_partnership, resume_partnership
from app.partners.models import Partnership
from app.worker import run_until_quiet
from tests.offers.test_story import held_min
from tests.requests.story import alerts_of, ask, foreman, later, offers_of, people_of_the_story, request_row
from tests.world import FIRST_WEEK, TestFirm


def end(database: Database, one: TestFirm, other: TestFirm) -> None:
    """What both houses do once the end is known there."""
    with database.write() as session:
        session.execute(
            sa.update(Partnership)
            .where(Partnership.firm_id.in_((one.id, other.id)), Partnership.partner_id.in_((one.id, other.id)))
            .values(state="ended")
        )
        emit(session, PartnershipBroken(one.id, other.id))
        emit(session, PartnershipBroken(other.id, one.id))
    run_until_quiet(database)


def answer(database: Database, firm: TestFirm, request_id: str) -> None:
    with database.write() as session:
        answer_yes(session, firm.id, foreman(firm), request_id)
    run_until_quiet(database)


def waiting(database: Database, firm: TestFirm) -> int:
    with database.read() as session:
        return waiting_count(session, firm.id, later())


def test_an_ended_partnership_ends_what_the_partner_asked_and_frees_what_we_held(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world)
    answer(database, world["yilmaz"], request_id)
    end(database, world["keller"], world["yilmaz"])
    assert request_row(database, world["yilmaz"], request_id).state == "cancelled"  # type: ignore[union-attr]
    assert request_row(database, world["brandt"], request_id).state == "open"  # type: ignore[union-attr]
    assert held_min(database, world["yilmaz"]) == 0
    with database.read() as session:
        assert received_offers(session, world["keller"].id, request_id) == []


def test_after_the_end_nobody_can_say_yes_and_freed_hours_ring_nobody(database: Database) -> None:
    world = people_of_the_story(database)
    request_id, firm = ask(database, world), world["yilmaz"]
    end(database, firm, world["keller"])
    with pytest.raises(Conflict, match="arbeitet ihr gerade nicht zusammen"):
        answer(database, firm, request_id)
    rung = len(alerts_of(database, firm, "request"))
    with database.write() as session:
        offer_hours(session, firm.actor(Role.FOREMAN), firm.machine_id, FIRST_WEEK, 4200)
    run_until_quiet(database)
    assert offers_of(database, firm, request_id) == []
    assert len(alerts_of(database, firm, "request")) == rung
    assert waiting(database, firm) == 0


def test_while_the_partnership_rests_the_request_waits_and_can_be_answered_afterwards(database: Database) -> None:
    world = people_of_the_story(database)
    request_id, firm = ask(database, world), world["yilmaz"]
    with database.write() as session:
        pause_partnership(session, firm.actor(), world["keller"].id)
    with pytest.raises(Conflict, match="Keller"):
        answer(database, firm, request_id)
    assert waiting(database, firm) == 0
    with database.write() as session:
        resume_partnership(session, firm.actor(), world["keller"].id)
    assert waiting(database, firm) == 1
    answer(database, firm, request_id)
    assert held_min(database, firm) == 120 * 60


def test_a_blocked_firms_request_waits_for_nobody(database: Database) -> None:
    world = people_of_the_story(database)
    request_id, firm = ask(database, world), world["yilmaz"]
    with database.write() as session:
        block_firm(session, firm.actor(), world["keller"].id)
    with pytest.raises(Conflict, match="arbeitet ihr gerade nicht zusammen"):
        answer(database, firm, request_id)
    with database.read() as session:
        assert [row.is_linked for row in inbox(session, firm.id, later(days=-1))] == [False]
    assert waiting(database, firm) == 0
