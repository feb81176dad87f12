"""Certificates of the firm: list, entry, paper, verification."""

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.firms.access import Actor, may
from app.machines.actions import attach_certificate_file, reject_certificate, save_certificate, verify_certificate
from app.machines.forms import certificate_fields, read_certificate
from app.machines.models import Certificate
from app.machines.queries import certificate_for, certificates, has_paper
from app.machines.room import room
from app.machines.rules import CertificateState, certificate_state
from app.packs.queries import certificate_types, load_pack, processes
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import deed, page


@room.get("/zertifikate")
@page("machines.see")
def certificate_list(session: Session, actor: Actor) -> Response:
    found = [(one, _state(one)) for one in certificates(session, actor.firm_id)]
    return render("machines/certificates.html", found=found, pack=load_pack(), may_edit=may(actor, "machines.edit"))


@room.get("/zertifikate/neu")
@page("machines.edit")
def new_certificate(_session: Session, _actor: Actor) -> Response:
    return _render_form(Form())


@room.post("/zertifikate/neu")
@deed("machines.edit")
def add_certificate(session: Session, actor: Actor) -> Response:
    return _save(session, actor, None)


@room.get("/zertifikate/<certificate_id>")
@page("machines.see")
def certificate(session: Session, actor: Actor, certificate_id: str) -> Response:
    one = certificate_for(session, actor.firm_id, certificate_id)
    return render(
        "machines/certificate.html",
        one=one,
        state=_state(one),
        has_paper=has_paper(session, actor.firm_id, one),
        pack=load_pack(),
        may_edit=may(actor, "machines.edit"),
        may_verify=may(actor, "certificates.verify") and one.verified_at is None,
    )


@room.get("/zertifikate/<certificate_id>/aendern")
@page("machines.edit")
def edit_certificate(session: Session, actor: Actor, certificate_id: str) -> Response:
    one = certificate_for(session, actor.firm_id, certificate_id)
    return _render_form(Form(certificate_fields(one)), certificate_id)


@room.post("/zertifikate/<certificate_id>/aendern")
@deed("machines.edit")
def save_one_certificate(session: Session, actor: Actor, certificate_id: str) -> Response:
    certificate_for(session, actor.firm_id, certificate_id)
    return _save(session, actor, certificate_id)


@room.post("/zertifikate/<certificate_id>/geprueft")
@deed("certificates.verify")
def verify(session: Session, actor: Actor, certificate_id: str) -> Response:
    verify_certificate(session, actor, certificate_id)
    return go_to(
        url_for("machines.certificate", certificate_id=certificate_id), receipt="Gemerkt. Das Zertifikat zählt jetzt."
    )


@room.post("/zertifikate/<certificate_id>/abgelehnt")
@deed("certificates.verify")
def reject(session: Session, actor: Actor, certificate_id: str) -> Response:
    reject_certificate(session, actor, certificate_id)
    url = url_for("machines.certificate", certificate_id=certificate_id)
    return go_to(url, receipt="Abgelehnt. Das Zertifikat zählt nicht.")


def _save(session: Session, actor: Actor, certificate_id: str | None) -> Response:
    form = Form(request.form)
    draft = read_certificate(form)
    if draft is not None:
        try:
            saved_id = save_certificate(session, actor, draft, certificate_id)
            sent = request.files.get("file")
            if sent is not None and sent.filename:
                attach_certificate_file(session, actor, saved_id, sent.filename, sent.read())
            url = url_for("machines.certificate", certificate_id=saved_id)
            return go_to(url, receipt="Gemerkt. Die Leitung prüft es.")
        except RuleBroken as error:
            form.add_error(error)
    return _render_form(form, certificate_id, 422)


def _render_form(form: Form, certificate_id: str | None = None, status: int = 200) -> Response:
    return render(
        "machines/certificate_form.html",
        status,
        form=form,
        certificate_id=certificate_id,
        types=certificate_types(),
        processes=processes(),
    )


def _state(one: Certificate) -> CertificateState:
    return certificate_state(one.verified_at is not None, one.valid_to, clock.today(), one.rejected_at is not None)
