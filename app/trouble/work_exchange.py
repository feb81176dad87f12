"""Acceptance, defects and what was brought, between two firms: nothing believed on arrival."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import agreement_for
from app.bookings.models import Booking
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.events import (
    DefectAnswered,
    DefectArrived,
    DefectReported,
    DefectSettled,
    PhotoCleaned,
    ProvisionArrived,
    ProvisionMoved,
    WorkAccepted,
)
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.queries import arrivals
from app.federation.rules import Incoming
from app.firms.actions import bump_version
from app.hours.queries import confirmed_hours
from app.trouble.defects import accept_until
from app.trouble.models import Acceptance, Defect, Provision, ProvisionStep
from app.trouble.photos import are_ready, sent_photos, subject_of, take_photos
from app.trouble.queries import acceptance_of, defect_for, provision_for
from app.trouble.records import freeze_record
from app.trouble.rules import check_defect_step, check_provision_step
from app.trouble.telling import tell_deciders, tell_of_provision
from app.trouble.wire import (
    Accepted,
    Answered,
    Provided,
    body_of,
    read_accepted,
    read_answer,
    read_defective,
    read_provided,
    read_settled,
)

TAKERS, MAKERS = "theirs", "ours"
"""Of a row here: a partner works for us, or we for it."""
MOST_PER_AGREEMENT = 200


def send_defect(session: Session, event: DefectReported) -> None:
    """Our people found a fault: the maker gets words and photos, once the photos may leave."""
    defect = defect_for(session, event.firm_id, event.defect_id)
    if not are_ready(session, defect.firm_id, defect.id) or _is_sent(
        session, defect.firm_id, defect.id, "booking.defective"
    ):
        return
    body = {
        "defect_id": defect.id,
        "agreement_id": defect.agreement_id,
        "line_no": session.get_one(Booking, (defect.firm_id, defect.booking_id)).line_no,
        "text": defect.text,
        "photos": sent_photos(session, defect.firm_id, defect.id),
    }
    send_message(session, defect.firm_id, defect.partner_id, "booking.defective", body, defect.id, defect.reported_at)


def send_answered(session: Session, event: DefectAnswered) -> None:
    """The maker's word goes to who found the fault; there people hear of it."""
    defect = defect_for(session, event.firm_id, event.defect_id)
    if defect.side == TAKERS:
        tell_deciders(session, defect, "defect_answered", f"/mangel/{defect.id}")
        return
    body = body_of(Answered(defect.id, defect.state, defect.answer))
    send_message(session, defect.firm_id, defect.partner_id, "booking.answered", body, defect.id)


def send_settled(session: Session, event: DefectSettled) -> None:
    """Mended: the maker gets to know."""
    defect = defect_for(session, event.firm_id, event.defect_id)
    if defect.side == MAKERS:
        tell_deciders(session, defect, "defect_settled", f"/mangel/{defect.id}")
        return
    send_message(session, defect.firm_id, defect.partner_id, "booking.settled", {"defect_id": defect.id}, defect.id)


def send_acceptance(session: Session, event: WorkAccepted) -> None:
    """The work is taken: who worked gets to know."""
    acceptance = session.get_one(Acceptance, (event.firm_id, event.acceptance_id))
    if acceptance.side == MAKERS:
        tell_deciders(session, acceptance, "accepted", f"/auftrag/{acceptance.booking_id}/abnahme")
        return
    line_no = session.get_one(Booking, (acceptance.firm_id, acceptance.booking_id)).line_no
    accepted = Accepted(acceptance.id, acceptance.agreement_id, line_no, acceptance.accepted_min)
    send_message(
        session, acceptance.firm_id, acceptance.partner_id, "booking.accepted", body_of(accepted), acceptance.id
    )


def send_provision(session: Session, event: ProvisionMoved) -> None:
    """A step of what was brought, with its photos, once these may leave."""
    step = session.get_one(ProvisionStep, (event.firm_id, event.step_id))
    if not are_ready(session, step.firm_id, step.id) or _is_sent(session, step.firm_id, step.id, "booking.provided"):
        return
    provision = provision_for(session, step.firm_id, step.provision_id)
    provided = Provided(
        provision.id, step.id, provision.agreement_id, provision.kind, provision.description, provision.quantity,
        step.state, step.note, (),
    )  # fmt: skip
    body = body_of(provided) | {"photos": sent_photos(session, step.firm_id, step.id)}
    send_message(session, step.firm_id, provision.partner_id, "booking.provided", body, step.id, step.created_at)


def send_cleaned(session: Session, event: PhotoCleaned) -> None:
    """A photo is clean: what it belongs to leaves the house."""
    subject_id = subject_of(session, event.firm_id, event.file_id)
    if subject_id is None:
        return
    if session.get(Defect, (event.firm_id, subject_id)) is not None:
        send_defect(session, DefectReported(event.firm_id, subject_id))
    else:
        send_provision(session, ProvisionMoved(event.firm_id, subject_id))


def announce_defect(session: Session, event: DefectArrived) -> None:
    defect = defect_for(session, event.firm_id, event.defect_id)
    tell_deciders(session, defect, "defect", f"/mangel/{defect.id}")


def announce_step(session: Session, event: ProvisionArrived) -> None:
    """What comes to us concerns those at the machine too."""
    step = session.get_one(ProvisionStep, (event.firm_id, event.step_id))
    tell_of_provision(session, provision_for(session, step.firm_id, step.provision_id), step.id)


def receive_defect(session: Session, incoming: Incoming) -> None:
    """A partner found a fault in parts of ours. The same message twice changes nothing."""
    sent = read_defective(incoming.body)
    booking = _line(session, incoming, sent.agreement_id, sent.line_no, MAKERS)
    if session.get(Defect, (incoming.firm_id, sent.defect_id)) is not None:
        return
    until = accept_until(session, booking)
    if until is None or _count(session, Defect, incoming.firm_id, booking.agreement_id) >= MOST_PER_AGREEMENT:
        raise _refused("line_no")
    defect = Defect(
        firm_id=incoming.firm_id, id=sent.defect_id, created_at=clock.now(), side=MAKERS,
        partner_id=incoming.from_id, booking_id=booking.id, agreement_id=booking.agreement_id,
        reported_at=incoming.at, text=sent.text, is_late=clock.today() > until, state="reported",
    )  # fmt: skip
    session.add(defect)
    session.flush()
    take_photos(session, incoming, defect.id, booking.agreement_id, sent.photos)
    bump_version(session, incoming.firm_id)
    emit(session, DefectArrived(incoming.firm_id, defect.id))


def receive_answered(session: Session, incoming: Incoming) -> None:
    """The maker reworks, or disagrees."""
    sent = read_answer(incoming.body)
    defect = _defect(session, incoming, sent.defect_id, TAKERS)
    if defect.state == "settled":
        # our word that it is mended crossed the answer: the answer is kept, nothing else changes
        defect.answer, defect.answered_at = sent.text, clock.now()
        return
    if defect.state != sent.answer:
        check_defect_step(defect.state, sent.answer)
    defect.state, defect.answer, defect.answered_at = sent.answer, sent.text, clock.now()
    if sent.answer == "disputed":
        freeze_record(session, defect)
    bump_version(session, incoming.firm_id)
    emit(session, DefectAnswered(incoming.firm_id, defect.id))


def receive_settled(session: Session, incoming: Incoming) -> None:
    """Who found the fault says that it is mended."""
    defect = _defect(session, incoming, read_settled(incoming.body), MAKERS)
    if defect.state == "settled":
        return
    defect.state, defect.settled_at = "settled", clock.now()
    bump_version(session, incoming.firm_id)
    emit(session, DefectSettled(incoming.firm_id, defect.id))


def receive_acceptance(session: Session, incoming: Incoming) -> None:
    """A partner takes our work: with the hours that both stand by, no others."""
    sent = read_accepted(incoming.body)
    booking = _line(session, incoming, sent.agreement_id, sent.line_no, MAKERS)
    if acceptance_of(session, incoming.firm_id, booking.id) is not None:
        return
    minutes = sum(one.minutes for one in confirmed_hours(session, incoming.firm_id, booking.id) if one.kind == "run")
    if minutes != sent.accepted_min:
        raise _refused("accepted_min")
    session.add(
        Acceptance(
            firm_id=incoming.firm_id, id=sent.acceptance_id, created_at=incoming.at, side=MAKERS,
            partner_id=incoming.from_id, booking_id=booking.id, agreement_id=booking.agreement_id,
            accepted_min=minutes,
        )
    )  # fmt: skip
    session.flush()
    bump_version(session, incoming.firm_id)
    emit(session, WorkAccepted(incoming.firm_id, sent.acceptance_id))


def receive_provision(session: Session, incoming: Incoming) -> None:
    """The requester announces what it brings; who works tells what became of it. The same message twice changes nothing."""
    sent = read_provided(incoming.body)
    agreement = agreement_for(session, incoming.firm_id, sent.agreement_id)
    if agreement.partner_id != incoming.from_id:
        raise NotFound
    if session.get(ProvisionStep, (incoming.firm_id, sent.step_id)) is not None:
        return
    provision = session.get(Provision, (incoming.firm_id, sent.provision_id), with_for_update=True)
    provision = _new_provision(session, incoming, agreement, sent) if provision is None else provision
    _move(incoming, provision, agreement, sent)
    step = ProvisionStep(
        firm_id=incoming.firm_id, id=sent.step_id, created_at=incoming.at, provision_id=provision.id,
        state=sent.state, note=sent.note,
    )  # fmt: skip
    session.add(step)
    session.flush()
    take_photos(session, incoming, step.id, agreement.id, sent.photos)
    bump_version(session, incoming.firm_id)
    emit(session, ProvisionArrived(incoming.firm_id, step.id))


def _new_provision(session: Session, incoming: Incoming, agreement: Agreement, sent: Provided) -> Provision:
    if agreement.side != "theirs" or sent.state != "announced":
        raise _refused("provision_id")
    if _count(session, Provision, incoming.firm_id, agreement.id) >= MOST_PER_AGREEMENT:
        raise _refused("provision_id")
    provision = Provision(
        firm_id=incoming.firm_id, id=sent.provision_id, created_at=incoming.at, side=MAKERS,
        partner_id=incoming.from_id, agreement_id=agreement.id, kind=sent.kind, description=sent.description,
        quantity=sent.quantity, state="",
    )  # fmt: skip
    session.add(provision)
    session.flush()
    return provision


def _move(incoming: Incoming, provision: Provision, agreement: Agreement, sent: Provided) -> None:
    """Only the requester announces, only who works moves it on."""
    if (provision.partner_id, provision.agreement_id) != (incoming.from_id, agreement.id):
        raise _refused("provision_id")
    if provision.state:
        if provision.side != TAKERS:
            raise _refused("state")
        check_provision_step(provision.state, sent.state)
    provision.state = sent.state


def _line(session: Session, incoming: Incoming, agreement_id: str, line_no: int, side: str) -> Booking:
    found = session.scalar(
        sa.select(Booking)
        .where(Booking.firm_id == incoming.firm_id, Booking.agreement_id == agreement_id, Booking.line_no == line_no)
        .where(Booking.partner_id == incoming.from_id, Booking.side == side)
    )
    if found is None:
        raise NotFound
    return found


def _defect(session: Session, incoming: Incoming, defect_id: str, side: str) -> Defect:
    defect = defect_for(session, incoming.firm_id, defect_id)
    if defect.partner_id != incoming.from_id or defect.side != side:
        raise NotFound
    session.refresh(defect, with_for_update=True)
    return defect


def _is_sent(session: Session, firm_id: str, subject_id: str, kind: str) -> bool:
    return bool(arrivals(session, firm_id, subject_id, kind))


def _count(session: Session, model: type[Defect] | type[Provision], firm_id: str, agreement_id: str) -> int:
    query = sa.select(sa.func.count()).where(model.firm_id == firm_id, model.agreement_id == agreement_id)
    return session.scalar(query) or 0


def _refused(field: str) -> RuleBroken:
    return RuleBroken("Diese Meldung passt nicht zu unseren Daten: %(name)s.", field, name=field)
