"""Every path on which hours are booked, as one attempt each: a transaction that is acknowledged, refused, or at fault."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import agree_held, hold_hours, offer_hours, release_agreed, release_hold, undo_offer
from app.capacity.models import Hold
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.federation.rules import Incoming
from app.firms.access import Role
from app.firms.actions import bump_version
from app.offers.actions import (
    accept_offer,
    answer_no,
    answer_yes,
    expire_offers,
    make_offer,
    receive_selected,
    release_selection,
    undo_answer,
    withdraw_offer,
)
from app.offers.messages import Selection, selected_body
from app.offers.models import Offer
from app.offers.queries import lines_of, live_offers
from app.offers.rules import LineDraft
from app.requests.models import WorkRequest
from tests.long.race_world import HOT_WEEKS, HotFirm, Scene

Ack = tuple[str, str, str, int]
"""What a writer was told is done: (kind, firm, object, minutes)."""


@dataclass
class Line:
    """A hold that one process made beside the offers; its threads fight over it."""

    hot: HotFirm
    id: str
    machine_id: str
    week: str
    agree_min: int
    """Always the same: agreeing twice must agree once."""


@dataclass
class Writer:
    """One thread: its luck, what it was told, and the lines it shares with the threads of its process."""

    scene: Scene
    database: Database
    luck: random.Random
    shared: list[Line]
    hold: Callable[..., None] = hold_hours
    acks: list[Ack] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    changes: list[tuple[HotFirm, str]] = field(default_factory=list)

    def attempt(self, path: "Path") -> None:
        """Run one path in a transaction of its own; what it returns counts only once the commit came back."""
        with self.database.write() as session:
            done = path(self, session)
        self.acks.extend(done)

    def hot(self) -> HotFirm:
        return self.luck.choice(self.scene.firms)


Path = Callable[[Writer, Session], list[Ack]]
MOST_SHARED = 24


def yes(writer: Writer, session: Session) -> list[Ack]:
    hot = writer.hot()
    foreman = hot.firm.people[Role.FOREMAN]
    by_token = writer.luck.random() < 0.3
    offer_id = answer_yes(session, hot.firm.id, foreman, writer.luck.choice(hot.requests), by_token)
    return [("offered", hot.firm.id, offer_id, 0)]


def part(writer: Writer, session: Session) -> list[Ack]:
    hot = writer.hot()
    slots = [(machine, week) for machine in hot.machines for week in HOT_WEEKS]
    lines = [
        LineDraft(machine, week, 15 * writer.luck.randint(4, 32), None)
        for machine, week in writer.luck.sample(slots, writer.luck.randint(1, 3))
    ]
    offer_id = make_offer(session, hot.firm.actor(Role.FOREMAN), writer.luck.choice(hot.requests), lines)
    return [("offered", hot.firm.id, offer_id, sum(line.minutes for line in lines))]


def undo(writer: Writer, session: Session) -> list[Ack]:
    hot = writer.hot()
    undo_answer(session, hot.firm.id, hot.firm.people[Role.FOREMAN], writer.luck.choice(hot.requests))
    return [("answer_undone", hot.firm.id, "", 0)]


def no(writer: Writer, session: Session) -> list[Ack]:
    hot = writer.hot()
    answer_no(session, hot.firm.id, hot.firm.people[Role.FOREMAN], writer.luck.choice(hot.requests))
    return [("answered_no", hot.firm.id, "", 0)]


def withdraw(writer: Writer, session: Session) -> list[Ack]:
    hot, offer = _live_offer(writer, session)
    if offer is None:
        return []
    withdraw_offer(session, hot.firm.actor(Role.FOREMAN), offer.id)
    return [("withdrawn", hot.firm.id, offer.id, 0)]


def expire(writer: Writer, session: Session) -> list[Ack]:
    expire_offers(session, writer.luck.choice(writer.scene.expiries))
    return []


def select(writer: Writer, session: Session) -> list[Ack]:
    hot, offer = _live_offer(writer, session)
    if offer is None:
        return []
    selection = Selection(offer.id, writer.luck.random() < 0.5, writer.scene.expiries[-1])
    body = selected_body(selection)
    incoming = Incoming(hot.firm.id, writer.scene.requester_id, new_id(), "offer.selected", body, clock.now())
    receive_selected(session, incoming)
    return [("selected", hot.firm.id, offer.id, 0)]


def seal(writer: Writer, session: Session) -> list[Ack]:
    """What the sealing of an agreement does with hours: some of each line are agreed, the rest comes free."""
    hot, offer = _live_offer(writer, session, locks_it=True)
    if offer is None or offer.state not in ("selected", "partly_selected"):
        return []
    acks: list[Ack] = []
    for line in sorted(lines_of(session, hot.firm.id, offer.id), key=lambda line: (line.machine_id, line.week)):
        minutes = 15 * writer.luck.randint(1, line.offered_min // 15)
        agree_held(session, hot.firm.id, line.id, minutes)
        acks.append(("agreed", hot.firm.id, line.id, minutes))
    accept_offer(session, hot.firm.id, offer.id)
    return acks


def lapse(writer: Writer, session: Session) -> list[Ack]:
    hot, offer = _live_offer(writer, session, locks_it=True)
    if offer is None or offer.state not in ("selected", "partly_selected"):
        return []
    release_selection(session, hot.firm.id, offer.id)
    return [("lapsed", hot.firm.id, offer.id, 0)]


def cancel(writer: Writer, session: Session) -> list[Ack]:
    """Bookings of an agreement are cancelled line by line; afterwards the request may be answered anew."""
    hot, offer = _live_offer(writer, session, locks_it=True)
    if offer is None or offer.state != "accepted":
        return _reopen(writer, session, hot)
    acks: list[Ack] = []
    for line in lines_of(session, hot.firm.id, offer.id):
        minutes = session.scalar(
            sa.select(Hold.minutes).where(
                Hold.firm_id == hot.firm.id, Hold.offer_line_id == line.id, Hold.state == "agreed"
            )
        )
        if minutes is not None:
            release_agreed(session, hot.firm.id, line.machine_id, line.week, minutes, line.id)
            acks.append(("freed", hot.firm.id, line.id, minutes))
    # The life of an offer ends here in the product; the race starts it again to go on.
    session.execute(sa.update(Offer).where(Offer.firm_id == hot.firm.id, Offer.id == offer.id).values(state="released"))
    return acks


def hold(writer: Writer, session: Session) -> list[Ack]:
    if len(writer.shared) >= MOST_SHARED:
        return free(writer, session)
    hot, minutes = writer.hot(), 15 * writer.luck.randint(4, 32)
    machine_id, week = writer.luck.choice(hot.machines), writer.luck.choice(HOT_WEEKS)
    line = Line(hot, new_id(), machine_id, week, 15 * writer.luck.randint(1, minutes // 15))
    until = writer.scene.expiries[-1]
    writer.hold(session, hot.firm.id, new_id(), line.id, machine_id, week, minutes, until)
    writer.shared.append(line)
    return [("held", hot.firm.id, line.id, minutes)]


def agree(writer: Writer, session: Session) -> list[Ack]:
    line = _shared_line(writer)
    if line is None:
        return []
    agree_held(session, line.hot.firm.id, line.id, line.agree_min)
    return [("agreed", line.hot.firm.id, line.id, line.agree_min)]


def free(writer: Writer, session: Session) -> list[Ack]:
    line = _shared_line(writer)
    if line is None:
        return []
    query = sa.select(Hold.minutes).where(Hold.firm_id == line.hot.firm.id, Hold.offer_line_id == line.id)
    agreed_min = session.scalar(query.where(Hold.state == "agreed"))
    if agreed_min is None:
        return drop(writer, session)
    minutes = agreed_min if writer.luck.random() < 0.7 else 15
    release_agreed(session, line.hot.firm.id, line.machine_id, line.week, minutes, line.id)
    if minutes == agreed_min:
        _forget(writer, line)
    return [("freed", line.hot.firm.id, line.id, minutes)]


def drop(writer: Writer, session: Session) -> list[Ack]:
    line = _shared_line(writer)
    if line is None:
        return []
    minutes = release_hold(session, line.hot.firm.id, line.id)
    if minutes:
        _forget(writer, line)
    return [("dropped", line.hot.firm.id, line.id, minutes)] if minutes else []


def hours(writer: Writer, session: Session) -> list[Ack]:
    hot = writer.hot()
    actual_min = 15 * writer.luck.randint(40, 200)
    machine_id, week = writer.luck.choice(hot.machines), writer.luck.choice(HOT_WEEKS)
    change = offer_hours(session, hot.firm.actor(Role.FOREMAN), machine_id, week, actual_min)
    writer.changes.append((hot, change.id))
    return [("hours", hot.firm.id, change.id, actual_min)]


def undo_hours(writer: Writer, session: Session) -> list[Ack]:
    if not writer.changes:
        return []
    hot, change_id = writer.changes.pop()
    undo_offer(session, hot.firm.actor(Role.FOREMAN), change_id)
    return [("hours_undone", hot.firm.id, change_id, 0)]


WEIGHTS: dict[Path, int] = {
    yes: 16, part: 16, hold: 22, drop: 9, agree: 7, free: 7, withdraw: 6, undo: 3, no: 3, select: 5, seal: 4, lapse: 2,
    cancel: 6, hours: 6, undo_hours: 2, expire: 1,
}  # fmt: skip


def _live_offer(writer: Writer, session: Session, locks_it: bool = False) -> tuple[HotFirm, Offer | None]:
    """A living offer of a random request. The lock stands for that of the agreement, which is beyond this race."""
    hot = writer.hot()
    request_id = writer.luck.choice(hot.requests)
    if locks_it:
        bump_version(session, hot.firm.id)
        session.get_one(WorkRequest, (hot.firm.id, request_id), with_for_update=True)
    found = live_offers(session, hot.firm.id, request_id, "ours")
    return hot, found[-1] if found else None


def _reopen(writer: Writer, session: Session, hot: HotFirm) -> list[Ack]:
    """A chosen request takes no more answers: the race opens it again."""
    bump_version(session, hot.firm.id)
    session.execute(
        sa.update(WorkRequest)
        .where(WorkRequest.firm_id == hot.firm.id, WorkRequest.id == writer.luck.choice(hot.requests))
        .values(state="open")
    )
    return []


def _shared_line(writer: Writer) -> Line | None:
    """One that some thread of this process holds or has agreed."""
    known = list(writer.shared)
    return writer.luck.choice(known) if known else None


def _forget(writer: Writer, line: Line) -> None:
    if line in writer.shared:
        writer.shared.remove(line)
