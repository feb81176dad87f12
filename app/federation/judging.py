"""What a partner's node sent, once its signature held: each message is judged alone, and none overtakes another."""

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken, WerkringError
from app.core.ids import new_id
from app.core.prepared import Prepared
from app.federation.actions import Arriving, Inbox, has_arrived, hear_partner, note_refusal, take_effect
from app.federation.envelopes import ADDRESS, Envelope, read_envelope
from app.federation.files import want_files
from app.federation.models import Message, MessageRefusal
from app.firms.actions import bump_version
from app.notary.models import table_of
from app.notary.queries import key_document
from app.notary.transfer import forwards, is_elsewhere
from app.partners.queries import may_receive

log = structlog.get_logger()
SOON_S = 1
LONGEST_WRITE_S = 0.02
"""After so long a group goes on in a transaction of its own: whoever else wants to write must not wait for all of it"""
LONGEST_ANSWER_S = 2.0
"""The sender's node hangs up after five seconds. What nobody judged by then it sends again"""


class Refused(Exception):
    """Not let in: status, a word for the audit, and what the sender's people may read."""

    def __init__(self, status: int, reason: str, text: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.text = status, reason, text


@dataclass(frozen=True)
class Answer:
    """What the sender's node is told."""

    status: int
    body: dict[str, Any]
    retry_after_s: int = 0


@dataclass(frozen=True)
class Peer:
    """Who sends to whom, as far as we know them; without `partner_id` it is a stranger with an invitation."""

    firm_id: str
    sender: str
    receiver: str
    partner_id: str = ""


@dataclass(frozen=True)
class Opened:
    """One of several messages, read before anybody waits for the transaction; its id is the request's if it has none."""

    id: str
    content: Envelope | Refused


_MESSAGE, _REFUSAL = table_of(Message), table_of(MessageRefusal)
_LAST = Prepared(
    sa.select(sa.func.max(_MESSAGE.c.seq).label("seq")).where(
        _MESSAGE.c.firm_id == sa.bindparam("firm_id"),
        _MESSAGE.c.direction == "in",
        _MESSAGE.c.peer_id == sa.bindparam("peer_id"),
    )
)
_REFUSED = Prepared(
    sa.select(_REFUSAL.c.status, _REFUSAL.c.text)
    .where(_REFUSAL.c.firm_id == sa.bindparam("firm_id"), _REFUSAL.c.message_id == sa.bindparam("message_id"))
    .where(_REFUSAL.c.sender == sa.bindparam("sender"), _REFUSAL.c.reason == "rule")
    .limit(1)
)


def judge_lines(database: Database, inbox: Inbox, peer: Peer, lines: Sequence[bytes], nonce: str) -> Answer:
    """Several messages, a line each: one verdict for each in its order, as far as none holds up those behind it.

    What is told was stored before. Of a group that took too long the rest stays without a verdict.
    """
    verdicts: list[dict[str, Any]] = []
    opened = [_opened(line, peer, nonce) for line in lines]
    end = time.monotonic() + LONGEST_ANSWER_S
    while len(verdicts) < len(lines) and not (verdicts and _holds_up(verdicts[-1])) and time.monotonic() < end:
        with database.write() as session:
            verdicts += _judge_some(session, inbox, peer, opened[len(verdicts) :])
    return Answer(200, {"state": "judged", "verdicts": verdicts})


def judge_message(session: Session, inbox: Inbox, peer: Peer, partner_id: str, envelope: Envelope) -> Answer:
    """In this transaction, which has the receiver's firm: consent, once only, order, files, effect. Raises Refused."""
    if not may_receive(session, peer.firm_id, partner_id, envelope.kind, envelope.body):
        raise Refused(404, "consent")
    if has_arrived(session, peer.firm_id, envelope.id):
        add_refusal(session, peer.firm_id, peer.sender, "repeated", 200, envelope.id)
        return Answer(200, {"state": "done"})
    # refused once, refused again: else it would come behind younger messages, and be judged by what happened since
    refused = _REFUSED.row(session.connection(), firm_id=peer.firm_id, message_id=envelope.id, sender=peer.sender)
    if refused is not None:
        add_refusal(session, peer.firm_id, peer.sender, "repeated", refused.status, envelope.id)
        return Answer(refused.status, {"state": "refused", "reason": "rule", "error": refused.text})
    if is_elsewhere(session, peer.firm_id):
        return _answer_of_old_node(session, peer, envelope)
    last = _last_seq(session, peer.firm_id, partner_id)
    if envelope.seq <= last:
        add_refusal(session, peer.firm_id, peer.sender, "order", 409, envelope.id)
        return Answer(409, {"state": "order", "last": last})
    if want_files(session, peer.firm_id, partner_id, envelope.body):
        session.info["has_messages"] = True
        return Answer(503, {"state": "later"}, SOON_S)
    at = dt.datetime.fromtimestamp(envelope.at, dt.UTC)
    arriving = Arriving(
        peer.firm_id, partner_id, envelope.id, envelope.kind, envelope.seq, envelope.body, envelope.subject, at
    )
    try:
        with session.begin_nested():
            take_effect(session, arriving, inbox)
    except WerkringError as refusal:
        note_refusal(session, arriving)
        text = str(refusal)[:300]
        add_refusal(session, peer.firm_id, peer.sender, "rule", refusal.status, envelope.id, text)
        return Answer(refusal.status, {"state": "refused", "reason": "rule", "error": text})
    return Answer(202, {"state": "done"})


def check_envelope(envelope: Envelope, peer: Peer) -> None:
    """What a message says of itself is what was signed, and still counts; raises Refused."""
    if (envelope.sender, envelope.receiver) != (peer.sender, peer.receiver):
        raise Refused(400, "envelope")
    if envelope.expires < clock.now().timestamp():
        raise Refused(400, "expired")


def parsed(body: bytes) -> Envelope:
    """The message in these bytes; raises Refused."""
    try:
        return read_envelope(body)
    except RuleBroken as error:
        raise Refused(400, "form", error.text) from None


def add_refusal(
    session: Session, firm_id: str, sender: str, reason: str, status: int, message_id: str, text: str = ""
) -> None:
    """One row for the audit."""
    session.add(
        MessageRefusal(
            id=new_id(),
            firm_id=firm_id,
            at=clock.now(),
            sender=sender if ADDRESS.fullmatch(sender) else "",
            reason=reason,
            status=status,
            message_id=message_id,
            text=text,
        )
    )


def _opened(line: bytes, peer: Peer, nonce: str) -> Opened:
    message_id = nonce
    try:
        envelope = parsed(line)
        message_id = envelope.id
        check_envelope(envelope, peer)
    except Refused as refused:
        return Opened(message_id, refused)
    return Opened(message_id, envelope)


def _judge_some(session: Session, inbox: Inbox, peer: Peer, lines: Sequence[Opened]) -> list[dict[str, Any]]:
    verdicts: list[dict[str, Any]] = []
    end = time.monotonic() + LONGEST_WRITE_S
    bump_version(session, peer.firm_id)
    for line in lines:
        answer = _answered(session, inbox, peer, line)
        verdicts.append({"id": line.id, "status": answer.status, **answer.body})
        # the next one finds rows as they are, and tells its own news, as if it had come alone
        session.flush()
        session.expunge_all()
        session.info.pop("once", None)
        if _holds_up(verdicts[-1]) or time.monotonic() > end:
            break
    if any(verdict["status"] == 202 for verdict in verdicts):
        hear_partner(session, peer.firm_id, peer.partner_id)
    return verdicts


def _answered(session: Session, inbox: Inbox, peer: Peer, line: Opened) -> Answer:
    """As to this message alone. A fault of ours keeps back this one and what is behind it."""
    try:
        if isinstance(line.content, Refused):
            raise line.content
        return judge_message(session, inbox, peer, peer.partner_id, line.content)
    except Refused as refused:
        add_refusal(session, peer.firm_id, peer.sender, refused.reason, refused.status, line.id)
        return Answer(refused.status, {"state": "refused", "reason": refused.reason, "error": refused.text})
    except OperationalError:
        raise  # the database itself: nothing of this transaction is stored
    except Exception:
        log.exception("message failed", message_id=line.id)
        return Answer(500, {"state": "refused", "reason": "fault", "error": ""})


def _holds_up(verdict: dict[str, Any]) -> bool:
    """Neither taken nor refused for good: nothing behind it may overtake it."""
    return verdict["state"] not in ("done", "refused") or verdict["status"] >= 500


def _answer_of_old_node(session: Session, peer: Peer, envelope: Envelope) -> Answer:
    """The firm works at another node: a partner learns which one, for 90 days; a copy takes nothing, and all waits."""
    if forwards(session, peer.firm_id, clock.now()):
        return Answer(421, {"state": "moved", "keys": key_document(session, peer.firm_id)})
    add_refusal(session, peer.firm_id, peer.sender, "elsewhere", 503, envelope.id)
    return Answer(503, {"state": "refused", "reason": "elsewhere", "error": ""})


def _last_seq(session: Session, firm_id: str, partner_id: str) -> int:
    found = _LAST.row(session.connection(), firm_id=firm_id, peer_id=partner_id)
    return (found and found.seq) or 0
