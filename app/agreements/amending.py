"""Changing and cancelling booked hours: wanted by one side, signed, sealed, and then done at both."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.amendment_records import (
    AmendmentRecord,
    Wanted,
    amendment_record,
    wanted_from,
)
from app.agreements.carrying import carry_out, end_amendment, reserve_hours
from app.agreements.deadlines import default_expiry
from app.agreements.models import Agreement, Amendment
from app.agreements.queries import (
    agreement_for,
    amendment_for,
    amendments_of,
    is_on_its_way,
    limit_of,
    locked_agreement,
    locked_amendment,
    partner_of,
    signing_case,
)
from app.agreements.record import CHANGED, facts_of
from app.agreements.rules import (
    GRACE,
    WORD_MAY_TAKE,
    Signing,
    check_amendment_step,
    check_given_back,
    check_may_sign,
    is_rule_met,
    role_of_signer,
)
from app.agreements.standing import LineChange, changes_from
from app.agreements.telling import tell_managers
from app.bookings.models import Booking
from app.bookings.queries import bookings_of
from app.bookings.rules import check_lowered
from app.core import clock
from app.core.db import each_alone
from app.core.errors import Conflict, RuleBroken
from app.core.events import BookingAmended, PasskeyLocked
from app.core.ids import new_id
from app.core.outbox import emit
from app.federation.models import Message
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.actions import check_signature, seal
from app.notary.queries import newest_checkpoint, passkey_kid
from app.partners.texts import one_line
from app.passkeys.models import Passkey

OPEN = ("frozen", "signed_one")
KINDS = {"change": "booking.changed", "cancellation": "booking.cancelled"}


def propose_change(
    session: Session, actor: Actor, agreement_id: str, minutes: Mapping[int, int], reason: str
) -> Amendment:
    """Freeze new minutes per line number; both sides must sign. Raises RuleBroken for hours that cannot be."""
    agreement = _changeable(session, actor, agreement_id)
    booked = {one.line_no: one.agreed_min for one in bookings_of(session, actor.firm_id, agreement_id)}
    changes = [LineChange(number, booked[number], new) for number, new in sorted(minutes.items()) if number in booked]
    return _freeze(session, actor, agreement, "change", [one for one in changes if one.old_min != one.new_min], reason)


def propose_cancellation(
    session: Session, actor: Actor, agreement_id: str, line_nos: list[int], reason: str
) -> Amendment:
    """Freeze the cancellation of some lines, with the fee of today. Raises RuleBroken for weeks that are over."""
    agreement = _changeable(session, actor, agreement_id)
    booked = {one.line_no: one.agreed_min for one in bookings_of(session, actor.firm_id, agreement_id)}
    changes = [LineChange(number, booked[number], 0) for number in sorted(set(line_nos)) if booked.get(number)]
    return _freeze(session, actor, agreement, "cancellation", changes, reason)


def propose_return(
    session: Session, actor: Actor, agreement_id: str, minutes: Mapping[int, int], reason: str
) -> Amendment:
    """Freeze what is left of lines after hours that the provider cannot work; our signature is enough, and no fee is due.

    `minutes` per line number, 0 for none. Raises RuleBroken for more than the provider said it cannot work.
    """
    agreement = _changeable(session, actor, agreement_id)
    booked = {one.line_no: one.agreed_min for one in bookings_of(session, actor.firm_id, agreement_id)}
    changes = [LineChange(number, booked[number], new) for number, new in sorted(minutes.items()) if booked.get(number)]
    kind = "change" if any(one.new_min for one in changes) else "cancellation"
    return _freeze(session, actor, agreement, kind, changes, reason, is_disrupted=True)


def signable_amendment(session: Session, actor: Actor, amendment_id: str) -> tuple[bytes, str]:
    """(digest, role) that this person may sign now; raises NotFound, RuleBroken or Conflict with the reason why not."""
    amendment = amendment_for(session, actor.firm_id, amendment_id)
    agreement = agreement_for(session, actor.firm_id, amendment.agreement_id)
    record = record_of(session, agreement, amendment)
    _check_alone(session, amendment)
    _check_worked(session, agreement, changes_from(amendment.facts["lines"]))
    case = _case(session, actor, agreement, amendment, record)
    check_may_sign(case, clock.now())
    return record.digest(amendment.kind), role_of_signer(case.signer_count)


def approve_amendment(session: Session, actor: Actor, amendment_id: str, signature: dict[str, Any]) -> Amendment:
    """Add a manager's signature; when our own rule is met it is sent, or done. Raises RuleBroken or Conflict."""
    agreement = locked_agreement(
        session, actor.firm_id, amendment_for(session, actor.firm_id, amendment_id).agreement_id
    )
    amendment = locked_amendment(session, actor.firm_id, amendment_id)
    record = record_of(session, agreement, amendment)
    _check_alone(session, amendment)
    _check_worked(session, agreement, changes_from(amendment.facts["lines"]))
    case = _case(session, actor, agreement, amendment, record)
    check_may_sign(case, clock.now())
    value = record.digest(amendment.kind)
    try:
        check_signature(session, actor.firm_id, None, value, signature)
    except RuleBroken:
        raise RuleBroken(CHANGED) from None
    amendment.signatures = [*amendment.signatures, signature | {"role": role_of_signer(case.signer_count)}]
    amendment.signers = [*amendment.signers, actor.person_id]
    note_event(session, actor.firm_id, actor.person_id, "signed", amendment.kind, agreement.id, agreement.partner_id)
    bump_version(session, actor.firm_id)
    if not is_rule_met(record.total_cents, case.two_person_above_cents, len(amendment.signers)):
        tell_managers(session, agreement, "second_signature", but_not=actor.person_id, once=amendment.id)
        return amendment
    amendment.signatures = [*amendment.signatures, seal(session, actor.firm_id, value)]
    if amendment.by_us:
        amendment.not_before = newest_checkpoint(session, actor.firm_id)
    if amendment.by_us and amendment.needs_both:
        check_amendment_step(amendment.state, "signed_one")
        reserve_hours(session, agreement, amendment)
        amendment.state = "signed_one"
    else:
        carry_out(session, agreement, amendment)
        _check_day(amendment)
    emit(session, BookingAmended(actor.firm_id, amendment.id))
    return amendment


def decline_amendment(session: Session, actor: Actor, amendment_id: str) -> None:
    """Say no to a change, or drop our own before it is signed; the agreement stays as it was. Twice says it once."""
    agreement = locked_agreement(
        session, actor.firm_id, amendment_for(session, actor.firm_id, amendment_id).agreement_id
    )
    amendment = locked_amendment(session, actor.firm_id, amendment_id)
    if amendment.state == "declined":
        return
    if amendment.by_us and amendment.state == "signed_one":
        raise Conflict("Das geht nicht mehr. Der Partner prüft es schon.")
    _end(session, agreement, amendment, "declined")


def lapse_amendments(session: Session, now: dt.datetime) -> None:
    """End changes that were not signed in time; the agreement stays as it was.

    Who wants the change and has signed waits for the other side's word, which may still be on its way.
    """
    late = session.execute(
        sa.select(Amendment.firm_id, Amendment.id, Amendment.agreement_id)
        .where(Amendment.state.in_(OPEN), Amendment.expires_at < now)
        .order_by(Amendment.firm_id, Amendment.id)
    ).all()
    each_alone(session, late, lambda row: _lapse_one(session, row.firm_id, row.id, row.agreement_id, now))


def _lapse_one(session: Session, firm_id: str, amendment_id: str, agreement_id: str, now: dt.datetime) -> None:
    agreement = locked_agreement(session, firm_id, agreement_id)
    amendment = locked_amendment(session, firm_id, amendment_id)
    is_over = amendment.expires_at + WORD_MAY_TAKE < now or not _awaits_word(session, amendment)
    if amendment.state in OPEN and is_over:
        _end(session, agreement, amendment, "lapsed")


def take_back_amendments(session: Session, event: PasskeyLocked) -> None:
    """A key was locked: what it signed and the other side has not accepted yet does not come about.

    Where the partner may have accepted already, we ask for it back, and its log decides.
    """
    kid = "0x" + passkey_kid(session.get_one(Passkey, (event.firm_id, event.passkey_id)).public_key).hex()
    found = session.execute(
        sa.select(Amendment.id, Amendment.agreement_id, Amendment.signatures)
        .where(Amendment.firm_id == event.firm_id, Amendment.state.in_(OPEN))
        .order_by(Amendment.id)
    ).all()
    for row in found:
        if any(signature.get("kid") == kid for signature in row.signatures):
            _take_back(session, event.firm_id, row.id, row.agreement_id)


def _take_back(session: Session, firm_id: str, amendment_id: str, agreement_id: str) -> None:
    agreement = locked_agreement(session, firm_id, agreement_id)
    amendment = locked_amendment(session, firm_id, amendment_id)
    if not _awaits_word(session, amendment):
        _end(session, agreement, amendment, "declined")
        return
    amendment.end_reason = "locked"
    emit(session, BookingAmended(firm_id, amendment.id))


def _end(session: Session, agreement: Agreement, amendment: Amendment, state: str) -> None:
    """It ends here; who wanted it hears so."""
    end_amendment(session, agreement, amendment, state)
    if not amendment.by_us:
        emit(session, BookingAmended(amendment.firm_id, amendment.id))


def _awaits_word(session: Session, amendment: Amendment) -> bool:
    """We signed what we want, and the other side decides."""
    if not amendment.by_us or amendment.state != "signed_one":
        return False
    return is_on_its_way(session, amendment.firm_id, amendment.id, tuple(KINDS.values()))


def record_of(session: Session, agreement: Agreement, amendment: Amendment) -> AmendmentRecord:
    """The record reckoned anew; raises RuleBroken when it is no longer the one that was frozen."""
    issued_at = dt.datetime.fromtimestamp(amendment.message["issuedAt"], dt.UTC)
    wanted = wanted_from(amendment.facts)
    record = amendment_record(session, agreement, amendment.id, wanted, amendment.message["salt"], issued_at)
    if record.text != amendment.text or record.message != amendment.message:
        raise RuleBroken(CHANGED)
    if amendment.state == "frozen":
        _check_day(amendment)
        if wanted.is_disrupted:
            check_returned(session, agreement, wanted, clock.now())
    return record


def _check_day(amendment: Amendment) -> None:
    """The fee is that of the day on which our log takes a cancellation: before it and after it, midnight may pass."""
    is_of_a_day = amendment.kind == "cancellation" or not amendment.needs_both
    if is_of_a_day and amendment.by_us and amendment.facts["day"] != clock.today().isoformat():
        raise RuleBroken("Diese Absage ist von gestern. Beginne sie neu.")


def check_returned(session: Session, agreement: Agreement, wanted: Wanted, at: dt.datetime) -> None:
    """Raise RuleBroken unless the provider had said, at that time, that it cannot work these hours."""
    booked = {one.line_no: one for one in bookings_of(session, agreement.firm_id, agreement.id)}
    for change in wanted.changes:
        booking = booked.get(change.line_no)
        lost_min = 0 if booking is None or _is_back(session, booking, at) else booking.lost_min
        check_given_back(change.old_min, change.new_min, lost_min)


def _is_back(session: Session, booking: Booking, at: dt.datetime) -> bool:
    """Say whether the requester knew at that time that the work goes on; the same everywhere but at the provider."""
    told = session.get(Message, (booking.firm_id, booking.back_message_id)) if booking.back_message_id else None
    return told is not None and told.delivered_at is not None and at > told.delivered_at + GRACE


def amendment_row(
    agreement: Agreement, amendment_id: str, wanted: Wanted, record: AmendmentRecord, by_us: bool
) -> Amendment:
    """A new row for what one side wants."""
    return Amendment(
        firm_id=agreement.firm_id,
        id=amendment_id,
        created_at=clock.now(),
        agreement_id=agreement.id,
        kind=wanted.kind,
        by_us=by_us,
        facts=wanted.to_body(),
        text=record.text,
        message=record.message,
        digest="0x" + record.digest(wanted.kind).hex(),
        signatures=[],
        signers=[],
        fee_cents=record.fee_cents,
        needs_both=record.needs_both,
        expires_at=dt.datetime.fromtimestamp(wanted.expires_at, dt.UTC),
        state="frozen",
    )


def _changeable(session: Session, actor: Actor, agreement_id: str) -> Agreement:
    agreement = locked_agreement(session, actor.firm_id, agreement_id)
    if agreement.state != "in_force":
        raise Conflict("Nur eine wirksame Vereinbarung lässt sich ändern.")
    for amendment in amendments_of(session, actor.firm_id, agreement_id):
        if amendment.state == "frozen" and amendment.by_us and not amendment.signers:
            end_amendment(session, agreement, amendment, "declined")
        elif amendment.state in OPEN:
            raise Conflict("Eine Änderung wartet schon auf Unterschriften.")
    return agreement


def _check_alone(session: Session, amendment: Amendment) -> None:
    """Two changes reckoned from the same bookings cannot both come true: the one that one side has signed goes first."""
    others = amendments_of(session, amendment.firm_id, amendment.agreement_id)
    if any(one.state == "signed_one" and one.id != amendment.id for one in others):
        raise Conflict("Eine andere Änderung ist unterschrieben. Kläre zuerst diese.")


def _check_worked(session: Session, agreement: Agreement, changes: Iterable[LineChange]) -> None:
    """Who signs here knows of the hours: what the other side signed alone holds, even if hours were on their way."""
    counted = {one.line_no: one.counted_min for one in bookings_of(session, agreement.firm_id, agreement.id)}
    for change in changes:
        check_lowered(change.new_min, counted[change.line_no], facts_of(agreement).tolerance_percent)


def _freeze(
    session: Session, actor: Actor, agreement: Agreement, kind: str, changes: list[LineChange], reason: str,
    is_disrupted: bool = False,
) -> Amendment:  # fmt: skip
    if not changes:
        raise RuleBroken("Es hat sich nichts geändert. Ändere zuerst eine Stunde.", field="lines")
    _check_worked(session, agreement, changes)
    wanted = Wanted(
        kind=kind,
        changes=changes_from([(one.line_no, one.old_min, one.new_min) for one in changes]),
        reason=one_line(reason) or "Änderung im Ablauf",
        day=clock.today().isoformat(),
        expires_at=int(default_expiry(clock.now()).timestamp()),
        is_by_requester=agreement.side == "ours",
        is_disrupted=is_disrupted,
    )
    if is_disrupted:
        check_returned(session, agreement, wanted, clock.now())
    amendment_id = new_id()
    record = amendment_record(session, agreement, amendment_id, wanted)
    amendment = amendment_row(agreement, amendment_id, wanted, record, by_us=True)
    session.add(amendment)
    note_event(session, actor.firm_id, actor.person_id, "proposed", kind, agreement.id, agreement.partner_id)
    bump_version(session, actor.firm_id)
    session.flush()
    return amendment


def _case(
    session: Session, actor: Actor, agreement: Agreement, amendment: Amendment, record: AmendmentRecord
) -> Signing:
    """As for an agreement; what is signed for is the new total, or the fee."""
    case = signing_case(session, actor, agreement)
    return replace(
        case,
        state=amendment.state,
        is_ours=amendment.by_us,
        expires_at=amendment.expires_at,
        total_cents=record.total_cents,
        # What both already owe each other goes on while a partnership rests.
        is_partner_active=partner_of(session, agreement).state in ("active", "paused"),
        has_signed=actor.person_id in amendment.signers,
        limit_cents=limit_of(session, actor),
        signer_count=len(amendment.signers),
    )
