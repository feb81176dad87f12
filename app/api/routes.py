"""Programme: a manager lets the firm's own programs in, says where news goes, and sees whether it arrives."""

from flask import Response, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session

import app.api.protocol
import app.api.routes_feeds
import app.api.routes_tables
import app.api.routes_v1  # noqa: F401
from app.api.hooks import hook_of, public_key_of, remove_hook, set_hook, try_hook, wake_hook
from app.api.models import WebhookCall
from app.api.queries import last_calls, new_token_for, tokens_of
from app.api.room import room
from app.api.rules import MOST_URL, SCOPES, USUAL_SCOPES
from app.api.tokens import hide_secret, make_token, revoke_token, secret_of
from app.core.errors import NotFound, RuleBroken
from app.core.words import N_
from app.firms.access import Actor
from app.firms.protocol import Line
from app.web.forms import Form
from app.web.render import go_to, render, when_text
from app.web.transaction import deed, page
from app.web.world import config

__all__ = ["room"]
PROGRAMS = "programs.edit"
CALL_STATES = {
    "waiting": ("hourglass", N_("wartet")),
    "delivered": ("circle-check", N_("angekommen")),
    "failed": ("triangle-alert", N_("nicht angekommen")),
}


@room.get("/programme")
@page(PROGRAMS)
def programs(session: Session, actor: Actor) -> Response:
    """Every access with its last use, and the address for news."""
    return _programs(session, actor, Form())


@room.get("/programme/neu")
@page(PROGRAMS)
def new_token(_session: Session, _actor: Actor) -> Response:
    return _token_form(Form({"scopes": list(USUAL_SCOPES)}))


@room.post("/programme/neu")
@deed(PROGRAMS)
def save_token(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    name = form.text("name", "Wie heißt das Programm?", 60)
    scopes = form.choices("scopes", SCOPES, "Wähle, was das Programm darf.")
    if form.is_good:
        try:
            token = make_token(session, actor, name, scopes)
            return go_to(url_for("api.show_token", token_id=token.id))
        except RuleBroken as error:
            form.add_error(error)
    return _token_form(form)


@room.get("/programme/zugang/<token_id>")
@page(PROGRAMS)
def show_token(session: Session, actor: Actor, token_id: str) -> Response:
    """The secret, for ten minutes, for the person who made it, until that person says it is copied."""
    token = new_token_for(session, actor, token_id)
    return render("api/token.html", token=token, secret=secret_of(session, token), root=config().public_url)


@room.post("/programme/zugang/<token_id>/kopiert")
@deed(PROGRAMS)
def token_copied(session: Session, actor: Actor, token_id: str) -> Response:
    hide_secret(session, actor, token_id)
    return go_to(url_for("api.programs"))


@room.post("/programme/zugang/<token_id>/sperren")
@deed(PROGRAMS)
def lock_token(session: Session, actor: Actor, token_id: str) -> Response:
    revoke_token(session, actor, token_id)
    return go_to(url_for("api.programs"), receipt="Gesperrt. Das Programm kommt nicht mehr herein.")


@room.post("/programme/meldungen")
@deed(PROGRAMS)
def save_hook(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    try:
        set_hook(
            session, actor, form.text("address", "Trag eine Adresse ein.", MOST_URL), config().federation_test_nodes
        )
    except RuleBroken as error:
        form.add_error(error)
    return _programs(session, actor, form) if form.errors else go_to(url_for("api.programs"), receipt="Gemerkt.")


@room.post("/programme/meldungen/probe")
@deed(PROGRAMS)
def send_probe(session: Session, actor: Actor) -> Response:
    try_hook(session, actor)
    return go_to(url_for("api.programs"), receipt="Eine Probe ist unterwegs.")


@room.post("/programme/meldungen/ein")
@deed(PROGRAMS)
def resume_hook(session: Session, actor: Actor) -> Response:
    wake_hook(session, actor)
    return go_to(url_for("api.programs"), receipt="Gemerkt.")


@room.post("/programme/meldungen/weg")
@deed(PROGRAMS)
def drop_hook(session: Session, actor: Actor) -> Response:
    remove_hook(session, actor)
    return go_to(url_for("api.programs"), receipt="Abgeschaltet.")


def _programs(session: Session, actor: Actor, form: Form) -> Response:
    if config().is_practice:
        raise NotFound
    hook = hook_of(session, actor.firm_id)
    return render(
        "api/programs.html",
        422 if form.errors else 200,
        form=form,
        tokens=tokens_of(session, actor),
        scope_names=SCOPES,
        hook=hook,
        key=public_key_of(session, hook).raw.hex() if hook else "",
        calls=[_line(call) for call in last_calls(session, actor)],
        description=config().public_url + url_for("api.description"),
    )


def _line(call: WebhookCall) -> Line:
    icon, word = CALL_STATES[call.state]
    return Line(f"{call.event} · {gettext(word)}", when_text(call.created_at), "", icon)


def _token_form(form: Form) -> Response:
    if config().is_practice:
        raise NotFound
    scopes = [(scope, gettext(said)) for scope, said in SCOPES.items()]
    return render("api/new_token.html", 422 if form.errors else 200, form=form, scopes=scopes)
