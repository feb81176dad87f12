"""What goes out to other nodes: lanes side by side, each in its order, and no transaction open while the net is asked."""

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import WerkringError
from app.core.events import MessageParked
from app.core.ids import new_id
from app.core.outbox import emit
from app.core.outgoing import Answer, Courier, Unreachable, courier
from app.core.turns import Turns
from app.core.urls import base_url
from app.federation.actions import put_off
from app.federation.envelopes import LIFE, MOST_BYTES, MOST_TOGETHER, Envelope, write_envelope
from app.federation.http_signatures import INVITATION, sign_request
from app.federation.lanes import LEASE, resting_lanes, waiting_lanes, wake_node
from app.federation.models import WAITING, Message
from app.federation.rules import GIVE_UP_AFTER
from app.firms.actions import bump_version
from app.notary.messaging import MessageKey
from app.notary.queries import address, key_document, message_key
from app.notary.transfer import is_elsewhere
from app.partners.homes import follow_partner
from app.partners.models import Partnership
from app.partners.queries import find_partnership, sending_consent
from app.partners.rules import OWED

log = structlog.get_logger()
INBOX, SEVERAL, KEYS = "/federation/inbox", "/federation/inbox/several", "/federation/keys"
MOST_IN_A_ROW = 100
LONGEST_RUN_S = 60
TAKEN = (200, 202)
HOLDING_UP = ("later", "soon", "order", "moved")
FILE_WAITS_S = (0.3, 0.5, 1, 2)
"""While the partner's node fetches the files that a message names, its lane waits so long; then it tries again in a while"""
SOON = dt.timedelta(seconds=20)
LOOK_AGAIN_S = 0.2
PROBE_EVERY = dt.timedelta(minutes=5)
"""However long the lanes to a silent node rest: one of them, with the oldest message, looks so often whether it is back"""
_turns = Turns()
_silent: dict[tuple[str, str], dt.datetime] = {}
"""When each node was last knocked at in vain. A restart forgets it: that costs one knock more."""


@dataclass(frozen=True)
class Parcel:
    """One message ready to go."""

    id: str
    body: bytes
    more: dict[str, str]


@dataclass(frozen=True)
class Turn:
    """A lane that may go now. `is_probe`: it rests, and goes all the same to see whether its node is back."""

    firm_id: str
    peer_id: str
    is_probe: bool = False


@dataclass(frozen=True)
class Lane:
    """What waits for one partner on another node, claimed by this worker."""

    firm_id: str
    peer_id: str
    node: str
    sender: str
    receiver: str
    url: str
    key: MessageKey
    parcels: tuple[Parcel, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one parcel: delivered, refused, order (its number is taken), soon (files are on their way), moved
    (the partner lives elsewhere, says its old node) or later."""

    id: str
    state: str
    text: str = ""
    last: int = 0
    keys: object = None


def send_due_messages(database: Database, config: Config) -> None:
    """Send everything that is due. One run per process and database; a call during a run makes it look once more.

    The practice world sends nothing, ever.
    """
    if config.is_practice:
        return
    _turns.run(database.url, lambda: _run(database, config))


def claim_lane(session: Session, config: Config, turn: Turn, now: dt.datetime) -> Lane | None:
    """Take what waits for one partner, oldest first: whoever moves `next_try_at` has it for two minutes.

    A probe takes the oldest alone.
    """
    firm_id, peer_id = turn.firm_id, turn.peer_id
    rows = session.scalars(
        sa.select(Message)
        .where(Message.firm_id == firm_id, Message.peer_id == peer_id, WAITING)
        .order_by(Message.seq)
        .limit(1 if turn.is_probe else MOST_IN_A_ROW)
        .with_for_update()
    ).all()
    partner = find_partnership(session, firm_id, peer_id)
    if not rows or partner is None or not _may_go(rows[0], turn, now) or is_elsewhere(session, firm_id):
        return None
    own, parcels, may_send = address(session, firm_id), [], sending_consent(session, firm_id, peer_id)
    for row in rows:
        if may_send(row.kind, row.body):
            row.next_try_at = now + LEASE
            parcels.append(_parcel(row, own, partner, now))
        else:
            row.state = "cancelled"
    return Lane(
        firm_id, peer_id, partner.node, own, partner.address, base_url(partner.node, config.federation_test_nodes),
        message_key(session, firm_id), tuple(parcels),
    )  # fmt: skip


def note_outcomes(session: Session, lane: Lane, outcomes: list[Outcome]) -> None:
    """Write down what became of a lane's parcels; the first that did not arrive holds up all behind it."""
    now = clock.now()
    bump_version(session, lane.firm_id)
    rest = [parcel.id for parcel in lane.parcels[len(outcomes) :]]
    _note_delivered(session, lane, outcomes, now)
    for outcome in outcomes:
        if outcome.state == "delivered":
            continue
        if outcome.state == "later":
            put_off(session, lane.firm_id, outcome.id, outcome.text)
        elif outcome.state == "moved":
            _follow(session, lane, outcome, now)
        elif outcome.state == "soon":
            _try_soon(session, lane.firm_id, outcome.id, now)
        elif outcome.state == "order":
            _renumber(session, lane, outcome.last)
            _release(session, lane.firm_id, [outcome.id], now + SOON)
        else:
            _refuse(session, lane, outcome)
    _release(session, lane.firm_id, rest, now)


def _run(database: Database, config: Config) -> None:
    due = _due(database)
    if due:
        asyncio.run(_send_all(database, config, due))


async def _send_all(database: Database, config: Config, due: list[Turn]) -> None:
    """Every lane goes at its own pace: a slow one holds up no other, and what is new meanwhile goes at once."""
    tasks: dict[tuple[str, str], asyncio.Task[bool]] = {}
    async with courier(config.federation_test_nodes) as post:
        while due or tasks:
            for turn in due:
                if (turn.firm_id, turn.peer_id) not in tasks:
                    sending = asyncio.create_task(_send_lane(database, config, post, turn))
                    tasks[turn.firm_id, turn.peer_id] = sending
            if tasks:
                await asyncio.wait(tasks.values(), timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
            is_full = any(task.done() and task.result() for task in tasks.values())
            tasks = {lane: task for lane, task in tasks.items() if not task.done()}
            is_new = _turns.was_asked_again(database.url) or is_full
            due = await asyncio.to_thread(_due, database) if is_new else []


def _due(database: Database) -> list[Turn]:
    """Lanes whose time has come, and one lane to each silent node that nobody has looked for lately."""
    now = clock.now()
    with database.read() as session:
        turns = [Turn(*lane) for lane in waiting_lanes(session, now)]
        resting = {node: (firm_id, peer_id) for firm_id, peer_id, node in reversed(resting_lanes(session, now))}
    for node, lane in resting.items():
        last = _silent.get((database.url, node))
        if last is None or last + PROBE_EVERY <= now:
            turns.append(Turn(*lane, is_probe=True))
    return turns


async def _send_lane(database: Database, config: Config, post: Courier, turn: Turn) -> bool:
    """Send what waits for one partner; True when more may wait: behind what was claimed, or for a node that is back."""
    try:
        lane = await asyncio.to_thread(_claimed, database, config, turn)
        if lane is not None and lane.parcels:
            outcomes = await _carry(database, post, lane)
            await asyncio.to_thread(_in_writing, database, lambda session: note_outcomes(session, lane, outcomes))
            is_back = await asyncio.to_thread(_note_node, database, lane.node, outcomes[-1].state != "later")
            return is_back or outcomes[-1].state in ("delivered", "refused", "moved")
    except Exception:
        # one lane's fault is no other lane's; the lease ends by itself
        log.exception("lane failed", firm_id=turn.firm_id)
    return False


def _note_node(database: Database, node: str, is_there: bool) -> bool:
    """Remember which nodes are silent; True when this one is back and all that waits for it may go."""
    if not is_there:
        _silent[database.url, node] = clock.now()
        return False
    if _silent.pop((database.url, node), None) is None:
        return False
    _in_writing(database, lambda session: wake_node(session, node, clock.now()))
    return True


def _claimed(database: Database, config: Config, turn: Turn) -> Lane | None:
    with database.write() as session:
        lane = claim_lane(session, config, turn, clock.now())
    if lane is not None and turn.is_probe:
        # before it knocks: no other lane to the same node shall do so meanwhile
        _silent[database.url, lane.node] = clock.now()
    return lane


def _may_go(first: Message, turn: Turn, now: dt.datetime) -> bool:
    """Its time has come; or it rests, and nobody has it under way."""
    if first.next_try_at is None:
        return False
    return first.next_try_at <= now or (turn.is_probe and first.next_try_at > now + LEASE)


def _in_writing(database: Database, act: Callable[[Session], None]) -> None:
    with database.write() as session:
        session.info["is_inside_worker"] = True
        act(session)


async def _carry(database: Database, post: Courier, lane: Lane) -> list[Outcome]:
    """Send in order, several in one request, until one does not arrive, or others should have their turn.

    A node that says nothing of a group gets it one by one, as every node must take it.
    """
    outcomes: list[Outcome] = []
    began = asyncio.get_running_loop().time()
    most = MOST_TOGETHER
    while len(outcomes) < len(lane.parcels):
        group = _group(lane.parcels[len(outcomes) :], most)
        judged = await _hand_over_together(post, lane, group) if len(group) > 1 else []
        most = 1 if judged is None else most
        outcomes += judged or [await _hand_over(database, post, lane, group[0])]
        if outcomes[-1].state in HOLDING_UP or asyncio.get_running_loop().time() - began > LONGEST_RUN_S:
            break
    return outcomes


def _group(parcels: Sequence[Parcel], most: int) -> Sequence[Parcel]:
    """As many of the first as one request may hold; one that opens an invitation goes alone."""
    length, size = 0, -1
    for parcel in parcels[:most]:
        size += len(parcel.body) + 1
        if length and (size > MOST_BYTES or parcel.more or parcels[0].more):
            break
        length += 1
    return parcels[:length]


async def _hand_over_together(post: Courier, lane: Lane, parcels: Sequence[Parcel]) -> list[Outcome] | None:
    """Several messages in one request: what became of those that were judged. None: nobody there judges a group."""
    nonce = new_id()
    try:
        answer = await _post(post, lane, SEVERAL, Parcel(nonce, b"\n".join(one.body for one in parcels), {}))
    except Unreachable as error:
        return [Outcome(parcels[0].id, "later", str(error))]
    said = _read(answer, nonce)
    if said is None or not isinstance(said.get("verdicts"), list):
        return None
    outcomes: list[Outcome] = []
    for parcel, verdict in zip(parcels, said["verdicts"], strict=False):
        # what it cannot take yet is asked for alone, and waited for
        if not _is_verdict(verdict, parcel.id) or verdict["state"] == "later":
            break
        outcomes.append(_judged(parcel, verdict["status"], verdict))
        if outcomes[-1].state in HOLDING_UP:
            break
    return outcomes


def _is_verdict(verdict: Any, message_id: str) -> bool:
    if not isinstance(verdict, dict) or verdict.get("id") != message_id:
        return False
    return isinstance(verdict.get("state"), str) and type(verdict.get("status")) is int


async def _hand_over(database: Database, post: Courier, lane: Lane, parcel: Parcel) -> Outcome:
    """One message until the partner's node has said yes, no, or nothing that counts."""
    has_told_keys, waits = False, list(FILE_WAITS_S)
    while True:
        try:
            answer = await _post(post, lane, INBOX, parcel)
        except Unreachable as error:
            return Outcome(parcel.id, "later", str(error))
        said = _read(answer, parcel.id)
        if said is None:
            return Outcome(parcel.id, "later", f"status {answer.status}")
        if said.get("reason") == "key" and not has_told_keys:
            has_told_keys = await _tell_keys(database, post, lane)
            if has_told_keys:
                continue
        if said["state"] != "later":
            return _judged(parcel, answer.status, said)
        if not waits:
            return Outcome(parcel.id, "soon")
        await asyncio.sleep(waits.pop(0))


async def _post(post: Courier, lane: Lane, path: str, parcel: Parcel) -> Answer:
    url = lane.url + path
    now_s = int(clock.now().timestamp())
    headers = sign_request(
        "POST", url, lane.sender, lane.receiver, parcel.body, lane.key, parcel.id, now_s, parcel.more
    )
    return await post.send("POST", url, headers | {"content-type": "application/json"}, parcel.body)


async def _tell_keys(database: Database, post: Courier, lane: Lane) -> bool:
    """The partner does not know our newest key: our key document proves it by the chain of keys."""
    document = await asyncio.to_thread(_own_keys, database, lane.firm_id)
    body = json.dumps({"to": lane.receiver, "document": document}).encode()
    try:
        answer = await post.send("POST", lane.url + KEYS, {"content-type": "application/json"}, body)
    except Unreachable:
        return False
    return answer.status == 204


def _own_keys(database: Database, firm_id: str) -> dict[str, Any]:
    with database.read() as session:
        return key_document(session, firm_id)


def _read(answer: Answer, nonce: str) -> dict[str, Any] | None:
    """What a node of ours says to this very request; None for anything else that answers on the way."""
    if answer.headers.get("werkring-answer") != nonce:
        return None
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("state"), str) else None


def _judged(parcel: Parcel, status: int, said: dict[str, Any]) -> Outcome:
    """Keys, clocks and crowds are about the moment; every other no is about the message."""
    if status in TAKEN:
        return Outcome(parcel.id, "delivered")
    last = said.get("last")
    if said["state"] == "order" and type(last) is int and 0 < last < 2**40:
        return Outcome(parcel.id, "order", last=last)
    if said["state"] == "moved":
        return Outcome(parcel.id, "moved", keys=said.get("keys"))
    # a firm that is on its way from node to node is not there yet
    if status in (401, 408, 411, 429) or status >= 500 or said.get("reason") == "audience":
        return Outcome(parcel.id, "later", f"{said.get('reason', status)}")
    return Outcome(parcel.id, "refused", str(said.get("error") or said.get("reason") or status)[:300])


def _parcel(row: Message, own: str, partner: Partnership, now: dt.datetime) -> Parcel:
    envelope = Envelope(
        id=row.id,
        sender=own,
        receiver=partner.address,
        seq=row.seq,
        kind=row.kind,
        at=int(row.created_at.timestamp()),
        expires=int((now + LIFE).timestamp()),
        subject=row.subject_id,
        body=row.body,
    )
    is_first = row.kind == "partner.accept" and bool(partner.token)
    return Parcel(row.id, write_envelope(envelope), {INVITATION: partner.token} if is_first else {})


def _note_delivered(session: Session, lane: Lane, outcomes: list[Outcome], now: dt.datetime) -> None:
    delivered = {outcome.id for outcome in outcomes if outcome.state == "delivered"}
    session.execute(
        sa.update(Message)
        .where(Message.firm_id == lane.firm_id, Message.id.in_(delivered), WAITING)
        .values(state="delivered", delivered_at=now, error="")
        .execution_options(synchronize_session=False)
    )
    opened = any(parcel.more and parcel.id in delivered for parcel in lane.parcels)
    if opened and (partner := find_partnership(session, lane.firm_id, lane.peer_id)):
        partner.token = ""


def _refuse(session: Session, lane: Lane, outcome: Outcome) -> None:
    message = session.get(Message, (lane.firm_id, outcome.id), with_for_update=True, populate_existing=True)
    if message is None or message.state != "waiting":
        return
    message.state, message.error = "refused", outcome.text
    if message.kind in OWED:
        # what is signed here counts here and not there: people have to talk
        emit(session, MessageParked(lane.firm_id, message.id, lane.peer_id, message.created_at.isoformat()))


def _follow(session: Session, lane: Lane, outcome: Outcome, now: dt.datetime) -> None:
    """An old node speaks for a partner that left it only by the partner's own log key."""
    try:
        with session.begin_nested():
            has_moved = follow_partner(session, lane.firm_id, lane.peer_id, outcome.keys)
    except WerkringError:
        has_moved = False
    if has_moved:
        _release(session, lane.firm_id, [outcome.id], now)
    else:
        put_off(session, lane.firm_id, outcome.id, "moved")


def _renumber(session: Session, lane: Lane, last: int) -> None:
    """The partner has seen higher numbers than ours: this node came back from a copy. What waits goes on behind them."""
    rows = session.scalars(
        sa.select(Message)
        .where(Message.firm_id == lane.firm_id, Message.peer_id == lane.peer_id, Message.direction == "out")
        .where(Message.state.in_(("waiting", "parked")))
        .order_by(Message.seq.desc())
        .with_for_update()
    ).all()
    highest = max([last, *(row.seq for row in rows)])
    for place, row in enumerate(rows):
        row.seq = highest + len(rows) - place
        session.flush()


def _try_soon(session: Session, firm_id: str, message_id: str, now: dt.datetime) -> None:
    """The partner still fetches what the message names. Where it cannot in seven days, a person has to look as ever."""
    message = session.get_one(Message, (firm_id, message_id))
    if now < (message.waits_since or message.created_at) + GIVE_UP_AFTER:
        _release(session, firm_id, [message_id], now + SOON)
    else:
        put_off(session, firm_id, message_id, "files")


def _release(session: Session, firm_id: str, message_ids: list[str], now: dt.datetime) -> None:
    """What was not tried is due again at once."""
    session.execute(
        sa.update(Message)
        .where(Message.firm_id == firm_id, Message.id.in_(message_ids), WAITING)
        .values(next_try_at=now)
        .execution_options(synchronize_session=False)
    )
