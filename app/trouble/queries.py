"""Disruptions of the acting firm, the hours they cost, and who may help."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import agreements_of_request
from app.agreements.rules import OVER
from app.bookings.models import Booking
from app.core.errors import NotFound
from app.hours.queries import done_min
from app.hours.rules import WORKABLE
from app.partners.models import Partnership
from app.plans.actions import PLANNABLE
from app.plans.models import Plan
from app.plans.queries import LineOfPlan, coverage_of, lines_of_plan, offers_key, plan_input_of, plans_of
from app.requests.models import WorkRequest
from app.requests.queries import askable_partners, chosen_ids, request_for
from app.requests.rules import RequestKind
from app.trouble.models import (
    Acceptance,
    Defect,
    Disruption,
    DisruptionLine,
    Provision,
    ProvisionStep,
    TroublePhoto,
)
from app.trouble.rules import PROVIDERS, open_min


@dataclass(frozen=True)
class LostHours:
    """What a disruption costs of one booking. `left_min` of it was not given back yet."""

    booking_id: str
    agreement_id: str
    line_no: int
    request_id: str
    title: str
    week: str
    agreed_min: int
    lost_min: int
    left_min: int


@dataclass(frozen=True)
class OpenBooking:
    """A booking of a machine, with what of it is still to be worked."""

    id: str
    partner_name: str
    title: str
    week: str
    agreed_min: int
    open_min: int


@dataclass(frozen=True)
class Helper:
    """A partner that may be asked; `is_in_plan`: it works on the same job already."""

    partner_id: str
    name: str
    is_in_plan: bool
    fits: bool


@dataclass(frozen=True)
class Asked:
    """What came of asking others: the plan that covers most for least, who works in it, and what was signed of it."""

    request_id: str
    state: str
    need_min: int
    offered_min: int
    plan: Plan | None
    lines: tuple[LineOfPlan, ...]
    agreement_id: str
    waits_for_us: bool


def disruption_for(session: Session, firm_id: str, disruption_id: str) -> Disruption:
    """One disruption of either side; raises NotFound."""
    found = session.get(Disruption, (firm_id, disruption_id))
    if found is None:
        raise NotFound
    return found


def open_disruptions(session: Session, firm_id: str) -> Sequence[sa.Row[Any]]:
    """What is not over, the newest first, each with its partner's name and the minutes lost."""
    lost = sa.select(sa.func.sum(DisruptionLine.lost_min)).where(
        DisruptionLine.firm_id == Disruption.firm_id, DisruptionLine.disruption_id == Disruption.id
    )
    return session.execute(
        sa.select(
            Disruption.id, Disruption.side, Disruption.machine_name, Disruption.reason, Disruption.created_at,
            Partnership.short_name.label("partner_name"), lost.scalar_subquery().label("lost_min"),
        )
        .join(
            Partnership,
            (Partnership.firm_id == Disruption.firm_id) & (Partnership.partner_id == Disruption.partner_id),
        )
        .where(Disruption.firm_id == firm_id, Disruption.ended_at.is_(None))
        .where(sa.or_(Disruption.side == "ours", Disruption.reason.not_in(PROVIDERS), _still_costs_hours()))
        .order_by(Disruption.created_at.desc(), Disruption.id)
    ).all()  # fmt: skip


def running_disruptions(session: Session, firm_id: str, machine_id: str) -> Sequence[Disruption]:
    """What is not over at one of our own machines, one per partner."""
    return session.scalars(
        sa.select(Disruption)
        .where(Disruption.firm_id == firm_id, Disruption.machine_id == machine_id, Disruption.side == "ours")
        .where(Disruption.ended_at.is_(None))
        .order_by(Disruption.partner_id)
    ).all()


def lost_hours(session: Session, disruption: Disruption) -> list[LostHours]:
    """Which hours of which weeks are lost, by week."""
    rows = session.execute(
        sa.select(
            Booking.id, Booking.agreement_id, Booking.line_no, Booking.request_id, Booking.title, Booking.week,
            Booking.agreed_min, DisruptionLine.lost_min, Booking.lost_min,
        )
        .join(Booking, (Booking.firm_id == DisruptionLine.firm_id) & (Booking.id == DisruptionLine.booking_id))
        .where(DisruptionLine.firm_id == disruption.firm_id, DisruptionLine.disruption_id == disruption.id)
        .order_by(Booking.week, Booking.agreement_id, Booking.line_no)
    )  # fmt: skip
    return [LostHours(*row[:8], left_min=min(row[7], row[8])) for row in rows]


def open_bookings(session: Session, booking: Booking) -> list[OpenBooking]:
    """What the booking's machine is still to work for partners from its week on, the booking itself first."""
    rows = session.execute(
        sa.select(Booking, Partnership.short_name)
        .join(Partnership, (Partnership.firm_id == Booking.firm_id) & (Partnership.partner_id == Booking.partner_id))
        .where(Booking.firm_id == booking.firm_id, Booking.machine_id == booking.machine_id, Booking.side == "ours")
        .where(Booking.week >= booking.week, Booking.state.in_(WORKABLE))
        .order_by(Booking.week, Booking.id != booking.id, Booking.id)
    )
    found = [
        OpenBooking(
            one.id, name, one.title, one.week, one.agreed_min,
            open_min(one.agreed_min, done_min(session, one.firm_id, one.id)),
        )
        for one, name in rows
    ]  # fmt: skip
    return [one for one in found if one.open_min]


def helpers_for(session: Session, disruption: Disruption, request_id: str) -> list[Helper]:
    """The other partners of the plan, and those whose machines fit as far as they told us; none of them: everybody."""
    work = request_for(session, disruption.firm_id, request_id)
    in_plan = set(
        session.scalars(
            sa.select(Agreement.partner_id).where(
                Agreement.firm_id == work.firm_id, Agreement.request_id == work.id, Agreement.state == "in_force"
            )
        )
    )
    found = [
        Helper(one.partner_id, one.name, one.partner_id in in_plan, _fits(one, work.process_key))
        for one in askable_partners(session, work.firm_id, RequestKind.HOURS)
        if one.partner_id != disruption.partner_id
    ]
    fitting = [one for one in found if one.is_in_plan or one.fits] or found
    return sorted(fitting, key=lambda one: (not one.is_in_plan, one.name))


def others_for(session: Session, disruption: Disruption, work: WorkRequest) -> list[Helper]:
    """Who else may help where some were asked already; nobody once that is over."""
    if work.state not in ("open", "quoted"):
        return []
    asked = set(chosen_ids(session, work.firm_id, work.id))
    return [one for one in helpers_for(session, disruption, work.id) if one.partner_id not in asked]


def was_help_asked(session: Session, firm_id: str, agreement_ids: Collection[str]) -> bool:
    """Say whether anybody was ever asked for lost hours of one of these agreements."""
    asked = sa.select(WorkRequest.disruption_id).where(WorkRequest.firm_id == firm_id)
    lines = sa.exists().where(
        DisruptionLine.firm_id == firm_id, DisruptionLine.agreement_id.in_(agreement_ids),
        DisruptionLine.disruption_id.in_(asked.where(WorkRequest.disruption_id.is_not(None))),
    )  # fmt: skip
    return bool(session.scalar(sa.select(lines)))


def help_requests(session: Session, disruption: Disruption) -> Sequence[WorkRequest]:
    """What we asked partners because of this disruption, and did not take back."""
    return session.scalars(
        sa.select(WorkRequest)
        .where(WorkRequest.firm_id == disruption.firm_id, WorkRequest.disruption_id == disruption.id)
        .where(WorkRequest.state.not_in(("draft", "cancelled", "expired")))
        .order_by(WorkRequest.id)
    ).all()


def asked_of(session: Session, work: WorkRequest) -> Asked:
    """How far a request for lost hours is."""
    key = offers_key(plan_input_of(session, work.firm_id, work))
    plans = sorted(plans_of(session, work.firm_id, work.id, key), key=lambda one: (-one.covered_min, one.cost_cents))
    plan = plans[0] if plans and work.state in PLANNABLE else None
    lines = tuple(lines_of_plan(session, work.firm_id, plan.id)) if plan else ()
    drafts = [one for one in agreements_of_request(session, work.firm_id, work.id) if one.state not in OVER]
    waiting = [one for one in drafts if one.state == "frozen"]
    return Asked(
        request_id=work.id,
        state=work.state,
        need_min=work.need_min,
        offered_min=coverage_of(session, work.firm_id, work).offered_min,
        plan=plan,
        lines=lines,
        agreement_id=next((one.id for one in (*waiting, *drafts)), ""),
        waits_for_us=bool(waiting),
    )


def _still_costs_hours() -> sa.ColumnElement[bool]:
    """Of a partner's disruption: we have not given all of its hours back."""
    return sa.exists().where(
        DisruptionLine.firm_id == Disruption.firm_id, DisruptionLine.disruption_id == Disruption.id,
        Booking.firm_id == DisruptionLine.firm_id, Booking.id == DisruptionLine.booking_id, Booking.lost_min > 0,
    )  # fmt: skip


def _fits(partner: Partnership, process_key: str | None) -> bool:
    """Nothing told counts as fitting: better one question too many than a helper left out."""
    told = partner.profile.get("processes")
    return not told or process_key is None or any(one.get("key") == process_key for one in told)


def defect_for(session: Session, firm_id: str, defect_id: str) -> Defect:
    """One defect of either side; raises NotFound."""
    found = session.get(Defect, (firm_id, defect_id))
    if found is None:
        raise NotFound
    return found


def defects_of(session: Session, firm_id: str, booking_id: str) -> Sequence[Defect]:
    """What was wrong with a booking's parts, the newest first."""
    return session.scalars(
        sa.select(Defect)
        .where(Defect.firm_id == firm_id, Defect.booking_id == booking_id)
        .order_by(Defect.reported_at.desc(), Defect.id)
    ).all()


def open_defects(session: Session, firm_id: str, booking_id: str = "") -> Sequence[Defect]:
    """What is not settled, of one booking or of all."""
    query = sa.select(Defect).where(Defect.firm_id == firm_id, Defect.state != "settled")
    if booking_id:
        query = query.where(Defect.booking_id == booking_id)
    return session.scalars(query.order_by(Defect.reported_at, Defect.id)).all()


def acceptance_of(session: Session, firm_id: str, booking_id: str) -> Acceptance | None:
    """That a booking's work was taken."""
    return session.scalar(
        sa.select(Acceptance).where(Acceptance.firm_id == firm_id, Acceptance.booking_id == booking_id)
    )


def provision_for(session: Session, firm_id: str, provision_id: str) -> Provision:
    """One thing that was brought, of either side; raises NotFound."""
    found = session.get(Provision, (firm_id, provision_id))
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True)
class Brought:
    """One thing that was brought, with its steps, the newest first, and their photos."""

    provision: Provision
    steps: tuple[tuple[ProvisionStep, tuple[TroublePhoto, ...]], ...]


def provisions_of(session: Session, firm_id: str, agreement_id: str) -> list[Brought]:
    """What was brought for an agreement, the newest first."""
    found = session.scalars(
        sa.select(Provision)
        .where(Provision.firm_id == firm_id, Provision.agreement_id == agreement_id)
        .order_by(Provision.created_at.desc(), Provision.id)
    ).all()
    return [Brought(one, _steps_of(session, one)) for one in found]


def _steps_of(session: Session, provision: Provision) -> tuple[tuple[ProvisionStep, tuple[TroublePhoto, ...]], ...]:
    steps = session.scalars(
        sa.select(ProvisionStep)
        .where(ProvisionStep.firm_id == provision.firm_id, ProvisionStep.provision_id == provision.id)
        .order_by(ProvisionStep.created_at.desc(), ProvisionStep.id.desc())
    )
    return tuple((step, tuple(photos_of(session, provision.firm_id, step.id))) for step in steps)


def photos_of(session: Session, firm_id: str, subject_id: str) -> Sequence[TroublePhoto]:
    """Photos of a defect or of a step, the oldest first."""
    return session.scalars(
        sa.select(TroublePhoto)
        .where(TroublePhoto.firm_id == firm_id, TroublePhoto.subject_id == subject_id)
        .order_by(TroublePhoto.created_at, TroublePhoto.id)
    ).all()
