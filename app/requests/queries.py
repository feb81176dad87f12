"""Requests, drafts, files and question threads of the acting firm; a partner's request is the row that arrived here."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.federation.queries import arrivals, held_up
from app.machines.rules import restore_values
from app.packs.queries import load_pack, processes
from app.packs.rules import Process
from app.partners.models import Partnership
from app.partners.queries import active_partners, find_partnership
from app.partners.rules import request_scope
from app.requests.drafts import RequestDraft, RequirementDraft
from app.requests.limits import DRAFT_DAYS
from app.requests.messages import SENT_COLUMNS, SentFile, SentRequest
from app.requests.models import Invitation, Question, Receipt, RequestFile, WorkRequest
from app.requests.rules import RequestKind, ShortageReason

OPEN_STATES = ("open", "quoted", "planned", "contracting", "replanning")
ANSWERABLE = ("open", "quoted")


@dataclass(frozen=True)
class OwnRow:
    """One line of the list of own requests."""

    id: str
    kind: str
    title: str
    process_key: str | None
    need_min: int
    part_count: int | None
    first_week: str
    last_week: str
    reply_by: dt.datetime | None
    state: str


@dataclass(frozen=True)
class Arrival:
    """One asked partner and whether the newest message reached its house: waiting, delivered, refused, parked."""

    partner_id: str
    name: str
    state: str
    held_up_since: dt.datetime | None = None
    """When the message was sent that waits, once a try failed"""


@dataclass(frozen=True)
class ThreadLine:
    """One line of a question thread with its files."""

    id: str
    is_ours: bool
    text: str
    at: dt.datetime
    files: tuple[RequestFile, ...]


def request_for(session: Session, firm_id: str, request_id: str) -> WorkRequest:
    """A request of either side that stands in this firm's house; raises NotFound."""
    found = session.get(WorkRequest, (firm_id, request_id))
    if found is None:
        raise NotFound
    return found


def own_request(session: Session, firm_id: str, request_id: str) -> WorkRequest:
    """A request that this firm asks; raises NotFound."""
    found = request_for(session, firm_id, request_id)
    if found.side != "ours":
        raise NotFound
    return found


def partner_request(session: Session, firm_id: str, request_id: str) -> WorkRequest:
    """A request that a partner asks this firm; raises NotFound."""
    found = request_for(session, firm_id, request_id)
    if found.side != "theirs":
        raise NotFound
    return found


def draft_for(session: Session, firm_id: str, request_id: str) -> WorkRequest:
    """A request that is still being written; raises NotFound."""
    found = own_request(session, firm_id, request_id)
    if found.state != "draft":
        raise NotFound
    return found


def open_draft(session: Session, firm_id: str, person_id: str, kind: str, now: dt.datetime) -> WorkRequest | None:
    """What this person was writing last, if it is not older than seven days."""
    return session.scalar(
        sa.select(WorkRequest)
        .where(WorkRequest.firm_id == firm_id, WorkRequest.side == "ours", WorkRequest.state == "draft")
        .where(WorkRequest.created_by == person_id, WorkRequest.kind == kind)
        .where(WorkRequest.created_at > now - dt.timedelta(days=DRAFT_DAYS))
        .order_by(WorkRequest.created_at.desc(), WorkRequest.id.desc())
        .limit(1)
    )


def own_requests(session: Session, firm_id: str, limit: int = 30) -> list[OwnRow]:
    """Own requests that were sent, the newest first."""
    columns = [getattr(WorkRequest, name) for name in OwnRow.__dataclass_fields__]
    found = session.execute(
        sa.select(*columns)
        .where(WorkRequest.firm_id == firm_id, WorkRequest.side == "ours", WorkRequest.state != "draft")
        .order_by(WorkRequest.published_at.desc(), WorkRequest.id.desc())
        .limit(limit)
    )
    return [OwnRow(*row) for row in found]


def chosen_ids(session: Session, firm_id: str, request_id: str) -> list[str]:
    """Ids of the partners chosen for a request."""
    return list(
        session.scalars(
            sa.select(Invitation.partner_id)
            .where(Invitation.firm_id == firm_id, Invitation.request_id == request_id, Invitation.is_chosen)
            .order_by(Invitation.partner_id)
        )
    )


def askable_partners(session: Session, firm_id: str, kind: str) -> Sequence[Partnership]:
    """Partners that let us ask for this now, by name; `kind` is hours or know_how."""
    return active_partners(session, firm_id, request_scope(kind))


def sendable_ids(session: Session, request: WorkRequest) -> list[str]:
    """Ids of chosen partners whose consent holds right now."""
    askable = {partner.partner_id for partner in askable_partners(session, request.firm_id, request.kind)}
    return [one for one in chosen_ids(session, request.firm_id, request.id) if one in askable]


def arrivals_of(session: Session, firm_id: str, request: WorkRequest) -> list[Arrival]:
    """The asked partners by name, each with whether the message arrived. Nothing here tells what became of it there."""
    kind = "request.published" if request.version == 1 else "request.changed"
    states = arrivals(session, firm_id, request.id, "request.published") | arrivals(session, firm_id, request.id, kind)
    since = held_up(session, firm_id, request.id)
    found = []
    for partner_id in chosen_ids(session, firm_id, request.id):
        partner = find_partnership(session, firm_id, partner_id)
        name, state = partner.name if partner else "", states.get(partner_id, "waiting")
        found.append(Arrival(partner_id, name, state, since.get(partner_id) if state == "waiting" else None))
    return sorted(found, key=lambda arrival: arrival.name)


def receipt_of(session: Session, firm_id: str, request_id: str) -> Receipt | None:
    """What happened in our house to a partner's request."""
    return session.scalar(sa.select(Receipt).where(Receipt.firm_id == firm_id, Receipt.request_id == request_id))


def files_of(session: Session, firm_id: str, request_id: str) -> Sequence[RequestFile]:
    """Drawings and photos of the request itself, without those of questions."""
    return session.scalars(
        sa.select(RequestFile)
        .where(RequestFile.firm_id == firm_id, RequestFile.request_id == request_id, RequestFile.question_id.is_(None))
        .order_by(RequestFile.created_at, RequestFile.id)
    ).all()


def thread(session: Session, firm_id: str, request_id: str, partner_id: str) -> list[ThreadLine]:
    """Questions and answers with one partner about one request, the oldest first."""
    lines = session.scalars(
        sa.select(Question)
        .where(Question.firm_id == firm_id, Question.request_id == request_id, Question.partner_id == partner_id)
        .order_by(Question.created_at, Question.id)
    ).all()
    files = session.scalars(
        sa.select(RequestFile)
        .where(RequestFile.firm_id == firm_id, RequestFile.request_id == request_id)
        .where(RequestFile.question_id.in_([line.id for line in lines]))
        .order_by(RequestFile.id)
    ).all()
    return [
        ThreadLine(
            line.id, line.is_ours, line.text, line.created_at, tuple(f for f in files if f.question_id == line.id)
        )
        for line in lines
    ]


def threads_of(session: Session, firm_id: str, request_id: str) -> dict[str, int]:
    """Partners with a question thread about the request, each with the number of lines nobody of us has seen."""
    unseen = sa.case((Question.is_ours.is_(False) & Question.seen_at.is_(None), 1), else_=0)
    found = session.execute(
        sa.select(Question.partner_id, sa.func.sum(unseen))
        .where(Question.firm_id == firm_id, Question.request_id == request_id)
        .group_by(Question.partner_id)
        .order_by(Question.partner_id)
    )
    return {partner_id: int(count or 0) for partner_id, count in found}


def process_order(session: Session, firm_id: str, pack: str = "metal") -> list[Process]:
    """All processes: first what this firm asked for last, then the common ones, then the rest."""
    last_used = session.execute(
        sa.select(WorkRequest.process_key, sa.func.max(WorkRequest.created_at))
        .where(WorkRequest.firm_id == firm_id, WorkRequest.side == "ours", WorkRequest.process_key.is_not(None))
        .group_by(WorkRequest.process_key)
    )
    newest = {key: at for key, at in last_used if at is not None}
    known = processes(pack)
    used = sorted((one for one in known if one.key in newest), key=lambda one: newest[one.key], reverse=True)
    return [*used, *(one for one in known if one.key not in newest)]


def draft_of(request: WorkRequest, partner_count: int) -> RequestDraft:
    """A request row as the rules want it."""
    return RequestDraft(
        kind=RequestKind(request.kind),
        requirement=requirement_of(request),
        title=request.title,
        note=request.note,
        shortage_reason=ShortageReason(request.shortage_reason) if request.shortage_reason else None,
        reply_by=request.reply_by,
        delivery_week=request.delivery_week,
        radius_km=request.radius_km,
        partner_count=partner_count,
    )


def requirement_of(request: WorkRequest) -> RequirementDraft:
    """What a request asks for, as the rules of requests and matching want it."""
    size = (request.part_x_mm, request.part_y_mm, request.part_z_mm)
    return RequirementDraft(
        process_key=request.process_key,
        machine_type_key=request.machine_type_key,
        need_min=request.need_min,
        first_week=request.first_week,
        last_week=request.last_week,
        part_mm=(size[0], size[1], size[2]) if size[0] and size[1] and size[2] else None,
        part_g=request.part_g,
        may_turn=request.may_turn,
        material=request.material,
        material_group=request.material_group,
        needed_it=request.needed_it,
        needed_ra_nm=request.needed_ra_nm,
        general_tolerance=request.general_tolerance,
        certificates=tuple(request.certificates),
        needs=restore_values(request.needs),
        part_count=request.part_count,
    )


def sent_request(session: Session, request: WorkRequest) -> SentRequest:
    """The request as it leaves the house: the customer stays behind."""
    files = tuple(
        SentFile(f.file_id, f.name, f.index, f.sha256, f.media_type, f.size, f.confidentiality)
        for f in files_of(session, request.firm_id, request.id)
    )
    values = {name: getattr(request, name) for name in SENT_COLUMNS}
    return SentRequest(request_id=request.id, files=files, **values)


def process_label(process_key: str | None, pack: str = "metal", language: str = "de", is_chip: bool = False) -> str:
    """A process in the reader's words; the bare key for one that this installation does not know yet."""
    if process_key is None:
        return ""
    known = load_pack(pack).processes.get(process_key)
    if known is None:
        return process_key
    return known.chip(language) if is_chip else known.label(language)
