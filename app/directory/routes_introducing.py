"""Proposing two partners to each other, and answering when a partner proposes a firm to us."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from flask import Response, request, url_for
from flask_babel import get_locale
from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.directory.door import room
from app.directory.introducing import (
    Proposal,
    accept_introduction,
    decline_introduction,
    introduce_partners,
    introducible,
    introductions,
    proposals,
)
from app.firms.access import Actor
from app.partners.queries import own_words
from app.partners.routes import link_url
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import deed, page
from app.web.world import config


@room.get("/partner/vorstellen", endpoint="introductions")
@page("partners.edit")
def show_introductions(session: Session, actor: Actor) -> Response:
    return _show(session, actor, Form())


@room.post("/partner/vorstellen", endpoint="introduce")
@deed("partners.edit")
def make_introduction(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    known = [one.partner_id for one in introducible(session, actor.firm_id)]
    one, other = (form.choice(name, known, "Wähle einen Partner aus.") for name in ("one", "other"))
    if form.is_good and one and other:
        try:
            introduce_partners(session, actor, one, other)
            return go_to(url_for("directory.introductions"), receipt="Beide sind gefragt. Namen sehen sie noch nicht.")
        except RuleBroken as error:
            form.add_error(error)
    return _show(session, actor, form)


@room.post("/partner/vorgestellt/<offer_id>/ja", endpoint="accept_introduction")
@deed("partners.edit")
def say_yes_to_introduction(session: Session, actor: Actor, offer_id: str) -> Response:
    """The invitation that goes along is the one that our QR would show."""
    accept_introduction(session, actor, offer_id, link_with(own_words(session, actor.firm_id)))
    return go_to(url_for("partners.index"), receipt="Gut. Sagt der andere auch Ja, hört ihr davon.")


@room.post("/partner/vorgestellt/<offer_id>/nein", endpoint="decline_introduction")
@deed("partners.edit")
def say_no_to_introduction(session: Session, actor: Actor, offer_id: str) -> Response:
    decline_introduction(session, actor, offer_id)
    return go_to(url_for("partners.index"), receipt="Alles klar. Der andere Betrieb erfährt es nicht.")


def link_with(words: str) -> Callable[[str], str]:
    """The address of our page behind an invitation's token, with the words that both compare."""
    return lambda token: f"{config().origin}{url_for('partners.join', token=token)}#{'-'.join(words.split())}"


def opened_proposals(session: Session, actor: Actor) -> list[Proposal]:
    """What partners propose; a link that came with it leads to pages of our own, wherever it points."""
    found = proposals(session, actor.firm_id, str(get_locale() or "de"))
    return [replace(one, link=_own_page(one.link, actor)) for one in found]


def _own_page(link: str, actor: Actor) -> str:
    if not link or link.startswith(f"{config().origin}/"):
        return link.removeprefix(config().origin)
    own = link_url(actor)
    return f"{own}?link={quote(link, safe='')}" if own else ""


def _show(session: Session, actor: Actor, form: Form) -> Response:
    partners = [(one.partner_id, one.name) for one in introducible(session, actor.firm_id)]
    return render(
        "directory/introductions.html",
        422 if form.errors else 200,
        form=form,
        partners=partners,
        running=introductions(session, actor.firm_id),
    )
