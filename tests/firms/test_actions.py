"""Firms begin, correct themselves, and always keep a manager."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Role
from app.firms.actions import (
    FirmFacts,
    add_person,
    change_firm,
    create_firm,
    end_membership,
    note_event,
    note_views,
    set_roles,
)  # fmt: skip
from app.firms.models import AuditEvent, Firm
from app.firms.queries import people, person_for, roles_of, sites
from tests.world import make_world

FACTS = FirmFacts(
    "Keller Metallbau GmbH", "Keller", "GmbH", "Jena", "HRB 500123", "DE136695976", "Werkstraße 1", "98693", "Ilmenau"
)


def test_two_firms_of_one_name_get_two_addresses(database: Database) -> None:
    with database.write() as session:
        first, second = create_firm(session, FACTS, "node"), create_firm(session, FACTS, "node")
        assert (first.address, second.address) == ("keller@node", "keller-2@node")
        assert [site.postcode for site in sites(session, first.id)] == ["98693"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("postcode", "00000"), ("vat_id", "DE1"), ("register_no", "HRB"), ("short_name", "Keller Metallbau")],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(database: Database, field: str, value: str) -> None:
    with pytest.raises(RuleBroken) as broken, database.write() as session:
        create_firm(session, dataclasses.replace(FACTS, **{field: value}), "node")
    assert broken.value.field == field
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Firm)) == 0


def test_the_last_manager_stays(database: Database) -> None:
    with database.write() as session:
        keller = make_world(session, ("keller", "yilmaz"))["keller"]
    boss = keller.actor()
    with pytest.raises(RuleBroken, match="braucht eine Leitung"), database.write() as session:
        end_membership(session, boss, boss.person_id)
    with pytest.raises(RuleBroken, match="braucht eine Leitung"), database.write() as session:
        set_roles(session, boss, boss.person_id, [Role.WORKER])
    with database.write() as session:
        second = add_person(session, keller.id, "Petra", [Role.MANAGER])
        end_membership(session, boss, second.id)
        assert [person.id for person in people(session, keller.id, Role.MANAGER)] == [boss.person_id]


def test_nobody_reaches_into_another_firm(database: Database) -> None:
    with database.write() as session:
        world = make_world(session, ("keller", "yilmaz"))
    stranger = world["yilmaz"].people[Role.WORKER]
    with database.write() as session:
        for act in (set_roles, lambda s, a, p, _r: end_membership(s, a, p)):
            with pytest.raises(NotFound):
                act(session, world["keller"].actor(), stranger, [Role.FOREMAN])
        with pytest.raises(NotFound):
            person_for(session, world["keller"].id, stranger)
        assert roles_of(session, world["yilmaz"].id, stranger) == {Role.WORKER}


def test_a_foreman_cannot_make_a_manager(database: Database) -> None:
    with database.write() as session:
        keller = make_world(session, ("keller",))["keller"]
    with pytest.raises(RuleBroken, match="nur eine Leitung"), database.write() as session:
        set_roles(session, keller.actor(Role.FOREMAN), keller.people[Role.WORKER], [Role.WORKER, Role.MANAGER])


def test_a_correction_changes_the_firm_and_its_version(database: Database) -> None:
    with database.write() as session:
        keller = make_world(session, ("keller", "yilmaz"))["keller"]
    with database.write() as session:
        change_firm(session, keller.actor(), FACTS, False)
        firm = session.get_one(Firm, keller.id, populate_existing=True)
        assert (firm.name, firm.name_in_push, firm.version) == ("Keller Metallbau GmbH", False, 1)


def test_a_seen_price_is_noted_once_a_day_for_both_and_names_no_person_to_the_owner(database: Database) -> None:
    with database.write() as session:
        world = make_world(session, ("keller", "yilmaz", "brandt"))
    viewer, owner = world["keller"], world["yilmaz"]
    for _ in range(3):
        with database.read() as session:
            note_views(database, session, viewer.actor(), "offer", [(owner.id, "offer-1", 1)])
    with database.read() as session:
        rows = session.execute(sa.select(AuditEvent.firm_id, AuditEvent.verb, AuditEvent.person_id)).all()
    assert sorted(map(tuple, rows), key=str) == sorted(
        [(viewer.id, "saw", viewer.actor().person_id), (owner.id, "seen_by", None)], key=str
    )


def test_the_same_note_with_a_key_is_written_once(database: Database) -> None:
    with database.write() as session:
        keller = make_world(session, ("keller",))["keller"]
        for _ in range(2):
            note_event(session, keller.id, None, "firm_changed", once_key="k")
            session.flush()
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == 1


def test_two_first_views_at_the_same_moment_are_noted_once_and_both_pages_show(database: Database) -> None:
    with database.write() as session:
        world = make_world(session, ("keller", "yilmaz"))
    viewer, views = world["keller"].actor(), [(world["yilmaz"].id, "offer-1", 1)]
    with ThreadPoolExecutor(2) as pool, database.read() as one, database.read() as other:
        # both read before either writes
        one.execute(sa.select(AuditEvent.id)).all()
        other.execute(sa.select(AuditEvent.id)).all()
        list(pool.map(lambda reading: note_views(database, reading, viewer, "offer", views), (one, other)))
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == 2


def test_who_makes_a_manager_gives_away_no_more_than_the_own_limit(database: Database) -> None:
    with database.write() as session:
        keller = make_world(session, ("keller",))["keller"]
        limited = add_person(session, keller.id, "Petra", [Role.MANAGER], email="petra@keller.de")
        limited.spending_limit_cents = 500_00
    petra = dataclasses.replace(keller.actor(), person_id=limited.id)
    with database.write() as session:
        set_roles(session, petra, keller.people[Role.WORKER], [Role.MANAGER])
        assert person_for(session, keller.id, keller.people[Role.WORKER]).spending_limit_cents == 500_00
    with pytest.raises(RuleBroken, match="ohne Grenze"), database.write() as session:
        end_membership(session, petra, keller.actor().person_id)


def test_a_new_manager_needs_an_email(database: Database) -> None:
    with database.write() as session:
        keller = make_world(session, ("keller",))["keller"]
        paul = add_person(session, keller.id, "Paul", [Role.FOREMAN])
    with pytest.raises(RuleBroken, match="E-Mail"), database.write() as session:
        set_roles(session, keller.actor(), paul.id, [Role.MANAGER])
    with database.write() as session:
        set_roles(session, keller.actor(), paul.id, [Role.MANAGER], "paul@keller.de")
        assert person_for(session, keller.id, paul.id).email == "paul@keller.de"
