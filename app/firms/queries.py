"""Firms and people, always through the acting firm."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.firms.access import Role
from app.firms.models import Firm, Membership, Person, Site
from app.firms.rules import effective_limit


def firm_of(session: Session, firm_id: str) -> Firm:
    """The firm itself, for its own people; raises NotFound."""
    firm = session.get(Firm, firm_id)
    if firm is None:
        raise NotFound
    return firm


def firm_version(session: Session, firm_id: str) -> int:
    """The number that grows with every change this firm can see."""
    return session.scalar(sa.select(Firm.version).where(Firm.id == firm_id)) or 0


def people(session: Session, firm_id: str, role: Role | None = None) -> Sequence[Person]:
    """The firm's present people, by name; only those who hold `role` when one is given."""
    query = (
        sa.select(Person).where(Person.firm_id == firm_id, Person.left_at.is_(None)).order_by(Person.name, Person.id)
    )
    if role is not None:
        query = query.where(
            sa.exists().where(
                Membership.firm_id == firm_id,
                Membership.person_id == Person.id,
                Membership.role == role,
                Membership.ended_at.is_(None),
            )
        )
    return session.scalars(query).all()


def signing_limits(session: Session, firm_id: str) -> dict[str, int | None]:
    """The most that each manager may ever sign, by person: the own limit, or that of who named them as deputy.

    None: no limit.
    """
    managers = people(session, firm_id, Role.MANAGER)
    lent = {one.id: [other.spending_limit_cents for other in managers if other.deputy_id == one.id] for one in managers}
    return {one.id: effective_limit(one.spending_limit_cents, lent[one.id]) for one in managers}


def person_for(session: Session, firm_id: str, person_id: str) -> Person:
    """One person of the firm; raises NotFound."""
    person = session.get(Person, (firm_id, person_id))
    if person is None:
        raise NotFound
    return person


def roles_of(session: Session, firm_id: str, person_id: str) -> frozenset[Role]:
    """The roles that a person holds now."""
    found = session.scalars(
        sa.select(Membership.role).where(
            Membership.firm_id == firm_id, Membership.person_id == person_id, Membership.ended_at.is_(None)
        )
    )
    return frozenset(Role(role) for role in found)


def manager_role_of(session: Session, firm_id: str, person_id: str) -> Membership | None:
    """The newest row by which a person is, or was, a manager."""
    return session.scalar(
        sa.select(Membership)
        .where(Membership.firm_id == firm_id, Membership.person_id == person_id, Membership.role == Role.MANAGER)
        .order_by(Membership.created_at.desc(), Membership.id.desc())
        .limit(1)
    )


def sites(session: Session, firm_id: str) -> Sequence[Site]:
    return session.scalars(sa.select(Site).where(Site.firm_id == firm_id).order_by(Site.created_at, Site.id)).all()


@dataclass(frozen=True)
class PersonRow:
    """One person of the firm in a list."""

    id: str
    name: str
    roles: tuple[Role, ...]
    is_absent: bool


def people_with_roles(session: Session, firm_id: str) -> list[PersonRow]:
    """All present people with their roles, by name: two queries, however many there are."""
    held: dict[str, list[Role]] = {}
    for row in session.execute(
        sa.select(Membership.person_id, Membership.role).where(
            Membership.firm_id == firm_id, Membership.ended_at.is_(None)
        )
    ):
        held.setdefault(row.person_id, []).append(Role(row.role))
    return [
        PersonRow(
            person.id, person.name, tuple(role for role in Role if role in held.get(person.id, [])), person.is_absent
        )
        for person in people(session, firm_id)
    ]
