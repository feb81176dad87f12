"""What working together brings and what hangs on whom: from our own agreements in force, of one period."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.core.units import BERLIN
from app.firms.access import Actor
from app.insights.rules import TOO_MUCH_PERMILLE, Period, needed_help, permille_of
from app.offers.models import Offer
from app.packs.queries import load_pack
from app.partners.models import Partnership
from app.partners.queries import partners_in, shown_partnership
from app.requests.models import WorkRequest


@dataclass(frozen=True, slots=True)
class Order:
    """One order of ours that partners worked on; our own free minutes would not have been enough."""

    request_id: str
    title: str
    need_min: int
    own_free_min: int
    partner_min: int


@dataclass(frozen=True, slots=True)
class PartnerShare:
    """One partner's part of the hours that went one way, and their price."""

    partner_id: str
    partner_name: str
    minutes: int
    cents: int
    permille: int

    @property
    def is_too_much(self) -> bool:
        return self.permille > TOO_MUCH_PERMILLE


@dataclass(frozen=True, slots=True)
class Stand:
    """One partner that could do a process too: it says so, or it has offered it before."""

    partner_id: str
    partner_name: str
    town: str
    has_offered: bool


@dataclass(frozen=True, slots=True)
class PlanB:
    """Who else could do what a partner does for us."""

    process: str
    others: tuple[Stand, ...]


def orders_won(session: Session, actor: Actor, period: Period) -> list[Order]:
    """Orders with partners' hours that our own free time was too short for, the newest first."""
    partner_min, latest = sa.func.sum(Agreement.minutes), sa.func.max(Agreement.in_force_at)
    rows = session.execute(
        sa.select(
            WorkRequest.id, WorkRequest.title, WorkRequest.need_min, WorkRequest.own_free_min, partner_min.label("partner_min")
        )
        .join(Agreement, (Agreement.firm_id == WorkRequest.firm_id) & (Agreement.request_id == WorkRequest.id))
        .where(*_in_force(actor.firm_id, "ours", period))
        .group_by(WorkRequest.id, WorkRequest.title, WorkRequest.need_min, WorkRequest.own_free_min)
        .order_by(latest.desc(), WorkRequest.id)
    )  # fmt: skip
    return [
        Order(row.id, row.title, row.need_min, row.own_free_min, int(row.partner_min))
        for row in rows
        if needed_help(row.need_min, row.own_free_min)
    ]


def shares(session: Session, actor: Actor, side: str, period: Period) -> list[PartnerShare]:
    """Hours by partner, most first. `side` ours: they work for us; theirs: we work for them."""
    minutes, cents = sa.func.sum(Agreement.minutes), sa.func.sum(Agreement.total_cents)
    rows = session.execute(
        sa.select(Agreement.partner_id, Partnership.name, minutes, cents)
        .join(
            Partnership, (Partnership.firm_id == Agreement.firm_id) & (Partnership.partner_id == Agreement.partner_id)
        )
        .where(*_in_force(actor.firm_id, side, period))
        .group_by(Agreement.partner_id, Partnership.name)
        .order_by(minutes.desc(), Partnership.name)
    ).all()
    all_min = sum(int(row[2]) for row in rows)
    return [PartnerShare(row[0], row[1], int(row[2]), int(row[3]), permille_of(int(row[2]), all_min)) for row in rows]


def plan_b(session: Session, actor: Actor, partner_id: str, period: Period, language: str) -> tuple[str, list[PlanB]]:
    """The partner's name, and for each process that it did for us who else could; raises NotFound for a stranger."""
    partner = shown_partnership(session, actor.firm_id, partner_id)
    others = [one for one in partners_in(session, actor.firm_id, ("active",)) if one.partner_id != partner_id]
    found = []
    for pack_key, process_key in _processes(session, actor.firm_id, partner_id, period):
        offered = _offered(session, actor.firm_id, process_key)
        found.append(PlanB(_word_for(pack_key, process_key, language), _stands(others, process_key, offered)))
    return partner.name, found


def _word_for(pack_key: str, process_key: str, language: str) -> str:
    process = load_pack(pack_key).processes.get(process_key)
    return process.label(language) if process else process_key


def _stands(others: Sequence[Partnership], process_key: str, offered: set[str]) -> tuple[Stand, ...]:
    return tuple(
        Stand(one.partner_id, one.name, one.town, one.partner_id in offered)
        for one in others
        if one.partner_id in offered or process_key in {told.get("key") for told in one.profile.get("processes", ())}
    )


def _processes(session: Session, firm_id: str, partner_id: str, period: Period) -> Sequence[tuple[str, str]]:
    rows = session.execute(
        sa.select(WorkRequest.pack, WorkRequest.process_key)
        .join(Agreement, (Agreement.firm_id == WorkRequest.firm_id) & (Agreement.request_id == WorkRequest.id))
        .where(*_in_force(firm_id, "ours", period), Agreement.partner_id == partner_id)
        .where(WorkRequest.process_key.is_not(None))
        .distinct()
        .order_by(WorkRequest.process_key)
    )
    return [(pack, key) for pack, key in rows if key]


def _offered(session: Session, firm_id: str, process_key: str) -> set[str]:
    """Partners that have ever offered us hours for a process."""
    return set(
        session.scalars(
            sa.select(Offer.partner_id)
            .join(WorkRequest, (WorkRequest.firm_id == Offer.firm_id) & (WorkRequest.id == Offer.request_id))
            .where(Offer.firm_id == firm_id, Offer.side == "theirs", WorkRequest.process_key == process_key)
            .distinct()
        )
    )


def _in_force(firm_id: str, side: str, period: Period) -> tuple[sa.ColumnElement[bool], ...]:
    """Agreements that came into force in the period and were not cancelled as a whole."""
    return (
        Agreement.firm_id == firm_id,
        Agreement.side == side,
        Agreement.state.in_(("in_force", "fulfilled")),
        Agreement.in_force_at >= _midnight(period.first),
        Agreement.in_force_at < _midnight(period.last + dt.timedelta(days=1)),
    )


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), BERLIN)
