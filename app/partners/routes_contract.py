"""The framework agreement on the screen: five facts, the whole text, editing before the first signature, and its end."""

from flask import Response, request, url_for
from flask_babel import get_locale
from sqlalchemy.orm import Session

from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor
from app.firms.queries import firm_of
from app.notary.queries import evidence_file
from app.partners.documents import (
    LIMITS,
    Clause,
    day_text,
    framework_reading_aid,
    load_template,
    render_framework,
    step_lines,
)
from app.partners.door import room
from app.partners.framework import card_of, choose_template, clauses_of, editable_framework, facts_of, set_terms
from app.partners.framework import edit_clause as change_clause
from app.partners.pages import contract_page, text_blocks
from app.partners.queries import framework_with, shown_partnership, signed_and_hidden, signed_partnership
from app.partners.record import check_end
from app.partners.sentences import SCOPE_CHIPS, TEMPLATE_CHIPS, TERM_FIELDS
from app.partners.signing import draft_digest
from app.passkeys.approvals import shown_digest
from app.web.forms import Form
from app.web.limits import PROOFS, paced
from app.web.render import go_to, render
from app.web.transaction import deed, page

MISSING = "Gib eine ganze Zahl von %(least)s bis %(most)s ein."


@room.get("/partner/<partner_id>/vertrag")
@page("partners.edit")
def contract(session: Session, actor: Actor, partner_id: str) -> Response:
    """Five facts and the exact text; who is next signs here."""
    shown = contract_page(session, actor.firm_id, partner_id, str(get_locale() or "de"))
    shown_partner = signed_partnership(session, actor.firm_id, partner_id)
    framework = framework_with(session, shown_partner)
    facts, firm = facts_of(session, framework), firm_of(session, actor.firm_id)
    is_hidden = partner_id in signed_and_hidden(session, actor.firm_id).values()
    return render(
        "partners/contract.html",
        p=shown,
        back=url_for("partners.index") if is_hidden else url_for("partners.show", partner_id=partner_id),
        framework=framework,
        facts=facts,
        blocks=text_blocks(framework.text or render_framework(facts)),
        digest=framework.digest or draft_digest(session, shown_partner, framework),
        aid_blocks=text_blocks(framework_reading_aid(facts)) if str(get_locale()) != "de" else [],
        valid_from=day_text(facts.valid_from),
        draft_note=load_template(facts.template_key).draft_note,
        steps=step_lines(facts.cancellation_steps, "de"),
        may_edit_text=framework.frozen_at is None and shown.state == "waits_us",
        needs_print=firm.recovery_printed_at is None,
        names_old_facts=shown.is_open and card_of(firm).party not in (facts.party_a, facts.party_b),
    )


@room.get("/partner/<partner_id>/vertrag/aendern")
@page("partners.edit")
def edit(session: Session, actor: Actor, partner_id: str) -> Response:
    return _edit_page(session, actor, partner_id, None)


@room.post("/partner/<partner_id>/vertrag/aendern")
@deed("partners.edit")
def save_terms(session: Session, actor: Actor, partner_id: str) -> Response:
    form = Form(request.form)
    numbers = {name: form.whole(name, *LIMITS[name], MISSING) for name, _, _ in TERM_FIELDS}
    scopes = form.choices("scopes", [key for key, _ in SCOPE_CHIPS])
    if form.is_good:
        try:
            known = {name: value for name, value in numbers.items() if value is not None}
            set_terms(session, actor, _framework_id(session, actor, partner_id), known, scopes)
            return go_to(url_for("partners.contract", partner_id=partner_id), receipt="Gemerkt.")
        except RuleBroken as error:
            form.add_error(error)
    return _edit_page(session, actor, partner_id, form)


@room.post("/partner/<partner_id>/vertrag/vorlage")
@deed("partners.edit")
def save_template(session: Session, actor: Actor, partner_id: str) -> Response:
    key = Form(request.form).choice("template_key", [one[0] for one in TEMPLATE_CHIPS])
    if key is None:
        raise RuleBroken("Wähle eine Möglichkeit aus.")
    choose_template(session, actor, _framework_id(session, actor, partner_id), key)
    return go_to(url_for("partners.edit", partner_id=partner_id), receipt="Die Vorlage ist gewechselt.")


@room.get("/partner/<partner_id>/vertrag/ziffer/<int:number>")
@page("partners.edit")
def clause(session: Session, actor: Actor, partner_id: str, number: int) -> Response:
    found = _clause(session, actor, partner_id, number)
    return _clause_page(
        session, actor, partner_id, number, Form({"title": found.title, f"clause_{number}": found.text})
    )


@room.post("/partner/<partner_id>/vertrag/ziffer/<int:number>")
@deed("partners.edit")
def save_clause(session: Session, actor: Actor, partner_id: str, number: int) -> Response:
    form = Form(request.form)
    title = form.text("title", "Schreib eine Überschrift.", 120)
    text = form.long_text(f"clause_{number}", "Die Ziffer ist leer. Schreib einen Text hinein.", 8000)
    if form.is_good:
        try:
            change_clause(session, actor, _framework_id(session, actor, partner_id), number, title, text)
            return go_to(url_for("partners.edit", partner_id=partner_id), receipt="Gemerkt.")
        except RuleBroken as error:
            form.add_error(error)
    return _clause_page(session, actor, partner_id, number, form)


@room.get("/partner/<partner_id>/ende")
@page("partners.edit")
def ending(session: Session, actor: Actor, partner_id: str) -> Response:
    """The text that ends it, to be signed."""
    partnership = shown_partnership(session, actor.firm_id, partner_id)
    if not partnership.ending or partnership.state not in ("active", "paused"):
        raise NotFound
    return render(
        "partners/ending.html", partner=partnership, blocks=text_blocks(partnership.ending["text"]),
        needs_print=firm_of(session, actor.firm_id).recovery_printed_at is None,
        digest=shown_digest(check_end(partnership.ending["message"], partnership.ending["text"])),
    )  # fmt: skip


@room.get("/partner/<partner_id>/beweis.json")
@paced(PROOFS)
@page("partners.edit")
def evidence(session: Session, actor: Actor, partner_id: str) -> Response:
    """The file that proves the partnership to anybody, offline."""
    framework = framework_with(session, signed_partnership(session, actor.firm_id, partner_id))
    if framework.sealed_seq is None:
        raise NotFound
    body = evidence_file(session, actor.firm_id, framework.sealed_seq)
    response = Response(body, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="rahmenvertrag-{framework.id[-12:]}.json"'
    return response


def _framework_id(session: Session, actor: Actor, partner_id: str) -> str:
    return framework_with(session, shown_partnership(session, actor.firm_id, partner_id)).id


def _clause(session: Session, actor: Actor, partner_id: str, number: int) -> Clause:
    framework = editable_framework(session, actor.firm_id, _framework_id(session, actor, partner_id))
    for found in clauses_of(framework):
        if found.number == number:
            return found
    raise NotFound


def _clause_page(session: Session, actor: Actor, partner_id: str, number: int, form: Form) -> Response:
    found = _clause(session, actor, partner_id, number)
    shown = shown_partnership(session, actor.firm_id, partner_id)
    note = load_template(framework_with(session, shown).template_key).draft_note
    return render(
        "partners/clause.html", 422 if form.errors else 200, clause=found, form=form, partner=shown, draft_note=note,
        field=f"clause_{number}",
    )  # fmt: skip


def _edit_page(session: Session, actor: Actor, partner_id: str, form: Form | None) -> Response:
    shown = shown_partnership(session, actor.firm_id, partner_id)
    framework = editable_framework(session, actor.firm_id, framework_with(session, shown).id)
    facts = facts_of(session, framework)
    if form is None:
        form = Form({name: getattr(facts, name) for name, _, _ in TERM_FIELDS})
        form.fields.setlist("scopes", list(facts.scopes))
    return render(
        "partners/edit.html",
        422 if form.errors else 200,
        form=form,
        partner=shown,
        framework=framework,
        clauses=clauses_of(framework),
        term_fields=TERM_FIELDS,
        term_names={name: label for name, label, _ in TERM_FIELDS},
        template_options=TEMPLATE_CHIPS,
        scopes=SCOPE_CHIPS,
        draft_note=load_template(framework.template_key).draft_note,
    )
