"""The worker dies between commit and delivery, again and again: everything arrives, and everything arrives once."""

import contextlib
import datetime as dt
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import tests.tables  # noqa: F401
from app.capacity.models import CapacityWindow, Hold
from app.core import clock
from app.core.db import Database
from app.core.errors import WerkringError
from app.core.holidays import holidays_near
from app.core.outbox import OutboxRow
from app.federation.models import Message
from app.matching.models import MatchVerdict
from app.offers.actions import answer_no, answer_yes, undo_answer
from app.offers.models import Offer
from app.push.models import Alert
from app.requests.actions import (
    Details,
    ask_question,
    publish_request,
    save_details,
    start_draft,
    withdraw_request,
)
from app.requests.models import WorkRequest
from app.requests.rules import RequestKind, ShortageReason, default_reply_by
from tests.long.kill_worker import shoot
from tests.long.processes import forked
from tests.long.race_world import MONDAY
from tests.requests.story import NEED
from tests.world import TestFirm, make_world

KILLS, SHORT_KILLS = 200, 5
PARTNERS = ("yilmaz", "brandt", "nowak", "lindner", "vogt")
MOST_COMMITS = 25
PATIENCE_S = 60
Found = dict[str, Any]


@dataclass
class Node:
    """A node whose pages are this process and whose worker is another one."""

    folder: Path
    database: Database
    world: dict[str, TestFirm]
    luck: random.Random
    minute: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    published: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def now(self) -> dt.datetime:
        """Each worker starts its clock a minute later: what the last one wrote is due for the next."""
        return MONDAY + dt.timedelta(minutes=self.minute)


def run(is_short: bool, seed: int) -> Found:
    """So many deaths, each followed by a new worker; then the planted fault, a message that is delivered twice."""
    with tempfile.TemporaryDirectory() as folder:
        node = open_node(Path(folder), seed)
        while sum(node.kills.values()) < (SHORT_KILLS if is_short else KILLS):
            kill_round(node)
        node.faults += check(node)
        delivered = _delivered(node)
        caught = is_planted_caught(node)
        node.database.close()
    return {
        "ok": caught and not node.faults and delivered > 0,
        "kills": sum(node.kills.values()),
        "before_commit": node.kills["before"],
        "after_commit": node.kills["after"],
        "requests": len(node.published),
        "delivered": delivered,
        "faults": len(node.faults),
        "first_faults": node.faults[:5],
        "planted_caught": caught,
    }


def open_node(folder: Path, seed: int) -> Node:
    database = Database(f"sqlite:///{folder}/werkring.sqlite")
    database.create_tables()
    with clock.frozen(MONDAY), database.write() as session:
        world = make_world(session)
    return Node(folder, database, world, random.Random(seed))


def kill_round(node: Node) -> None:
    """Something happens on the pages; workers die over it until one lives through it; nothing is left or doubled."""
    node.minute += 1
    with clock.frozen(node.now):
        for act in node.luck.choices((_publish, _answer, _undo, _refuse, _ask, _withdraw), (4, 6, 2, 1, 2, 2), k=3):
            with contextlib.suppress(WerkringError), node.database.write() as session:
                act(node, session)
        if not node.published:
            with node.database.write() as session:
                _publish(node, session)
    while _work(node, node.luck.randint(2, MOST_COMMITS), node.luck.choice(("before", "after"))):
        pass


def check(node: Node) -> list[str]:
    """What must hold when all is quiet."""
    with node.database.read() as session:
        return [*_unsettled(session), *_undelivered(session), *_uneven(session, node), *_drift(session)]


def is_planted_caught(node: Node) -> bool:
    """A second arrival of one message, and minutes held for nothing: the checks must see both."""
    with node.database.write() as session:
        row = session.scalars(sa.select(Message).where(Message.direction == "in").limit(1)).one()
        values = {column.name: getattr(row, column.key) for column in Message.__table__.columns}
        session.execute(sa.insert(Message).values(**values | {"id": row.id[:-1] + "x", "seq": row.seq + 1000}))
        window = session.scalars(sa.select(CapacityWindow).where(CapacityWindow.actual_min > 60).limit(1)).one()
        window.actual_min, window.held_min = window.actual_min + 15, window.held_min + 15
        window.maximum_min += 15
    found = check(node)
    return any("arrived" in fault for fault in found) and any("held" in fault for fault in found)


def _work(node: Node, die_at: int, when: str) -> bool:
    """One worker, until it is dead (True) or all is quiet (False)."""
    node.minute += 1
    env = {"DATA_DIR": str(node.folder), "CLOCK_START": node.now.isoformat(), "PRACTICE": "off"}
    process = forked().Process(target=shoot, args=(env, node.folder / "worker.log", die_at, when))
    process.start()
    try:
        died = _until(lambda: not process.is_alive() or _is_quiet(node)) and not process.is_alive()
    finally:
        process.kill()  # it never needs a clean end
        process.join(10)
    if died and process.exitcode != -signal.SIGKILL:
        said = (node.folder / "worker.log").read_text(errors="replace")[-500:]
        node.faults.append(f"the worker ended with {process.exitcode}: {said}")
    if died:
        node.kills[when] += 1
    return died


def _until(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.05)
    raise TimeoutError("the worker neither died nor finished")


def _is_quiet(node: Node) -> bool:
    with node.database.read() as session:
        return not _unsettled(session) and not _undelivered(session)


def _publish(node: Node, session: Session) -> None:
    keller = node.world["keller"].actor()
    details = Details(
        shortage_reason=ShortageReason.CAPACITY,
        reply_by=default_reply_by(clock.now(), holidays_near(clock.today())),
        partner_ids=tuple(node.world[key].id for key in PARTNERS),
        contact_name="Petra",
    )
    request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
    save_details(session, keller, request_id, NEED, details)
    publish_request(session, keller, request_id)
    node.published.append(request_id)


def _answer(node: Node, session: Session) -> None:
    for key in node.luck.sample(PARTNERS, 2):
        answer_yes(session, node.world[key].id, _foreman(node.world[key]), node.luck.choice(node.published))


def _undo(node: Node, session: Session) -> None:
    firm = node.world[node.luck.choice(PARTNERS)]
    undo_answer(session, firm.id, _foreman(firm), node.luck.choice(node.published))


def _refuse(node: Node, session: Session) -> None:
    firm = node.world[node.luck.choice(PARTNERS)]
    answer_no(session, firm.id, _foreman(firm), node.luck.choice(node.published))


def _ask(node: Node, session: Session) -> None:
    firm = node.world[node.luck.choice(PARTNERS)]
    ask_question(session, firm.actor(), node.luck.choice(node.published), "Welches Material?")


def _withdraw(node: Node, session: Session) -> None:
    withdraw_request(session, node.world["keller"].actor(), node.luck.choice(node.published))


def _foreman(firm: TestFirm) -> str:
    return next(person for role, person in firm.people.items() if role == "foreman")


def _unsettled(session: Session) -> list[str]:
    rows = session.scalars(sa.select(OutboxRow).where(OutboxRow.settled_at.is_(None) | (OutboxRow.attempts > 0)))
    return [f"event {row.kind} settled {row.settled_at}, {row.attempts} failures: {row.error}" for row in rows]


def _undelivered(session: Session) -> list[str]:
    """An offer to a request that was withdrawn meanwhile is refused: that is an end too."""
    done = ("delivered", "refused", "cancelled")
    rows = session.scalars(sa.select(Message).where(Message.direction == "out", Message.state.not_in(done)))
    return [f"message {row.kind} is {row.state}: {row.error}" for row in rows]


def _delivered(node: Node) -> int:
    with node.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Message).where(Message.direction == "in")) or 0


def _uneven(session: Session, node: Node) -> list[str]:
    """What left one house arrived once in the other, and had its effect once."""
    columns = (Message.peer_id, Message.firm_id, Message.kind)
    sent = Counter(session.execute(sa.select(*columns).where(Message.direction == "out", Message.state == "delivered")))
    columns = (Message.firm_id, Message.peer_id, Message.kind)
    came = Counter(session.execute(sa.select(*columns).where(Message.direction == "in")))
    faults = [f"{lane[2]}: sent {sent[lane]}, arrived {came[lane]}" for lane in sent | came if sent[lane] != came[lane]]
    for request_id in node.published:
        houses = session.scalar(sa.select(sa.func.count()).select_from(WorkRequest).where(WorkRequest.id == request_id))
        judged = session.scalar(
            sa.select(sa.func.count()).select_from(MatchVerdict).where(MatchVerdict.request_id == request_id)
        )
        if (houses, judged) != (1 + len(PARTNERS), len(PARTNERS)):
            faults.append(f"request {request_id} stands in {houses} houses and was judged {judged} times")
    alerts = session.execute(
        sa.select(Alert.person_id, Alert.subject_id, sa.func.count())
        .where(Alert.kind == "request")
        .group_by(Alert.person_id, Alert.subject_id)
    ).all()
    faults += [f"{person} was alerted {times} times to one request" for person, _, times in alerts if times != 1]
    return faults + _offers_apart(session)


def _offers_apart(session: Session) -> list[str]:
    """An offer that was sent says the same in both houses."""
    sides: dict[str, dict[str, str]] = {}
    for row in session.execute(sa.select(Offer.id, Offer.side, Offer.state)):
        sides.setdefault(row.id, {})[row.side] = row.state
    return [
        f"offer {offer_id} is {states}"
        for offer_id, states in sides.items()
        if "theirs" in states and states.get("ours") != states["theirs"] and "declined" not in states.values()
    ]


def _drift(session: Session) -> list[str]:
    held = sa.select(sa.func.coalesce(sa.func.sum(Hold.minutes), 0)).where(Hold.state == "held")
    rows = session.scalar(held)
    counted = session.scalar(sa.select(sa.func.sum(CapacityWindow.held_min)))
    return [] if rows == counted else [f"{rows} minutes are held, the windows count {counted}"]
