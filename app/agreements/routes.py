"""The manager's start page, the list of agreements, reading and signing, changing and cancelling."""

from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session

import app.agreements.signables  # noqa: F401 - registers the documents that are signed here
from app.agreements.actions import (
    decline_agreement,
    decline_amendment,
    draft_agreements,
    propose_cancellation,
    propose_change,
)
from app.agreements.forgetting import (
    drop_erasure,
    erased_agreements,
    erasure_of,
    is_kept_long_enough,
    is_over,
    keep_until,
    prepare_erasure,
)
from app.agreements.lists import SHOW_ENDED, done_agreements, open_agreements, overview, running_agreements
from app.agreements.models import Agreement, AgreementErasure
from app.agreements.printing import file_name, pdf_of
from app.agreements.queries import agreement_for, amendment_for, partner_of
from app.agreements.rules import OPEN
from app.agreements.views import agreement_view, amendment_view, booking_rows, risk_rows
from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.units import hours_text, week_of, week_short
from app.firms.access import Actor
from app.firms.actions import note_views
from app.firms.protocol import add_sentences
from app.firms.queries import firm_version
from app.notary.gossip import unclear_logs
from app.notary.queries import digest, evidence_file
from app.notary.witnesses import halt_of
from app.partners.models import Partnership
from app.partners.queries import partners_in
from app.partners.rules import STEPS
from app.passkeys.approvals import shown_digest
from app.passkeys.queries import waiting_key_count
from app.plans.actions import choose_plan
from app.push.reach import silence_of
from app.web.forms import Form
from app.web.limits import PROOFS, paced
from app.web.render import go_to, render
from app.web.security import FILE_POLICY
from app.web.transaction import ceremony, deed, page
from app.web.world import config, world

room = Blueprint("agreements", __name__)
add_sentences(
    {
        "plan_chosen": ("check", lazy_gettext("Ein Plan ist gewählt.")),
        "erasure": ("trash-2", lazy_gettext("Ein Vertrag soll gelöscht werden.")),
        "drafted": ("file-text", lazy_gettext("Vereinbarungen sind geschrieben.")),
        "arrived": ("file-text", lazy_gettext("Eine Vereinbarung ist angekommen.")),
        "signed": ("fingerprint", lazy_gettext("Eine Vereinbarung ist unterschrieben.")),
        "sealed": ("file-check-2", lazy_gettext("Eine Vereinbarung trägt beide Siegel.")),
        "effective": ("circle-check", lazy_gettext("Ein ganzer Plan gilt jetzt.")),
        "declined": ("x", lazy_gettext("Eine Vereinbarung ist abgelehnt.")),
        "lapsed": ("clock", lazy_gettext("Eine Vereinbarung gilt nicht mehr.")),
        "proposed": ("pencil", lazy_gettext("Eine Änderung ist geschrieben.")),
        "change": ("pencil", lazy_gettext("Gebuchte Stunden sind geändert.")),
        "cancellation": ("ban", lazy_gettext("Gebuchte Stunden sind abgesagt.")),
    }
)


@room.get("/start")
@page("requests.see")
def start(session: Session, actor: Actor) -> Response:
    """S20: what waits for me, what runs, what is at risk."""
    found = overview(session, actor, clock.now(), week_of(clock.today()))
    waiting_keys = waiting_key_count(session, actor.firm_id)
    return render(
        "agreements/start.html",
        overview=found,
        risks=risk_rows(found.risks),
        waiting_keys=waiting_keys,
        invoices=current_app.extensions["tab_counts"]["invoices"](session, actor),
        halt=halt_of(session, actor.firm_id),
        unclear=_unclear_partners(session, actor.firm_id),
        silence=silence_of(session, actor.firm_id, clock.now()),
    )


def _unclear_partners(session: Session, firm_id: str) -> list[Partnership]:
    ids = unclear_logs(session, firm_id)
    return [one for one in partners_in(session, firm_id, tuple(STEPS)) if one.partner_id in ids] if ids else []


@room.get("/vertraege")
@page("agreements.see")
def index(session: Session, actor: Actor) -> Response:
    """S25: open, running, done."""
    week, since = week_of(clock.today()), clock.now() - SHOW_ENDED
    lists = {
        "offen": open_agreements(session, actor),
        "laufend": running_agreements(session, actor, week),
        "fertig": done_agreements(session, actor, week, since),
    }
    names = {one.partner_id: one.name for one in partners_in(session, actor.firm_id, tuple(STEPS))}
    return render("agreements/index.html", lists=lists, erased=erased_agreements(session, actor.firm_id), names=names)


@room.post("/plaene/<plan_id>/vereinbarungen")
@deed("plans.choose")
def create(session: Session, actor: Actor, plan_id: str) -> Response:
    """Choose the plan and freeze one agreement per partner; the manager goes on to the first one."""
    form = Form(request.form)
    choose_plan(session, actor, plan_id, form.yes("accepts_part"), form.value("if_one_declines") != "others_stand")
    ids = draft_agreements(session, actor, plan_id, form.value("material") != "partner")
    return go_to(url_for("agreements.show", agreement_id=ids[0]))


@room.get("/vertraege/<agreement_id>")
@page("agreements.see")
def show(session: Session, actor: Actor, agreement_id: str) -> Response:
    """S24 while it waits for our signature, else how the agreement stands."""
    return _show(session, actor, agreement_for(session, actor.firm_id, agreement_id), Form())


@room.get("/vertraege/<agreement_id>/stand")
@page("agreements.see")
def state(session: Session, actor: Actor, agreement_id: str) -> Response:
    """Polled while somebody else has to sign: 204 until anything of this firm changed, then the page loads anew."""
    agreement_for(session, actor.firm_id, agreement_id)
    if request.args.get("v") == str(firm_version(session, actor.firm_id)):
        return Response(status=204)
    return Response(status=200, headers={"HX-Refresh": "true"})


@room.post("/vertraege/<agreement_id>/ablehnen")
@deed("agreements.sign")
def decline(session: Session, actor: Actor, agreement_id: str) -> Response:
    """Say no before signing; the reason is voluntary."""
    agreement = agreement_for(session, actor.firm_id, agreement_id)
    form = Form(request.form)
    note = form.text("note", most=200)
    if form.is_good:
        decline_agreement(session, actor, agreement_id, note)
        return go_to(url_for("agreements.show", agreement_id=agreement_id), "Abgelehnt. Die Stunden sind wieder frei.")
    return _show(session, actor, agreement, form, 422)


@room.get("/vertraege/<agreement_id>/text.pdf")
@paced(PROOFS)
@ceremony("agreements.see")
def text(database: Database, actor: Actor, agreement_id: str) -> Response:
    """The PDF/A with the exact text, the signatures and the reading aid."""
    with database.read() as session:
        agreement = agreement_for(session, actor.firm_id, agreement_id)
        body, name = pdf_of(session, agreement, config().origin + request.script_root), file_name(agreement)
    return _download(body, "application/pdf", name)


@room.get("/vertraege/<agreement_id>/beweis.json")
@paced(PROOFS)
@page("agreements.see")
def proof(session: Session, actor: Actor, agreement_id: str) -> Response:
    """The evidence file that anybody can verify offline."""
    agreement = agreement_for(session, actor.firm_id, agreement_id)
    if agreement.entry_seq is None:
        raise NotFound
    body = evidence_file(session, actor.firm_id, agreement.entry_seq, agreement.counterpart)
    return _download(body, "application/json", f"beweis-{agreement_id[-12:]}.json")


@room.get("/vertraege/<agreement_id>/aendern")
@page("agreements.sign")
def change(session: Session, actor: Actor, agreement_id: str) -> Response:
    """Other hours in booked weeks; both sides sign."""
    return _amend_page(session, actor, agreement_id, "agreements/change.html", Form())


@room.post("/vertraege/<agreement_id>/aendern")
@deed("agreements.sign")
def save_change(session: Session, actor: Actor, agreement_id: str) -> Response:
    form = Form(request.form)
    rows = booking_rows(session, actor, agreement_for(session, actor.firm_id, agreement_id))
    minutes = {row.line_no: form.hours(f"hours_{row.line_no}") for row in rows if row.can_change}
    reason = form.text("reason", "Schreib kurz, warum sich etwas ändert.", most=200)
    if form.is_good:
        try:
            wanted = {number: value for number, value in minutes.items() if value is not None}
            amendment = propose_change(session, actor, agreement_id, wanted, reason)
            return go_to(url_for("agreements.show_amendment", amendment_id=amendment.id))
        except RuleBroken as error:
            form.add_error(error)
    return _amend_page(session, actor, agreement_id, "agreements/change.html", form, 422)


@room.get("/vertraege/<agreement_id>/absagen")
@page("agreements.sign")
def cancel(session: Session, actor: Actor, agreement_id: str) -> Response:
    """Give booked weeks back, with what each costs today."""
    return _amend_page(session, actor, agreement_id, "agreements/cancel.html", Form())


@room.post("/vertraege/<agreement_id>/absagen")
@deed("agreements.sign")
def save_cancellation(session: Session, actor: Actor, agreement_id: str) -> Response:
    form = Form(request.form)
    rows = booking_rows(session, actor, agreement_for(session, actor.firm_id, agreement_id))
    options = {str(row.line_no) for row in rows if row.can_change}
    chosen = form.choices("lines", options, "Wähle mindestens eine Woche.")
    reason = form.text("reason", "Schreib kurz, warum ihr absagt.", most=200)
    if form.is_good:
        try:
            amendment = propose_cancellation(session, actor, agreement_id, [int(one) for one in chosen], reason)
            return go_to(url_for("agreements.show_amendment", amendment_id=amendment.id))
        except RuleBroken as error:
            form.add_error(error)
    return _amend_page(session, actor, agreement_id, "agreements/cancel.html", form, 422)


@room.get("/vertraege/aenderung/<amendment_id>")
@page("agreements.see")
def show_amendment(session: Session, actor: Actor, amendment_id: str) -> Response:
    """A change or cancellation: its exact text, and the signature that it waits for."""
    amendment = amendment_for(session, actor.firm_id, amendment_id)
    agreement = agreement_for(session, actor.firm_id, amendment.agreement_id)
    _note_price_seen(session, actor, agreement)
    view = amendment_view(session, actor, agreement, amendment)
    return render(
        "agreements/amendment.html", view=view, **_signing_context(amendment.id, "amendment", amendment.digest)
    )


@room.post("/vertraege/aenderung/<amendment_id>/ablehnen")
@deed("agreements.sign")
def drop_amendment(session: Session, actor: Actor, amendment_id: str) -> Response:
    """Say no to a change, or drop our own before it is signed."""
    decline_amendment(session, actor, amendment_id)
    agreement_id = amendment_for(session, actor.firm_id, amendment_id).agreement_id
    return go_to(url_for("agreements.show", agreement_id=agreement_id), "Abgelehnt. Alles bleibt, wie es war.")


@room.get("/vertraege/aenderung/<amendment_id>/beweis.json")
@paced(PROOFS)
@page("agreements.see")
def amendment_proof(session: Session, actor: Actor, amendment_id: str) -> Response:
    """The evidence file of a change or cancellation."""
    amendment = amendment_for(session, actor.firm_id, amendment_id)
    if amendment.entry_seq is None:
        raise NotFound
    body = evidence_file(session, actor.firm_id, amendment.entry_seq, amendment.counterpart)
    return _download(body, "application/json", f"beweis-{amendment_id[-12:]}.json")


@room.post("/vertraege/<agreement_id>/loeschen")
@deed("agreements.sign")
def prepare_to_erase(session: Session, actor: Actor, agreement_id: str) -> Response:
    prepare_erasure(session, actor, agreement_id)
    return go_to(url_for("agreements.erase", agreement_id=agreement_id))


@room.get("/vertraege/<agreement_id>/loeschen")
@page("agreements.sign")
def erase(session: Session, actor: Actor, agreement_id: str) -> Response:
    """The wish to erase an agreement that is over: to be signed, waiting for the partner, or the partner's."""
    agreement = agreement_for(session, actor.firm_id, agreement_id)
    row = erasure_of(session, actor.firm_id, agreement_id)
    return render(
        "agreements/erase.html",
        row=row,
        partner_name=partner_of(session, agreement).name,
        keep_until=None if is_kept_long_enough(session, agreement) else keep_until(session, agreement),
        **_signing_context(agreement_id, "erasure", shown_digest(digest("Erasure", row.message))),
    )


@room.post("/vertraege/<agreement_id>/behalten")
@deed("agreements.sign")
def keep(session: Session, actor: Actor, agreement_id: str) -> Response:
    drop_erasure(session, actor, agreement_id)
    return go_to(url_for("agreements.show", agreement_id=agreement_id), receipt="Gut. Der Vertrag bleibt.")


@room.get("/vertraege/geloescht/<agreement_id>/beweis.json")
@page("agreements.see")
def proof_of_existence(session: Session, actor: Actor, agreement_id: str) -> Response:
    """What is left of an erased agreement: that it stood in the log."""
    row = erasure_of(session, actor.firm_id, agreement_id)
    if row.erased_at is None:
        raise NotFound
    body = evidence_file(session, actor.firm_id, row.entry_seq)
    return _download(body, "application/json", f"beweis-{agreement_id[-12:]}.json")


def _show(session: Session, actor: Actor, agreement: Agreement, form: Form, status: int = 200) -> Response:
    _note_price_seen(session, actor, agreement)
    view = agreement_view(session, actor, agreement, clock.now())
    template = "agreements/sign.html" if view.waits_for_us else "agreements/show.html"
    version = firm_version(session, actor.firm_id)
    is_open, erasure = agreement.state in OPEN, session.get(AgreementErasure, (actor.firm_id, agreement.id))
    may_erase = view.may_sign and is_over(session, agreement)
    context = _signing_context(agreement.id, "agreement", agreement.digest)
    return render(
        template, status, view=view, form=form, version=version, is_open=is_open, erasure=erasure, may_erase=may_erase,
        **context,
    )  # fmt: skip


def _signing_context(document_id: str, kind: str, digest: str) -> dict[str, Any]:
    """Where the signature goes: to the passkey, in the practice world to its own button."""
    has_practice = "practice.sign" in current_app.view_functions
    practice_url = url_for("practice.sign", kind=kind, document_id=document_id) if has_practice else ""
    return {"document_kind": kind, "document_id": document_id, "digest": digest, "practice_url": practice_url}


def _amend_page(
    session: Session, actor: Actor, agreement_id: str, template: str, form: Form, status: int = 200
) -> Response:
    agreement = agreement_for(session, actor.firm_id, agreement_id)
    _note_price_seen(session, actor, agreement)
    view = agreement_view(session, actor, agreement, clock.now())
    rows = [row for row in view.bookings if row.can_change]
    if not form.fields:
        form = Form({f"hours_{row.line_no}": hours_text(row.minutes) for row in rows})
    names = {f"hours_{row.line_no}": f"{week_short(row.week)} · {row.machine}" for row in rows}
    return render(template, status, view=view, rows=rows, form=form, names=names)


def _note_price_seen(session: Session, actor: Actor, agreement: Agreement) -> None:
    """An agreement shows the requester the provider's rates; the provider may know who looked, a refused form or not."""
    if agreement.side == "ours":
        note_views(world().database(), session, actor, "agreement", [(agreement.partner_id, agreement.id, 1)])


def _download(body: bytes, media_type: str, name: str) -> Response:
    response = Response(body, mimetype=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response
