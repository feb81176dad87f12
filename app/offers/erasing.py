"""Offers of a request that has long been over: erased, except those that an agreement stands on."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import erase_holds
from app.offers.models import Offer, OfferLine


def erase_offers(session: Session, firm_id: str, request_id: str, kept: Collection[str]) -> list[str]:
    """Erase the request's offers but the kept ones, with their lines and ended holds; returns the ids erased."""
    query = sa.select(Offer.id).where(Offer.firm_id == firm_id, Offer.request_id == request_id)
    gone = list(session.scalars(query.where(Offer.id.not_in(kept)).order_by(Offer.id)))
    erase_holds(session, firm_id, gone)
    session.execute(sa.delete(OfferLine).where(OfferLine.firm_id == firm_id, OfferLine.offer_id.in_(gone)))
    session.execute(sa.delete(Offer).where(Offer.firm_id == firm_id, Offer.id.in_(gone)))
    return gone
