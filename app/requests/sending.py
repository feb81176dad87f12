"""What leaves the house about own requests: reactions that write messages, once each, to partners who may get them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.events import RequestChanged, RequestClosed, RequestPublished, RequestWithdrawn
from app.federation.actions import send_message
from app.federation.models import StoredFile
from app.federation.queries import arrivals
from app.partners.queries import may_send
from app.requests.messages import closing_body, request_body, withdrawal_body
from app.requests.models import RequestFile, WorkRequest
from app.requests.queries import chosen_ids, own_request, sent_request


def send_request(session: Session, event: RequestPublished) -> None:
    """Send a published request to every chosen partner whose consent still holds and who does not have it yet."""
    request = own_request(session, event.firm_id, event.request_id)
    if request.state not in ("open", "quoted") or not are_photos_ready(session, event.firm_id, request.id):
        return
    body = request_body(sent_request(session, request))
    done = arrivals(session, event.firm_id, request.id, "request.published")
    new = [partner_id for partner_id in chosen_ids(session, event.firm_id, request.id) if partner_id not in done]
    _send_to(session, request, new, "request.published", body)


def send_change(session: Session, event: RequestChanged) -> None:
    """Send the new version to everybody asked; what they got before is replaced by it."""
    request = own_request(session, event.firm_id, event.request_id)
    if request.state in ("open", "quoted") and are_photos_ready(session, event.firm_id, request.id):
        _send_all(session, request, "request.changed", request_body(sent_request(session, request)))


def send_withdrawal(session: Session, event: RequestWithdrawn) -> None:
    """Tell everybody asked that the request is taken back."""
    request = own_request(session, event.firm_id, event.request_id)
    _send_all(session, request, "request.withdrawn", withdrawal_body(request.id))


def send_closed(session: Session, event: RequestClosed) -> None:
    """Tell everybody asked that the request is over; not who was chosen, and not whether anybody was."""
    request = own_request(session, event.firm_id, event.request_id)
    ending = "expired" if request.state == "expired" else "contracted"
    _send_all(session, request, "request.closed", closing_body(request.id, ending))


def are_photos_ready(session: Session, firm_id: str, request_id: str, question_id: str | None = None) -> bool:
    """Say whether all files of a request, or of one line of a thread on it, may leave the house.

    Size and hash follow the cleaned photo, what was no picture is taken out. False while a photo still waits: its
    PhotoCleaned sends what waited for it.
    """
    is_ready = True
    for named in session.scalars(
        sa.select(RequestFile)
        .where(RequestFile.firm_id == firm_id, RequestFile.request_id == request_id)
        .where(RequestFile.question_id.is_(None) if question_id is None else RequestFile.question_id == question_id)
    ).all():
        stored = session.get(StoredFile, (firm_id, named.file_id))
        if stored is None:
            session.delete(named)
        elif stored.is_clean:
            named.size, named.sha256 = stored.size, stored.sha256
        else:
            is_ready = False
    session.flush()
    return is_ready


def _send_all(session: Session, request: WorkRequest, kind: str, body: dict[str, object]) -> None:
    """Tell everybody whom the request was sent to; a partner who never got it would not know what this is about."""
    asked = arrivals(session, request.firm_id, request.id, "request.published")
    _send_to(session, request, sorted(asked), kind, body)


def _send_to(
    session: Session, request: WorkRequest, partner_ids: Sequence[str], kind: str, body: dict[str, object]
) -> None:
    """A partnership that ended gets nothing more, one that rests only what ends."""
    for partner_id in partner_ids:
        if may_send(session, request.firm_id, partner_id, kind, body):
            send_message(session, request.firm_id, partner_id, kind, body, request.id)
