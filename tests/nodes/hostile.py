"""A consented partner with valid keys turns hostile: every way to knock that must change nothing and leave one audit row."""

import gzip
import http.client
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import sqlalchemy as sa

from app.core import clock
from app.core.ids import new_id
from app.federation.envelopes import Envelope, write_envelope
from app.federation.http_signatures import sign_request
from app.federation.models import Message, MessageRefusal
from app.notary.messaging import MessageKey
from app.notary.queries import message_key
from app.reactions import INBOX as REAL_INBOX
from tests.nodes.world import Node

INBOX = "/federation/inbox"
BARE_WORDS = ("partner.pause", "partner.resumed")
"""Kinds whose name says it all: with any body they are what a partner may say"""
ASKED_NOBODY = ("introduction.offered",)
"""Kinds that a scope which is off by itself must have let in"""
EFFECTS = (
    "message", "work_request", "offer", "offer_line", "agreement", "agreement_line", "booking", "partnership",
    "partner_keys", "ledger_entry", "ledger_evidence", "capacity_window", "hold", "stored_file", "alert", "witness",
)  # fmt: skip
"""Every table that messages could change"""


class Listener:
    """Something inside the house that nobody outside may reach; counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                taken, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            taken.close()

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class Knock:
    """One POST as it goes over the wire. `refused` are the statuses that are right; `reason`: how far it has to come."""

    fault: str
    headers: dict[str, str]
    body: bytes
    refused: frozenset[int]
    path: str = INBOX
    reason: str = ""

    def is_right(self, status: int, told: dict[str, Any]) -> bool:
        """Say whether the node answered as it should, and not for another reason."""
        return status in (self.refused or {200, 202}) and self.reason in ("", told.get("reason"))


@dataclass
class Attacker:
    """Yilmaz's operator has gone bad: it holds all keys of its node and a real partnership with Keller."""

    own: Node
    victim: Node
    key: MessageKey
    sender: str
    receiver: str
    rng: random.Random
    spoken: list[Envelope]
    """What honest times left behind: real messages with real signatures of both firms in them"""
    numbers: Iterator[int] = field(default_factory=lambda: count(10_000))
    """Each message's number is higher than all before it, so that no other check stands in front of the one it is for"""
    trap: int = 0
    """A port inside the victim's house that nobody may be led to"""
    path: str = INBOX
    """Where it knocks"""

    @classmethod
    def at(cls, own: Node, own_key: str, victim: Node, victim_key: str, seed: int = 1) -> "Attacker":
        with own.database.read() as session:
            key = message_key(session, own.firm_id(own_key))
            partner_id = own.partner_id(own_key, victim.address(victim_key))
            rows = session.scalars(
                sa.select(Message)
                .where(
                    Message.firm_id == own.firm_id(own_key), Message.direction == "out", Message.peer_id == partner_id
                )
                .where(Message.state == "delivered")
                .order_by(Message.seq)
            ).all()
            sender, receiver = own.address(own_key), victim.address(victim_key)
            spoken = [
                Envelope(
                    row.id,
                    sender,
                    receiver,
                    row.seq,
                    row.kind,
                    int(row.created_at.timestamp()),
                    _soon(),
                    row.subject_id,
                    row.body,
                )
                for row in rows
            ]
        return cls(own, victim, key, sender, receiver, random.Random(seed), spoken)

    def envelope(self, kind: str = "board.posted", body: dict[str, Any] | None = None, **more: Any) -> Envelope:
        """A message that would be let in if nothing were wrong with it."""
        made = Envelope(
            new_id(), self.sender, self.receiver, next(self.numbers), kind,
            int(clock.now().timestamp()), _soon(), "", {"n": self.rng.random() < 2} if body is None else body,
        )  # fmt: skip
        return replace(made, **more)

    def signed(self, body: bytes, nonce: str, **more: Any) -> dict[str, str]:
        said = {
            "method": "POST", "url": self.victim.config.origin + self.path, "sender": self.sender, "receiver": self.receiver,
            "body": body, "key": self.key, "nonce": nonce, "now_s": int(clock.now().timestamp()),
        } | more  # fmt: skip
        return sign_request(**said)

    def valid(self, envelope: Envelope) -> Knock:
        body = write_envelope(envelope)
        return Knock("valid", self.signed(body, envelope.id), body, frozenset())

    def all(self) -> Iterator[Knock]:
        """One knock of every kind."""
        for make in KINDS:
            yield replace(make(self), path=self.path)


def knock_on(node: Node, knock: Knock) -> tuple[int, dict[str, Any]]:
    """Send it as it is; returns the status and what was told, of a group that of its first message."""
    host, _, port = node.config.node.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before it was all there
            connection.request("POST", knock.path, body=knock.body, headers=knock.headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        first = told["verdicts"][0] if "verdicts" in told else told | {"status": answer.status}
        return int(first["status"]), first
    finally:
        connection.close()


def refusals(node: Node) -> int:
    with node.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(MessageRefusal)) or 0


def effects(node: Node) -> list[tuple[Any, ...]]:
    """Everything that messages could change, table by table: counts and the sum of what they hold."""
    with node.database.read() as session:
        return [(table, *_digest(session, table)) for table in EFFECTS]


def _digest(session: Any, table: str) -> tuple[int, int]:
    rows = session.execute(sa.text(f"SELECT * FROM {table}")).all()
    return len(rows), hash(frozenset(repr(tuple(row)) for row in rows))


def _soon() -> int:
    return int(clock.now().timestamp()) + 86_400


def _changed_bytes(attacker: Attacker) -> Knock:
    envelope = attacker.envelope()
    body = bytearray(write_envelope(envelope))
    headers = attacker.signed(bytes(body), envelope.id)
    body[attacker.rng.randrange(len(body))] ^= 1
    return Knock("changed bytes", headers, bytes(body), frozenset({400}))


def _replayed(attacker: Attacker) -> Knock:
    envelope = attacker.rng.choice(attacker.spoken)
    return Knock(
        "replayed", attacker.signed(write_envelope(envelope), envelope.id), write_envelope(envelope), frozenset({200})
    )


def _other_content_under_a_known_id(attacker: Attacker) -> Knock:
    envelope = replace(attacker.rng.choice(attacker.spoken), body={"changed": True})
    return Knock(
        "known id", attacker.signed(write_envelope(envelope), envelope.id), write_envelope(envelope), frozenset({200})
    )


def _old_number(attacker: Attacker) -> Knock:
    return _refused(attacker, "old number", attacker.envelope(seq=1), 409)


def _other_audience(attacker: Attacker) -> Knock:
    other = f"nobody@{attacker.victim.name}"
    envelope = attacker.envelope(receiver=other)
    body = write_envelope(envelope)
    return Knock("other audience", attacker.signed(body, envelope.id, receiver=other), body, frozenset({404}))


def _audience_only_inside(attacker: Attacker) -> Knock:
    return _refused(
        attacker, "other audience inside", attacker.envelope(receiver=f"nobody@{attacker.victim.name}"), 400
    )


def _other_sender(attacker: Attacker) -> Knock:
    other = "brandt@drei.test"
    envelope = attacker.envelope(sender=other)
    body = write_envelope(envelope)
    return Knock("other sender", attacker.signed(body, envelope.id, sender=other), body, frozenset({401, 404}))


def _sender_only_inside(attacker: Attacker) -> Knock:
    return _refused(attacker, "other sender inside", attacker.envelope(sender="brandt@drei.test"), 400)


def _foreign_key_id(attacker: Attacker) -> Knock:
    envelope = attacker.envelope()
    body = write_envelope(envelope)
    kid = f"http://127.0.0.1:{attacker.trap or attacker.victim.config.port}/federation/keys"
    headers = attacker.signed(body, envelope.id, key=MessageKey(kid, attacker.key.private))
    return Knock("foreign key id", headers, body, frozenset({401}))


def _own_id_other_key(attacker: Attacker) -> Knock:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    envelope = attacker.envelope()
    body = write_envelope(envelope)
    headers = attacker.signed(body, envelope.id, key=MessageKey(attacker.key.kid, Ed25519PrivateKey.generate()))
    return Knock("another key under our id", headers, body, frozenset({401}))


def _other_path(attacker: Attacker) -> Knock:
    envelope = attacker.envelope()
    body = write_envelope(envelope)
    headers = attacker.signed(body, envelope.id, url=attacker.victim.config.origin + "/federation/keys")
    return Knock("signed for another path", headers, body, frozenset({401}))


def _no_signature(attacker: Attacker) -> Knock:
    envelope = attacker.envelope()
    body = write_envelope(envelope)
    headers = {n: v for n, v in attacker.signed(body, envelope.id).items() if n.lower() != "signature"}
    return Knock("no signature", headers, body, frozenset({401}))


def _uncovered(attacker: Attacker) -> Knock:
    """The digest is replaced after signing."""
    envelope = attacker.envelope()
    headers = attacker.signed(write_envelope(envelope), envelope.id)
    other = write_envelope(replace(envelope, body={"x": 1}))
    from app.federation.http_signatures import digest_of

    headers = {name: value for name, value in headers.items() if name.lower() != "content-digest"}
    return Knock("another digest", headers | {"content-digest": digest_of(other)}, other, frozenset({401}))


def _wrong_clock(attacker: Attacker) -> Knock:
    envelope = attacker.envelope()
    body = write_envelope(envelope)
    shift = attacker.rng.choice((-3600, 3600))
    headers = attacker.signed(body, envelope.id, now_s=int(clock.now().timestamp()) + shift)
    return Knock("wrong clock", headers, body, frozenset({401}))


def _expired(attacker: Attacker) -> Knock:
    return _refused(attacker, "expired", attacker.envelope(expires=int(clock.now().timestamp()) - 1), 400)


def _other_nonce(attacker: Attacker) -> Knock:
    envelope = attacker.envelope()
    body = write_envelope(envelope)
    return Knock("another id", attacker.signed(body, new_id()), body, frozenset({400}))


def _raw(fault: str, make: Callable[[Envelope], bytes]) -> Callable[[Attacker], Knock]:
    def knock(attacker: Attacker) -> Knock:
        envelope = attacker.envelope()
        body = make(envelope)
        return Knock(fault, attacker.signed(body, envelope.id), body, frozenset({400}))

    return knock


def _with_body(envelope: Envelope, inner: bytes) -> bytes:
    empty = write_envelope(replace(envelope, body={}))
    return empty.replace(b'"body":{}', b'"body":' + inner)


def _packed(attacker: Attacker) -> Knock:
    envelope = attacker.envelope()
    body = gzip.compress(b'{"n":"' + b"0" * 20_000_000 + b'"}', 1)[:200_000]
    headers = attacker.signed(body, envelope.id) | {"content-encoding": "gzip"}
    return Knock("gzip bomb", headers, body, frozenset({415}))


def _too_long(attacker: Attacker) -> Knock:
    envelope = attacker.envelope(body={"text": "x" * 262_000})
    body = write_envelope(envelope) + b" " * 400
    return Knock("too long", attacker.signed(body, envelope.id), body, frozenset({413}))


def _stranger_invites(attacker: Attacker) -> Knock:
    envelope = attacker.envelope(
        "partner.accept", {"step": "joined", "invitation_id": new_id(), "card": {}, "keys": {}}
    )
    body = write_envelope(envelope)
    headers = attacker.signed(body, envelope.id, more={"werkring-invitation": "A" * 22})
    return Knock("invented invitation", headers, body, frozenset({404}))


def _senseless(kind: str) -> Callable[[Attacker], Knock]:
    """It passes every check of the way and comes as far as its effect."""

    def knock(attacker: Attacker) -> Knock:
        said = {"text": "Ihr schuldet uns alles.", "request": "x", "keys": {}, "request_id": "x", "agreement_id": "x"}
        made = _refused(attacker, f"senseless {kind}", attacker.envelope(kind, said), 404, 409, 422)
        return replace(made, reason="consent" if kind in ASKED_NOBODY else "rule")

    return knock


def _refused(attacker: Attacker, fault: str, envelope: Envelope, *statuses: int) -> Knock:
    body = write_envelope(envelope)
    return Knock(fault, attacker.signed(body, envelope.id), body, frozenset(statuses))


KINDS: tuple[Callable[[Attacker], Knock], ...] = (
    _changed_bytes,
    _replayed,
    _other_content_under_a_known_id,
    _old_number,
    _other_audience,
    _audience_only_inside,
    _other_sender,
    _sender_only_inside,
    _foreign_key_id,
    _own_id_other_key,
    _other_path,
    _no_signature,
    _uncovered,
    _wrong_clock,
    _expired,
    _other_nonce,
    _raw("duplicate keys", lambda one: _with_body(one, b'{"a":1,"a":2}')),
    _raw("deep nesting", lambda one: _with_body(one, b'{"a":' + b"[" * 60_000 + b"]" * 60_000 + b"}")),
    _raw("a float that is none", lambda one: _with_body(one, b'{"a":NaN}')),
    _raw("a number beyond all numbers", lambda one: _with_body(one, b'{"a":' + b"9" * 5000 + b"}")),
    _raw("not canonical", lambda one: write_envelope(one).replace(b":", b": ", 1)),
    _raw("no JSON", lambda one: b"\xff\xfe{"),
    _raw("another version", lambda one: write_envelope(one).replace(b'"v":1', b'"v":2')),
    _raw("one member more", lambda one: write_envelope(one).replace(b'"v":1', b'"v":1,"w":1')),
    _packed,
    _too_long,
    _stranger_invites,
    *(_senseless(kind) for kind in REAL_INBOX if kind not in BARE_WORDS),
)
