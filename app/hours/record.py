"""The signed records of hours: reckoned from the same facts at both sides."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.record import facts_of, record_id
from app.bookings.models import Booking
from app.core import clock
from app.core.ids import new_id
from app.hours.documents import (
    CONFIRM_TEMPLATE,
    REPORT_TEMPLATE,
    HoursFacts,
    HoursLine,
    in_order,
    render_confirmation,
    render_report,
)
from app.hours.models import HourEntry, HourRecord, HourReport
from app.hours.queries import entries_of, record_of
from app.notary.actions import append_entry, seal
from app.notary.documents import ZERO32, Display, new_message
from app.notary.queries import address, digest
from app.partners.documents import FrameworkFacts, facts_from, load_template
from app.partners.models import Framework

TYPES = {
    "report": ("hours.report", "HoursReport", REPORT_TEMPLATE),
    "confirm": ("hours.confirm", "HoursConfirm", CONFIRM_TEMPLATE),
}
SILENCE_CLAUSE = 14


def tolerance_of(agreement: Agreement) -> int:
    """By how many percent the hours of a week may be more than agreed."""
    return facts_of(agreement).tolerance_percent


def silence_days_of(session: Session, agreement: Agreement) -> int:
    """Working days after which silence is a yes: only where both signed that clause as it stands in the template; else 0."""
    facts = framework_facts(session, agreement)
    if facts is None:
        return 0
    wanted = {clause.number: clause for clause in load_template(facts.template_key).clauses}.get(SILENCE_CLAUSE)
    return facts.silence_days if wanted is not None and wanted in facts.clauses else 0


def framework_facts(session: Session, agreement: Agreement) -> FrameworkFacts | None:
    """What both signed as the framework of an agreement; None where it is not at hand."""
    framework = session.scalar(
        sa.select(Framework).where(
            Framework.firm_id == agreement.firm_id, Framework.digest == agreement.message["framework"]
        )
    )
    if framework is None or "facts" not in framework.record:
        return None
    return facts_from(FrameworkFacts, framework.record["facts"])


def hours_facts(session: Session, agreement: Agreement, booking: Booking, report: HourReport) -> HoursFacts:
    """What a report of ours, or one that was read from a partner, says."""
    lines = (line_of(entry) for entry in entries_of(session, report.firm_id, report.id))
    before = record_of(session, report.firm_id, report.supersedes, "report") if report.supersedes else None
    return HoursFacts(
        agreement_digest=agreement.digest,
        line_no=booking.line_no,
        machine_id=booking.machine_id,
        machine_name=booking.machine_name,
        week=booking.week,
        lines=in_order(lines),
        silence_days=silence_days_of(session, agreement),
        supersedes=before.digest if before else "",
    )


def line_of(entry: HourEntry) -> HoursLine:
    return HoursLine(entry.id, entry.day, entry.kind, entry.minutes, entry.quantity, entry.scrap)


def report_message(
    session: Session,
    agreement: Agreement,
    report_id: str,
    facts: HoursFacts,
    *,
    by_us: bool,
    salt: str = "",
    issued_at: dt.datetime | None = None,
) -> dict[str, Any]:
    """The message of `hours.report`: from whose people work to the other side; `by_us`: they are ours."""
    made, spoiled = facts.parts()
    return new_message(
        "hours.report",
        *_sides(session, agreement, by_us),
        render_report(facts),
        issued_at=issued_at,
        supersedes=facts.supersedes or ZERO32,
        record_id=record_id(report_id),
        salt=salt,
        agreement=agreement.digest,
        line=facts.line_no - 1,
        machine=facts.machine_id,
        week=facts.week,
        minutes=facts.minutes(),
        set_up_min=facts.minutes("set_up"),
        quantity=made,
        scrap=spoiled,
    )


def confirm_message(
    session: Session,
    agreement: Agreement,
    report_id: str,
    report_digest: str,
    facts: HoursFacts,
    *,
    by_us: bool,
    salt: str = "",
    issued_at: dt.datetime | None = None,
) -> dict[str, Any]:
    """The message of `hours.confirm`: back to the reporter, with the same minutes; `by_us`: we confirm."""
    return new_message(
        "hours.confirm",
        *_sides(session, agreement, by_us),
        render_confirmation(report_digest, facts),
        issued_at=issued_at,
        record_id=record_id(report_id),
        salt=salt,
        report=report_digest,
        agreement=agreement.digest,
        line=facts.line_no - 1,
        week=facts.week,
        minutes=facts.minutes(),
    )


def seal_record(session: Session, report: HourReport, kind: str, message: dict[str, Any], text: str) -> HourRecord:
    """Our firm's seal under a record of ours, entered into our log."""
    value = digest(TYPES[kind][1], message)
    return enter_record(session, report, kind, message, text, [seal(session, report.firm_id, value)], None)


def enter_record(
    session: Session,
    report: HourReport,
    kind: str,
    message: dict[str, Any],
    text: str,
    signatures: list[dict[str, Any]],
    proof: dict[str, Any] | None,
) -> HourRecord:
    """Append a record to our log and keep it beside its report; `proof` that the partner's log holds the same."""
    record_type, primary, template = TYPES[kind]
    display = Display(template, "de", text)
    seq = append_entry(
        session, report.firm_id, record_type, primary, message, display, signatures,
        subject_id=report.agreement_id, counterpart=proof,
    )  # fmt: skip
    record = HourRecord(
        firm_id=report.firm_id, id=new_id(), created_at=clock.now(), report_id=report.id, kind=kind, message=message,
        text=text, digest="0x" + digest(primary, message).hex(), signatures=signatures, entry_seq=seq, counterpart=proof,
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record


def _sides(session: Session, agreement: Agreement, by_us: bool) -> tuple[str, str]:
    """The addresses from and to."""
    own, parties = address(session, agreement.firm_id), (agreement.message["from"], agreement.message["to"])
    (other,) = (one for one in parties if one != own)
    return (own, other) if by_us else (other, own)
