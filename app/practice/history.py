"""What the firms did with each other before the story: partnerships and finished orders, by the deeds of the rooms."""

import datetime as dt

import sqlalchemy as sa

from app.agreements.actions import draft_agreements
from app.agreements.models import Agreement
from app.capacity.actions import offer_hours
from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.holidays import holidays_near
from app.core.units import BERLIN, weeks
from app.firms.access import Role
from app.machines.models import Capability, Machine
from app.matching.queries import judge_request
from app.offers.actions import answer_yes
from app.partners.actions import invite_partner, propose_partnership
from app.partners.queries import invitation_token, partnership_with
from app.plans.actions import choose_plan
from app.plans.models import Plan
from app.practice.data_files import rows
from app.practice.loading import DemoFirm
from app.practice.people import acting
from app.practice.signing import approve_document
from app.practice.working import play_work
from app.push.models import Alert
from app.requests.actions import Details, publish_request, save_details, start_draft
from app.requests.drafts import RequirementDraft
from app.requests.queries import partner_request
from app.requests.rules import RequestKind, ShortageReason, default_reply_by

STORY_BEGINS = dt.date(2026, 11, 16)
LINKED_AT = dt.datetime(2026, 4, 13, 9, 0, tzinfo=BERLIN)


def link_partners(database: Database, config: Config, firms: dict[str, DemoFirm]) -> None:
    """Every pair of the file becomes partners: invited, proposed, signed by both managers."""
    with clock.frozen(LINKED_AT):
        for row in rows("partnerships"):
            link_firms(database, config, firms[row["von"]], firms[row["mit"]])


def link_firms(database: Database, config: Config, inviting: DemoFirm, invited: DemoFirm) -> None:
    """One partnership from the QR to the second signature."""
    with database.write() as session:
        token = invitation_token(session, inviting.id, invite_partner(session, inviting.manager))
    with database.write() as session:
        propose_partnership(session, invited.manager, token)
    for one, other in ((inviting, invited), (invited, inviting)):
        with database.read() as session:
            framework_id = partnership_with(session, one.id, other.id).framework_id
        approve_document(database, config, one.manager, "framework", framework_id or "")


def play_history(database: Database, config: Config, firms: dict[str, DemoFirm]) -> None:
    """The finished orders of the file, each asked, answered, planned, signed and booked on its own day."""
    for row in rows("history"):
        asked_at = dt.datetime.fromisoformat(row["gefragt_am"]).replace(tzinfo=BERLIN)
        asking, helping = firms[row["von"]], firms[row["mit"]]
        with clock.frozen(asked_at):
            agreement_ids = play_order(database, config, asking, helping, row)
        play_work(database, asking, helping, agreement_ids, STORY_BEGINS, row["stand"])


def play_order(
    database: Database, config: Config, asking: DemoFirm, helping: DemoFirm, row: dict[str, str]
) -> list[str]:
    """One order from the free hours to the bookings on both sides; returns its agreements."""
    _offer_machine(database, helping, row)
    _tell_own_hours(database, asking, row)
    request_id = _ask(database, asking, helping, row)
    with database.write() as session:
        foreman = acting(session, helping.id, Role.FOREMAN)
        judge_request(session, helping.id, partner_request(session, helping.id, request_id))
        answer_yes(session, helping.id, foreman.person_id, request_id)
    return sign_plan(database, config, asking, helping, request_id)


def sign_plan(database: Database, config: Config, asking: DemoFirm, helping: DemoFirm, request_id: str) -> list[str]:
    """Choose the cheapest plan and sign its agreements on both sides; returns them."""
    with database.write() as session:
        plan = session.scalars(
            sa.select(Plan).where(Plan.firm_id == asking.id, Plan.request_id == request_id).order_by(Plan.cost_cents)
        ).first()
        assert plan is not None
        choose_plan(session, asking.manager, plan.id, accepts_part=True)
        agreement_ids = draft_agreements(session, asking.manager, plan.id)
    for agreement_id in agreement_ids:
        approve_document(database, config, asking.manager, "agreement", agreement_id)
        approve_document(database, config, helping.manager, "agreement", agreement_id)
    with database.read() as session:
        states = set(session.scalars(sa.select(Agreement.state).where(Agreement.id.in_(agreement_ids))))
    assert states == {"in_force"}, f"history: agreements are {states}"
    return agreement_ids


def forget_messages(database: Database) -> None:
    """Nobody's phone shows anything when the story begins."""
    with database.write() as session:
        session.execute(sa.update(Alert).values(seen_at=clock.now(), sent_at=clock.now()))


def _offer_machine(database: Database, helping: DemoFirm, row: dict[str, str]) -> None:
    with database.write() as session:
        foreman = acting(session, helping.id, Role.FOREMAN)
        machine_id = session.scalars(
            sa.select(Machine.id).where(Machine.firm_id == helping.id, Machine.number == row["maschine"])
        ).one()
        for week in weeks(row["von_woche"], row["bis_woche"]):
            offer_hours(session, foreman, machine_id, week, int(row["je_woche_h"]) * 60)


def _tell_own_hours(database: Database, asking: DemoFirm, row: dict[str, str]) -> None:
    """Two hours a week are free on each own machine that could do it: too few, and everybody knows."""
    with database.write() as session:
        foreman = acting(session, asking.id, Role.FOREMAN)
        machine_ids = session.scalars(
            sa.select(Capability.machine_id)
            .where(Capability.firm_id == asking.id, Capability.process_key == row["verfahren"])
            .order_by(Capability.machine_id)
        ).all()
        for machine_id in machine_ids:
            for week in weeks(row["von_woche"], row["bis_woche"]):
                offer_hours(session, foreman, machine_id, week, 120)


def _ask(database: Database, asking: DemoFirm, helping: DemoFirm, row: dict[str, str]) -> str:
    need = RequirementDraft(
        process_key=row["verfahren"],
        need_min=int(row["stunden"]) * 60,
        first_week=row["von_woche"],
        last_week=row["bis_woche"],
        material=row["werkstoff"],
        part_count=int(row["stueck"]),
    )
    told = Details(
        title=row["teil"],
        shortage_reason=ShortageReason(row["grund"]),
        reply_by=default_reply_by(clock.now(), holidays_near(clock.today())),
        partner_ids=(helping.id,),
        contact_name=asking.manager.name,
        contact_phone="03677 0000",
    )
    with database.write() as session:
        request_id = start_draft(session, asking.manager, RequestKind.HOURS, need)
        save_details(session, asking.manager, request_id, need, told)
        publish_request(session, asking.manager, request_id)
    return request_id
