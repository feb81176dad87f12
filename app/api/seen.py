"""Who reads a partner's price in a list or a table leaves the same trace as on a page, while that price still counts."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.firms.access import Actor, may
from app.firms.actions import note_views
from app.invoices.models import Invoice
from app.invoices.rules import OPEN
from app.offers.models import Offer
from app.offers.queries import LIVE
from app.web.world import world

View = tuple[str, str, int]
"""firm, object, version"""


def note_offers_seen(session: Session, actor: Actor, views: Iterable[View]) -> None:
    note_views(world().database(), session, actor, "offer", views)


def note_invoices_seen(session: Session, actor: Actor, views: Iterable[View]) -> None:
    note_views(world().database(), session, actor, "invoice", views)


def note_table_seen(session: Session, actor: Actor, name: str) -> None:
    """The table of offers, or of invoices, shows all that count."""
    if name == "angebote" and may(actor, "rates.see"):
        offers = sa.select(Offer.partner_id, Offer.id, Offer.version).where(
            Offer.firm_id == actor.firm_id, Offer.side == "theirs", Offer.state.in_(LIVE)
        )
        note_offers_seen(session, actor, [(row[0], row[1], row[2]) for row in session.execute(offers)])
    if name == "rechnungen":
        invoices = sa.select(Invoice.partner_id, Invoice.id).where(
            Invoice.firm_id == actor.firm_id, Invoice.side == "theirs", Invoice.state.in_(OPEN)
        )
        note_invoices_seen(session, actor, [(row[0], row[1], 1) for row in session.execute(invoices)])
