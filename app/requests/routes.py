"""S21 asking for hours in three steps, S41 is our own time enough, S42 who can do this, S43 questions."""

import functools
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, redirect, url_for
from flask import request as http
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.capacity.queries import own_free_by_week
from app.capacity.rules import shortage
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.units import hours_text, week_of, weeks
from app.firms.access import Actor
from app.packs.queries import load_pack
from app.packs.rules import Process
from app.partners.queries import active_partners, partnership_with
from app.requests.actions import (
    Change,
    answer_question,
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
from app.requests.parsing import UNKNOWN, read_details, read_moment, read_need, uploads
from app.requests.prefill import change_fields, details_fields, need_fields
from app.requests.queries import (
    chosen_ids,
    draft_for,
    files_of,
    holidays_near,
    open_draft,
    own_request,
    own_requests,
    process_order,
    request_for,
    requirement_of,
    thread,
)
from app.requests.rules import RequestKind, first_week_choices, last_week_choices, reply_by_choices
from app.requests.words import (
    MARKS,
    asked_text,
    job_facts,
    language,
    pieces_text,
    process_text,
    ra_text,
    reason_chips,
    reason_text,
    weeks_text,
    when_text,
)
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import deed, page
from app.web.world import world

room = Blueprint("requests", __name__)
SHOWN_CHIPS = 6
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
    return _need_page(session, actor, Form(need_fields(draft)), draft)


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
    return render("requests/_last_weeks.html", form=form, **_last_week_chips(form.week("first_week", missing="")))


@room.get("/suchen/<request_id>/schritt/1")
@page("requests.publish")
def edit(session: Session, actor: Actor, request_id: str) -> Response:
    draft = draft_for(session, actor.firm_id, request_id)
    if draft.kind == RequestKind.KNOW_HOW:
        return redirect(url_for("requests.know_how"))  # type: ignore[return-value]
    return _need_page(session, actor, Form(need_fields(draft)), draft)


@room.post("/suchen/<request_id>/schritt/1")
@deed("requests.publish")
def save_need(session: Session, actor: Actor, request_id: str) -> Response:
    return _save_need(session, actor, draft_for(session, actor.firm_id, request_id))


@room.get("/suchen/<request_id>/schritt/2")
@page("requests.publish")
def details(session: Session, actor: Actor, request_id: str) -> Response:
    """S21, step 2: the reason, whom to ask, until when; the rest is optional."""
    draft = draft_for(session, actor.firm_id, request_id)
    return _details_page(session, actor, draft, Form(_details_fields(session, draft)))


@room.post("/suchen/<request_id>/schritt/2")
@upload_first
@deed("requests.publish")
def store_details(session: Session, actor: Actor, request_id: str) -> Response:
    draft = draft_for(session, actor.firm_id, request_id)
    form = Form(http.form)
    if not _keep_details(session, actor, draft, form, requirement_of(draft)):
        return _details_page(session, actor, draft, form, 422)
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
    return _check_page(session, actor, draft, Form())


@room.post("/suchen/<request_id>/senden")
@deed("requests.publish")
def publish(session: Session, actor: Actor, request_id: str) -> Response:
    draft = draft_for(session, actor.firm_id, request_id)
    try:
        count = publish_request(session, actor, request_id)
    except RuleBroken as error:
        form = Form()
        form.add_error(error)
        return _check_page(session, actor, draft, form, 422)
    text = "Gesendet an %(count)s Partner. Antworten bis %(when)s."
    when = when_text(draft.reply_by) if draft.reply_by else ""
    return go_to(_own_url(request_id), receipt=text, count=count, when=when)


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
    return _change_page(request, Form(change_fields(request)))


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
        return _change_page(request, form, 422)
    return go_to(_own_url(request_id), receipt="Geändert. Alle gefragten Partner bekommen die neuen Angaben.")


@room.post("/suchen/<request_id>/zurueckziehen")
@deed("requests.publish")
def withdraw(session: Session, actor: Actor, request_id: str) -> Response:
    withdraw_request(session, actor, request_id)
    return go_to(url_for("requests.new"), receipt="Zurückgezogen. Alle gefragten Partner wissen Bescheid.")


@room.get("/zeit")
@page("requests.publish")
def time(session: Session, actor: Actor) -> Response:
    """S41: process, hours and delivery week against our own plan. Shows the shortage and what to do about it."""
    form = Form(http.args)
    if not http.args:
        form = Form({"process_key": _usual_process(session, actor), "delivery_week": _delivery_weeks()[3]})
        return render("requests/time.html", form=form, result=None, **_time_chips(session, actor))
    result = _shortage(session, actor, form)
    return render("requests/time.html", 200 if result else 422, form=form, result=result, **_time_chips(session, actor))


@room.post("/zeit")
@deed("requests.publish")
def ask_for_shortage(session: Session, actor: Actor) -> Response:
    """Begin a request with the shortage; the numbers are counted again, never taken from the page."""
    form = Form(http.form)
    result = _shortage(session, actor, form)
    if result is None or result["missing_min"] == 0:
        return render("requests/time.html", 422, form=form, result=result, **_time_chips(session, actor))
    missing = RequirementDraft(
        process_key=form.value("process_key"),
        need_min=result["missing_min"],
        first_week=result["first_week"],
        last_week=result["last_week"],
    )
    draft = open_draft(session, actor.firm_id, actor.person_id, RequestKind.HOURS, clock.now())
    request_id = draft.id if draft else start_draft(session, actor, RequestKind.HOURS, missing)
    save_requirement(session, actor, request_id, missing)
    return go_to(url_for("requests.details", request_id=request_id))


@room.get("/wissen")
@page("requests.publish")
def know_how(session: Session, actor: Actor) -> Response:
    """S42: one part, a photo or drawing, how many, until when."""
    draft = open_draft(session, actor.firm_id, actor.person_id, RequestKind.KNOW_HOW, clock.now())
    fields = _details_fields(session, draft) if draft else _new_know_how(session, actor)
    return _know_how_page(session, actor, draft, Form(fields))


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
        return _know_how_page(session, actor, draft, form, 422)
    return go_to(url_for("requests.check", request_id=draft.id))


@room.get("/fragen/<request_id>/<partner_id>")
@page("requests.answer")
def questions(session: Session, actor: Actor, request_id: str, partner_id: str) -> Response:
    """S43: the thread with one partner about one request."""
    request = _thread_request(session, actor, request_id, partner_id)
    response = _thread_page(session, actor, request, partner_id, Form())
    with world().database().write() as writing:
        mark_thread_seen(writing, actor.firm_id, request_id, partner_id)
    return response


@room.post("/fragen/<request_id>/<partner_id>")
@upload_first
@deed("requests.answer")
def write(session: Session, actor: Actor, request_id: str, partner_id: str) -> Response:
    request = _thread_request(session, actor, request_id, partner_id)
    form = Form(http.form)
    text = form.long_text("text", "Schreib deine Frage in das Feld.", 1000)
    if form.is_good:
        try:
            if request.side == "ours":
                answer_question(session, actor, request_id, partner_id, text, uploads())
            else:
                ask_question(session, actor, request_id, text, uploads())
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        return _thread_page(session, actor, request, partner_id, form, 422)
    return go_to(url_for("requests.questions", request_id=request_id, partner_id=partner_id), receipt="Gesendet.")


def _save_need(session: Session, actor: Actor, draft: WorkRequest | None) -> Response:
    form = Form(http.form)
    asked = read_need(form, load_pack(), clock.today())
    if asked is None:
        return _need_page(session, actor, form, draft, 422)
    if draft is None:
        request_id, step = start_draft(session, actor, RequestKind.HOURS, asked), 2
    else:
        save_requirement(session, actor, draft.id, asked)
        request_id, step = draft.id, draft.draft_step
    is_change = step == 3 and form.value("then") == "check"
    return go_to(url_for("requests.check" if is_change else "requests.details", request_id=request_id))


def _keep_details(session: Session, actor: Actor, draft: WorkRequest, form: Form, asked: RequirementDraft) -> bool:
    told = read_details(form, RequestKind(draft.kind), asked, load_pack(draft.pack), clock.now())
    if told is None:
        return False
    try:
        save_details(session, actor, draft.id, *told)
        for upload in uploads():
            attach_file(session, actor, draft.id, upload)
    except RuleBroken as error:
        form.add_error(error)
        return False
    return True


def _need_page(session: Session, actor: Actor, form: Form, draft: WorkRequest | None, status: int = 200) -> Response:
    chips, more = _process_chips(session, actor, form.value("process_key"))
    return render(
        "requests/need.html",
        status,
        form=form,
        draft=draft,
        chips=chips,
        more_chips=more,
        first_weeks=first_week_choices(clock.today(), 12),
        own=[] if draft and draft.draft_step == 3 else _own_cards(session, actor),
        then=http.args.get("then", "") or form.value("then"),
        **_last_week_chips(form.value("first_week")),
    )


def _details_page(session: Session, actor: Actor, draft: WorkRequest, form: Form, status: int = 200) -> Response:
    return render(
        "requests/details.html",
        status,
        form=form,
        draft=draft,
        asked=asked_text(draft.kind, draft.need_min, draft.part_count),
        process=process_text(draft.process_key, draft.pack),
        weeks=weeks_text(draft.first_week, draft.last_week),
        files=files_of(session, actor.firm_id, draft.id),
        **_detail_options(session, actor, draft),
    )


def _know_how_page(
    session: Session, actor: Actor, draft: WorkRequest | None, form: Form, status: int = 200
) -> Response:
    chips, more = _process_chips(session, actor, form.value("process_key"))
    return render(
        "requests/know_how.html",
        status,
        form=form,
        draft=draft,
        chips=[(UNKNOWN, gettext("weiß ich nicht")), *chips],
        more_chips=more,
        delivery_weeks=_delivery_weeks(),
        files=files_of(session, actor.firm_id, draft.id) if draft else (),
        **_detail_options(session, actor, draft),
    )


def _check_page(session: Session, actor: Actor, draft: WorkRequest, form: Form, status: int = 200) -> Response:
    asked = set(chosen_ids(session, actor.firm_id, draft.id))
    partners = [p for p in active_partners(session, actor.firm_id, "requests") if p.partner_id in asked]
    first = url_for("requests.edit", request_id=draft.id, then="check")
    second = url_for("requests.details", request_id=draft.id)
    second = url_for("requests.know_how") if draft.kind == RequestKind.KNOW_HOW else second
    rows = [
        (gettext("Verfahren"), process_text(draft.process_key, draft.pack), first),
        (gettext("Stunden"), hours_text(draft.need_min) if draft.kind == RequestKind.HOURS else "", first),
        (gettext("Wann"), weeks_text(draft.first_week, draft.last_week), first),
        (gettext("Grund"), reason_text(draft.shortage_reason), second),
        (gettext("Partner"), ", ".join(partner.short_name for partner in partners), second),
        (gettext("Antwort bis"), when_text(draft.reply_by) if draft.reply_by else "", second),
        *((name, value, second) for name, value in job_facts(draft)),
        (gettext("Notiz"), draft.note, second),
        (gettext("Dateien"), ", ".join(file.name for file in files_of(session, actor.firm_id, draft.id)), second),
        (gettext("Umkreis"), gettext("≈ %(km)s km", km=draft.radius_km) if draft.radius_km else "", second),
        (gettext("Ansprechpartner"), " · ".join(filter(None, (draft.contact_name, draft.contact_phone))), second),
        (gettext("Kunde (bleibt bei euch)"), draft.customer, second),
    ]
    return render(
        "requests/check.html",
        status,
        form=form,
        draft=draft,
        rows=[row for row in rows if row[1]],
        back=second,
        count=len(partners),
    )


def _change_page(request: WorkRequest, form: Form, status: int = 200) -> Response:
    return render(
        "requests/change.html",
        status,
        form=form,
        request=request,
        process=process_text(request.process_key, request.pack),
        first_weeks=sorted({request.first_week, *first_week_choices(clock.today(), 12)}),
        reply_choices=_reply_choices(form.value("reply_by")),
        back=_own_url(request.id),
        **_last_week_chips(form.value("first_week")),
    )


def _thread_page(
    session: Session, actor: Actor, request: WorkRequest, partner_id: str, form: Form, status: int = 200
) -> Response:
    partner = partnership_with(session, actor.firm_id, partner_id)
    is_ours = request.side == "ours"
    return render(
        "requests/questions.html",
        status,
        form=form,
        partner_name=partner.short_name,
        request_id=request.id,
        partner_id=partner_id,
        about=f"{process_text(request.process_key, request.pack)} · "
        + asked_text(request.kind, request.need_min, request.part_count),
        lines=thread(session, actor.firm_id, request.id, partner_id),
        is_ours=is_ours,
        is_over=request.state in ("cancelled", "expired"),
        back=_own_url(request.id) if is_ours else url_for("offers.show", request_id=request.id),
        phone="" if is_ours else request.contact_phone,
    )


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


def _process_chips(session: Session, actor: Actor, chosen: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The chips that are shown, and those behind "Alle Verfahren"; the chosen one is always shown."""
    order = process_order(session, actor.firm_id)
    order.sort(key=lambda process: process.key != chosen)
    chips = [(process.key, _chip(process)) for process in order]
    return chips[:SHOWN_CHIPS], chips[SHOWN_CHIPS:]


def _chip(process: Process) -> str:
    return process.chip(language())


def _last_week_chips(first_week: str | None) -> dict[str, Any]:
    try:
        shown = last_week_choices(first_week or first_week_choices(clock.today())[0], with_later=True)
    except RuleBroken:
        shown = last_week_choices(first_week_choices(clock.today())[0], with_later=True)
    return {"last_weeks": shown[:12], "later_weeks": shown[12:]}


def _detail_options(session: Session, actor: Actor, draft: WorkRequest | None) -> dict[str, Any]:
    pack = load_pack(draft.pack if draft else "metal")
    return {
        "partners": [(p.partner_id, p.short_name) for p in active_partners(session, actor.firm_id, "requests")],
        "reasons": reason_chips(),
        "reply_choices": _reply_choices(draft.reply_by.isoformat() if draft and draft.reply_by else ""),
        "materials": [material.text for material in pack.materials.values()],
        "it_grades": [(str(grade), "IT01" if grade == -1 else f"IT{grade}") for grade in pack.tolerances.it_grades],
        "ra_steps": [(str(step), f"Ra {ra_text(step)} µm") for step in pack.tolerances.ra_steps_nm],
        "tolerances": [(key, one.label(language())) for key, one in pack.tolerances.general.items()],
        "certificates": [(key, one.label(language())) for key, one in pack.certificates.items()],
    }


def _reply_choices(chosen: str) -> list[tuple[str, str]]:
    """Noon of the next working days; a time chosen earlier stays in the list."""
    choices = [at.isoformat() for at in reply_by_choices(clock.now(), holidays_near(clock.today()))]
    form = Form({"at": chosen})
    kept = read_moment(form, "at")
    if kept is not None and kept > clock.now() and kept.isoformat() not in choices:
        choices = sorted([*choices, kept.isoformat()])
    return [(at, when_text(moment)) for at in choices if (moment := read_moment(Form({"at": at}), "at"))]


def _details_fields(session: Session, draft: WorkRequest) -> Any:
    return details_fields(draft, chosen_ids(session, draft.firm_id, draft.id))


def _new_know_how(session: Session, actor: Actor) -> Any:
    """What is filled in before anything was typed: all partners, the usual deadline, the reason that fits the page."""
    partners = [partner.partner_id for partner in active_partners(session, actor.firm_id, "requests")]
    choices = reply_by_choices(clock.now(), holidays_near(clock.today()))
    fields = details_fields(None, partners)
    fields["reply_by"] = choices[1].isoformat()
    fields["contact_name"] = actor.name
    return fields


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


def _own_cards(session: Session, actor: Actor) -> list[dict[str, str]]:
    return [
        {
            "title": process_text(row.process_key),
            "number": hours_text(row.need_min) if row.kind == RequestKind.HOURS else pieces_text(row.part_count),
            "unit": gettext("Stunden") if row.kind == RequestKind.HOURS else "",
            "part": row.title,
            "weeks": weeks_text(row.first_week, row.last_week),
            "mark": MARKS[row.state],
            "url": _own_url(row.id),
        }
        for row in own_requests(session, actor.firm_id, 12)
    ]


def _own_url(request_id: str) -> str:
    """The page of an own request with its live coverage; it belongs to the plans."""
    return url_for("plans.show", request_id=request_id)


def _usual_process(session: Session, actor: Actor) -> str:
    return process_order(session, actor.firm_id)[0].key


def _delivery_weeks() -> list[str]:
    return first_week_choices(clock.today(), 12)


def _time_chips(session: Session, actor: Actor) -> dict[str, Any]:
    chips, more = _process_chips(session, actor, "")
    return {"chips": chips, "more_chips": more, "delivery_weeks": _delivery_weeks()}


def _shortage(session: Session, actor: Actor, form: Form) -> dict[str, Any] | None:
    """What the order lacks, week by week, as the page shows it; None when the form cannot be read."""
    process_key = form.choice("process_key", load_pack().processes, "Wähle das Verfahren.")
    need_min = form.hours("need", "Gib die Stunden als Zahl ein, zum Beispiel 500.")
    delivery = form.week("delivery_week", "Wähle die Lieferwoche.")
    first = first_week_choices(clock.today())[0]
    if process_key is None or not need_min or delivery is None:
        return None
    if delivery < week_of(clock.today()):
        form.add_error(RuleBroken("Diese KW ist schon vorbei. Wähle eine spätere.", "delivery_week"))
        return None
    first = min(first, delivery)
    free = own_free_by_week(session, actor.firm_id, process_key, first, delivery)
    found = shortage(need_min, list(weeks(first, delivery))[:104], free)
    short = found.weeks or (first, delivery)
    return {
        "missing_min": found.missing_min,
        "need_min": need_min,
        "free_min": sum(line.free_min for line in found.by_week),
        "first_week": short[0],
        "last_week": short[-1],
        "span": weeks_text(short[0], short[-1]),
        "process": process_text(process_key),
        "weeks": [
            {"week": line.week, "own_min": line.free_min, "partner_min": line.missing_min, "free_min": 0}
            for line in found.by_week
        ],
    }
