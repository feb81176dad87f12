"""Puts a world together: rooms, permissions, tabs, and the practice world beside the real one."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from flask import Flask, request
from flask_babel import Babel
from htmx_flask import Htmx
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.log import prepare_log
from app.firms.access import require
from app.invoices.actions import issue_invoices
from app.menu import SETUP_COUNTS, home_of, tab_counts, tabs_for
from app.operator.health import last_heartbeat
from app.plans.actions import solve_due_plans
from app.reactions import INBOX
from app.web import errors, pwa, render, security, static
from app.web.at_once import AtOnce
from app.web.cookies import kept_look
from app.web.json import BoundedJson
from app.web.late import LateRule
from app.web.world import World, join_world, world
from app.worker import end_what_is_due, enqueue, run_until_quiet

ROOMS = (
    "firms",
    "notary",
    "passkeys",
    "federation",
    "partners",
    "directory",
    "push",
    "machines",
    "capacity",
    "requests",
    "offers",
    "plans",
    "bookings",
    "agreements",
    "hours",
    "trouble",
    "invoices",
    "insights",
    "operator",
    "moving",
    "api",
)
LANGUAGES = ("de", "en")
MOST_BODY_BYTES = 26 * 1024 * 1024


def create_app(config: Config, database: Database | None = None) -> Flask:
    """Build the real world for a WSGI server; raises RuntimeError when a route has no permission."""
    prepare_log()
    clock.start_at(config.clock_start)
    if database is None:
        database = Database(config.database_url, dispatch_to(config))
    app = _new_app(config)
    join_world(app, World(config, lambda: database, _load_actor(), require, tabs_for))
    _open_rooms(app)
    pwa.beat["read"] = last_heartbeat
    return app


def create_site(config: Config, is_server: bool = False) -> Any:
    """The real world at the root; the practice world beside it at /uebung where the configuration has one.

    A server prepares the practice network beside its first answers.
    """
    app = create_app(config)
    if not config.practice:
        return app
    # only here: a node without practice world never loads its code, above all not the passkey that it holds itself
    worlds = import_module("app.practice.worlds")
    house = worlds.House(_new_app, _open_rooms, _join, _settle_inline, end_what_is_due)
    practice = worlds.create_practice(config, house)
    if is_server:
        practice.warm_up()
    return DispatcherMiddleware(app, {"/uebung": practice})


def _join(app: Flask, config: Config, database: Callable[[], Database], game: Callable[[], Any]) -> None:
    join_world(app, World(config, database, _visitor, require, tabs_for, game))


def _settle_inline(database: Database, config: Config) -> None:
    """What the worker does for the real world, at once and without anything that leaves the house."""
    run_until_quiet(database)
    solve_due_plans(database, config)
    issue_invoices(database, config)
    run_until_quiet(database)


def dispatch_to(config: Config) -> Any:
    """After a commit: tell the task engine that something waits."""
    return lambda _database, _event_ids: enqueue(config)


def _new_app(config: Config) -> Flask:
    app = Flask("app", template_folder="../templates", static_folder=None)
    app.url_rule_class = LateRule
    app.secret_key = config.secret_key
    app.json = BoundedJson(app)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = 2 * 1024 * 1024
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    app.config["BABEL_DEFAULT_LOCALE"] = "de"
    app.config["BABEL_DEFAULT_TIMEZONE"] = "Europe/Berlin"
    if config.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.proxies, x_proto=config.proxies, x_host=config.proxies)  # type: ignore[method-assign]
    app.wsgi_app = AtOnce(app.wsgi_app)  # type: ignore[method-assign]
    Babel(app, locale_selector=_language)
    Htmx(app)
    security.guard(app)
    errors.catch_errors(app)
    render.prepare_rendering(app)
    return app


def _open_rooms(app: Flask) -> None:
    app.register_blueprint(static.files)
    app.register_blueprint(pwa.room)
    for name in ROOMS:
        if find_spec(f"app.{name}.routes"):
            app.register_blueprint(import_module(f"app.{name}.routes").room)
    if find_spec("app.passkeys.sessions"):
        import_module("app.passkeys.sessions").prepare(app)
    app.extensions["home_of"] = home_of
    app.extensions["inbox"] = INBOX
    app.extensions["tab_counts"] = tab_counts()
    app.extensions["setup_counts"] = SETUP_COUNTS
    _refuse_routes_without_permission(app)


def _refuse_routes_without_permission(app: Flask) -> None:
    bare = [name for name, view in app.view_functions.items() if not hasattr(view, "permission")]
    if bare:
        raise RuntimeError(f"Routes without a permission: {', '.join(bare)}")


def _load_actor() -> Any:
    if find_spec("app.passkeys.sessions"):
        return import_module("app.passkeys.sessions").load_actor
    return lambda: None


def _visitor() -> Any:
    """The acting person of the practice world, with language and look of the browser: invented people have none."""
    actor = _load_actor()()
    return replace(actor, language=_language_of_browser(), **render.look_of_browser()) if actor else None


def _language() -> str:
    actor = world().actor()
    return str(actor.language) if actor and actor.language in LANGUAGES else _language_of_browser()


def _language_of_browser() -> str:
    asked = kept_look("language")
    return asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or "de"
