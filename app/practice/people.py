"""The firms and people that a visitor can be, and being one of them."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound
from app.core.words import N_
from app.firms.access import Actor, Role
from app.firms.models import Firm, Membership, Person
from app.firms.queries import people, person_for, roles_of
from app.machines.models import Machine
from app.passkeys.models import SignIn
from app.passkeys.rules import first_view
from app.passkeys.sessions import NewSignIn, end_own_sign_in, start_sign_in

STORY = ("Keller", "Yilmaz", "Brandt", "Nowak", "Lindner")
PLAYED = (Role.WORKER, Role.FOREMAN, Role.MANAGER, Role.ACCOUNTANT)
DEVICE = N_("Übung")
PLAYED_FOR = dt.timedelta(minutes=30)
"""A browser that was closed without leaving counts no longer"""


@dataclass(frozen=True, slots=True)
class FirmCard:
    """One firm to choose from."""

    id: str
    name: str
    short_name: str
    town: str
    machine_count: int


@dataclass(frozen=True, slots=True)
class PersonCard:
    """One person to be; `role` is the view they begin in."""

    id: str
    name: str
    role: Role


def firm_cards(session: Session) -> tuple[list[FirmCard], list[FirmCard]]:
    """(the five firms of the story in its order, all others by town)."""
    counted = sa.select(sa.func.count()).select_from(Machine).where(Machine.firm_id == Firm.id).scalar_subquery()
    found = session.execute(
        sa.select(Firm.id, Firm.name, Firm.short_name, Firm.town, counted).where(Firm.is_demo).order_by(Firm.town)
    )
    cards = [FirmCard(*row) for row in found]
    known = {card.short_name: card for card in cards}
    return [known[name] for name in STORY if name in known], [card for card in cards if card.short_name not in STORY]


def person_cards(session: Session, firm_id: str) -> list[PersonCard]:
    """The people of one firm, workers first."""
    cards = []
    for person in people(session, firm_id):
        played = [role for role in PLAYED if role in roles_of(session, firm_id, person.id)]
        cards += [PersonCard(person.id, person.name, role) for role in played[:1]]
    return sorted(cards, key=lambda card: (PLAYED.index(card.role), card.name))


def firm_by_short_name(session: Session, short_name: str) -> Firm:
    """A demonstrator firm by the name that messages use; raises NotFound."""
    found = session.scalar(sa.select(Firm).where(Firm.short_name == short_name, Firm.is_demo))
    if found is None:
        raise NotFound
    return found


def acting(session: Session, firm_id: str, role: Role) -> Actor:
    """The firm's first person with this role as an actor, without any sign-in: for what happens by itself."""
    person_id = session.scalar(
        sa.select(Person.id)
        .join(Membership, (Membership.firm_id == Person.firm_id) & (Membership.person_id == Person.id))
        .where(Person.firm_id == firm_id, Membership.role == role, Membership.ended_at.is_(None))
        .where(Person.left_at.is_(None))
        .order_by(Person.created_at, Person.id)
        .limit(1)
    )
    if person_id is None:
        raise NotFound
    person, firm = person_for(session, firm_id, person_id), session.get_one(Firm, firm_id)
    return Actor(
        firm_id,
        person_id,
        roles_of(session, firm_id, person_id),
        role,
        person.name,
        session_id="",
        language=person.language,
        firm_name=firm.name,
        firm_short_name=firm.short_name,
    )


def become(session: Session, firm_id: str, person_id: str, role: Role | None = None) -> NewSignIn:
    """Sign this browser in as that person; who it was before is signed out. Raises NotFound."""
    person_for(session, firm_id, person_id)
    held = roles_of(session, firm_id, person_id)
    if not held:
        raise NotFound
    end_own_sign_in(session)
    return start_sign_in(
        session, firm_id, person_id, DEVICE, has_passkey=True, role=role if role in held else first_view(held)
    )


def is_played(session: Session, firm_id: str) -> bool:
    """Say whether somebody in any browser is a person of this firm right now."""
    recent = sa.select(SignIn.public_id).where(
        SignIn.firm_id == firm_id, SignIn.last_seen_at > clock.now() - PLAYED_FOR
    )
    return session.scalar(recent.limit(1)) is not None
