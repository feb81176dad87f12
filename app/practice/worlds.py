"""The practice world: a second instance of the same rooms, one database per visitor, the story's own clock."""

import dataclasses
import datetime as dt
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, g, has_request_context, request
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.wrappers import Request

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.signing import HMAC_SHA256
from app.practice.games import Game, Games
from app.practice.stores import Stores, settle_inline
from app.practice.template import Template, pack_into_one_file, template_version, world_version
from app.web.crossing import Ticket, crossing_key, read_ticket

log = structlog.get_logger()
MOUNT = "/uebung"
LOBBY = "lobby.sqlite"
GAME = "werkring.game"
WARM_UP_AFTER_S = 2.0


@dataclass(frozen=True)
class House:
    """What stands above this room and is handed down by the factory."""

    new_app: Callable[[Config], Flask]
    open_rooms: Callable[[Flask], None]
    join: Callable[[Flask, Config, Callable[[], Database], Callable[[], Any]], None]
    """(app, config, database, game): lets the app know its world"""
    settle: Callable[[Database, Config], None]
    """Run reactions, deliveries and plans until nothing is due"""
    end_what_is_due: Callable[[Database], None]


class Practice:
    """All that the rooms of the practice world share; one per process, in `app.extensions["practice"]`."""

    def __init__(self, config: Config, house: House, app: Flask, crossing: bytes) -> None:
        self.config, self.app, self.end_what_is_due = config, app, house.end_what_is_due
        self._crossing = crossing
        folder = config.data_dir
        self._settle = lambda database: house.settle(database, config)
        self.games = Games(folder, world_version(config))
        self.template = Template(folder, template_version(config), self._fill)
        self.stores = Stores(folder / "games", self._settle)
        self._signer = URLSafeSerializer(config.secret_key, salt="spiel", signer_kwargs=HMAC_SHA256)
        self._lobby: Database | None = None
        self.tended: dict[tuple[str, str], float] = {}
        """When something was last done for a game: (file, what) -> monotonic seconds"""
        self._guard = threading.Lock()

    def begin(self) -> Game:
        """A new game with a fresh copy of the template; games that nobody plays any more go."""
        template = self.template.path()
        game = self.games.begin()
        self.stores.copy_in(template, game.file_name)
        self.erase_old()
        return game

    def erase_old(self) -> None:
        """Erase games that nobody has touched for a week, the oldest beyond 200, and files without a game."""
        for old in self.games.take_old():
            self.stores.erase(old.id)
        self.stores.erase_unknown(self.games.ids())

    def start_again(self, game: Game) -> Game:
        """The same game from its first moment; nothing of other games is touched."""
        again = self.games.start_again(game)
        self.stores.copy_in(self.template.path(), again.file_name)
        self.stores.erase(game.id, but=again.file_name)
        return again

    def move_clock(self, game: Game, at: dt.datetime) -> None:
        """Let the story go on at another moment; what ends until then ends now."""
        moved = self.games.move_clock(game, at)
        with clock.shifted(moved.shift):
            self.end_what_is_due(self.database(moved))

    def settle(self, database: Database) -> None:
        settle_inline(database, self._settle)

    def database(self, game: Game | None) -> Database:
        """The game's database; visitors without a game stand in an empty lobby."""
        if game is None:
            return self.lobby()
        return self.stores.database(game.file_name)

    def lobby(self) -> Database:
        """An empty database for the pages before the first game; it holds nothing but rate limits."""
        with self._guard:
            if self._lobby is None:
                path = self.config.data_dir / f"{self.games.version}-{LOBBY}"
                is_new = not path.exists()
                database = Database(f"sqlite:///{path}")
                if is_new:
                    database.create_tables()
                self._lobby = database
            return self._lobby

    def ticket(self, game: Game) -> str:
        """What the browser keeps to find its game again."""
        return str(self._signer.dumps(game.id))

    def game_in(self, environ: dict[str, Any]) -> Game | None:
        """The game that this request belongs to: the Vorführung while one plays, else the own one."""
        return self._named(environ, story_cookie_name(self.config)) or self.own_game_in(environ)

    def own_game_in(self, environ: dict[str, Any]) -> Game | None:
        """The game that somebody practises in with this browser, whatever else plays there now."""
        return self._named(environ, cookie_name(self.config))

    def cross_over(self, text: str) -> Ticket | None:
        """What somebody brings along from the real world; each ticket lets in once."""
        ticket = read_ticket(self._crossing, text)
        return ticket if ticket is not None and self.games.take_ticket(ticket.id) else None

    def _named(self, environ: dict[str, Any], cookie: str) -> Game | None:
        ticket = Request(environ).cookies.get(cookie, "")
        try:
            game = self.games.find(str(self._signer.loads(ticket))) if ticket else None
        except BadData:
            return None
        return game if game is not None and self.stores.has(game.file_name) else None

    def warm_up(self) -> None:
        """Build the template in a thread, once the server's own start is over."""
        if not self.template.is_ready:
            thread = threading.Timer(WARM_UP_AFTER_S, self._warm)
            thread.daemon = True
            thread.start()

    def _warm(self) -> None:
        try:
            self.template.path()
        except Exception:
            # the first visitor tries again and sees the error page; the log says why
            log.exception("practice: the template could not be built")

    def _fill(self, draft: Path) -> None:
        from app.practice.network import fill_network

        database = Database(f"sqlite:///{draft}", dispatch=lambda found, _ids: self.settle(found))
        database.create_tables()
        with self.app.test_request_context("/", base_url=self.config.origin + MOUNT, environ_overrides={GAME: None}):
            g.practice_database = database
            fill_network(database)
        pack_into_one_file(database)


class Site:
    """The WSGI app to be mounted at /uebung: every request happens at its game's own time."""

    def __init__(self, app: Flask, practice: Practice) -> None:
        self.app, self.practice = app, practice

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_file = environ.get("PATH_INFO", "").startswith("/static/")
        game = None if is_file else self.practice.game_in(environ)
        environ[GAME] = game
        with clock.shifted(game.shift if game else dt.timedelta()):
            return self.app(environ, start_response)

    def warm_up(self) -> None:
        """Build the template beside everything else, so that the first visitor need not wait."""
        self.practice.warm_up()


def create_practice(config: Config, house: House) -> Site:
    """The practice world beside the real one; nothing of the real world can be reached from it."""
    own = practice_config(config)
    app = house.new_app(own)
    practice = Practice(own, house, app, crossing_key(config.secret_key))
    app.extensions["practice"] = practice
    _open_door(app, house, practice)
    return Site(app, practice)


def practice_config(config: Config) -> Config:
    """A copy with keys, folder and database of its own, and without any way out of the house."""
    folder = config.data_dir / "practice"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return dataclasses.replace(
        config,
        is_practice=True,
        data_dir=folder,
        database_url=f"sqlite:///{folder / LOBBY}",
        secret_key=_derived(config.secret_key, b"secret"),
        node_key=_derived(config.node_key, b"node"),
        firms_may_join=False,
        smtp_url="",
        queue_url="",
        push_test_hosts=(),
        federation_test_nodes=(),
        clock_start="",
        anchor=None,
        practice=False,
    )


def cookie_name(config: Config) -> str:
    """The cookie that names the game; the one of the sign-in is the passkeys room's."""
    return "__Secure-uebung-spiel" if config.is_secure else "uebung-spiel"


def story_cookie_name(config: Config) -> str:
    """The cookie that names the Vorführung: beside the own game's, which waits unharmed until the story is left."""
    return "__Secure-uebung-vorfuehrung" if config.is_secure else "uebung-vorfuehrung"


def current_game() -> Game | None:
    """The game of this request."""
    found: Game | None = request.environ.get(GAME) if has_request_context() else None
    return found


def _open_door(app: Flask, house: House, practice: Practice) -> None:
    from app.practice import door, routes  # noqa: F401 - its pages join the blueprint
    from app.practice.room import room

    def database() -> Database:
        found: Database | None = g.get("practice_database")
        return found or practice.database(current_game())

    house.join(app, practice.config, database, door.band)
    app.register_blueprint(room)
    house.open_rooms(app)
    door.watch(app)


def _derived(key: bytes, label: bytes) -> bytes:
    return hmac.new(key, b"werkring/practice/v1\n" + label, hashlib.sha256).digest()
