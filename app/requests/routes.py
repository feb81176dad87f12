"""S21 asking for hours in three steps, S41 is our own time enough, S42 who can do this, S43 questions."""

import functools
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, redirect, url_for
from flask import request as http
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor
from app.packs.queries import load_pack
from app.requests import protocol  # noqa: F401  its sentences join the Protokoll
from app.requests.actions import (
    Change,
    answer_question,
    ask_again,
    ask_question,
    attach_file,
    change_request,
    discard_draft,
    drop_file,
    mark_thread_seen,
    publish_request,
    save_details,
    save_requirement,
    start_draft,
    withdraw_request,
)
from app.requests.drafts import RequirementDraft
from app.requests.models import WorkRequest
from app.requests.pages import (
    change_page,
    check_page,
    delivery_weeks,
    details_page,
    found_shortage,
    know_how_page,
    last_week_chips,
    need_page,
    new_know_how,
    own_url,
    stored_fields,
    thread_page,
    time_chips,
    usual_process,
)
from app.requests.parsing import UNKNOWN, read_details, read_moment, read_need, uploads
from app.requests.prefill import change_fields, need_fields
from app.requests.queries import (
    chosen_ids,
    draft_for,
    open_draft,
    own_request,
    request_for,
    requirement_of,
)
from app.requests.rules import RequestKind, first_week_choices
from app.requests.words import (
    when_text,
)
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import deed, page
from app.web.world import world

room = Blueprint("requests", __name__)
View = Callable[..., Any]


def upload_first(view: View) -> View:
    """Read the whole body before the transaction begins: a slow upload must not keep everybody else from writing."""

    @functools.wraps(view)
    def answer(**url: Any) -> Any:
        http.form, http.files  # noqa: B018  reading them is what parses the body
        return view(**url)

    return answer


@room.get("/suchen")
@page("requests.publish")
def new(session: Session, actor: Actor) -> Response:
    """S21, step 1: what, how many hours, from when until when. Back and forth never loses what was typed."""
    draft = open_draft(session, actor.firm_id, actor.person_id, RequestKind.HOURS, clock.now())
    return need_page(session, actor, Form(need_fields(draft)), draft)


@room.post("/suchen")
@deed("requests.publish")
def begin(session: Session, actor: Actor) -> Response:
    draft = open_draft(session, actor.firm_id, actor.person_id, RequestKind.HOURS, clock.now())
    return _save_need(session, actor, draft)


@room.get("/suchen/wochen")
@page("requests.publish")
def last_weeks(session: Session, actor: Actor) -> Response:
    """The chips to end in, from the chosen first week on."""
    form = Form(http.args)
    return render("requests/_last_weeks.html", form=form, **last_week_chips(form.week("first_week", missing="")))


@room.get("/suchen/<request_id>/schritt/1")
@page("requests.publish")
def edit(session: Session, actor: Actor, request_id: str) -> Response:
    draft = draft_for(session, actor.firm_id, request_id)
    if draft.kind == RequestKind.KNOW_HOW:
        return redirect(url_for("requests.know_how"))  # type: ignore[return-value]
    return need_page(session, actor, Form(need_fields(draft)), draft)


@room.post("/suchen/<request_id>/schritt/1")
@deed("requests.publish")
def save_need(session: Session, actor: Actor, request_id: str) -> Response:
    return _save_need(session, actor, draft_for(session, actor.firm_id, request_id))


@room.get("/suchen/<request_id>/schritt/2")
@page("requests.publish")
def details(session: Session, actor: Actor, request_id: str) -> Response:
    """S21, step 2: the reason, whom to ask, until when; the rest is optional."""
    draft = draft_for(session, actor.firm_id, request_id)
    return details_page(session, actor, draft, Form(stored_fields(session, draft)))


@room.post("/suchen/<request_id>/schritt/2")
@upload_first
@deed("requests.publish")
def store_details(session: Session, actor: Actor, request_id: str) -> Response:
    draft = draft_for(session, actor.firm_id, request_id)
    form = Form(http.form)
    if not _keep_details(session, actor, draft, form, requirement_of(draft)):
        return details_page(session, actor, draft, form, 422)
    return go_to(url_for("requests.check", request_id=draft.id))


@room.post("/suchen/<request_id>/datei/<file_id>/weg")
@deed("requests.publish")
def remove_file(session: Session, actor: Actor, request_id: str, file_id: str) -> Response:
    drop_file(session, actor, request_id, file_id)
    return go_to(url_for("requests.details", request_id=request_id) + "#mehr")


@room.get("/suchen/<request_id>/schritt/3")
@page("requests.publish")
def check(session: Session, actor: Actor, request_id: str) -> Response:
    """S21, step 3: check the answers before they leave the house."""
    draft = draft_for(session, actor.firm_id, request_id)
    return check_page(session, actor, draft, Form())


@room.post("/suchen/<request_id>/senden")
@deed("requests.publish")
def publish(session: Session, actor: Actor, request_id: str) -> Response:
    draft = draft_for(session, actor.firm_id, request_id)
    try:
        count = publish_request(session, actor, request_id)
    except RuleBroken as error:
        form = Form()
        form.add_error(error)
        return check_page(session, actor, draft, form, 422)
    text = "Gesendet an %(count)s Partner. Antworten bis %(when)s."
    when = when_text(draft.reply_by) if draft.reply_by else ""
    return go_to(own_url(request_id), receipt=text, count=count, when=when)


@room.post("/suchen/<request_id>/verwerfen")
@deed("requests.publish")
def discard(session: Session, actor: Actor, request_id: str) -> Response:
    discard_draft(session, actor, request_id)
    return go_to(url_for("requests.new"), receipt="Gelöscht.")


@room.get("/suchen/<request_id>/aendern")
@page("requests.publish")
def change(session: Session, actor: Actor, request_id: str) -> Response:
    """A request that is out already: hours, weeks, deadline and note can change; everybody asked gets the new version."""
    request = own_request(session, actor.firm_id, request_id)
    return change_page(request, Form(change_fields(request)))


@room.post("/suchen/<request_id>/aendern")
@deed("requests.publish")
def save_change(session: Session, actor: Actor, request_id: str) -> Response:
    request = own_request(session, actor.firm_id, request_id)
    form = Form(http.form)
    told = _read_change(form, request)
    if told is not None:
        try:
            change_request(session, actor, request_id, told)
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        session.expire(request)
        return change_page(request, form, 422)
    return go_to(own_url(request_id), receipt="Geändert. Alle gefragten Partner bekommen die neuen Angaben.")


@room.post("/suchen/<request_id>/zurueckziehen")
@deed("requests.publish")
def withdraw(session: Session, actor: Actor, request_id: str) -> Response:
    withdraw_request(session, actor, request_id)
    return go_to(url_for("requests.new"), receipt="Gemerkt. Alle gefragten Partner wissen Bescheid.")


@room.post("/suchen/<request_id>/rest")
@deed("requests.publish")
def again(session: Session, actor: Actor, request_id: str) -> Response:
    """Ask for what is still missing: everything is filled in, only checking and sending is left."""
    draft_id = ask_again(session, actor, request_id)
    kind = own_request(session, actor.firm_id, request_id).kind
    return go_to(
        url_for("requests.know_how") if kind == RequestKind.KNOW_HOW else url_for("requests.check", request_id=draft_id)
    )


@room.get("/zeit")
@page("requests.publish")
def time(session: Session, actor: Actor) -> Response:
    """S41: process, hours and delivery week against our own plan. Shows the shortage and what to do about it."""
    form = Form(http.args)
    if not http.args:
        form = Form({"process_key": usual_process(session, actor), "delivery_week": delivery_weeks()[3]})
        return render("requests/time.html", form=form, result=None, **time_chips(session, actor))
    result = found_shortage(session, actor, form)
    return render("requests/time.html", 200 if result else 422, form=form, result=result, **time_chips(session, actor))


@room.post("/zeit")
@deed("requests.publish")
def ask_for_shortage(session: Session, actor: Actor) -> Response:
    """Begin a request with the shortage; the numbers are counted again, never taken from the page."""
    form = Form(http.form)
    result = found_shortage(session, actor, form)
    if result is None or result["missing_min"] == 0:
        return render("requests/time.html", 422, form=form, result=result, **time_chips(session, actor))
    missing = RequirementDraft(
        process_key=form.value("process_key"),
        need_min=result["missing_min"],
        first_week=result["first_week"],
        last_week=result["last_week"],
    )
    draft = open_draft(session, actor.firm_id, actor.person_id, RequestKind.HOURS, clock.now())
    request_id = draft.id if draft else start_draft(session, actor, RequestKind.HOURS, missing)
    save_requirement(session, actor, request_id, missing, form.value("delivery_week"))
    return go_to(url_for("requests.details", request_id=request_id))


@room.get("/wissen")
@page("requests.publish")
def know_how(session: Session, actor: Actor) -> Response:
    """S42: one part, a photo or drawing, how many, until when."""
    draft = open_draft(session, actor.firm_id, actor.person_id, RequestKind.KNOW_HOW, clock.now())
    fields = stored_fields(session, draft) if draft else new_know_how(session, actor)
    return know_how_page(session, actor, draft, Form(fields))


@room.post("/wissen")
@upload_first
@deed("requests.publish")
def save_know_how(session: Session, actor: Actor) -> Response:
    form = Form(http.form)
    draft = open_draft(session, actor.firm_id, actor.person_id, RequestKind.KNOW_HOW, clock.now())
    process_key = form.choice("process_key", [*load_pack().processes, UNKNOWN], "Wähle das Verfahren.")
    last_week = form.week("delivery_week", "Wähle, bis wann.") or ""
    asked = RequirementDraft(
        process_key=None if process_key == UNKNOWN else process_key,
        first_week=min(first_week_choices(clock.today())[0], last_week or "9999"),
        last_week=last_week,
    )
    if form.is_good and draft is None:
        draft = draft_for(session, actor.firm_id, start_draft(session, actor, RequestKind.KNOW_HOW, asked))
    if not form.is_good or draft is None or not _keep_details(session, actor, draft, form, asked):
        # what is wrong with the rest is told at once, although nothing is kept yet
        read_details(form, RequestKind.KNOW_HOW, asked, load_pack(), clock.now())
        return know_how_page(session, actor, draft, form, 422)
    return go_to(url_for("requests.check", request_id=draft.id))


@room.get("/fragen/<request_id>/<partner_id>")
@page("requests.answer")
def questions(session: Session, actor: Actor, request_id: str, partner_id: str) -> Response:
    """S43: the thread with one partner about one request."""
    request = _thread_request(session, actor, request_id, partner_id)
    response = thread_page(session, actor, request, partner_id, Form())
    with world().database().write() as writing:
        mark_thread_seen(writing, actor, request_id, partner_id)
    return response


@room.post("/fragen/<request_id>/<partner_id>")
@upload_first
@deed("requests.answer")
def write(session: Session, actor: Actor, request_id: str, partner_id: str) -> Response:
    request = _thread_request(session, actor, request_id, partner_id)
    form = Form(http.form)
    text, files = form.long_text("text", "Schreib deine Frage in das Feld.", 1000), uploads(form)
    if form.is_good:
        try:
            if request.side == "ours":
                answer_question(session, actor, request_id, partner_id, text, files)
            else:
                ask_question(session, actor, request_id, text, files)
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        return thread_page(session, actor, request, partner_id, form, 422)
    return go_to(url_for("requests.questions", request_id=request_id, partner_id=partner_id), receipt="Gesendet.")


def _save_need(session: Session, actor: Actor, draft: WorkRequest | None) -> Response:
    form = Form(http.form)
    asked = read_need(form, load_pack(), clock.today())
    if asked is None:
        return need_page(session, actor, form, draft, 422)
    if draft is None:
        request_id, step = start_draft(session, actor, RequestKind.HOURS, asked), 2
    else:
        save_requirement(session, actor, draft.id, asked)
        request_id, step = draft.id, draft.draft_step
    is_change = step == 3 and form.value("then") == "check"
    return go_to(url_for("requests.check" if is_change else "requests.details", request_id=request_id))


def _keep_details(session: Session, actor: Actor, draft: WorkRequest, form: Form, asked: RequirementDraft) -> bool:
    told = read_details(form, RequestKind(draft.kind), asked, load_pack(draft.pack), clock.now())
    files = uploads(form)
    if told is None or not form.is_good:
        return False
    try:
        save_details(session, actor, draft.id, *told)
        for upload in files:
            attach_file(session, actor, draft.id, upload)
    except RuleBroken as error:
        form.add_error(error)
        return False
    return True


def _thread_request(session: Session, actor: Actor, request_id: str, partner_id: str) -> WorkRequest:
    """The request, if these two have a thread about it; raises NotFound."""
    request = request_for(session, actor.firm_id, request_id)
    if request.state == "draft":
        raise NotFound
    if request.side == "ours":
        if partner_id not in chosen_ids(session, actor.firm_id, request_id):
            raise NotFound
    elif partner_id != request.partner_id:
        raise NotFound
    return request


def _read_change(form: Form, request: WorkRequest) -> Change | None:
    is_hours = request.kind == RequestKind.HOURS
    need_min = form.hours("need") if is_hours else 0
    first_week, last_week = form.week("first_week"), form.week("last_week")
    part_count = form.whole("part_count", 1, 10_000_000)
    reply_by = read_moment(form, "reply_by")
    note, phone = form.long_text("note", most=500), form.text("contact_phone", most=40)
    if reply_by is None:
        form.add_error(RuleBroken("Wähle eine Antwort-Frist.", "reply_by"))
    if not form.is_good or need_min is None or first_week is None or last_week is None or reply_by is None:
        return None
    return Change(need_min, first_week, last_week, part_count, reply_by, note, phone)
