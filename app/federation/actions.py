"""Sending and delivering messages, and files beside them. Consent is asked on leaving and on entering."""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken, WerkringError
from app.core.ids import new_id
from app.federation.models import FileOpening, Message, StoredFile
from app.federation.rules import Incoming
from app.firms.models import Firm
from app.partners.queries import may_receive, may_send
from app.partners.rules import WITHOUT_CONSENT

Inbox = Mapping[str, Callable[[Session, Incoming], None]]
MOST_FILE_BYTES = 25 * 1024 * 1024


def send_message(
    session: Session, from_firm_id: str, to_firm_id: str, kind: str, body: dict[str, Any], subject_id: str = ""
) -> str:
    """Write a message to a partner into our outbox; returns its id. Raises RuleBroken without consent."""
    if kind not in WITHOUT_CONSENT and not may_send(session, from_firm_id, to_firm_id, kind):
        raise RuleBroken("Mit diesem Betrieb besteht gerade keine Partnerschaft.")
    message = Message(
        firm_id=from_firm_id,
        id=new_id(),
        created_at=clock.now(),
        direction="out",
        peer_id=to_firm_id,
        kind=kind,
        seq=_next_seq(session, from_firm_id, to_firm_id),
        body=body,
        subject_id=subject_id,
        state="waiting",
        next_try_at=clock.now(),
    )
    session.add(message)
    session.flush()
    session.info.setdefault("events", [])
    session.info["has_messages"] = True
    return message.id


def cancel_waiting(session: Session, from_firm_id: str, to_firm_id: str, keep: frozenset[str] = frozenset()) -> None:
    """Stop what still waits for a partner, except these kinds: the partnership ended."""
    session.execute(
        sa.update(Message)
        .where(Message.firm_id == from_firm_id, Message.peer_id == to_firm_id, Message.direction == "out")
        .where(Message.state == "waiting", Message.kind.not_in(keep))
        .values(state="cancelled")
    )


def waiting_messages(session: Session, now: dt.datetime) -> Sequence[tuple[str, str]]:
    """(firm_id, id) of messages whose time has come: for each pair of firms only the oldest one."""
    first = (
        sa.select(Message.firm_id, Message.peer_id, sa.func.min(Message.seq).label("seq"))
        .where(Message.direction == "out", Message.state == "waiting")
        .group_by(Message.firm_id, Message.peer_id)
        .subquery()
    )
    found = session.execute(
        sa.select(Message.firm_id, Message.id)
        .join(
            first,
            (Message.firm_id == first.c.firm_id) & (Message.peer_id == first.c.peer_id) & (Message.seq == first.c.seq),
        )
        .where(Message.direction == "out", Message.next_try_at <= now)
        .order_by(Message.id)
    )
    return [(row.firm_id, row.id) for row in found]


def deliver_message(session: Session, firm_id: str, message_id: str, inbox: Inbox) -> None:
    """Hand one message to its receiver on this node: effect, receiver's row and sender's row in one transaction."""
    message = session.get(Message, (firm_id, message_id))
    if message is None or message.state != "waiting":
        return
    try:
        with session.begin_nested():
            state = _receive(session, message, inbox)
    except WerkringError as refusal:
        message.state, message.error = "refused", refusal.text[:300] or type(refusal).__name__
        return
    message.state, message.delivered_at = state, clock.now()


def put_off(session: Session, firm_id: str, message_id: str, error: str, next_try_at: dt.datetime | None) -> None:
    """Note a failed delivery; without a next try the message is parked where a person sees it."""
    message = session.get(Message, (firm_id, message_id))
    if message is not None and message.state == "waiting":
        message.attempts += 1
        message.error = error[:300]
        message.next_try_at = next_try_at or message.next_try_at
        message.state = "waiting" if next_try_at else "parked"


def store_file(
    session: Session,
    firm_id: str,
    name: str,
    media_type: str,
    body: bytes,
    from_firm_id: str | None = None,
    is_clean: bool = True,
) -> str:
    """Keep the bytes of a file under a random id of the firm; returns the id. Type and size were checked by the caller."""
    if len(body) > MOST_FILE_BYTES:
        raise RuleBroken("Die Datei ist zu groß. Höchstens 25 MB sind möglich.", "file")
    file = StoredFile(
        firm_id=firm_id,
        id=new_id(),
        created_at=clock.now(),
        sha256=hashlib.sha256(body).hexdigest(),
        name=name[-120:],
        media_type=media_type,
        size=len(body),
        body=body,
        from_firm_id=from_firm_id,
        is_clean=is_clean,
    )
    session.add(file)
    session.flush()
    return file.id


def fetch_file(session: Session, firm_id: str, from_firm_id: str, file_id: str, sha256: str) -> str:
    """Copy a partner's file that a message named into our house; returns our id. Raises RuleBroken when it is not there."""
    theirs = session.scalar(
        sa.select(StoredFile).where(
            StoredFile.firm_id == from_firm_id, StoredFile.id == file_id, StoredFile.sha256 == sha256
        )
    )
    if theirs is None:
        raise RuleBroken("Die Datei des Partners ist nicht da.")
    return store_file(session, firm_id, theirs.name, theirs.media_type, theirs.body, from_firm_id, theirs.is_clean)


def note_opening(session: Session, file_owner_id: str, file_id: str, by_firm_id: str, by_person_id: str) -> None:
    """Write down for the owner that a firm opened the file: once per person and day."""
    today = clock.today()
    key = {"firm_id": file_owner_id, "file_id": file_id, "by_firm_id": by_firm_id, "by_person_id": by_person_id}
    if session.scalar(sa.select(FileOpening.id).filter_by(**key, day=today)) is None:
        session.add(FileOpening(id=new_id(), created_at=clock.now(), day=today, **key))


def _next_seq(session: Session, firm_id: str, peer_id: str) -> int:
    """The writer's lock (SQLite) or the sender's firm row (PostgreSQL) keeps two messages from taking one number."""
    session.execute(sa.select(Firm.id).where(Firm.id == firm_id).with_for_update())
    last = session.scalar(
        sa.select(sa.func.max(Message.seq)).where(
            Message.firm_id == firm_id, Message.direction == "out", Message.peer_id == peer_id
        )
    )
    return (last or 0) + 1


def _receive(session: Session, message: Message, inbox: Inbox) -> str:
    if session.get(Firm, message.peer_id) is None:
        raise NotFound
    if session.get(Message, (message.peer_id, message.id)) is not None:
        return "delivered"
    if message.kind not in WITHOUT_CONSENT and not may_receive(session, message.peer_id, message.firm_id, message.kind):
        raise NotFound
    action = inbox.get(message.kind)
    _note_arrival(session, message, "done" if action else "unknown")
    if action is not None:
        action(
            session,
            Incoming(message.peer_id, message.firm_id, message.id, message.kind, message.body, message.created_at),
        )
    return "delivered"


def _note_arrival(session: Session, message: Message, state: str) -> None:
    session.add(
        Message(
            firm_id=message.peer_id,
            id=message.id,
            created_at=message.created_at,
            direction="in",
            peer_id=message.firm_id,
            kind=message.kind,
            seq=message.seq,
            body=message.body,
            subject_id=message.subject_id,
            state=state,
            delivered_at=clock.now(),
        )
    )
    session.flush()
