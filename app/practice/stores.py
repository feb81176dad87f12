"""The databases of games: copied from the template, kept open while used, settled inline after every commit."""

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from pathlib import Path

import structlog

from app.core.db import Database

log = structlog.get_logger()
MOST_OPEN = 24
Settle = Callable[[Database], None]
_is_settling: ContextVar[bool] = ContextVar("is_settling", default=False)


class Stores:
    """One SQLite file per game in a folder of their own."""

    def __init__(self, folder: Path, settle: Settle) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._settle = folder, settle
        self._open: OrderedDict[str, Database] = OrderedDict()
        self._guard = threading.Lock()

    def database(self, file_name: str) -> Database:
        """The open database of a game; the one unused for longest is closed when there are too many."""
        with self._guard:
            found = self._open.pop(file_name, None) or self._opened(self._folder / file_name)
            self._open[file_name] = found
            spare = self._open.popitem(last=False)[1] if len(self._open) > MOST_OPEN else None
        if spare is not None:
            spare.close()
        return found

    def copy_in(self, template: Path, file_name: str) -> None:
        """Give a game its own copy of the template; it appears whole or not at all."""
        draft = self._folder / f"{file_name}.new"
        shutil.copyfile(template, draft)
        draft.replace(self._folder / file_name)

    def has(self, file_name: str) -> bool:
        return (self._folder / file_name).exists()

    def erase_unknown(self, game_ids: Collection[str]) -> None:
        """Erase what belongs to no game of the register."""
        for game_id in {path.name.partition("-")[0] for path in self._folder.glob("*-*.sqlite*")} - set(game_ids):
            self.erase(game_id)

    def erase(self, game_id: str, but: str = "") -> None:
        """Erase all files of one game, except the one with that name and what belongs to it."""
        for path in self._folder.glob(f"{game_id}-*"):
            if but and path.name.startswith(but):
                continue
            with self._guard:
                found = self._open.pop(path.name, None)
            if found is not None:
                found.close()
            path.unlink(missing_ok=True)

    def _opened(self, path: Path) -> Database:
        return Database(f"sqlite:///{path}", dispatch=self._dispatch)

    def _dispatch(self, database: Database, _event_ids: Sequence[str]) -> None:
        settle_inline(database, self._settle)


def settle_inline(database: Database, settle: Settle) -> None:
    """Run what follows from a commit at once. Commits made meanwhile do not begin it again: the round finds them."""
    if _is_settling.get():
        return
    token = _is_settling.set(True)
    try:
        settle(database)
    except Exception:
        # the deed itself is done and stored; the next request tries what follows once more
        log.exception("practice: settling failed")
    finally:
        _is_settling.reset(token)
