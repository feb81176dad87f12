"""Writing a request step by step: each step is kept on the server, nothing leaves the house."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.holidays import holidays_near
from app.core.ids import new_id
from app.federation.actions import store_file
from app.federation.models import StoredFile
from app.firms.access import Actor
from app.firms.queries import person_for
from app.machines.rules import store_values
from app.packs.queries import load_pack
from app.requests import drawings
from app.requests.drafts import RequirementDraft, read_needs
from app.requests.erasing import erase_request
from app.requests.limits import DRAFT_DAYS
from app.requests.messages import MOST_FILES
from app.requests.models import Invitation, RequestFile, WorkRequest
from app.requests.queries import askable_partners, draft_for, files_of
from app.requests.rules import RequestKind, ShortageReason, default_reply_by


@dataclass(frozen=True, slots=True)
class Details:
    """What the second step tells beside the requirement."""

    title: str = ""
    note: str = ""
    shortage_reason: ShortageReason | None = None
    reply_by: dt.datetime | None = None
    delivery_week: str | None = None
    radius_km: int | None = None
    partner_ids: tuple[str, ...] = ()
    customer: str = ""
    contact_name: str = ""
    contact_phone: str = ""
    allow_part: bool = True
    max_partners: int | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a browser sent it."""

    name: str
    body: bytes
    confidentiality: str = "partner"
    index: str = ""
    """Of a drawing: which of its versions it is"""


def start_draft(session: Session, actor: Actor, kind: RequestKind, need: RequirementDraft) -> str:
    """Begin a request; partners, answer-by time and contact are filled in as usual. Returns its id."""
    now = clock.now()
    person = person_for(session, actor.firm_id, actor.person_id)
    request = WorkRequest(
        firm_id=actor.firm_id,
        id=new_id(),
        created_at=now,
        side="ours",
        kind=kind,
        state="draft",
        first_week=need.first_week,
        last_week=need.last_week,
        certificates=[],
        needs={},
        reply_by=default_reply_by(now, holidays_near(clock.today())),
        contact_name=person.name,
        contact_phone=person.phone,
        created_by=actor.person_id,
    )
    session.add(request)
    session.flush()
    _set_requirement(request, need)
    choose_partners(
        session, request, [partner.partner_id for partner in askable_partners(session, actor.firm_id, kind)]
    )
    return request.id


def save_requirement(
    session: Session, actor: Actor, request_id: str, need: RequirementDraft, delivery_week: str | None = None
) -> None:
    """Keep what the first step tells: process, hours, weeks. The rest stays as far as it still belongs to that."""
    request = draft_for(session, actor.firm_id, request_id)
    if request.process_key != need.process_key:
        request.needs, request.machine_type_key = {}, None
    move_delivery(request, need.last_week)
    request.delivery_week = delivery_week or request.delivery_week
    request.process_key, request.need_min = need.process_key, need.need_min
    request.first_week, request.last_week = need.first_week, need.last_week


def save_details(session: Session, actor: Actor, request_id: str, need: RequirementDraft, told: Details) -> None:
    """Keep what the second step tells; raises RuleBroken for a partner who is none."""
    request = draft_for(session, actor.firm_id, request_id)
    _set_requirement(request, need)
    request.title, request.note = told.title, told.note
    request.shortage_reason = told.shortage_reason or ""
    request.reply_by, request.delivery_week, request.radius_km = told.reply_by, told.delivery_week, told.radius_km
    request.customer, request.contact_name = told.customer, told.contact_name
    request.contact_phone, request.allow_part = told.contact_phone, told.allow_part
    request.max_partners = told.max_partners if told.allow_part else None
    request.draft_step = 3
    choose_partners(session, request, told.partner_ids)


def move_delivery(request: WorkRequest, last_week: str) -> None:
    """The work will end in another week: a delivery week that was the old one moves along, and none lies before."""
    if request.delivery_week and (request.delivery_week == request.last_week or request.delivery_week < last_week):
        request.delivery_week = last_week


def attach_file(session: Session, actor: Actor, request_id: str, upload: Upload) -> None:
    """Add a drawing or photo to a draft; raises RuleBroken for any other file, above 25 MB, or one too many."""
    request = draft_for(session, actor.firm_id, request_id)
    if len(files_of(session, actor.firm_id, request.id)) >= MOST_FILES:
        raise RuleBroken("Höchstens %(most)s Dateien passen dazu.", "drawing", most=MOST_FILES)
    keep_upload(session, actor.firm_id, request.id, upload)


def keep_upload(
    session: Session, firm_id: str, request_id: str, upload: Upload, question_id: str | None = None
) -> None:
    """Check and store an upload under the request, or under one line of a thread on it."""
    media_type = drawings.check_drawing(upload.name, len(upload.body), upload.body[: drawings.HEAD_BYTES])
    file_id = store_file(session, firm_id, upload.name, media_type, upload.body)
    stored = session.get_one(StoredFile, (firm_id, file_id))
    session.add(
        RequestFile(
            firm_id=firm_id,
            id=new_id(),
            created_at=clock.now(),
            request_id=request_id,
            question_id=question_id,
            file_id=file_id,
            name=stored.name,
            sha256=stored.sha256,
            media_type=media_type,
            size=stored.size,
            confidentiality=upload.confidentiality,
            index=upload.index,
        )
    )
    session.flush()


def drop_file(session: Session, actor: Actor, request_id: str, request_file_id: str) -> None:
    """Take a file out of a draft and erase its bytes."""
    draft_for(session, actor.firm_id, request_id)
    found = session.get(RequestFile, (actor.firm_id, request_file_id))
    if found is None or found.request_id != request_id or found.question_id is not None:
        raise NotFound
    session.execute(sa.delete(StoredFile).where(StoredFile.firm_id == actor.firm_id, StoredFile.id == found.file_id))
    session.delete(found)


def discard_draft(session: Session, actor: Actor, request_id: str) -> None:
    """Throw a draft away with its files."""
    request = draft_for(session, actor.firm_id, request_id)
    erase_request(session, actor.firm_id, request.id)


def erase_old_drafts(session: Session, now: dt.datetime) -> None:
    """Drafts live seven days."""
    old = session.execute(
        sa.select(WorkRequest.firm_id, WorkRequest.id)
        .where(WorkRequest.side == "ours", WorkRequest.state == "draft")
        .where(WorkRequest.created_at <= now - dt.timedelta(days=DRAFT_DAYS))
    ).all()
    for firm_id, request_id in old:
        erase_request(session, firm_id, request_id)


def _set_requirement(request: WorkRequest, need: RequirementDraft) -> None:
    pack = load_pack(request.pack)
    request.process_key, request.machine_type_key = need.process_key, need.machine_type_key
    request.need_min, request.first_week, request.last_week = need.need_min, need.first_week, need.last_week
    request.part_x_mm, request.part_y_mm, request.part_z_mm = need.part_mm or (None, None, None)
    request.part_g, request.may_turn, request.part_count = need.part_g, need.may_turn, need.part_count
    request.material = need.material
    request.material_group = need.material_group or pack.group_of(need.material) or ""
    request.needed_it, request.needed_ra_nm = need.needed_it, need.needed_ra_nm
    request.general_tolerance, request.certificates = need.general_tolerance, list(need.certificates)
    request.needs = dict(store_values(read_needs(pack, need.needs)))


def choose_partners(session: Session, request: WorkRequest, partner_ids: Collection[str]) -> None:
    """Set the chosen partners; only those whose consent has the scope can be chosen."""
    known = {partner.partner_id for partner in askable_partners(session, request.firm_id, request.kind)}
    if set(partner_ids) - known:
        raise RuleBroken("Diesen Partner kannst du gerade nicht fragen.", "partners")
    present = {
        row.partner_id: row
        for row in session.scalars(
            sa.select(Invitation).where(Invitation.firm_id == request.firm_id, Invitation.request_id == request.id)
        )
    }
    for partner_id in known | present.keys():
        is_chosen = partner_id in partner_ids
        if partner_id in present:
            present[partner_id].is_chosen = is_chosen
        elif is_chosen:
            session.add(
                Invitation(
                    firm_id=request.firm_id,
                    id=new_id(),
                    created_at=clock.now(),
                    request_id=request.id,
                    partner_id=partner_id,
                )
            )
    session.flush()
