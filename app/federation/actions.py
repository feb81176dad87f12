"""Sending and delivering messages between firms. Consent is asked on leaving, once more on the way, and on entering."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken, WerkringError
from app.core.events import MessageParked
from app.core.ids import new_id
from app.core.outbox import emit
from app.core.prepared import Prepared
from app.federation.files import MOST_FILE_BYTES as MOST_FILE_BYTES
from app.federation.files import drop_files as drop_files
from app.federation.files import fetch_file as fetch_file
from app.federation.files import grant_files
from app.federation.files import note_opening as note_opening
from app.federation.files import set_files_open as set_files_open
from app.federation.files import store_file as store_file
from app.federation.lanes import first_waiting, is_lane_used, park_lane, parked_since, resume_lane, wake_lane
from app.federation.lanes import waiting_messages as waiting_messages
from app.federation.models import Message
from app.federation.rules import Incoming, check_body, next_try
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.notary.models import table_of
from app.notary.transfer import is_elsewhere
from app.partners.queries import may_receive, may_send, shown_partnership


@dataclass(frozen=True)
class Arriving:
    """A message at the receiver's door, whichever way it came: to whom, from whom, and what it says."""

    firm_id: str
    from_id: str
    id: str
    kind: str
    seq: int
    body: dict[str, Any]
    subject_id: str
    at: dt.datetime


_MESSAGE = table_of(Message)
_NEW = Prepared(sa.insert(_MESSAGE))
_ARRIVED = Prepared(
    sa.select(_MESSAGE.c.id).where(_MESSAGE.c.firm_id == sa.bindparam("firm_id"), _MESSAGE.c.id == sa.bindparam("id"))
)
Inbox = Mapping[str, Callable[[Session, Incoming], None]]


def send_message(
    session: Session,
    from_firm_id: str,
    to_firm_id: str,
    kind: str,
    body: dict[str, Any],
    subject_id: str = "",
    created_at: dt.datetime | None = None,
) -> str:
    """Write a message to a partner into our outbox; returns its id. The partner may fetch the files it names.

    `created_at`: when what it tells of was done, where a worker that stood still since must not make it look late.
    Raises RuleBroken without consent, or for a body that is no plain JSON of at most 256 kB.
    """
    if not may_send(session, from_firm_id, to_firm_id, kind, body):
        raise RuleBroken("Mit diesem Betrieb besteht gerade keine Partnerschaft.")
    if is_elsewhere(session, from_firm_id):
        raise Conflict("Euer Betrieb arbeitet auf einem anderen Server. Hier geht nichts mehr hinaus.")
    check_body(body)
    now = clock.now()
    grant_files(session, from_firm_id, to_firm_id, body)
    message = Message(
        firm_id=from_firm_id,
        id=new_id(),
        created_at=created_at or now,
        direction="out",
        peer_id=to_firm_id,
        kind=kind,
        seq=_next_seq(session, from_firm_id, to_firm_id),
        body=body,
        subject_id=subject_id,
        state="parked" if parked_since(session, from_firm_id, to_firm_id) else "waiting",
        next_try_at=now,
        waits_since=now,
    )
    session.add(message)
    session.flush()
    session.info["has_messages"] = True
    return message.id


def cancel_waiting(session: Session, from_firm_id: str, to_firm_id: str, keep: frozenset[str] = frozenset()) -> int:
    """Stop what still waits for a partner, except these kinds: the partnership ended. Returns how many that were."""
    cancelled = session.execute(
        sa.update(Message)
        .where(Message.firm_id == from_firm_id, Message.peer_id == to_firm_id, Message.direction == "out")
        .where(Message.state.in_(("waiting", "parked")), Message.kind.not_in(keep))
        .values(state="cancelled")
    )
    return int(cancelled.rowcount)  # type: ignore[attr-defined]


def erase_bodies(session: Session, firm_id: str, subject_ids: Collection[str], kept: Collection[str] = ()) -> None:
    """Erase what messages about these subjects said, except to and from the partners kept; that they went stays."""
    found = session.scalars(
        sa.select(Message)
        .where(Message.firm_id == firm_id, Message.subject_id.in_(subject_ids), Message.peer_id.not_in(kept))
        .where(Message.state != "waiting")
    )
    for message in found:
        if message.state == "parked":
            message.state = "cancelled"
        # which request an offer answered: a partner's habit of answering is counted by that
        message.body = {name: message.body[name] for name in ("request_id",) if name in message.body}


def following_message(session: Session, firm_id: str, message_id: str, now: dt.datetime) -> str | None:
    """The next message of the same pair, if the given one is out of the way and the next one's time has come."""
    done = session.get(Message, (firm_id, message_id))
    if done is None or done.state == "waiting":
        return None
    following = first_waiting(session, firm_id, done.peer_id)
    return None if following is None or following.next_try_at > now else str(following.id)


def deliver_message(session: Session, firm_id: str, message_id: str, inbox: Inbox) -> None:
    """Hand one message to its receiver on this node: effect, receiver's row and sender's row in one transaction.

    A second worker waits for the row, finds it done and does nothing. A message never overtakes an older one.
    """
    message = session.get(Message, (firm_id, message_id), with_for_update=True, populate_existing=True)
    if message is None or message.state != "waiting" or message.direction != "out":
        return
    first = first_waiting(session, firm_id, message.peer_id)
    if first is None or first.id != message.id:
        return
    if not may_send(session, firm_id, message.peer_id, message.kind, message.body):
        message.state = "cancelled"
        return
    # Both firms change. In one order always, or two messages that cross would wait for each other.
    for one in sorted((firm_id, message.peer_id)):
        bump_version(session, one)
    try:
        with session.begin_nested():
            take_message(session, _arriving(message), inbox)
    except WerkringError as refusal:
        message.state, message.error = "refused", str(refusal)[:300] or type(refusal).__name__
        note_refusal(session, _arriving(message))
    else:
        message.state, message.delivered_at = "delivered", clock.now()
        hear_partner(session, message.peer_id, firm_id)


def hear_partner(session: Session, firm_id: str, partner_id: str) -> None:
    """Something came from the partner, so it is there: what rested on the way to it goes."""
    if not is_lane_used(session, firm_id, partner_id):
        return
    resume_lane(session, firm_id, partner_id, clock.now())
    wake_lane(session, firm_id, partner_id, clock.now())


def put_off(session: Session, firm_id: str, message_id: str, error: str) -> None:
    """Note a failed delivery: tried again after 1 minute … 6 hours; after 7 days its lane rests and a person is told."""
    message = session.get(Message, (firm_id, message_id), with_for_update=True, populate_existing=True)
    if message is None or message.state != "waiting":
        return
    message.attempts += 1
    message.error = error[:300]
    following = next_try(message.waits_since or message.created_at, message.attempts, clock.now())
    if following is not None:
        message.next_try_at = following
        return
    # before the lane: the firm's row keeps out who writes one more message meanwhile
    bump_version(session, firm_id)
    session.flush()
    park_lane(session, firm_id, message.peer_id)
    detail = {"kind": message.kind}
    note_event(session, firm_id, None, "message_parked", "message", message.id, message.peer_id, detail)
    emit(session, MessageParked(firm_id, message.id, message.peer_id, message.created_at.isoformat()))


def resend_parked(session: Session, actor: Actor, partner_id: str) -> None:
    """Try once more, in order, what did not reach a partner. Raises NotFound for a stranger; twice does nothing more."""
    partner = shown_partnership(session, actor.firm_id, partner_id)
    bump_version(session, actor.firm_id)
    if resume_lane(session, actor.firm_id, partner_id, clock.now()):
        session.info["has_messages"] = True
        named = {"object": partner.name}
        note_event(session, actor.firm_id, actor.person_id, "messages_resent", "partner", partner_id, partner_id, named)


def _next_seq(session: Session, firm_id: str, peer_id: str) -> int:
    """The writer's lock (SQLite) or the sender's firm row (PostgreSQL) keeps two messages from taking one number."""
    session.execute(sa.select(Firm.id).where(Firm.id == firm_id).with_for_update())
    last = session.scalar(
        sa.select(sa.func.max(Message.seq)).where(
            Message.firm_id == firm_id, Message.direction == "out", Message.peer_id == peer_id
        )
    )
    return (last or 0) + 1


def take_message(session: Session, arriving: Arriving, inbox: Inbox) -> None:
    """Let a message that passed every check before take effect, and note that it came."""
    # 1. size and form
    check_body(arriving.body)
    # 2. audience
    if session.get(Firm, arriving.firm_id) is None:
        raise NotFound
    # 3. unseen: what arrived before is done
    if has_arrived(session, arriving.firm_id, arriving.id):
        return
    # 4. consent and scope of the receiver; only the messages that make a partnership bring their own right
    if not may_receive(session, arriving.firm_id, arriving.from_id, arriving.kind, arriving.body):
        raise NotFound
    take_effect(session, arriving, inbox)


def take_effect(session: Session, arriving: Arriving, inbox: Inbox) -> None:
    """Note a message that passed every check in this transaction, and do what it says."""
    action = inbox.get(arriving.kind)
    _note_arrival(session, arriving, "done" if action else "unknown")
    if action is not None:
        # 5. the time is the sender's word: nothing was said after it came
        at = min(arriving.at, clock.now())
        action(session, Incoming(arriving.firm_id, arriving.from_id, arriving.id, arriving.kind, arriving.body, at))


def has_arrived(session: Session, firm_id: str, message_id: str) -> bool:
    """Say whether a message stands in the firm's house already."""
    session.flush()
    return _ARRIVED.row(session.connection(), firm_id=firm_id, id=message_id) is not None


def note_refusal(session: Session, arriving: Arriving) -> None:
    """One line in the Protokoll of the house that refused; a message to nobody leaves none."""
    if session.get(Firm, arriving.firm_id) is not None:
        note_event(
            session, arriving.firm_id, None, "message_refused", "message", arriving.id, arriving.from_id,
            {"kind": arriving.kind}, f"refused:{arriving.id}",
        )  # fmt: skip


def _note_arrival(session: Session, arriving: Arriving, state: str) -> None:
    session.flush()
    _NEW.change(
        session.connection(), firm_id=arriving.firm_id, id=arriving.id, created_at=arriving.at, direction="in",
        peer_id=arriving.from_id, kind=arriving.kind, seq=arriving.seq, body=arriving.body,
        subject_id=arriving.subject_id, state=state, delivered_at=clock.now(), attempts=0, next_try_at=None,
        waits_since=None, error="",
    )  # fmt: skip


def _arriving(message: Message) -> Arriving:
    """A message to a firm on this node, as that firm sees it."""
    return Arriving(
        message.peer_id, message.firm_id, message.id, message.kind, message.seq, message.body, message.subject_id,
        message.created_at,
    )  # fmt: skip
