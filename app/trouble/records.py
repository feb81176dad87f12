"""Acceptance and dispute as records: frozen when they are said, signed by a manager, entered into our log."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import agreement_for
from app.agreements.record import facts_of, record_id
from app.bookings.models import Booking
from app.core import clock
from app.core.errors import Conflict, NotFound
from app.core.events import WorkRecorded
from app.core.ids import new_id
from app.core.outbox import emit
from app.core.units import amount_cents
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.actions import append_entry, check_signature, seal
from app.notary.documents import Display, new_message
from app.notary.queries import digest
from app.trouble.documents import TYPES, WorkFacts, render
from app.trouble.models import Acceptance, Defect, WorkRecord

Subject = Acceptance | Defect


def freeze_record(session: Session, subject: Subject) -> None:
    """Write down what a manager may sign of an acceptance, or of a defect that is disputed; once."""
    if record_of(session, subject.firm_id, subject.id) is not None:
        return
    agreement = agreement_for(session, subject.firm_id, subject.agreement_id)
    kind, message, text = reckon(session, agreement, subject)
    session.add(
        WorkRecord(
            firm_id=subject.firm_id, id=new_id(), created_at=clock.now(), subject_id=subject.id,
            agreement_id=agreement.id, kind=kind, message=message, text=text, digest=digest_of(kind, message),
        )
    )  # fmt: skip
    session.flush()


def signable_record(session: Session, actor: Actor, work_record_id: str) -> WorkRecord:
    """A record that waits for our manager; raises NotFound, or Conflict once it is signed."""
    record = record_for(session, actor.firm_id, work_record_id)
    if record.entry_seq is not None:
        raise Conflict("Hier ist schon alles unterschrieben.")
    return record


def approve_record(session: Session, actor: Actor, work_record_id: str, signature: dict[str, Any]) -> WorkRecord:
    """The manager has signed: with our seal it enters the log, and the partner gets it."""
    bump_version(session, actor.firm_id)
    record = signable_record(session, actor, work_record_id)
    value = bytes.fromhex(record.digest[2:])
    check_signature(session, actor.firm_id, None, value, signature)
    record.signatures = [signature | {"role": "manager"}, seal(session, actor.firm_id, value)]
    record.entry_seq = enter(session, record)
    note_event(session, actor.firm_id, actor.person_id, "work_recorded", "agreement", record.agreement_id)
    emit(session, WorkRecorded(actor.firm_id, record.id))
    return record


def enter(session: Session, record: WorkRecord, proof: dict[str, Any] | None = None) -> int:
    """Append the record to our log; `proof` that the partner's log took it before. Returns its position."""
    primary, template = TYPES[record.kind]
    return append_entry(
        session, record.firm_id, record.kind, primary, record.message, Display(template, "de", record.text),
        record.signatures, subject_id=record.agreement_id, counterpart=proof,
    )  # fmt: skip


def reckon(
    session: Session, agreement: Agreement, subject: Subject, salt: str = "", issued_at: dt.datetime | None = None
) -> tuple[str, dict[str, Any], str]:
    """(kind, message, text) of a record: the same at both sides, from what each of them knows."""
    booking = session.get_one(Booking, (subject.firm_id, subject.booking_id))
    minutes = subject.accepted_min if isinstance(subject, Acceptance) else 0
    facts = WorkFacts(
        agreement_digest=agreement.digest,
        line_no=booking.line_no,
        machine_name=booking.machine_name,
        week=booking.week,
        accepted_min=minutes,
        amount_cents=amount_cents(minutes, booking.rate_cents_per_hour),
        currency=facts_of(agreement).currency,
        reason="" if isinstance(subject, Acceptance) else subject.text,
    )
    kind = "completion" if isinstance(subject, Acceptance) else "dispute"
    text = render(kind, facts)
    own: dict[str, Any] = (
        {"agreement": agreement.digest}
        if kind == "completion"
        else {"subject": agreement.digest, "reason": facts.reason}
    )
    message = new_message(
        kind, agreement.message["from"], agreement.message["to"], text, issued_at=issued_at, salt=salt,
        record_id=record_id(subject.id), accepted_min=minutes, currency=facts.currency,
        amount_cents=facts.amount_cents, **own,
    )  # fmt: skip
    return kind, message, text


def digest_of(kind: str, message: dict[str, Any]) -> str:
    return "0x" + digest(TYPES[kind][0], message).hex()


def record_for(session: Session, firm_id: str, work_record_id: str) -> WorkRecord:
    """One record of either side; raises NotFound."""
    found = session.get(WorkRecord, (firm_id, work_record_id))
    if found is None:
        raise NotFound
    return found


def record_of(session: Session, firm_id: str, subject_id: str) -> WorkRecord | None:
    """What is or may be signed of an acceptance or a defect."""
    return session.scalar(
        sa.select(WorkRecord).where(WorkRecord.firm_id == firm_id, WorkRecord.subject_id == subject_id)
    )
