"""Where partners live: a firm that moves says so by its log key, and only the address of its node changes."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.firms.actions import bump_version, note_event
from app.notary.actions import remember_partner_keys
from app.notary.models import PartnerKeys
from app.notary.moved import Home, home_in
from app.notary.queries import VerificationError
from app.partners.models import Partnership
from app.partners.queries import locked_partnership
from app.partners.rules import LINKED, OPEN
from app.partners.wire import Incoming

UNPROVED = "Der Umzug des Partners ist nicht nachgewiesen."


def receive_moved(session: Session, incoming: Incoming) -> None:
    """The partner lives on another node now; a word that is older than what we know changes nothing."""
    follow_partner(session, incoming.firm_id, incoming.from_id, incoming.body)


def follow_partner(session: Session, firm_id: str, partner_id: str, document: object) -> bool:
    """Send to the node that the partner's key document names from now on; False when that is no news.

    Whoever hands the document over: only the partner's own log key moves it. Raises RuleBroken for anything else.
    """
    if not isinstance(document, dict):
        raise RuleBroken(UNPROVED)
    remember_partner_keys(session, firm_id, partner_id, document)
    try:
        home = home_in(document.get("moved"), session.get_one(PartnerKeys, (firm_id, partner_id)).document)
    except VerificationError as error:
        raise RuleBroken(UNPROVED) from error
    partnership = locked_partnership(session, firm_id, partner_id)
    if partnership.moved_at is not None and partnership.moved_at >= home.at:
        return False
    _settle(session, partnership, home.node, home)
    return True


def part_from(session: Session, firm_id: str, home: Home) -> None:
    """A firm of this node left: to those who stay it is a partner on another node."""
    for row in _neighbours(session, firm_id):
        if not row.node:
            _settle(session, row, home.node, home)


def welcome_back(session: Session, firm_id: str, home: Home) -> None:
    """A firm of this node did not leave after all: to those who stayed it is one of this node again."""
    for row in _neighbours(session, firm_id):
        _settle(session, row, "", home)


def partners_elsewhere(session: Session, firm_id: str) -> Sequence[str]:
    """The partners on other nodes that something binds to us: who has to know where we live."""
    return session.scalars(
        sa.select(Partnership.partner_id)
        .where(Partnership.firm_id == firm_id, Partnership.node != "")
        .where(sa.or_(Partnership.state.in_(sorted(LINKED | OPEN)), Partnership.since.is_not(None)))
        .order_by(Partnership.partner_id)
    ).all()


def _neighbours(session: Session, firm_id: str) -> Sequence[Partnership]:
    """The rows in which firms of this node know that one under its own id: they were linked here."""
    return session.scalars(sa.select(Partnership).where(Partnership.partner_id == firm_id)).all()


def _settle(session: Session, row: Partnership, node: str, home: Home) -> None:
    row.node, row.moved_at = node, home.at
    named = {"object": row.name}
    note_event(session, row.firm_id, None, "partner_moved_us", "partner", row.partner_id, row.partner_id, named)
    bump_version(session, row.firm_id)
