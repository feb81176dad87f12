"""Inviting, joining, signing in and out, revoking: what changes who may come in."""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.core import clock, outbox
from app.core.errors import NotFound, RuleBroken
from app.core.events import PasskeyLocked, SignedOut
from app.core.ids import new_id
from app.firms.access import Actor, Role, require
from app.firms.actions import add_person, bump_version, note_event
from app.firms.models import Person
from app.firms.queries import person_for, roles_of
from app.firms.rules import check_reachable
from app.notary.queries import derived_secret
from app.passkeys.ceremony import Assertion, NewPasskey
from app.passkeys.models import JoinInvitation, Passkey, SignIn
from app.passkeys.queries import Invited, is_fresh, is_living, managers, passkey_for, usable_passkeys
from app.passkeys.rules import (
    CODE_LIFE,
    INVITATION_LIFE,
    check_invitation,
    code_of,
    hash_of,
    is_worker_only,
    token_of,
    vouching_permission,
)
from app.passkeys.sessions import NewSignIn, start_sign_in

log = structlog.get_logger()


def invite_person(session: Session, actor: Actor, name: str, roles: Collection[Role], email: str = "") -> str:
    """Make a QR for a new employee: 24 hours, once; returns its token. Nobody hands out more than they may."""
    check_invitation(actor.roles, roles)
    check_reachable(roles, email)
    row = _new_invitation(session, actor, "person", name, roles)
    row.email = email
    note_event(session, actor.firm_id, actor.person_id, "person_invited", "invitation", row.id)
    return invitation_token(session, row)


def invite_device(session: Session, actor: Actor, person_id: str) -> str:
    """Make a QR for another phone of a person; returns its token.

    One's own needs a passkey at hand; a worker's needs one colleague; everybody else's two, with the right role.
    """
    person = person_for(session, actor.firm_id, person_id)
    roles = roles_of(session, actor.firm_id, person_id)
    if person.left_at is not None or not roles:
        raise NotFound
    is_own = person_id == actor.person_id
    if not is_own:
        require_vouching(actor, roles)
    elif not actor.has_passkey:
        raise RuleBroken("Bitte deinen Meister um eine neue Einladung.")
    row = _new_invitation(session, actor, "device", person.name, roles)
    row.person_id = person_id
    row.needs_second = not is_own and not is_worker_only(roles)
    note_event(session, actor.firm_id, actor.person_id, "device_invited", "person", person_id)
    return invitation_token(session, row)


def check_presence(session: Session, actor: Actor, person_id: str) -> None:
    """Raise RuleBroken when a phone that was left open asks for one more key or phone of its own person."""
    if person_id == actor.person_id and actor.has_passkey and not is_fresh(session, actor):
        raise RuleBroken("Zeig zuerst deinen Fingerabdruck. Öffne dafür „Geräte“.")


def approve_device(session: Session, actor: Actor, invitation_id: str) -> None:
    """Vouch for a colleague's new device as the second person."""
    row = session.get(JoinInvitation, (actor.firm_id, invitation_id))
    if row is None or not row.needs_second or row.used_at is not None or row.expires_at <= clock.now():
        raise NotFound
    require_vouching(actor, frozenset(Role(role) for role in row.roles))
    if actor.person_id in (row.invited_by, row.person_id):
        raise RuleBroken("Das muss eine zweite Person bestätigen.")
    row.second_approver = actor.person_id
    note_event(session, actor.firm_id, actor.person_id, "device_approved", "person", row.person_id or "")


def require_vouching(actor: Actor, roles: Collection[Role]) -> None:
    """Raise NotAllowed unless the actor may vouch for a device of somebody with these roles."""
    require(actor, vouching_permission(roles))


def invitation_token(session: Session, row: JoinInvitation) -> str:
    """The token of an invitation, made again from its id: only its hash is stored."""
    return token_of(derived_secret(session, row.firm_id, f"invitation {row.id}"))


def invitation_code(session: Session, row: JoinInvitation) -> str:
    """The six characters for a freshly installed app; '' while none are shown."""
    if row.code_until is None or row.code_until <= clock.now():
        return ""
    return code_of(derived_secret(session, row.firm_id, f"code {row.id} {row.code_until.timestamp():.0f}"))


def show_code(session: Session, invited: Invited) -> None:
    """Open the invitation for six characters: once, and for a quarter of an hour. Its bearer has the token already."""
    row = session.get_one(JoinInvitation, (invited.firm_id, invited.id))
    row.code_until = clock.now() + CODE_LIFE
    # two open codes that are the same would let the wrong person in
    while session.scalar(sa.select(JoinInvitation.id).where(JoinInvitation.code_hash == _code_hash(session, row))):
        row.code_until += dt.timedelta(seconds=1)
    row.code_hash = _code_hash(session, row)


def use_code(session: Session, code: str) -> str:
    """Exchange the six characters, once, for the token of their invitation; raises NotFound."""
    now = clock.now()
    row = session.scalar(
        sa.select(JoinInvitation)
        .where(JoinInvitation.code_hash == hash_of(code), JoinInvitation.code_until > now)
        .with_for_update()
    )
    if row is None:
        raise NotFound
    row.code_hash, row.code_until, row.code_used_at = "", None, now
    return invitation_token(session, row)


def join_with_passkey(
    session: Session, invited: Invited, new: NewPasskey, device: str, language: str
) -> tuple[NewSignIn, Passkey]:
    """Use the invitation up: the person (a new one, or the one who got a new device) has a passkey and is signed in."""
    use_invitation(session, invited)
    person_id = invited.person_id or _add_invited(session, invited, language)
    passkey = add_passkey(session, invited.firm_id, person_id, new, device)
    return start_sign_in(session, invited.firm_id, person_id, device, has_passkey=True), passkey


def join_without_passkey(session: Session, invited: Invited, device: str, language: str) -> NewSignIn:
    """Sign in a phone without screen lock: worker rights on this device and nothing else."""
    if not is_worker_only(invited.roles):
        raise RuleBroken("Für deine Aufgabe brauchst du den Fingerabdruck.")
    use_invitation(session, invited)
    person_id = invited.person_id or _add_invited(session, invited, language)
    return start_sign_in(session, invited.firm_id, person_id, device, has_passkey=False)


def use_invitation(session: Session, invited: Invited) -> None:
    """Mark the invitation as used; raises NotFound when somebody was faster or a second person is still missing."""
    if invited.waits_for_second:
        raise RuleBroken("Eine zweite Person muss noch zustimmen. Bitte sie darum.")
    used = session.execute(
        sa.update(JoinInvitation)
        .where(
            JoinInvitation.firm_id == invited.firm_id,
            JoinInvitation.id == invited.id,
            JoinInvitation.used_at.is_(None),
            JoinInvitation.expires_at > clock.now(),
        )
        .values(used_at=clock.now())
    )
    if used.rowcount != 1:  # type: ignore[attr-defined]
        raise NotFound("Diese Einladung gilt nicht mehr. Bitte um eine neue.")


def add_passkey(session: Session, firm_id: str, person_id: str, new: NewPasskey, device: str) -> Passkey:
    """Give a person one more passkey. It signs people in at once; documents only after its ledger record."""
    if session.scalar(sa.select(Passkey.id).where(Passkey.credential_id == new.credential_id)) is not None:
        raise RuleBroken("Dieses Handy ist schon eingerichtet. Melde dich an.")
    passkey = Passkey(
        firm_id=firm_id,
        id=new_id(),
        created_at=clock.now(),
        person_id=person_id,
        credential_id=new.credential_id,
        public_key=new.public_key,
        user_handle=new.user_handle,
        name=device[:60],
        sign_count=new.sign_count,
        is_backed_up=new.is_backed_up,
        origin=new.origin,
    )
    session.add(passkey)
    session.flush()
    note_event(session, firm_id, person_id, "passkey_added", "person", person_id)
    bump_version(session, firm_id)
    return passkey


def note_use(passkey: Passkey, answer: Assertion) -> None:
    """Remember when a passkey was used; a counter that did not grow is shown, never a lock-out."""
    is_counting = answer.sign_count > 0 or passkey.sign_count > 0
    if is_counting and answer.sign_count <= passkey.sign_count:
        passkey.suspicious_at = clock.now()
    passkey.sign_count = max(answer.sign_count, passkey.sign_count)
    passkey.is_backed_up = answer.is_backed_up
    passkey.last_used_at = clock.now()


def sign_in(session: Session, firm_id: str, passkey_id: str, answer: Assertion, device: str) -> NewSignIn:
    """Sign a device in with a verified answer; raises RuleBroken for a revoked passkey or a person who left."""
    passkey = session.get(Passkey, (firm_id, passkey_id), populate_existing=True)
    person = None if passkey is None else session.get(Person, (firm_id, passkey.person_id))
    if passkey is None or passkey.revoked_at is not None or person is None or person.left_at is not None:
        raise RuleBroken("Mit diesem Gerät kannst du dich nicht anmelden. Bitte um eine neue Einladung.")
    if not roles_of(session, firm_id, person.id):
        raise RuleBroken("Mit diesem Gerät kannst du dich nicht anmelden. Bitte um eine neue Einladung.")
    note_use(passkey, answer)
    return start_sign_in(session, firm_id, person.id, device, has_passkey=True)


def sign_out(session: Session, actor: Actor, device_id: str) -> None:
    """Sign one device out, at once and everywhere: one's own, or any of the firm's for managers and stewards."""
    row = session.scalar(sa.select(SignIn).where(SignIn.public_id == device_id, SignIn.firm_id == actor.firm_id))
    if row is None:
        raise NotFound
    if row.person_id != actor.person_id:
        require(actor, "devices.see")
    _delete(session, [row])


def sign_out_person(session: Session, firm_id: str, person_id: str, but: str = "") -> int:
    """Sign all devices of a person out, except the one with that id; returns how many."""
    rows = session.scalars(
        sa.select(SignIn).where(SignIn.firm_id == firm_id, SignIn.person_id == person_id, SignIn.public_id != but)
    ).all()
    _delete(session, rows)
    return len(rows)


def renew_sign_ins(session: Session, firm_id: str, person_id: str, but: str = "") -> None:
    """After somebody got more rights: no old secret carries them. Phones without passkey stay, they gain nothing."""
    rows = sa.select(SignIn).where(SignIn.firm_id == firm_id, SignIn.person_id == person_id, SignIn.has_passkey)
    _delete(session, session.scalars(rows.where(SignIn.public_id != but)).all())


def revoke_passkey(session: Session, actor: Actor, passkey_id: str) -> Passkey:
    """Lock a passkey: from now on it signs nothing and all devices of its person are signed out.

    The device in use stays when people lock a key of their own. The ledger record follows by a manager's approval.
    """
    passkey = passkey_for(session, actor.firm_id, passkey_id)
    if passkey.person_id != actor.person_id:
        require(actor, "people.edit")
    if passkey.revoked_at is None:
        _keep_one_signing_key(session, passkey)
        lock_passkey(session, passkey, but=actor.session_id if passkey.person_id == actor.person_id else "")
        note_event(session, actor.firm_id, actor.person_id, "passkey_revoked", "person", passkey.person_id)
    return passkey


def lock_passkey(session: Session, passkey: Passkey, but: str = "") -> None:
    """Set the passkey out of use, sign its person's devices out, and end the QRs that they may have shown around."""
    passkey.revoked_at = clock.now()
    outbox.emit(session, PasskeyLocked(passkey.firm_id, passkey.id))
    _end_invitations(session, passkey.firm_id, passkey.person_id)
    sign_out_person(session, passkey.firm_id, passkey.person_id, but)
    bump_version(session, passkey.firm_id)


def end_access(session: Session, firm_id: str, person_id: str) -> None:
    """A person left the firm: every device is signed out and every passkey locked."""
    for passkey in usable_passkeys(session, firm_id, person_id):
        passkey.revoked_at = clock.now()
    _end_invitations(session, firm_id, person_id)
    sign_out_person(session, firm_id, person_id)


def clear_expired(session: Session, now: dt.datetime) -> None:
    """Deadline: sign-ins that ran out or rested too long go, with their push subscriptions."""
    _delete(session, session.scalars(sa.select(SignIn).where(~is_living(now)).limit(200)).all())


def _end_invitations(session: Session, firm_id: str, person_id: str) -> None:
    """What a person has made, and what was made for a device of that person; the person's own yes counts no more."""
    session.execute(
        sa.delete(JoinInvitation).where(
            JoinInvitation.firm_id == firm_id,
            JoinInvitation.used_at.is_(None),
            sa.or_(JoinInvitation.invited_by == person_id, JoinInvitation.person_id == person_id),
        )
    )
    session.execute(
        sa.update(JoinInvitation)
        .where(JoinInvitation.firm_id == firm_id, JoinInvitation.second_approver == person_id)
        .values(second_approver=None)
    )


def _keep_one_signing_key(session: Session, passkey: Passkey) -> None:
    if not passkey.is_registered:
        return
    for person in managers(session, passkey.firm_id):
        for other in usable_passkeys(session, passkey.firm_id, person.id):
            if other.id != passkey.id and other.is_registered:
                return
    raise RuleBroken("Das ist der letzte Schlüssel der Leitung. Füge zuerst einen neuen hinzu.")


def _new_invitation(session: Session, actor: Actor, kind: str, name: str, roles: Collection[Role]) -> JoinInvitation:
    now = clock.now()
    row = JoinInvitation(
        firm_id=actor.firm_id, id=new_id(), created_at=now, kind=kind, name=name, roles=sorted(roles),
        invited_by=actor.person_id, expires_at=now + INVITATION_LIFE,
    )  # fmt: skip
    row.token_hash = hash_of(invitation_token(session, row))
    session.add(row)
    session.flush()
    return row


def _code_hash(session: Session, row: JoinInvitation) -> str:
    return hash_of(invitation_code(session, row))


def _add_invited(session: Session, invited: Invited, language: str) -> str:
    roles = [Role(role) for role in invited.roles]
    person = add_person(
        session, invited.firm_id, invited.name, roles, language, invited.email, given_by=invited.invited_by
    )
    return person.id


def _delete(session: Session, rows: Collection[SignIn]) -> None:
    for row in rows:
        outbox.emit(session, SignedOut(row.firm_id, row.public_id))
        log.info("signed out", firm_id=row.firm_id, person_id=row.person_id, sign_in_id=row.public_id)
        session.delete(row)
    session.flush()
