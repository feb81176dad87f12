"""What the partner is told about an agreement, each by one reaction to one event."""

from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import agreement_for, lines_of
from app.agreements.record import facts_of
from app.agreements.telling import tell_foremen, tell_managers
from app.agreements.wire import Drafted, Ended, Signed, body_of
from app.core.events import (
    AgreementApproved,
    AgreementArrived,
    AgreementDeclined,
    AgreementLapsed,
    AgreementSealed,
)
from app.federation.actions import send_message
from app.firms.models import Person
from app.firms.queries import person_for
from app.notary.queries import address, key_document, proof_document
from app.partners.queries import may_send


def send_draft(session: Session, event: AgreementApproved) -> None:
    """Our managers signed: the partner gets facts, text, message, signatures and our keys."""
    agreement = agreement_for(session, event.firm_id, event.agreement_id)
    if agreement.state != "signed_one":
        return
    drafted = Drafted(
        agreement_id=agreement.id,
        request_id=agreement.request_id,
        offer_id=agreement.offer_id,
        line_ids=tuple(line.offer_line_id for line in lines_of(session, agreement.firm_id, agreement.id)),
        facts=facts_of(agreement),
        text=agreement.text,
        message=agreement.message,
        signatures=tuple(agreement.signatures),
        not_before=agreement.not_before,
        keys=key_document(session, agreement.firm_id),
    )
    _send(session, agreement, "agreement.drafted", body_of(drafted))


def announce_agreement(session: Session, event: AgreementArrived) -> None:
    """A partner's draft waits for our managers."""
    agreement = agreement_for(session, event.firm_id, event.agreement_id)
    if agreement.state == "signed_one":
        tell_managers(session, agreement, "agreement")


def send_signatures(session: Session, event: AgreementSealed) -> None:
    """The record stands in our log: the partner gets our proof, and our signatures where it does not have them yet."""
    agreement = agreement_for(session, event.firm_id, event.agreement_id)
    if agreement.state == "in_force":
        tell_managers(session, agreement, "sealed")
        tell_foremen(session, agreement, "sealed")
    assert agreement.entry_seq is not None
    own = address(session, agreement.firm_id)
    ours = [one for one in agreement.signatures if one["party"] == own] if agreement.side == "theirs" else []
    signed = Signed(
        agreement_id=agreement.id,
        digest=agreement.digest,
        signatures=tuple(ours),
        proof=proof_document(session, agreement.firm_id, agreement.entry_seq),
        contact_phone=_phone(session, agreement),
    )
    _send(session, agreement, "agreement.signed", body_of(signed))


def send_declined(session: Session, event: AgreementDeclined) -> None:
    """We said no."""
    _send_end(session, event.firm_id, event.agreement_id, "agreement.declined")


def send_lapsed(session: Session, event: AgreementLapsed) -> None:
    """It did not come about."""
    _send_end(session, event.firm_id, event.agreement_id, "agreement.lapsed")


def _send_end(session: Session, firm_id: str, agreement_id: str, kind: str) -> None:
    agreement = agreement_for(session, firm_id, agreement_id)
    ended = Ended(agreement.id, agreement.offer_id, agreement.digest, agreement.end_reason, agreement.note)
    _send(session, agreement, kind, body_of(ended))


def _send(session: Session, agreement: Agreement, kind: str, body: dict[str, object]) -> None:
    """A partnership that ended gets no new draft: its deadline ends it. What follows from one always goes."""
    if may_send(session, agreement.firm_id, agreement.partner_id, kind, body):
        send_message(session, agreement.firm_id, agreement.partner_id, kind, body, agreement.id)


def _phone(session: Session, agreement: Agreement) -> str:
    """Whom to ring: the phone of the manager who signed for the firm, if there is one."""
    if not agreement.signers:
        return ""
    person: Person = person_for(session, agreement.firm_id, agreement.signers[-1])
    return person.phone
