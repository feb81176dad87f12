"""What follows from what: the whole business on one page.

REACTIONS: an event of our own house -> our actions. INBOX: a message from a partner firm -> our action.
"""

import datetime as dt
from collections.abc import Callable
from importlib import import_module
from typing import Any

from sqlalchemy.orm import Session

from app.config import Config
from app.core import events as e
from app.core.db import Database
from app.federation.rules import Incoming

_R: dict[type[e.Event], tuple[str, ...]] = {
    e.PartnershipProposed: ("federation.partnerships.send_joined",),
    e.PartnershipRequested: ("push.partner_news.announce_request",),
    e.FrameworkApproved: ("federation.partnerships.send_proposal",),
    e.FrameworkArrived: ("push.partner_news.announce_framework",),
    e.FrameworkSealed: ("federation.partnerships.send_signatures",),
    e.PartnershipBegun: ("machines.profile.send_profile", "push.partner_news.announce_partner"),
    e.PartnershipDeclined: ("federation.partnerships.send_no",),
    e.PartnershipPaused: ("federation.partnerships.send_pause",),
    e.PartnershipResumed: ("federation.partnerships.send_resumed",),
    e.PartnershipScoped: ("federation.partnerships.send_scope",),
    e.PartnershipEnded: ("federation.partnerships.send_end",),
    e.PartnershipBroken: ("push.partner_news.announce_end",),
    e.AbilitiesChanged: ("machines.profile.send_new_profile",),
    e.MessageParked: ("push.partner_news.announce_parked",),
    e.RequestPublished: ("requests.actions.send_request",),
    e.RequestChanged: ("requests.actions.send_change",),
    e.RequestWithdrawn: ("requests.actions.send_withdrawal",),
    e.RequestClosed: ("requests.actions.send_closed",),
    e.RequestReceived: ("matching.actions.match_request",),
    e.RequestMatched: ("matching.actions.announce_match",),
    e.RequestGone: ("offers.actions.close_answers",),
    e.QuestionAsked: ("requests.actions.send_question",),
    e.QuestionAnswered: ("requests.actions.send_answer",),
    e.QuestionArrived: ("requests.actions.announce_question",),
    e.OfferMade: ("offers.actions.send_offer",),
    e.OfferWithdrawn: ("offers.actions.send_withdrawn_offer",),
    e.OfferDeclined: ("offers.actions.send_declined",),
    e.OfferSelected: ("offers.actions.send_selected",),
    e.OfferReceived: ("plans.actions.refresh_plans",),
    e.AgreementApproved: ("agreements.actions.send_draft",),
    e.AgreementArrived: ("agreements.actions.announce_agreement",),
    e.AgreementSealed: ("agreements.actions.send_signatures",),
    e.AgreementDeclined: ("agreements.actions.send_declined",),
    e.AgreementLapsed: ("agreements.actions.send_lapsed",),
    e.BundleCompleted: ("agreements.actions.send_effective",),
    e.BookingAmended: ("agreements.actions.send_amendment",),
    e.SignedOut: ("push.devices.remove_devices",),
}
_I: dict[str, str] = {
    "partner.invite": "partners.actions.receive_invite",
    "partner.accept": "partners.actions.receive_accept",
    "partner.pause": "partners.actions.receive_pause",
    "partner.resumed": "partners.actions.receive_resumed",
    "partner.scoped": "partners.actions.receive_scoped",
    "partner.end": "partners.actions.receive_end",
    "request.published": "requests.actions.receive_request",
    "request.changed": "requests.actions.receive_change",
    "request.withdrawn": "requests.actions.receive_withdrawal",
    "request.closed": "requests.actions.receive_closed",
    "request.asked": "requests.actions.receive_question",
    "request.answered": "requests.actions.receive_answer",
    "offer.made": "offers.actions.receive_offer",
    "offer.withdrawn": "offers.actions.receive_offer_withdrawn",
    "offer.declined": "offers.actions.receive_declined",
    "offer.selected": "offers.actions.receive_selected",
    "agreement.drafted": "agreements.actions.receive_draft",
    "agreement.signed": "agreements.actions.receive_signatures",
    "agreement.declined": "agreements.actions.receive_declined",
    "agreement.effective": "agreements.actions.receive_effective",
    "agreement.lapsed": "agreements.actions.receive_lapsed",
    "booking.changed": "agreements.actions.receive_amendment",
    "booking.cancelled": "agreements.actions.receive_amendment",
}
_D: tuple[str, ...] = (
    "passkeys.actions.clear_expired",
    "partners.actions.lapse_invitations",
    "requests.actions.expire_requests",
    "offers.actions.expire_offers",
    "agreements.actions.lapse_agreements",
    "agreements.actions.lapse_amendments",
    "push.actions.remind_people",
    "push.actions.escalate_requests",
    "push.actions.forget_old_rows",
)
_S: tuple[str, ...] = (
    "plans.actions.solve_due_plans",
    "push.delivery.send_due_alerts",
    "push.delivery.send_due_mails",
    "federation.photos.clean_photos",
    "agreements.printing.print_agreements",
)


def _find(path: str) -> Callable[..., Any] | None:
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(f"app.{module}"), name, None)
    except ModuleNotFoundError:
        return None


def reactions_to(event: e.Event) -> tuple[Callable[[Session, e.Event], None], ...]:
    return tuple(action for path in _R.get(type(event), ()) if (action := _find(path)))


def deadlines() -> tuple[Callable[[Session, dt.datetime], None], ...]:
    """What ends by itself: one transaction each, every minute."""
    return tuple(action for path in _D if (action := _find(path)))


def errands() -> tuple[Callable[[Database, Config], None], ...]:
    """What leaves the house or takes long: no transaction is open meanwhile."""
    return tuple(action for path in _S if (action := _find(path)))


class _Inbox(dict[str, Callable[[Session, Incoming], None]]):
    def get(self, kind: str, default: Any = None) -> Any:
        return _find(_I[kind]) if kind in _I else default


INBOX = _Inbox()
