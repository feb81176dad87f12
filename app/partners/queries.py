"""Partnerships of the acting firm. Nothing here tells of a firm without consent."""

import base64
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound
from app.core.prepared import Prepared
from app.firms.access import PERMISSIONS
from app.firms.models import Firm
from app.firms.queries import roles_of
from app.notary.models import PartnerKeys, table_of
from app.notary.queries import derived_secret, fingerprint_words, genesis_digest
from app.notary.transfer import is_elsewhere
from app.partners.models import BlockedFirm, Framework, PartnerInvitation, Partnership
from app.partners.rules import LINKED, OPEN, OWED, WITHOUT_CONSENT, hash_of, lets_through
from app.passkeys.queries import was_locked_since

# written once: these run with every message, and writing them costs as much as running them
_PARTNERSHIP = sa.select(Partnership).where(
    Partnership.firm_id == sa.bindparam("firm_id"), Partnership.partner_id == sa.bindparam("partner_id")
)
_PARTNERS, _BLOCKED = table_of(Partnership), table_of(BlockedFirm)
_CONSENT = Prepared(
    sa.select(
        _PARTNERS.c.address,
        _PARTNERS.c.state,
        _PARTNERS.c.scope,
        _PARTNERS.c.partner_scope,
        sa.exists()
        .where(_BLOCKED.c.firm_id == _PARTNERS.c.firm_id, _BLOCKED.c.address == _PARTNERS.c.address)
        .label("is_blocked"),
    ).where(_PARTNERS.c.firm_id == sa.bindparam("firm_id"), _PARTNERS.c.partner_id == sa.bindparam("partner_id"))
)
_BLOCK = sa.select(BlockedFirm.id).where(
    BlockedFirm.firm_id == sa.bindparam("firm_id"), BlockedFirm.address == sa.bindparam("address")
)


def find_partnership(session: Session, firm_id: str, partner_id: str) -> Partnership | None:
    return session.scalar(_PARTNERSHIP, {"firm_id": firm_id, "partner_id": partner_id})


def partner_by_address(session: Session, firm_id: str, address: str) -> Partnership | None:
    """The partnership, in any state, with the firm that bears this name in records."""
    return session.scalar(sa.select(Partnership).where(Partnership.firm_id == firm_id, Partnership.address == address))


def partnership_with(session: Session, firm_id: str, partner_id: str) -> Partnership:
    """The partnership with one firm, in any state; raises NotFound."""
    found = find_partnership(session, firm_id, partner_id)
    if found is None:
        raise NotFound
    return found


def shown_partnership(session: Session, firm_id: str, partner_id: str) -> Partnership:
    """The partnership for its page: a firm that we blocked is hidden from us too; raises NotFound."""
    found = partnership_with(session, firm_id, partner_id)
    if is_blocked(session, firm_id, found.address):
        raise NotFound
    return found


def signed_partnership(session: Session, firm_id: str, partner_id: str) -> Partnership:
    """The partnership for its contract: what both have signed stays readable, even with a firm that we hide."""
    found = partnership_with(session, firm_id, partner_id)
    return found if found.since is not None else shown_partnership(session, firm_id, partner_id)


def signed_and_hidden(session: Session, firm_id: str) -> dict[str, str]:
    """Address and id of the blocked firms that we have a signed contract with."""
    rows = session.execute(
        sa.select(Partnership.address, Partnership.partner_id).where(
            Partnership.firm_id == firm_id, Partnership.since.is_not(None), _blocked(firm_id)
        )
    ).all()
    return {row.address: row.partner_id for row in rows}


def locked_partnership(session: Session, firm_id: str, partner_id: str) -> Partnership:
    """The same for writing: two managers, or a manager and a message, come one after the other."""
    found = session.scalar(
        sa.select(Partnership)
        .where(Partnership.firm_id == firm_id, Partnership.partner_id == partner_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound
    return found


def active_partners(session: Session, firm_id: str, scope: str = "requests") -> Sequence[Partnership]:
    """Partners that let us send messages of this scope now, by name."""
    found = session.scalars(
        sa.select(Partnership)
        .where(Partnership.firm_id == firm_id, is_linked(firm_id))
        .order_by(Partnership.name, Partnership.partner_id)
    )
    return [partner for partner in found if scope in partner.partner_scope]


def partners_in(session: Session, firm_id: str, states: Sequence[str]) -> Sequence[Partnership]:
    """Partners in these states by name, without blocked ones."""
    return session.scalars(
        sa.select(Partnership)
        .where(Partnership.firm_id == firm_id, Partnership.state.in_(states), ~_blocked(firm_id))
        .order_by(Partnership.name, Partnership.partner_id)
    ).all()


def partner_count(session: Session, firm_id: str) -> int:
    """How many partnerships both sides have signed."""
    return _count(session, firm_id, LINKED)


def waiting_count(session: Session, firm_id: str) -> int:
    """How many partnerships wait for a signature, and invitations that nobody has used yet."""
    return _count(session, firm_id, OPEN) + len(open_invitations(session, firm_id))


def framework_for(session: Session, firm_id: str, framework_id: str) -> Framework:
    """A framework agreement of the firm, draft or signed; raises NotFound."""
    found = session.get(Framework, (firm_id, framework_id))
    if found is None:
        raise NotFound
    return found


def framework_with(session: Session, partnership: Partnership) -> Framework:
    """The framework agreement that a partnership stands on, or will; raises NotFound before there is one."""
    return framework_for(session, partnership.firm_id, partnership.framework_id or "")


def open_invitation(session: Session, token: str) -> PartnerInvitation:
    """The invitation that a token opens; unknown, used and expired ones are the same NotFound."""
    found = session.scalar(sa.select(PartnerInvitation).where(PartnerInvitation.token_hash == hash_of(token)))
    if found is None or not is_open(session, found):
        raise NotFound("Diese Einladung gilt nicht mehr. Bitte um eine neue.")
    return found


def is_open(session: Session, row: PartnerInvitation) -> bool:
    """Say whether an invitation still counts: unused, in time, and of somebody who still may and was not locked since."""
    if row.used_at is not None or row.expires_at <= clock.now() or is_elsewhere(session, row.firm_id):
        return False
    may_invite = PERMISSIONS["partners.edit"] & roles_of(session, row.firm_id, row.invited_by)
    return bool(may_invite) and not was_locked_since(session, row.firm_id, row.invited_by, row.created_at)


def is_of_moved_firm(session: Session, token: str) -> bool:
    """Say whether an invitation opens nothing only because its firm lives on another node now."""
    found = session.scalar(sa.select(PartnerInvitation).where(PartnerInvitation.token_hash == hash_of(token)))
    is_fresh = found is not None and found.used_at is None and found.expires_at > clock.now()
    return is_fresh and found is not None and is_elsewhere(session, found.firm_id)


def open_invitations(session: Session, firm_id: str) -> list[PartnerInvitation]:
    """Our own invitations that nobody has used yet, the newest first."""
    found = session.scalars(
        sa.select(PartnerInvitation)
        .where(PartnerInvitation.firm_id == firm_id, PartnerInvitation.used_at.is_(None))
        .where(PartnerInvitation.expires_at > clock.now(), PartnerInvitation.for_firm.is_(None))
        .order_by(PartnerInvitation.created_at.desc(), PartnerInvitation.id)
    )
    return [row for row in found if is_open(session, row)]


def invitation_for(session: Session, firm_id: str, invitation_id: str) -> PartnerInvitation:
    """An invitation of our own; raises NotFound."""
    found = session.get(PartnerInvitation, (firm_id, invitation_id))
    if found is None:
        raise NotFound
    return found


def invitation_token(session: Session, firm_id: str, invitation_id: str) -> str:
    """The 128 bits of our own invitation, made again from its id: only their hash is stored."""
    secret = derived_secret(session, firm_id, f"partner invitation {invitation_id}")
    return base64.urlsafe_b64encode(secret[:16]).rstrip(b"=").decode()


def invitation_used(session: Session, firm_id: str, partner_id: str) -> str:
    """The id of the partner's invitation that our firm used last; raises NotFound."""
    partner = partnership_with(session, firm_id, partner_id)
    if "invitation_id" in partner.profile:
        return str(partner.profile["invitation_id"])
    found = session.scalar(
        sa.select(PartnerInvitation.id)
        .where(PartnerInvitation.firm_id == partner_id, PartnerInvitation.used_by_firm == firm_id)
        .order_by(PartnerInvitation.used_at.desc(), PartnerInvitation.id.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound
    return found


def is_blocked(session: Session, firm_id: str, address: str) -> bool:
    """Say whether the firm has blocked that address."""
    return session.scalar(_BLOCK, {"firm_id": firm_id, "address": address}) is not None


def blocked_firms(session: Session, firm_id: str) -> Sequence[BlockedFirm]:
    """The firm's own block list, by name."""
    return session.scalars(
        sa.select(BlockedFirm).where(BlockedFirm.firm_id == firm_id).order_by(BlockedFirm.name, BlockedFirm.address)
    ).all()


def is_here(session: Session, firm_id: str, peer_id: str) -> bool:
    """Say whether what our firm tells the other one stays on this node; `federation:lanes` asks the same in SQL.

    It is a firm of ours, and no partner whose node is named: one that moved away left its row behind.
    """
    partner = find_partnership(session, firm_id, peer_id)
    return session.get(Firm, peer_id) is not None and (partner is None or not partner.node)


def own_words(session: Session, firm_id: str) -> str:
    """The words that both managers compare: they follow from the first record of the firm's log."""
    return fingerprint_words(genesis_digest(session, firm_id))


def is_linked(firm_id: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    """Of a partnership in a statement: it holds, does not rest, and we have not blocked the partner."""
    return sa.and_(Partnership.state == "active", ~_blocked(firm_id))


def may_send(session: Session, firm_id: str, to_firm_id: str, kind: str, body: Mapping[str, Any]) -> bool:
    """Say whether our side of the consent lets this message leave for that firm."""
    return _lets_out(_consent(session, firm_id, to_firm_id), kind, body)


def sending_consent(session: Session, firm_id: str, to_firm_id: str) -> Callable[[str, Mapping[str, Any]], bool]:
    """The same for many messages at once: a question about kind and body, answered as things stand now."""
    partner = _consent(session, firm_id, to_firm_id)
    return lambda kind, body: _lets_out(partner, kind, body)


def may_receive(session: Session, firm_id: str, from_firm_id: str, kind: str, body: Mapping[str, Any]) -> bool:
    """Say whether our side of the consent lets this message in from that firm.

    The two kinds that make a partnership come in without one: their actions check token or step.
    """
    partner = _consent(session, firm_id, from_firm_id)
    if partner is None:
        address = address_of(session, firm_id, from_firm_id)
        return bool(address) and kind in WITHOUT_CONSENT and not is_blocked(session, firm_id, address)
    if kind not in OWED and partner.is_blocked:
        return False
    return kind in WITHOUT_CONSENT or lets_through(partner.state, partner.scope, kind, body)


def address_of(session: Session, firm_id: str, partner_id: str) -> str:
    """The address of a firm on this node, or of one whose proved keys we hold; '' for a stranger."""
    here = session.scalar(sa.select(Firm.address).where(Firm.id == partner_id))
    if here is not None:
        return here
    keys = session.get(PartnerKeys, (firm_id, partner_id))
    return keys.address if keys else ""


def _consent(session: Session, firm_id: str, partner_id: str) -> SimpleNamespace | None:
    """Our side of the consent, with what this transaction has changed of it."""
    session.flush()
    return _CONSENT.row(session.connection(), firm_id=firm_id, partner_id=partner_id)


def _lets_out(partner: SimpleNamespace | None, kind: str, body: Mapping[str, Any]) -> bool:
    if partner is None or (kind not in OWED and partner.is_blocked):
        return False
    return lets_through(partner.state, partner.partner_scope, kind, body)


def _count(session: Session, firm_id: str, states: frozenset[str]) -> int:
    query = sa.select(sa.func.count()).select_from(Partnership)
    query = query.where(Partnership.firm_id == firm_id, Partnership.state.in_(sorted(states)), ~_blocked(firm_id))
    return session.scalar(query) or 0


def _blocked(firm_id: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    return (
        sa.select(sa.literal(1))
        .where(BlockedFirm.firm_id == firm_id, BlockedFirm.address == Partnership.address)
        .exists()
    )
