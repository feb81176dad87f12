"""S13 what waits for an answer, S14 answering with one tap, S15 a part, and why our machines fit or not."""

import datetime as dt
from typing import Any

from flask import Blueprint, Response, jsonify, url_for
from flask import request as http
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.units import hours_text
from app.firms.access import Actor, may
from app.firms.queries import firm_of, person_for
from app.matching.queries import Judgement, judge_request
from app.offers.actions import answer_no, answer_part, answer_yes, make_offer, mark_seen, undo_answer, withdraw_offer
from app.offers.parsing import TOTAL, free_slots, part_fields, read_lines, read_rate, stepped
from app.offers.queries import InboxRow, OfferView, asked_of, inbox, own_offer, waiting_count
from app.offers.rules import UNDO, Asked, LineDraft, check_answerable
from app.push.actions import answered_token, use_answer_token
from app.push.messages import reply
from app.push.models import AnswerToken
from app.requests.models import Receipt, WorkRequest
from app.requests.queries import ANSWERABLE, files_of, partner_request, receipt_of, thread
from app.requests.words import (
    asked_text,
    part_facts,
    pieces_text,
    precise_facts,
    process_text,
    reason_text,
    weeks_text,
    when_text,
)
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, deed, page
from app.web.world import world

room = Blueprint("offers", __name__)
SHOWN_FOR = dt.timedelta(days=7)
"""How long an answered request stays in the list after its deadline."""
YES = "Danke. %(name)s weiß Bescheid. Dein Ja ist noch kein Vertrag."
NO = "Alles klar. Ein Nein hat keine Nachteile für euch."


@room.record_once
def count_what_waits(state: Any) -> None:
    """The number on the tab Anfragen."""
    counts = state.app.extensions.setdefault("tab_counts", {})
    counts["offers"] = lambda session, actor: waiting_count(session, actor.firm_id, clock.now())


@room.get("/anfragen")
@page("requests.answer")
def index(session: Session, actor: Actor) -> Response:
    """S13: sorted by deadline; what waits first, then what was answered, then what does not fit us."""
    rows = inbox(session, actor.firm_id, clock.now() - SHOWN_FOR)
    waiting = [row for row in rows if _is_waiting(row) and row.fits]
    return render(
        "offers/index.html",
        waiting=[_card(row) for row in waiting],
        answered=[_card(row) for row in rows if row.answer],
        others=[_card(row) for row in rows if _is_waiting(row) and not row.fits],
        may_offer=may(actor, "capacity.offer"),
    )


@room.get("/anfragen/<request_id>")
@page("requests.answer")
def show(session: Session, actor: Actor, request_id: str) -> Response:
    """S14: what Keller asks from us, what a yes offers, until when."""
    request = partner_request(session, actor.firm_id, request_id)
    response = _answer_page(session, actor, request, Form())
    mark_seen(world().database(), actor, request_id)
    return response


@room.post("/anfragen/<request_id>")
@deed("requests.answer")
def answer(session: Session, actor: Actor, request_id: str) -> Response:
    """The three buttons of S14."""
    request = partner_request(session, actor.firm_id, request_id)
    asked, form = asked_of(session, request), Form(http.form)
    said = form.value("answer")
    if said == "part":
        return go_to(url_for("offers.part", request_id=request_id))
    if said == "no":
        answer_no(session, actor.firm_id, actor.person_id, request_id)
        return go_to(url_for("offers.index"), receipt=NO, undo_url=url_for("offers.undo", request_id=request_id))
    try:
        with session.begin_nested():
            _say_yes(session, actor, request, form)
    except (RuleBroken, Conflict) as error:
        form.add_error(RuleBroken(error.text, error.field, **error.values))
        return _answer_page(session, actor, partner_request(session, actor.firm_id, request_id), form, error.status)
    undo_url = url_for("offers.undo", request_id=request_id)
    return go_to(url_for("offers.show", request_id=request_id), receipt=YES, undo_url=undo_url, name=asked.partner_name)


@room.get("/anfragen/<request_id>/teil")
@page("requests.answer")
def part(session: Session, actor: Actor, request_id: str) -> Response:
    """S15: other hours, other weeks, another machine; for know-how the hours that the yes still needs."""
    request = partner_request(session, actor.firm_id, request_id)
    check_answerable(asked_of(session, request), clock.now())
    judgement = judge_request(session, actor.firm_id, request)
    offer = own_offer(session, actor.firm_id, request_id)
    return _part_page(session, actor, request, Form(part_fields(request, judgement, offer)))


@room.post("/anfragen/<request_id>/teil")
@deed("requests.answer")
def offer_part(session: Session, actor: Actor, request_id: str) -> Response:
    request = partner_request(session, actor.firm_id, request_id)
    asked = asked_of(session, request)
    form = stepped(Form(http.form))
    if form.value(TOTAL + "_step"):
        return _part_page(session, actor, request, form, 422)
    judgement = judge_request(session, actor.firm_id, request)
    held = own_offer(session, actor.firm_id, request_id)
    lines = read_lines(form, judgement, held, may(actor, "rates.see"))
    if form.is_good:
        try:
            with session.begin_nested():
                answer_part(session, actor, request_id, lines, form.long_text("note", most=300))
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        return _part_page(session, actor, partner_request(session, actor.firm_id, request_id), form, 422)
    undo_url = url_for("offers.undo", request_id=request_id)
    return go_to(url_for("offers.show", request_id=request_id), receipt=YES, undo_url=undo_url, name=asked.partner_name)


@room.get("/anfragen/<request_id>/warum")
@page("requests.answer")
def why(session: Session, actor: Actor, request_id: str) -> Response:
    """Why each of our machines fits or not; only our own people see it."""
    request = partner_request(session, actor.firm_id, request_id)
    judgement = judge_request(session, actor.firm_id, request)
    machines = [
        {
            "name": judgement.machines[verdict.machine_id].name,
            "answer": verdict.answer,
            "total_min": verdict.total_min,
            "reasons": verdict.reasons,
        }
        for verdict in judgement.verdict.machines
    ]
    return render(
        "offers/why.html",
        request=request,
        partner_name=asked_of(session, request).partner_name,
        process=process_text(request.process_key, request.pack),
        machines=machines,
    )


@room.post("/anfragen/<request_id>/zuruecknehmen")
@deed("requests.answer")
def undo(session: Session, actor: Actor, request_id: str) -> Response:
    """Undo within ten minutes."""
    undo_answer(session, actor.firm_id, actor.person_id, request_id)
    return go_to(url_for("offers.show", request_id=request_id), receipt="Zurückgenommen. Die Anfrage wartet wieder.")


@room.post("/angebote/<offer_id>/zurueckziehen")
@deed("requests.answer")
def withdraw(session: Session, actor: Actor, offer_id: str) -> Response:
    """Take a yes back before it was chosen."""
    withdraw_offer(session, actor, offer_id)
    return go_to(url_for("offers.index"), receipt="Zurückgenommen. Die Stunden sind wieder frei.")


@room.post("/antwort")
@deed(PUBLIC)
def answer_by_token(session: Session, actor: Actor | None) -> Response:
    """The answer from the lock screen: one token, one non-binding answer, once. The token is the only right."""
    token, said = _token_and_answer()
    if said not in ("yes", "no"):
        raise RuleBroken("Das hat nicht geklappt. Öffne die Anfrage.")
    used = use_answer_token(session, token, actor.session_id if actor else "", said)
    if said == "yes":
        version = used.request_version
        answer_yes(session, used.firm_id, used.person_id, used.request_id, by_token=True, version=version)
    else:
        answer_no(session, used.firm_id, used.person_id, used.request_id)
    return _spoken(session, used, said, url_for("offers.undo_by_token"))


@room.post("/antwort/zurueck")
@deed(PUBLIC)
def undo_by_token(session: Session, actor: Actor | None) -> Response:
    """Take the answer from the lock screen back, within ten minutes, by the same token."""
    token, _said = _token_and_answer()
    used = answered_token(session, token, actor.session_id if actor else "")
    undo_answer(session, used.firm_id, used.person_id, used.request_id)
    return _spoken(session, used, "undo", "")


def _token_and_answer() -> tuple[str, str]:
    body = http.get_json(silent=True)
    told = body if isinstance(body, dict) else {}
    token, said = told.get("token"), told.get("answer")
    if not isinstance(token, str) or not 0 < len(token) <= 200:
        raise RuleBroken("Das hat nicht geklappt. Öffne die Anfrage.")
    return token, said if isinstance(said, str) else ""


def _spoken(session: Session, used: AnswerToken, said: str, undo_url: str) -> Response:
    """What the lock screen shows now, in the person's language."""
    request = partner_request(session, used.firm_id, used.request_id)
    shows_name = firm_of(session, used.firm_id).name_in_push
    name = asked_of(session, request).partner_name if shows_name else ""
    told = reply(said, person_for(session, used.firm_id, used.person_id).language, name)
    return jsonify(title=told.title, body=told.body, undo_url=undo_url)


def _say_yes(session: Session, actor: Actor, request: WorkRequest, form: Form) -> None:
    """A plain yes; where a manager had to type the rate, the shown lines with that rate."""
    rate = read_rate(form) if form.value("rate") and may(actor, "rates.see") else None
    if not form.is_good:
        raise form.errors[0]
    if rate is None:
        version = form.whole("version", 1, 1000)
        answer_yes(
            session, actor.firm_id, actor.person_id, request.id, shown=form.value("shown") or None, version=version
        )
        return
    judgement = judge_request(session, actor.firm_id, request)
    lines = [
        LineDraft(line.machine_id, line.week, line.minutes, line.rate_cents_per_hour or rate)
        for line in judgement.lines
    ]
    make_offer(session, actor, request.id, lines)


def _answer_page(session: Session, actor: Actor, request: WorkRequest, form: Form, status: int = 200) -> Response:
    asked = asked_of(session, request)
    judgement = judge_request(session, actor.firm_id, request)
    offer = own_offer(session, actor.firm_id, request.id)
    receipt = receipt_of(session, actor.firm_id, request.id)
    return render(
        "offers/show.html",
        status,
        form=form,
        request=request,
        partner_name=asked.partner_name,
        ended=_ended_text(asked),
        process=process_text(request.process_key, request.pack),
        asked=asked_text(request.kind, request.need_min, request.part_count),
        reply_by=when_text(request.reply_by) if request.reply_by else "",
        weeks=weeks_text(request.first_week, request.last_week),
        judgement=judgement,
        span=weeks_text(judgement.lines[0].week, judgement.lines[-1].week) if judgement.lines else "",
        lines=_by_week(judgement),
        facts=_facts(request, judgement),
        files=files_of(session, actor.firm_id, request.id),
        offer=offer if offer and offer.offer.state not in ("withdrawn", "expired", "superseded") else None,
        own=receipt,
        can_undo=_can_undo(receipt),
        may_rate=may(actor, "rates.see"),
        line_count=len(thread(session, actor.firm_id, request.id, request.partner_id or "")),
        valid_until=_valid_text(offer),
        one_machine=_one_machine(offer),
    )


def _part_page(session: Session, actor: Actor, request: WorkRequest, form: Form, status: int = 200) -> Response:
    asked = asked_of(session, request)
    judgement = judge_request(session, actor.firm_id, request)
    offer = own_offer(session, actor.firm_id, request.id)
    free = free_slots(judgement, offer)
    machines = [(machine_id, judgement.machines[machine_id].name) for machine_id in sorted({key[0] for key in free})]
    return render(
        "offers/part.html",
        status,
        form=form,
        request=request,
        partner_name=asked.partner_name,
        process=process_text(request.process_key, request.pack),
        asked=asked_text(request.kind, request.need_min, request.part_count),
        machines=machines,
        weeks=[{"week": week, "free_min": minutes} for week, minutes in _free_by_week(free)],
        slots=[
            {
                "name": f"line.{machine_id}.{week}",
                "machine": judgement.machines[machine_id].name,
                "week": week,
                "free_min": minutes,
            }
            for (machine_id, week), minutes in sorted(free.items(), key=lambda item: (item[0][1], item[0][0]))
        ],
        needs_rate=any(judgement.machines[machine_id].rate_cents_per_hour is None for machine_id, _name in machines),
        may_rate=may(actor, "rates.see"),
    )


def _facts(request: WorkRequest, judgement: Judgement) -> list[tuple[str, str]]:
    """What it is, how much of it is free here, how much is asked in all; then the rest of the job."""
    rows = part_facts(request)
    if request.kind == "hours":
        rows.append((gettext("Frei bei dir"), gettext("%(hours)s Stunden", hours=hours_text(judgement.total_free_min))))
        rows.append((gettext("Gesucht insgesamt"), asked_text(request.kind, request.need_min, None)))
    rows += precise_facts(request)
    if request.shortage_reason:
        rows.append((gettext("Grund"), reason_text(request.shortage_reason)))
    return rows


def _by_week(judgement: Judgement) -> list[dict[str, Any]]:
    """Lines of a plain yes, the earliest week first."""
    return [
        {"week": line.week, "minutes": line.minutes, "machine": line.machine_name}
        for line in sorted(judgement.lines, key=lambda line: (line.week, line.machine_name))
    ]


def _free_by_week(free: dict[tuple[str, str], int]) -> list[tuple[str, int]]:
    total: dict[str, int] = {}
    for (_machine_id, week), minutes in free.items():
        total[week] = total.get(week, 0) + minutes
    return sorted(total.items())


def _card(row: InboxRow) -> dict[str, Any]:
    is_hours = row.kind == "hours"
    number = row.proposed_min if is_hours else 0
    return {
        "id": row.id,
        "title": _title(row),
        "minutes": number or (row.need_min if is_hours else 0),
        "pieces": "" if is_hours else pieces_text(row.part_count),
        "part": row.title,
        "weeks": weeks_text(row.first_week, row.last_week),
        "reply_by": when_text(row.reply_by),
        "mark": _mark(row),
        "unread": row.unread_count,
    }


def _mark(row: InboxRow) -> str:
    if row.state in ("cancelled", "expired"):
        return {"cancelled": "zurueckgezogen", "expired": "abgelaufen"}[row.state]
    return {"yes": "zugesagt", "part": "teil", "no": "nein"}.get(row.answer, "")


def _is_waiting(row: InboxRow) -> bool:
    return not row.answer and row.state in ANSWERABLE and row.reply_by > clock.now()


def _ended_text(asked: Asked) -> str:
    """Why the request can no longer be answered, '' while it can."""
    try:
        check_answerable(asked, clock.now())
    except Conflict as error:
        return str(gettext(error.text, **error.values))
    return ""


def _can_undo(receipt: Receipt | None) -> bool:
    return bool(receipt and receipt.answer and receipt.answered_at and clock.now() <= receipt.answered_at + UNDO)


def _one_machine(offer: OfferView | None) -> str:
    """The machine's name where all lines lie on one machine, else ''."""
    names = {line.machine_name for line in offer.lines} if offer else set()
    return names.pop() if len(names) == 1 else ""


def _title(row: InboxRow) -> str:
    if row.process_key is None:
        return str(gettext("Wer kann das? %(name)s fragt.", name=row.partner_name))
    process = process_text(row.process_key, row.pack)
    return str(gettext("%(process)s für %(name)s", process=process, name=row.partner_name))


def _valid_text(offer: OfferView | None) -> str:
    return when_text(offer.offer.valid_until) if offer else ""
