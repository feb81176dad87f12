"""Three nodes with one firm each, partners of each other: made once; every seed plays in a copy of its own."""

import asyncio
import datetime as dt
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from sqlalchemy.orm import Session

import tests.tables  # noqa: F401
from app.capacity.models import CapacityWindow
from app.config import load_config
from app.core import clock, connections, ids
from app.core.db import Database
from app.federation import arriving, carrying, judging
from app.federation.rules import Incoming
from app.notary.heads import resume_checkpoints
from app.notary.keys import use_node_key
from app.reactions import INBOX
from tests.long.race_world import MONDAY
from tests.nodes.world import Node, link, open_firm

KEYS = {"eins.test": "keller", "zwei.test": "yilmaz", "drei.test": "brandt"}
FREE_MIN_A_WEEK = 40 * 60
Effect = tuple[str, str, str]
"""Who was told, by whom, the message's id"""


class PowerCut(BaseException):
    """The power fails at a node: what was not committed is gone, what was is not. No handler of the house may catch it."""


class House(Database):
    """A node's database. `cut_in`: after so many steps, each before or after a commit, the power fails; 0: never."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.cut_in = 0
        self.effects: list[Effect] = []

    def start_anew(self) -> None:
        """As a new process: no connection lives on, and nothing that was in memory."""
        self.close()
        self.cut_in, self.effects = 0, []

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            self._step()

    def _tell(self, session: Session) -> None:
        self.effects += session.info.get("effects", ())
        self._step()
        super()._tell(session)

    def _step(self) -> None:
        self.cut_in -= self.cut_in > 0
        if self.cut_in == 1:
            self.cut_in = 0
            raise PowerCut


@dataclass
class Place(Node):
    """One node of a simulation: how its clock goes, until when it is off, and until when only its worker is."""

    offset: dt.timedelta = dt.timedelta()
    off_until: dt.datetime | None = None
    idle_until: dt.datetime | None = None
    effects: list[Effect] = field(default_factory=list)

    @property
    def house(self) -> House:
        assert isinstance(self.database, House)
        return self.database

    @property
    def key(self) -> str:
        return KEYS[self.name]

    def restart(self) -> None:
        """A new process finds what the old one had committed, and nothing else."""
        self.effects += self.house.effects
        self.house.start_anew()
        carrying._turns.was_asked_again(self.database.url)
        carrying._silent.clear()
        arriving._under_way.clear()
        resume_checkpoints(self.database)


@dataclass(frozen=True)
class World:
    """The prepared nodes in a folder: closed, to be copied."""

    folder: Path
    places: tuple[Place, ...]


def build_world(folder: Path, net: Callable[[list[Place]], Any]) -> World:
    """Three firms with forty free hours a week each, linked in pairs, every ledger begun; `net` carries what links them."""
    folder.mkdir(parents=True, exist_ok=True)
    with clock.frozen(MONDAY), repeatable(0):
        places = [_found(folder, name, key) for name, key in KEYS.items()]
        with carried_by(net(places)):
            for number, one in enumerate(places):
                for other in places[number + 1 :]:
                    link(one, one.key, other, other.key, places)
    for place in places:
        place.effects += place.house.effects
        with place.database.write() as session:
            session.execute(sa.update(CapacityWindow).values(actual_min=FREE_MIN_A_WEEK))
        with place.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        place.database.close()
    return World(folder, tuple(places))


@contextmanager
def copied(world: World, folder: Path) -> Iterator[list[Place]]:
    """The nodes of the world, each with a fresh copy of its database."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    carrying._silent.clear()
    places = []
    try:
        for made in world.places:
            shutil.copy(world.folder / f"{made.name}.sqlite", folder)
            house = House(f"sqlite:///{folder / made.name}.sqlite")
            places.append(replace(made, database=house, effects=list(made.effects)))
        yield places
    finally:
        for place in places:
            place.database.close()
        shutil.rmtree(folder)


@contextmanager
def carried_by(net: Any) -> Iterator[None]:
    """No sockets: what the nodes send to each other goes through this net, one step after the other."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(connections, "connected", net.courier))
        stack.enter_context(patch.object(carrying, "FILE_WAITS_S", ()))
        stack.enter_context(patch.object(asyncio, "to_thread", _at_once))
        yield


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Ids follow the node's own clock and the seed alone: what is sorted by them comes in the same order every time.

    And a group of messages takes as many transactions, however fast the machine is.
    """
    luck, count = random.Random(seed), Counter[str]()

    def time_ns() -> int:
        count["ids"] += 1
        return int(clock.now().timestamp()) * 1_000_000_000 + count["ids"] * 1000

    secrets = SimpleNamespace(randbits=luck.getrandbits, token_urlsafe=ids.secrets.token_urlsafe)
    looks = itertools.count(step=judging.LONGEST_WRITE_S / 2)
    with ExitStack() as stack:
        stack.enter_context(patch.object(ids, "time", SimpleNamespace(time_ns=time_ns)))
        stack.enter_context(patch.object(ids, "secrets", secrets))
        stack.enter_context(patch.object(judging, "time", SimpleNamespace(monotonic=lambda: next(looks))))
        yield


def watched_inbox() -> dict[str, Callable[[Session, Incoming], None]]:
    """The real inbox; what took effect is written down with the commit, and only then."""
    return {kind: partial(_take, action) for kind, action in INBOX.items()}


def _take(action: Callable[[Session, Incoming], None], session: Session, incoming: Incoming) -> None:
    action(session, incoming)
    session.info.setdefault("effects", []).append((incoming.firm_id, incoming.from_id, incoming.id))


async def _at_once(act: Callable[..., Any], *given: Any) -> Any:
    return act(*given)


def _found(folder: Path, name: str, key: str) -> Place:
    house = House(f"sqlite:///{folder / name}.sqlite")
    house.create_tables()
    settings = {
        "DATA_DIR": str(folder / name),
        "NODE_NAME": name,
        "PUBLIC_URL": f"https://{name}",
        "PRACTICE": "off",
    }
    (folder / name).mkdir()
    place = Place(name, house, load_config(settings))
    use_node_key(place.config.node_key)
    with house.write() as session:
        open_firm(session, place, key)
    return place
