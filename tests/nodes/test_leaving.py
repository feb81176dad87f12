"""A firm leaves its node for good: partners hear it and keep what is theirs, here only commitments stay."""

import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Base, Database
from app.core.errors import RuleBroken
from app.firms.models import Firm
from app.moving.forgetting import forget_firm, forget_moved_firms, leave_for_good
from app.moving.rules import KEPT_COMMITMENTS
from app.notary.heads import LEFT
from app.notary.models import LedgerEntry, LedgerEvidence, LedgerHead
from app.notary.witnesses import halt_of
from app.worker import end_what_is_due
from tests.conftest import MONDAY
from tests.nodes.job import evidence, play, verified
from tests.nodes.moving import link_here, move
from tests.nodes.silence import received, write
from tests.nodes.test_moving import KELLER, make_nodes  # noqa: F401
from tests.nodes.world import Node, link, messages, partnership, settle_all


def leave(node: Node, key: str) -> None:
    with node.database.write() as session:
        leave_for_good(session, node.firm_id(key), None)


def tables_of(node: Node, firm_id: str) -> set[str]:
    """The tables that hold anything of the firm."""
    with node.database.read() as session:
        return {
            name
            for name, table in Base.metadata.tables.items()
            if (column := table.c.get("firm_id", table.c.id if name == "firm" else None)) is not None
            and session.scalar(sa.select(sa.func.count()).select_from(table).where(column == firm_id))
        }


def evidence_count(node: Node, firm_id: str) -> int:
    with node.database.read() as session:
        return session.scalar(
            sa.select(sa.func.count()).select_from(LedgerEvidence).where(LedgerEvidence.firm_id == firm_id)
        ) or 0  # fmt: skip


def test_a_firm_leaves_when_nothing_binds_it_and_only_commitments_stay(
    make_nodes: Callable[..., list[Node]],  # noqa: F811
    tmp_path: Path,
) -> None:
    one, two = nodes = make_nodes(["keller", "brandt"], ["yilmaz"])
    link_here(one, "keller", "brandt")
    link(one, "keller", two, "yilmaz", nodes)
    (agreement_id,) = play(nodes, [(two, "yilmaz")], need_min=40 * 60)
    keller = one.firm_id("keller")
    # 1. what runs binds both
    with pytest.raises(RuleBroken, match="Vertrag läuft noch"):
        leave(one, "keller")
    long_after = MONDAY + dt.timedelta(weeks=20)
    with clock.frozen(long_after):
        # 2. it ended, and the partner's node is away
        two.is_cut = True
        leave(one, "keller")
        settle_all(nodes)
        end_what_is_due(one.database)
        assert [row.body["how"] for row in messages(one) if row.state == "waiting"] == ["left"]
        left_over = tables_of(one, keller)
        assert "person" not in left_over
        assert "work_request" not in left_over
        assert "firm_key" in left_over
        assert partnership(one, "brandt", KELLER).state == "ended"
    two.is_cut = False
    with clock.frozen(long_after + dt.timedelta(days=1)):
        # 3. the partner is back and hears it; then the keys go too
        settle_all(nodes)
        end_what_is_due(one.database)
        assert partnership(two, "yilmaz", KELLER).state == "ended"
        assert tables_of(one, keller) <= KEPT_COMMITMENTS.keys()
        assert evidence_count(one, keller) > 0
        with one.database.read() as session:
            head, firm = session.get_one(LedgerHead, keller), session.get_one(Firm, keller)
            size = head.size
            assert (head.halt, head.keep_until, firm.name, firm.address) == (LEFT, dt.date(2033, 12, 31), "", KELLER)
        # 4. the partner proves what both signed, alone; next door nothing else has gone
        assert verified(evidence(two, "yilmaz", agreement_id), tmp_path) == 0
        assert {"person", "machine", "firm_key"} <= tables_of(one, one.firm_id("brandt"))
        assert b"Kunde keller" not in whole_file(one.database)
    with clock.frozen(dt.datetime(2034, 1, 1, 8, tzinfo=dt.UTC)):
        end_what_is_due(one.database)
    assert evidence_count(one, keller) == 0
    with one.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(LedgerEntry.firm_id == keller)) == size


def whole_file(database: Database) -> bytes:
    """Every page of an SQLite database, also the free ones."""
    path = database.url.removeprefix("sqlite+pysqlite:///").removeprefix("sqlite:///")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return Path(path).read_bytes()


def test_the_copy_of_a_firm_that_moved_goes_after_90_days_once_its_new_node_has_answered(
    make_nodes: Callable[..., list[Node]],  # noqa: F811
    tmp_path: Path,
) -> None:
    one, two, three = nodes = make_nodes(["keller"], ["yilmaz"], [])
    link(one, "keller", two, "yilmaz", nodes)
    move(one, three, "keller", tmp_path)
    settle_all(nodes)
    keller = one.firm_id("keller")
    with clock.frozen(clock.now() + dt.timedelta(days=89)):
        forget_moved_firms(one.database, one.config)
        with pytest.raises(RuleBroken, match="90 Tage den Weg"), one.database.write() as session:
            forget_firm(session, keller)
        assert "firm_key" in tables_of(one, keller)
    three.is_cut = True
    with clock.frozen(clock.now() + dt.timedelta(days=91)):
        forget_moved_firms(one.database, one.config)
        assert "firm_key" in tables_of(one, keller)
    three.is_cut = False
    with clock.frozen(clock.now() + dt.timedelta(days=92, hours=1)):
        forget_moved_firms(one.database, one.config)
        assert tables_of(one, keller) == KEPT_COMMITMENTS.keys() - {"ledger_evidence", "ledger_cosignature"}
        write(three, "keller", three.partner_id("keller", "yilmaz@zwei.test"), [7])
        settle_all([two, three])
        assert received(two) == [7]
    with one.database.read() as session:
        assert halt_of(session, keller) == LEFT
