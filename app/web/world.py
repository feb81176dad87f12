"""The world an answer belongs to: real or practice. The factory fills it; rooms ask it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app

from app.config import Config
from app.core.db import Database


@dataclass(frozen=True)
class Tab:
    """One entry of the bottom bar."""

    url: str
    icon: str
    label: str
    badge: int
    is_active: bool


@dataclass(frozen=True)
class World:
    """What the web room needs to know from above, handed over at start."""

    config: Config
    database: Callable[[], Database]
    actor: Callable[[], Any]
    require: Callable[[Any, str], None]
    tabs: Callable[[Any], list[Tab]]
    game: Callable[[], Any] = lambda: None
    """The practice game of this visitor, if this is the practice world"""


def join_world(app: Flask, world: World) -> None:
    app.extensions["world"] = world


def world() -> World:
    found: World = current_app.extensions["world"]
    return found


def config() -> Config:
    return world().config
