"""Offers of the acting firm: what waits for an answer here, what we answered, and what partners offered to us."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.matching.models import MatchProposal, MatchVerdict
from app.offers.models import Offer, OfferLine
from app.offers.rules import Asked
from app.partners.models import Partnership
from app.partners.queries import find_partnership, is_linked, may_send
from app.requests.models import Question, Receipt, WorkRequest
from app.requests.queries import ANSWERABLE

LIVE = ("submitted", "selected", "partly_selected", "accepted")


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One partner's request in the list: what it asks from us, until when, and what we said."""

    id: str
    partner_id: str
    partner_name: str
    kind: str
    title: str
    process_key: str | None
    pack: str
    need_min: int
    part_count: int | None
    first_week: str
    last_week: str
    reply_by: dt.datetime
    state: str
    is_linked: bool
    proposed_min: int
    fits: bool
    answer: str
    unread_count: int


@dataclass(frozen=True, slots=True)
class OfferView:
    """One offer with its lines, the earliest week first."""

    offer: Offer
    lines: tuple[OfferLine, ...]

    @property
    def total_min(self) -> int:
        return sum(line.offered_min for line in self.lines)


def inbox(session: Session, firm_id: str, since: dt.datetime) -> list[InboxRow]:
    """Requests of partners whose deadline is after `since`, the earliest deadline first; ended ones too."""
    unread = _unread(firm_id)
    found: sa.Result[Any] = session.execute(
        sa.select(
            WorkRequest.id, WorkRequest.partner_id, Partnership.short_name, WorkRequest.kind, WorkRequest.title,
            WorkRequest.process_key, WorkRequest.pack, WorkRequest.need_min, WorkRequest.part_count,
            WorkRequest.first_week, WorkRequest.last_week, WorkRequest.reply_by, WorkRequest.state,
            is_linked(firm_id), _proposed(firm_id), _fits(firm_id), sa.func.coalesce(Receipt.answer, ""), unread,
        )
        .join(
            Partnership,
            (Partnership.firm_id == WorkRequest.firm_id) & (Partnership.partner_id == WorkRequest.partner_id),
        )
        .outerjoin(Receipt, (Receipt.firm_id == WorkRequest.firm_id) & (Receipt.request_id == WorkRequest.id))
        .where(WorkRequest.firm_id == firm_id, WorkRequest.side == "theirs", WorkRequest.reply_by > since)
        .order_by(WorkRequest.reply_by, WorkRequest.id)
        .limit(200)
    )  # fmt: skip
    return [InboxRow(*list(row)) for row in found]


def waiting_count(session: Session, firm_id: str, now: dt.datetime) -> int:
    """How many fitting requests wait for our answer: the number on the tab."""
    is_waiting = sa.or_(Receipt.answer == "", Receipt.answer.is_(None))
    query = (
        sa.select(sa.func.count())
        .select_from(WorkRequest)
        .join(
            Partnership,
            (Partnership.firm_id == WorkRequest.firm_id) & (Partnership.partner_id == WorkRequest.partner_id),
        )
        .outerjoin(Receipt, (Receipt.firm_id == WorkRequest.firm_id) & (Receipt.request_id == WorkRequest.id))
        .where(WorkRequest.firm_id == firm_id, WorkRequest.side == "theirs", WorkRequest.state.in_(ANSWERABLE))
        .where(is_linked(firm_id))
        .where(WorkRequest.reply_by > now, is_waiting, _fits(firm_id))
    )
    return session.scalar(query) or 0


def asked_of(session: Session, request: WorkRequest) -> Asked:
    """What of a partner's request our answer is measured against."""
    partner = find_partnership(session, request.firm_id, request.partner_id or "")
    return Asked(
        partner_name=partner.short_name if partner else "",
        may_answer=may_send(session, request.firm_id, request.partner_id or "", "offer.made", {}),
        kind=request.kind,
        state=request.state,
        need_min=request.need_min,
        first_week=request.first_week,
        last_week=request.last_week,
        reply_by=request.reply_by,
        version=request.version,
        job_version=request.job_version,
    )


def offer_for(session: Session, firm_id: str, offer_id: str, side: str) -> Offer:
    """An offer that this firm made (side ours) or got (side theirs); raises NotFound."""
    found = session.get(Offer, (firm_id, offer_id))
    if found is None or found.side != side:
        raise NotFound
    return found


def own_offer(session: Session, firm_id: str, request_id: str) -> OfferView | None:
    """Our newest answer to a partner's request, whatever became of it, or None."""
    found = session.scalar(
        sa.select(Offer)
        .where(Offer.firm_id == firm_id, Offer.request_id == request_id, Offer.side == "ours")
        .order_by(Offer.version.desc(), Offer.id.desc())
        .limit(1)
    )
    return None if found is None else OfferView(found, lines_of(session, firm_id, found.id))


def received_offers(session: Session, firm_id: str, request_id: str) -> list[OfferView]:
    """Partners' offers to our own request that count now: submitted, selected or accepted, by partner."""
    offers = session.scalars(
        sa.select(Offer)
        .where(Offer.firm_id == firm_id, Offer.request_id == request_id, Offer.side == "theirs", Offer.state.in_(LIVE))
        .order_by(Offer.partner_id, Offer.id)
    ).all()
    return [OfferView(offer, lines_of(session, firm_id, offer.id)) for offer in offers]


def lines_of(session: Session, firm_id: str, offer_id: str) -> tuple[OfferLine, ...]:
    """The lines of one offer, the earliest week first."""
    found = session.scalars(
        sa.select(OfferLine)
        .where(OfferLine.firm_id == firm_id, OfferLine.offer_id == offer_id)
        .order_by(OfferLine.week, OfferLine.machine_name, OfferLine.id)
    )
    return tuple(found)


def live_offers(session: Session, firm_id: str, request_id: str, side: str, partner_id: str = "") -> Sequence[Offer]:
    """Offers of one side that are submitted or selected; of one partner when one is named."""
    query = sa.select(Offer).where(Offer.firm_id == firm_id, Offer.request_id == request_id, Offer.side == side)
    if partner_id:
        query = query.where(Offer.partner_id == partner_id)
    return session.scalars(query.where(Offer.state.in_(LIVE)).order_by(Offer.version, Offer.id)).all()


def version_count(session: Session, firm_id: str, request_id: str, partner_id: str) -> int:
    """How many offers one partner has made to one of our requests, over all versions."""
    query = sa.select(sa.func.count()).select_from(Offer)
    return (
        session.scalar(
            query.where(Offer.firm_id == firm_id, Offer.request_id == request_id, Offer.partner_id == partner_id)
        )
        or 0
    )


def _proposed(firm_id: str) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.coalesce(sa.func.sum(MatchProposal.minutes), 0))
        .where(MatchProposal.firm_id == firm_id, MatchProposal.request_id == WorkRequest.id)
        .correlate(WorkRequest)
        .scalar_subquery()
    )


def _fits(firm_id: str) -> sa.Exists:
    return (
        sa.exists()
        .where(MatchVerdict.firm_id == firm_id, MatchVerdict.request_id == WorkRequest.id, MatchVerdict.answer != "no")
        .correlate(WorkRequest)
    )


def _unread(firm_id: str) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.count())
        .select_from(Question)
        .where(Question.firm_id == firm_id, Question.request_id == WorkRequest.id)
        .where(Question.is_ours.is_(False), Question.seen_at.is_(None))
        .correlate(WorkRequest)
        .scalar_subquery()
    )
