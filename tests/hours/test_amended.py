"""Hours that were worked stay agreed: nobody cancels or lowers them away."""

import pytest

from app.agreements.actions import propose_cancellation, propose_change, signable_amendment
from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.firms.access import Role
from tests.hours.test_slips import check, dispute
from tests.hours.world import TUESDAY, begin_work


def test_what_is_checked_can_be_lowered_to_the_worked_hours_and_not_below(database: Database) -> None:
    work = begin_work(database)
    keller = work.person("keller", Role.MANAGER)
    with clock.frozen(TUESDAY):
        work.report(480)
        report_id = check(work)
        for who in ("keller", "yilmaz"):
            assert work.booking(who).counted_min == 480
            with database.write() as session, pytest.raises(RuleBroken, match="schon 8 Stunden"):
                propose_cancellation(session, work.person(who, Role.MANAGER), work.agreement_id, [1], "Doch nicht")
        with database.write() as session, pytest.raises(RuleBroken, match="schon 8 Stunden"):
            propose_change(session, keller, work.agreement_id, {1: 240}, "Weniger")
        with database.write() as session:
            assert propose_change(session, keller, work.agreement_id, {1: 480}, "Weniger").state == "frozen"
        dispute(work, report_id)
        assert work.booking("keller").counted_min == work.booking("yilmaz").counted_min == 0


def test_hours_checked_after_a_change_was_written_stop_its_signature(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    keller = work.person("keller", Role.MANAGER)
    with clock.frozen(TUESDAY):
        with sqlite_database.write() as session:
            amendment_id = propose_cancellation(session, keller, work.agreement_id, [1], "Doch nicht").id
        work.report(480)
        check(work)
        with sqlite_database.read() as session, pytest.raises(RuleBroken, match="schon 8 Stunden"):
            signable_amendment(session, keller, amendment_id)
