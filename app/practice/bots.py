"""Firms that play along: their answers and signatures are due three seconds after they were asked, at the next request.

Only firms of which nobody is a person right now answer by themselves, so that two browsers can play both sides.
"""

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import WerkringError
from app.firms.access import Role
from app.hours.actions import confirm_report
from app.hours.models import HourReport
from app.matching.queries import Judgement, judge_request
from app.offers.actions import answer_no, answer_yes, make_offer
from app.offers.rules import STEP_MIN, LineDraft
from app.practice.people import acting, firm_by_short_name, is_played
from app.practice.signing import approve_document
from app.requests.models import Receipt, WorkRequest
from app.requests.queries import ANSWERABLE, partner_request

log = structlog.get_logger()
BOTS = ("Brandt", "Nowak", "Lindner", "Vogt")
THINKS_FOR = dt.timedelta(seconds=3)
KNOW_HOW_MIN = 8 * 60


class Behaviour(StrEnum):
    """What a bot says; each round the four bots change places."""

    YES = "yes"
    PART = "part"
    NO = "no"
    LATE = "late"
    """Never answers: the deadline passes, as with people who forget"""


ROUND = tuple(Behaviour)


def play_bots(database: Database, config: Config) -> None:
    """Give every answer and signature that is due now, each in a transaction of its own."""
    for firm_id, request_id, behaviour in due_answers(database):
        _try_to_answer(database, firm_id, request_id, behaviour)
    for firm_id, agreement_id in due_signatures(database):
        _try_to_sign(database, config, firm_id, agreement_id)
    confirm_due_hours(database)


def due_answers(database: Database) -> list[tuple[str, str, Behaviour]]:
    """(firm, request, behaviour) of the requests that wait for a bot since three seconds."""
    with database.read() as session:
        places = _idle_bots(session)
        found: list[tuple[str, str, Behaviour]] = []
        for number, request_id in enumerate(_asked_so_far(session, list(places))):
            for firm_id, place in places.items():
                behaviour = ROUND[(place + number) % len(ROUND)]
                if behaviour is not Behaviour.LATE and _waits(session, firm_id, request_id):
                    found.append((firm_id, request_id, behaviour))
        return found


def due_signatures(database: Database) -> list[tuple[str, str]]:
    """(firm, agreement) of the agreements that a bot's manager has before them since three seconds."""
    with database.read() as session:
        rows = session.execute(
            sa.select(Agreement.firm_id, Agreement.id)
            .where(Agreement.firm_id.in_(list(_idle_bots(session))), Agreement.side == "theirs")
            .where(Agreement.state == "signed_one", Agreement.signed_at.is_(None))
            .where(Agreement.created_at <= clock.now() - THINKS_FOR, Agreement.expires_at > clock.now())
            .order_by(Agreement.created_at, Agreement.id)
        )
        return [(row.firm_id, row.id) for row in rows]


def confirm_due_hours(database: Database) -> None:
    """A firm that nobody plays says yes to hours that wait there since three seconds."""
    for firm_id, report_id in _due_hours(database):
        _try_to_confirm(database, firm_id, report_id)


def _due_hours(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.execute(
            sa.select(HourReport.firm_id, HourReport.id)
            .where(HourReport.side == "theirs", HourReport.state == "checked")
            .where(HourReport.arrived_at <= clock.now() - THINKS_FOR)
            .order_by(HourReport.arrived_at, HourReport.id)
        )
        return [(row.firm_id, row.id) for row in rows if not is_played(session, row.firm_id)]


def answer_as(session: Session, firm_id: str, request_id: str, behaviour: Behaviour) -> None:
    """Answer as the firm's foreman; a firm that nothing fits says nothing."""
    foreman = acting(session, firm_id, Role.FOREMAN)
    request = partner_request(session, firm_id, request_id)
    if behaviour is Behaviour.NO:
        answer_no(session, firm_id, foreman.person_id, request_id)
        return
    judgement = judge_request(session, firm_id, request)
    if request.kind == "know_how":
        lines = _estimate(judgement)
    elif behaviour is Behaviour.YES and judgement.has_rates:
        answer_yes(session, firm_id, foreman.person_id, request_id)
        return
    else:
        lines = _first_half(judgement)
    if lines:
        make_offer(session, foreman, request_id, lines)


def _try_to_answer(database: Database, firm_id: str, request_id: str, behaviour: Behaviour) -> None:
    try:
        with database.write() as session:
            answer_as(session, firm_id, request_id, behaviour)
            _note_thought(session, firm_id, request_id)
    except WerkringError:
        # withdrawn or filled up meanwhile: a bot is as unlucky as a person would be
        log.info("practice: a bot was too late", request_id=request_id)


def _try_to_sign(database: Database, config: Config, firm_id: str, agreement_id: str) -> None:
    try:
        with database.read() as session:
            manager = acting(session, firm_id, Role.MANAGER)
        approve_document(database, config, manager, "agreement", agreement_id)
    except WerkringError:
        log.info("practice: a bot could not sign", agreement_id=agreement_id)


def _try_to_confirm(database: Database, firm_id: str, report_id: str) -> None:
    try:
        with database.write() as session:
            confirm_report(session, acting(session, firm_id, Role.FOREMAN), report_id)
    except WerkringError:
        log.info("practice: a bot could not confirm", report_id=report_id)


def _idle_bots(session: Session) -> dict[str, int]:
    """Bot firms that nobody plays, each with its place among all bots."""
    firms = [firm_by_short_name(session, name).id for name in BOTS]
    return {firm_id: place for place, firm_id in enumerate(firms) if not is_played(session, firm_id)}


def _asked_so_far(session: Session, firm_ids: Sequence[str]) -> list[str]:
    """Ids of all requests that reached any of these firms, in the order of their arrival: the rounds of the game."""
    found = session.scalars(
        sa.select(WorkRequest.id)
        .where(WorkRequest.firm_id.in_(firm_ids), WorkRequest.side == "theirs")
        .group_by(WorkRequest.id)
        .order_by(sa.func.min(WorkRequest.created_at), WorkRequest.id)
    )
    return list(found)


def _waits(session: Session, firm_id: str, request_id: str) -> bool:
    now = clock.now()
    request = session.get(WorkRequest, (firm_id, request_id))
    if request is None or request.state not in ANSWERABLE or request.reply_by is None or request.reply_by <= now:
        return False
    if request.created_at > now - THINKS_FOR:
        return False
    receipt = session.scalar(
        sa.select(Receipt).where(Receipt.firm_id == request.firm_id, Receipt.request_id == request.id)
    )
    return receipt is None or (not receipt.answer and receipt.read_at is None)


def _note_thought(session: Session, firm_id: str, request_id: str) -> None:
    """A firm that said nothing has still looked: it is not asked again every second."""
    receipt = session.scalar(sa.select(Receipt).where(Receipt.firm_id == firm_id, Receipt.request_id == request_id))
    if receipt is not None and receipt.read_at is None:
        receipt.read_at = clock.now()


def _first_half(judgement: Judgement) -> list[LineDraft]:
    """About half of what a plain yes would offer, the earliest weeks first."""
    left = judgement.offered_min // 2
    lines = []
    for line in sorted(judgement.lines, key=lambda one: (one.week, one.machine_id)):
        minutes = min(line.minutes, max(left, 0) // STEP_MIN * STEP_MIN)
        if minutes:
            lines.append(LineDraft(line.machine_id, line.week, minutes, line.rate_cents_per_hour))
        left -= minutes
    return lines


def _estimate(judgement: Judgement) -> list[LineDraft]:
    """A day on the best machine that has one free; its rate comes from the card."""
    for (machine_id, week), free_min in sorted(judgement.free_min.items(), key=lambda item: item[0][1]):
        if free_min >= KNOW_HOW_MIN:
            return [LineDraft(machine_id, week, KNOW_HOW_MIN, None)]
    return []
