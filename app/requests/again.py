"""What is still missing of a request, and asking for it again with everything told before filled in."""

from collections.abc import Collection
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict
from app.federation.models import StoredFile
from app.firms.access import Actor
from app.requests.drafting import Upload, choose_partners, keep_upload, start_draft
from app.requests.models import WorkRequest
from app.requests.queries import askable_partners, chosen_ids, draft_for, files_of, own_request, requirement_of
from app.requests.rules import RequestKind, first_week_choices, may_ask_again, missing_of

KEPT = (
    "title", "note", "shortage_reason", "radius_km", "contact_name", "contact_phone", "customer", "allow_part",
    "max_partners",
)  # fmt: skip


def ask_again(session: Session, actor: Actor, request_id: str) -> str:
    """Begin a request for the hours that are still missing; returns the draft's id, ready to be checked and sent.

    Raises Conflict while the old one still runs, or when nothing is missing.
    """
    old = own_request(session, actor.firm_id, request_id)
    if not may_ask_again(old.kind, old.state, old.need_min, old.agreed_min):
        raise Conflict("Hier fehlt nichts mehr. Lade die Seite neu.")
    first_week = max(old.first_week, first_week_choices(clock.today())[0])
    need = replace(
        requirement_of(old),
        need_min=missing_of(old.need_min, old.agreed_min),
        first_week=first_week,
        last_week=max(old.last_week, first_week),
        # how many pieces the missing hours are for, nobody has told
        part_count=None if old.agreed_min else old.part_count,
    )
    draft = draft_for(session, actor.firm_id, start_draft(session, actor, RequestKind(old.kind), need))
    for name in KEPT:
        setattr(draft, name, getattr(old, name))
    draft.draft_step = 3
    draft.delivery_week = max(old.delivery_week, need.last_week) if old.delivery_week else None
    _ask_the_same(session, old, draft)
    _copy_files(session, old, draft)
    return draft.id


def ask_for_lost(
    session: Session, actor: Actor, request_id: str, disruption_id: str, need_min: int, last_week: str,
    helpers: Collection[str],
) -> str:  # fmt: skip
    """Begin a request for hours of this one that a partner cannot work after all; returns the draft's id, ready to be sent.

    `helpers`: ids of those who are asked, as far as they may be.
    """
    old = own_request(session, actor.firm_id, request_id)
    first_week = first_week_choices(clock.today())[0]
    need = replace(
        requirement_of(old), need_min=need_min, first_week=first_week, last_week=max(last_week, first_week),
        part_count=None,
    )  # fmt: skip
    draft = draft_for(session, actor.firm_id, start_draft(session, actor, RequestKind.HOURS, need))
    for name in KEPT:
        setattr(draft, name, getattr(old, name))
    draft.max_partners, draft.disruption_id = None, disruption_id
    draft.delivery_week = max(old.delivery_week, need.last_week) if old.delivery_week else None
    choose_partners(session, draft, helpers)
    _copy_files(session, old, draft)
    return draft.id


def set_agreed(session: Session, firm_id: str, request_id: str, minutes: int) -> None:
    """Keep with an own request how much of it is agreed now."""
    own_request(session, firm_id, request_id).agreed_min = minutes


def _ask_the_same(session: Session, old: WorkRequest, draft: WorkRequest) -> None:
    """Those who were asked before, as far as they may be asked now; nobody left: all."""
    askable = {partner.partner_id for partner in askable_partners(session, old.firm_id, old.kind)}
    asked = askable & set(chosen_ids(session, old.firm_id, old.id))
    if asked:
        choose_partners(session, draft, asked)


def _copy_files(session: Session, old: WorkRequest, draft: WorkRequest) -> None:
    """Each request has its own bytes: erasing the one leaves the other whole."""
    for file in files_of(session, old.firm_id, old.id):
        body = session.scalar(
            sa.select(StoredFile.body).where(StoredFile.firm_id == old.firm_id, StoredFile.id == file.file_id)
        )
        if body:
            keep_upload(
                session, old.firm_id, draft.id, Upload(file.name, bytes(body), file.confidentiality, file.index)
            )
