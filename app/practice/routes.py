"""The practice world's own pages: S38, choosing a person, the drawn phone, the second phone, and the Vorführung (S39)."""

from typing import Any

import segno
from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken, WerkringError
from app.core.units import BERLIN, week_of
from app.core.words import N_
from app.firms.access import Actor, Role
from app.firms.queries import firm_of, firm_version
from app.firms.routes import ROLE_NAMES
from app.passkeys.sessions import NewSignIn, clear_cookie, end_own_sign_in, set_cookie
from app.practice.door import practice
from app.practice.finale import finale_facts
from app.practice.games import Game
from app.practice.guide import keep_place, person_at, story_place, url_at
from app.practice.people import become, firm_cards, person_cards
from app.practice.phone import answer_alert, cards, open_alert
from app.practice.signing import approve_document
from app.practice.story import Place, Stage, take_step
from app.practice.worlds import MOUNT, cookie_name, current_game
from app.web.forms import Form
from app.web.limits import limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, ceremony, deed, page
from app.web.world import config

room = Blueprint("practice", __name__)
BEGIN = "60 per minute; 600 per hour"
JOIN = "20 per minute; 100 per hour"
GAME_LIFE_S = 7 * 86400
STARTED_OVER = N_("Hier ging es nicht weiter. Die Vorführung beginnt neu.")
NO = N_("Alles klar. Ein Nein hat keine Nachteile für euch.")
ROLE_ICONS = {
    Role.WORKER: "wrench",
    Role.FOREMAN: "megaphone",
    Role.MANAGER: "fingerprint",
    Role.ACCOUNTANT: "file-text",
}


@room.get("/uebungsbetrieb")
@page(PUBLIC)
def door(_session: Session, _actor: Actor | None) -> Response:
    """S38: what this is, begin, go on, join by code. The first page of visitors who are nobody yet."""
    return _door_page(Form())


@room.post("/ueben")
@limiter.limit(BEGIN)
@ceremony(PUBLIC)
def begin(_database: Database, _actor: Actor | None) -> Response:
    """A game of one's own; who has one goes on with it."""
    game = current_game() or practice().begin()
    return _keep_game(_see_other(url_for("practice.people")), game)


@room.get("/personen")
@page(PUBLIC)
def people(session: Session, actor: Actor | None) -> Response:
    """Whom to be: the firms of the story first."""
    _need_game()
    story, others = firm_cards(session)
    return render("practice/people.html", story=story, others=others, game=current_game(), own_firm=_firm_id(actor))


@room.get("/personen/<firm_id>")
@page(PUBLIC)
def firm(session: Session, actor: Actor | None, firm_id: str) -> Response:
    """The people of one firm as cards."""
    _need_game()
    return render(
        "practice/firm.html",
        firm=firm_of(session, firm_id),
        people=person_cards(session, firm_id),
        role_names=ROLE_NAMES,
        role_icons=ROLE_ICONS,
        own_person=actor.person_id if actor else "",
    )


@room.post("/personen/<firm_id>/<person_id>")
@deed(PUBLIC)
def be_person(session: Session, _actor: Actor | None, firm_id: str, person_id: str) -> Response:
    """Go on as this person."""
    _need_game()
    return set_cookie(_see_other(url_for("firms.home")), become(session, firm_id, person_id).secret)


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
    return _see_other(request.script_root + open_alert(session, actor, alert_id))


@room.get("/zweites-handy")
@page(PUBLIC)
def second_phone(_session: Session, _actor: Actor | None) -> Response:
    """Code and QR that open this game in a second browser."""
    game = _need_game()
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
    return _keep_game(clear_cookie(_see_other(url_for("practice.people"))), game)


@room.post("/neu-anfangen")
@limiter.limit(BEGIN)
@ceremony(PUBLIC)
def start_again(_database: Database, _actor: Actor | None) -> Response:
    """Put this game back to its first moment; no other game is touched."""
    game = practice().start_again(_need_game())
    response = go_to(url_for("practice.people"), receipt="Alles ist wieder wie am Anfang.")
    return _keep_game(clear_cookie(response), game)


@room.post("/verlassen")
@ceremony(PUBLIC)
def leave(database: Database, _actor: Actor | None) -> Response:
    """Go back to the real world; the game waits for a week."""
    if current_game() is not None:
        with database.write() as session:
            end_own_sign_in(session)
    return clear_cookie(_see_other(url_for("practice.left")))


@room.get("/verlassen")
@page(PUBLIC)
def left(_session: Session, _actor: Actor | None) -> Response:
    return render("practice/left.html", real_url=_real_url("/"))


@room.post("/unterschrift/<kind>/<document_id>")
@ceremony("own.use")
def sign(database: Database, actor: Actor, kind: str, document_id: str) -> Response:
    """The Übungs-Unterschrift: the server's own passkey goes the way of a real one, with every check."""
    url, receipt = approve_document(database, config(), actor, kind, document_id)
    return go_to(url, receipt=receipt)


@room.post("/vorfuehrung")
@limiter.limit(BEGIN)
@ceremony(PUBLIC)
def begin_story(database: Database, _actor: Actor | None) -> Response:
    """S39 in one tap: a fresh game, the first act, the first person. A game that somebody practises in stays."""
    known = current_game()
    is_story = known is not None and story_place(database) is not None
    return _first_act(practice().start_again(known) if known and is_story else practice().begin())


@room.post("/weiter")
@ceremony(PUBLIC)
def next_step(database: Database, _actor: Actor | None) -> Response:
    """The button of the guide bar. A second tap on the same step only shows where the story is now."""
    game, place = _need_game(), story_place(database)
    if place is None:
        return _see_other(url_for("practice.people"))
    try:
        if request.form.get("step") == str(place.number):
            place = take_step(Stage(database, config(), lambda at: practice().move_clock(game, at)), place)
        return _show(database, place)
    except WerkringError:
        # the visitor took something back by hand, and the story cannot go on from there
        return _first_act(practice().start_again(game), STARTED_OVER)


@room.get("/vorfuehrung/ende")
@page(PUBLIC)
def finale(session: Session, _actor: Actor | None) -> Response:
    """Act five: what came of it, with costs and with the proof."""
    _need_game()
    return render("practice/finale.html", **finale_facts(session), join_url=_real_url("/betrieb/neu"))


@room.post("/vorfuehrung/ende")
@limiter.limit(BEGIN)
@ceremony(PUBLIC)
def end_story(_database: Database, _actor: Actor | None) -> Response:
    """Practise alone, from the first moment."""
    game = practice().start_again(_need_game())
    return _keep_game(clear_cookie(_see_other(url_for("practice.people"))), game)


def _first_act(game: Game, receipt: str = "") -> Response:
    with clock.shifted(game.shift):
        return _keep_game(_show(practice().database(game), Place(), receipt), game)


def _show(database: Database, place: Place, receipt: str = "") -> Response:
    """Be the person of this step and look at its page."""
    with database.write() as session:
        keep_place(session, place)
        firm_id, person = person_at(session, place)
        signed_in: NewSignIn = become(session, firm_id, person.id, person.role)
    with database.read() as session:
        return set_cookie(go_to(url_at(session, place), receipt=receipt), signed_in.secret)


def _door_page(form: Form, status: int = 200) -> Response:
    return render("practice/door.html", status, form=form, game=current_game(), real_url=_real_url("/"))


def _phone_values(session: Session, actor: Actor) -> dict[str, Any]:
    return {
        "cards": cards(session, actor),
        "time_text": clock.now().astimezone(BERLIN).strftime("%H:%M"),
        "day": clock.today(),
        "week": week_of(clock.today()),
        "version": firm_version(session, actor.firm_id),
    }


def _need_game() -> Game:
    game = current_game()
    if game is None:
        raise NotFound("Dieses Spiel gibt es nicht mehr. Fang ein neues an.")
    return game


def _firm_id(actor: Actor | None) -> str:
    return actor.firm_id if actor else ""


def _keep_game(response: Response, game: Game) -> Response:
    response.set_cookie(
        cookie_name(config()),
        practice().ticket(game),
        max_age=GAME_LIFE_S,
        path=MOUNT,
        secure=config().is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def _see_other(url: str) -> Response:
    return redirect(url, 303)  # type: ignore[return-value]


def _real_url(path: str) -> str:
    """A page of the real world beside this one."""
    return request.script_root.removesuffix(MOUNT) + path
