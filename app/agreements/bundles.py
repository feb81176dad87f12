"""All together or none: once the last agreement of a plan is signed, each partner gets the requester's sealed word."""

from typing import Any

from sqlalchemy.orm import Session

from app.agreements.covering import note_agreed
from app.agreements.deadlines import plan_counts_until, word_counts_until
from app.agreements.models import Agreement
from app.agreements.notices import EFFECTIVE_TEMPLATE, effective_text
from app.agreements.queries import (
    agreement_for,
    agreements_of_bundle,
    bundle_of,
    lines_of,
    locked_agreement,
    partner_of,
)
from app.agreements.telling import tell_foremen, tell_managers, tell_one_sided
from app.agreements.wire import Effective, body_of, read_effective
from app.bookings.actions import confirm_held
from app.capacity.actions import agree_held
from app.core import clock
from app.core.errors import RuleBroken
from app.core.events import AgreementEffective
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.firms.actions import bump_version, note_event
from app.notary.actions import append_entry, check_signature, remember_partner_keys, seal
from app.notary.counterparts import read_proof
from app.notary.documents import Display, new_message
from app.notary.queries import VerificationError, address, digest, entry_by_digest, evidence, proof_document
from app.offers.actions import accept_offer


def complete_bundle(session: Session, agreement: Agreement) -> None:
    """Once every agreement of the bundle is signed by both sides, make all of them effective in one transaction."""
    bundle = bundle_of(session, agreement)
    if bundle is None or bundle.state != "waiting":
        return
    members = agreements_of_bundle(session, agreement.firm_id, bundle.id)
    if any(member.state != "waiting_bundle" or clock.now() > word_counts_until(member) for member in members):
        return
    bundle.state = "effective"
    for member in members:
        _declare_effective(session, member)
        confirm_held(session, member.firm_id, member.id)
        _come_into_force(session, member)
        # one event each: a fault with one partner keeps nothing from the others
        emit(session, AgreementEffective(member.firm_id, member.id))


def send_effective(session: Session, event: AgreementEffective) -> None:
    """Tell a partner that its own agreement is in force."""
    agreement = agreement_for(session, event.firm_id, event.agreement_id)
    body = body_of(_effective_of(session, agreement))
    send_message(session, agreement.firm_id, agreement.partner_id, "agreement.effective", body, agreement.id)
    tell_managers(session, agreement, "sealed")


def receive_effective(session: Session, incoming: Incoming) -> None:
    """The requester's sealed word that the whole plan stands: what was held is booked and agreed.

    Raises RuleBroken for a word that is not about this agreement, not sealed, or came too late.
    """
    effective = read_effective(incoming.body)
    agreement = locked_agreement(session, incoming.firm_id, effective.agreement_id)
    if agreement.partner_id != incoming.from_id or agreement.side != "theirs":
        raise RuleBroken("Die Nachricht passt zu keiner Vereinbarung.")
    if agreement.state == "in_force":
        return
    if agreement.state not in ("waiting_bundle", "lapsed"):
        raise RuleBroken("Diese Vereinbarung wartet auf nichts.")
    _check_word(session, incoming, agreement, effective)
    if agreement.state == "lapsed":
        agreement.effective_digest = "0x" + digest("BundleEffective", effective.message).hex()
        tell_one_sided(session, agreement)
        return
    _enter(session, agreement, effective.message, effective.text, effective.signatures, effective.proof)
    for line in sorted(
        lines_of(session, agreement.firm_id, agreement.id), key=lambda line: (line.machine_id, line.week)
    ):
        agree_held(session, agreement.firm_id, line.offer_line_id, line.minutes)
    confirm_held(session, agreement.firm_id, agreement.id)
    _come_into_force(session, agreement)
    tell_managers(session, agreement, "sealed")
    tell_foremen(session, agreement, "sealed")


def _declare_effective(session: Session, agreement: Agreement) -> None:
    text = effective_text(agreement.digest)
    own, partner = address(session, agreement.firm_id), partner_of(session, agreement).address
    message = new_message("bundle.effective", own, partner, text, agreements=(agreement.digest,))
    _enter(session, agreement, message, text, (seal(session, agreement.firm_id, digest("BundleEffective", message)),))
    agreement.effective_digest = "0x" + digest("BundleEffective", message).hex()


def _enter(
    session: Session,
    agreement: Agreement,
    message: dict[str, Any],
    text: str,
    signatures: tuple[dict[str, Any], ...],
    proof: dict[str, Any] | None = None,
) -> None:
    append_entry(
        session,
        agreement.firm_id,
        "bundle.effective",
        "BundleEffective",
        message,
        Display(EFFECTIVE_TEMPLATE, "de", text),
        signatures,
        subject_id=agreement.id,
        counterpart=proof,
    )


def _come_into_force(session: Session, agreement: Agreement) -> None:
    agreement.state, agreement.in_force_at = "in_force", clock.now()
    accept_offer(session, agreement.firm_id, agreement.offer_id)
    note_event(session, agreement.firm_id, None, "effective", "agreement", agreement.id, agreement.partner_id)
    bump_version(session, agreement.firm_id)
    session.flush()
    note_agreed(session, agreement)


def _effective_of(session: Session, agreement: Agreement) -> Effective:
    seq = entry_by_digest(session, agreement.firm_id, agreement.effective_digest)
    assert seq is not None
    found = evidence(session, agreement.firm_id, seq)
    return Effective(
        agreement.id,
        found["display"]["text"],
        found["message"],
        tuple(found["signatures"]),
        proof_document(session, agreement.firm_id, seq),
    )


def _check_word(session: Session, incoming: Incoming, agreement: Agreement, effective: Effective) -> None:
    entry, message = read_proof(effective.proof), effective.message
    try:
        value = digest("BundleEffective", message)
    except VerificationError:
        raise RuleBroken("Die Nachricht des Partners stimmt nicht.") from None
    named = (message["from"], message["to"], message["agreements"])
    own = address(session, incoming.firm_id)
    if named != (agreement.message["from"], own, [agreement.digest]) or effective.text != effective_text(
        agreement.digest
    ):
        raise RuleBroken("Die Nachricht des Partners stimmt nicht.")
    if (entry.address, entry.origin, entry.digest) != (
        message["from"],
        agreement.message["logFrom"],
        "0x" + value.hex(),
    ):
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.")
    if entry.at > plan_counts_until(agreement.expires_at).timestamp():
        raise RuleBroken("Der Plan kam zu spät zustande.")
    keys = {name: part for name, part in effective.proof.items() if name not in ("leaf", "proof")}
    remember_partner_keys(session, incoming.firm_id, incoming.from_id, keys)
    if [one["kind"] for one in effective.signatures] != ["seal"]:
        raise RuleBroken("Das Siegel des Partners fehlt.")
    check_signature(session, incoming.firm_id, incoming.from_id, value, effective.signatures[0], entry.seq)
