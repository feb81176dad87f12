"""What a signed change or cancellation does: the record, the bookings and the hours change together, or not at all."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.amendment_records import PRIMARY, display_of, standing_of
from app.agreements.covering import note_agreed
from app.agreements.models import Agreement, Amendment
from app.agreements.queries import lines_of
from app.agreements.rules import check_amendment_step
from app.agreements.standing import changes_from
from app.agreements.telling import tell_foremen, tell_managers
from app.bookings.actions import change_booking
from app.bookings.queries import bookings_of
from app.capacity.actions import agree_held, hold_hours, release_agreed, release_hold
from app.capacity.models import Hold
from app.core import clock
from app.core.errors import Conflict
from app.firms.actions import bump_version, note_event
from app.notary.actions import append_entry


def carry_out(
    session: Session, agreement: Agreement, amendment: Amendment, proof: dict[str, Any] | None = None
) -> None:
    """Everything is signed: the record, the bookings and the hours change together, or not at all.

    `proof` that the partner's log took it before ours.
    """
    check_amendment_step(amendment.state, "in_force")
    amendment.entry_seq = append_entry(
        session,
        agreement.firm_id,
        amendment.kind,
        PRIMARY[amendment.kind],
        amendment.message,
        display_of(amendment),
        amendment.signatures,
        subject_id=agreement.id,
        not_before=amendment.not_before,
        counterpart=proof,
    )
    for change in changes_from(amendment.facts["lines"]):
        change_booking(session, agreement.firm_id, agreement.id, change.line_no, change.new_min)
    if agreement.side == "theirs":
        _move_hours(session, agreement, amendment)
    amendment.state, amendment.in_force_at = "in_force", clock.now()
    amendment.ended_at, amendment.end_reason = None, ""
    session.flush()
    after = standing_of(session, agreement)
    agreement.minutes = sum(one.agreed_min for one in bookings_of(session, agreement.firm_id, agreement.id))
    agreement.total_cents = after.facts.total_cents if after.line_nos else 0
    if not after.line_nos:
        agreement.state, agreement.ended_at, agreement.end_reason = "terminated", clock.now(), "cancelled"
    note_agreed(session, agreement)
    tell_foremen(session, agreement, "changed", once=amendment.id)
    tell_managers(session, agreement, "changed", once=amendment.id)
    note_event(session, agreement.firm_id, None, amendment.kind, "agreement", agreement.id, agreement.partner_id)
    bump_version(session, agreement.firm_id)


def end_amendment(session: Session, agreement: Agreement, amendment: Amendment, state: str) -> None:
    """It does not come about: what was kept for it is free, the agreement stays as it is."""
    check_amendment_step(amendment.state, state)
    amendment.state, amendment.ended_at, amendment.end_reason = state, clock.now(), state
    if agreement.side == "theirs":
        for change in changes_from(amendment.facts["lines"]):
            release_hold(session, agreement.firm_id, extra_line_id(amendment.id, change.line_no))
    bump_version(session, agreement.firm_id)
    session.flush()


def reserve_hours(session: Session, agreement: Agreement, amendment: Amendment) -> None:
    """The provider offers more hours: they are kept until the other side has signed."""
    if agreement.side != "theirs":
        return
    lines = {line.line_no: line for line in lines_of(session, agreement.firm_id, agreement.id)}
    for change in changes_from(amendment.facts["lines"]):
        if change.new_min > change.old_min:
            line = lines[change.line_no]
            hold_hours(
                session,
                agreement.firm_id,
                agreement.offer_id,
                extra_line_id(amendment.id, change.line_no),
                line.machine_id,
                line.week,
                change.new_min - change.old_min,
                amendment.expires_at,
            )


def extra_line_id(amendment_id: str, line_no: int) -> str:
    """The id under which hours beyond the agreement's own line are held and agreed."""
    return str(uuid.uuid5(uuid.UUID(amendment_id), str(line_no)))


def _move_hours(session: Session, agreement: Agreement, amendment: Amendment) -> None:
    reserve_hours(session, agreement, amendment)
    lines = {line.line_no: line for line in lines_of(session, agreement.firm_id, agreement.id)}
    changes = changes_from(amendment.facts["lines"])
    for change in sorted(changes, key=lambda one: (lines[one.line_no].machine_id, lines[one.line_no].week)):
        line = lines[change.line_no]
        if change.new_min > change.old_min:
            extra_id = extra_line_id(amendment.id, change.line_no)
            agree_held(session, agreement.firm_id, extra_id, change.new_min - change.old_min)
        else:
            _give_back(session, agreement, line.machine_id, line.week, change.old_min - change.new_min)


def _give_back(session: Session, agreement: Agreement, machine_id: str, week: str, minutes: int) -> None:
    """Free agreed minutes, those agreed last first: a line may have grown before."""
    rows = session.execute(
        sa.select(Hold.offer_line_id, Hold.minutes)
        .where(Hold.firm_id == agreement.firm_id, Hold.offer_id == agreement.offer_id, Hold.state == "agreed")
        .where(Hold.machine_id == machine_id, Hold.week == week)
        .order_by(Hold.created_at.desc(), Hold.id.desc())
    ).all()
    rest = minutes
    for row in rows:
        part = min(rest, row.minutes)
        release_agreed(session, agreement.firm_id, machine_id, week, part, row.offer_line_id)
        rest -= part
    if rest:
        raise Conflict("Diese Stunden sind nicht mehr gebucht. Lade die Seite neu.")
