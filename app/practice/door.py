"""Who gets in and how: without a game only the door is open; nothing real can be begun; idle visitors are let out."""

import time
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask_babel import gettext, ngettext

from app.core import clock
from app.passkeys.sessions import clear_cookie, end_own_sign_in
from app.practice.bots import play_bots
from app.practice.games import is_left, real_now
from app.practice.guide import Guide, current_guide
from app.practice.worlds import MOUNT, Practice, current_game, story_cookie_name
from app.push.queries import unseen_count
from app.web.render import render
from app.web.transaction import PUBLIC
from app.web.world import world

OPEN_PAGES = frozenset(
    {
        "firms.home", "firms.legal", "firms.change_view", "notary.check", "notary.check_file", "practice.door",
        "practice.begin", "practice.begin_story", "practice.cross_over", "practice.join", "practice.join_page",
        "practice.leave", "practice.leave_story",
    }
)  # fmt: skip
"""What visitors without a game, or who were away, may open."""
OWN_KEYS = frozenset(
    {
        "switch_role", "sign_out", "devices", "sign_out_device", "sign_out_all", "invite", "save_invitation",
        "show_invitation", "withdraw_invitation", "recovery_sheet", "confirm_print", "approve_key", "lock_key",
        "approve_new_device",
    }
)  # fmt: skip
"""What of the passkeys room works without a real phone; all else would put a practice key into a real one."""
NO_PUSH = frozenset({"push.save", "push.probe", "push.remove", "push.later"})
BOTS_EVERY_S = 1.0
DEADLINES_EVERY_S = 30.0
OLD_GAMES_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Band:
    """What the violet band says."""

    band: str
    links: tuple[Link, ...]


def practice() -> Practice:
    """The practice world of this process."""
    found: Practice = current_app.extensions["practice"]
    return found


def band() -> Band | None:
    """The links of the band while a game runs: who to be, and what lies unread on this person's phone."""
    if current_game() is None or guide() is not None:
        return None
    links = [Link(url_for("practice.people"), gettext("Person wechseln"))]
    if waiting := _unread():
        links.append(Link(url_for("practice.phone"), ngettext("%(num)d Nachricht", "%(num)d Nachrichten", waiting)))
    return Band("", tuple(links))


def guide() -> Guide | None:
    """The bar of the Vorführung, asked once per request."""
    if "practice_guide" not in g:
        game = current_game()
        g.practice_guide = current_guide(practice().database(game), practice().config) if game else None
    found: Guide | None = g.practice_guide
    return found


def forget_story(response: Response) -> Response:
    """Let this browser forget the Vorführung; the own game is there again."""
    settings = practice().config
    # without Secure browsers would not even take the deletion of a name with that prefix
    response.delete_cookie(story_cookie_name(settings), path=MOUNT, secure=settings.is_secure)
    return response


def _unread() -> int:
    actor = world().actor()
    if actor is None or request.endpoint == "practice.phone":
        return 0
    with world().database().read() as session:
        return unseen_count(session, actor.firm_id, actor.person_id, clock.now())


def watch(app: Flask) -> None:
    """Put the door before every page: first who may be here, then what is due."""
    app.before_request(_check_in)
    app.before_request(_tend)
    app.context_processor(lambda: {"guide": guide()})
    home = app.view_functions["firms.home"]
    show_door = app.view_functions["practice.door"]

    def first_page() -> Any:
        return home() if world().actor() else show_door()

    first_page.permission = PUBLIC  # type: ignore[attr-defined]
    app.view_functions["firms.home"] = first_page


def _check_in() -> Response | None:
    endpoint, game = request.endpoint or "", current_game()
    if endpoint.startswith(("static_files.", "web.")):
        return None
    if game is None:
        return None if endpoint in OPEN_PAGES else _to_door()
    if is_left(game, real_now()) and not _is_back(endpoint):
        return _let_out(endpoint)
    if _is_tap():
        practice().games.note_tap(game)
    return _closed(endpoint)


def _is_back(endpoint: str) -> bool:
    """A tap on the door itself: somebody goes on."""
    return request.method == "POST" and endpoint.startswith("practice.")


def _closed(endpoint: str) -> Response | None:
    room, _, name = endpoint.partition(".")
    if endpoint in ("passkeys.sign_in", "passkeys.enter_code"):
        return _to_door()
    if endpoint == "push.show":
        return _see_other(url_for("practice.phone"))
    if (room == "passkeys" and name not in OWN_KEYS) or endpoint in NO_PUSH:
        return render("practice/not_here.html", 403)
    return None


def _is_tap() -> bool:
    """A page that asks again by itself is no person."""
    return request.method != "GET" or "HX-Request" not in request.headers


def _let_out(endpoint: str) -> Response | None:
    """Nobody tapped for half an hour, or a new day began: the person is signed out, the game stays."""
    if world().actor() is None and endpoint in OPEN_PAGES:
        return None
    with world().database().write() as session:
        end_own_sign_in(session)
    if "HX-Request" in request.headers:
        return forget_story(clear_cookie(Response(status=200, headers={"HX-Redirect": url_for("firms.home")})))
    return forget_story(_to_door())


def _to_door() -> Response:
    return clear_cookie(_see_other(url_for("firms.home")))


def _see_other(url: str) -> Response:
    return redirect(url, 303)  # type: ignore[return-value]


def _tend() -> None:
    """Before a page is made: bots that are due answer, deadlines that have passed end."""
    game = current_game()
    if game is None or (request.endpoint or "").startswith(("static_files.", "web.")):
        return
    own, database = practice(), practice().database(game)
    if _is_due(own, "all", "old games", OLD_GAMES_EVERY_S):
        own.erase_old()
    if _is_due(own, game.file_name, "deadlines", DEADLINES_EVERY_S):
        own.end_what_is_due(database)
    if guide() is None and _is_due(own, game.file_name, "bots", BOTS_EVERY_S):
        play_bots(database, own.config)


def _is_due(own: Practice, whose: str, what: str, every_s: float) -> bool:
    now, key = time.monotonic(), (whose, what)
    if now - own.tended.get(key, -every_s) < every_s:
        return False
    own.tended[key] = now
    return True
