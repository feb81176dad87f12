"""The directory: firms that show themselves, our own entry, and asking one of them to become partners."""

from collections.abc import Sequence

from flask import Response, request, url_for
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from app.directory import sentences  # noqa: F401
from app.directory.approaching import (
    accept_approach,
    approach_firm,
    arrived_approaches,
    block_approach,
    decline_approach,
)
from app.directory.door import room
from app.directory.far import approach_far_firm, far_shops, linked_nodes
from app.directory.introducing import Proposal
from app.directory.linked_data import json_ld
from app.directory.listing import set_far, set_listed, set_public
from app.directory.models import Approach
from app.directory.queries import Search, directory_page, listed_processes, own_entry, own_preview, public_entry
from app.directory.routes_introducing import link_with, opened_proposals
from app.firms.access import Actor, may
from app.partners.door import strangers
from app.partners.queries import own_words
from app.web.forms import Form
from app.web.limits import LOOK, limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, deed, page
from app.web.world import config

RADIUS_KM = (25, 50, 100)


def _strangers(session: Session, actor: Actor) -> tuple[list[Proposal], Sequence[Approach]]:
    return opened_proposals(session, actor), arrived_approaches(session, actor.firm_id)


strangers["read"] = _strangers


@room.get("/verzeichnis", endpoint="index")
@page("partners.see")
def show_directory(session: Session, actor: Actor) -> Response:
    form, language = Form(request.args), _language()
    processes = listed_processes(session, actor.firm_id, language)
    search = _read_search(form, [key for key, _ in processes])
    entry = own_entry(session, actor.firm_id)
    return render(
        "directory/index.html",
        found=directory_page(session, actor.firm_id, search, language),
        search=search,
        form=form,
        processes=[("", gettext("alle")), *processes],
        distances=[("", gettext("egal")), *((str(km), f"{km} km") for km in RADIUS_KM)],
        is_listed=entry is not None and entry.is_listed,
        may_edit=may(actor, "partners.edit"),
        far=[] if search.after else far_shops(session, actor.firm_id, search, language),
    )


@room.get("/verzeichnis/eintrag", endpoint="entry")
@page("partners.edit")
def show_entry(session: Session, actor: Actor) -> Response:
    """What strangers see of us, and the two switches."""
    preview = own_preview(session, actor.firm_id, _language())
    entry = own_entry(session, actor.firm_id)
    return render(
        "directory/entry.html",
        preview=preview,
        is_listed=entry is not None and entry.is_listed,
        is_public=entry is not None and entry.is_public,
        is_far=entry is not None and entry.is_far,
        nodes=linked_nodes(session),
    )


@room.post("/verzeichnis/eintrag", endpoint="save_entry")
@deed("partners.edit")
def save_entry(session: Session, actor: Actor) -> Response:
    """One tap: in the directory or not, a public page or not."""
    form = Form(request.form)
    if "is_listed" in form.fields:
        set_listed(session, actor, form.yes("is_listed"))
    if "is_far" in form.fields:
        set_far(session, actor, form.yes("is_far"))
    if "is_public" in form.fields:
        set_public(session, actor, form.yes("is_public"))
    return go_to(url_for("directory.entry"), receipt="Gemerkt.")


@room.post("/verzeichnis/<firm_id>/anfragen", endpoint="approach")
@deed("partners.edit")
def ask_firm(session: Session, actor: Actor, firm_id: str) -> Response:
    approach_firm(session, actor, firm_id)
    return go_to(url_for("directory.index"), receipt="Gefragt. Der Betrieb sieht euren Namen und Ort.")


@room.post("/verzeichnis/fern/<entry_id>/anfragen", endpoint="approach_far")
@deed("partners.edit")
def ask_far_firm(session: Session, actor: Actor, entry_id: str) -> Response:
    """Our invitation goes to the other node: the one that our QR would show."""
    approach_far_firm(session, actor, entry_id, link_with(own_words(session, actor.firm_id)))
    return go_to(url_for("directory.index"), receipt="Gefragt. Der Betrieb sieht euren Namen und Ort.")


@room.post("/verzeichnis/anfrage/<approach_id>/ja", endpoint="accept_approach")
@deed("partners.edit")
def say_yes(session: Session, actor: Actor, approach_id: str) -> Response:
    accept_approach(session, actor, approach_id)
    return go_to(url_for("partners.index"), receipt="Gut. Gleich könnt ihr den Rahmenvertrag lesen.")


@room.post("/verzeichnis/anfrage/<approach_id>/nein", endpoint="decline_approach")
@deed("partners.edit")
def say_no(session: Session, actor: Actor, approach_id: str) -> Response:
    decline_approach(session, actor, approach_id)
    return go_to(url_for("partners.index"), receipt="Alles klar. Sonst erfährt es niemand.")


@room.post("/verzeichnis/anfrage/<approach_id>/blockieren", endpoint="block_approach")
@deed("partners.edit")
def block(session: Session, actor: Actor, approach_id: str) -> Response:
    block_approach(session, actor, approach_id)
    return go_to(url_for("partners.index"), receipt="Ihr seht euch nicht mehr.")


@room.get("/betrieb/<handle>", endpoint="public_profile")
@limiter.limit(LOOK)
@page(PUBLIC)
def show_public_profile(session: Session, actor: Actor | None, handle: str) -> Response:
    """A firm that wants everybody to find it; any other one is like one that never was."""
    one = public_entry(session, handle, _language(), actor.firm_id if actor else None)
    url = config().public_url + url_for("directory.public_profile", handle=handle)
    return render("directory/public.html", one=one, url=url, data=json_ld(one, url))


def _read_search(form: Form, process_keys: list[str]) -> Search:
    """What is no choice of ours filters nothing: an old bookmark still shows a page."""
    process_key, within = form.value("verfahren"), form.value("umkreis")
    return Search(
        process_key=process_key if process_key in process_keys else "",
        town=" ".join(form.value("ort").split())[:80],
        within_km=int(within) if within in map(str, RADIUS_KM) else 0,
        after=form.value("nach")[:200],
    )


def _language() -> str:
    return str(get_locale() or "de")
