"""Changes and cancellations between two firms: what is sent at which step, and nothing believed on arrival."""

import datetime as dt

from sqlalchemy.orm import Session

from app.agreements.amending import KINDS, amendment_row, check_returned, record_of
from app.agreements.amendment_records import Wanted, amendment_record, wanted_from
from app.agreements.carrying import carry_out, end_amendment
from app.agreements.models import Agreement, Amendment
from app.agreements.queries import (
    agreement_for,
    amendment_for,
    amendments_of,
    locked_agreement,
    locked_amendment,
    partner_of,
)
from app.agreements.rules import GRACE, WORD_MAY_TAKE, moment
from app.agreements.sealing import check_partner_signatures, partner_entry
from app.agreements.telling import tell_managers
from app.agreements.wire import Amended, body_of, read_amended
from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.events import BookingAmended
from app.core.outbox import emit
from app.core.units import BERLIN
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.firms.actions import bump_version
from app.notary.actions import remember_partner_keys
from app.notary.counterparts import check_checkpoint, evidence_sha256, read_proof
from app.notary.queries import address, key_document, proof_document
from app.offers.rules import MOST_HOLD

OVER = ("declined", "lapsed")
TOLD = "told"
MAY_BE_LATE = dt.timedelta(days=2)


def send_amendment(session: Session, event: BookingAmended) -> None:
    """Tell the partner what our side just did with a change or cancellation."""
    amendment = amendment_for(session, event.firm_id, event.amendment_id)
    agreement = agreement_for(session, event.firm_id, amendment.agreement_id)
    if amendment.by_us and amendment.state in OVER:
        return
    own = address(session, agreement.firm_id)
    proof = {} if amendment.entry_seq is None else proof_document(session, agreement.firm_id, amendment.entry_seq)
    amended = Amended(
        agreement_id=agreement.id,
        amendment_id=amendment.id,
        step=_step_of(amendment),
        facts=amendment.facts,
        text=amendment.text,
        message=amendment.message,
        signatures=tuple(one for one in amendment.signatures if one["party"] == own),
        not_before=amendment.not_before,
        keys=key_document(session, agreement.firm_id),
        proof=proof,
    )
    body, kind = body_of(amended), KINDS[amendment.kind]
    done_at = amendment.in_force_at if amended.step == "sealed" else None
    send_message(session, agreement.firm_id, agreement.partner_id, kind, body, amendment.id, done_at)


def receive_amendment(session: Session, incoming: Incoming) -> None:
    """A partner's change or cancellation at any step; the same message twice changes nothing.

    Raises RuleBroken for anything that is not exactly what we reckon ourselves.
    """
    amended = read_amended(incoming.body)
    agreement = locked_agreement(session, incoming.firm_id, amended.agreement_id)
    if agreement.partner_id != incoming.from_id or KINDS.get(str(amended.facts.get("kind"))) != incoming.kind:
        raise _refused("agreement_id")
    known = session.get(Amendment, (incoming.firm_id, amended.amendment_id))
    if known is None and amended.step == "withdrawn":
        return
    if known is None:
        _receive_new(session, incoming, agreement, amended)
    else:
        amendment = locked_amendment(session, incoming.firm_id, amended.amendment_id)
        if (amendment.agreement_id, amendment.message) != (agreement.id, amended.message):
            raise _refused("amendment_id")
        _receive_next(session, incoming, agreement, amendment, amended)
    bump_version(session, incoming.firm_id)


def _receive_new(session: Session, incoming: Incoming, agreement: Agreement, amended: Amended) -> None:
    """The partner wants something (proposed), or has done what it may do alone (sealed)."""
    if amended.step not in ("proposed", "sealed") or agreement.state != "in_force":
        raise _refused("step")
    wanted, message = wanted_from(amended.facts), amended.message
    if wanted.is_by_requester is (agreement.side == "ours"):
        raise _refused("facts")
    if type(message.get("issuedAt")) is not int or type(message.get("salt")) is not str:
        raise _refused("message")
    issued_at = moment(message["issuedAt"])
    if not _goes_first(session, agreement):
        return
    if amended.step == "proposed" and _waits_for_us(session, agreement):
        raise _refused("step")
    record = amendment_record(session, agreement, amended.amendment_id, wanted, message["salt"], issued_at)
    if (record.text, record.message) != (amended.text, message):
        raise _refused("text")
    if record.needs_both is not (amended.step == "proposed"):
        raise _refused("step")
    if record.needs_both:
        _check_time(wanted.day, wanted.expires_at, issued_at)
    else:
        _check_alone(session, incoming, agreement, wanted, read_proof(amended.proof).at)
    row = amendment_row(agreement, amended.amendment_id, wanted, record, by_us=False)
    row.state, row.signatures, row.not_before = "signed_one", list(amended.signatures), amended.not_before
    _check_signed(session, incoming, agreement, row, amended)
    check_checkpoint(session, incoming.firm_id, incoming.from_id, amended.not_before)
    _withdraw_own(session, agreement)
    session.add(row)
    session.flush()
    if amended.step == "sealed":
        _carry_out_with(session, agreement, row, amended)
        return
    tell_managers(session, agreement, "amendment", once=row.id)


def _waits_for_us(session: Session, agreement: Agreement) -> bool:
    """One change of the partner at a time: two of them would keep each other from being signed."""
    found = amendments_of(session, agreement.firm_id, agreement.id)
    return any(one.state == "signed_one" and not one.by_us for one in found)


def _goes_first(session: Session, agreement: Agreement) -> bool:
    """Two changes crossed on their way: the requester's stands, and the provider withdraws its own on reading it."""
    return agreement.side == "theirs" or _own_on_its_way(session, agreement) is None


def _withdraw_own(session: Session, agreement: Agreement) -> None:
    own = _own_on_its_way(session, agreement)
    if own is not None:
        end_amendment(session, agreement, own, "declined")
        tell_managers(session, agreement, "overtaken", once=own.id)


def _own_on_its_way(session: Session, agreement: Agreement) -> Amendment | None:
    found = amendments_of(session, agreement.firm_id, agreement.id)
    return next((one for one in found if one.by_us and one.state == "signed_one"), None)


def _receive_next(
    session: Session, incoming: Incoming, agreement: Agreement, amendment: Amendment, amended: Amended
) -> None:
    """The partner answers: it signed what we want, said no, returns its proof, or asks for its own back."""
    if amended.step in OVER:
        if amendment.by_us and amendment.state == "signed_one":
            end_amendment(session, agreement, amendment, amended.step)
            amendment.end_reason = TOLD
            if amended.step == "declined":
                tell_managers(session, agreement, "declined", once=amendment.id)
        return
    if amended.step == "withdrawn" and not amendment.by_us and amendment.state == "signed_one":
        end_amendment(session, agreement, amendment, "declined")
        emit(session, BookingAmended(agreement.firm_id, amendment.id))
        return
    if amendment.counterpart is not None or amended.step not in ("signed", "proved"):
        return
    if amended.step == "signed" and amendment.by_us and _may_be_accepted(amendment):
        _check_signed(session, incoming, agreement, amendment, amended)
        _accept(session, agreement, amendment, amended)
    elif amendment.entry_seq is not None:
        _keep_proof(session, agreement, amendment, amended)


def _may_be_accepted(amendment: Amendment) -> bool:
    """Who once said that it did not accept in time says nothing else afterwards."""
    return amendment.state == "signed_one" or (amendment.state == "lapsed" and amendment.end_reason != TOLD)


def _accept(session: Session, agreement: Agreement, amendment: Amendment, amended: Amended) -> None:
    """What we want is signed. If we gave it up long ago and it does not fit any more, the managers have to talk."""
    try:
        with session.begin_nested():
            record_of(session, agreement, amendment)
            amendment.signatures = [*amendment.signatures, *amended.signatures]
            _carry_out_with(session, agreement, amendment, amended)
    except (Conflict, RuleBroken):
        session.refresh(amendment)
        if amendment.state != "lapsed":
            raise
        tell_managers(session, agreement, "one_sided", once=amendment.id)


def _carry_out_with(session: Session, agreement: Agreement, amendment: Amendment, amended: Amended) -> None:
    carry_out(session, agreement, amendment, amended.proof)
    amendment.counterpart = amended.proof
    emit(session, BookingAmended(agreement.firm_id, amendment.id))


def _keep_proof(session: Session, agreement: Agreement, amendment: Amendment, amended: Amended) -> None:
    """The partner's log holds the same evidence as ours."""
    entry = partner_entry(session, agreement, amendment.digest, amended.proof)
    assert amendment.entry_seq is not None
    if entry.evidence_sha256 != evidence_sha256(session, agreement.firm_id, amendment.entry_seq):
        raise _refused("proof")
    amendment.counterpart = amended.proof


def _check_signed(
    session: Session, incoming: Incoming, agreement: Agreement, amendment: Amendment, amended: Amended
) -> None:
    """The partner's keys, and its signatures: a proposal as its keys are now, a record as they were in its log."""
    partner = partner_of(session, agreement)
    if (amended.keys.get("address"), amended.keys.get("origin")) != (partner.address, _partner_log(agreement)):
        raise _refused("keys")
    remember_partner_keys(session, incoming.firm_id, incoming.from_id, amended.keys)
    is_entered = amended.step in ("signed", "sealed")
    entry = partner_entry(session, agreement, amendment.digest, amended.proof) if is_entered else None
    if entry is not None and 0 < amendment.message["expiresAt"] < entry.at:
        raise _refused("expires_at")
    value = bytes.fromhex(amendment.digest[2:])
    seq = None if entry is None else entry.seq
    check_partner_signatures(
        session, incoming.firm_id, incoming.from_id, partner.address, value, amended.signatures, seq
    )


def _check_time(day: str, expires_at: int, issued_at: dt.datetime) -> None:
    today = clock.today()
    is_recent = any(day == (today - dt.timedelta(days=back)).isoformat() for back in range(MAY_BE_LATE.days + 1))
    expiry = moment(expires_at)
    if not is_recent or not clock.now() - MAY_BE_LATE <= issued_at <= clock.now() + dt.timedelta(hours=1):
        raise _refused("day")
    if not clock.now() < expiry <= clock.now() + MOST_HOLD:
        raise _refused("expires_at")


def _check_alone(session: Session, incoming: Incoming, agreement: Agreement, wanted: Wanted, entered_at: int) -> None:
    """What the partner does alone: the fee is of the right day, and hours given back are hours that we cannot work."""
    _check_day_of_proof(incoming, wanted.day, entered_at)
    if wanted.is_disrupted:
        check_returned(session, agreement, wanted, moment(entered_at))


def _check_day_of_proof(incoming: Incoming, day: str, entered_at: int) -> None:
    """Fees depend on the day: it is the one on which the partner's log took the cancellation, just before it was sent.

    Both times are the partner's word alone: by our clock they may lie back only as far as a message takes.
    """
    at = moment(entered_at)
    is_old = clock.now() - at > WORD_MAY_TAKE
    if is_old or day != at.astimezone(BERLIN).date().isoformat() or abs(incoming.at - at) > GRACE:
        raise _refused("day")


def _step_of(amendment: Amendment) -> str:
    if amendment.state in OVER:
        return amendment.state
    if amendment.state == "signed_one":
        return "withdrawn" if amendment.end_reason else "proposed"
    if amendment.by_us:
        return "proved" if amendment.needs_both else "sealed"
    return "signed" if amendment.needs_both else "proved"


def _partner_log(agreement: Agreement) -> str:
    return str(agreement.message["logTo" if agreement.side == "ours" else "logFrom"])


def _refused(field: str) -> RuleBroken:
    return RuleBroken("Diese Änderung passt nicht zu unseren Daten: %(name)s.", field, name=field)
