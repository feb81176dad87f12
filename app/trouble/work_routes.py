"""S49 taking the work or showing a fault, S48 what was brought, and one file with all evidence."""

from typing import Any

from flask import Response, current_app, url_for
from flask import request as http
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

import app.trouble.signables  # noqa: F401  registers what is signed here
from app.agreements.queries import agreement_for
from app.bookings.models import Booking
from app.bookings.queries import booking_for
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor, may
from app.hours.queries import confirmed_hours
from app.notary.queries import evidence_file
from app.requests.parsing import uploads
from app.trouble.actions import (
    ProvisionDraft,
    accept_work,
    announce_provision,
    answer_defect,
    move_provision,
    report_defect,
    settle_defect,
)
from app.trouble.defects import accept_until
from app.trouble.evidence import dispute_file
from app.trouble.models import Defect
from app.trouble.queries import (
    acceptance_of,
    defect_for,
    defects_of,
    photos_of,
    provision_for,
    provisions_of,
)
from app.trouble.records import record_for, record_of
from app.trouble.room import room
from app.trouble.rules import (
    MOST_DESCRIPTION,
    MOST_NOTE,
    MOST_PIECES,
    MOST_TEXT,
    PROVISION_KINDS,
    PROVISION_STATES,
    PROVISION_STEPS,
)
from app.web.forms import Form
from app.web.limits import PROOFS, paced
from app.web.render import go_to, render
from app.web.security import FILE_POLICY
from app.web.transaction import deed, page

PHOTOS = "photos"
DEFECT_WORDS = {
    "reported": lazy_gettext("gemeldet"),
    "rework": lazy_gettext("wird nachgearbeitet"),
    "disputed": lazy_gettext("bestritten"),
    "settled": lazy_gettext("behoben"),
}


@room.get("/auftrag/<booking_id>/abnahme")
@page("trouble.see")
def acceptance(session: Session, actor: Actor, booking_id: str) -> Response:
    """S49: accept, or show the fault; who worked sees how it stands."""
    return _acceptance_page(session, actor, booking_id, Form())


@room.post("/auftrag/<booking_id>/abnahme")
@deed("trouble.see")
def accept(session: Session, actor: Actor, booking_id: str) -> Response:
    form = Form()
    try:
        with session.begin_nested():
            accept_work(session, actor, booking_id)
    except RuleBroken as error:
        form.add_error(error)
        return _acceptance_page(session, actor, booking_id, form, 422)
    return go_to(
        url_for("trouble.acceptance", booking_id=booking_id), receipt="Abgenommen. Euer Partner weiß Bescheid."
    )


@room.post("/auftrag/<booking_id>/mangel")
@deed("trouble.see")
def complain(session: Session, actor: Actor, booking_id: str) -> Response:
    form = Form(http.form)
    text = form.long_text("text", "Schreib kurz, was nicht stimmt.", MOST_TEXT)
    photos = uploads(form, PHOTOS)
    if form.is_good:
        try:
            with session.begin_nested():
                defect = report_defect(session, actor, booking_id, text, photos)
            return go_to(
                url_for("trouble.defect", defect_id=defect.id), receipt="Gesendet. Euer Partner antwortet euch."
            )
        except RuleBroken as error:
            form.add_error(error)
    return _acceptance_page(session, actor, booking_id, form, 422)


@room.get("/mangel/<defect_id>")
@page("trouble.see")
def defect(session: Session, actor: Actor, defect_id: str) -> Response:
    """One defect with its photos, the answer, and what comes next."""
    return _defect_page(session, actor, defect_for(session, actor.firm_id, defect_id), Form())


@room.post("/mangel/<defect_id>/antwort")
@deed("trouble.see")
def reply(session: Session, actor: Actor, defect_id: str) -> Response:
    form = Form(http.form)
    answer = form.choice("answer", ("rework", "disputed"), "Sag, was ihr tut.")
    missing = "Schreib kurz, warum ihr es anders seht." if answer == "disputed" else ""
    text = form.long_text("text", missing, MOST_TEXT)
    if not form.is_good or answer is None:
        return _defect_page(session, actor, defect_for(session, actor.firm_id, defect_id), form, 422)
    answer_defect(session, actor, defect_id, answer, text)
    return go_to(url_for("trouble.defect", defect_id=defect_id), receipt="Gesendet. Euer Partner weiß Bescheid.")


@room.post("/mangel/<defect_id>/behoben")
@deed("trouble.see")
def settle(session: Session, actor: Actor, defect_id: str) -> Response:
    found = settle_defect(session, actor, defect_id)
    return go_to(url_for("trouble.acceptance", booking_id=found.booking_id), receipt="Gut. Der Mangel ist behoben.")


@room.get("/auftrag/<booking_id>/beistellung")
@page("trouble.report")
def provisions(session: Session, actor: Actor, booking_id: str) -> Response:
    """S48: what was announced, received, returned or used up, for both to see."""
    return _provisions_page(session, actor, booking_id, Form())


@room.post("/auftrag/<booking_id>/beistellung")
@deed("trouble.report")
def bring(session: Session, actor: Actor, booking_id: str) -> Response:
    form = Form(http.form)
    kind = form.choice("kind", PROVISION_KINDS, "Wähle, was ihr schickt.")
    description = form.text("description", "Schreib, was es ist.", MOST_DESCRIPTION)
    quantity = form.whole("quantity", 1, MOST_PIECES, "Wie viele Stück?")
    photos = uploads(form, PHOTOS)
    if form.is_good and kind is not None and quantity is not None:
        try:
            with session.begin_nested():
                announce_provision(session, actor, booking_id, ProvisionDraft(kind, description, quantity), photos)
            return go_to(url_for("trouble.provisions", booking_id=booking_id), receipt="Angekündigt.")
        except RuleBroken as error:
            form.add_error(error)
    return _provisions_page(session, actor, booking_id, form, 422)


@room.post("/auftrag/<booking_id>/beistellung/<provision_id>")
@deed("trouble.report")
def move(session: Session, actor: Actor, booking_id: str, provision_id: str) -> Response:
    form = Form(http.form)
    booking_for(session, actor, booking_id)
    provision_for(session, actor.firm_id, provision_id)
    to = form.choice("to", PROVISION_STATES, "Wähle, was damit ist.")
    note, photos = form.text(f"note_{provision_id}", most=MOST_NOTE), uploads(form, f"{PHOTOS}_{provision_id}")
    if form.is_good and to is not None:
        try:
            with session.begin_nested():
                move_provision(session, actor, provision_id, to, note, photos)
            return go_to(
                url_for("trouble.provisions", booking_id=booking_id), receipt="Gemerkt. Euer Partner weiß Bescheid."
            )
        except RuleBroken as error:
            form.add_error(error)
    return _provisions_page(session, actor, booking_id, form, 422)


@room.get("/abnahme/<record_id>/beweis.json")
@paced(PROOFS)
@page("agreements.see")
def proof(session: Session, actor: Actor, record_id: str) -> Response:
    """The evidence file of a signed acceptance or dispute."""
    record = record_for(session, actor.firm_id, record_id)
    if record.entry_seq is None:
        raise NotFound
    body = evidence_file(session, actor.firm_id, record.entry_seq, record.counterpart)
    return _download(body, "application/json", f"{record.kind}-{record_id[-12:]}.json")


@room.get("/vertraege/<agreement_id>/akte.zip")
@paced(PROOFS)
@page("agreements.see")
def evidence(session: Session, actor: Actor, agreement_id: str) -> Response:
    """Everything about one agreement in one file, to show to whoever settles a dispute."""
    agreement = agreement_for(session, actor.firm_id, agreement_id)
    return _download(dispute_file(session, agreement), "application/zip", f"akte-{agreement_id[-12:]}.zip")


def _acceptance_page(session: Session, actor: Actor, booking_id: str, form: Form, status: int = 200) -> Response:
    row = booking_for(session, actor, booking_id)
    booking = session.get_one(Booking, (actor.firm_id, booking_id))
    hours = confirmed_hours(session, actor.firm_id, booking_id)
    until, accepted = accept_until(session, booking), acceptance_of(session, actor.firm_id, booking_id)
    return render(
        "trouble/acceptance.html",
        status,
        form=form,
        booking=row,
        minutes=sum(one.minutes for one in hours if one.kind == "run"),
        until=until,
        is_late=until is not None and clock.today() > until,
        accepted=accepted,
        defects=defects_of(session, actor.firm_id, booking_id),
        states=DEFECT_WORDS,
        may_see_agreement=may(actor, "agreements.see"),
        **_signing(session, actor, accepted.id if accepted else ""),
    )


def _defect_page(session: Session, actor: Actor, found: Defect, form: Form, status: int = 200) -> Response:
    return render(
        "trouble/defect.html",
        status,
        form=form,
        defect=found,
        booking=booking_for(session, actor, found.booking_id),
        photos=photos_of(session, actor.firm_id, found.id),
        states=DEFECT_WORDS,
        may_see_agreement=may(actor, "agreements.see"),
        **_signing(session, actor, found.id),
    )


def _signing(session: Session, actor: Actor, subject_id: str) -> dict[str, Any]:
    """What may be signed of an acceptance or a dispute, and where the signature goes."""
    record = record_of(session, actor.firm_id, subject_id)
    if record is None:
        return {"record": None, "waits": False}
    has_practice = "practice.sign" in current_app.view_functions
    return {
        "record": record,
        "waits": record.entry_seq is None and may(actor, "agreements.sign"),
        "document_kind": "work_record",
        "document_id": record.id,
        "digest": record.digest,
        "practice_url": url_for("practice.sign", kind="work_record", document_id=record.id) if has_practice else "",
    }


def _download(body: bytes, media_type: str, name: str) -> Response:
    response = Response(body, mimetype=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response


def _provisions_page(session: Session, actor: Actor, booking_id: str, form: Form, status: int = 200) -> Response:
    booking = booking_for(session, actor, booking_id)
    return render(
        "trouble/provisions.html",
        status,
        form=form,
        booking=booking,
        brought=provisions_of(session, actor.firm_id, booking.agreement_id),
        kinds=PROVISION_KINDS,
        kind_chips=[(key, gettext(text)) for key, text in PROVISION_KINDS.items()],
        states=PROVISION_STATES,
        steps=PROVISION_STEPS,
    )
