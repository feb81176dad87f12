"""Calendars that a person's own calendar program fetches: a secret address per person and per machine, and what stands in them.

Neither a partner's name nor a price: such an address is often handed to strangers' servers.
"""

import base64
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from flask_babel import force_locale, gettext
from sqlalchemy.orm import Session

from app.api.models import CalendarFeed
from app.api.rules import hash_of
from app.bookings.models import Booking
from app.bookings.rules import LIVE
from app.core import clock
from app.core.errors import NotFound
from app.core.events import PasskeyLocked
from app.core.ids import new_id
from app.core.units import hours_text, week_of
from app.firms.access import PERMISSIONS, Actor
from app.firms.actions import bump_version, note_event
from app.firms.queries import person_for, roles_of
from app.hours.rules import WORKABLE
from app.invoices.models import Invoice
from app.invoices.rules import OPEN
from app.machines.models import Machine
from app.machines.queries import machine_for
from app.moving.calendars import WEEK, make_event, week_event, write_calendar
from app.notary.keys import derived_secret
from app.notary.transfer import is_elsewhere
from app.passkeys.models import Passkey

BACK_WEEKS = 8
UNSEEN = dict.fromkeys((*range(32), 127))
"""Signs that no calendar may hold; the library escapes the rest"""


def feed_of(session: Session, actor: Actor, machine_id: str | None = None) -> CalendarFeed | None:
    """The feed of the acting person, or of one of the firm's machines."""
    owner = CalendarFeed.machine_id == machine_id if machine_id else CalendarFeed.person_id == actor.person_id
    return session.scalar(sa.select(CalendarFeed).where(CalendarFeed.firm_id == actor.firm_id, owner))


def machine_feeds(session: Session, actor: Actor) -> list[tuple[Machine, CalendarFeed | None]]:
    """Every machine in service with its feed, if it has one."""
    feed = (CalendarFeed.firm_id == Machine.firm_id) & (CalendarFeed.machine_id == Machine.id)
    rows = session.execute(
        sa.select(Machine, CalendarFeed)
        .outerjoin(CalendarFeed, feed)
        .where(Machine.firm_id == actor.firm_id, Machine.state != "retired")
        .order_by(Machine.number, Machine.id)
    )
    return [(row[0], row[1]) for row in rows]


def renew_feed(session: Session, actor: Actor, machine_id: str | None = None) -> None:
    """A new address; the old one opens nothing from now on. Raises NotFound for a machine of somebody else."""
    if machine_id is not None:
        machine_for(session, actor.firm_id, machine_id)
    bump_version(session, actor.firm_id)
    old = feed_of(session, actor, machine_id)
    if old is not None:
        session.delete(old)
        session.flush()
    person_id = None if machine_id else actor.person_id
    feed = CalendarFeed(
        firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), person_id=person_id, machine_id=machine_id
    )
    feed.secret_hash = hash_of(secret_of(session, feed))
    session.add(feed)
    note_event(session, actor.firm_id, actor.person_id, "calendar_renewed", "feed", feed.id)


def remove_feed(session: Session, actor: Actor, machine_id: str | None = None) -> None:
    """The address opens nothing any more."""
    feed = feed_of(session, actor, machine_id)
    if feed is None:
        raise NotFound
    session.delete(feed)


def close_feed(session: Session, event: PasskeyLocked) -> None:
    """A phone is lost: whoever has it fetches nothing more of its person's calendar."""
    owner = sa.select(Passkey.person_id).where(Passkey.firm_id == event.firm_id, Passkey.id == event.passkey_id)
    session.execute(
        sa.delete(CalendarFeed)
        .where(CalendarFeed.firm_id == event.firm_id, CalendarFeed.person_id.in_(owner))
        .execution_options(synchronize_session=False)
    )


def secret_of(session: Session, feed: CalendarFeed) -> str:
    """What stands in the address; made again from the firm's keys, so that it lies nowhere."""
    secret = derived_secret(session, feed.firm_id, f"calendar feed {feed.id}")
    return base64.urlsafe_b64encode(secret[:24]).decode()


def feed_by_secret(session: Session, secret: str) -> CalendarFeed:
    """The feed behind an address; raises NotFound, also where the firm lives elsewhere."""
    feed = session.scalar(sa.select(CalendarFeed).where(CalendarFeed.secret_hash == hash_of(secret)))
    if feed is None or is_elsewhere(session, feed.firm_id):
        raise NotFound
    return feed


def feed_bytes(session: Session, feed: CalendarFeed, public_url: str) -> bytes:
    """The calendar as it stands now, for what its person may see today; raises NotFound for one who left."""
    if feed.machine_id is not None:
        machine = machine_for(session, feed.firm_id, feed.machine_id)
        ours = (Booking.machine_id == machine.id, Booking.side == "ours", Booking.state.in_(LIVE))
        events = _booked(session, feed.firm_id, public_url, *ours)
        return write_calendar(_plain(f"{machine.number} {machine.name}"), events)
    person = person_for(session, feed.firm_id, feed.person_id or "")
    roles = roles_of(session, feed.firm_id, person.id)
    if not roles:
        raise NotFound
    with force_locale(person.language):
        return write_calendar("Werkring", _events_for(session, feed.firm_id, roles, public_url))


def _events_for(session: Session, firm_id: str, roles: frozenset[Any], public_url: str) -> Iterator[Any]:
    if roles & PERMISSIONS["bookings.see"]:
        yield from _booked(session, firm_id, public_url, Booking.state.in_(LIVE))
    elif roles & PERMISSIONS["work.see"]:
        work = (Booking.is_our_work, Booking.state.in_(WORKABLE))
        yield from _booked(session, firm_id, public_url, *work)
    if roles & PERMISSIONS["invoices.see"]:
        yield from _due(session, firm_id, public_url)


def _booked(session: Session, firm_id: str, public_url: str, *which: Any) -> Iterator[Any]:
    first = week_of(clock.today() - BACK_WEEKS * WEEK)
    query = sa.select(Booking).where(Booking.firm_id == firm_id, Booking.week >= first, *which)
    for row in session.scalars(query.order_by(Booking.week, Booking.machine_name, Booking.id)):
        where = "" if row.side == "ours" else f" {gettext('beim Partner')}"
        title = f" · {row.title}" if row.title else ""
        said = _plain(f"{row.machine_name}{where}: {hours_text(row.agreed_min)} h{title}")
        yield week_event(row, said, "OPAQUE", f"{public_url}/auftrag/{row.id}")


def _due(session: Session, firm_id: str, public_url: str) -> Iterator[Any]:
    """When money is due, without how much."""
    query = sa.select(Invoice).where(Invoice.firm_id == firm_id, Invoice.state.in_(OPEN), Invoice.due_on.is_not(None))
    for row in session.scalars(query.order_by(Invoice.due_on, Invoice.id)):
        assert row.due_on is not None
        said = _plain(gettext("Rechnung %(number)s ist fällig", number=row.number))
        yield make_event(row, said, "TRANSPARENT", row.due_on, url=f"{public_url}/belege/{row.id}")


def _plain(text: str) -> str:
    return text.translate(UNSEEN)
