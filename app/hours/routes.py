"""S10 hours in three taps, S11 my hours, S19 checking them and answering partners' slips."""

import datetime as dt
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from flask import Response, jsonify, url_for
from flask import request as http
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session

from app.bookings.queries import booking_for, own_jobs
from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.units import hours_text, week_of
from app.firms.access import Actor, may
from app.firms.protocol import add_sentences
from app.firms.queries import person_for
from app.hours import sticker_routes  # noqa: F401  its pages join this room
from app.hours.actions import (
    check_reports,
    confirm_report,
    correct_entry,
    dispute_report,
    own_entry,
    report_hours,
    send_by_token,
    start_correction,
    take_back_by_token,
)
from app.hours.answering import silent_until
from app.hours.models import HourReport
from app.hours.parsing import HOURS, fields_of, read_entry, read_key, stepped
from app.hours.queries import (
    Slip,
    day_min,
    entries_of,
    entry_by_key,
    own_entries,
    record_of,
    report_for,
    reported_min,
    slip_for,
    slips,
)
from app.hours.reporting import key_of
from app.hours.room import room
from app.hours.rules import CONFIRMED, OPEN, days_to_report, planned_min
from app.notary.queries import evidence_file
from app.push.actions import answered_token, use_answer_token
from app.push.messages import reply
from app.push.models import AnswerToken
from app.web.forms import Form
from app.web.limits import ANSWER, PROOFS, limiter, paced
from app.web.render import go_to, render
from app.web.security import FILE_POLICY, person_mark
from app.web.transaction import PUBLIC, deed, page

add_sentences(
    {
        "hours_checked": ("check", lazy_gettext("Stunden sind geprüft und gesendet.")),
        "hours_confirmed": ("circle-check", lazy_gettext("Stunden eines Partners sind bestätigt.")),
        "hours_disputed": ("x", lazy_gettext("Stunden eines Partners stimmen nicht.")),
    }
)
SENT = "Gesendet. Danke. Du kannst die Zahl noch ändern, bis dein Meister sie prüft."
KIND_WORDS = {
    "run": lazy_gettext("Bearbeiten"),
    "set_up": lazy_gettext("Rüsten"),
    "programming": lazy_gettext("Programmieren"),
    "idle": lazy_gettext("Stillstand"),
}
SHOWN_FOR = dt.timedelta(weeks=4)


@room.get("/stunden")
@page("hours.report")
def mine(session: Session, actor: Actor) -> Response:
    """S11: what I reported, day by day; it may be changed until the foreman has checked it."""
    today = clock.today()
    entries = own_entries(session, actor, today - SHOWN_FOR)
    days = [(day, list(found)) for day, found in groupby(entries, key=lambda entry: entry.day)]
    week = week_of(today)
    return render(
        "hours/mine.html",
        days=days,
        kinds=KIND_WORDS,
        week=week,
        week_min=sum(entry.minutes for entry in entries if entry.week == week),
        jobs=own_jobs(session, actor, week),
        earlier=own_jobs(session, actor, week_of(today - dt.timedelta(weeks=1))),
    )


@room.get("/auftrag/<booking_id>/stunden")
@page("hours.report")
def report(session: Session, actor: Actor, booking_id: str) -> Response:
    """S10: prefilled with what a day of this job usually is."""
    job = _job(session, actor, booking_id)
    days = days_to_report(job.week, clock.today())
    usual_min = planned_min(job.agreed_min, reported_min(session, actor.firm_id, booking_id))
    day = http.args.get("tag", "") or (days[0].isoformat() if days else "")
    return _entry_page(session, actor, job, Form({HOURS: hours_text(usual_min), "day": day}))


@room.post("/auftrag/<booking_id>/stunden")
@deed("hours.report")
def send(session: Session, actor: Actor, booking_id: str) -> Response:
    job, form = _job(session, actor, booking_id), Form(http.form)
    if form.value(HOURS + "_step"):
        return _entry_page(session, actor, job, stepped(form), 422)
    draft = read_entry(form)
    if draft is not None:
        try:
            with session.begin_nested():
                report_hours(session, actor, booking_id, draft, read_key(form))
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        return _entry_page(session, actor, job, form, 422)
    return go_to(url_for("hours.mine"), receipt=SENT)


@room.post("/stunden/senden")
@deed("hours.report")
def take(session: Session, actor: Actor) -> Response:
    """What a phone kept, as JSON: a key is taken once, and a repeat gets the same answer."""
    given = http.get_json(silent=True)
    form = Form({name: str(value) for name, value in given.items()} if isinstance(given, dict) else {})
    if form.value("person") != person_mark():
        raise Conflict("Diese Stunden hat jemand anderes geschrieben.")
    draft, key = read_entry(form), read_key(form)
    if draft is None:
        raise form.errors[0]
    entry_id = form.value("entry_id") or _sent_before(session, actor, form.value("corrects_key"))
    if entry_id:
        correct_entry(session, actor, entry_id, draft, key)
    elif draft.minutes or not form.value("corrects_key"):
        report_hours(session, actor, form.value("booking_id"), draft, key)
    done = go_to(url_for("hours.mine"), receipt="Geändert." if entry_id else SENT)
    response = jsonify({"ok": True, "url": done.location})
    response.headers.extend((name, value) for name, value in done.headers if name == "Set-Cookie")
    return response


@room.post("/stunden/antwort")
@limiter.limit(ANSWER)
@deed(PUBLIC)
def send_by_message(session: Session, actor: Actor | None) -> Response:
    """One tap on the lock screen: one token, the hours that the message named, once. The token is the only right."""
    used = use_answer_token(session, _token(), actor.session_id if actor else "", "send")
    send_by_token(session, used)
    return _spoken(session, used, "sent", url_for("hours.take_back_by_message"))


@room.post("/stunden/antwort/zurueck")
@limiter.limit(ANSWER)
@deed(PUBLIC)
def take_back_by_message(session: Session, actor: Actor | None) -> Response:
    used = answered_token(session, _token(), actor.session_id if actor else "")
    take_back_by_token(session, used)
    return _spoken(session, used, "unsent", "")


@room.get("/stunden/<entry_id>")
@page("hours.report")
def edit(session: Session, actor: Actor, entry_id: str) -> Response:
    """The same page with what was sent."""
    entry = own_entry(session, actor, entry_id)
    return _entry_page(session, actor, _job_of(session, actor, entry.report_id), Form(fields_of(entry)), 200, entry_id)


@room.post("/stunden/<entry_id>")
@deed("hours.report")
def correct(session: Session, actor: Actor, entry_id: str) -> Response:
    """A correction is a new entry; with no hours the old one is taken back."""
    entry, form = own_entry(session, actor, entry_id), Form(http.form)
    job = _job_of(session, actor, entry.report_id)
    if form.value(HOURS + "_step"):
        return _entry_page(session, actor, job, stepped(form), 422, entry_id)
    draft = read_entry(form)
    if draft is not None:
        try:
            with session.begin_nested():
                correct_entry(session, actor, entry_id, draft, read_key(form))
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        return _entry_page(session, actor, job, form, 422, entry_id)
    return go_to(url_for("hours.mine"), receipt="Geändert.")


@room.get("/stunden/pruefen")
@page("hours.check")
def check(session: Session, actor: Actor) -> Response:
    """S19: what our people reported, and what partners did for us."""
    found = slips(session, actor.firm_id, (*OPEN, "checked", "disputed"))
    settled = slips(session, actor.firm_id, CONFIRMED, clock.now() - SHOWN_FOR)
    return _check_page(session, actor, found, settled, Form())


@room.post("/stunden/pruefen")
@deed("hours.check")
def close(session: Session, actor: Actor) -> Response:
    """One tap for all of them: each week is closed, sealed and sent."""
    form = Form(http.form)
    try:
        with session.begin_nested():
            check_reports(session, actor, form.values("report"))
    except RuleBroken as error:
        form.add_error(error)
        found = slips(session, actor.firm_id, (*OPEN, "checked", "disputed"))
        return _check_page(session, actor, found, [], form, 422)
    return go_to(url_for("hours.check"), receipt="Geprüft. Die Stunden sind beim Partner.")


@room.get("/stunden/meldung/<report_id>")
@page("hours.see")
def slip(session: Session, actor: Actor, report_id: str) -> Response:
    """One week's slip with its lines, what became of it, and its evidence."""
    return _slip_page(session, actor, report_id, Form())


@room.post("/stunden/meldung/<report_id>/ja")
@deed("hours.check")
def confirm(session: Session, actor: Actor, report_id: str) -> Response:
    form = Form(http.form)
    try:
        with session.begin_nested():
            confirm_report(session, actor, report_id)
    except RuleBroken as error:
        form.add_error(error)
        return _slip_page(session, actor, report_id, form, 422)
    return go_to(url_for("hours.slip", report_id=report_id), receipt="Bestätigt. Euer Partner weiß Bescheid.")


@room.post("/stunden/meldung/<report_id>/nein")
@deed("hours.check")
def dispute(session: Session, actor: Actor, report_id: str) -> Response:
    form = Form(http.form)
    reason = form.text("reason", "Schreib kurz, was nicht stimmt.", most=200)
    if form.is_good:
        try:
            with session.begin_nested():
                dispute_report(session, actor, report_id, form.values("entries"), reason)
        except RuleBroken as error:
            form.add_error(error)
    if not form.is_good:
        return _slip_page(session, actor, report_id, form, 422)
    return go_to(url_for("hours.slip", report_id=report_id), receipt="Gesendet. Euer Partner prüft die Stunden.")


@room.post("/stunden/meldung/<report_id>/korrigieren")
@deed("hours.check")
def begin_correction(session: Session, actor: Actor, report_id: str) -> Response:
    """A new report takes the disputed one's place; its numbers are changed like any others."""
    new = start_correction(session, actor, report_id)
    return go_to(url_for("hours.slip", report_id=new.id))


@room.get("/stunden/meldung/<report_id>/<any(report, confirm):kind>.json")
@paced(PROOFS)
@page("hours.see")
def proof(session: Session, actor: Actor, report_id: str, kind: str) -> Response:
    """The evidence file of report or confirmation, to be verified offline by anybody."""
    report_for(session, actor.firm_id, report_id)
    record = record_of(session, actor.firm_id, report_id, kind)
    if record is None:
        raise NotFound
    body = evidence_file(session, actor.firm_id, record.entry_seq, record.counterpart)
    response = Response(body, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="stunden-{kind}-{report_id[-12:]}.json"'
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response


def _check_page(
    session: Session, actor: Actor, found: list[Slip], settled: list[Slip], form: Form, status: int = 200
) -> Response:
    own = [one for one in found if one.side == "ours" and one.state in OPEN]
    return render(
        "hours/check.html",
        status,
        form=form,
        own=[(one, entries_of(session, actor.firm_id, one.id)) for one in own],
        partners=[one for one in found if one.side == "theirs" and one.state == "checked"],
        disputed=[one for one in found if one.state == "disputed"],
        sent=[one for one in found if one.side == "ours" and one.state == "checked"],
        settled=settled[::-1],
        kinds=KIND_WORDS,
    )


def _slip_page(session: Session, actor: Actor, report_id: str, form: Form, status: int = 200) -> Response:
    found, report = slip_for(session, actor.firm_id, report_id), report_for(session, actor.firm_id, report_id)
    records = [kind for kind in ("report", "confirm") if record_of(session, actor.firm_id, report_id, kind)]
    return render(
        "hours/slip.html",
        status,
        slip=found,
        form=form,
        entries=entries_of(session, actor.firm_id, report_id),
        disputed=report.disputed_entries,
        until=silent_until(session, report) if report.state == "checked" else None,
        records=records,
        may_check=may(actor, "hours.check"),
        is_open=report.state in OPEN,
        kinds=KIND_WORDS,
    )


def _token() -> str:
    body = http.get_json(silent=True)
    token = body.get("token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not 0 < len(token) <= 200:
        raise RuleBroken("Das hat nicht geklappt. Öffne die App.")
    return token


def _spoken(session: Session, used: AnswerToken, said: str, undo_url: str) -> Response:
    """What the lock screen shows now, in the person's language."""
    told = reply(said, person_for(session, used.firm_id, used.person_id).language)
    return jsonify(title=told.title, body=told.body, undo_url=undo_url)


def _sent_before(session: Session, actor: Actor, key: str) -> str:
    """The entry that an earlier key of this phone made, if it came through."""
    entry = entry_by_key(session, actor.firm_id, key_of(actor, key)) if key else None
    return entry.id if entry else ""


def _job(session: Session, actor: Actor, booking_id: str) -> sa.Row[Any]:
    job = booking_for(session, actor, booking_id)
    if not job.is_our_work:
        raise NotFound
    return job


def _job_of(session: Session, actor: Actor, report_id: str) -> sa.Row[Any]:
    return _job(session, actor, session.get_one(HourReport, (actor.firm_id, report_id)).booking_id)


def _entry_page(
    session: Session, actor: Actor, job: sa.Row[Any], form: Form, status: int = 200, entry_id: str = ""
) -> Response:
    today = clock.today()
    return render(
        "hours/report.html",
        status,
        job=job,
        form=form,
        entry_id=entry_id,
        days=days_to_report(job.week, today),
        today=today,
        done_min=0 if entry_id else day_min(session, actor, job.id, today),
        kinds=KIND_WORDS,
    )
