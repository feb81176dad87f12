"""One manager tightens the two-person rule; two are needed to loosen it."""

import dataclasses

import pytest

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor, Role
from app.firms.actions import add_person, end_membership
from app.firms.models import Firm
from app.firms.two_person import approve_rule_change, open_rule_change, set_two_person_rule
from tests.world import TestFirm, make_world


@pytest.fixture
def keller(database: Database) -> TestFirm:
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz"))["keller"]


@pytest.fixture
def petra(database: Database, keller: TestFirm) -> Actor:
    with database.write() as session:
        person = add_person(session, keller.id, "Petra", [Role.MANAGER])
    return dataclasses.replace(keller.actor(), person_id=person.id)


def rule_of(database: Database, keller: TestFirm) -> int | None:
    with database.read() as session:
        return session.get_one(Firm, keller.id).two_person_above_cents


def ask(database: Database, actor: Actor, above_cents: int | None) -> str:
    """Ask for a wider rule; the id of what waits then."""
    with database.write() as session:
        assert not set_two_person_rule(session, actor, above_cents)
        change = open_rule_change(session, actor.firm_id)
        assert change is not None
        return change.id


def test_two_managers_are_needed_before_two_must_sign(database: Database, keller: TestFirm) -> None:
    with pytest.raises(RuleBroken, match="zwei Leitungen"), database.write() as session:
        set_two_person_rule(session, keller.actor(), 1_000_00)


def test_one_manager_tightens_the_rule_at_once(database: Database, keller: TestFirm, petra: Actor) -> None:
    for cents in (1_000_00, 500_00):
        with database.write() as session:
            assert set_two_person_rule(session, petra, cents)
        assert rule_of(database, keller) == cents


@pytest.mark.parametrize("wider", [None, 1_000_01])
def test_a_wider_rule_waits_for_the_other_manager(
    database: Database, keller: TestFirm, petra: Actor, wider: int | None
) -> None:
    with database.write() as session:
        set_two_person_rule(session, petra, 1_000_00)
    change = ask(database, petra, wider)
    assert rule_of(database, keller) == 1_000_00
    with pytest.raises(RuleBroken, match="andere Leitung"), database.write() as session:
        approve_rule_change(session, petra, change)
    with database.write() as session:
        approve_rule_change(session, keller.actor(), change)
    assert rule_of(database, keller) == wider
    with pytest.raises(NotFound), database.write() as session:
        approve_rule_change(session, keller.actor(), change)


def test_a_new_wish_replaces_the_one_that_waits(database: Database, keller: TestFirm, petra: Actor) -> None:
    with database.write() as session:
        set_two_person_rule(session, petra, 1_000_00)
    first = ask(database, petra, None)
    ask(database, petra, 2_000_00)
    with pytest.raises(NotFound), database.write() as session:
        approve_rule_change(session, keller.actor(), first)
    with database.write() as session:
        set_two_person_rule(session, petra, 1_000_00)
        assert open_rule_change(session, keller.id) is None


def test_under_the_rule_nobody_gets_rid_of_the_second_manager(
    database: Database, keller: TestFirm, petra: Actor
) -> None:
    with database.write() as session:
        set_two_person_rule(session, petra, 1_000_00)
    with pytest.raises(RuleBroken, match="zwei Leitungen"), database.write() as session:
        end_membership(session, petra, keller.actor().person_id)
    with database.write() as session:
        set_two_person_rule(session, petra, 500_00)
    change = ask(database, petra, None)
    with database.write() as session:
        approve_rule_change(session, keller.actor(), change)
        end_membership(session, petra, keller.actor().person_id)
