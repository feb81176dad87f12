"""S48: what the requester brings is announced, received, and used up or given back, each by one tap, with a photo."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.core import clock
from app.core.errors import NotFound
from app.core.events import ProvisionMoved
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.requests.drafting import Upload
from app.trouble.models import Provision, ProvisionStep
from app.trouble.photos import keep_photos
from app.trouble.queries import provision_for
from app.trouble.rules import check_provision_step


@dataclass(frozen=True)
class ProvisionDraft:
    """What is on its way."""

    kind: str
    description: str
    quantity: int = 1
    note: str = ""


def announce_provision(
    session: Session, actor: Actor, booking_id: str, draft: ProvisionDraft, photos: Sequence[Upload] = ()
) -> Provision:
    """Tell who works for us what we bring."""
    booking = session.get(Booking, (actor.firm_id, booking_id))
    if booking is None or booking.side != "theirs":
        raise NotFound
    provision = Provision(
        firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), side="theirs", partner_id=booking.partner_id,
        agreement_id=booking.agreement_id, kind=draft.kind, description=draft.description, quantity=draft.quantity,
        state="announced",
    )  # fmt: skip
    session.add(provision)
    session.flush()
    _step(session, actor, provision, draft.note, photos)
    return provision


def move_provision(
    session: Session, actor: Actor, provision_id: str, to: str, note: str = "", photos: Sequence[Upload] = ()
) -> Provision:
    """Who works says that it came, was used up, went back or is broken; the same twice is said once. Raises Conflict."""
    provision = provision_for(session, actor.firm_id, provision_id)
    session.refresh(provision, with_for_update=True)
    if provision.side != "ours":
        raise NotFound
    if provision.state != to:
        check_provision_step(provision.state, to)
        provision.state = to
        _step(session, actor, provision, note, photos)
    return provision


def _step(session: Session, actor: Actor, provision: Provision, note: str, photos: Sequence[Upload]) -> None:
    step = ProvisionStep(
        firm_id=provision.firm_id, id=new_id(), created_at=clock.now(), provision_id=provision.id,
        state=provision.state, note=note,
    )  # fmt: skip
    session.add(step)
    session.flush()
    keep_photos(session, provision.firm_id, step.id, provision.agreement_id, photos)
    emit(session, ProvisionMoved(provision.firm_id, step.id))
    note_event(
        session, actor.firm_id, actor.person_id, "provision_moved", "agreement", provision.agreement_id,
        provision.partner_id,
    )  # fmt: skip
    bump_version(session, actor.firm_id)
