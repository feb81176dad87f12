"""What people set for themselves, and what their firm sets for them."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.firms.access import Actor, Role
from app.firms.actions import keep_one_without_limit, note_event
from app.firms.models import Person
from app.firms.queries import people, person_for, roles_of
from app.firms.rules import check_reachable, covers


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
    check_reachable(actor.roles, settings.email)
    person = person_for(session, actor.firm_id, actor.person_id)
    for name, value in vars(settings).items():
        setattr(person, name, value)


def set_view(session: Session, actor: Actor, name: str, value: str) -> None:
    """Keep light, hand or language of a person; the values were checked by the caller."""
    setattr(person_for(session, actor.firm_id, actor.person_id), name, value)


def end_introduction(session: Session, actor: Actor) -> None:
    """The first words have been read; they are not shown to this person again."""
    person_for(session, actor.firm_id, actor.person_id).introduced_at = clock.now()


def set_absence(session: Session, actor: Actor, person_id: str, deputy_id: str | None, is_absent: bool) -> None:
    """Say who stands in for a person, and whether that is now."""
    person = person_for(session, actor.firm_id, person_id)
    if (deputy_id, is_absent) == (person.deputy_id, person.is_absent):
        return
    if person_id != actor.person_id and Role.MANAGER in roles_of(session, actor.firm_id, person_id):
        _check_lending(session, actor, person, deputy_id, is_absent)
    if deputy_id is not None:
        _check_deputy(session, person, deputy_id)
    if is_absent and deputy_id is None:
        raise RuleBroken("Wähle zuerst eine Vertretung.", "deputy")
    person.deputy_id, person.is_absent = deputy_id, is_absent
    note_event(session, actor.firm_id, actor.person_id, "absence_set", "person", person_id)


def _check_lending(session: Session, actor: Actor, person: Person, deputy_id: str | None, is_absent: bool) -> None:
    """An absent manager lends the own limit to the deputy: nobody takes it, or hands on more than their own."""
    if Role.MANAGER not in actor.roles:
        raise RuleBroken("Das darf nur eine Leitung.", "is_absent")
    is_new = deputy_id != person.deputy_id
    if deputy_id == actor.person_id and (is_new or is_absent):
        raise RuleBroken("Du kannst dich nicht selbst zur Vertretung machen.", "deputy")
    own_cents = person_for(session, actor.firm_id, actor.person_id).spending_limit_cents
    if is_new and not covers(own_cents, person.spending_limit_cents):
        raise RuleBroken("Das darf nur eine Leitung mit höherer Grenze.", "deputy")


def _check_deputy(session: Session, person: Person, deputy_id: str) -> None:
    if deputy_id == person.id:
        raise RuleBroken("Niemand vertritt sich selbst.", "deputy")
    person_for(session, person.firm_id, deputy_id)
    missing = roles_of(session, person.firm_id, person.id) - roles_of(session, person.firm_id, deputy_id)
    if missing & {Role.MANAGER, Role.FOREMAN}:
        raise RuleBroken("Die Vertretung braucht dieselbe Rolle.", "deputy")


def set_limit(session: Session, actor: Actor, person_id: str, limit_cents: int | None) -> None:
    """Limit what a manager may sign; nobody lifts the own limit or one above it.

    One manager stays without limit; 0 is refused, because the ledger reads it as "no limit".
    """
    person = person_for(session, actor.firm_id, person_id)
    if limit_cents == person.spending_limit_cents:
        return
    if person_id == actor.person_id and person.spending_limit_cents is not None:
        raise RuleBroken("Deine eigene Grenze ändert eine andere Leitung.", "limit")
    if limit_cents == 0:
        raise RuleBroken("Gib mehr als 0 Euro ein. Leer heißt: ohne Grenze.", "limit")
    own_cents = person_for(session, actor.firm_id, actor.person_id).spending_limit_cents
    if not covers(own_cents, person.spending_limit_cents) or not covers(own_cents, limit_cents):
        raise RuleBroken("Das darf nur eine Leitung mit höherer Grenze.", "limit")
    person.spending_limit_cents = limit_cents
    keep_one_without_limit(people(session, actor.firm_id, Role.MANAGER))
    note_event(session, actor.firm_id, actor.person_id, "limit_set", "person", person_id)
