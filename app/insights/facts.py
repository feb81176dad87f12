"""Facts instead of stars: what two firms did for each other, from the rows that both of them have. Nobody else sees it."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.bookings.models import Booking
from app.bookings.rules import LIVE
from app.core.db import UtcTime
from app.core.units import BERLIN, week_of
from app.federation.models import Message
from app.hours.models import HourEntry, HourReport
from app.hours.queries import is_current
from app.hours.rules import COUNTING
from app.insights.rules import (
    LOOKS_BACK,
    Asked,
    Conduct,
    Worked,
    answer_time,
    days_to_payment,
    hours_on_time,
    share_of_awards,
    share_of_defects,
    share_of_offers,
)
from app.invoices.models import Invoice
from app.invoices.rules import CREDIT_NOTE
from app.offers.models import Offer
from app.requests.models import WorkRequest
from app.trouble.models import Defect

DONE_AFTER = dt.timedelta(days=7)
"""So long after its week the hours of a booking may still be on their way."""


def conduct_of(session: Session, firm_id: str, partner_id: str, now: dt.datetime, by_us: bool) -> Conduct:
    """What the partner did for us in the last half year, or with `by_us` what we did for it."""
    since = now - LOOKS_BACK
    asked = _asked(session, firm_id, partner_id, since, now, by_us=not by_us)
    own = _asked(session, firm_id, partner_id, since, now, by_us=by_us)
    decided, agreed = _decided(session, firm_id, partner_id, now, by_us), _agreed(session, firm_id, partner_id, by_us)
    worked = _worked(session, firm_id, partner_id, since, now, by_us)
    return Conduct(
        offers=share_of_offers(asked),
        answer_min=answer_time(asked),
        hours=hours_on_time(worked),
        defects=share_of_defects(worked),
        awards=share_of_awards(set(own.offered) & set(own.sent), decided, agreed),
        payment_days=days_to_payment(_payment_days(session, firm_id, partner_id, since, by_us)),
    )


def _asked(session: Session, firm_id: str, partner_id: str, since: dt.datetime, now: dt.datetime, by_us: bool) -> Asked:
    """Requests of one side to the other; each is dated by who sent it, so that both sides reckon with the same times."""
    asking, answering = ("out", "in") if by_us else ("in", "out")
    requests = session.execute(
        sa.select(WorkRequest.id, WorkRequest.state, WorkRequest.reply_by, Message.created_at)
        .join(Message, (Message.firm_id == WorkRequest.firm_id) & (Message.subject_id == WorkRequest.id))
        .where(*_carried(firm_id, partner_id, asking, since), Message.kind == "request.published")
    ).all()
    request_id = Message.body["request_id"].as_string().label("request_id")
    offers = session.execute(
        sa.select(request_id, sa.func.min(Message.created_at, type_=UtcTime()).label("at"))
        .where(*_carried(firm_id, partner_id, answering, since), Message.kind == "offer.made")
        .group_by(request_id)
    ).all()
    return Asked(
        sent={row.id: _second(row.created_at) for row in requests},
        due={
            row.id for row in requests if row.state != "cancelled" and row.reply_by is not None and row.reply_by <= now
        },
        offered={row.request_id: _second(row.at) for row in offers},
    )


def _carried(firm_id: str, partner_id: str, direction: str, since: dt.datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Messages of one direction that reached their receiver."""
    return (
        Message.firm_id == firm_id,
        Message.peer_id == partner_id,
        Message.direction == direction,
        Message.state == ("delivered" if direction == "out" else "done"),
        Message.created_at >= since,
    )


def _second(at: dt.datetime) -> dt.datetime:
    """An envelope carries whole seconds; what we sent ourselves is known more exactly."""
    return at.replace(microsecond=0)


def _decided(session: Session, firm_id: str, partner_id: str, now: dt.datetime, by_us: bool) -> set[str]:
    """Requests of one side whose offers from the other one hold no longer; what was taken back is left out."""
    until = sa.func.max(Offer.valid_until, type_=UtcTime())
    return set(
        session.scalars(
            sa.select(Offer.request_id)
            .where(Offer.firm_id == firm_id, Offer.partner_id == partner_id, Offer.side == _side(not by_us))
            .where(Offer.state.not_in(("superseded", "withdrawn")))
            .group_by(Offer.request_id)
            .having(until <= now)
        )
    )


def _agreed(session: Session, firm_id: str, partner_id: str, by_us: bool) -> set[str]:
    """Requests of one side on which an agreement with the other one came into force."""
    return set(
        session.scalars(
            sa.select(Agreement.request_id)
            .where(Agreement.firm_id == firm_id, Agreement.partner_id == partner_id, Agreement.side == _side(by_us))
            .where(Agreement.in_force_at.is_not(None))
        )
    )


def _worked(
    session: Session, firm_id: str, partner_id: str, since: dt.datetime, now: dt.datetime, by_us: bool
) -> list[Worked]:
    """Bookings that one side's people worked on, their own machine and week; of a lent machine nothing is said."""
    worked = sa.case((HourEntry.kind == "run", HourEntry.minutes), else_=0)
    report = (HourReport.firm_id == Booking.firm_id) & (HourReport.booking_id == Booking.id)
    fault = sa.select(Defect.id).where(Defect.firm_id == Booking.firm_id, Defect.booking_id == Booking.id)
    is_faulty = fault.where(Defect.state != "disputed").exists()
    entry = (HourEntry.firm_id == HourReport.firm_id) & (HourEntry.report_id == HourReport.id) & is_current()
    rows = session.execute(
        sa.select(Booking.agreed_min, sa.func.coalesce(sa.func.sum(worked), 0), is_faulty)
        .outerjoin(HourReport, report & HourReport.state.in_(COUNTING))
        .outerjoin(HourEntry, entry)
        .where(Booking.firm_id == firm_id, Booking.partner_id == partner_id, Booking.side == _side(by_us))
        .where(Booking.is_our_work.is_(by_us), Booking.state.in_(LIVE), Booking.agreed_min > 0)
        .where(Booking.week >= _week(since), Booking.week < _week(now - DONE_AFTER))
        .group_by(Booking.firm_id, Booking.id, Booking.agreed_min)
    )
    return [Worked(agreed_min, int(minutes), bool(has_fault)) for agreed_min, minutes, has_fault in rows]


def _payment_days(session: Session, firm_id: str, partner_id: str, since: dt.datetime, by_us: bool) -> list[int]:
    """Of invoices that one side got from the other and paid."""
    rows = session.execute(
        sa.select(Invoice.issued_on, Invoice.paid_on)
        .where(Invoice.firm_id == firm_id, Invoice.partner_id == partner_id, Invoice.side == _side(not by_us))
        .where(Invoice.type_code != CREDIT_NOTE, Invoice.paid_on.is_not(None))
        .where(Invoice.issued_on >= since.astimezone(BERLIN).date())
    )
    return [(row.paid_on - row.issued_on).days for row in rows]


def _side(by_us: bool) -> str:
    """Whose request, offer, invoice or machine it is."""
    return "ours" if by_us else "theirs"


def _week(at: dt.datetime) -> str:
    return week_of(at.astimezone(BERLIN).date())
