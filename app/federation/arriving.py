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
from app.core.errors import NotFound, WerkringError
from app.core.prepared import Prepared
from app.federation.actions import Inbox, has_arrived, hear_partner
from app.federation.envelopes import ADDRESS, MOST_BYTES, MOST_TOGETHER, Envelope
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
from app.federation.judging import Answer as Answer
from app.federation.judging import Peer, add_refusal, check_envelope, judge_lines, judge_message, parsed
from app.federation.judging import Refused as Refused
from app.federation.models import MessageRefusal, WantedFile
from app.firms.actions import bump_version
from app.firms.models import Firm
from app.notary.actions import remember_partner_keys
from app.notary.models import PartnerKeys, table_of
from app.notary.queries import VerificationError, sender_key
from app.notary.transfer import has_gone, is_closed, is_elsewhere
from app.partners.models import Partnership
from app.partners.queries import is_blocked, open_invitation
from app.partners.receiving import take_stranger

INBOX_PATH, SEVERAL_PATH = "/federation/inbox", "/federation/inbox/several"
MOST_AT_ONCE = 4
"""So many messages of one partner are read at a time: slow ones must not hold all threads"""
REFUSALS_KEPT, WANTED_KEPT = dt.timedelta(days=90), dt.timedelta(days=8)


@dataclass(frozen=True)
class Knock:
    """A request at the inbox before its body is read; `read` reads at most so many bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    length: int | None
    read: Callable[[int], bytes]


_HOUSE, _PARTNERS, _KEYS = table_of(Firm), table_of(Partnership), table_of(PartnerKeys)
_FIRM = Prepared(sa.select(_HOUSE.c.id).where(_HOUSE.c.address == sa.bindparam("address")))
_PARTNER = Prepared(
    sa.select(_PARTNERS.c.partner_id, _PARTNERS.c.node)
    .join(_KEYS, (_KEYS.c.firm_id == _PARTNERS.c.firm_id) & (_KEYS.c.partner_id == _PARTNERS.c.partner_id))
    .where(_PARTNERS.c.firm_id == sa.bindparam("firm_id"), _PARTNERS.c.address == sa.bindparam("address"))
)
_DOCUMENT = Prepared(
    sa.select(_KEYS.c.document).where(
        _KEYS.c.firm_id == sa.bindparam("firm_id"), _KEYS.c.partner_id == sa.bindparam("partner_id")
    )
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
        receive = _receive_several if knock.path == SEVERAL_PATH else _receive
        return receive(database, inbox, knock, proof.peer, proof.claim)
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
    """A partner's newer key document: it proves itself, by the chain of keys from the record that we know.

    Raises NotFound or RuleBroken, also for one whose key for messages nobody vouches for: it would lock the partner out.
    """
    try:
        sender_key(document)
    except VerificationError:
        raise NotFound from None
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
        bump_version(session, peer.firm_id)
        if token and not has_arrived(session, peer.firm_id, envelope.id):
            _use_up(session, peer, token, envelope)
        return _take(session, inbox, peer, peer.partner_id, envelope)


def _receive_several(database: Database, inbox: Inbox, knock: Knock, peer: Peer, claim: Claim) -> Answer:
    """Several messages under one signature. The signed id is that of the request; each line is judged by its own.

    An invitation is opened by one message alone.
    """
    if INVITATION in knock.headers:
        raise Refused(404, "stranger")
    with _one_of_few(peer):
        lines = _read_body(knock).split(b"\n")
        if len(lines) > MOST_TOGETHER:
            raise Refused(400, "form")
        return judge_lines(database, inbox, peer, lines, claim.nonce)


def _receive_stranger(database: Database, config: Config, inbox: Inbox, knock: Knock, peer: Peer) -> Answer:
    """Somebody uses our invitation: its single-use token opens the door, its own key document proves the signature."""
    token = "" if knock.path == SEVERAL_PATH else knock.headers.get(INVITATION, "")
    with database.read() as session:
        if not token or not _is_invited(session, peer, token):
            raise Refused(404, "stranger")
    with _one_of_few(peer):
        body = _read_body(knock)
    envelope = parsed(body)
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
    _check_signed(envelope, peer, claim)
    with database.write() as session:
        bump_version(session, peer.firm_id)
        partner_id = _use_up(session, peer, token, envelope)
        return _take(session, inbox, peer, partner_id, envelope)


def _take(session: Session, inbox: Inbox, peer: Peer, partner_id: str, envelope: Envelope) -> Answer:
    session.flush()
    answer = judge_message(session, inbox, peer, partner_id, envelope)
    if answer.status == 202:
        hear_partner(session, peer.firm_id, partner_id)
    return answer


def _use_up(session: Session, peer: Peer, token: str, envelope: Envelope) -> str:
    """The invitation opens once; returns the sender's id here."""
    try:
        return take_stranger(session, peer.firm_id, token[:64], dict(envelope.body.get("keys") or {}))
    except (WerkringError, TypeError, ValueError):
        raise Refused(404, "stranger") from None


def _peer(session: Session, headers: Mapping[str, str]) -> Peer:
    receiver, sender = headers.get(RECEIVER, ""), headers.get(SENDER, "")
    if not all(len(one) <= 120 and ADDRESS.fullmatch(one) for one in (receiver, sender)):
        raise Refused(400, "headers")
    firm = _FIRM.row(session.connection(), address=receiver)
    if firm is None or has_gone(session, firm.id, clock.now()):
        raise Refused(404, "audience")
    found = _PARTNER.row(session.connection(), firm_id=firm.id, address=sender)
    if found is not None and not found.node:
        raise Refused(404, "sender")
    if found is None and is_blocked(session, firm.id, sender):
        raise Refused(404, "stranger")
    return Peer(firm.id, sender, receiver, found.partner_id if found else "")


def _firm(session: Session, address: str) -> Firm:
    firm = session.scalar(sa.select(Firm).where(Firm.address == address))
    if firm is None or is_elsewhere(session, firm.id):
        raise NotFound
    return firm


def _known_key(session: Session, peer: Peer) -> Any:
    row = _DOCUMENT.row(session.connection(), firm_id=peer.firm_id, partner_id=peer.partner_id)
    try:
        return sender_key(row.document if row else {})
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
    envelope = parsed(body)
    _check_signed(envelope, peer, claim)
    return envelope


def _check_signed(envelope: Envelope, peer: Peer, claim: Claim) -> None:
    if envelope.id != claim.nonce:
        raise Refused(400, "envelope")
    check_envelope(envelope, peer)


def _is_invited(session: Session, peer: Peer, token: str) -> bool:
    try:
        return open_invitation(session, token[:64]).firm_id == peer.firm_id
    except NotFound:
        return False


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
        add_refusal(session, firm_id or "", said.sender, refused.reason, refused.status, said.message_id)


def nonce_of(headers: Mapping[str, str]) -> str:
    """The message's id as the signed parameters give it; nothing is proved yet."""
    found = re.search(r';nonce="([0-9a-f-]{36})"', headers.get("signature-input", "")[:2000])
    return found[1] if found else ""
