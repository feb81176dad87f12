"""What comes in from other nodes: nothing is parsed before its signature held, and nothing takes effect twice."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken, WerkringError
from app.core.ids import new_id
from app.federation.actions import Arriving, Inbox, has_arrived, hear_partner, note_refusal, take_effect
from app.federation.envelopes import ADDRESS, MOST_BYTES, Envelope, read_envelope
from app.federation.files import want_files
from app.federation.http_signatures import (
    INVITATION,
    LIFE_S,
    RECEIVER,
    SENDER,
    Claim,
    UnknownKey,
    Unsigned,
    check_request,
    digest_of,
)
from app.federation.models import Message, MessageRefusal, WantedFile
from app.firms.actions import bump_version
from app.firms.models import Firm
from app.notary.actions import remember_partner_keys
from app.notary.models import PartnerKeys
from app.notary.moved import new_home
from app.notary.queries import VerificationError, key_document, sender_key
from app.notary.transfer import forwards, is_closed, is_elsewhere
from app.partners.models import Partnership
from app.partners.queries import is_blocked, may_receive, open_invitation
from app.partners.receiving import take_stranger

INBOX_PATH = "/federation/inbox"
MOST_AT_ONCE = 4
"""So many messages of one partner are read at a time: slow ones must not hold all threads"""
SOON_S = 1
REFUSALS_KEPT, WANTED_KEPT = dt.timedelta(days=90), dt.timedelta(days=8)


class Refused(Exception):
    """Not let in: status, a word for the audit, and what the sender's people may read."""

    def __init__(self, status: int, reason: str, text: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.text = status, reason, text


@dataclass(frozen=True)
class Knock:
    """A request at the inbox before its body is read; `read` reads at most so many bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    length: int | None
    read: Callable[[int], bytes]


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


_FIRM = sa.select(Firm.id).where(Firm.address == sa.bindparam("address"))
_PARTNER = (
    sa.select(Partnership.partner_id, Partnership.node)
    .join(
        PartnerKeys,
        (PartnerKeys.firm_id == Partnership.firm_id) & (PartnerKeys.partner_id == Partnership.partner_id),
    )
    .where(Partnership.firm_id == sa.bindparam("firm_id"), Partnership.address == sa.bindparam("address"))
)
_LAST = sa.select(sa.func.max(Message.seq)).where(
    Message.firm_id == sa.bindparam("firm_id"), Message.direction == "in", Message.peer_id == sa.bindparam("peer_id")
)
_under_way: Counter[tuple[str, str]] = Counter()
_guard = Lock()


@dataclass(frozen=True)
class Proof:
    """Who knocked: a partner whose signature held, or (without a claim) somebody who has an invitation to show."""

    peer: Peer
    claim: Claim | None = None


def receive_knock(
    database: Database, config: Config, inbox: Inbox, knock: Knock, count_stranger: Callable[[], int]
) -> Answer:
    """Everything from size to effect, in the order of federation.md; each refusal leaves one row.

    `count_stranger` says how many seconds whoever proved nothing has to wait: then it leaves no row either.
    """
    said = Said(knock.headers.get(RECEIVER, "")[:120], knock.headers.get(SENDER, "")[:120], nonce_of(knock.headers))
    proof = None
    try:
        proof = _prove(database, config, knock)
        if proof.claim is None:
            return _receive_stranger(database, config, inbox, knock, proof.peer)
        return _receive(database, inbox, knock, proof.peer, proof.claim)
    except Refused as refused:
        is_stranger = proof is None or proof.claim is None
        if is_stranger and (wait_s := count_stranger()):
            return Answer(429, {"state": "refused", "reason": "many"}, wait_s)
        _note(database, said, refused)
        return Answer(refused.status, {"state": "refused", "reason": refused.reason, "error": refused.text})


@dataclass(frozen=True)
class Said:
    """What an unproved request says of itself."""

    receiver: str
    sender: str
    message_id: str


def receive_keys(database: Database, address: str, document: dict[str, Any]) -> None:
    """A partner's newer key document: it proves itself, by the chain of keys from the record that we know."""
    with database.write() as session:
        firm = _firm(session, address)
        row = session.scalar(
            sa.select(PartnerKeys).where(
                PartnerKeys.firm_id == firm.id, PartnerKeys.address == str(document.get("address", ""))[:120]
            )
        )
        if row is None:
            raise NotFound
        remember_partner_keys(session, firm.id, row.partner_id, document)


def forget_refusals(session: Session, now: dt.datetime) -> None:
    """Deadline: what was refused is kept for 90 days, and what a file was asked by for 8."""
    session.execute(sa.delete(MessageRefusal).where(MessageRefusal.at < now - REFUSALS_KEPT))
    session.execute(sa.delete(WantedFile).where(WantedFile.asked_at < now - WANTED_KEPT))


def check_signed_get(database: Database, config: Config, path: str, headers: Mapping[str, str]) -> Peer:
    """Who asks for something by a signed GET; raises Refused."""
    with database.read() as session:
        peer = _peer(session, headers)
        if not peer.partner_id:
            raise Refused(404, "stranger")
        if is_closed(session, peer.firm_id, clock.now()):
            raise Refused(404, "audience")
        public = _known_key(session, peer)
    claim = _checked("GET", config, path, headers, public)
    _check_clock(claim)
    if headers.get("content-digest") != digest_of(b""):
        raise Refused(400, "digest")
    return peer


def _prove(database: Database, config: Config, knock: Knock) -> Proof:
    # 1. size
    if knock.length is None:
        raise Refused(411, "size")
    if knock.length > MOST_BYTES:
        raise Refused(413, "size")
    if knock.headers.get("content-encoding"):
        raise Refused(415, "encoding")
    # 2. audience and sender: both known, or a stranger with an invitation of that firm
    with database.read() as session:
        peer = _peer(session, knock.headers)
        key = _known_key(session, peer) if peer.partner_id else None
    if key is None:
        return Proof(peer)
    # 3. signature over the headers, and by them over the digest; and it is of now
    covered = (INVITATION,) if INVITATION in knock.headers else ()
    claim = _checked(knock.method, config, knock.path, knock.headers, key, covered)
    _check_clock(claim)
    return Proof(peer, claim)


def _receive(database: Database, inbox: Inbox, knock: Knock, peer: Peer, claim: Claim) -> Answer:
    """What a partner signed."""
    token = knock.headers.get(INVITATION, "")
    with _one_of_few(peer):
        body = _read_body(knock)
    envelope = _opened(body, peer, claim)
    with database.write() as session:
        if token and not has_arrived(session, peer.firm_id, envelope.id):
            _use_up(session, peer, token, envelope)
        return _take(session, inbox, peer, peer.partner_id, envelope)


def _receive_stranger(database: Database, config: Config, inbox: Inbox, knock: Knock, peer: Peer) -> Answer:
    """Somebody uses our invitation: its single-use token opens the door, its own key document proves the signature."""
    token = knock.headers.get(INVITATION, "")
    with database.read() as session:
        if not token or not _is_invited(session, peer, token):
            raise Refused(404, "stranger")
    with _one_of_few(peer):
        body = _read_body(knock)
    envelope = _parsed(body)
    document = envelope.body.get("keys")
    if envelope.kind != "partner.accept" or not isinstance(document, dict):
        raise Refused(404, "stranger")
    try:
        key = sender_key(document)
    except (VerificationError, KeyError, TypeError, AttributeError):
        raise Refused(401, "key") from None
    if document.get("address") != peer.sender:
        raise Refused(404, "sender")
    claim = _checked(knock.method, config, knock.path, knock.headers, key, (INVITATION,))
    _check_clock(claim)
    _check_envelope(envelope, peer, claim)
    with database.write() as session:
        partner_id = _use_up(session, peer, token, envelope)
        return _take(session, inbox, peer, partner_id, envelope)


def _use_up(session: Session, peer: Peer, token: str, envelope: Envelope) -> str:
    """The invitation opens once; returns the sender's id here."""
    try:
        return take_stranger(session, peer.firm_id, token[:64], dict(envelope.body.get("keys") or {}))
    except (WerkringError, TypeError, ValueError):
        raise Refused(404, "stranger") from None


def _take(session: Session, inbox: Inbox, peer: Peer, partner_id: str, envelope: Envelope) -> Answer:
    """One transaction: consent, once only, order, files, effect."""
    bump_version(session, peer.firm_id)
    session.flush()
    if not may_receive(session, peer.firm_id, partner_id, envelope.kind, envelope.body):
        raise Refused(404, "consent")
    if has_arrived(session, peer.firm_id, envelope.id):
        _add_refusal(session, peer.firm_id, peer.sender, "repeated", 200, envelope.id)
        return Answer(200, {"state": "done"})
    if _was_refused(session, peer, envelope.id):
        _add_refusal(session, peer.firm_id, peer.sender, "repeated", RuleBroken.status, envelope.id)
        return Answer(RuleBroken.status, {"state": "refused", "reason": "rule", "error": ""})
    if is_elsewhere(session, peer.firm_id):
        return _answer_of_old_node(session, peer, envelope)
    last = _last_seq(session, peer.firm_id, partner_id)
    if envelope.seq <= last:
        _add_refusal(session, peer.firm_id, peer.sender, "order", 409, envelope.id)
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
        _add_refusal(session, peer.firm_id, peer.sender, "rule", refusal.status, envelope.id)
        return Answer(refusal.status, {"state": "refused", "reason": "rule", "error": refusal.text[:300]})
    hear_partner(session, peer.firm_id, partner_id)
    return Answer(202, {"state": "done"})


def _was_refused(session: Session, peer: Peer, message_id: str) -> bool:
    """What was refused is refused again: else it would come behind younger messages, and be judged by what happened since."""
    query = sa.select(MessageRefusal.id).where(
        MessageRefusal.firm_id == peer.firm_id, MessageRefusal.message_id == message_id
    )
    query = query.where(MessageRefusal.sender == peer.sender, MessageRefusal.reason == "rule")
    return session.scalar(query.limit(1)) is not None


def _answer_of_old_node(session: Session, peer: Peer, envelope: Envelope) -> Answer:
    """The firm works at another node: a partner learns which one, for 90 days; a copy takes nothing, and all waits."""
    if forwards(session, peer.firm_id, clock.now()):
        return Answer(421, {"state": "moved", "keys": key_document(session, peer.firm_id)})
    _add_refusal(session, peer.firm_id, peer.sender, "elsewhere", 503, envelope.id)
    return Answer(503, {"state": "refused", "reason": "elsewhere", "error": ""})


def _peer(session: Session, headers: Mapping[str, str]) -> Peer:
    receiver, sender = headers.get(RECEIVER, ""), headers.get(SENDER, "")
    if not all(len(one) <= 120 and ADDRESS.fullmatch(one) for one in (receiver, sender)):
        raise Refused(400, "headers")
    firm_id = session.scalar(_FIRM, {"address": receiver})
    if firm_id is None or _has_gone(session, firm_id):
        raise Refused(404, "audience")
    found = session.execute(_PARTNER, {"firm_id": firm_id, "address": sender}).one_or_none()
    if found is not None and not found.node:
        raise Refused(404, "sender")
    if found is None and is_blocked(session, firm_id, sender):
        raise Refused(404, "stranger")
    return Peer(firm_id, sender, receiver, found.partner_id if found else "")


def _has_gone(session: Session, firm_id: str) -> bool:
    """It left this node more than 90 days ago: as if it had never been here."""
    home = new_home(session, firm_id)
    return home is not None and is_closed(session, firm_id, clock.now())


def _firm(session: Session, address: str) -> Firm:
    firm = session.scalar(sa.select(Firm).where(Firm.address == address))
    if firm is None or is_elsewhere(session, firm.id):
        raise NotFound
    return firm


def _known_key(session: Session, peer: Peer) -> Any:
    row = session.get_one(PartnerKeys, (peer.firm_id, peer.partner_id))
    try:
        return sender_key(row.document)
    except VerificationError:
        raise Refused(401, "key") from None


def _checked(
    method: str, config: Config, path: str, headers: Mapping[str, str], key: Any, covered: tuple[str, ...] = ()
) -> Claim:
    try:
        return check_request(method, f"{config.origin}{path}", headers, key.kid, key.public, covered)
    except UnknownKey:
        raise Refused(401, "key") from None
    except Unsigned:
        raise Refused(401, "signature") from None


def _check_clock(claim: Claim) -> None:
    if abs(claim.created - clock.now().timestamp()) > LIFE_S:
        raise Refused(401, "clock")


def _read_body(knock: Knock) -> bytes:
    body = knock.read(MOST_BYTES + 1)
    if len(body) != knock.length:
        raise Refused(400, "size")
    if knock.headers.get("content-digest") != digest_of(body):
        raise Refused(400, "digest")
    return body


def _opened(body: bytes, peer: Peer, claim: Claim) -> Envelope:
    envelope = _parsed(body)
    _check_envelope(envelope, peer, claim)
    return envelope


def _parsed(body: bytes) -> Envelope:
    try:
        return read_envelope(body)
    except RuleBroken as error:
        raise Refused(400, "form", error.text) from None


def _check_envelope(envelope: Envelope, peer: Peer, claim: Claim) -> None:
    if (envelope.sender, envelope.receiver, envelope.id) != (peer.sender, peer.receiver, claim.nonce):
        raise Refused(400, "envelope")
    if envelope.expires < clock.now().timestamp():
        raise Refused(400, "expired")


def _is_invited(session: Session, peer: Peer, token: str) -> bool:
    try:
        return open_invitation(session, token[:64]).firm_id == peer.firm_id
    except NotFound:
        return False


def _last_seq(session: Session, firm_id: str, partner_id: str) -> int:
    return session.scalar(_LAST, {"firm_id": firm_id, "peer_id": partner_id}) or 0


@contextmanager
def _one_of_few(peer: Peer) -> Iterator[None]:
    key = (peer.firm_id, peer.sender)
    with _guard:
        if _under_way[key] >= MOST_AT_ONCE:
            raise Refused(429, "many")
        _under_way[key] += 1
    try:
        yield
    finally:
        with _guard:
            _under_way[key] -= 1
            if not _under_way[key]:
                del _under_way[key]


def _note(database: Database, said: Said, refused: Refused) -> None:
    with database.write() as session:
        firm_id = session.scalar(sa.select(Firm.id).where(Firm.address == said.receiver))
        _add_refusal(session, firm_id or "", said.sender, refused.reason, refused.status, said.message_id)


def _add_refusal(session: Session, firm_id: str, sender: str, reason: str, status: int, message_id: str) -> None:
    session.add(
        MessageRefusal(
            id=new_id(),
            firm_id=firm_id,
            at=clock.now(),
            sender=sender if ADDRESS.fullmatch(sender) else "",
            reason=reason,
            status=status,
            message_id=message_id,
        )
    )


def nonce_of(headers: Mapping[str, str]) -> str:
    """The message's id as the signed parameters give it; nothing is proved yet."""
    found = re.search(r';nonce="([0-9a-f-]{36})"', headers.get("signature-input", "")[:2000])
    return found[1] if found else ""
