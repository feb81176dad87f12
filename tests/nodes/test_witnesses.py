"""A log with two faces, and a node set back by an old backup: separate nodes find it, say it and stop it."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import reactions
from app.core import clock
from app.core.errors import RuleBroken
from app.federation import gossiping
from app.federation.models import Message
from app.firms.models import Firm
from app.notary.gossip import is_in_doubt
from app.notary.models import FirmKey, LedgerEntry, ShownCheckpoint, WitnessedLog
from app.notary.queries import evidence_file
from app.notary.witnesses import BEHIND, CONFLICT, FORKED, RESTORED, contradiction, doubt_restored_logs, halt_of
from app.push.models import Alert
from app.worker import end_what_is_due
from ledger.verify import verify_bundle
from tests.conftest import MONDAY
from tests.federation.test_witnessing import put_back_log, rows_of_log
from tests.nodes.apart import nodes_on_disk
from tests.nodes.test_keys import renew
from tests.nodes.world import Node, link, settle_all
from tests.notary.world import House, append_lapse

HOUR = dt.timedelta(hours=1, minutes=1)
PARTNERS = ("yilmaz", "brandt")


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[list[Node]]:
    """Keller, Yilmaz and Brandt, each on a node of its own: all know each other and have confirmed each other's log."""
    with nodes_on_disk(tmp_path, [["keller"], ["yilmaz"], ["brandt"]]) as nodes:
        yield know_each_other(nodes)


def know_each_other(nodes: list[Node]) -> list[Node]:
    one, two, three = nodes
    with clock.frozen(MONDAY):
        link(one, "keller", two, "yilmaz", nodes)
        link(one, "keller", three, "brandt", nodes)
        link(two, "yilmaz", three, "brandt", nodes)
        tick(nodes)
    for hours in (1, 2):
        with clock.frozen(MONDAY + hours * HOUR):
            tick(nodes)
    return nodes


def tick(nodes: Sequence[Node]) -> None:
    """An hour's work: deadlines, and what follows between the nodes that are there."""
    there = [node for node in nodes if not node.is_cut]
    for node in there:
        end_what_is_due(node.database)
    settle_all(there)


def grow(node: Node, *numbers: int) -> None:
    for number in numbers:
        with node.database.write() as session:
            firm = session.get_one(Firm, node.firm_id("keller"))
            append_lapse(session, House(firm.id, firm.address, node.passkeys["keller"]), number)


def show_two_faces(ring: Sequence[Node], entries: int, first: Callable[[], None] | None = None) -> None:
    """Yilmaz sees one history of Keller's log and Brandt another one, with so many entries; then Keller is silent."""
    one, two, three = ring
    keller = one.firm_id("keller")
    before, key = rows_of_log(one.database, keller), log_key_of(one)
    three.is_cut = True
    first() if first else grow(one, 1)
    with clock.frozen(MONDAY + 4 * HOUR):
        tick(ring)
    put_back_log(one.database, keller, before)
    with one.database.write() as session:
        session.execute(sa.update(FirmKey).where(FirmKey.firm_id == keller, FirmKey.purpose == "log").values(key))
        session.execute(sa.delete(Message).where(Message.state == "waiting"))
    two.is_cut, three.is_cut = True, False
    grow(one, *range(2, 2 + entries))
    with clock.frozen(MONDAY + 6 * HOUR):
        tick(ring)
    two.is_cut, one.is_cut = False, True
    assert {size_seen(node, key) for node, key in zip((two, three), PARTNERS, strict=True)} == {
        size_seen(two, "yilmaz"), size_seen(two, "yilmaz") + entries - 1
    }  # fmt: skip


def log_key_of(node: Node) -> dict[str, Any]:
    with node.database.read() as session:
        row = session.get_one(FirmKey, (node.firm_id("keller"), "log"))
        return {"public_key": row.public_key, "wrapped": row.wrapped, "seq": row.seq}


def size_seen(node: Node, key: str) -> int:
    with node.database.read() as session:
        keller = node.partner_id(key, "keller@eins.test")
        return session.get_one(WitnessedLog, (node.firm_id(key), keller)).size


def conflict_at(node: Node, key: str) -> int | None:
    with node.database.read() as session:
        return contradiction(session, node.firm_id(key), node.partner_id(key, "keller@eins.test"))


def halt_at(node: Node) -> str:
    with node.database.read() as session:
        return halt_of(session, node.firm_id("keller"))


def alerts(node: Node, kind: str) -> int:
    with node.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).where(Alert.kind == kind)) or 0


@pytest.mark.parametrize("entries", [1, 2])
def test_two_partners_find_that_a_log_showed_each_of_them_another_history(ring: list[Node], entries: int) -> None:
    one, two, three = ring
    show_two_faces(ring, entries)
    with clock.frozen(MONDAY + 8 * HOUR):
        tick(ring)
        if entries == 1:
            # as many entries on both sides: they need nobody else to see it
            assert conflict_at(two, "yilmaz") is not None
        one.is_cut = False
        settle_all(ring)
    with clock.frozen(MONDAY + 9 * HOUR):
        settle_all(ring)
    for node, key in zip((two, three), PARTNERS, strict=True):
        seq = conflict_at(node, key)
        assert seq is not None
        with node.database.read() as session:
            assert verify_bundle(evidence_file(session, node.firm_id(key), seq), None).holds
            written = sa.select(sa.func.count()).where(LedgerEntry.type == CONFLICT)
            assert session.scalar(written) == 1
        assert alerts(node, "log_contradicts") == 1
    assert (halt_at(one), alerts(one, "log_halted")) == (FORKED, 1)
    with pytest.raises(RuleBroken, match="ruht"):
        grow(one, 9)


def test_a_log_that_gave_one_partner_a_new_key_only_does_not_get_away_with_it(ring: list[Node]) -> None:
    """Neither partner can prove the other one's checkpoint by the keys it knows; nor can the log, so people hear of it."""
    one, two, three = ring
    show_two_faces(ring, 2, lambda: renew(one, "keller", "log"))
    one.is_cut = False
    for days in (1, 3, 5):
        with clock.frozen(MONDAY + dt.timedelta(days=days)):
            tick(ring)
    assert alerts(two, "log_doubted") == 1
    assert (conflict_at(two, "yilmaz"), conflict_at(three, "brandt")) == (None, None)


def test_where_partners_show_each_other_nothing_the_two_faces_stay_unfound(
    ring: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: without it the test before would prove nothing."""
    one, two, three = ring
    kept = tuple(act for act in reactions.DEADLINES if act is not gossiping.show_seen)
    monkeypatch.setattr("app.worker.DEADLINES", kept)
    show_two_faces(ring, 1)
    one.is_cut = False
    for hours in (8, 9, 10):
        with clock.frozen(MONDAY + hours * HOUR):
            tick(ring)
    assert (conflict_at(two, "yilmaz"), conflict_at(three, "brandt"), halt_at(one)) == (None, None, "")


def test_a_log_that_one_partner_saw_further_proves_that_it_only_grew(ring: list[Node]) -> None:
    one, two, three = ring
    three.is_cut = True
    grow(one, 1, 2)
    with clock.frozen(MONDAY + 4 * HOUR):
        tick(ring)
    three.is_cut, one.is_cut = False, True
    with clock.frozen(MONDAY + 6 * HOUR):
        tick(ring)
        assert questions(three) + questions(two) > 0
    with clock.frozen(MONDAY + dt.timedelta(days=5)):
        tick(ring)
        with three.database.read() as session:
            assert is_in_doubt(session, three.firm_id("brandt"), three.partner_id("brandt", "keller@eins.test"))
        assert alerts(three, "log_doubted") == 1
    one.is_cut = False
    for days in (6, 8):
        with clock.frozen(MONDAY + dt.timedelta(days=days)):
            tick(ring)
    assert (questions(two), questions(three)) == (0, 0)
    assert (conflict_at(two, "yilmaz"), conflict_at(three, "brandt"), halt_at(one)) == (None, None, "")


def questions(node: Node) -> int:
    with node.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(ShownCheckpoint)) or 0


def test_a_node_from_an_old_backup_is_read_only_and_says_what_to_do(ring: list[Node]) -> None:
    one, two, three = ring
    keller = one.firm_id("keller")
    backup = rows_of_log(one.database, keller)
    grow(one, 1)
    with clock.frozen(MONDAY + 4 * HOUR):
        tick(ring)
    put_back_log(one.database, keller, backup)
    with one.database.write() as session:
        doubt_restored_logs(session)
    assert halt_at(one) == RESTORED
    with clock.frozen(MONDAY + 6 * HOUR):
        tick(ring)
    assert halt_at(one) == BEHIND
    with pytest.raises(RuleBroken, match="ruht"):
        grow(one, 2)
    with one.database.read() as session:
        urls = session.scalars(sa.select(Alert.url).where(Alert.kind == "log_halted")).all()
    assert urls == ["/partner/zeugen"]
    assert (conflict_at(two, "yilmaz"), conflict_at(three, "brandt")) == (None, None)
