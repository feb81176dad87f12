"""The background replay: it finds the first bad position, tells it, and the log rests; a clean log is left alone."""

import datetime as dt

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.core.outbox import OutboxRow
from app.notary.audit import DAMAGED, audit_next_log
from app.notary.models import LedgerAudit, LedgerEntry, LedgerEvidence
from app.notary.witnesses import halt_of
from tests.notary.world import House, append_lapse, found_house


@pytest.fixture
def house(database: Database) -> House:
    with database.write() as session:
        found = found_house(session, "keller")
    for number in range(1, 6):
        with database.write() as session:
            append_lapse(session, found, number)
    return found


def test_a_clean_log_is_replayed_once_a_day(database: Database, house: House) -> None:
    assert audit_next_log(database) == "keller"
    assert audit_next_log(database) is None
    with database.read() as session:
        row = session.get_one(LedgerAudit, "keller")
        assert (row.size, row.done, row.fault_at, halt_of(session, "keller")) == (6, 6, None, "")
    with clock.frozen(clock.now() + dt.timedelta(days=1, minutes=1)):
        assert audit_next_log(database) == "keller"


@pytest.mark.parametrize("position", [0, 3, 5])
def test_a_changed_evidence_is_found_at_its_place_and_the_log_rests(
    database: Database, house: House, position: int
) -> None:
    with database.write() as session:
        entry = session.get_one(LedgerEntry, ("keller", position))
        row = session.get_one(LedgerEvidence, ("keller", entry.evidence_sha256))
        row.body = row.body.replace(b"verfallen", b"verfalleN").replace(b"beginnt", b"beginnT")
    audit_next_log(database)
    with database.read() as session:
        assert session.get_one(LedgerAudit, "keller").fault_at == position
        assert halt_of(session, "keller") == DAMAGED
        assert session.scalars(sa.select(OutboxRow.kind)).all() == ["LogHalted"]
    with pytest.raises(RuleBroken, match="ruht"), database.write() as session:
        append_lapse(session, house, 9)


def test_a_lost_end_is_found(database: Database, house: House) -> None:
    with database.write() as session:
        session.execute(sa.delete(LedgerEntry).where(LedgerEntry.seq == 5))
    audit_next_log(database)
    with database.read() as session:
        assert session.get_one(LedgerAudit, "keller").fault_at == 5
