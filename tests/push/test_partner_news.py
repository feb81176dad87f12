"""Managers hear what becomes of a partnership; nobody else does."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.events import MessageParked, PartnershipBegun, PartnershipBroken
from app.core.outbox import emit
from app.firms.access import Role
from app.firms.models import Firm
from app.push.models import Alert
from app.worker import run_until_quiet
from tests.conftest import MONDAY
from tests.world import TestFirm, make_world


def test_managers_hear_of_a_new_partner_of_an_end_and_of_a_message_that_does_not_arrive(database: Database) -> None:
    with database.write() as session:
        firms = make_world(session, ("keller", "yilmaz", "brandt"))
        keller, yilmaz = firms["keller"], firms["yilmaz"]
        emit(session, PartnershipBegun(keller.id, yilmaz.id))
        emit(session, PartnershipBroken(keller.id, yilmaz.id))
        emit(session, MessageParked(keller.id, "m-1", yilmaz.id, MONDAY.isoformat()))
    run_until_quiet(database)
    with database.read() as session:
        assert kinds_told(session, keller, Role.MANAGER) == ["message_stuck", "partner_end", "partner_new"]
        assert kinds_told(session, keller, Role.FOREMAN) == []
        assert kinds_told(session, firms["brandt"], Role.MANAGER) == []


def test_who_was_invited_signed_last_and_needs_no_alert(database: Database) -> None:
    with database.write() as session:
        firms = make_world(session, ("keller", "yilmaz", "brandt"))
        emit(session, PartnershipBegun(firms["yilmaz"].id, firms["keller"].id))
    run_until_quiet(database)
    with database.read() as session:
        assert kinds_told(session, firms["yilmaz"], Role.MANAGER) == []


def test_a_firm_that_wants_no_names_on_the_lock_screen_gets_none(database: Database) -> None:
    with database.write() as session:
        firms = make_world(session, ("keller", "yilmaz", "brandt"))
        session.get_one(Firm, firms["keller"].id).name_in_push = False
        emit(session, PartnershipBroken(firms["keller"].id, firms["yilmaz"].id))
    run_until_quiet(database)
    with database.read() as session:
        assert session.scalars(sa.select(Alert.values)).all() == [{"name": ""}]


def kinds_told(session: Session, firm: TestFirm, role: Role) -> list[str]:
    mine = (Alert.firm_id == firm.id, Alert.person_id == firm.people[role])
    return sorted(session.scalars(sa.select(Alert.kind).where(*mine)))
