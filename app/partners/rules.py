"""Consent: its states, its scopes, which message needs which scope, and how long an invitation lasts."""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from app.core.errors import RuleBroken

SCOPES = ("requests", "know_how", "training", "purchasing", "data", "introductions")
OFFERED_SCOPES = ("requests", "know_how", "introductions")
"""What this installation has screens for."""
OPT_IN_SCOPES = frozenset({"introductions"})
"""The contract covers them, yet each side lets them in by a tap of its own."""
STEPS: dict[str, frozenset[str]] = {
    "invited": frozenset({"half", "declined", "lapsed", "ended"}),
    "half": frozenset({"active", "declined", "lapsed", "ended"}),
    "active": frozenset({"paused", "ended"}),
    "paused": frozenset({"active", "ended"}),
    "ended": frozenset({"invited"}),
    "declined": frozenset({"invited"}),
    "lapsed": frozenset({"invited"}),
}
OPEN = frozenset({"invited", "half"})
LINKED = frozenset({"active", "paused"})
OVER = frozenset({"ended", "declined", "lapsed"})
WITHOUT_CONSENT = frozenset({"partner.invite", "partner.accept"})
"""They make a partnership: their right is the single-use token, or the step before."""
WHILE_PAUSED = frozenset(
    {"partner", "agreement", "booking", "checkpoint", "erasure", "firm", "hours", "invoice", "key"}
)
"""What both already owe each other goes on while a partnership rests; nothing new begins."""
ENDINGS = frozenset({"request.withdrawn", "request.closed", "offer.withdrawn", "offer.declined"})
"""What began before may end while a partnership rests: else the other house waits for ever for what is over."""
OWED = frozenset(
    {
        "agreement.signed",
        "agreement.effective",
        "agreement.declined",
        "agreement.lapsed",
        "booking.changed",
        "booking.cancelled",
        "booking.disrupted",
        "booking.resumed",
        "booking.defective",
        "booking.answered",
        "booking.settled",
        "booking.accepted",
        "booking.recorded",
        "booking.provided",
        "hours.reported",
        "hours.corrected",
        "hours.confirmed",
        "hours.disputed",
        "invoice.issued",
        "invoice.corrected",
        "invoice.credited",
        "invoice.accepted",
        "invoice.disputed",
        "invoice.reminded",
        "invoice.paid",
        "invoice.netting_agreed",
        "invoice.netting_done",
        "invoice.netting_declined",
        "partner.end",
        "firm.moved",
    }
)
"""What follows from something signed reaches the other side whatever became of the partnership, even if it is blocked:
else one side would be bound alone. Each of their actions touches only what both already share."""
INVITATION_LIFE = dt.timedelta(hours=48)
APPROVAL_LIFE = dt.timedelta(hours=48)


def check_step(now: str, then: str) -> None:
    """Raise RuleBroken when a partnership cannot go from one state to the other."""
    if then not in STEPS.get(now, frozenset()):
        raise RuleBroken("Das geht bei dieser Partnerschaft gerade nicht.")


def request_scope(request_kind: str) -> str:
    """The scope that asking needs: hours (requests), or knowledge (know_how)."""
    return "know_how" if request_kind == "know_how" else "requests"


def scope_of(kind: str, body: Mapping[str, Any]) -> str | None:
    """The scope that a message needs; None: an active partnership is enough.

    Only asking anew is narrowed: changes, answers and endings follow the request that was let in.
    """
    if kind == "introduction.offered":
        return "introductions"
    return request_scope(str(body.get("kind", ""))) if kind == "request.published" else None


def lets_through(state: str, scope: Collection[str], kind: str, body: Mapping[str, Any]) -> bool:
    """Say whether a partnership in this state, with the receiver's scope, lets a message through."""
    if kind in OWED:
        return True
    if kind in WITHOUT_CONSENT:
        return state not in OVER
    if kind.startswith("partner."):
        return state in STEPS
    if state == "paused":
        return kind in ENDINGS or kind.split(".")[0] in WHILE_PAUSED
    needed = scope_of(kind, body)
    return state == "active" and (needed is None or needed in scope)


def check_scope(wanted: Iterable[str], signed: Collection[str]) -> list[str]:
    """Return the scopes in their order; raises RuleBroken for one that the framework agreement does not hold."""
    chosen = set(wanted)
    if not chosen <= set(signed):
        raise RuleBroken("Das steht nicht in eurem Rahmenvertrag.", "scope")
    return [scope for scope in SCOPES if scope in chosen]


def starting_scope(signed: Iterable[str]) -> list[str]:
    """What a new partner may send us, of what both signed, before a manager says more or less."""
    return [scope for scope in signed if scope not in OPT_IN_SCOPES]


def paused_after(paused_by: str, side: str) -> str:
    """Who rests once this side ('us' or 'them') has paused: us, them or both."""
    return side if paused_by in ("", side) else "both"


def resumed_after(paused_by: str, side: str) -> str:
    """Who still rests once this side has resumed; '' when nobody does."""
    other = "them" if side == "us" else "us"
    return other if paused_by in ("both", other) else ""


def hash_of(token: str) -> str:
    """What is stored of an invitation's token."""
    return hashlib.sha256(token.encode()).hexdigest()
