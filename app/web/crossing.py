"""Crossing over into the practice world: a signed ticket with role, language and look, and nothing else."""

import hashlib
import hmac
from dataclasses import asdict, dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

from app.core.ids import new_id
from app.core.signing import HMAC_SHA256

TICKET_S = 300


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a person takes along. `id` lets the other side take each ticket once."""

    id: str
    role: str
    language: str
    light: str
    hand: str


def crossing_key(secret_key: bytes) -> bytes:
    """The one key that both worlds know; it opens nothing else. `secret_key` is the real world's."""
    return hmac.new(secret_key, b"werkring/crossing/v1", hashlib.sha256).digest()


def issue_ticket(key: bytes, role: str, language: str, light: str, hand: str) -> str:
    """A ticket for the next five minutes."""
    return str(_serializer(key).dumps(asdict(Ticket(new_id(), role, language, light, hand))))


def read_ticket(key: bytes, text: str) -> Ticket | None:
    """The ticket, if this node issued it just now."""
    try:
        return Ticket(**_serializer(key).loads(text, max_age=TICKET_S))
    except BadData:
        return None


def _serializer(key: bytes) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt="uebung", signer_kwargs=HMAC_SHA256)
