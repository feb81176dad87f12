"""Hours between two firms: each message sent by one reaction, and nothing believed on arrival."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import agreement_for, locked_agreement
from app.agreements.rules import moment
from app.agreements.sealing import partner_entry
from app.bookings.actions import start_booking
from app.bookings.models import Booking
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.events import HoursArrived, HoursChecked, HoursConfirmed, HoursDisputed
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.firms.access import Role
from app.firms.actions import bump_version
from app.firms.queries import firm_of, people
from app.hours.answering import settle
from app.hours.checking import check_tolerance, locked_report, note_counted
from app.hours.documents import HoursFacts, render_confirmation, render_report
from app.hours.models import HourEntry, HourRecord, HourReport
from app.hours.queries import entries_of, record_of, report_for
from app.hours.record import confirm_message, enter_record, hours_facts, line_of, report_message, silence_days_of
from app.hours.rules import DAY_MIN, WORKABLE, check_day, check_entry, check_step
from app.hours.wire import Confirmed, Disputed, Reported, body_of, read_confirmed, read_disputed, read_reported
from app.notary.actions import check_signature
from app.notary.counterparts import evidence_sha256
from app.notary.queries import proof_document
from app.partners.queries import partnership_with
from app.push.actions import alert_people, cancel_alerts


def send_report(session: Session, event: HoursChecked) -> None:
    """Our foreman has checked: the partner gets the lines, the sealed record and its proof."""
    report = report_for(session, event.firm_id, event.report_id)
    record, booking = _record(session, report, "report"), _booking(session, report)
    reported = Reported(
        report_id=report.id,
        agreement_id=report.agreement_id,
        line_no=booking.line_no,
        supersedes=report.supersedes or "",
        entries=tuple(line_of(entry) for entry in entries_of(session, report.firm_id, report.id)),
        text=record.text,
        message=record.message,
        signatures=tuple(record.signatures),
        proof=proof_document(session, report.firm_id, record.entry_seq),
    )
    kind = "hours.corrected" if report.supersedes else "hours.reported"
    send_message(session, report.firm_id, report.partner_id, kind, body_of(reported), report.id, report.checked_at)


def send_confirmed(session: Session, event: HoursConfirmed) -> None:
    """Our people said yes, or were silent as long as agreed: the reporter gets to know. Its own yes it knows already."""
    report = report_for(session, event.firm_id, event.report_id)
    cancel_alerts(session, report.firm_id, report.id)
    if report.side != "theirs":
        return
    reported, record = _record(session, report, "report"), record_of(session, report.firm_id, report.id, "confirm")
    confirmed = Confirmed(
        report_id=report.id,
        is_by_silence=record is None,
        text=record.text if record else "",
        message=record.message if record else {},
        signatures=tuple(record.signatures) if record else (),
        proof=proof_document(session, report.firm_id, record.entry_seq) if record else {},
        report_proof=proof_document(session, report.firm_id, reported.entry_seq),
    )
    send_message(session, report.firm_id, report.partner_id, "hours.confirmed", body_of(confirmed), report.id)


def send_disputed(session: Session, event: HoursDisputed) -> None:
    """Our people said no: the reporter gets to know which lines and why; at the reporter its foremen do."""
    report = report_for(session, event.firm_id, event.report_id)
    if report.side == "ours":
        return _tell_foremen(session, report, "hours_disputed")
    cancel_alerts(session, report.firm_id, report.id)
    disputed = Disputed(report.id, tuple(report.disputed_entries), report.reason)
    send_message(session, report.firm_id, report.partner_id, "hours.disputed", body_of(disputed), report.id)
    return None


def announce_report(session: Session, event: HoursArrived) -> None:
    """A partner's hours wait for our foremen."""
    _tell_foremen(session, report_for(session, event.firm_id, event.report_id), "hours_arrived")


def receive_report(session: Session, incoming: Incoming) -> None:
    """A partner's weekly report, or its correction: it enters our log too and waits for a person.

    Raises RuleBroken for anything that does not hold. The same message twice changes nothing.
    """
    reported = read_reported(incoming.body)
    if (incoming.kind == "hours.corrected") is not bool(reported.supersedes):
        raise _refused("supersedes")
    agreement = locked_agreement(session, incoming.firm_id, reported.agreement_id)
    booking = _their_booking(session, agreement, reported.line_no, incoming)
    if session.get(HourReport, (incoming.firm_id, reported.report_id)) is not None:
        return _check_known(session, incoming.firm_id, reported)
    _check_lines(reported, booking)
    facts = _facts_of(session, agreement, booking, reported)
    message = report_message(session, agreement, reported.report_id, facts, by_us=False, **_told(reported.message))
    if (render_report(facts), message) != (reported.text, reported.message):
        raise _refused("text")
    check_tolerance(session, agreement, booking, facts.minutes(), reported.report_id)
    report = _keep(session, booking, reported)
    _enter(session, agreement, report, "report", reported)
    start_booking(session, booking)
    note_counted(session, booking)
    bump_version(session, report.firm_id)
    emit(session, HoursArrived(report.firm_id, report.id))
    return None


def receive_confirmed(session: Session, incoming: Incoming) -> None:
    """The other side's yes to a report of ours. Raises RuleBroken for anything that does not hold."""
    confirmed = read_confirmed(incoming.body)
    report = _own_report(session, incoming, confirmed.report_id)
    if record_of(session, report.firm_id, report.id, "confirm") is not None:
        return
    agreement, booking = agreement_for(session, report.firm_id, report.agreement_id), _booking(session, report)
    reported = _record(session, report, "report")
    _keep_proof(session, agreement, reported, confirmed.report_proof)
    if confirmed.is_by_silence:
        _settle_by_silence(session, agreement, report)
        return
    facts = hours_facts(session, agreement, booking, report)
    message = confirm_message(
        session, agreement, report.id, reported.digest, facts, by_us=False, **_told(confirmed.message)
    )
    if (render_confirmation(reported.digest, facts), message) != (confirmed.text, confirmed.message):
        raise _refused("text")
    check_step(report.state, "confirmed")
    _enter(session, agreement, report, "confirm", confirmed)
    settle(session, report, "confirmed")


def receive_disputed(session: Session, incoming: Incoming) -> None:
    """The other side's no: our foremen correct the report, or talk."""
    disputed = read_disputed(incoming.body)
    report = _own_report(session, incoming, disputed.report_id)
    if report.state in ("disputed", "corrected"):
        return
    if not set(disputed.entry_ids) <= {entry.id for entry in entries_of(session, report.firm_id, report.id)}:
        raise _refused("entry_ids")
    check_step(report.state, "disputed")
    report.state, report.reason, report.settled_at = "disputed", disputed.reason, None
    report.disputed_entries = sorted(disputed.entry_ids)
    note_counted(session, _booking(session, report))
    bump_version(session, report.firm_id)
    emit(session, HoursDisputed(report.firm_id, report.id))


def _their_booking(session: Session, agreement: Agreement, line_no: int, incoming: Incoming) -> Booking:
    """The line that the partner's people work on, for writing."""
    found = session.scalar(
        sa.select(Booking)
        .where(Booking.firm_id == agreement.firm_id, Booking.agreement_id == agreement.id, Booking.line_no == line_no)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if agreement.partner_id != incoming.from_id or found is None or found.is_our_work:
        raise NotFound
    if found.state not in WORKABLE:
        raise _refused("line_no")
    return found


def _check_known(session: Session, firm_id: str, reported: Reported) -> None:
    record = record_of(session, firm_id, reported.report_id, "report")
    if record is None or record.message != reported.message:
        raise _refused("report_id")


def _check_lines(reported: Reported, booking: Booking) -> None:
    """Each line may be, and no day of the machine has more than its hours."""
    days: dict[dt.date, int] = {}
    for line in reported.entries:
        check_day(line.day, booking.week, clock.today() + dt.timedelta(days=1))
        check_entry(line.minutes, line.quantity, line.scrap, days.get(line.day, 0))
        days[line.day] = days.get(line.day, 0) + line.minutes
    if any(minutes > DAY_MIN for minutes in days.values()):
        raise _refused("entries")


def _facts_of(session: Session, agreement: Agreement, booking: Booking, reported: Reported) -> HoursFacts:
    return HoursFacts(
        agreement_digest=agreement.digest,
        line_no=booking.line_no,
        machine_id=booking.machine_id,
        machine_name=booking.machine_name,
        week=booking.week,
        lines=reported.entries,
        silence_days=silence_days_of(session, agreement),
        supersedes=_correct(session, booking, reported.supersedes),
    )


def _correct(session: Session, booking: Booking, report_id: str) -> str:
    """The disputed report that a correction takes the place of; returns its digest, '' for a first report."""
    if not report_id:
        return ""
    old = session.get(HourReport, (booking.firm_id, report_id))
    if old is None or old.booking_id != booking.id or old.side != "theirs":
        raise _refused("supersedes")
    check_step(old.state, "corrected")
    old.state = "corrected"
    return _record(session, old, "report").digest


def _keep(session: Session, booking: Booking, reported: Reported) -> HourReport:
    taken = sa.select(HourEntry.id).where(
        HourEntry.firm_id == booking.firm_id, HourEntry.id.in_([line.id for line in reported.entries])
    )
    if session.scalar(taken.limit(1)) is not None:
        raise _refused("entries")
    now = clock.now()
    report = HourReport(
        firm_id=booking.firm_id, id=reported.report_id, created_at=now, side="theirs", booking_id=booking.id,
        agreement_id=booking.agreement_id, partner_id=booking.partner_id, week=booking.week, state="checked",
        supersedes=reported.supersedes or None, checked_at=now, arrived_at=now,
    )  # fmt: skip
    session.add(report)
    session.flush()
    session.add_all(
        HourEntry(
            firm_id=booking.firm_id, id=line.id, created_at=now, report_id=report.id, day=line.day,
            minutes=line.minutes, kind=line.kind, quantity=line.quantity, scrap=line.scrap,
        )
        for line in reported.entries
    )  # fmt: skip
    session.flush()
    return report


def _enter(session: Session, agreement: Agreement, report: HourReport, kind: str, sent: Reported | Confirmed) -> None:
    """The partner's record enters our log, where its own log is proved to hold it and its seal was valid there."""
    digest = _digest_in(sent.proof)
    entry = partner_entry(session, agreement, digest, sent.proof)
    for signature in sent.signatures:
        check_signature(session, report.firm_id, report.partner_id, bytes.fromhex(digest[2:]), signature, entry.seq)
    record = enter_record(session, report, kind, sent.message, sent.text, list(sent.signatures), sent.proof)
    if record.digest != digest:
        raise _refused("proof")


def _digest_in(proof: dict[str, Any]) -> str:
    leaf = proof.get("leaf")
    found = leaf.get("digest") if isinstance(leaf, dict) else None
    if not isinstance(found, str) or not found.startswith("0x") or len(found) != 66:
        raise _refused("proof")
    return found


def _keep_proof(session: Session, agreement: Agreement, record: HourRecord, proof: dict[str, Any]) -> None:
    """The partner's log holds the same report as ours."""
    entry = partner_entry(session, agreement, record.digest, proof)
    if entry.evidence_sha256 != evidence_sha256(session, record.firm_id, record.entry_seq):
        raise _refused("report_proof")
    record.counterpart = proof


def _settle_by_silence(session: Session, agreement: Agreement, report: HourReport) -> None:
    if not silence_days_of(session, agreement):
        raise _refused("is_by_silence")
    if report.state == "checked":
        settle(session, report, "auto_confirmed")


def _own_report(session: Session, incoming: Incoming, report_id: str) -> HourReport:
    """A report of ours that this partner may answer."""
    report = locked_report(session, incoming.firm_id, report_id)
    if report.partner_id != incoming.from_id or report.side != "ours":
        raise NotFound
    return report


def _record(session: Session, report: HourReport, kind: str) -> HourRecord:
    found = record_of(session, report.firm_id, report.id, kind)
    if found is None:
        raise NotFound
    return found


def _booking(session: Session, report: HourReport) -> Booking:
    return session.get_one(Booking, (report.firm_id, report.booking_id))


def _told(message: dict[str, Any]) -> dict[str, Any]:
    """Of a partner's message what cannot be reckoned here."""
    salt, issued_at = message.get("salt"), message.get("issuedAt")
    if type(salt) is not str or type(issued_at) is not int:
        raise _refused("message")
    return {"salt": salt, "issued_at": moment(issued_at)}


def _tell_foremen(session: Session, report: HourReport, kind: str) -> None:
    firm = firm_of(session, report.firm_id)
    name = partnership_with(session, report.firm_id, report.partner_id).short_name if firm.name_in_push else ""
    persons = people(session, report.firm_id, Role.FOREMAN) or people(session, report.firm_id, Role.MANAGER)
    url, once = f"/stunden/meldung/{report.id}", f"{kind}:{report.id}"
    alert_people(session, report.firm_id, persons, kind, report.id, url, {"name": name}, once)


def _refused(field: str) -> RuleBroken:
    return RuleBroken("Diese Meldung passt nicht zu unseren Daten: %(name)s.", field, name=field)
