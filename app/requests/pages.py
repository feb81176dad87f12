"""What the pages of this room show: values for the templates, nothing that changes anything."""

from typing import Any

from flask import Response, url_for
from flask import request as http
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.capacity.queries import own_free_by_week
from app.capacity.rules import shortage
from app.core import clock
from app.core.errors import RuleBroken
from app.core.holidays import holidays_near
from app.core.units import week_of, weeks, weeks_from
from app.federation.queries import shut_files
from app.firms.access import Actor
from app.packs.queries import load_pack
from app.packs.rules import Process
from app.partners.queries import partnership_with
from app.requests.drafts import asked_parameters, asked_types
from app.requests.models import WorkRequest
from app.requests.parsing import UNKNOWN, need_field, read_moment
from app.requests.prefill import details_fields
from app.requests.queries import (
    OwnRow,
    askable_partners,
    chosen_ids,
    files_of,
    own_requests,
    process_order,
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
from app.web.render import hours_said, render

SHOWN_CHIPS = 6
WHO = ("shortage_reason", "partners", "reply_by")
"""Fields of the second step that always show; the others are folded away until one of them is wrong."""


def need_page(session: Session, actor: Actor, form: Form, draft: WorkRequest | None, status: int = 200) -> Response:
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
        **last_week_chips(form.value("first_week")),
    )


def details_page(session: Session, actor: Actor, draft: WorkRequest, form: Form, status: int = 200) -> Response:
    files = files_of(session, actor.firm_id, draft.id)
    return render(
        "requests/details.html",
        status,
        form=form,
        draft=draft,
        asked=asked_text(draft.kind, draft.need_min, draft.part_count),
        process=process_text(draft.process_key, draft.pack),
        weeks=weeks_text(draft.first_week, draft.last_week),
        files=files,
        needs=_needs(draft),
        machine_types=[
            (one.key, one.label(language())) for one in asked_types(draft.process_key, load_pack(draft.pack))
        ],
        is_open=bool(files) or any(error.field not in WHO for error in form.errors),
        delivery_weeks=_delivery_weeks(draft),
        **_detail_options(session, actor, draft, draft.kind),
    )


def _needs(draft: WorkRequest) -> list[dict[str, Any]]:
    """What the machine may be asked to have, as fields of the form."""
    return [
        {
            "name": need_field(one.key),
            "label": one.label(language()),
            "unit": one.unit_text,
            "options": [(choice, choice) for choice in one.choices],
            "is_number": one.operator != "in",
        }
        for one in asked_parameters(draft.process_key, load_pack(draft.pack))
    ]


def _delivery_weeks(draft: WorkRequest) -> list[str]:
    """From the last week of the work on; one chosen earlier stays in the list."""
    usual = weeks_from(draft.last_week, 8)
    return list(weeks(draft.last_week, max(usual[-1], draft.delivery_week or "")))


def know_how_page(session: Session, actor: Actor, draft: WorkRequest | None, form: Form, status: int = 200) -> Response:
    chips, more = _process_chips(session, actor, form.value("process_key"))
    return render(
        "requests/know_how.html",
        status,
        form=form,
        draft=draft,
        chips=[(UNKNOWN, gettext("weiß ich nicht")), *chips],
        more_chips=more,
        delivery_weeks=delivery_weeks(),
        files=files_of(session, actor.firm_id, draft.id) if draft else (),
        **_detail_options(session, actor, draft, RequestKind.KNOW_HOW),
    )


def _limit_text(most: int | None) -> str:
    return gettext("höchstens %(most)s Partner", most=most) if most else ""


def check_page(session: Session, actor: Actor, draft: WorkRequest, form: Form, status: int = 200) -> Response:
    asked = set(chosen_ids(session, actor.firm_id, draft.id))
    partners = [p for p in askable_partners(session, actor.firm_id, draft.kind) if p.partner_id in asked]
    first = url_for("requests.edit", request_id=draft.id, then="check")
    second = url_for("requests.details", request_id=draft.id)
    second = url_for("requests.know_how") if draft.kind == RequestKind.KNOW_HOW else second
    rows = [
        (gettext("Verfahren"), process_text(draft.process_key, draft.pack), first),
        (gettext("Stunden"), hours_said(draft.need_min) if draft.kind == RequestKind.HOURS else "", first),
        (gettext("Wann"), weeks_text(draft.first_week, draft.last_week), first),
        (
            gettext("Liefertermin"),
            weeks_text(draft.delivery_week, draft.delivery_week) if draft.delivery_week else "",
            second,
        ),
        (gettext("Grund"), reason_text(draft.shortage_reason), second),
        (gettext("Partner"), ", ".join(partner.short_name for partner in partners), second),
        (gettext("Aufteilen"), _limit_text(draft.max_partners), second),
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


def change_page(request: WorkRequest, form: Form, status: int = 200) -> Response:
    return render(
        "requests/change.html",
        status,
        form=form,
        request=request,
        process=process_text(request.process_key, request.pack),
        first_weeks=sorted({request.first_week, *first_week_choices(clock.today(), 12)}),
        reply_choices=_reply_choices(form.value("reply_by")),
        back=own_url(request.id),
        **last_week_chips(form.value("first_week")),
    )


def thread_page(
    session: Session, actor: Actor, request: WorkRequest, partner_id: str, form: Form, status: int = 200
) -> Response:
    partner = partnership_with(session, actor.firm_id, partner_id)
    is_ours = request.side == "ours"
    lines = thread(session, actor.firm_id, request.id, partner_id)
    return render(
        "requests/questions.html",
        status,
        form=form,
        partner_name=partner.short_name,
        request_id=request.id,
        partner_id=partner_id,
        about=f"{process_text(request.process_key, request.pack)} · "
        + asked_text(request.kind, request.need_min, request.part_count),
        lines=lines,
        shut=shut_files(session, actor.firm_id, [file.file_id for line in lines for file in line.files]),
        is_ours=is_ours,
        is_over=request.state in ("cancelled", "expired"),
        back=own_url(request.id) if is_ours else url_for("offers.show", request_id=request.id),
        phone="" if is_ours else request.contact_phone,
    )


def _process_chips(session: Session, actor: Actor, chosen: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The chips that are shown, and those behind "Alle Verfahren"; the chosen one is always shown."""
    order = process_order(session, actor.firm_id)
    order.sort(key=lambda process: process.key != chosen)
    chips = [(process.key, _chip(process)) for process in order]
    return chips[:SHOWN_CHIPS], chips[SHOWN_CHIPS:]


def _chip(process: Process) -> str:
    return process.chip(language())


def last_week_chips(first_week: str | None) -> dict[str, Any]:
    try:
        shown = last_week_choices(first_week or first_week_choices(clock.today())[0], with_later=True)
    except RuleBroken:
        shown = last_week_choices(first_week_choices(clock.today())[0], with_later=True)
    return {"last_weeks": shown[:12], "later_weeks": shown[12:]}


def _detail_options(session: Session, actor: Actor, draft: WorkRequest | None, kind: str) -> dict[str, Any]:
    pack = load_pack(draft.pack if draft else "metal")
    return {
        "partners": [(p.partner_id, p.short_name) for p in askable_partners(session, actor.firm_id, kind)],
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


def stored_fields(session: Session, draft: WorkRequest) -> Any:
    return details_fields(draft, chosen_ids(session, draft.firm_id, draft.id))


def new_know_how(session: Session, actor: Actor) -> Any:
    """What is filled in before anything was typed: all partners, the usual deadline, the reason that fits the page."""
    partners = [partner.partner_id for partner in askable_partners(session, actor.firm_id, RequestKind.KNOW_HOW)]
    choices = reply_by_choices(clock.now(), holidays_near(clock.today()))
    fields = details_fields(None, partners)
    fields["reply_by"] = choices[1].isoformat()
    fields["contact_name"] = actor.name
    return fields


def _own_cards(session: Session, actor: Actor) -> list[dict[str, Any]]:
    return [
        {
            "title": process_text(row.process_key),
            "number": hours_said(row.need_min) if row.kind == RequestKind.HOURS else pieces_text(row.part_count),
            "unit": gettext("Stunden") if row.kind == RequestKind.HOURS else "",
            "facts": _card_facts(row),
            "mark": MARKS[row.state],
            "url": own_url(row.id),
        }
        for row in own_requests(session, actor.firm_id, 12)
    ]


def _card_facts(row: OwnRow) -> list[tuple[str, str]]:
    part = [(gettext("Teil"), row.title)] if row.title else []
    return [*part, (gettext("Wann"), weeks_text(row.first_week, row.last_week))]


def own_url(request_id: str) -> str:
    """The page of an own request with its live coverage; it belongs to the plans."""
    return url_for("plans.show", request_id=request_id)


def usual_process(session: Session, actor: Actor) -> str:
    return process_order(session, actor.firm_id)[0].key


def delivery_weeks() -> list[str]:
    return first_week_choices(clock.today(), 12)


def time_chips(session: Session, actor: Actor) -> dict[str, Any]:
    chips, more = _process_chips(session, actor, "")
    return {"chips": chips, "more_chips": more, "delivery_weeks": delivery_weeks()}


def found_shortage(session: Session, actor: Actor, form: Form) -> dict[str, Any] | None:
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
