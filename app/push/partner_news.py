"""What managers hear about partnerships: who wants to become a partner, what waits for a signature, what got stuck."""

import datetime as dt

from sqlalchemy.orm import Session

from app.core import clock
from app.core.events import (
    ApproachArrived,
    FrameworkArrived,
    IntroductionArrived,
    IntroductionKnown,
    LogContradicted,
    LogDoubted,
    LogHalted,
    MessageParked,
    PartnershipBegun,
    PartnershipBroken,
    PartnershipRequested,
)
from app.core.units import BERLIN
from app.directory.models import Approach, IntroductionOffer
from app.firms.access import Role
from app.firms.models import Firm
from app.firms.queries import people
from app.partners.queries import find_partnership
from app.push.actions import alert_people


def announce_request(session: Session, event: PartnershipRequested) -> None:
    """A firm used our invitation: a manager reads and signs next."""
    _tell(session, event.firm_id, event.partner_id, "partner", "asked", "/vertrag")


def announce_approach(session: Session, event: ApproachArrived) -> None:
    """A firm of the directory asks us: a manager says yes or no."""
    asking = session.get_one(Approach, (event.firm_id, event.approach_id))
    managers = people(session, event.firm_id, Role.MANAGER)
    key = f"approach:{asking.id}"
    alert_people(session, event.firm_id, managers, "approach", asking.id, "/partner", {}, key)


def announce_introduction(session: Session, event: IntroductionArrived) -> None:
    """A partner proposes a firm: a manager says yes or no."""
    offer = session.get_one(IntroductionOffer, (event.firm_id, event.offer_id))
    partner = find_partnership(session, event.firm_id, offer.from_id)
    may_name = partner is not None and session.get_one(Firm, event.firm_id).name_in_push
    _tell_of_offer(session, offer, "introduction", partner.short_name if partner is not None and may_name else "")


def announce_known(session: Session, event: IntroductionKnown) -> None:
    """Both said yes: who the other one is stands on the page."""
    _tell_of_offer(session, session.get_one(IntroductionOffer, (event.firm_id, event.offer_id)), "introduced")


def announce_framework(session: Session, event: FrameworkArrived) -> None:
    """The partner has signed: a manager of ours is next."""
    _tell(session, event.firm_id, event.partner_id, "partner", "framework", "/vertrag")


def announce_partner(session: Session, event: PartnershipBegun) -> None:
    """Both have signed: those who waited for the other side hear it."""
    partner = find_partnership(session, event.firm_id, event.partner_id)
    if partner is not None and partner.we_invited:
        _tell(session, event.firm_id, event.partner_id, "partner_new", "begun")


def announce_end(session: Session, event: PartnershipBroken) -> None:
    """The partner ended the partnership, or said no."""
    _tell(session, event.firm_id, event.partner_id, "partner_end", "over")


def announce_parked(session: Session, event: MessageParked) -> None:
    """A message did not arrive for seven days; tried anew in vain, it is said again."""
    since = dt.datetime.fromisoformat(event.since).astimezone(BERLIN).strftime("%d.%m.")
    once = f"stuck:{event.message_id}:{clock.today()}"
    _tell(session, event.firm_id, event.partner_id, "message_stuck", once, day=since)


def announce_halt(session: Session, event: LogHalted) -> None:
    """Our own log rests: every manager hears it, once a day as long as it is found anew."""
    managers = people(session, event.firm_id, Role.MANAGER)
    key = f"halt:{event.reason}:{clock.today()}"
    alert_people(session, event.firm_id, managers, "log_halted", event.firm_id, "/partner/zeugen", {}, key)


def announce_contradiction(session: Session, event: LogContradicted) -> None:
    """The partner's log contradicts itself."""
    _tell(session, event.firm_id, event.partner_id, "log_contradicts", "contradicts")


def announce_doubt(session: Session, event: LogDoubted) -> None:
    """A partner's log does not prove what another partner saw of it."""
    _tell(session, event.firm_id, event.partner_id, "log_doubted", "doubted")


def _tell_of_offer(session: Session, offer: IntroductionOffer, kind: str, name: str = "") -> None:
    managers = people(session, offer.firm_id, Role.MANAGER)
    alert_people(session, offer.firm_id, managers, kind, offer.id, "/partner", {"name": name}, f"{kind}:{offer.id}")


def _tell(session: Session, firm_id: str, partner_id: str, kind: str, once: str, page: str = "", day: str = "") -> None:
    partner = find_partnership(session, firm_id, partner_id)
    if partner is None:
        return
    may_name = session.get_one(Firm, firm_id).name_in_push
    values = {"name": partner.short_name if may_name else ""} | ({"day": day} if day else {})
    key = f"partner:{once}:{partner_id}:{partner.framework_id or partner.expires_at}"
    managers = people(session, firm_id, Role.MANAGER)
    alert_people(session, firm_id, managers, kind, partner_id, f"/partner/{partner_id}{page}", values, key)
