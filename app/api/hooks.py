"""News for a firm's own program: what happened becomes one call each, with ids and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from app.api.models import Webhook, WebhookCall
from app.api.rules import check_url
from app.bookings.models import Booking
from app.bookings.rules import LIVE
from app.core import clock
from app.core import events as e
from app.core.errors import Conflict, NotFound
from app.core.ids import new_id
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.keys import derived_secret

TEST = "test"


@dataclass(frozen=True)
class News:
    """How a kind of event is told: its name, the resource it is about, and which member of the event names the thing."""

    event: str
    resource: str
    member: str


NEWS: dict[type[e.Event], News] = {
    e.RequestReceived: News("request.received", "requests", "request_id"),
    e.OfferReceived: News("offer.received", "offers", "offer_id"),
    e.BookingsConfirmed: News("booking.confirmed", "bookings", "agreement_id"),
    e.BookingChanged: News("booking.changed", "bookings", "booking_id"),
    e.HoursArrived: News("hours.received", "hours", "report_id"),
    e.HoursConfirmed: News("hours.confirmed", "hours", "report_id"),
    e.HoursDisputed: News("hours.disputed", "hours", "report_id"),
    e.InvoiceIssued: News("invoice.issued", "invoices", "invoice_id"),
    e.InvoiceArrived: News("invoice.received", "invoices", "invoice_id"),
    e.InvoicePaid: News("invoice.paid", "invoices", "invoice_id"),
    e.InvoiceNetted: News("invoice.netted", "invoices", "invoice_id"),
}
EVENTS = (*(news.event for news in NEWS.values()), TEST)


class HookKey(NamedTuple):
    """The public key of a webhook; `kid` only chooses among keys."""

    kid: str
    raw: bytes


def tell_program(session: Session, event: e.Event) -> None:
    """Write down what the firm's program is to hear; nothing where it has no address, or one that is off."""
    hook = hook_of(session, event.firm_id)
    if hook is None or hook.off_at is not None:
        return
    news = NEWS[type(event)]
    for object_id in _objects(session, event, news):
        session.add(_call(hook, news.event, news.resource, object_id))


def hook_of(session: Session, firm_id: str) -> Webhook | None:
    """The firm's one address for news."""
    return session.scalar(sa.select(Webhook).where(Webhook.firm_id == firm_id))


def set_hook(session: Session, actor: Actor, url: str, near_nodes: tuple[str, ...] = ()) -> None:
    """Name the address, in place of the one before, with a key of its own; raises RuleBroken."""
    url = check_url(url, near_nodes)
    bump_version(session, actor.firm_id)
    _drop(session, actor.firm_id)
    session.add(Webhook(firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), url=url))
    host = url.partition("://")[2].partition("/")[0]
    note_event(session, actor.firm_id, actor.person_id, "webhook_set", "webhook", detail={"url": host})


def remove_hook(session: Session, actor: Actor) -> None:
    """No more news, and what waits does not go either."""
    if hook_of(session, actor.firm_id) is None:
        raise NotFound
    _drop(session, actor.firm_id)
    note_event(session, actor.firm_id, actor.person_id, "webhook_removed", "webhook")


def wake_hook(session: Session, actor: Actor) -> None:
    """Somebody mended the program: news goes again from now on."""
    hook = hook_of(session, actor.firm_id)
    if hook is None:
        raise NotFound
    hook.off_at, hook.failure_count, hook.failing_since = None, 0, None


def try_hook(session: Session, actor: Actor) -> None:
    """Send one call that says nothing but that it is one; raises NotFound, and Conflict while the address is off."""
    hook = hook_of(session, actor.firm_id)
    if hook is None:
        raise NotFound
    if hook.off_at is not None:
        raise Conflict("Die Meldungen ruhen. Schalte sie zuerst ein.")
    session.add(_call(hook, TEST, "", ""))


def private_key_of(session: Session, hook: Webhook) -> tuple[str, Ed25519PrivateKey]:
    """What signs the calls of this webhook and nothing else; made from the firm's secret, stored nowhere."""
    key = Ed25519PrivateKey.from_private_bytes(derived_secret(session, hook.firm_id, f"webhook key {hook.id}"))
    return key.public_key().public_bytes_raw().hex()[:16], key


def public_key_of(session: Session, hook: Webhook) -> HookKey:
    """What a program checks the calls with."""
    kid, key = private_key_of(session, hook)
    return HookKey(kid, key.public_key().public_bytes_raw())


def _objects(session: Session, event: e.Event, news: News) -> Sequence[str]:
    named: str = getattr(event, news.member)
    if not isinstance(event, e.BookingsConfirmed):
        return (named,)
    booked = sa.select(Booking.id).where(Booking.firm_id == event.firm_id, Booking.agreement_id == named)
    return session.scalars(booked.where(Booking.state.in_(LIVE)).order_by(Booking.line_no)).all()


def _call(hook: Webhook, event: str, resource: str, object_id: str) -> WebhookCall:
    now = clock.now()
    return WebhookCall(
        firm_id=hook.firm_id, id=new_id(), created_at=now, webhook_id=hook.id, event=event, object_kind=resource,
        object_id=object_id, next_try_at=now, state="waiting", attempts=0,
    )  # fmt: skip


def _drop(session: Session, firm_id: str) -> None:
    for table in (WebhookCall, Webhook):
        session.execute(sa.delete(table).where(table.firm_id == firm_id))
