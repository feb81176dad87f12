"""How much is open or was asked already: the numbers that the limits look at."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.federation.models import Message
from app.requests.limits import SMALL_MIN
from app.requests.models import Invitation, Question, WorkRequest
from app.requests.queries import ANSWERABLE, OPEN_STATES


def open_count(session: Session, firm_id: str) -> int:
    """How many own requests are open."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(WorkRequest)
            .where(WorkRequest.firm_id == firm_id, WorkRequest.side == "ours", WorkRequest.state.in_(OPEN_STATES))
        )
        or 0
    )


def open_count_from(session: Session, firm_id: str, partner_id: str) -> int:
    """How many requests of one partner wait here."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(WorkRequest)
            .where(WorkRequest.firm_id == firm_id, WorkRequest.side == "theirs", WorkRequest.partner_id == partner_id)
            .where(WorkRequest.state.in_(ANSWERABLE))
        )
        or 0
    )


def small_count(session: Session, firm_id: str, partner_id: str, since: dt.datetime, but_not: str) -> int:
    """How many other small requests for hours went to one partner since then, withdrawn ones too."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(Invitation)
            .join(WorkRequest, (WorkRequest.firm_id == Invitation.firm_id) & (WorkRequest.id == Invitation.request_id))
            .where(Invitation.firm_id == firm_id, Invitation.partner_id == partner_id, Invitation.is_chosen)
            .where(WorkRequest.id != but_not)
            .where(WorkRequest.published_at >= since, WorkRequest.kind == "hours", WorkRequest.need_min <= SMALL_MIN)
        )
        or 0
    )


def lines_since(session: Session, firm_id: str, partner_id: str, is_ours: bool, since: dt.datetime) -> int:
    """How many lines one side wrote to the other since then, over all threads of the two."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(Question)
            .where(Question.firm_id == firm_id, Question.partner_id == partner_id, Question.is_ours.is_(is_ours))
            .where(Question.created_at >= since)
        )
        or 0
    )


def changes_since(session: Session, firm_id: str, partner_id: str, request_id: str, since: dt.datetime) -> int:
    """How often a partner has sent one request, or a new version of it, since then."""
    arrived = sa.select(sa.func.count()).select_from(Message).where(Message.firm_id == firm_id)
    arrived = arrived.where(Message.direction == "in", Message.peer_id == partner_id, Message.delivered_at >= since)
    arrived = arrived.where(Message.kind.in_(("request.published", "request.changed")))
    return session.scalar(arrived.where(Message.body["request_id"].as_string() == request_id)) or 0
