"""What people sign with their passkey. A room that has such documents puts its kind into DOCUMENTS at import."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.firms.access import Actor


@dataclass(frozen=True)
class SignableDocument:
    """A document as it may be signed by this actor right now."""

    digest: bytes
    """32 bytes: the challenge of the passkey"""
    title: str
    url_after: str
    permission: str
    role: str = "manager"
    """manager, or second for the second person of a two-person rule"""
    receipt: str = "Unterschrieben."
    """German sentence (translation key) that the next page shows."""
    sum_cents: int = 0
    """What the key must be allowed to sign, by its record in the ledger."""
    needs_recovery_sheet: bool = True
    """No signature before the firm has printed its recovery key."""


Load = Callable[[Session, Actor, str], SignableDocument]
Finish = Callable[[Session, Actor, str, dict[str, Any]], str]


@dataclass(frozen=True)
class Signable:
    """`load` raises NotFound or RuleBroken when there is nothing to sign; `finish` gets the signature, returns the next URL."""

    load: Load
    finish: Finish


DOCUMENTS: dict[str, Signable] = {}
