"""What must hold at every instant of the race, and what every writer was promised, read back afterwards."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.models import CapacityWindow, Hold, HoursChange
from app.core.db import Database
from app.firms.models import AuditEvent
from app.offers.models import Offer, OfferLine
from tests.long.race_paths import Ack
from tests.long.race_world import Scene

NOTED = {
    "answer_undone": "answer_undone",
    "answered_no": "answered_no",
    "hours": "hours_offered",
    "hours_undone": "hours_undone",
}
"""Acknowledgement and the line of the Protokoll that was written in the same transaction."""


@dataclass
class Watcher:
    """A reader beside the writers: each look is one statement, so one instant on either database."""

    database: Database
    looks: int = 0
    oversold: int = 0
    drift_min: int = 0
    is_done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.is_done.is_set():
            self.look()
            self.is_done.wait(0.05)

    def look(self) -> None:
        with self.database.read() as session:
            rows = session.execute(BALANCE).all()
        self.looks += 1
        for held, agreed, actual, maximum, held_rows, agreed_rows in rows:
            too_much = max(held + agreed, held_rows + agreed_rows) > actual or actual > maximum
            self.oversold += too_much or held < 0 or agreed < 0
            self.drift_min = max(self.drift_min, abs(held - held_rows) + abs(agreed - agreed_rows))


def missing(session: Session, scene: Scene, acks: Sequence[Ack]) -> list[str]:
    """What was acknowledged and does not stand, or stands and was never acknowledged, in words."""
    told: dict[str, set[Ack]] = defaultdict(set)
    for ack in acks:
        told[ack[0]].add(ack)
    return [
        *_offers(session, scene, told),
        *_lines(session, scene, acks),
        *_notes(session, scene, Counter(ack[0] for ack in acks)),
        *_hours(session, scene, told["hours"], told["hours_undone"]),
    ]


_ROWS = (
    sa.select(
        Hold.firm_id,
        Hold.machine_id,
        Hold.week,
        sa.func.sum(sa.case((Hold.state == "held", Hold.minutes), else_=0)).label("held"),
        sa.func.sum(sa.case((Hold.state == "agreed", Hold.minutes), else_=0)).label("agreed"),
    )
    .where(Hold.state != "released")
    .group_by(Hold.firm_id, Hold.machine_id, Hold.week)
    .subquery()
)
BALANCE = sa.select(
    CapacityWindow.held_min,
    CapacityWindow.agreed_min,
    CapacityWindow.actual_min,
    CapacityWindow.maximum_min,
    sa.func.coalesce(_ROWS.c.held, 0),
    sa.func.coalesce(_ROWS.c.agreed, 0),
).outerjoin(
    _ROWS,
    (_ROWS.c.firm_id == CapacityWindow.firm_id)
    & (_ROWS.c.machine_id == CapacityWindow.machine_id)
    & (_ROWS.c.week == CapacityWindow.week),
)


def _offers(session: Session, scene: Scene, told: dict[str, set[Ack]]) -> Iterable[str]:
    firm_ids = [hot.firm.id for hot in scene.firms]
    stands = {
        row.id: row.state
        for row in session.execute(sa.select(Offer.id, Offer.state).where(Offer.firm_id.in_(firm_ids)))
    }
    minutes = dict(
        session.execute(
            sa.select(OfferLine.offer_id, sa.func.sum(OfferLine.offered_min))
            .where(OfferLine.firm_id.in_(firm_ids))
            .group_by(OfferLine.offer_id)
        ).all()
    )
    for _, _, offer_id, offered_min in told["offered"]:
        if not minutes.get(offer_id) or (offered_min and minutes[offer_id] != offered_min):
            yield f"offer {offer_id} of {offered_min} min has {minutes.get(offer_id)}"
    for offer_id in stands.keys() - {ack[2] for ack in told["offered"]}:
        yield f"offer {offer_id} stands and was never acknowledged"
    for _, _, offer_id, _ in told["withdrawn"]:
        if stands.get(offer_id) != "withdrawn":
            yield f"offer {offer_id} was withdrawn and is {stands.get(offer_id)}"
    for _, _, offer_id, _ in told["lapsed"]:
        if stands.get(offer_id) != "released":
            yield f"offer {offer_id} lapsed and is {stands.get(offer_id)}"


def _lines(session: Session, scene: Scene, acks: Sequence[Ack]) -> Iterable[str]:
    """Per line: what is agreed now is what was agreed less what was freed; what was dropped is held no more."""
    firm_ids = [hot.firm.id for hot in scene.firms]
    holds = {
        row.offer_line_id: (row.state, row.minutes)
        for row in session.execute(
            sa.select(Hold.offer_line_id, Hold.state, Hold.minutes).where(Hold.firm_id.in_(firm_ids))
        )
    }
    agreed = {ack[2]: ack[3] for ack in acks if ack[0] == "agreed"}
    freed: Counter[str] = Counter()
    for kind, _, line_id, minutes in acks:
        if kind == "freed":
            freed[line_id] += minutes
    dropped = {ack[2] for ack in acks if ack[0] == "dropped"}
    for kind, _, line_id, minutes in acks:
        end = ("released" if line_id in dropped else "held", minutes)
        if kind == "held" and line_id not in agreed and holds.get(line_id) != end:
            yield f"line {line_id} of {minutes} min is {holds.get(line_id)}"
    for line_id, minutes in agreed.items():
        state, now_min = holds.get(line_id, ("", 0))
        if (now_min if state == "agreed" else 0) != minutes - freed[line_id]:
            yield f"line {line_id}: agreed {minutes}, freed {freed[line_id]}, is {state} {now_min}"
    for line_id, (state, now_min) in holds.items():
        if state == "agreed" and line_id not in agreed:
            yield f"line {line_id} has {now_min} agreed minutes that nobody acknowledged"


def _notes(session: Session, scene: Scene, told: Counter[str]) -> Iterable[str]:
    firm_ids = [hot.firm.id for hot in scene.firms]
    written = dict(
        session.execute(
            sa.select(AuditEvent.verb, sa.func.count())
            .where(AuditEvent.firm_id.in_(firm_ids))
            .group_by(AuditEvent.verb)
        ).all()
    )
    for kind, verb in NOTED.items():
        if written.get(verb, 0) != told[kind]:
            yield f"{kind}: acknowledged {told[kind]} times, noted {written.get(verb, 0)} times"


def _hours(session: Session, scene: Scene, told: set[Ack], undone: set[Ack]) -> Iterable[str]:
    """The free hours of a window are those of the start and every reported change that was not undone."""
    firm_ids = [hot.firm.id for hot in scene.firms]
    changes = session.scalars(sa.select(HoursChange).where(HoursChange.firm_id.in_(firm_ids))).all()
    if {(change.id, change.after_min) for change in changes} != {(ack[2], ack[3]) for ack in told}:
        yield "the reported hours are not those that were acknowledged"
    if {change.id for change in changes if change.undone_at} != {ack[2] for ack in undone}:
        yield "the hours taken back are not those that were acknowledged"
    now = dict(scene.actual_min)
    for change in changes:
        if change.undone_at is None:
            now[change.firm_id, change.machine_id, change.week] += change.after_min - change.before_min
    for window in session.scalars(sa.select(CapacityWindow).where(CapacityWindow.firm_id.in_(firm_ids))):
        told_min = now[window.firm_id, window.machine_id, window.week]
        if window.actual_min != told_min:
            yield f"{window.week}: {window.actual_min} min are free, the changes say {told_min}"
