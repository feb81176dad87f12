"""The named world stands on both databases."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.models import CapacityWindow
from app.core.db import Base, Database
from app.machines.models import Machine
from app.machines.rules import restore_values
from app.packs.queries import load_pack
from app.partners.queries import active_partners
from tests.agreements.world import make_deal
from tests.remembered import put_back, rows_of
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
        made, kept = _bare_rows(session), rows_of(session)
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(sa.delete(table))
        put_back(session, kept)
        assert _bare_rows(session) == made
        assert len(made) > 100


def _bare_rows(session: Session) -> list[str]:
    """As the database holds them: no type of a column makes two different values look alike."""
    names = [table.name for table in Base.metadata.sorted_tables]
    return sorted(f"{name} {row}" for name in names for row in session.execute(sa.text(f'SELECT * FROM "{name}"')))
