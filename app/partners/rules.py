"""Consent: its states, its scopes, and which message needs which scope."""

from app.core.errors import RuleBroken

SCOPES = ("requests", "know_how", "training", "purchasing", "data", "introductions")
STEPS: dict[str, frozenset[str]] = {
    "invited": frozenset({"half", "declined", "lapsed", "ended"}),
    "half": frozenset({"active", "declined", "lapsed", "ended"}),
    "active": frozenset({"paused", "ended"}),
    "paused": frozenset({"active", "ended"}),
    "ended": frozenset({"invited"}),
    "declined": frozenset({"invited"}),
    "lapsed": frozenset({"invited"}),
}
WITHOUT_CONSENT = frozenset({"partner.invite", "partner.accept"})
WHILE_PAUSED = frozenset({"partner", "agreement", "booking", "checkpoint", "firm", "key"})
"""What both already owe each other goes on while a partnership rests; nothing new begins."""
SCOPE_OF = {"request": "requests", "offer": "requests", "board": "know_how", "share": "data", "introduction": "introductions"}


def check_step(now: str, then: str) -> None:
    """Raise RuleBroken when a partnership cannot go from one state to the other."""
    if then not in STEPS.get(now, frozenset()):
        raise RuleBroken("Das geht bei dieser Partnerschaft gerade nicht.")


def scope_of(kind: str) -> str | None:
    """The scope that a message kind needs; None: an active partnership is enough."""
    return SCOPE_OF.get(kind.split(".")[0])


def lets_through(state: str, scope: list[str], kind: str) -> bool:
    """Say whether a partnership in this state, with the receiver's scope, lets a message kind through."""
    if kind in WITHOUT_CONSENT:
        return state not in ("ended", "declined", "lapsed")
    if kind.startswith("partner."):
        return state in ("half", "invited", "active", "paused", "ended")
    if state == "paused":
        return kind.split(".")[0] in WHILE_PAUSED
    needed = scope_of(kind)
    return state == "active" and (needed is None or needed in scope)
