"""What a firm does with its requests, and the one place where reactions and inbox find this room's actions."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.queries import own_free_min
from app.core import clock
from app.core.db import each_alone
from app.core.errors import Conflict, RuleBroken
from app.core.events import RequestChanged, RequestClosed, RequestGone, RequestPublished, RequestWithdrawn
from app.core.holidays import holidays_near
from app.core.outbox import emit
from app.core.places import centroid
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.queries import firm_of, sites
from app.packs.queries import load_pack
from app.partners.queries import partnership_with
from app.requests.again import ask_again, ask_for_lost, set_agreed
from app.requests.counts import open_count, small_count
from app.requests.drafting import Details as Details
from app.requests.drafting import Upload as Upload
from app.requests.drafting import (
    attach_file,
    choose_partners,
    discard_draft,
    drop_file,
    erase_old_drafts,
    move_delivery,
    save_details,
    save_requirement,
    start_draft,
)
from app.requests.drafts import check_open
from app.requests.erasing import erase_request, erase_threads
from app.requests.limits import GRACE, SMALL_MIN, SMALL_WITHIN, check_open_count, check_probes
from app.requests.models import WorkRequest
from app.requests.queries import chosen_ids, draft_for, draft_of, own_request, sendable_ids
from app.requests.questions import (
    announce_question,
    answer_question,
    ask_question,
    mark_thread_seen,
    receive_answer,
    receive_question,
    send_answer,
    send_question,
)
from app.requests.receiving import (
    close_partner_requests,
    open_files,
    receive_change,
    receive_closed,
    receive_request,
    receive_withdrawal,
)
from app.requests.rules import RequestState, check_step, default_valid_until
from app.requests.sending import send_change, send_closed, send_request, send_withdrawal
from app.requests.waiting import send_what_waited

__all__ = [
    "Change",
    "Details",
    "Upload",
    "advance_request",
    "announce_question",
    "answer_question",
    "ask_again",
    "ask_for_lost",
    "ask_question",
    "attach_file",
    "change_request",
    "close_partner_requests",
    "close_request",
    "discard_draft",
    "drop_file",
    "erase_request",
    "erase_threads",
    "expire_requests",
    "mark_thread_seen",
    "open_files",
    "publish_request",
    "receive_answer",
    "receive_change",
    "receive_closed",
    "receive_question",
    "receive_request",
    "receive_withdrawal",
    "save_details",
    "save_requirement",
    "send_answer",
    "send_change",
    "send_closed",
    "send_question",
    "send_request",
    "send_what_waited",
    "send_withdrawal",
    "set_agreed",
    "start_draft",
    "widen_request",
    "withdraw_request",
]


@dataclass(frozen=True, slots=True)
class Change:
    """What may still be changed once a request is out; the job itself stays what it is."""

    need_min: int
    first_week: str
    last_week: str
    part_count: int | None
    reply_by: dt.datetime
    note: str
    contact_phone: str


def publish_request(session: Session, actor: Actor, request_id: str) -> int:
    """Send a draft to its chosen partners; returns how many are asked. Raises RuleBroken with the first fault."""
    request = draft_for(session, actor.firm_id, request_id)
    asked = sendable_ids(session, request)
    now = clock.now()
    check_open(draft_of(request, len(asked)), load_pack(request.pack), now)
    check_open_count(open_count(session, actor.firm_id))
    _check_probes(session, request, request.need_min, asked, now)
    check_step(RequestState.DRAFT, RequestState.OPEN)
    request.state, request.published_at = "open", now
    request.lat, request.lon = _place(session, actor.firm_id)
    request.own_free_min = _own_free_min(session, request)
    emit(session, RequestPublished(actor.firm_id, request_id))
    note_event(
        session, actor.firm_id, actor.person_id, "published", "request", request_id, detail={"count": len(asked)}
    )
    bump_version(session, actor.firm_id)
    return len(asked)


def widen_request(session: Session, actor: Actor, request_id: str, partner_ids: Collection[str]) -> None:
    """Ask these partners too, as far as they may be asked. Raises Conflict for a request that is over."""
    request = own_request(session, actor.firm_id, request_id)
    if request.state not in ("open", "quoted"):
        raise Conflict("Diese Anfrage lässt sich nicht mehr ändern.")
    asked = set(chosen_ids(session, actor.firm_id, request_id))
    new = set(partner_ids) - asked
    if not new:
        return
    _check_probes(session, request, request.need_min, sorted(new), clock.now())
    choose_partners(session, request, asked | new)
    emit(session, RequestPublished(actor.firm_id, request_id))
    detail = {"count": len(new)}
    note_event(session, actor.firm_id, actor.person_id, "published", "request", request_id, detail=detail)
    bump_version(session, actor.firm_id)


def change_request(session: Session, actor: Actor, request_id: str, change: Change) -> None:
    """Make a new version of an open request; everybody asked gets it. Raises RuleBroken or Conflict."""
    request = own_request(session, actor.firm_id, request_id)
    if request.state not in ("open", "quoted"):
        raise Conflict("Diese Anfrage lässt sich nicht mehr ändern.")
    if _is_same(request, change):
        return
    asked = chosen_ids(session, actor.firm_id, request_id)
    _check_change(session, request, change, asked)
    if request.part_count != change.part_count:
        request.job_version = request.version + 1
    request.version += 1
    move_delivery(request, change.last_week)
    for name in Change.__dataclass_fields__:
        setattr(request, name, getattr(change, name))
    request.own_free_min = _own_free_min(session, request)
    emit(session, RequestChanged(actor.firm_id, request_id))
    note_event(session, actor.firm_id, actor.person_id, "changed", "request", request_id)
    bump_version(session, actor.firm_id)


def withdraw_request(session: Session, actor: Actor, request_id: str) -> None:
    """Take a request back; everybody asked learns it and their held hours come free. Raises Conflict when it is too late.

    Where a part is agreed only the rest is given up, and the request is over like any other that found somebody.
    """
    request = own_request(session, actor.firm_id, request_id)
    if request.state == "cancelled":
        return
    if request.state not in ("open", "quoted", "planned"):
        raise Conflict("Diese Anfrage lässt sich nicht mehr zurückziehen.")
    if request.agreed_min:
        close_request(session, actor.firm_id, request_id)
    else:
        check_step(RequestState(request.state), RequestState.CANCELLED)
        request.state, request.closed_at = "cancelled", clock.now()
        emit(session, RequestWithdrawn(actor.firm_id, request_id))
    note_event(session, actor.firm_id, actor.person_id, "withdrawn", "request", request_id)
    bump_version(session, actor.firm_id)


def advance_request(session: Session, firm_id: str, request_id: str, to: str) -> None:
    """Take an own request one step on; the same state again does nothing. Raises Conflict for a step that is none."""
    request = own_request(session, firm_id, request_id)
    if request.state == to:
        return
    check_step(RequestState(request.state), RequestState(to))
    request.state = to
    bump_version(session, firm_id)


def close_request(session: Session, firm_id: str, request_id: str) -> None:
    """What was wanted is in force: → contracted; those who were not chosen learn that it is over."""
    request = own_request(session, firm_id, request_id)
    if request.state == "contracted":
        return
    check_step(RequestState(request.state), RequestState.CONTRACTED)
    request.state, request.closed_at = "contracted", clock.now()
    emit(session, RequestClosed(firm_id, request_id))
    bump_version(session, firm_id)


def expire_requests(session: Session, now: dt.datetime) -> None:
    """End requests whose time is over on both sides: without an offer at the deadline, else when no offer binds any more."""
    late = session.scalars(
        sa.select(WorkRequest)
        .where(WorkRequest.state.in_(("open", "quoted")), WorkRequest.reply_by <= now - GRACE)
        .order_by(WorkRequest.firm_id, WorkRequest.id)
    ).all()
    each_alone(session, late, lambda request: _expire_late(session, request, now))
    erase_old_drafts(session, now)


def _expire_late(session: Session, request: WorkRequest, now: dt.datetime) -> None:
    if request.state == "open" or _last_moment(request) <= now - GRACE:
        _expire(session, request, now)


def _expire(session: Session, request: WorkRequest, now: dt.datetime) -> None:
    request.state, request.closed_at = "contracted" if request.agreed_min else "expired", now
    is_ours = request.side == "ours"
    emit(session, (RequestClosed if is_ours else RequestGone)(request.firm_id, request.id))
    bump_version(session, request.firm_id)


def _last_moment(request: WorkRequest) -> dt.datetime:
    """Until when an offer to this request binds at the longest."""
    assert request.reply_by is not None
    return default_valid_until(request.reply_by, holidays_near(request.reply_by.date()))


def _check_change(session: Session, request: WorkRequest, change: Change, asked: list[str]) -> None:
    """The rules see the request as it would be; nothing is written before they agree."""
    if request.kind == "hours" and change.need_min <= request.agreed_min:
        raise RuleBroken("So viele Stunden sind schon vereinbart. Gib mehr ein.", "need")
    now, draft = clock.now(), draft_of(request, max(1, len(asked)))
    need = replace(
        draft.requirement,
        need_min=change.need_min,
        first_week=change.first_week,
        last_week=change.last_week,
        part_count=change.part_count,
    )
    check_open(
        replace(draft, requirement=need, reply_by=change.reply_by, note=change.note), load_pack(request.pack), now
    )
    _check_probes(session, request, change.need_min, asked, now)


def _check_probes(session: Session, request: WorkRequest, need_min: int, asked: list[str], now: dt.datetime) -> None:
    if request.kind != "hours" or need_min > SMALL_MIN:
        return
    for partner_id in asked:
        partner = partnership_with(session, request.firm_id, partner_id)
        check_probes(partner.name, small_count(session, request.firm_id, partner_id, now - SMALL_WITHIN, request.id))


def _is_same(request: WorkRequest, change: Change) -> bool:
    return all(getattr(request, name) == getattr(change, name) for name in Change.__dataclass_fields__)


def _own_free_min(session: Session, request: WorkRequest) -> int | None:
    """What our own machines could do of it; None for know-how, and where nobody knows."""
    if request.process_key is None or not request.need_min:
        return None
    return own_free_min(session, request.firm_id, request.process_key, request.first_week, request.last_week)


def _place(session: Session, firm_id: str) -> tuple[float, float]:
    """Where the work would be needed: the first site, else the firm's postcode."""
    found = sites(session, firm_id)
    return (found[0].lat, found[0].lon) if found else centroid(firm_of(session, firm_id).postcode)
