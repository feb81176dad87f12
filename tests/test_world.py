"""The named world stands on both databases."""

import pytest
import sqlalchemy as sa

from app.capacity.models import CapacityWindow
from app.core.db import Base, Database
from app.machines.models import Machine
from app.machines.rules import restore_values
from app.packs.queries import load_pack
from app.partners.queries import active_partners
from tests.agreements.world import Deal, drafted, make_deal, signed_by_both
from tests.remembered import MEMORY, bare_rows, done_once, put_back, rows_of
from tests.world import make_world


def test_keller_has_five_partners_with_580_free_hours_and_they_do_not_know_each_other(database: Database) -> None:
    with database.write() as session:
        world = make_world(session)
    with database.read() as session:
        partners = active_partners(session, world["keller"].id)
        free_min = session.scalar(
            sa.select(sa.func.sum(CapacityWindow.actual_min)).where(CapacityWindow.firm_id != world["keller"].id)
        )
        assert len(partners) == 5
        assert free_min == 580 * 60
        assert [p.name for p in active_partners(session, world["yilmaz"].id)] == ["Keller Metallbau"]


def test_its_machines_say_what_the_pack_asks_of_their_type(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        world = make_world(session)
    with sqlite_database.read() as session:
        machine = session.get_one(Machine, (world["yilmaz"].id, world["yilmaz"].machine_id))
        kind = load_pack().machine_type(machine.type_key)
        assert set(machine.parameters) == {key for key, asked in kind.parameters.items() if asked.is_hard}
        assert restore_values(machine.parameters)["simultaneous"] == frozenset({"3+2", "5"})


def test_a_world_that_is_put_back_is_the_one_that_was_made(database: Database) -> None:
    make_deal(database)
    with database.write() as session:
        made, kept = bare_rows(session), rows_of(session)
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(sa.delete(table))
        put_back(session, kept)
        assert bare_rows(session) == made
        assert len(made) > 100


def test_a_deed_that_is_put_back_leaves_the_rows_that_doing_it_left(database: Database) -> None:
    deal = make_deal(database)
    with database.read() as session:
        begin = rows_of(session)
    ids, done = drafted_and_signed(database, deal)
    with database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(sa.delete(table))
        put_back(session, begin)
    assert drafted_and_signed(database, deal) == (ids, done)


def test_a_deed_is_done_again_where_anything_is_different(sqlite_database: Database) -> None:
    deal, told = make_deal(sqlite_database), []

    def tell() -> int:
        told.append("done")
        return len(told)

    assert [done_once(sqlite_database, "tell", tell) for _ in range(2)] == [1, 1]
    assert done_once(sqlite_database, "tell others", tell) == 2
    with sqlite_database.write() as session:
        session.execute(sa.update(Machine).where(Machine.firm_id == deal.firms["yilmaz"].id).values(name="F6"))
    assert done_once(sqlite_database, "tell", tell) == 3


def test_a_house_that_a_test_bends_has_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not MEMORY.is_open


def drafted_and_signed(database: Database, deal: Deal) -> tuple[list[str], list[str]]:
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids)
    with database.read() as session:
        return ids, bare_rows(session)
