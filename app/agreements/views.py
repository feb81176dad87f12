"""What the pages of an agreement show: plain values, ready for templates that neither ask nor reckon."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from flask import url_for
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from app.agreements.amending import signable_amendment
from app.agreements.amendment_records import cancelled_lines, english_amendment, standing_of
from app.agreements.approving import signable_digest
from app.agreements.blocks import text_blocks
from app.agreements.documents import CallOffFacts, english_reading_aid, five_facts
from app.agreements.lists import Risk, is_one_sided, place_in_bundle
from app.agreements.models import Agreement, Amendment
from app.agreements.queries import amendments_of, lines_of, partner_of
from app.agreements.record import facts_of
from app.agreements.rules import REASONS, waits_for_us
from app.agreements.standing import LineChange
from app.bookings.queries import bookings_of
from app.core import clock
from app.core.errors import RuleBroken, WerkringError
from app.core.units import monday
from app.firms.access import Actor, may
from app.firms.queries import firm_of
from app.web.render import said, when_text

STATUS = {
    "frozen": "wartet", "signed_one": "angefragt", "waiting_bundle": "wartet", "in_force": "unterschrieben",
    "declined": "abgesagt", "lapsed": "abgelaufen", "terminated": "abgesagt", "superseded": "fertig",
    "fulfilled": "fertig",
}  # fmt: skip
AMENDMENT_STATUS = {
    "frozen": "entwurf", "signed_one": "wartet", "in_force": "unterschrieben", "declined": "abgesagt",
    "lapsed": "abgelaufen",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One piece of a contract text; `kind` title, heading, list, label or paragraph."""

    kind: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BookingRow:
    """One booked line: what was agreed, what counts now, and what cancelling it costs today (None: not possible)."""

    line_no: int
    week: str
    machine: str
    agreed_min: int
    minutes: int
    amount_cents: int
    fee_cents: int | None
    fee_percent: int
    state: str
    can_change: bool


@dataclass(frozen=True, slots=True)
class AmendmentRow:
    """A change or cancellation in a list."""

    id: str
    kind: str
    status: str
    at: dt.datetime
    waits_for_us: bool


@dataclass(frozen=True, slots=True)
class AgreementView:
    """One agreement as its page shows it."""

    agreement: Agreement
    facts: CallOffFacts
    partner_name: str
    status: str
    waits_for_us: bool
    refusal: str
    needs_sheet: bool
    place: tuple[int, int]
    points: tuple[tuple[str, tuple[str, ...]], ...]
    text: tuple[Paragraph, ...]
    reading_aid: tuple[Paragraph, ...]
    bookings: tuple[BookingRow, ...]
    amendments: tuple[AmendmentRow, ...]
    has_open_amendment: bool
    reason: str
    phone: str
    is_one_sided: bool
    may_sign: bool
    first_week: str
    last_week: str


@dataclass(frozen=True, slots=True)
class AmendmentView:
    """A change or cancellation as its page shows it."""

    amendment: Amendment
    agreement: Agreement
    partner_name: str
    status: str
    waits_for_us: bool
    refusal: str
    text: tuple[Paragraph, ...]
    reading_aid: tuple[Paragraph, ...]


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One line of the card In Gefahr."""

    text: str
    url: str


def agreement_view(session: Session, actor: Actor, agreement: Agreement, now: dt.datetime) -> AgreementView:
    """Everything that S24 and the page of a signed agreement need."""
    facts, partner = facts_of(agreement), partner_of(session, agreement)
    may_sign = may(actor, "agreements.sign")
    is_waiting = agreement.state == waits_for_us(agreement.side == "ours")
    rows = tuple(booking_rows(session, actor, agreement))
    amendments = tuple(_amendment_row(one) for one in amendments_of(session, actor.firm_id, agreement.id)[::-1])
    weeks = [line.week for line in facts.lines]
    return AgreementView(
        agreement=agreement,
        facts=facts,
        partner_name=partner.name,
        status=_status(agreement, now),
        waits_for_us=is_waiting and may_sign,
        refusal=_refusal(session, actor, agreement) if is_waiting and may_sign else "",
        needs_sheet=firm_of(session, actor.firm_id).recovery_printed_at is None,
        place=place_in_bundle(session, agreement),
        points=five_facts(facts, "requester" if agreement.side == "ours" else "provider", _language()),
        text=paragraphs(agreement.text),
        reading_aid=paragraphs(english_reading_aid(facts)),
        bookings=rows,
        amendments=amendments,
        has_open_amendment=any(one.status in ("entwurf", "wartet") for one in amendments),
        reason=REASONS.get(agreement.end_reason, ""),
        phone=agreement.contact_phone or _requester_phone(agreement, facts),
        is_one_sided=is_one_sided(agreement, now),
        may_sign=may_sign,
        first_week=min(weeks),
        last_week=max(weeks),
    )


def amendment_view(session: Session, actor: Actor, agreement: Agreement, amendment: Amendment) -> AmendmentView:
    """Everything that the page of a change or cancellation needs."""
    is_waiting = amendment.state == waits_for_us(amendment.by_us) and may(actor, "agreements.sign")
    refusal = ""
    if is_waiting:
        try:
            signable_amendment(session, actor, amendment.id)
        except WerkringError as error:
            refusal = said(error)
    return AmendmentView(
        amendment=amendment,
        agreement=agreement,
        partner_name=partner_of(session, agreement).name,
        status=AMENDMENT_STATUS[amendment.state],
        waits_for_us=is_waiting,
        refusal=refusal,
        text=paragraphs(amendment.text),
        reading_aid=_amendment_aid(session, agreement, amendment),
    )


def _amendment_aid(session: Session, agreement: Agreement, amendment: Amendment) -> tuple[Paragraph, ...]:
    """Nothing where the bookings moved on under a change that never came about: the signed text stays readable."""
    try:
        return paragraphs(english_amendment(session, agreement, amendment))
    except RuleBroken:
        return ()


def booking_rows(session: Session, actor: Actor, agreement: Agreement) -> list[BookingRow]:
    """The booked lines with what counts now; those of past weeks can no longer be changed."""
    lines = {line.line_no: line for line in lines_of(session, actor.firm_id, agreement.id)}
    booked = bookings_of(session, actor.firm_id, agreement.id)
    today = clock.today()
    fees = _fees(session, agreement, today)
    return [
        BookingRow(
            line_no=booking.line_no,
            week=booking.week,
            machine=booking.machine_name,
            agreed_min=lines[booking.line_no].minutes,
            minutes=booking.agreed_min,
            amount_cents=lines[booking.line_no].amount_cents,
            fee_cents=fees.get(booking.line_no, (None, 0))[0],
            fee_percent=fees.get(booking.line_no, (None, 0))[1],
            state=booking.state,
            can_change=booking.agreed_min > 0 and monday(booking.week) + dt.timedelta(days=6) >= today,
        )
        for booking in booked
    ]


def risk_rows(risks: Iterable[Risk]) -> list[RiskRow]:
    """What is at risk, one sentence each, with the way to it."""
    return [RiskRow(_risk_text(risk), _risk_url(risk)) for risk in risks]


def paragraphs(text: str) -> tuple[Paragraph, ...]:
    """A contract text piece by piece, word for word."""
    return tuple(Paragraph(block["kind"], tuple(block["text"].split("\n"))) for block in text_blocks(text))


def _language() -> str:
    return "en" if str(get_locale() or "de").startswith("en") else "de"


def _status(agreement: Agreement, now: dt.datetime) -> str:
    if agreement.state == "signed_one" and agreement.side == "theirs":
        return "wartet"
    if agreement.state == "lapsed" and agreement.end_reason != "expired":
        return "abgesagt"
    return STATUS[agreement.state]


def _refusal(session: Session, actor: Actor, agreement: Agreement) -> str:
    """Why this person cannot sign right now; '' when everything is well."""
    try:
        signable_digest(session, actor, agreement.id)
    except WerkringError as error:
        return said(error)
    return ""


def _fees(session: Session, agreement: Agreement, today: dt.date) -> dict[int, tuple[int, int]]:
    """What cancelling each line costs today, in cents and percent."""
    standing = standing_of(session, agreement)
    fees = {}
    for number, line in zip(standing.line_nos, standing.facts.lines, strict=True):
        if monday(line.week) + dt.timedelta(days=6) < today:
            continue
        change = LineChange(number, line.minutes, 0)
        (cancelled,) = cancelled_lines(standing, [change], today, agreement.side == "theirs")
        fees[number] = (cancelled.fee_cents, cancelled.fee_percent)
    return fees


def _amendment_row(amendment: Amendment) -> AmendmentRow:
    return AmendmentRow(
        amendment.id,
        amendment.kind,
        AMENDMENT_STATUS[amendment.state],
        amendment.in_force_at or amendment.created_at,
        amendment.state == waits_for_us(amendment.by_us),
    )


def _requester_phone(agreement: Agreement, facts: CallOffFacts) -> str:
    return facts.requester_contact.phone if agreement.side == "theirs" else ""


def _risk_text(risk: Risk) -> str:
    when = when_text(risk.at) if risk.at else ""
    if risk.kind == "soon":
        return str(gettext("%(name)s: Unterschrift fehlt bis %(when)s.", name=risk.partner_name, when=when))
    if risk.kind == "lost":
        return str(gettext("%(name)s: Stunden fallen aus. Hol Hilfe.", name=risk.partner_name))
    if risk.kind == "one_sided":
        return str(gettext("%(name)s: Der Nachweis liegt nur auf einer Seite.", name=risk.partner_name))
    if risk.kind == "refused":
        return str(gettext("%(name)s hat die Vereinbarung nicht angenommen.", name=risk.partner_name))
    return str(
        gettext("%(title)s: noch kein Angebot. Frist %(when)s.", title=risk.title or gettext("Anfrage"), when=when)
    )


def _risk_url(risk: Risk) -> str:
    if risk.kind == "no_offer":
        return url_for("plans.show", request_id=risk.id)
    if risk.kind == "lost":
        return url_for("trouble.index")
    return url_for("agreements.show", agreement_id=risk.id)
