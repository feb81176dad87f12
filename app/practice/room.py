"""The room's blueprint, and what all its pages share: the game of the browser, and the way back to the real world."""

from flask import Blueprint, Response, redirect, request

from app.core.errors import NotFound
from app.practice.door import forget_story, practice
from app.practice.games import IDLE_DAYS, Game
from app.practice.worlds import MOUNT, cookie_name, current_game, story_cookie_name
from app.web.world import config

room = Blueprint("practice", __name__)
BEGIN = "60 per minute; 600 per hour"
GAME_LIFE_S = IDLE_DAYS * 86400


def need_game() -> Game:
    """The game of this browser; raises NotFound without one."""
    game = current_game()
    if game is None:
        raise NotFound("Dieses Spiel gibt es nicht mehr. Fang ein neues an.")
    return game


def own_game() -> Game | None:
    """The game that this browser practises in, also while it shows the Vorführung."""
    return practice().own_game_in(request.environ)


def keep_game(response: Response, game: Game) -> Response:
    """Let this browser practise in that game from now on; a Vorführung is over."""
    return _keep(forget_story(response), cookie_name(config()), game)


def keep_story(response: Response, game: Game) -> Response:
    """Show that game's Vorführung in this browser; the own game waits."""
    return _keep(response, story_cookie_name(config()), game)


def _keep(response: Response, cookie: str, game: Game) -> Response:
    response.set_cookie(
        cookie,
        practice().ticket(game),
        max_age=GAME_LIFE_S,
        path=MOUNT,
        secure=config().is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def see_other(url: str) -> Response:
    """End a POST with a page."""
    return redirect(url, 303)  # type: ignore[return-value]


def real_url(path: str) -> str:
    """A page of the real world beside this one."""
    return request.script_root.removesuffix(MOUNT) + path
