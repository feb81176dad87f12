"""The Vorführung (S39): six acts on the real pages, moved on by the bar on top of them."""

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.errors import WerkringError
from app.core.words import N_
from app.firms.access import Actor
from app.passkeys.sessions import clear_cookie, end_own_sign_in, set_cookie
from app.practice.door import forget_story, practice
from app.practice.finale import finale_facts
from app.practice.games import Game
from app.practice.guide import keep_place, person_at, story_place, url_at
from app.practice.people import become
from app.practice.room import BEGIN, keep_game, keep_story, need_game, own_game, real_url, room, see_other
from app.practice.story import Place, Stage, take_step
from app.practice.worlds import current_game
from app.web.limits import limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, ceremony, page
from app.web.world import config

STARTED_OVER = N_("Hier ging es nicht weiter. Die Vorführung beginnt neu.")


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
    game, place = need_game(), story_place(database)
    if place is None:
        return see_other(url_for("practice.people"))
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
    need_game()
    return render("practice/finale.html", **finale_facts(session), join_url=real_url("/betrieb/neu"))


@room.post("/vorfuehrung/ende")
@limiter.limit(BEGIN)
@ceremony(PUBLIC)
def end_story(_database: Database, _actor: Actor | None) -> Response:
    """Practise alone: the game that waited goes on, else this one begins from its first moment."""
    game = own_game() or practice().start_again(need_game())
    return keep_game(clear_cookie(see_other(url_for("practice.people"))), game)


@room.post("/vorfuehrung/verlassen")
@ceremony(PUBLIC)
def leave_story(database: Database, _actor: Actor | None) -> Response:
    """End the Vorführung at any step: back to the game that waited, else to the door."""
    with database.write() as session:
        end_own_sign_in(session)
    page_after = "practice.people" if own_game() else "firms.home"
    return forget_story(clear_cookie(see_other(url_for(page_after))))


def _first_act(game: Game, receipt: str = "") -> Response:
    with clock.shifted(game.shift):
        return keep_story(_show(practice().database(game), Place(), receipt), game)


def _show(database: Database, place: Place, receipt: str = "") -> Response:
    """Be the person of this step and look at its page."""
    with database.write() as session:
        keep_place(session, place)
        firm_id, person = person_at(session, place)
        signed_in = become(session, firm_id, person.id, person.role)
    with database.read() as session:
        return set_cookie(go_to(url_at(session, place), receipt=receipt), signed_in.secret)
