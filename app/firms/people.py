"""What people set for themselves, and what their firm sets for them."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.firms.access import Actor, Role
from app.firms.actions import note_event
from app.firms.queries import person_for, roles_of


@dataclass(frozen=True)
class Settings:
    """Contact and quiet hours of one person; hours of the day, German time."""

    email: str
    phone: str
    quiet_from: int
    quiet_to: int
    quiet_weekend: bool


def change_settings(session: Session, actor: Actor, settings: Settings) -> None:
    """Keep a person's own settings. A manager needs an e-mail: it is the second way to reach them."""
    if Role.MANAGER in actor.roles and not settings.email:
        raise RuleBroken("Als Leitung brauchst du eine E-Mail-Adresse.", "email")
    person = person_for(session, actor.firm_id, actor.person_id)
    for name, value in vars(settings).items():
        setattr(person, name, value)


def set_view(session: Session, actor: Actor, name: str, value: str) -> None:
    """Keep light, hand or language of a person; the values were checked by the caller."""
    setattr(person_for(session, actor.firm_id, actor.person_id), name, value)


def set_absence(session: Session, actor: Actor, person_id: str, deputy_id: str | None, is_absent: bool) -> None:
    """Say who stands in for a person, and whether that is now."""
    person = person_for(session, actor.firm_id, person_id)
    if deputy_id is not None:
        if deputy_id == person_id:
            raise RuleBroken("Niemand vertritt sich selbst.", "deputy")
        missing = roles_of(session, actor.firm_id, person_id) - roles_of(session, actor.firm_id, deputy_id)
        if missing & {Role.MANAGER, Role.FOREMAN}:
            raise RuleBroken("Die Vertretung braucht dieselbe Rolle.", "deputy")
        person_for(session, actor.firm_id, deputy_id)
    if is_absent and deputy_id is None:
        raise RuleBroken("Wähle zuerst eine Vertretung.", "deputy")
    person.deputy_id, person.is_absent = deputy_id, is_absent
    note_event(session, actor.firm_id, actor.person_id, "absence_set", "person", person_id)


def set_limit(session: Session, actor: Actor, person_id: str, limit_cents: int | None) -> None:
    """Limit what a manager may sign; nobody lifts the own limit."""
    person = person_for(session, actor.firm_id, person_id)
    if limit_cents == person.spending_limit_cents:
        return
    if person_id == actor.person_id and person.spending_limit_cents is not None:
        raise RuleBroken("Deine eigene Grenze ändert eine andere Leitung.", "limit")
    person.spending_limit_cents = limit_cents
    note_event(session, actor.firm_id, actor.person_id, "limit_set", "person", person_id)
