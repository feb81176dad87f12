"""Which messages are next: of each pair of firms only the oldest one, found by jumping from pair to pair in the index.

What waits for one partner is a lane. It rests as a whole, so that nothing overtakes what did not arrive.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.db import UtcTime
from app.core.prepared import Prepared
from app.federation.models import PARKED, WAITING, Message
from app.notary.models import table_of

LEASE = dt.timedelta(minutes=2)
"""So long a lane belongs to the worker that claimed it; whoever rests longer is under way nowhere"""
_WAITS = "m.direction = 'out' AND m.state = 'waiting'"
_WORKS_HERE = """NOT EXISTS (SELECT 1 FROM ledger_head AS h
        WHERE h.firm_id = m.firm_id AND h.halt IN ('moved', 'copy'))"""
_FOLLOWING = f"""(SELECT m.{{column}} FROM message AS m
    WHERE {_WAITS} AND (m.firm_id, m.peer_id) > (lane.firm_id, lane.peer_id)
    ORDER BY m.firm_id, m.peer_id LIMIT 1)"""
# Grouping would read every waiting row; this reads a few per pair, however long one partner's queue has grown.
_OLDEST = f"""
    WITH RECURSIVE lane(firm_id, peer_id) AS (
        SELECT * FROM (SELECT m.firm_id, m.peer_id FROM message AS m
            WHERE {_WAITS} ORDER BY m.firm_id, m.peer_id LIMIT 1) AS first_lane
        UNION ALL
        SELECT {_FOLLOWING.format(column="firm_id")}, {_FOLLOWING.format(column="peer_id")}
        FROM lane WHERE lane.firm_id IS NOT NULL
    ), oldest AS MATERIALIZED (
        SELECT lane.firm_id, lane.peer_id, (SELECT min(m.seq) FROM message AS m
            WHERE {_WAITS} AND m.firm_id = lane.firm_id AND m.peer_id = lane.peer_id) AS seq
        FROM lane WHERE lane.firm_id IS NOT NULL
    )"""
_DUE = sa.text(
    f"""{_OLDEST}
    SELECT m.firm_id, m.id, m.peer_id, EXISTS (SELECT 1 FROM firm WHERE firm.id = m.peer_id)
        AND NOT EXISTS (SELECT 1 FROM partnership AS p
            WHERE p.firm_id = m.firm_id AND p.partner_id = m.peer_id AND p.node <> '') AS is_here FROM oldest
    JOIN message AS m ON m.firm_id = oldest.firm_id AND m.direction = 'out' AND m.peer_id = oldest.peer_id
        AND m.seq = oldest.seq
    WHERE m.next_try_at <= :now AND {_WORKS_HERE}
    ORDER BY m.id
    """
).bindparams(sa.bindparam("now", type_=UtcTime()))
_RESTING = sa.text(
    f"""{_OLDEST}
    SELECT m.firm_id, m.peer_id, (SELECT partnership.node FROM partnership
        WHERE partnership.firm_id = m.firm_id AND partnership.partner_id = m.peer_id) AS node FROM oldest
    JOIN message AS m ON m.firm_id = oldest.firm_id AND m.direction = 'out' AND m.peer_id = oldest.peer_id
        AND m.seq = oldest.seq
    WHERE m.next_try_at > :late AND {_WORKS_HERE}
    ORDER BY m.id
    """
).bindparams(sa.bindparam("late", type_=UtcTime()))
_FIRST = sa.text(
    f"""
    SELECT o.id, o.next_try_at FROM message AS o
    WHERE o.firm_id = :firm_id AND o.direction = 'out' AND o.peer_id = :peer_id AND o.seq = (
        SELECT min(m.seq) FROM message AS m WHERE {_WAITS} AND m.firm_id = :firm_id AND m.peer_id = :peer_id)
    """
)

_MESSAGE = table_of(Message)
_LANE = sa.select(_MESSAGE.c.id).where(
    _MESSAGE.c.firm_id == sa.bindparam("firm_id"), _MESSAGE.c.peer_id == sa.bindparam("peer_id")
)
_USED = Prepared(sa.union_all(*(_LANE.where(rests) for rests in (WAITING, PARKED))).limit(1))


def waiting_messages(session: Session, now: dt.datetime) -> Sequence[tuple[str, str]]:
    """(firm_id, id) of messages to firms of this node whose time has come: for each pair only the oldest one.

    A firm that works elsewhere sends nothing from here.
    """
    return [(row.firm_id, row.id) for row in session.execute(_DUE, {"now": now}) if row.is_here]


def waiting_lanes(session: Session, now: dt.datetime) -> Sequence[tuple[str, str]]:
    """(firm_id, peer_id) of the pairs whose oldest message goes to another node and is due."""
    return [(row.firm_id, row.peer_id) for row in session.execute(_DUE, {"now": now}) if not row.is_here]


def resting_lanes(session: Session, now: dt.datetime) -> Sequence[tuple[str, str, str]]:
    """(firm_id, peer_id, node) of the pairs whose next try at another node is some time away; the oldest message first."""
    rows = session.execute(_RESTING, {"late": now + LEASE})
    return [(row.firm_id, row.peer_id, row.node) for row in rows if row.node]


def first_waiting(session: Session, firm_id: str, peer_id: str) -> Any:
    """The oldest message that waits for one partner, as (id, next_try_at); None when nothing does."""
    return session.execute(
        _FIRST.columns(id=sa.String(), next_try_at=UtcTime()), {"firm_id": firm_id, "peer_id": peer_id}
    ).one_or_none()


def park_lane(session: Session, firm_id: str, peer_id: str) -> None:
    """Let all that waits for one partner rest, in its order, until the partner is heard of or a person tries again."""
    session.execute(sa.update(Message).where(*_lane(firm_id, peer_id), WAITING).values(state="parked"))


def resume_lane(session: Session, firm_id: str, peer_id: str, now: dt.datetime) -> int:
    """Let all that rests be tried again at once, for seven more days; returns how many messages that are."""
    anew = {"state": "waiting", "attempts": 0, "next_try_at": now, "waits_since": now}
    resumed = session.execute(sa.update(Message).where(*_lane(firm_id, peer_id), PARKED).values(anew))
    return int(resumed.rowcount)  # type: ignore[attr-defined]


def is_lane_used(session: Session, firm_id: str, peer_id: str) -> bool:
    """Say whether anything waits or rests on the way to a partner."""
    session.flush()
    return _USED.row(session.connection(), firm_id=firm_id, peer_id=peer_id) is not None


def wake_lane(session: Session, firm_id: str, peer_id: str, now: dt.datetime) -> None:
    """The partner is there: what waits for it to come back is due at once. What is under way keeps its lease."""
    session.execute(
        sa.update(Message)
        .where(*_lane(firm_id, peer_id), WAITING, Message.next_try_at > now + LEASE)
        .values(next_try_at=now)
        .execution_options(synchronize_session=False)
    )


def wake_node(session: Session, node: str, now: dt.datetime) -> None:
    """A node that was silent has answered: every lane to it is due at once."""
    for firm_id, peer_id, lane_node in sorted(resting_lanes(session, now)):
        if lane_node == node:
            wake_lane(session, firm_id, peer_id, now)


def put_first(session: Session, firm_id: str, peer_id: str) -> None:
    """Let the newest message of a pair go before all that waits: each takes the number of the one before it."""
    rows = session.scalars(
        sa.select(Message).where(*_lane(firm_id, peer_id), WAITING).order_by(Message.seq.desc()).with_for_update()
    ).all()
    newest = rows[0]
    free, newest.seq = newest.seq, 0
    session.flush()
    for row in rows[1:]:
        row.seq, free = free, row.seq
        session.flush()
    newest.seq = free
    session.flush()


def parked_since(session: Session, firm_id: str, peer_id: str) -> dt.datetime | None:
    """When the oldest message that rests for a partner was written; None when none does."""
    return session.scalar(sa.select(sa.func.min(Message.created_at)).where(*_lane(firm_id, peer_id), PARKED))


def _lane(firm_id: str, peer_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return Message.firm_id == firm_id, Message.peer_id == peer_id
