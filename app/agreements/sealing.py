"""The moment an agreement comes about: record, bookings and hours in one transaction, at each side in its own."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.agreements.bundles import complete_bundle
from app.agreements.covering import note_agreed
from app.agreements.deadlines import word_counts_until
from app.agreements.ending import finish_request, lapse_agreement
from app.agreements.models import Agreement, AgreementLine
from app.agreements.queries import lines_of, locked_agreement, partner_of
from app.agreements.record import digest_of, display_of, facts_of
from app.agreements.rules import check_step
from app.agreements.telling import tell_one_sided
from app.agreements.wire import Signed, read_signed, roles_of
from app.bookings.actions import BookedAgreement, BookedLine, book_lines
from app.capacity.actions import agree_held, extend_hold
from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.events import AgreementSealed
from app.core.outbox import emit
from app.federation.rules import Incoming
from app.firms.actions import bump_version, note_event
from app.notary.actions import append_entry, check_signature, remember_partner_keys, seal
from app.notary.counterparts import OtherEntry, evidence_sha256, read_proof
from app.offers.actions import accept_offer

ROLES = (["firm", "manager"], ["firm", "manager", "second"])


def seal_agreement(session: Session, agreement: Agreement, digest: bytes) -> None:
    """The provider has signed: its seal, its ledger entry, its bookings and its agreed hours, or none of them.

    If the held hours are gone by now, the agreement lapses instead and both sides learn it.
    """
    check_step(agreement.state, "in_force")
    try:
        # All or nothing: without the hours there is no record of them either.
        with session.begin_nested():
            agreement.signatures = [*agreement.signatures, seal(session, agreement.firm_id, digest)]
            agreement.signed_at = clock.now()
            _take_hours(session, agreement)
            _enter(session, agreement)
            _book(session, agreement)
            _come_about(session, agreement)
    except Conflict:
        session.refresh(agreement)
        lapse_agreement(session, agreement, "hours_gone")
        return
    emit(session, AgreementSealed(agreement.firm_id, agreement.id))


def receive_signatures(session: Session, incoming: Incoming) -> None:
    """The partner's signatures with its proof (we drafted), or its proof alone (we signed last).

    Raises RuleBroken for anything that does not hold. The same message twice changes nothing.
    """
    signed = read_signed(incoming.body)
    agreement = locked_agreement(session, incoming.firm_id, signed.agreement_id)
    if agreement.partner_id != incoming.from_id or agreement.digest != signed.digest:
        raise RuleBroken("Die Nachricht passt zu keiner Vereinbarung.")
    if agreement.counterpart is not None:
        return
    entry = partner_entry(session, agreement, signed.digest, signed.proof)
    if agreement.side == "ours":
        _accept_signatures(session, agreement, signed, entry)
    else:
        _check_same_evidence(session, agreement, entry)
    agreement.counterpart = signed.proof
    agreement.contact_phone = signed.contact_phone or agreement.contact_phone
    bump_version(session, agreement.firm_id)


def check_partner_signatures(
    session: Session,
    firm_id: str,
    partner_id: str,
    address: str,
    digest: bytes,
    signatures: Sequence[dict[str, Any]],
    seq: int | None = None,
) -> None:
    """Raise RuleBroken unless the partner's firm has signed: its manager or two, and its seal, with keys we know.

    `seq` is where the partner's log holds the record: a key that it locked later was valid there.
    """
    if roles_of(signatures) not in ROLES or any(one["party"] != address for one in signatures):
        raise RuleBroken("Die Unterschriften des Partners sind nicht vollständig.")
    for signature in signatures:
        check_signature(session, firm_id, partner_id, digest, signature, seq)


def partner_entry(session: Session, agreement: Agreement, digest: str, proof: dict[str, Any]) -> OtherEntry:
    """Return what the partner's proof says of a record: it is of the log that the agreement names, and of this record."""
    entry = read_proof(proof)
    log = agreement.message["logTo" if agreement.side == "ours" else "logFrom"]
    if (entry.address, entry.origin, entry.digest) != (partner_of(session, agreement).address, log, digest):
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.")
    remember_partner_keys(session, agreement.firm_id, agreement.partner_id, _keys_of(proof))
    return entry


def _accept_signatures(session: Session, agreement: Agreement, signed: Signed, entry: OtherEntry) -> None:
    """The requester's side: the same evidence enters our log, the same hours stand in our bookings."""
    firm_id, partner_id, digest = agreement.firm_id, agreement.partner_id, digest_of(agreement)
    check_partner_signatures(session, firm_id, partner_id, entry.address, digest, signed.signatures, entry.seq)
    if entry.at > agreement.message["expiresAt"]:
        raise RuleBroken("Der Partner hat zu spät unterschrieben.")
    # The partner's log says when it accepted; however long the way here took, ours follows. A plan waits one working day.
    if agreement.is_bundled and (agreement.state == "lapsed" or clock.now() > word_counts_until(agreement)):
        lapse_agreement(session, agreement, "expired")
        return
    if agreement.state == "lapsed":
        tell_one_sided(session, agreement)
        return
    check_step(agreement.state, "in_force")
    agreement.signatures = [*agreement.signatures, *signed.signatures]
    agreement.partner_signed_at = clock.now()
    _enter(session, agreement, signed.proof)
    _book(session, agreement)
    _come_about(session, agreement)
    emit(session, AgreementSealed(agreement.firm_id, agreement.id))
    complete_bundle(session, agreement)
    finish_request(session, agreement.firm_id, agreement.request_id)


def _take_hours(session: Session, agreement: Agreement) -> None:
    """Held becomes agreed; in a bundle it stays held until the whole plan stands. Raises Conflict when it is gone."""
    for line in _by_window(lines_of(session, agreement.firm_id, agreement.id)):
        if agreement.is_bundled:
            extend_hold(session, agreement.firm_id, line.offer_line_id, word_counts_until(agreement))
        else:
            agree_held(session, agreement.firm_id, line.offer_line_id, line.minutes)


def _enter(session: Session, agreement: Agreement, proof: dict[str, Any] | None = None) -> None:
    """Append the record with all four signatures; crash before the commit leaves nothing, after it the outbox goes on.

    `proof` that the partner's log took it before ours.
    """
    agreement.entry_seq = append_entry(
        session,
        agreement.firm_id,
        "agreement",
        "Agreement",
        agreement.message,
        display_of(agreement),
        agreement.signatures,
        subject_id=agreement.id,
        not_before=agreement.not_before,
        counterpart=proof,
    )
    agreement.sealed_at = clock.now()


def _book(session: Session, agreement: Agreement) -> None:
    booked = BookedAgreement(
        firm_id=agreement.firm_id,
        agreement_id=agreement.id,
        request_id=agreement.request_id,
        partner_id=agreement.partner_id,
        side="theirs" if agreement.side == "ours" else "ours",
        title=facts_of(agreement).part[:80],
        is_lease=agreement.template_key == "maschinennutzung",
    )
    lines = [
        BookedLine(line.line_no, line.machine_id, line.machine_name, line.week, line.minutes, line.rate_cents_per_hour)
        for line in lines_of(session, agreement.firm_id, agreement.id)
    ]
    book_lines(session, booked, lines, "held" if agreement.is_bundled else "confirmed")


def _come_about(session: Session, agreement: Agreement) -> None:
    agreement.state, agreement.end_reason = "waiting_bundle" if agreement.is_bundled else "in_force", ""
    if not agreement.is_bundled:
        agreement.in_force_at = clock.now()
        accept_offer(session, agreement.firm_id, agreement.offer_id)
    note_event(session, agreement.firm_id, None, "sealed", "agreement", agreement.id, agreement.partner_id)
    bump_version(session, agreement.firm_id)
    session.flush()
    note_agreed(session, agreement)


def _check_same_evidence(session: Session, agreement: Agreement, entry: OtherEntry) -> None:
    seq = agreement.entry_seq
    if seq is None or evidence_sha256(session, agreement.firm_id, seq) != entry.evidence_sha256:
        raise RuleBroken("Der Nachweis des Partners stimmt nicht.")


def _by_window(lines: Sequence[AgreementLine]) -> list[AgreementLine]:
    """The order in which windows are locked everywhere."""
    return sorted(lines, key=lambda line: (line.machine_id, line.week))


def _keys_of(proof: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in proof.items() if name not in ("leaf", "proof")}
