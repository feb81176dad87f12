"""Our row of a partnership: begun, or begun again after an end."""

import datetime as dt
from dataclasses import asdict

from sqlalchemy.orm import Session

from app.core import clock
from app.core.ids import new_id
from app.firms.queries import firm_of
from app.partners.framework import card_of
from app.partners.models import Partnership
from app.partners.queries import find_partnership
from app.partners.rules import APPROVAL_LIFE, OVER
from app.partners.wire import Card

COLUMNS = ("address", "name", "short_name", "town")


def open_row(
    session: Session, firm_id: str, partner_id: str, card: Card, words: str, *, we_invited: bool, node: str = ""
) -> Partnership:
    """A partnership in state invited; one that was over begins anew and forgets what it allowed."""
    now = clock.now()
    row = find_partnership(session, firm_id, partner_id)
    if row is None:
        row = Partnership(firm_id=firm_id, id=new_id(), created_at=now, partner_id=partner_id)
        session.add(row)
    elif row.state not in OVER:
        return row
    for name in COLUMNS:
        setattr(row, name, getattr(card, name))
    row.profile = {name: value for name, value in vars(card).items() if name not in COLUMNS} | {"words": words}
    row.state, row.we_invited, row.paused_by = "invited", we_invited, ""
    row.node, row.token = node, ""
    row.scope, row.partner_scope, row.ending = [], [], {}
    row.own_card = asdict(card_of(firm_of(session, firm_id)))
    row.lat = row.lon = row.framework_id = None
    row.approved_at = row.partner_approved_at = row.since = row.ended_at = None
    row.expires_at = now + _life(we_invited)
    session.flush()
    return row


def _life(we_invited: bool) -> dt.timedelta:
    """Who invited signs first, within 48 hours; the other one has 48 more."""
    return APPROVAL_LIFE if we_invited else 2 * APPROVAL_LIFE
