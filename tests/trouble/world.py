"""Yilmaz works for Keller and its machine stands on the Tuesday of the first week; Brandt and Nowak could help."""

from collections.abc import Mapping

import sqlalchemy as sa

from app.agreements.actions import approve_amendment, signable_amendment
from app.agreements.models import Amendment
from app.bookings.models import Booking
from app.firms.access import Role
from app.hours.actions import check_reports
from app.offers.actions import answer_yes
from app.plans.actions import solve_plans
from app.plans.models import Plan
from app.requests.models import WorkRequest
from app.trouble.actions import DisruptionDraft, ask_for_help, give_back_lost, report_disruption
from app.trouble.models import Disruption
from app.worker import run_until_quiet
from tests.agreements.world import approval
from tests.hours.world import Work


def stop(work: Work, minutes: Mapping[str, int] | None = None, reason: str = "machine", **more: str) -> str:
    """Yilmaz's worker says that the machine stands; returns the disruption's id. `minutes` by week, else all of KW 49."""
    ids = bookings(work, "yilmaz")
    lost = {ids[week].id: value for week, value in (minutes or {"2026-W49": 600}).items()}
    with work.database.write() as session:
        draft = DisruptionDraft(reason, minutes=lost, **more)  # type: ignore[arg-type]
        (found,) = report_disruption(session, work.person("yilmaz"), work.booking_ids["yilmaz"], draft)
        found_id = found.id
    run_until_quiet(work.database)
    return found_id


def any_shop_can(work: Work) -> None:
    """Keller's job needs no certificate."""
    with work.database.write() as session:
        session.execute(sa.update(WorkRequest).values(certificates=[]))


def get_help(work: Work, disruption_id: str) -> str:
    """Keller's foreman asks; returns the request's id."""
    with work.database.write() as session:
        (request_id,) = ask_for_help(session, work.person("keller", Role.FOREMAN), disruption_id)
    run_until_quiet(work.database)
    return request_id


def asked_for(work: Work, disruption_id: str) -> list[WorkRequest]:
    """What Keller's house asked because of this disruption."""
    with work.database.read() as session:
        mine = WorkRequest.firm_id == work.deal.firms["keller"].id, WorkRequest.disruption_id == disruption_id
        found = list(session.scalars(sa.select(WorkRequest).where(*mine)))
        session.expunge_all()
    return found


def who_got(work: Work, request_id: str) -> set[str]:
    """The partners in whose houses a request of Keller's is."""
    with work.database.read() as session:
        rows = sa.select(WorkRequest.firm_id).where(WorkRequest.id == request_id, WorkRequest.side == "theirs")
        ids = set(session.scalars(rows))
    return {key for key, firm in work.deal.firms.items() if firm.id in ids}


def answer(work: Work, key: str, request_id: str) -> None:
    """The foreman of that firm says yes to what was shown."""
    firm = work.deal.firms[key]
    with work.database.write() as session:
        answer_yes(session, firm.id, firm.people[Role.FOREMAN], request_id)
    run_until_quiet(work.database)


def plan_of(work: Work, request_id: str) -> str:
    solve_plans(work.database, work.deal.firms["keller"].id, request_id)
    with work.database.read() as session:
        return session.scalars(sa.select(Plan.id).where(Plan.request_id == request_id)).first() or ""


def give_back(work: Work, disruption_id: str) -> Amendment:
    """Keller's manager gives the lost hours back and signs that."""
    manager = work.deal.actor("keller")
    with work.database.write() as session:
        amendment_id = give_back_lost(session, manager, disruption_id).id
    with work.database.read() as session:
        digest, role = signable_amendment(session, manager, amendment_id)
        signature = approval(session, work.deal, "keller", digest, role)
    with work.database.write() as session:
        amendment = approve_amendment(session, manager, amendment_id, signature)
    run_until_quiet(work.database)
    return amendment


def close_week(work: Work) -> None:
    """Yilmaz's foreman checks what was reported so far."""
    with work.database.write() as session:
        ids = [one.id for one in work.reports() if one.state in ("draft", "reported")]
        check_reports(session, work.person("yilmaz", Role.FOREMAN), ids)
    run_until_quiet(work.database)


def bookings(work: Work, key: str) -> dict[str, Booking]:
    """What one side has of Yilmaz's agreement, by week."""
    mine = Booking.firm_id == work.deal.firms[key].id, Booking.agreement_id == work.agreement_id
    with work.database.read() as session:
        found = list(session.scalars(sa.select(Booking).where(*mine)))
        session.expunge_all()
    return {one.week: one for one in found}


def disruption(work: Work, key: str, disruption_id: str) -> Disruption:
    with work.database.read() as session:
        found = session.get_one(Disruption, (work.deal.firms[key].id, disruption_id))
        session.expunge(found)
    return found
