"""Signing by people: the text as it may be signed now, and what follows from a manager's passkey signature."""

from typing import Any

from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import agreement_for, are_hours_held, locked_agreement, signing_case
from app.agreements.record import CHANGED, digest_of
from app.agreements.rules import check_may_sign, check_step, is_rule_met, role_of_signer
from app.agreements.sealing import seal_agreement
from app.agreements.telling import tell_managers
from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.events import AgreementApproved
from app.core.outbox import emit
from app.core.words import N_
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.actions import check_signature, seal
from app.notary.queries import newest_checkpoint

HOURS_GONE = N_("Die Stunden sind nicht mehr frei. Diese Vereinbarung gilt nicht mehr.")


def signable_digest(session: Session, actor: Actor, agreement_id: str) -> tuple[bytes, str]:
    """(digest, role) that this person may sign now; raises NotFound, RuleBroken or Conflict with the reason why not."""
    agreement = agreement_for(session, actor.firm_id, agreement_id)
    case = signing_case(session, actor, agreement)
    check_may_sign(case, clock.now())
    if not are_hours_held(session, agreement):
        raise Conflict(HOURS_GONE)
    return digest_of(agreement), role_of_signer(case.signer_count)


def approve_agreement(session: Session, actor: Actor, agreement_id: str, signature: dict[str, Any]) -> Agreement:
    """Add a manager's passkey signature; when the firm's own rule is met the firm has signed.

    The requester's signatures then go to the provider; the provider's seal the agreement. Everything is checked again,
    for minutes may lie between reading and signing. Raises RuleBroken or Conflict; then nothing is kept.
    """
    agreement = locked_agreement(session, actor.firm_id, agreement_id)
    case = signing_case(session, actor, agreement)
    check_may_sign(case, clock.now())
    digest = digest_of(agreement)
    _check_own(session, actor.firm_id, digest, signature)
    agreement.signatures = [*agreement.signatures, signature | {"role": role_of_signer(case.signer_count)}]
    agreement.signers = [*agreement.signers, actor.person_id]
    about = agreement.partner_id
    note_event(session, actor.firm_id, actor.person_id, "signed", "agreement", agreement.id, about)
    bump_version(session, actor.firm_id)
    if not is_rule_met(agreement.total_cents, case.two_person_above_cents, len(agreement.signers)):
        tell_managers(session, agreement, "second_signature", but_not=actor.person_id)
    elif agreement.side == "ours":
        _sign_as_firm(session, agreement, digest)
    else:
        seal_agreement(session, agreement, digest)
    return agreement


def _check_own(session: Session, firm_id: str, digest: bytes, signature: dict[str, Any]) -> None:
    """The signature is of our own firm's passkey and over the text as it stands now, not as it stood when it was shown."""
    try:
        check_signature(session, firm_id, None, digest, signature)
    except RuleBroken:
        raise RuleBroken(CHANGED) from None


def _sign_as_firm(session: Session, agreement: Agreement, digest: bytes) -> None:
    check_step(agreement.state, "signed_one")
    agreement.signatures = [*agreement.signatures, seal(session, agreement.firm_id, digest)]
    agreement.state, agreement.signed_at = "signed_one", clock.now()
    agreement.not_before = newest_checkpoint(session, agreement.firm_id)
    emit(session, AgreementApproved(agreement.firm_id, agreement.id))
