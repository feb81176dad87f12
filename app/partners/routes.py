"""The partner circle: list, one partner, inviting, joining (S29, S02)."""

import re
from urllib.parse import urlencode

import segno
from flask import Response, current_app, redirect, request, url_for
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.urls import base_url
from app.firms.access import Actor, may
from app.firms.queries import firm_version
from app.firms.routes import FORM_CHIPS
from app.notary.gossip import is_in_doubt
from app.notary.witnesses import contradiction
from app.partners import routes_contract, routes_witnesses, sentences  # noqa: F401
from app.partners.actions import (
    block_firm,
    decline_partnership,
    invite_partner,
    inviter_by,
    pause_partnership,
    propose_partnership,
    recall_invitation,
    resume_partnership,
    set_scope,
    unblock_firm,
)
from app.partners.door import room, strangers
from app.partners.pages import circle, facts_text, partner_page, silent_since, stuck_count
from app.partners.queries import (
    blocked_firms,
    invitation_for,
    invitation_token,
    is_of_moved_firm,
    is_open,
    open_invitations,
    own_words,
    signed_and_hidden,
)
from app.partners.sentences import SCOPE_CHIPS
from app.partners.signing import prepare_end
from app.web.forms import Form
from app.web.limits import CODE, limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, ceremony, deed, page
from app.web.world import config

NODE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]{2,5})?")
ASK, FIRST_MACHINES, LINK = "requests.new", "machines.quick", "federation.enter_link"


@room.get("/partner")
@page("partners.see")
def index(session: Session, actor: Actor) -> Response:
    """S29: who waits, who is a partner, who was one."""
    proposals, approaches = strangers["read"](session, actor) if may(actor, "partners.edit") else ((), ())
    return render(
        "partners/index.html",
        circle=circle(session, actor.firm_id, str(get_locale() or "de")),
        proposals=proposals,
        approaches=approaches,
        invitations=open_invitations(session, actor.firm_id) if may(actor, "partners.edit") else (),
        blocked=blocked_firms(session, actor.firm_id) if may(actor, "partners.edit") else (),
        signed=signed_and_hidden(session, actor.firm_id),
        may_edit=may(actor, "partners.edit"),
        may_witness=may(actor, "keys.edit"),
        link_url=link_url(actor),
    )


@room.get("/partner/einladen")
@page("partners.edit")
def invite(session: Session, actor: Actor) -> Response:
    return render("partners/invite.html", words=own_words(session, actor.firm_id).split())


@room.post("/partner/einladen")
@deed("partners.edit")
def make_invitation(session: Session, actor: Actor) -> Response:
    return go_to(url_for("partners.invitation", invitation_id=invite_partner(session, actor)))


@room.get("/partner/einladung/<invitation_id>")
@page("partners.edit")
def invitation(session: Session, actor: Actor, invitation_id: str) -> Response:
    """The QR while it works: once used or too old it shows what happened instead."""
    row = invitation_for(session, actor.firm_id, invitation_id)
    words = own_words(session, actor.firm_id).split()
    if row.used_by_firm is not None:
        return redirect(url_for("partners.show", partner_id=row.used_by_firm))  # type: ignore[return-value]
    path = url_for("partners.join", token=invitation_token(session, actor.firm_id, invitation_id))
    link = f"{config().origin}{path}#{'-'.join(words)}"
    matrix = segno.make(link, error="m", micro=False).matrix
    return render(
        "partners/invitation.html", row=row, link=link, matrix=matrix, words=words, is_over=not is_open(session, row),
        version=firm_version(session, actor.firm_id),
    )  # fmt: skip


@room.post("/partner/einladung/<invitation_id>/zurueck")
@deed("partners.edit")
def recall(session: Session, actor: Actor, invitation_id: str) -> Response:
    """The QR was shown to the wrong firm."""
    recall_invitation(session, actor, invitation_id)
    return go_to(url_for("partners.index"), receipt="Die Einladung gilt nicht mehr.")


@room.get("/partner/einladung/<invitation_id>/stand")
@page("partners.edit")
def invitation_state(session: Session, actor: Actor, invitation_id: str) -> Response:
    """Asked every few seconds by the page with the QR: 204 until a firm has used it, then the way on."""
    row = invitation_for(session, actor.firm_id, invitation_id)
    if row.answered_at is None:
        return Response(status=204)
    return render("partners/_used.html", partner_id=row.used_by_firm)


@room.get("/partner/<partner_id>")
@page("partners.see")
def show(session: Session, actor: Actor, partner_id: str) -> Response:
    return _show(session, actor, partner_id, None)


@room.get("/partner/<partner_id>/stand")
@page("partners.see")
def state(session: Session, actor: Actor, partner_id: str) -> Response:
    """What both signatures wait for: a fragment that polls itself."""
    version = firm_version(session, actor.firm_id)
    if request.args.get("v") == str(version):
        return Response(status=204)
    shown = partner_page(session, actor.firm_id, partner_id, str(get_locale() or "de"))
    return render("partners/_state.html", p=shown, version=version, may_edit=may(actor, "partners.edit"))


@room.post("/partner/<partner_id>/umfang")
@deed("partners.edit")
def save_scope(session: Session, actor: Actor, partner_id: str) -> Response:
    form = Form(request.form)
    scopes = form.choices("scope", [key for key, _ in SCOPE_CHIPS])
    if form.is_good:
        try:
            set_scope(session, actor, partner_id, scopes)
            return go_to(url_for("partners.show", partner_id=partner_id), receipt="Gemerkt.")
        except RuleBroken as error:
            form.add_error(error)
    return _show(session, actor, partner_id, form)


@room.post("/partner/<partner_id>/pause")
@deed("partners.edit")
def pause(session: Session, actor: Actor, partner_id: str) -> Response:
    pause_partnership(session, actor, partner_id)
    return go_to(
        url_for("partners.show", partner_id=partner_id),
        receipt="Die Partnerschaft macht Pause.",
        undo_url=url_for("partners.resume", partner_id=partner_id),
    )


@room.post("/partner/<partner_id>/weiter")
@deed("partners.edit")
def resume(session: Session, actor: Actor, partner_id: str) -> Response:
    resume_partnership(session, actor, partner_id)
    return go_to(url_for("partners.show", partner_id=partner_id), receipt="Eure Pause ist vorbei.")


@room.post("/partner/<partner_id>/nein")
@deed("partners.edit")
def decline(session: Session, actor: Actor, partner_id: str) -> Response:
    decline_partnership(session, actor, partner_id)
    return go_to(url_for("partners.index"), receipt="Alles klar. Ihr werdet keine Partner.")


@room.post("/partner/<partner_id>/ende")
@deed("partners.edit")
def begin_end(session: Session, actor: Actor, partner_id: str) -> Response:
    """Write the text down; it ends only with the signature on the next page."""
    prepare_end(session, actor, partner_id)
    return go_to(url_for("partners.ending", partner_id=partner_id))


@room.post("/partner/<partner_id>/blockieren")
@deed("partners.edit")
def block(session: Session, actor: Actor, partner_id: str) -> Response:
    block_firm(session, actor, partner_id)
    return go_to(url_for("partners.index"), receipt="Ihr seht euch nicht mehr.")


@room.post("/partner/blockiert/<blocked_id>")
@deed("partners.edit")
def unblock(session: Session, actor: Actor, blocked_id: str) -> Response:
    unblock_firm(session, actor, blocked_id)
    return go_to(url_for("partners.index"), receipt="Ihr seht euch wieder.")


@room.get("/join/<token>")
@limiter.limit(CODE)
@page(PUBLIC)
def join(session: Session, actor: Actor | None, token: str) -> Response:
    """Where the QR leads: strangers set their firm up first, managers may say yes."""
    try:
        inviter = inviter_by(session, token)
    except NotFound:
        return render("partners/gone.html", 404, has_moved=is_of_moved_firm(session, token))
    return render(
        "partners/join.html", inviter=inviter, words=inviter.words.split(), token=token, form=Form({"weiter": f"/join/{token}"}),
        is_own=actor is not None and actor.firm_id == inviter.firm_id, may_accept=may(actor, "partners.edit"),
        own_words=own_words(session, actor.firm_id).split() if may(actor, "partners.edit") and actor else [],
        firms_may_join=config().firms_may_join, legal_form_options=FORM_CHIPS,
    )  # fmt: skip


@room.post("/join/<token>")
@limiter.limit(CODE)
@deed("partners.edit")
def accept(session: Session, actor: Actor, token: str) -> Response:
    try:
        partner_id = propose_partnership(session, actor, token)
    except (NotFound, Conflict):
        return render("partners/gone.html", 404)
    return go_to(_url_after_yes(session, actor, partner_id), receipt="Angenommen. Jetzt unterschreibt ihr beide.")


@room.post("/join/<token>/weiter")
@limiter.limit(CODE)
@ceremony(PUBLIC)
def leave_for_own_node(database: Database, actor: Actor | None, token: str) -> Response:
    """The invited firm has a node of its own: show the way there, with the invitation in it."""
    form = Form(request.form)
    node = form.text("node", "Schreib die Adresse eures Servers.", most=120).rpartition("@")[2].lower()
    node = node.removeprefix("https://").rstrip("/")
    if form.is_good and not NODE.fullmatch(node):
        form.add_error(RuleBroken("Das ist keine Adresse. Sie sieht aus wie werkring.firma.de.", "node"))
    with database.read() as session:
        try:
            inviter = inviter_by(session, token)
        except NotFound:
            return render("partners/gone.html", 404)
    link = f"{config().origin}{url_for('partners.join', token=token)}#{inviter.words.replace(' ', '-')}"
    url = f"{base_url(node, config().federation_test_nodes)}/partner/annehmen?{urlencode({'link': link})}"
    return render(
        "partners/leave.html", 422 if form.errors else 200, inviter=inviter, token=token, form=form, node=node,
        url="" if form.errors else url,
    )  # fmt: skip


def _show(session: Session, actor: Actor, partner_id: str, form: Form | None) -> Response:
    language = str(get_locale() or "de")
    shown = partner_page(session, actor.firm_id, partner_id, language)
    if form is None:
        form = Form()
        form.fields.setlist("scope", list(shown.scope))
    return render(
        "partners/show.html",
        422 if form.errors else 200,
        p=shown,
        form=form,
        version=firm_version(session, actor.firm_id),
        scopes=[(key, gettext(label)) for key, label in SCOPE_CHIPS if key in shown.signed_scopes],
        facts=facts_text(session, actor.firm_id, partner_id),
        silent_since=silent_since(session, actor.firm_id, partner_id),
        stuck=stuck_count(session, actor.firm_id, partner_id),
        is_contradicting=contradiction(session, actor.firm_id, partner_id) is not None,
        is_in_doubt=is_in_doubt(session, actor.firm_id, partner_id),
        may_edit=may(actor, "partners.edit"),
        ask_url=_ask_url(actor) if shown.state == "active" else "",
    )


def _url_after_yes(session: Session, actor: Actor, partner_id: str) -> str:
    """A firm that has just begun goes on with its machines and then with its tasks, all others to the partner."""
    is_new = current_app.extensions["setup_counts"].machines(session, actor.firm_id) == 0
    if is_new and FIRST_MACHINES in current_app.view_functions:
        return url_for(FIRST_MACHINES)
    return url_for("partners.show", partner_id=partner_id)


def link_url(actor: Actor) -> str:
    """Where a manager puts in the link of another node; that room lies above us, and the practice world has one node."""
    is_there = LINK in current_app.view_functions and not config().is_practice
    return url_for(LINK) if is_there and may(actor, "partners.edit") else ""


def _ask_url(actor: Actor) -> str:
    """Where a manager asks partners for help; that room lies above us and may be absent."""
    if not may(actor, "requests.publish") or ASK not in current_app.view_functions:
        return ""
    return url_for(ASK)
