"""Who may do what: one table. Each route names its permission; nothing else decides."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.errors import NotAllowed


class Role(StrEnum):
    WORKER = "worker"
    FOREMAN = "foreman"
    MANAGER = "manager"
    ACCOUNTANT = "accountant"
    STEWARD = "steward"


W, F, M, A, S = Role
EVERYBODY = frozenset(Role)

PERMISSIONS: dict[str, frozenset[Role]] = {
    "own.use": EVERYBODY,
    "work.see": frozenset({W, F, M}),
    "hours.report": frozenset({W, F, M}),
    "hours.check": frozenset({F, M}),
    "hours.see": frozenset({F, M, A}),
    "requests.answer": frozenset({F, M}),
    "requests.publish": frozenset({M}),
    "requests.see": frozenset({M}),
    "capacity.see": frozenset({F, M}),
    "capacity.offer": frozenset({F, M}),
    "capacity.import": frozenset({F, M}),
    "calendar.edit": frozenset({F, M, S}),
    "machines.see": frozenset({F, M, S}),
    "machines.edit": frozenset({F, M, S}),
    "certificates.verify": frozenset({M}),
    "rates.see": frozenset({M}),
    "rates.edit": frozenset({M}),
    "benefit.see": frozenset({M}),
    "plans.see": frozenset({M}),
    "plans.choose": frozenset({M}),
    "agreements.see": frozenset({M, A}),
    "agreements.sign": frozenset({M}),
    "invoices.see": frozenset({M, A}),
    "invoices.send": frozenset({M, A}),
    "bookings.see": frozenset({F, M}),
    "trouble.report": frozenset({W, F, M}),
    "trouble.see": frozenset({F, M}),
    "partners.see": frozenset({F, M}),
    "partners.edit": frozenset({M}),
    "files.open": frozenset({W, F, M, S}),
    "firm.see": frozenset({F, M, S}),
    "firm.edit": frozenset({M, S}),
    "people.invite_worker": frozenset({F, M, S}),
    "people.invite": frozenset({M, S}),
    "people.invite_manager": frozenset({M}),
    "people.edit": frozenset({M, S}),
    "devices.see": frozenset({M, S}),
    "keys.edit": frozenset({M}),
    "firm.export": frozenset({M}),
    "programs.edit": frozenset({M}),
    "machine_calendars.see": frozenset({F, M, S}),
    "log.see": frozenset({M}),
}

WITHOUT_PASSKEY = frozenset({"own.use", "work.see", "hours.report", "files.open"})
"""A device-bound session of a phone without screen lock has worker rights and nothing else: a day, a job, its drawing, hours."""


@dataclass(frozen=True)
class Actor:
    """The acting person in the acting firm, as the session row says. `role` is the view in use, `roles` all that are held."""

    firm_id: str
    person_id: str
    roles: frozenset[Role]
    role: Role
    name: str
    session_id: str
    has_passkey: bool = True
    language: str = "de"
    light: str = ""
    hand: str = ""
    firm_name: str = ""
    firm_short_name: str = field(default="")
    elsewhere: str = ""
    """moved or copy: the firm works at another node, here it only reads."""


def may(actor: Actor | None, permission: str) -> bool:
    """Say whether the actor holds the permission; raises KeyError for one that is not in the table."""
    roles = PERMISSIONS[permission]
    if actor is None:
        return False
    if not actor.has_passkey:
        return permission in WITHOUT_PASSKEY and Role.WORKER in actor.roles
    return bool(roles & actor.roles)


def require(actor: Actor | None, permission: str) -> None:
    """Raise NotAllowed with the sentence people see."""
    if not may(actor, permission):
        raise NotAllowed("Das darf nur deine Leitung. Frag sie.")
