"""S13 what waits for an answer, S14 answering with one tap, S15 a part, and why our machines fit or not."""

import datetime as dt

from flask import Blueprint, Response, jsonify, url_for
from flask import request as http
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.firms.access import Actor, may
from app.firms.queries import firm_of, person_for
from app.matching.queries import judge_request
from app.offers import protocol  # noqa: F401  its sentences join the Protokoll
from app.offers.actions import answer_no, answer_yes, make_offer, mark_seen, undo_answer, withdraw_offer
from app.offers.pages import answer_page, card, is_waiting, part_page
from app.offers.parsing import TOTAL, part_fields, read_lines, read_rate, read_transport, stepped
from app.offers.queries import asked_of, inbox, own_offer
from app.offers.rules import LineDraft, check_answerable
from app.push.actions import answered_token, use_answer_token
from app.push.messages import reply
from app.push.models import AnswerToken
from app.push.queries import is_ready_for_messages
from app.requests.models import WorkRequest
from app.requests.queries import partner_request
from app.requests.words import (
    process_text,
)
from app.web.forms import Form
from app.web.limits import ANSWER, limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, deed, page
from app.web.world import world

room = Blueprint("offers", __name__)
SHOWN_FOR = dt.timedelta(days=7)
"""How long an answered request stays in the list after its deadline."""
YES = "Danke. %(name)s weiß Bescheid. Dein Ja ist noch kein Vertrag."
NO = "Alles klar. Ein Nein hat keine Nachteile für euch."


@room.get("/anfragen")
@page("requests.answer")
def index(session: Session, actor: Actor) -> Response:
    """S13: sorted by deadline; what waits first, then what was answered, then what does not fit us."""
    rows = inbox(session, actor.firm_id, clock.now() - SHOWN_FOR)
    waiting = [row for row in rows if is_waiting(row) and row.fits]
    return render(
        "offers/index.html",
        waiting=[card(row) for row in waiting],
        answered=[card(row) for row in rows if row.answer],
        others=[card(row) for row in rows if is_waiting(row) and not row.fits],
        may_offer=may(actor, "capacity.offer"),
        offers_messages=is_ready_for_messages(session, actor),
    )


@room.get("/anfragen/<request_id>")
@page("requests.answer")
def show(session: Session, actor: Actor, request_id: str) -> Response:
    """S14: what Keller asks from us, what a yes offers, until when."""
    request = partner_request(session, actor.firm_id, request_id)
    response = answer_page(session, actor, request, Form())
    mark_seen(world().database(), actor, request_id)
    return response


@room.post("/anfragen/<request_id>")
@deed("requests.answer")
def answer(session: Session, actor: Actor, request_id: str) -> Response:
    """Yes and no of S14; a part has a page of its own."""
    request = partner_request(session, actor.firm_id, request_id)
    asked, form = asked_of(session, request), Form(http.form)
    said = form.value("answer")
    undo_url = url_for("offers.undo", request_id=request_id)
    try:
        with session.begin_nested():
            if said == "no":
                answer_no(session, actor.firm_id, actor.person_id, request_id)
            elif said == "yes":
                _say_yes(session, actor, request, form)
            else:
                raise RuleBroken("Wähle eine Möglichkeit aus.")
    except (RuleBroken, Conflict) as error:
        form.add_error(RuleBroken(error.text, error.field, **error.values))
        return answer_page(session, actor, partner_request(session, actor.firm_id, request_id), form, error.status)
    if said == "no":
        return go_to(url_for("offers.index"), receipt=NO, undo_url=undo_url)
    return go_to(url_for("offers.show", request_id=request_id), receipt=YES, undo_url=undo_url, name=asked.partner_name)


@room.get("/anfragen/<request_id>/teil")
@page("requests.answer")
def part(session: Session, actor: Actor, request_id: str) -> Response:
    """S15: other hours, other weeks, another machine; for know-how the hours that the yes still needs."""
    request = partner_request(session, actor.firm_id, request_id)
    check_answerable(asked_of(session, request), clock.now())
    judgement = judge_request(session, actor.firm_id, request)
    offer = own_offer(session, actor.firm_id, request_id)
    return part_page(session, actor, request, Form(part_fields(request, judgement, offer)))


@room.post("/anfragen/<request_id>/teil")
@deed("requests.answer")
def offer_part(session: Session, actor: Actor, request_id: str) -> Response:
    request = partner_request(session, actor.firm_id, request_id)
    asked = asked_of(session, request)
    form = stepped(Form(http.form))
    if form.value(TOTAL + "_step"):
        return part_page(session, actor, request, form, 422)
    judgement = judge_request(session, actor.firm_id, request)
    held = own_offer(session, actor.firm_id, request_id)
    lines = read_lines(form, judgement, held, may(actor, "rates.see"))
    transport_cents = read_transport(form) if may(actor, "rates.see") else None
    if form.is_good:
        try:
            with session.begin_nested():
                make_offer(session, actor, request_id, lines, form.long_text("note", most=300), transport_cents)
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        return part_page(session, actor, partner_request(session, actor.firm_id, request_id), form, 422)
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
@limiter.limit(ANSWER)
@deed(PUBLIC)
def answer_by_token(session: Session, actor: Actor | None) -> Response:
    """The answer from the lock screen: one token, one non-binding answer, once. The token is the only right."""
    token, said = _token_and_answer()
    if said not in ("yes", "no"):
        raise RuleBroken("Das hat nicht geklappt. Öffne die Anfrage.")
    used = use_answer_token(session, token, actor.session_id if actor else "", said)
    if said == "yes":
        told, version = used.proposal_key, used.request_version
        answer_yes(session, used.firm_id, used.person_id, used.request_id, by_token=True, shown=told, version=version)
    else:
        answer_no(session, used.firm_id, used.person_id, used.request_id)
    return _spoken(session, used, said, url_for("offers.undo_by_token"))


@room.post("/antwort/zurueck")
@limiter.limit(ANSWER)
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
