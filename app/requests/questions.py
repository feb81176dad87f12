"""Questions and answers about one request between two firms: one thread per partner, never seen by another."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import QuestionAnswered, QuestionArrived, QuestionAsked
from app.core.ids import new_id
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.queries import is_named_in_message
from app.federation.rules import Incoming
from app.firms.access import Actor, Role
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm, Person
from app.firms.queries import people
from app.partners.queries import find_partnership, partnership_with
from app.push.actions import alert_people, mark_alerts_seen
from app.requests.counts import lines_since
from app.requests.drafting import Upload, keep_upload
from app.requests.limits import check_lines_today
from app.requests.messages import MOST_FILES, SentFile, SentLine, line_body, read_line
from app.requests.models import Question, RequestFile, WorkRequest
from app.requests.queries import chosen_ids, own_request, partner_request, request_for
from app.requests.receiving import partners_request, store_files
from app.requests.sending import are_photos_ready
from app.requests.wire import unreadable

OVER = ("cancelled", "expired", "draft")


def ask_question(session: Session, actor: Actor, request_id: str, text: str, uploads: Sequence[Upload] = ()) -> str:
    """Ask the partner whose request waits here; returns the question's id. Raises RuleBroken or Conflict."""
    request = partner_request(session, actor.firm_id, request_id)
    question = _write_line(session, actor, request, request.partner_id or "", text, uploads)
    emit(session, QuestionAsked(actor.firm_id, question.id))
    return question.id


def answer_question(
    session: Session, actor: Actor, request_id: str, partner_id: str, text: str, uploads: Sequence[Upload] = ()
) -> str:
    """Answer one asked partner about our own request; returns the line's id. Raises NotFound, RuleBroken or Conflict."""
    request = own_request(session, actor.firm_id, request_id)
    if partner_id not in chosen_ids(session, actor.firm_id, request_id):
        raise NotFound
    question = _write_line(session, actor, request, partner_id, text, uploads)
    emit(session, QuestionAnswered(actor.firm_id, question.id))
    return question.id


def mark_thread_seen(session: Session, actor: Actor, request_id: str, partner_id: str) -> None:
    """Note that somebody of us has read what the partner wrote; the reader's message about it is done."""
    mark_alerts_seen(session, actor.firm_id, actor.person_id, _thread_subject(request_id, partner_id))
    session.execute(
        sa.update(Question)
        .where(Question.firm_id == actor.firm_id, Question.request_id == request_id, Question.partner_id == partner_id)
        .where(Question.is_ours.is_(False), Question.seen_at.is_(None))
        .values(seen_at=clock.now())
    )


def send_question(session: Session, event: QuestionAsked) -> None:
    """Send our question to the requester."""
    _send_line(session, event.firm_id, event.question_id, "request.asked")


def send_answer(session: Session, event: QuestionAnswered) -> None:
    """Send our answer to the one partner who is asked about."""
    _send_line(session, event.firm_id, event.question_id, "request.answered")


def receive_question(session: Session, incoming: Incoming) -> None:
    """An asked partner has a question about our request; raises RuleBroken for anybody who was not asked."""
    line = read_line(incoming.body)
    request = session.get(WorkRequest, (incoming.firm_id, line.request_id))
    if request is None or request.side != "ours" or request.state in OVER:
        raise unreadable("request_id")
    if incoming.from_id not in chosen_ids(session, incoming.firm_id, line.request_id):
        raise unreadable("request_id")
    _keep_line(session, incoming, line)


def receive_answer(session: Session, incoming: Incoming) -> None:
    """The requester answers our question."""
    line = read_line(incoming.body)
    partners_request(session, incoming, line.request_id)
    _keep_line(session, incoming, line)


def announce_question(session: Session, event: QuestionArrived) -> None:
    """Tell those who can react: our managers about a question, our foremen about an answer."""
    question = session.get(Question, (event.firm_id, event.question_id))
    if question is None or question.seen_at is not None:
        return
    request = request_for(session, event.firm_id, question.request_id)
    partner = partnership_with(session, event.firm_id, question.partner_id)
    firm = session.get_one(Firm, event.firm_id)
    alert_people(
        session,
        event.firm_id,
        _listeners(session, request),
        "question" if request.side == "ours" else "answer",
        _thread_subject(request.id, question.partner_id),
        f"/fragen/{request.id}/{question.partner_id}",
        {"name": partner.short_name if firm.name_in_push else ""},
        f"question:{question.id}",
    )


def _thread_subject(request_id: str, partner_id: str) -> str:
    """Two partners' questions about one request are two threads: neither hides the other's message."""
    return f"{request_id}:{partner_id}"


def _write_line(
    session: Session, actor: Actor, request: WorkRequest, partner_id: str, text: str, uploads: Sequence[Upload]
) -> Question:
    if request.state in OVER:
        raise Conflict("Diese Anfrage ist vorbei. Ruf den Partner an.")
    if not text.strip():
        raise RuleBroken("Schreib deine Frage in das Feld.", "text")
    if len(uploads) > MOST_FILES:
        raise RuleBroken("Höchstens %(most)s Dateien passen dazu.", "drawing", most=MOST_FILES)
    _check_lines_today(session, actor.firm_id, partner_id, is_ours=True)
    question = _add_line(session, actor.firm_id, new_id(), request.id, partner_id, True, text.strip())
    for upload in uploads:
        keep_upload(session, actor.firm_id, request.id, upload, question.id)
    note_event(session, actor.firm_id, actor.person_id, "wrote", "request", request.id, partner_id)
    bump_version(session, actor.firm_id)
    return question


def _keep_line(session: Session, incoming: Incoming, line: SentLine) -> None:
    known = session.get(Question, (incoming.firm_id, line.question_id))
    if known is not None:
        kept = (known.partner_id, known.request_id, known.is_ours, known.text)
        if kept != (incoming.from_id, line.request_id, False, line.text):
            raise unreadable("question_id")
        return
    _check_lines_today(session, incoming.firm_id, incoming.from_id, is_ours=False)
    _add_line(session, incoming.firm_id, line.question_id, line.request_id, incoming.from_id, False, line.text)
    store_files(session, incoming, line.request_id, line.files, line.question_id)
    emit(session, QuestionArrived(incoming.firm_id, line.question_id))
    bump_version(session, incoming.firm_id)


def _add_line(
    session: Session, firm_id: str, question_id: str, request_id: str, partner_id: str, is_ours: bool, text: str
) -> Question:
    question = Question(
        firm_id=firm_id,
        id=question_id,
        created_at=clock.now(),
        request_id=request_id,
        partner_id=partner_id,
        is_ours=is_ours,
        text=text,
    )
    session.add(question)
    session.flush()
    return question


def _check_lines_today(session: Session, firm_id: str, partner_id: str, is_ours: bool) -> None:
    since = clock.now() - dt.timedelta(days=1)
    check_lines_today(lines_since(session, firm_id, partner_id, is_ours, since))


def _send_line(session: Session, firm_id: str, question_id: str, kind: str) -> None:
    question = session.get_one(Question, (firm_id, question_id))
    if find_partnership(session, firm_id, question.partner_id) is None:
        return
    if is_named_in_message(session, firm_id, question.request_id, "question_id", question_id):
        return
    if not are_photos_ready(session, firm_id, question.request_id, question_id):
        return
    files = session.scalars(
        sa.select(RequestFile)
        .where(RequestFile.firm_id == firm_id, RequestFile.question_id == question_id)
        .order_by(RequestFile.id)
    )
    sent = tuple(SentFile(f.file_id, f.name, f.index, f.sha256, f.media_type, f.size, f.confidentiality) for f in files)
    body = line_body(SentLine(question.id, question.request_id, question.text, sent))
    send_message(session, firm_id, question.partner_id, kind, body, question.request_id)


def _listeners(session: Session, request: WorkRequest) -> list[Person]:
    if request.side == "ours":
        return list(people(session, request.firm_id, Role.MANAGER))
    foremen = list(people(session, request.firm_id, Role.FOREMAN))
    return foremen or list(people(session, request.firm_id, Role.MANAGER))
