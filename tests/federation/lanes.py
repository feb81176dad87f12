"""An inbox that writes down what it was told, and can be made to fail."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.federation.rules import Incoming
from app.firms.actions import note_event


class PartnerDown(Exception):
    """What a broken house throws."""


@dataclass
class Inbox(dict[str, object]):
    """Counts effects in the database itself, so that a doubled one cannot hide."""

    failing: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)
    kinds: tuple[str, ...] = ("request.published", "request.closed", "agreement.drafted", "offer.made")

    def get(self, kind: str, default: object = None) -> object:
        return self.take if kind in self.kinds else default

    def take(self, session: Session, incoming: Incoming) -> None:
        if incoming.firm_id in self.failing:
            raise PartnerDown
        if incoming.body.get("name") in self.refusing:
            raise RuleBroken("Das passt nicht.")
        note_event(session, incoming.firm_id, None, "took", "message", incoming.id, incoming.from_id, incoming.body)
