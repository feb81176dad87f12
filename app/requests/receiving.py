"""What partners tell us about their requests. A partner can only touch rows that are its own: anything else is refused."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.core.events import PartnershipBroken, PartnershipEnded, RequestGone, RequestReceived
from app.core.ids import new_id
from app.core.outbox import emit
from app.federation.actions import fetch_file, set_files_open
from app.federation.models import StoredFile
from app.federation.rules import Incoming
from app.firms.actions import bump_version
from app.packs.queries import pack_keys
from app.requests.counts import changes_since, open_count_from
from app.requests.limits import MOST_OPEN_FROM_ONE, check_changes_today
from app.requests.messages import (
    JOB_COLUMNS,
    SENT_COLUMNS,
    SentFile,
    SentRequest,
    read_closing,
    read_request,
    read_withdrawal,
)
from app.requests.models import Receipt, RequestFile, WorkRequest
from app.requests.queries import ANSWERABLE, files_of, receipt_of
from app.requests.wire import unreadable

ENDABLE = (*ANSWERABLE, "planned", "contracting")


def receive_request(session: Session, incoming: Incoming) -> None:
    """Take in a partner's request; the same version again changes nothing. Raises RuleBroken for a message that lies."""
    sent = _read(incoming)
    if session.get(WorkRequest, (incoming.firm_id, sent.request_id)) is None:
        _add(session, incoming, sent)
    else:
        _change(session, incoming, sent)


def receive_change(session: Session, incoming: Incoming) -> None:
    """Take in a new version of a request that we were asked; what was answered before may no longer hold."""
    _change(session, incoming, _read(incoming))


def receive_withdrawal(session: Session, incoming: Incoming) -> None:
    """A partner took its request back."""
    _end(session, incoming, read_withdrawal(incoming.body), "cancelled")


def receive_closed(session: Session, incoming: Incoming) -> None:
    """A partner's request is over: it found somebody, or it expired."""
    request_id, ending = read_closing(incoming.body)
    _end(session, incoming, request_id, ending)


def close_partner_requests(session: Session, event: PartnershipEnded | PartnershipBroken) -> None:
    """The partnership is over: nothing that this partner asked us waits any longer."""
    open_requests = session.scalars(
        sa.select(WorkRequest)
        .where(WorkRequest.firm_id == event.firm_id, WorkRequest.side == "theirs")
        .where(WorkRequest.partner_id == event.partner_id, WorkRequest.state.in_(ENDABLE))
        .order_by(WorkRequest.id)
        .with_for_update()
    ).all()
    for request in open_requests:
        _close(session, request, "cancelled")


def store_files(
    session: Session, incoming: Incoming, request_id: str, files: tuple[SentFile, ...], question_id: str | None = None
) -> None:
    """Fetch the files that a message names and keep them under the request, or under one line of a thread."""
    for file in files:
        file_id = fetch_file(session, incoming.firm_id, incoming.from_id, file.file_id, file.sha256)
        stored = session.get_one(StoredFile, (incoming.firm_id, file_id))
        stored.is_open = file.confidentiality == "partner"
        if stored.size != file.size or stored.media_type != file.media_type:
            raise unreadable("files")
        session.add(
            RequestFile(
                firm_id=incoming.firm_id,
                id=new_id(),
                created_at=clock.now(),
                request_id=request_id,
                question_id=question_id,
                file_id=file_id,
                name=file.name,
                index=file.index,
                sha256=file.sha256,
                media_type=file.media_type,
                size=file.size,
                confidentiality=file.confidentiality,
            )
        )
    session.flush()


def open_files(session: Session, firm_id: str, request_id: str, is_open: bool) -> None:
    """All files of a partner's request: they open with the agreement, and shut where the request ends without one."""
    found = sa.select(RequestFile.file_id).where(RequestFile.firm_id == firm_id, RequestFile.request_id == request_id)
    set_files_open(session, firm_id, session.scalars(found).all(), is_open)


def partners_request(session: Session, incoming: Incoming, request_id: str) -> WorkRequest:
    """The row of a request that the sender itself asks us; raises RuleBroken when it is anybody else's or unknown."""
    found = session.get(WorkRequest, (incoming.firm_id, request_id), with_for_update=True)
    if found is None or found.side != "theirs" or found.partner_id != incoming.from_id:
        raise unreadable("request_id")
    return found


def _read(incoming: Incoming) -> SentRequest:
    sent = read_request(incoming.body)
    if sent.pack not in pack_keys():
        raise unreadable("pack")
    return sent


def _change(session: Session, incoming: Incoming, sent: SentRequest) -> None:
    request = partners_request(session, incoming, sent.request_id)
    # the consent was asked for this kind only
    if sent.kind != request.kind:
        raise unreadable("kind")
    if sent.version > request.version and request.state in ANSWERABLE:
        since = clock.now() - dt.timedelta(days=1)
        check_changes_today(changes_since(session, incoming.firm_id, incoming.from_id, request.id, since))
        _replace(session, incoming, request, sent)


def _add(session: Session, incoming: Incoming, sent: SentRequest) -> None:
    if open_count_from(session, incoming.firm_id, incoming.from_id) >= MOST_OPEN_FROM_ONE:
        raise RuleBroken("Der Partner hat schon zu viele offene Anfragen an diesen Betrieb.")
    values = {name: getattr(sent, name) for name in SENT_COLUMNS}
    request = WorkRequest(
        firm_id=incoming.firm_id,
        id=sent.request_id,
        created_at=clock.now(),
        side="theirs",
        partner_id=incoming.from_id,
        state="open",
        job_version=sent.version,
        published_at=incoming.at,
        **values,
    )
    session.add(request)
    session.flush()
    session.add(Receipt(firm_id=incoming.firm_id, id=new_id(), created_at=clock.now(), request_id=request.id))
    store_files(session, incoming, request.id, sent.files)
    emit(session, RequestReceived(incoming.firm_id, request.id))
    bump_version(session, incoming.firm_id)


def _replace(session: Session, incoming: Incoming, request: WorkRequest, sent: SentRequest) -> None:
    if any(getattr(request, name) != getattr(sent, name) for name in JOB_COLUMNS):
        request.job_version = sent.version
    for name in SENT_COLUMNS:
        setattr(request, name, getattr(sent, name))
    _replace_files(session, incoming, request, sent.files)
    receipt = receipt_of(session, incoming.firm_id, request.id)
    if receipt is not None and receipt.answer == "no":
        # a no was said to the old version; the new one may be asked again
        receipt.answer, receipt.answered_at, receipt.answered_by = "", None, None
    # first the answers to the old version are looked through, which frees hours; only then is the new one matched
    emit(session, RequestGone(incoming.firm_id, request.id))
    bump_version(session, incoming.firm_id)


def _replace_files(session: Session, incoming: Incoming, request: WorkRequest, files: tuple[SentFile, ...]) -> None:
    """Keep what is named again, erase what is not, fetch what is new."""
    named = {file.sha256 for file in files}
    kept = set()
    for row in files_of(session, incoming.firm_id, request.id):
        if row.sha256 in named:
            kept.add(row.sha256)
            continue
        session.execute(
            sa.delete(StoredFile).where(StoredFile.firm_id == incoming.firm_id, StoredFile.id == row.file_id)
        )
        session.delete(row)
    store_files(session, incoming, request.id, tuple(file for file in files if file.sha256 not in kept))


def _end(session: Session, incoming: Incoming, request_id: str, state: str) -> None:
    request = partners_request(session, incoming, request_id)
    if request.state in ENDABLE:
        _close(session, request, state)


def _close(session: Session, request: WorkRequest, state: str) -> None:
    request.state, request.closed_at = state, clock.now()
    emit(session, RequestGone(request.firm_id, request.id))
    bump_version(session, request.firm_id)
