"""A partner's node is away for three days, and comes back at the worst moment."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from app.core import clock
from app.federation.actions import send_message
from tests.nodes.world import Node, messages, pass_time, settle_all

AWAY = dt.timedelta(hours=72)
BACK_IN_MIN = 10


@dataclass(frozen=True)
class Return:
    """What the partner has after its return, and how many minutes that took."""

    came: list[int]
    minutes: float
    meanwhile: list[int]
    """What a partner whose node was there had got before the return"""


def write(node: Node, key: str, partner_id: str, numbers: Sequence[int]) -> None:
    with node.database.write() as session:
        for number in numbers:
            send_message(session, node.firm_id(key), partner_id, "board.posted", {"n": number})


def received(node: Node) -> list[int]:
    """The numbers that arrived, in the order in which they took effect."""
    rows = [row for row in messages(node, "in") if row.kind == "board.posted"]
    return [row.body["n"] for row in sorted(rows, key=lambda row: (row.peer_id, row.seq))]


def be_away(nodes: Sequence[Node], count: int, begin: dt.datetime, step_min: int) -> Return:
    """Keller writes to both partners while the second node is cut for 72 hours; each hears of it after the return."""
    one, two, three = nodes
    away, there = one.partner_id("keller", "yilmaz@zwei.test"), one.partner_id("keller", "brandt@drei.test")
    two.is_cut = True
    steps = int(AWAY / dt.timedelta(minutes=step_min))
    now = begin
    for step in range(steps):
        batch = range(count * step // steps, count * (step + 1) // steps)
        with clock.frozen(now):
            write(one, "keller", away, batch)
            write(one, "keller", there, batch)
        now = pass_time(nodes, now, step_min, step_min)
    meanwhile = received(three)
    # the last try failed a moment ago: nothing is due for as long as it can be
    two.is_cut = False
    back = pass_time(nodes, now, BACK_IN_MIN, until=lambda: len(received(two)) >= count)
    with clock.frozen(back):
        settle_all(nodes)
    return Return(received(two), (back - now) / dt.timedelta(minutes=1), meanwhile)
