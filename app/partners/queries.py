"""Partnerships of the acting firm. Nothing here tells of a firm without consent."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.partners.models import Partnership
from app.partners.rules import lets_through


def find_partnership(session: Session, firm_id: str, partner_id: str) -> Partnership | None:
    return session.scalar(
        sa.select(Partnership).where(Partnership.firm_id == firm_id, Partnership.partner_id == partner_id)
    )


def partnership_with(session: Session, firm_id: str, partner_id: str) -> Partnership:
    """The partnership with one firm, in any state; raises NotFound."""
    found = find_partnership(session, firm_id, partner_id)
    if found is None:
        raise NotFound
    return found


def active_partners(session: Session, firm_id: str, scope: str = "requests") -> Sequence[Partnership]:
    """Partners that let us send messages of this scope now, by name."""
    found = session.scalars(
        sa.select(Partnership)
        .where(Partnership.firm_id == firm_id, Partnership.state == "active")
        .order_by(Partnership.name, Partnership.partner_id)
    )
    return [partner for partner in found if scope in partner.partner_scope]


def may_send(session: Session, firm_id: str, to_firm_id: str, kind: str) -> bool:
    """Say whether our side of the consent lets a message of this kind leave for that firm."""
    partner = find_partnership(session, firm_id, to_firm_id)
    return partner is not None and lets_through(partner.state, partner.partner_scope, kind)


def may_receive(session: Session, firm_id: str, from_firm_id: str, kind: str) -> bool:
    """Say whether our side of the consent lets a message of this kind in from that firm."""
    partner = find_partnership(session, firm_id, from_firm_id)
    return partner is not None and lets_through(partner.state, partner.scope, kind)
