"""A certificate that ends soon is told once, to the managers of its own firm."""

import datetime as dt

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.firms.access import Role
from app.machines.actions import save_certificate, verify_certificate
from app.machines.expiry import warn_of_expiry
from app.push.models import Alert
from tests.conftest import MONDAY
from tests.machines.test_actions import certificate
from tests.world import TestFirm, make_world


@pytest.fixture
def firms(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session)


def test_managers_hear_sixty_days_before_and_only_once(database: Database, firms: dict[str, TestFirm]) -> None:
    yilmaz, end = firms["yilmaz"], MONDAY.date() + dt.timedelta(days=61)
    with database.write() as session:
        one = save_certificate(session, yilmaz.actor(), certificate(until=end))
        verify_certificate(session, yilmaz.actor(), one)
        save_certificate(session, firms["brandt"].actor(), certificate(until=end))  # nobody has verified it

    for day, told in ((0, []), (1, [yilmaz.people[Role.MANAGER]]), (2, [yilmaz.people[Role.MANAGER]])):
        with database.write() as session:
            warn_of_expiry(session, MONDAY + dt.timedelta(days=day))
            assert session.scalars(sa.select(Alert.person_id).where(Alert.kind == "certificate")).all() == told

    with database.write() as session:
        alert = session.scalars(sa.select(Alert)).one()
        assert (alert.url, alert.subject_id) == (f"/zertifikate/{one}", one)


def test_the_new_paper_is_warned_of_anew_and_an_expired_one_no_more(
    database: Database, firms: dict[str, TestFirm]
) -> None:
    actor, days = firms["yilmaz"].actor(), dt.timedelta(days=1)
    with database.write() as session:
        one = save_certificate(session, actor, certificate(until=MONDAY.date() + 30 * days))
        verify_certificate(session, actor, one)
        warn_of_expiry(session, MONDAY)
        save_certificate(session, actor, certificate(until=MONDAY.date() + 60 * days), one)
        verify_certificate(session, actor, one)
        warn_of_expiry(session, MONDAY + 61 * days)
        assert session.scalar(sa.select(sa.func.count()).select_from(Alert)) == 1
        warn_of_expiry(session, MONDAY)
        assert session.scalar(sa.select(sa.func.count()).select_from(Alert)) == 2
