"""Accepting an invitation from another node on our own one: the link, then whose it is, then yes."""

from flask import Response, request, url_for

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.federation.door import room
from app.federation.linking import ask_node, read_link
from app.firms.access import Actor
from app.partners.actions import propose_far_partnership
from app.partners.queries import own_words
from app.web.forms import Form
from app.web.limits import CODE, limiter
from app.web.render import go_to, render
from app.web.transaction import ceremony, page
from app.web.world import config


def _refuse_in_practice() -> None:
    """The practice world has no way out of the house."""
    if config().is_practice:
        raise NotFound


@room.get("/partner/annehmen")
@page("partners.edit")
def enter_link(session: object, actor: Actor) -> Response:
    """Where another node sends its visitor on, or where a copied link is put in."""
    _refuse_in_practice()
    return render("federation/link.html", form=Form({"link": request.args.get("link", "")[:600]}))


@room.post("/partner/annehmen")
@limiter.limit(CODE)
@ceremony("partners.edit")
def check_link(database: Database, actor: Actor) -> Response:
    """Ask the other node, outside any transaction, and show whom the manager would say yes to."""
    _refuse_in_practice()
    form = Form(request.form)
    link = form.text("link", "Füge den Link ein.", most=600)
    if form.is_good:
        try:
            invited = ask_node(config(), read_link(link))
        except RuleBroken as error:
            form.add_error(error)
        else:
            with database.read() as session:
                own = own_words(session, actor.firm_id).split()
            return render(
                "federation/confirm.html", invited=invited, words=invited.words.split(), own_words=own, link=link
            )
    return render("federation/link.html", 422, form=form)


@room.post("/partner/annehmen/ja")
@limiter.limit(CODE)
@ceremony("partners.edit")
def accept_link(database: Database, actor: Actor) -> Response:
    _refuse_in_practice()
    form = Form(request.form)
    link = form.text("link", "Füge den Link ein.", most=600)
    try:
        invited = ask_node(config(), read_link(link))
        with database.write() as session:
            partner_id = propose_far_partnership(session, actor, invited)
    except RuleBroken as error:
        form.add_error(error)
        return render("federation/link.html", 422, form=form)
    return go_to(url_for("partners.show", partner_id=partner_id), receipt="Angenommen. Jetzt unterschreibt ihr beide.")
