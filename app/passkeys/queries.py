"""Devices, passkeys and invitations, for those who may see them."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.core import clock
from app.core.errors import NotFound
from app.firms.access import PERMISSIONS, Actor, Role, may
from app.firms.models import Firm, Membership, Person
from app.firms.queries import roles_of, signing_limits
from app.firms.rules import roles_to_invite
from app.passkeys.models import JoinInvitation, Passkey, SignIn
from app.passkeys.rules import FRESH, SIGN_IN_REST, hash_of, is_worker_only, vouching_permission


@dataclass(frozen=True)
class Device:
    """One sign-in in a list."""

    id: str
    person_id: str
    person: str
    name: str
    since: dt.datetime
    last_seen: dt.datetime
    has_passkey: bool
    is_this: bool


@dataclass(frozen=True)
class KeyRow:
    """One passkey in a list. `state`: ready, waiting (its record), revoked, demoted or limit (their records missing), sign_in."""

    id: str
    person_id: str
    person: str
    name: str
    since: dt.datetime
    last_used: dt.datetime | None
    is_suspicious: bool
    state: str


@dataclass(frozen=True)
class KnownKey:
    """What checking an answer needs of a passkey, beyond the transaction that read it."""

    firm_id: str
    id: str
    credential_id: str
    public_key: bytes
    user_handle: str


@dataclass(frozen=True)
class Invited:
    """An open invitation with the names for its pages."""

    id: str
    firm_id: str
    firm_name: str
    kind: str
    name: str
    roles: tuple[str, ...]
    person_id: str | None
    language: str
    waits_for_second: bool
    has_app: bool
    """Somebody typed its code inside the installed app."""
    email: str
    invited_by: str


def is_living(now: dt.datetime) -> sa.ColumnElement[bool]:
    """The condition on SignIn under which a device is still signed in: for pages and messages alike."""
    return (SignIn.expires_at > now) & (SignIn.last_seen_at > now - SIGN_IN_REST)


def devices(session: Session, actor: Actor) -> list[Device]:
    """The actor's devices; those of the whole firm for managers and stewards."""
    query = (
        sa.select(SignIn, Person.name)
        .join(Person, (Person.firm_id == SignIn.firm_id) & (Person.id == SignIn.person_id))
        .where(SignIn.firm_id == actor.firm_id, is_living(clock.now()))
        .order_by(Person.name, SignIn.last_seen_at.desc())
    )
    if not may(actor, "devices.see"):
        query = query.where(SignIn.person_id == actor.person_id)
    found = [
        Device(
            row.public_id, row.person_id, name, row.device, row.created_at, row.last_seen_at, row.has_passkey,
            row.public_id == actor.session_id,
        )
        for row, name in session.execute(query)
    ]  # fmt: skip
    return sorted(found, key=lambda one: not one.is_this)


def passkeys(session: Session, actor: Actor) -> list[KeyRow]:
    """The actor's passkeys; those of the whole firm for managers and stewards. Settled revocations are left out."""
    query = (
        sa.select(Passkey, Person.name, _is_manager().label("is_manager"))
        .join(Person, (Person.firm_id == Passkey.firm_id) & (Person.id == Passkey.person_id))
        .where(Passkey.firm_id == actor.firm_id)
        .where(Passkey.revoked_at.is_(None) | _is_registered())
        .order_by(Person.name, Passkey.created_at)
    )
    if not may(actor, "devices.see"):
        query = query.where(Passkey.person_id == actor.person_id)
    limits = signing_limits(session, actor.firm_id)
    return [
        KeyRow(
            row.id, row.person_id, name, row.name, row.created_at, row.last_used_at, row.suspicious_at is not None,
            _state(row, is_manager, limits.get(row.person_id)),
        )
        for row, name, is_manager in session.execute(query)
    ]  # fmt: skip


def is_fresh(session: Session, actor: Actor) -> bool:
    """Say whether the person showed the passkey on this device just now."""
    since = sa.select(SignIn.created_at).where(SignIn.public_id == actor.session_id, SignIn.has_passkey)
    return (session.scalar(since) or clock.now() - FRESH) > clock.now() - FRESH


def waiting_key_count(session: Session, firm_id: str) -> int:
    """How many passkeys wait for a record in the ledger: those of managers to sign, all others to sign no more."""
    may_sign = Passkey.revoked_at.is_(None) & _is_manager()
    query = sa.select(sa.func.count()).where(Passkey.firm_id == firm_id, may_sign != _is_registered())
    told = sa.select(Passkey.person_id, Passkey.registered_limit_cents).where(
        Passkey.firm_id == firm_id, may_sign, _is_registered()
    )
    limits = signing_limits(session, firm_id)
    other = [person_id for person_id, cents in session.execute(told) if limits.get(person_id) != cents]
    return (session.scalar(query) or 0) + len(other)


def needs_second_key(session: Session, actor: Actor) -> bool:
    """Say whether a lost phone would lock this manager out."""
    return Role.MANAGER in actor.roles and len(usable_passkeys(session, actor.firm_id, actor.person_id)) == 1


def usable_passkeys(session: Session, firm_id: str, person_id: str) -> Sequence[Passkey]:
    """The person's passkeys that were not revoked, oldest first."""
    return session.scalars(
        sa.select(Passkey)
        .where(Passkey.firm_id == firm_id, Passkey.person_id == person_id, Passkey.revoked_at.is_(None))
        .order_by(Passkey.created_at, Passkey.id)
    ).all()


def passkey_for(session: Session, firm_id: str, passkey_id: str) -> Passkey:
    """One passkey of the firm; raises NotFound."""
    found = session.get(Passkey, (firm_id, passkey_id))
    if found is None:
        raise NotFound
    return found


def known_key(passkey: Passkey) -> KnownKey:
    return KnownKey(passkey.firm_id, passkey.id, passkey.credential_id, passkey.public_key, passkey.user_handle)


def key_by_credential(session: Session, credential_id: str) -> KnownKey | None:
    """The passkey that a phone names, of whatever firm, if it was not revoked."""
    found = session.scalar(sa.select(Passkey).where(Passkey.credential_id == credential_id))
    return None if found is None or found.revoked_at is not None else known_key(found)


def invitation_by(session: Session, token: str) -> Invited:
    """The open invitation of a token; the same NotFound for unknown, used and expired ones."""
    is_open = (JoinInvitation.used_at.is_(None), JoinInvitation.expires_at > clock.now())
    row = session.execute(
        sa.select(JoinInvitation, Firm.name, Person.name, Person.language)
        .join(Firm, Firm.id == JoinInvitation.firm_id)
        .outerjoin(Person, (Person.firm_id == JoinInvitation.firm_id) & (Person.id == JoinInvitation.person_id))
        .where(JoinInvitation.token_hash == hash_of(token), *is_open)
    ).one_or_none()
    invited = None if row is None else _granted(session, row[0], row[1], row[2] or "", row[3] or "")
    if invited is None:
        raise NotFound("Diese Einladung gilt nicht mehr. Bitte um eine neue.")
    return invited


def invitation_of(session: Session, actor: Actor, invitation_id: str) -> JoinInvitation:
    """An invitation that the actor made; raises NotFound."""
    row = session.get(JoinInvitation, (actor.firm_id, invitation_id))
    if row is None or row.invited_by != actor.person_id:
        raise NotFound
    return row


def waiting_for_second(session: Session, actor: Actor) -> list[Invited]:
    """New devices of colleagues that a first colleague vouched for and the actor may vouch for as the second."""
    rows = session.execute(
        sa.select(JoinInvitation, Firm.name, Person.name, Person.language)
        .join(Firm, Firm.id == JoinInvitation.firm_id)
        .join(Person, (Person.firm_id == JoinInvitation.firm_id) & (Person.id == JoinInvitation.person_id))
        .where(
            JoinInvitation.firm_id == actor.firm_id,
            JoinInvitation.needs_second,
            JoinInvitation.used_at.is_(None),
            JoinInvitation.expires_at > clock.now(),
            JoinInvitation.invited_by != actor.person_id,
            JoinInvitation.person_id != actor.person_id,
        )
        .order_by(JoinInvitation.created_at)
    )
    found = [_invited(*row) for row in rows if not has_second(session, row[0], row[0].roles)]
    needed = {one.id: "people.invite_manager" if Role.MANAGER in one.roles else "people.edit" for one in found}
    return [one for one in found if may(actor, needed[one.id])]


def has_second(session: Session, row: JoinInvitation, roles: Collection[str]) -> bool:
    """Say whether a second person vouched for a device of somebody with these roles, and still may."""
    return bool(PERMISSIONS[vouching_permission(roles)] & roles_of(session, row.firm_id, row.second_approver or ""))


def was_locked_since(session: Session, firm_id: str, person_id: str, moment: dt.datetime) -> bool:
    """Say whether a passkey of the person was locked after that moment: what was handed out before may be in wrong hands."""
    locked = sa.select(Passkey.id).where(
        Passkey.firm_id == firm_id, Passkey.person_id == person_id, Passkey.revoked_at >= moment
    )
    return session.scalar(locked.limit(1)) is not None


def managers(session: Session, firm_id: str) -> Sequence[Person]:
    """The present managers, by name."""
    return session.scalars(
        sa.select(Person)
        .where(Person.firm_id == firm_id, Person.left_at.is_(None), _holds_manager(Person.firm_id, Person.id))
        .order_by(Person.name, Person.id)
    ).all()


def _granted(session: Session, row: JoinInvitation, firm: str, person: str, language: str) -> Invited | None:
    """The invitation as it counts today: roles may have come and gone since it was made, its maker and person too."""
    own = roles_of(session, row.firm_id, row.invited_by)
    if row.kind == "person":
        return _invited(row, firm, person, language) if set(row.roles) <= roles_to_invite(own) else None
    roles, is_own = roles_of(session, row.firm_id, row.person_id or ""), row.invited_by == row.person_id
    if not roles or not (is_own or PERMISSIONS[vouching_permission(roles)] & own):
        return None
    waits = not is_own and not is_worker_only(roles) and not has_second(session, row, roles)
    found = _invited(row, firm, person, language)
    return replace(found, roles=tuple(sorted(roles)), waits_for_second=waits)


def _invited(row: JoinInvitation, firm: str, person: str, language: str) -> Invited:
    return Invited(
        row.id, row.firm_id, firm, row.kind, person or row.name, tuple(row.roles), row.person_id, language,
        row.needs_second, row.code_used_at is not None, row.email, row.invited_by,
    )  # fmt: skip


def _state(row: Passkey, is_manager: bool, limit_cents: int | None) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if not row.is_registered:
        return "waiting" if is_manager else "sign_in"
    if not is_manager:
        return "demoted"
    return "ready" if row.registered_limit_cents == limit_cents else "limit"


def _is_registered() -> sa.ColumnElement[bool]:
    return Passkey.registered_seq.is_not(None) & Passkey.revoked_seq.is_(None)


def _is_manager() -> sa.ColumnElement[bool]:
    return _holds_manager(Passkey.firm_id, Passkey.person_id)


def _holds_manager(
    firm_id: InstrumentedAttribute[str], person_id: InstrumentedAttribute[str]
) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        Membership.firm_id == firm_id,
        Membership.person_id == person_id,
        Membership.role == Role.MANAGER,
        Membership.ended_at.is_(None),
    )
