"""Offers of the acting firm: what waits for an answer here, what we answered, and what partners offered to us."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
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

FIRM = sa.bindparam("firm_id", type_=sa.String)
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
    found: sa.Result[Any] = session.execute(_inbox_statement(), {"firm_id": firm_id, "since": since})
    return [InboxRow(*list(row)) for row in found]


@cache
def _inbox_statement() -> sa.Select[*tuple[Any, ...]]:
    """Built once, as `_waiting_statement`: SQLAlchemy takes longer to put them together than the database to answer."""
    return (
        sa.select(
            WorkRequest.id, WorkRequest.partner_id, Partnership.short_name, WorkRequest.kind, WorkRequest.title,
            WorkRequest.process_key, WorkRequest.pack, WorkRequest.need_min, WorkRequest.part_count,
            WorkRequest.first_week, WorkRequest.last_week, WorkRequest.reply_by, WorkRequest.state,
            is_linked(FIRM), _proposed(), _fits(), sa.func.coalesce(Receipt.answer, ""), _unread(),
        )
        .join(
            Partnership,
            (Partnership.firm_id == WorkRequest.firm_id) & (Partnership.partner_id == WorkRequest.partner_id),
        )
        .outerjoin(Receipt, (Receipt.firm_id == WorkRequest.firm_id) & (Receipt.request_id == WorkRequest.id))
        .where(WorkRequest.firm_id == FIRM, WorkRequest.side == "theirs", WorkRequest.reply_by > sa.bindparam("since"))
        .order_by(WorkRequest.reply_by, WorkRequest.id)
        .limit(200)
    )  # fmt: skip


def waiting_count(session: Session, firm_id: str, now: dt.datetime) -> int:
    """How many fitting requests wait for our answer: the number on the tab."""
    return session.scalar(_waiting_statement(), {"firm_id": firm_id, "now": now}) or 0


@cache
def _waiting_statement() -> sa.Select[int]:
    is_waiting = sa.or_(Receipt.answer == "", Receipt.answer.is_(None))
    return (
        sa.select(sa.func.count())
        .select_from(WorkRequest)
        .join(
            Partnership,
            (Partnership.firm_id == WorkRequest.firm_id) & (Partnership.partner_id == WorkRequest.partner_id),
        )
        .outerjoin(Receipt, (Receipt.firm_id == WorkRequest.firm_id) & (Receipt.request_id == WorkRequest.id))
        .where(WorkRequest.firm_id == FIRM, WorkRequest.side == "theirs", WorkRequest.state.in_(ANSWERABLE))
        .where(is_linked(FIRM))
        .where(WorkRequest.reply_by > sa.bindparam("now"), is_waiting, _fits())
    )


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
        allow_part=request.allow_part,
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
    lines = _lines_of_all(session, firm_id, [offer.id for offer in offers])
    return [OfferView(offer, tuple(line for line in lines if line.offer_id == offer.id)) for offer in offers]


def lines_of(session: Session, firm_id: str, offer_id: str) -> tuple[OfferLine, ...]:
    """The lines of one offer, the earliest week first."""
    return tuple(_lines_of_all(session, firm_id, [offer_id]))


def _lines_of_all(session: Session, firm_id: str, offer_ids: Collection[str]) -> Sequence[OfferLine]:
    return session.scalars(
        sa.select(OfferLine)
        .where(OfferLine.firm_id == firm_id, OfferLine.offer_id.in_(offer_ids))
        .order_by(OfferLine.week, OfferLine.machine_name, OfferLine.id)
    ).all()


def set_up_rate_of(line: OfferLine) -> int:
    """Cents per hour of set-up: its own rate, else that of the other hours."""
    own = line.set_up_rate_cents_per_hour
    return line.rate_cents_per_hour if own is None else own


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


def _proposed() -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.coalesce(sa.func.sum(MatchProposal.minutes), 0))
        .where(MatchProposal.firm_id == FIRM, MatchProposal.request_id == WorkRequest.id)
        .correlate(WorkRequest)
        .scalar_subquery()
    )


def _fits() -> sa.Exists:
    return (
        sa.exists()
        .where(MatchVerdict.firm_id == FIRM, MatchVerdict.request_id == WorkRequest.id, MatchVerdict.answer != "no")
        .correlate(WorkRequest)
    )


def _unread() -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.count())
        .select_from(Question)
        .where(Question.firm_id == FIRM, Question.request_id == WorkRequest.id)
        .where(Question.is_ours.is_(False), Question.seen_at.is_(None))
        .correlate(WorkRequest)
        .scalar_subquery()
    )
