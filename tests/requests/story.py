"""The 500-hour story at the level of actions: Keller asks, the partners' houses answer."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.holidays import holidays_near
from app.federation.models import Message
from app.firms.access import Actor, Role
from app.offers.models import Offer
from app.push.models import Alert
from app.requests.actions import Details, publish_request, save_details, start_draft
from app.requests.drafts import RequirementDraft
from app.requests.models import WorkRequest
from app.requests.rules import RequestKind, ShortageReason, default_reply_by
from app.worker import run_until_quiet
from tests.remembered import done_once
from tests.world import FIRST_WEEK, LAST_WEEK, TestFirm, make_world

Row = TypeVar("Row")
NEED = RequirementDraft(
    process_key="milling_5x",
    need_min=500 * 60,
    first_week=FIRST_WEEK,
    last_week=LAST_WEEK,
    material="1.7225",
    needed_it=7,
    needed_ra_nm=1600,
)
KNOW_HOW = RequirementDraft(process_key=None, first_week="2026-W48", last_week="2026-W52", part_count=20)


def people_of_the_story(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session)


def ask(
    database: Database,
    world: dict[str, TestFirm],
    need: RequirementDraft = NEED,
    partners: tuple[str, ...] = ("yilmaz", "brandt", "nowak", "lindner", "vogt"),
    kind: RequestKind = RequestKind.HOURS,
    **told: object,
) -> str:
    """Keller's manager writes a request and sends it; everything that follows is delivered."""
    keller = world["keller"].actor()
    details = Details(
        shortage_reason=ShortageReason.CAPACITY,
        reply_by=default_reply_by(clock.now(), holidays_near(clock.today())),
        partner_ids=tuple(world[key].id for key in partners),
        customer="Geheimkunde AG",
        contact_name="Petra",
        contact_phone="03677 123",
    )
    told_details = replace(details, **told)  # type: ignore[arg-type]
    return done_once(
        database, f"ask {keller} {kind} {need} {told_details}", lambda: _ask(database, keller, kind, need, told_details)
    )


def _ask(database: Database, keller: Actor, kind: RequestKind, need: RequirementDraft, details: Details) -> str:
    with database.write() as session:
        request_id = start_draft(session, keller, kind, need)
        save_details(session, keller, request_id, need, details)
        publish_request(session, keller, request_id)
    run_until_quiet(database)
    return request_id


def foreman(firm: TestFirm) -> str:
    return firm.people[Role.FOREMAN]


def request_row(database: Database, firm: TestFirm, request_id: str) -> WorkRequest | None:
    with database.read() as session:
        return kept(session, [session.get(WorkRequest, (firm.id, request_id))])[0]


def offers_of(database: Database, firm: TestFirm, request_id: str) -> list[Offer]:
    with database.read() as session:
        query = sa.select(Offer).where(Offer.firm_id == firm.id, Offer.request_id == request_id).order_by(Offer.id)
        return kept(session, session.scalars(query))


def alerts_of(database: Database, firm: TestFirm, kind: str = "") -> list[Alert]:
    with database.read() as session:
        query = sa.select(Alert).where(Alert.firm_id == firm.id).order_by(Alert.id)
        return kept(session, session.scalars(query.where(Alert.kind == kind) if kind else query))


def messages_out(database: Database, firm: TestFirm, kind: str = "") -> list[Message]:
    with database.read() as session:
        query = sa.select(Message).where(Message.firm_id == firm.id, Message.direction == "out").order_by(Message.seq)
        return kept(session, session.scalars(query.where(Message.kind == kind) if kind else query))


def kept(session: Session, rows: Iterable[Row]) -> list[Row]:
    """Rows that stay readable after their session."""
    found = list(rows)
    session.expunge_all()
    return found


def later(**span: int) -> dt.datetime:
    return clock.now() + dt.timedelta(**span)
