"""Who stands in for whom, who limits whom, and what people keep for themselves."""

import dataclasses

import pytest

from app.agreements.queries import limit_of
from app.core.db import Database
from app.core.errors import RuleBroken
from app.firms.access import Actor, Role
from app.firms.actions import add_person
from app.firms.people import Settings, change_settings, set_absence, set_limit
from app.firms.queries import people_with_roles, person_for
from tests.world import TestFirm, make_world


@pytest.fixture
def keller(database: Database) -> TestFirm:
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz"))["keller"]


def second_manager(database: Database, keller: TestFirm, name: str = "Petra", limit_cents: int | None = None) -> Actor:
    with database.write() as session:
        person = add_person(session, keller.id, name, [Role.MANAGER], email=f"{name}@keller.de")
        person.spending_limit_cents = limit_cents
    return dataclasses.replace(keller.actor(), person_id=person.id, name=name)


def test_a_deputy_holds_the_same_role(database: Database, keller: TestFirm) -> None:
    boss = keller.actor()
    with pytest.raises(RuleBroken, match="dieselbe Rolle"), database.write() as session:
        set_absence(session, boss, boss.person_id, keller.people[Role.WORKER], True)
    petra = second_manager(database, keller)
    with database.write() as session:
        set_absence(session, boss, boss.person_id, petra.person_id, True)
        assert [row.name for row in people_with_roles(session, keller.id) if row.is_absent] == ["Keller Manager"]


def test_an_absent_worker_lends_no_limit(database: Database, keller: TestFirm) -> None:
    petra = second_manager(database, keller, limit_cents=500_00)
    with database.write() as session:
        set_absence(session, petra, keller.people[Role.WORKER], petra.person_id, True)
        assert limit_of(session, petra) == 500_00


def test_nobody_takes_the_limit_of_an_absent_manager(database: Database, keller: TestFirm) -> None:
    boss, petra = keller.actor().person_id, second_manager(database, keller, limit_cents=500_00)
    with pytest.raises(RuleBroken, match="nicht selbst"), database.write() as session:
        set_absence(session, petra, boss, petra.person_id, True)
    with pytest.raises(RuleBroken, match="nicht selbst"), database.write() as session:
        set_absence(session, petra, boss, petra.person_id, False)
    friend = second_manager(database, keller, "Paul", limit_cents=500_00)
    with pytest.raises(RuleBroken, match="höherer Grenze"), database.write() as session:
        set_absence(session, petra, boss, friend.person_id, True)
    with database.read() as session:
        assert limit_of(session, petra) == limit_of(session, friend) == 500_00


def test_the_deputy_that_a_manager_chose_steps_in_when_a_third_one_says_so(
    database: Database, keller: TestFirm
) -> None:
    boss, petra = keller.actor(), second_manager(database, keller, limit_cents=500_00)
    paul = second_manager(database, keller, "Paul", limit_cents=500_00)
    with database.write() as session:
        set_absence(session, boss, boss.person_id, petra.person_id, False)
    with pytest.raises(RuleBroken, match="nicht selbst"), database.write() as session:
        set_absence(session, petra, boss.person_id, petra.person_id, True)
    with database.write() as session:
        set_absence(session, paul, boss.person_id, petra.person_id, True)
        assert limit_of(session, petra) is None
        set_absence(session, petra, boss.person_id, petra.person_id, False)
        assert limit_of(session, petra) == 500_00


def test_a_steward_sets_no_absence_of_a_manager(database: Database, keller: TestFirm) -> None:
    petra = second_manager(database, keller)
    steward = dataclasses.replace(petra, person_id=keller.people[Role.FOREMAN], roles=frozenset({Role.STEWARD}))
    with pytest.raises(RuleBroken, match="nur eine Leitung"), database.write() as session:
        set_absence(session, steward, keller.actor().person_id, petra.person_id, True)
    with database.write() as session:
        set_absence(session, steward, keller.people[Role.WORKER], petra.person_id, True)


def test_nobody_lifts_the_own_limit_or_one_above_it(database: Database, keller: TestFirm) -> None:
    boss, petra = keller.actor(), second_manager(database, keller)
    paul = second_manager(database, keller, "Paul")
    with database.write() as session:
        set_limit(session, boss, petra.person_id, 500_00)
        set_limit(session, boss, paul.person_id, 100_00)
    with pytest.raises(RuleBroken, match="eigene Grenze"), database.write() as session:
        set_limit(session, petra, petra.person_id, None)
    for other, cents in ((paul, None), (paul, 500_01), (boss, 100_00)):
        with pytest.raises(RuleBroken, match="höherer Grenze"), database.write() as session:
            set_limit(session, petra, other.person_id, cents)
    with database.write() as session:
        set_limit(session, petra, paul.person_id, 500_00)
        assert person_for(session, keller.id, paul.person_id).spending_limit_cents == 500_00


def test_a_limit_of_nothing_is_refused_because_the_ledger_reads_it_as_none(
    database: Database, keller: TestFirm
) -> None:
    petra = second_manager(database, keller)
    with pytest.raises(RuleBroken, match="mehr als 0"), database.write() as session:
        set_limit(session, keller.actor(), petra.person_id, 0)


def test_one_manager_stays_without_limit(database: Database, keller: TestFirm) -> None:
    boss = keller.actor()
    with pytest.raises(RuleBroken, match="ohne Grenze"), database.write() as session:
        set_limit(session, boss, boss.person_id, 500_00)


def test_a_manager_needs_an_email(database: Database, keller: TestFirm) -> None:
    with pytest.raises(RuleBroken, match="E-Mail"), database.write() as session:
        change_settings(session, keller.actor(), Settings("", "", 18, 6, True))
