"""What waited for a photo: once it is clean, or turned out to be none, its request or question leaves the house."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.events import PhotoCleaned, QuestionAnswered, QuestionAsked, RequestPublished
from app.requests.models import RequestFile
from app.requests.queries import request_for
from app.requests.questions import send_answer, send_question
from app.requests.sending import are_photos_ready, send_request


def send_what_waited(session: Session, event: PhotoCleaned) -> None:
    """Send the request or the line of a thread that names the photo, unless it left already; a draft stays one."""
    named = session.scalar(
        sa.select(RequestFile).where(RequestFile.firm_id == event.firm_id, RequestFile.file_id == event.file_id)
    )
    if named is None:
        return
    request_id, question_id = named.request_id, named.question_id
    if not are_photos_ready(session, event.firm_id, request_id, question_id):
        return
    is_ours = request_for(session, event.firm_id, request_id).side == "ours"
    if question_id is None:
        send_request(session, RequestPublished(event.firm_id, request_id))
    elif is_ours:
        send_answer(session, QuestionAnswered(event.firm_id, question_id))
    else:
        send_question(session, QuestionAsked(event.firm_id, question_id))
