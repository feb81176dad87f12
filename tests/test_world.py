"""The named world stands on both databases."""

import sqlalchemy as sa

from app.capacity.models import CapacityWindow
from app.core.db import Database
from app.partners.queries import active_partners
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
