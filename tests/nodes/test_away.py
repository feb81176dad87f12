"""A partner's node that was away gets everything once and in order, soon after it is back; nobody else waits for it."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import clock
from app.core.db import Database
from app.federation.carrying import PROBE_EVERY
from tests.conftest import MONDAY
from tests.nodes.silence import BACK_IN_MIN, be_away, received, write
from tests.nodes.world import Node, link, messages, pass_time, running_nodes, settle_all

COUNT = 60


def test_after_three_days_away_everything_arrives_once_in_order_and_within_minutes(nodes: list[Node]) -> None:
    one, two, three = nodes
    link(one, "keller", two, "yilmaz", nodes)
    link(one, "keller", three, "brandt", nodes)
    found = be_away(nodes, COUNT, MONDAY, 60)
    assert found.meanwhile == list(range(COUNT))
    assert found.came == list(range(COUNT))
    assert found.minutes <= BACK_IN_MIN
    assert {row.state for row in messages(one)} == {"delivered"}


def test_a_partner_that_is_heard_of_gets_at_once_what_waited_for_it(nodes: list[Node]) -> None:
    one, two, _ = nodes
    link(one, "keller", two, "yilmaz", nodes)
    two.is_cut = True
    write(one, "keller", one.partner_id("keller", "yilmaz@zwei.test"), range(3))
    now = pass_time(nodes, MONDAY, 600, 60)
    two.is_cut = False
    with clock.frozen(now):
        write(two, "yilmaz", two.partner_id("yilmaz", "keller@eins.test"), [7])
        settle_all(nodes)
        settle_all(nodes)
    assert received(one) == [7]
    assert received(two) == [0, 1, 2]


@pytest.fixture
def two_houses(sqlite_database: Database, tmp_path: Path) -> Iterator[list[Node]]:
    """Two firms on each of two nodes."""
    other = Database(f"sqlite:///{tmp_path / 'zwei'}.sqlite")
    other.create_tables()
    homes = [["keller", "nowak"], ["yilmaz", "brandt"]]
    with running_nodes([sqlite_database, other], tmp_path, homes) as nodes:
        yield nodes
    other.close()


def test_one_lane_looks_whether_a_silent_node_is_back_and_then_all_go(two_houses: list[Node]) -> None:
    one, two = two_houses
    pairs = [("keller", "yilmaz"), ("keller", "brandt"), ("nowak", "yilmaz")]
    for own, other in pairs:
        link(one, own, two, other)
    two.is_cut = True
    for own, other in pairs:
        write(one, own, one.partner_id(own, two.address(other)), range(3))
    now = pass_time([one], MONDAY, 600, 60)
    before = two.knocks
    now = pass_time([one], now, 60)
    looks = dt.timedelta(minutes=60) / PROBE_EVERY
    assert looks <= two.knocks - before <= looks + len(pairs)
    two.is_cut = False
    pass_time(two_houses, now, BACK_IN_MIN)
    assert received(two) == [0, 1, 2] * len(pairs)
