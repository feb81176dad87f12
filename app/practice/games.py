"""The register of games: one small file of its own, which every process of the node reads and writes."""

import datetime as dt
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core import clock
from app.core.units import BERLIN

MOST_GAMES = 200
IDLE_DAYS = 7
LEAVE_AFTER = dt.timedelta(minutes=30)
SEEN_STEP = dt.timedelta(seconds=20)
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 6
BEGINS_AT = dt.datetime(2026, 11, 16, 7, 0, tzinfo=BERLIN)
"""Every game begins on this Monday of KW 47 and then runs as fast as real time."""
TABLE = """
CREATE TABLE IF NOT EXISTS game (
  id TEXT PRIMARY KEY, code TEXT NOT NULL UNIQUE, round INTEGER NOT NULL, shift_s REAL NOT NULL,
  created_at REAL NOT NULL, seen_at REAL NOT NULL)
"""
TICKETS = "CREATE TABLE IF NOT EXISTS ticket (id TEXT PRIMARY KEY, taken_at REAL NOT NULL)"


@dataclass(frozen=True)
class Game:
    """One visitor's world. `round` grows with each reset; `shift` moves the clock into the story."""

    id: str
    code: str
    round: int
    shift: dt.timedelta
    seen_at: dt.datetime

    @property
    def file_name(self) -> str:
        return f"{self.id}-{self.round}.sqlite"


class Games:
    """All games of this node. Times here are real; the story's time exists only inside a game.

    Games of another version of the tables cannot be opened any more: their register goes.
    """

    def __init__(self, path: Path, version: str) -> None:
        self._path, self.version = path / f"games-{version}.sqlite", version
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in path.glob("games-*.sqlite"):
            if old != self._path:
                old.unlink(missing_ok=True)
        with self._open() as db:
            db.execute(TABLE)
            db.execute(TICKETS)

    def begin(self) -> Game:
        """Register a new game at the story's first moment."""
        game = Game(secrets.token_hex(16), "", 1, shift_to(BEGINS_AT), real_now())
        while True:
            game = Game(game.id, self._new_code(), game.round, game.shift, game.seen_at)
            try:
                with self._open() as db:
                    db.execute("INSERT INTO game VALUES (?, ?, ?, ?, ?, ?)", _row(game))
                return game
            except sqlite3.IntegrityError:
                continue

    def find(self, game_id: str) -> Game | None:
        return self._one("id = ?", game_id)

    def by_code(self, code: str) -> Game | None:
        return self._one("code = ?", code.strip().upper().replace(" ", ""))

    def start_again(self, game: Game) -> Game:
        """The next round of the same game, with the same code, at the story's first moment."""
        with self._open() as db:
            shift_s = shift_to(BEGINS_AT).total_seconds()
            db.execute(
                "UPDATE game SET round = round + 1, shift_s = ?, seen_at = ? WHERE id = ?",
                (shift_s, real_now().timestamp(), game.id),
            )
        again = self.find(game.id)
        assert again is not None
        return again

    def move_clock(self, game: Game, at: dt.datetime) -> Game:
        """Let the story go on at another moment."""
        with self._open() as db:
            shift_s = shift_to(at).total_seconds()
            db.execute("UPDATE game SET shift_s = ? WHERE id = ?", (shift_s, game.id))
        moved = self.find(game.id)
        assert moved is not None
        return moved

    def note_tap(self, game: Game) -> None:
        """Somebody is there. Writes at most every twenty seconds."""
        now = real_now()
        if now - game.seen_at >= SEEN_STEP:
            with self._open() as db:
                db.execute("UPDATE game SET seen_at = ? WHERE id = ?", (now.timestamp(), game.id))

    def take_old(self) -> list[Game]:
        """Take games out of the register that nobody has touched for a week, and the oldest beyond 200."""
        limit = (real_now() - dt.timedelta(days=IDLE_DAYS)).timestamp()
        query = (
            "DELETE FROM game WHERE seen_at <= ? OR id IN (SELECT id FROM game ORDER BY seen_at DESC LIMIT -1 OFFSET ?)"
        )
        with self._open() as db:
            rows = db.execute(f"{query} RETURNING id, code, round, shift_s, seen_at", (limit, MOST_GAMES)).fetchall()
        return [_game(row) for row in rows]

    def take_ticket(self, ticket_id: str) -> bool:
        """Say whether somebody crosses over with this ticket for the first time."""
        now = real_now()
        with self._open() as db:
            db.execute("DELETE FROM ticket WHERE taken_at < ?", ((now - dt.timedelta(days=1)).timestamp(),))
            taken = db.execute("INSERT OR IGNORE INTO ticket VALUES (?, ?)", (ticket_id, now.timestamp()))
            return taken.rowcount == 1

    def ids(self) -> set[str]:
        with self._open() as db:
            return {row[0] for row in db.execute("SELECT id FROM game")}

    def _one(self, where: str, value: str) -> Game | None:
        with self._open() as db:
            row = db.execute(f"SELECT id, code, round, shift_s, seen_at FROM game WHERE {where}", (value,)).fetchone()
        return _game(row) if row else None

    def _new_code(self) -> str:
        return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=10)
        try:
            with db:
                yield db
        finally:
            db.close()


def real_now() -> dt.datetime:
    """The time outside of all games."""
    with clock.shifted(dt.timedelta()):
        return clock.now()


def shift_to(at: dt.datetime) -> dt.timedelta:
    """How far a game's clock must be moved so that it shows `at` now."""
    return at - real_now()


def is_left(game: Game, now: dt.datetime) -> bool:
    """Say whether the practice world leaves by itself: half an hour without a tap, or a new day."""
    is_new_day = game.seen_at.astimezone(BERLIN).date() != now.astimezone(BERLIN).date()
    return now - game.seen_at > LEAVE_AFTER or is_new_day


def _row(game: Game) -> tuple[str, str, int, float, float, float]:
    at = game.seen_at.timestamp()
    return (game.id, game.code, game.round, game.shift.total_seconds(), at, at)


def _game(row: tuple[str, str, int, float, float]) -> Game:
    game_id, code, number, shift_s, seen_at = row
    return Game(game_id, code, number, dt.timedelta(seconds=shift_s), dt.datetime.fromtimestamp(seen_at, dt.UTC))
