"""Partnerships: inviting, accepting, narrowing, resting, blocking. Signing is in `signing`, what arrives in `receiving`."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import (
    PartnershipDeclined,
    PartnershipPaused,
    PartnershipProposed,
    PartnershipResumed,
    PartnershipScoped,
)
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.firms.queries import firm_of
from app.notary.actions import remember_partner_keys
from app.notary.queries import key_document
from app.partners.framework import card_of, facts_of
from app.partners.models import BlockedFirm, PartnerInvitation, Partnership
from app.partners.queries import (
    find_partnership,
    framework_with,
    invitation_for,
    invitation_token,
    is_blocked,
    locked_partnership,
    open_invitation,
    own_words,
    partner_by_address,
)
from app.partners.receiving import receive_accept as receive_accept
from app.partners.receiving import receive_end as receive_end
from app.partners.receiving import receive_invite as receive_invite
from app.partners.receiving import receive_pause as receive_pause
from app.partners.receiving import receive_resumed as receive_resumed
from app.partners.receiving import receive_scoped as receive_scoped
from app.partners.receiving import use_invitation
from app.partners.rows import open_row
from app.partners.rules import (
    INVITATION_LIFE,
    LINKED,
    OPEN,
    check_scope,
    check_step,
    hash_of,
    paused_after,
    resumed_after,
)
from app.partners.wire import Card

MOST_INVITATIONS_A_DAY = 30
A_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Inviter:
    """What the bearer of a token may see of the firm that invites: name, town and the words to compare."""

    invitation_id: str
    firm_id: str
    name: str
    town: str
    words: str


@dataclass(frozen=True)
class FarInvitation:
    """What another node answered to a token: whose invitation it is, with keys that prove it. `words` follow from the keys."""

    node: str
    token: str
    invitation_id: str
    card: Card
    keys: dict[str, Any]
    words: str


def invite_partner(
    session: Session, actor: Actor, for_firm: str | None = None, life: dt.timedelta = INVITATION_LIFE
) -> str:
    """Make a QR for another firm: 48 hours, once; returns the invitation's id. Only the hash of its token is stored.

    `for_firm`: only that firm may use it. `life`: another one than 48 hours.
    """
    now = clock.now()
    recent = sa.select(sa.func.count()).select_from(PartnerInvitation)
    recent = recent.where(PartnerInvitation.firm_id == actor.firm_id, PartnerInvitation.created_at > now - A_DAY)
    if (session.scalar(recent) or 0) >= MOST_INVITATIONS_A_DAY:
        raise RuleBroken("Das waren heute viele Einladungen. Versuch es morgen wieder.")
    invitation_id = new_id()
    session.add(
        PartnerInvitation(
            firm_id=actor.firm_id,
            id=invitation_id,
            created_at=now,
            token_hash=hash_of(invitation_token(session, actor.firm_id, invitation_id)),
            invited_by=actor.person_id,
            for_firm=for_firm,
            expires_at=now + life,
        )
    )
    session.flush()
    note_event(session, actor.firm_id, actor.person_id, "partner_invited", "invitation", invitation_id)
    bump_version(session, actor.firm_id)
    return invitation_id


def recall_invitation(session: Session, actor: Actor, invitation_id: str) -> None:
    """Take an invitation back: its QR opens nothing from now on. It still counts among those of the day."""
    row = invitation_for(session, actor.firm_id, invitation_id)
    if row.used_at is not None:
        raise Conflict("Ein Betrieb hat die Einladung schon angenommen.")
    row.expires_at = clock.now()
    note_event(session, actor.firm_id, actor.person_id, "partner_uninvited", "invitation", invitation_id)
    bump_version(session, actor.firm_id)


def inviter_by(session: Session, token: str) -> Inviter:
    """Who invites with this token; unknown, used, expired and meanwhile hidden ones are the same NotFound."""
    return _inviter(session, open_invitation(session, token))


def propose_partnership(session: Session, actor: Actor, token: str) -> str:
    """Use a partner's invitation for our firm; returns the partner's firm id. Neither is a partner before both signed.

    Raises NotFound for a token that does not open anything (any more), RuleBroken for the own one or a known partner.
    """
    return propose_by_invitation(session, actor.firm_id, actor.person_id, open_invitation(session, token))


def propose_by_invitation(session: Session, firm_id: str, person_id: str | None, invitation: PartnerInvitation) -> str:
    """The same with the invitation at hand, for whoever asked for it before."""
    if invitation.firm_id == firm_id:
        raise RuleBroken("Das ist eure eigene Einladung. Zeig sie einem anderen Betrieb.")
    if invitation.for_firm not in (None, firm_id):
        raise NotFound("Diese Einladung gilt nicht mehr. Bitte um eine neue.")
    inviter = _inviter(session, invitation)
    theirs, ours = firm_of(session, inviter.firm_id), firm_of(session, firm_id)
    _check_not_hidden(session, ours, theirs)
    _check_unknown(session, firm_id, theirs.id)
    use_invitation(session, invitation, firm_id)
    remember_partner_keys(session, firm_id, theirs.id, key_document(session, theirs.id))
    row = open_row(session, firm_id, theirs.id, card_of(theirs), inviter.words, we_invited=False)
    named = {"object": row.name}
    note_event(session, firm_id, person_id, "partner_proposed", "partner", theirs.id, theirs.id, named)
    bump_version(session, firm_id)
    emit(session, PartnershipProposed(firm_id, theirs.id))
    return theirs.id


def propose_far_partnership(session: Session, actor: Actor, invited: FarInvitation) -> str:
    """Use the invitation of a firm on another node; returns the id that it has here. The partner learns it by message.

    Raises RuleBroken for a known partner, a name of our own, or keys that prove another firm than the invitation names.
    """
    ours, card = firm_of(session, actor.firm_id), invited.card
    if is_blocked(session, ours.id, card.address):
        raise NotFound("Diese Einladung gilt nicht mehr. Bitte um eine neue.")
    if card.address == ours.address or invited.keys.get("address") != card.address:
        raise RuleBroken("Das ist keine Einladung, die ihr annehmen könnt.")
    known = partner_by_address(session, ours.id, card.address)
    if known is not None:
        _check_unknown(session, ours.id, known.partner_id)
    partner_id = known.partner_id if known else new_id()
    remember_partner_keys(session, ours.id, partner_id, invited.keys)
    row = open_row(session, ours.id, partner_id, card, invited.words, we_invited=False, node=invited.node)
    row.token, row.profile = invited.token, row.profile | {"invitation_id": invited.invitation_id}
    _note(session, actor, "partner_proposed", row)
    emit(session, PartnershipProposed(ours.id, partner_id))
    return partner_id


def decline_partnership(session: Session, actor: Actor, partner_id: str) -> None:
    """Say no before both have signed; the partner's node learns it, without a reason."""
    partnership = locked_partnership(session, actor.firm_id, partner_id)
    check_step(partnership.state, "declined")
    partnership.state, partnership.ended_at = "declined", clock.now()
    _note(session, actor, "partner_declined", partnership)
    emit(session, PartnershipDeclined(actor.firm_id, partner_id))


def set_scope(session: Session, actor: Actor, partner_id: str, scopes: list[str]) -> None:
    """Say what the partner may send us, within what both signed; it counts from now on. An empty list lets nothing in."""
    partnership = _linked(session, actor, partner_id)
    signed = facts_of(session, framework_with(session, partnership)).scopes
    partnership.scope = check_scope(scopes, signed)
    _note(session, actor, "partner_scoped", partnership)
    emit(session, PartnershipScoped(actor.firm_id, partner_id))


def pause_partnership(session: Session, actor: Actor, partner_id: str) -> None:
    """Let the partnership rest, from our side alone: nothing new begins, what is agreed goes on."""
    partnership = _linked(session, actor, partner_id)
    partnership.state, partnership.paused_by = "paused", paused_after(partnership.paused_by, "us")
    _note(session, actor, "partner_paused", partnership)
    emit(session, PartnershipPaused(actor.firm_id, partner_id))


def resume_partnership(session: Session, actor: Actor, partner_id: str) -> None:
    """End our own rest; the partner's, if there is one, stays."""
    partnership = _linked(session, actor, partner_id)
    if partnership.paused_by not in ("us", "both"):
        raise RuleBroken("Euer Partner hat die Pause gemacht. Nur er kann sie beenden.")
    partnership.paused_by = resumed_after(partnership.paused_by, "us")
    partnership.state = "paused" if partnership.paused_by else "active"
    _note(session, actor, "partner_resumed", partnership)
    emit(session, PartnershipResumed(actor.firm_id, partner_id))


def block_firm(session: Session, actor: Actor, partner_id: str) -> None:
    """Hide from a firm and hide it from us, without notice: only what both have signed still finds its way."""
    partnership = locked_partnership(session, actor.firm_id, partner_id)
    hide_firm(session, actor, partnership.address, partnership.name)
    _note(session, actor, "firm_blocked", partnership)


def hide_firm(session: Session, actor: Actor, address: str, name: str) -> None:
    """Put an address on the block list, once."""
    if not is_blocked(session, actor.firm_id, address):
        session.add(BlockedFirm(firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), address=address, name=name))
        session.flush()


def unblock_firm(session: Session, actor: Actor, blocked_id: str) -> None:
    """Take a firm off the block list; the partnership is what it was before."""
    row = session.get(BlockedFirm, (actor.firm_id, blocked_id))
    if row is None:
        raise NotFound
    session.delete(row)
    session.flush()
    note_event(session, actor.firm_id, actor.person_id, "firm_unblocked", detail={"object": row.name})
    bump_version(session, actor.firm_id)


def lapse_invitations(session: Session, now: dt.datetime) -> None:
    """Deadline: partnerships that were not signed in time lapse; each side keeps its own clock."""
    rows = session.scalars(
        sa.select(Partnership)
        .where(Partnership.state.in_(sorted(OPEN)), Partnership.expires_at <= now)
        .order_by(Partnership.firm_id, Partnership.id)
        .limit(200)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.state, row.ended_at = "lapsed", now
        named = {"object": row.name}
        note_event(session, row.firm_id, None, "partner_lapsed", "partner", row.partner_id, row.partner_id, named)
        bump_version(session, row.firm_id)


def _inviter(session: Session, row: PartnerInvitation) -> Inviter:
    firm = firm_of(session, row.firm_id)
    return Inviter(row.id, firm.id, firm.name, firm.town, own_words(session, firm.id))


def _linked(session: Session, actor: Actor, partner_id: str) -> Partnership:
    partnership = locked_partnership(session, actor.firm_id, partner_id)
    if partnership.state not in LINKED:
        raise RuleBroken("Das geht erst, wenn beide unterschrieben haben.")
    return partnership


def _check_not_hidden(session: Session, ours: Firm, theirs: Firm) -> None:
    """Whoever is blocked meets an invitation that does not exist."""
    if is_blocked(session, theirs.id, ours.address) or is_blocked(session, ours.id, theirs.address):
        raise NotFound("Diese Einladung gilt nicht mehr. Bitte um eine neue.")


def _check_unknown(session: Session, firm_id: str, partner_id: str) -> None:
    known = find_partnership(session, firm_id, partner_id)
    if known is not None and known.state in LINKED:
        raise RuleBroken("Ihr seid schon Partner.")
    if known is not None and known.state in OPEN:
        raise RuleBroken("Ihr habt schon angefangen. Es fehlt nur noch die Unterschrift.")


def _note(session: Session, actor: Actor, verb: str, partnership: Partnership) -> None:
    partner_id, named = partnership.partner_id, {"object": partnership.name}
    note_event(session, actor.firm_id, actor.person_id, verb, "partner", partner_id, partner_id, named)
    bump_version(session, actor.firm_id)
