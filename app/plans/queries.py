"""Live coverage and plans of the acting firm's own requests: built on sealed offers, never shown to a partner."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.offers.models import Offer, OfferLine
from app.offers.queries import OfferView, received_offers, set_up_rate_of
from app.partners.models import Partnership
from app.plans.models import Plan, PlanLine
from app.plans.rules import OfferedLine, PartnerTerms, PlanInput, cost_of
from app.requests.limits import GRACE
from app.requests.models import WorkRequest
from app.requests.queries import chosen_ids
from app.requests.rules import missing_of

AGREED = ("contracted", "running", "completed")
"""What counts then is what was agreed, not what was offered."""


@dataclass(frozen=True)
class OfferRow:
    """One offer in the coverage: who, how much, when; the price stands on the plans."""

    offer_id: str
    partner_id: str
    partner_name: str
    minutes: int
    first_week: str
    last_week: str
    valid_until: dt.datetime
    state: str


@dataclass(frozen=True)
class Coverage:
    """How much of a request's need is offered now. Minutes."""

    need_min: int
    offered_min: int
    offers: tuple[OfferRow, ...]

    @property
    def missing_min(self) -> int:
        return max(0, self.need_min - self.offered_min)


@dataclass(frozen=True)
class LineOfPlan:
    """One planned piece of work as people read it."""

    partner_id: str
    partner_name: str
    offer_id: str
    offer_line_id: str
    machine_id: str
    machine_name: str
    week: str
    minutes: int
    rate_cents_per_hour: int
    set_up_min: int
    min_block_min: int
    set_up_rate_cents_per_hour: int
    programming_rate_cents_per_hour: int
    night_surcharge_permille: int
    sunday_surcharge_permille: int
    transport_cents: int


def coverage_of(session: Session, firm_id: str, request: WorkRequest) -> Coverage:
    """The offers that count now, the largest first."""
    views = received_offers(session, firm_id, request.id)
    names = partner_names(session, firm_id)
    rows = sorted(
        (_offer_row(view, names) for view in views if view.lines), key=lambda row: (-row.minutes, row.partner_name)
    )
    largest = max((row.minutes for row in rows), default=0)
    if request.kind == "hours" and request.state in AGREED:
        return Coverage(request.need_min, request.agreed_min, tuple(rows))
    is_split = request.kind == "hours" and request.allow_part
    need = request.need_min if request.kind == "hours" else largest
    offered = request.agreed_min + sum(row.minutes for row in rows if row.state != "accepted")
    return Coverage(need, offered if is_split else largest, tuple(rows))


def _offer_row(view: OfferView, names: dict[str, str]) -> OfferRow:
    return OfferRow(
        view.offer.id,
        view.offer.partner_id,
        names.get(view.offer.partner_id, ""),
        view.total_min,
        view.lines[0].week,
        view.lines[-1].week,
        view.offer.valid_until,
        view.offer.state,
    )


def silent_partners(session: Session, firm_id: str, request: WorkRequest, now: dt.datetime) -> set[str]:
    """Ids of asked partners from whom nothing came by the deadline; a no, a misfit and silence look the same."""
    if request.reply_by is None or now <= request.reply_by + GRACE or request.unchosen_erased_at is not None:
        return set()
    offered = sa.select(Offer.partner_id).where(Offer.firm_id == firm_id, Offer.request_id == request.id)
    return set(chosen_ids(session, firm_id, request.id)) - set(session.scalars(offered))


def partner_names(session: Session, firm_id: str) -> dict[str, str]:
    rows = session.execute(sa.select(Partnership.partner_id, Partnership.name).where(Partnership.firm_id == firm_id))
    return {row.partner_id: row.name for row in rows}


def plan_input_of(session: Session, firm_id: str, request: WorkRequest) -> PlanInput:
    """The sealed offers that a plan may be built from, submitted ones only, for the hours that are not agreed yet."""
    all_views = received_offers(session, firm_id, request.id)
    views = [view for view in all_views if view.offer.state == "submitted"]
    lines = tuple(_offered_line(view.offer, line) for view in views for line in view.lines)
    terms = tuple(PartnerTerms(view.offer.partner_id, view.offer.transport_cents) for view in views)
    is_whole = request.kind == "know_how" or not request.allow_part
    if is_whole:
        return PlanInput(0, lines, terms, is_whole)
    most = _partners_left(request, len({view.offer.partner_id for view in all_views if view not in views}))
    return PlanInput(missing_of(request.need_min, request.agreed_min), lines, terms, max_partners=most)


def _partners_left(request: WorkRequest, taken: int) -> int | None:
    """Of the partners that a plan may take, those that already have an agreement count."""
    return None if request.max_partners is None else max(0, request.max_partners - taken)


def offers_key(plan_input: PlanInput) -> str:
    """SHA-256 over everything a plan depends on: same offers, same plan."""
    return hashlib.sha256(
        repr(
            (plan_input.need_min, sorted(map(repr, plan_input.lines)), plan_input.terms, plan_input.max_partners)
        ).encode()
    ).hexdigest()


def _offered_line(offer: Offer, line: OfferLine) -> OfferedLine:
    return OfferedLine(
        line.id, offer.id, offer.partner_id, line.machine_id, line.week, line.offered_min, line.rate_cents_per_hour,
        line.set_up_min, line.min_block_min, set_up_rate_of(line),
    )  # fmt: skip


def plan_for(session: Session, firm_id: str, plan_id: str) -> Plan:
    """One plan of this firm; raises NotFound."""
    plan = session.get(Plan, (firm_id, plan_id))
    if plan is None:
        raise NotFound
    return plan


def plans_of(session: Session, firm_id: str, request_id: str, key: str) -> Sequence[Plan]:
    """The stored plans that were built from exactly these offers, the cheapest first."""
    return session.scalars(
        sa.select(Plan)
        .where(Plan.firm_id == firm_id, Plan.request_id == request_id, Plan.offers_key == key)
        .order_by(Plan.cost_cents, Plan.last_week, Plan.id)
    ).all()


def chosen_plan(session: Session, firm_id: str, request_id: str) -> Plan | None:
    return session.scalar(
        sa.select(Plan)
        .where(Plan.firm_id == firm_id, Plan.request_id == request_id, Plan.chosen_at.is_not(None))
        .order_by(Plan.chosen_at.desc(), Plan.id.desc())
        .limit(1)
    )


def cost_of_lines(lines: Sequence[LineOfPlan]) -> int:
    """What these lines cost with set-up and transport, as the plan and the agreement reckon it; in cents."""
    chosen = [(as_offered(line), line.minutes) for line in lines]
    terms = {line.offer_id: PartnerTerms(line.partner_id, line.transport_cents) for line in lines}
    return cost_of(chosen, terms.values())


def as_offered(line: LineOfPlan) -> OfferedLine:
    """A planned piece as the rules know it."""
    return OfferedLine(
        line.offer_line_id, line.offer_id, line.partner_id, line.machine_id, line.week, line.minutes,
        line.rate_cents_per_hour, line.set_up_min, line.min_block_min, line.set_up_rate_cents_per_hour,
    )  # fmt: skip


def lines_of_plan(session: Session, firm_id: str, plan_id: str) -> list[LineOfPlan]:
    """Who does what in which week, by partner and week."""
    rows = session.execute(
        sa.select(
            PlanLine.partner_id, Partnership.name.label("partner_name"), OfferLine.offer_id,
            OfferLine.id.label("offer_line_id"), OfferLine.machine_id,
            OfferLine.machine_name, OfferLine.week, PlanLine.minutes, OfferLine.rate_cents_per_hour, OfferLine.set_up_min,
            OfferLine.min_block_min,
            sa.func.coalesce(OfferLine.set_up_rate_cents_per_hour, OfferLine.rate_cents_per_hour).label(
                "set_up_rate_cents_per_hour"
            ),
            OfferLine.programming_rate_cents_per_hour, OfferLine.night_surcharge_permille,
            OfferLine.sunday_surcharge_permille, Offer.transport_cents,
        )
        .join(OfferLine, (OfferLine.firm_id == PlanLine.firm_id) & (OfferLine.id == PlanLine.offer_line_id))
        .join(Offer, (Offer.firm_id == OfferLine.firm_id) & (Offer.id == OfferLine.offer_id))
        .join(
            Partnership, (Partnership.firm_id == PlanLine.firm_id) & (Partnership.partner_id == PlanLine.partner_id)
        )
        .where(PlanLine.firm_id == firm_id, PlanLine.plan_id == plan_id)
        .order_by(Partnership.name, PlanLine.partner_id, OfferLine.week, OfferLine.machine_name, OfferLine.id)
    )  # fmt: skip
    return [LineOfPlan(**row._mapping) for row in rows]
