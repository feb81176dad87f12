"""The room's blueprint, and what the room above hands in."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from app.firms.access import Actor

room = Blueprint("partners", __name__)
strangers: dict[str, Callable[[Session, Actor], tuple[Sequence[Any], Sequence[Any]]]] = {}
"""`read`: firms that a partner proposes to us, and firms that ask us; the directory hands it in"""
