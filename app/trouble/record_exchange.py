"""Signed acceptances and disputes on their way: who worked enters the same record, once it holds."""

from typing import Any

from sqlalchemy.orm import Session

from app.agreements.queries import agreement_for
from app.agreements.rules import moment
from app.agreements.sealing import check_partner_signatures, partner_entry
from app.agreements.wire import Given
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.events import WorkRecorded
from app.core.ids import new_id
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.firms.actions import bump_version
from app.notary.queries import proof_document
from app.trouble.models import Acceptance, Defect, WorkRecord
from app.trouble.records import digest_of, enter, reckon, record_for, record_of


def send_record(session: Session, event: WorkRecorded) -> None:
    """The partner gets text, message, signatures, and the proof that our log holds them."""
    record = record_for(session, event.firm_id, event.record_id)
    assert record.entry_seq is not None
    body: dict[str, Any] = {
        "subject_id": record.subject_id,
        "text": record.text,
        "message": record.message,
        "signatures": record.signatures,
        "proof": proof_document(session, record.firm_id, record.entry_seq),
    }
    partner_id = agreement_for(session, record.firm_id, record.agreement_id).partner_id
    send_message(session, record.firm_id, partner_id, "booking.recorded", body, record.subject_id)


def receive_record(session: Session, incoming: Incoming) -> None:
    """The requester signed what it had said before. Raises RuleBroken for anything that we do not reckon ourselves."""
    given = Given(incoming.body)
    subject_id, text, message = given.public_id("subject_id"), given.document("text"), given.object("message")
    signatures, proof = given.signatures(), given.object("proof")
    given.finish()
    subject = _subject(session, incoming, subject_id)
    if record_of(session, incoming.firm_id, subject_id) is not None:
        return
    agreement = agreement_for(session, incoming.firm_id, subject.agreement_id)
    salt, issued_at = message.get("salt"), message.get("issuedAt")
    if type(salt) is not str or type(issued_at) is not int:
        raise _refused("message")
    kind, expected, own_text = reckon(session, agreement, subject, salt, moment(issued_at))
    if (own_text, expected) != (text, message):
        raise _refused("text")
    digest = digest_of(kind, message)
    entry = partner_entry(session, agreement, digest, proof)
    check_partner_signatures(
        session, incoming.firm_id, incoming.from_id, entry.address, bytes.fromhex(digest[2:]), signatures, entry.seq
    )
    record = WorkRecord(
        firm_id=incoming.firm_id, id=new_id(), created_at=clock.now(), subject_id=subject_id, agreement_id=agreement.id,
        kind=kind, message=message, text=text, digest=digest, signatures=list(signatures), counterpart=proof,
    )  # fmt: skip
    record.entry_seq = enter(session, record, proof)
    session.add(record)
    session.flush()
    bump_version(session, incoming.firm_id)


def _subject(session: Session, incoming: Incoming, subject_id: str) -> Acceptance | Defect:
    """What this partner told us before about work of ours: an acceptance, or a defect that we disputed."""
    found = session.get(Acceptance, (incoming.firm_id, subject_id)) or session.get(
        Defect, (incoming.firm_id, subject_id)
    )
    if found is None or found.partner_id != incoming.from_id or found.side != "ours":
        raise NotFound
    if isinstance(found, Defect) and found.answered_at is None:
        raise _refused("subject_id")
    return found


def _refused(field: str) -> RuleBroken:
    return RuleBroken("Diese Meldung passt nicht zu unseren Daten: %(name)s.", field, name=field)
