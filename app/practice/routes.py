"""The practice world's own pages: S38, choosing a person, the drawn phone, the second phone, the Übungs-Unterschrift."""

from typing import Any

import segno
from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.core.units import BERLIN
from app.core.words import N_
from app.firms.access import Actor, Role
from app.firms.queries import firm_of, firm_version
from app.passkeys.sessions import clear_cookie, end_own_sign_in, set_cookie
from app.practice import routes_story  # noqa: F401
from app.practice.door import forget_story, practice
from app.practice.people import PersonCard, become, firm_cards, person_cards
from app.practice.phone import answer_alert, cards, open_alert
from app.practice.room import BEGIN, keep_game, need_game, own_game, real_url, room, see_other
from app.practice.signing import approve_document
from app.practice.worlds import current_game
from app.web.cookies import kept
from app.web.forms import Form
from app.web.limits import limiter
from app.web.render import go_to, render, set_look
from app.web.transaction import PUBLIC, ceremony, deed, page
from app.web.world import config

JOIN = "20 per minute; 100 per hour"
NO = N_("Alles klar. Ein Nein hat keine Nachteile für euch.")
ROLE_ICONS = {
    Role.WORKER: "wrench",
    Role.FOREMAN: "megaphone",
    Role.MANAGER: "fingerprint",
    Role.ACCOUNTANT: "file-text",
}
ROLE_DEEDS = {
    Role.WORKER: N_("Mitarbeiter: sieht die Aufträge"),
    Role.FOREMAN: N_("Meister: antwortet auf Anfragen"),
    Role.MANAGER: N_("Leitung: fragt an, unterschreibt"),
    Role.ACCOUNTANT: N_("Büro: liest die Verträge"),
}


@room.get("/uebungsbetrieb")
@page(PUBLIC)
def door(_session: Session, _actor: Actor | None) -> Response:
    """S38: what this is, begin, go on, join by code. The first page of visitors who are nobody yet."""
    return _door_page(Form())


@room.get("/herueber")
@page(PUBLIC)
def cross_over(_session: Session, _actor: Actor | None) -> Response:
    """In from the real world, wearing what one wore there; a ticket that is old or used brings nothing along."""
    response = see_other(url_for("firms.home"))
    if ticket := practice().cross_over(request.args.get("karte", "")):
        for name in ("role", "language", "light", "hand"):
            set_look(response, name, getattr(ticket, name))
    return response


@room.post("/ueben")
@limiter.limit(BEGIN)
@ceremony(PUBLIC)
def begin(_database: Database, _actor: Actor | None) -> Response:
    """A game of one's own; who has one goes on with it."""
    game = own_game() or practice().begin()
    return keep_game(see_other(url_for("practice.people")), game)


@room.get("/personen")
@page(PUBLIC)
def people(session: Session, actor: Actor | None) -> Response:
    """Whom to be: the firms of the story first."""
    need_game()
    story, others = firm_cards(session)
    return render("practice/people.html", story=story, others=others, game=current_game(), own_firm=_firm_id(actor))


@room.get("/personen/<firm_id>")
@page(PUBLIC)
def firm(session: Session, actor: Actor | None, firm_id: str) -> Response:
    """The people of one firm as cards."""
    need_game()
    return render(
        "practice/firm.html",
        firm=firm_of(session, firm_id),
        people=_own_role_first(person_cards(session, firm_id)),
        role_deeds=ROLE_DEEDS,
        role_icons=ROLE_ICONS,
        own_person=actor.person_id if actor else "",
    )


@room.post("/personen/<firm_id>/<person_id>")
@deed(PUBLIC)
def be_person(session: Session, _actor: Actor | None, firm_id: str, person_id: str) -> Response:
    """Go on as this person."""
    need_game()
    return set_cookie(see_other(url_for("firms.home")), become(session, firm_id, person_id).secret)


@room.get("/handy")
@page("own.use")
def phone(session: Session, actor: Actor) -> Response:
    """The lock screen of this person's phone."""
    return render("practice/phone.html", **_phone_values(session, actor))


@room.get("/handy/karten")
@page("own.use")
def phone_cards(session: Session, actor: Actor) -> Response:
    """The part of the lock screen that lives: 204 when nothing changed since `v`."""
    if request.args.get("v") == str(firm_version(session, actor.firm_id)):
        return Response(status=204)
    return render("practice/_cards.html", **_phone_values(session, actor))


@room.post("/handy/<alert_id>")
@deed("own.use")
def tap_message(session: Session, actor: Actor, alert_id: str) -> Response:
    """A button of a message: answer it, or open its page."""
    said = request.form.get("answer", "")
    if said in ("yes", "no"):
        name = answer_alert(session, actor, alert_id, said)
        text = (
            "Danke. %(name)s weiß Bescheid." if said == "yes" else "Alles klar. Ein Nein hat keine Nachteile für euch."
        )
        return go_to(url_for("practice.phone"), receipt=text, name=name)
    return see_other(request.script_root + open_alert(session, actor, alert_id))


@room.get("/zweites-handy")
@page(PUBLIC)
def second_phone(_session: Session, _actor: Actor | None) -> Response:
    """Code and QR that open this game in a second browser."""
    game = need_game()
    url = config().origin + url_for("practice.join_page", code=game.code)
    matrix = segno.make(url, error="m", micro=False).matrix
    return render("practice/second_phone.html", code=game.code, url=url, matrix=matrix)


@room.get("/mitmachen/<code>")
@page(PUBLIC)
def join_page(_session: Session, _actor: Actor | None, code: str) -> Response:
    """Where the QR leads: one tap joins."""
    return _door_page(Form({"code": code[:12]}))


@room.post("/mitmachen")
@limiter.limit(JOIN)
@ceremony(PUBLIC)
def join(_database: Database, _actor: Actor | None) -> Response:
    """Open the game with this code in this browser too."""
    form = Form(request.form)
    code = form.text("code", "Gib den Code ein. Er hat 6 Buchstaben.", 12)
    game = practice().games.by_code(code) if form.is_good else None
    if game is None:
        if form.is_good:
            form.add_error(RuleBroken("Dieses Spiel gibt es nicht. Prüfe den Code.", "code"))
        return _door_page(form, 422)
    return keep_game(clear_cookie(see_other(url_for("practice.people"))), game)


@room.post("/neu-anfangen")
@limiter.limit(BEGIN)
@ceremony(PUBLIC)
def start_again(_database: Database, _actor: Actor | None) -> Response:
    """Put this game back to its first moment; no other game is touched."""
    game = practice().start_again(own_game() or need_game())
    response = go_to(url_for("practice.people"), receipt="Alles ist wieder wie am Anfang.")
    return keep_game(clear_cookie(response), game)


@room.post("/verlassen")
@ceremony(PUBLIC)
def leave(database: Database, _actor: Actor | None) -> Response:
    """Go back to the real world; the game waits for a week."""
    if current_game() is not None:
        with database.write() as session:
            end_own_sign_in(session)
    return forget_story(clear_cookie(see_other(real_url("/zurueck"))))


@room.post("/unterschrift/<kind>/<document_id>")
@ceremony("own.use")
def sign(database: Database, actor: Actor, kind: str, document_id: str) -> Response:
    """The Übungs-Unterschrift: the server's own passkey goes the way of a real one, with every check."""
    url, receipt = approve_document(database, config(), actor, kind, document_id)
    return go_to(url, receipt=receipt)


def _door_page(form: Form, status: int = 200) -> Response:
    return render("practice/door.html", status, form=form, game=own_game(), real_url=real_url("/zurueck"))


def _own_role_first(found: list[PersonCard]) -> list[PersonCard]:
    """Who crossed over finds the role that they know on top."""
    return sorted(found, key=lambda card: card.role != kept("role"))


def _phone_values(session: Session, actor: Actor) -> dict[str, Any]:
    return {
        "cards": cards(session, actor),
        "time_text": clock.now().astimezone(BERLIN).strftime("%H:%M"),
        "day": clock.today(),
        "version": firm_version(session, actor.firm_id),
    }


def _firm_id(actor: Actor | None) -> str:
    return actor.firm_id if actor else ""
