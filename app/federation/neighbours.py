"""Between linked nodes: directories are exchanged each hour, and a firm's question to another one is carried over.

Whoever shows the code that both operators entered is the other node; it is shown only to the host that they named.
"""

import asyncio
import json
from typing import Any

import structlog
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.outgoing import Unreachable, courier
from app.core.urls import base_url
from app.directory.far import (
    due_links,
    has_due_links,
    keep_entries,
    linked_by,
    linked_nodes,
    note_sent,
    take_far_approach,
    told_entries,
    waiting_approaches,
)
from app.directory.wire import Listed, read_asked, read_listed

log = structlog.get_logger()
DIRECTORY, APPROACHES = "/federation/directory", "/federation/approaches"
MOST_DIRECTORY_BYTES = 8 * 1024 * 1024
BEARER = "Bearer "


def exchange_directories(database: Database, config: Config) -> None:
    """Errand: ask linked nodes for their entries where an hour has passed, and bring them what our firms ask theirs."""
    if config.is_practice:
        return
    with database.read() as session:
        if not linked_nodes(session):
            return
        waiting, is_due = waiting_approaches(session), has_due_links(session, clock.now())
    for node, code in _taken(database) if is_due else ():
        listed = asyncio.run(_entries_of(config, node, code))
        if listed is not None:
            with database.write() as session:
                keep_entries(session, node, listed)
    for node, code, body in waiting:
        if asyncio.run(_send(config, "POST", node, APPROACHES, code, json.dumps(body).encode())) is not None:
            with database.write() as session:
                note_sent(session, body["id"])


def _taken(database: Database) -> list[tuple[str, str]]:
    with database.write() as session:
        return due_links(session, clock.now())


def shown_directory(session: Session, authorization: str) -> dict[str, Any]:
    """Our entries for the linked node that shows its code; raises NotFound."""
    linked_by(session, _code(authorization))
    return {"v": 1, "entries": told_entries(session)}


def receive_approach(session: Session, authorization: str, body: dict[str, Any]) -> None:
    """What a firm of a linked node asks one of ours; raises NotFound for a stranger, RuleBroken for what is no question."""
    node = linked_by(session, _code(authorization)).node
    take_far_approach(session, node, read_asked(body, node))


async def _entries_of(config: Config, node: str, code: str) -> list[Listed] | None:
    """None where it does not answer as a linked node does; what it says of one firm wrongly leaves out that firm alone."""
    answer = await _send(config, "GET", node, DIRECTORY, code)
    try:
        told = json.loads(answer) if answer else None
    except (ValueError, RecursionError):
        told = None
    entries = told.get("entries") if isinstance(told, dict) else None
    return [one for value in entries if (one := _listed(value)) is not None] if isinstance(entries, list) else None


def _listed(value: Any) -> Listed | None:
    try:
        return read_listed(value)
    except RuleBroken:
        return None


async def _send(
    config: Config, method: str, node: str, path: str, code: str, body: bytes | None = None
) -> bytes | None:
    """The answer's body; None for anything but a yes."""
    headers = {"authorization": BEARER + code, "content-type": "application/json"}
    url = base_url(node, config.federation_test_nodes) + path
    try:
        async with courier(config.federation_test_nodes) as post:
            answer = await post.send(method, url, headers, body, most_bytes=MOST_DIRECTORY_BYTES)
    except Unreachable as error:
        log.info("linked node silent", reason=str(error))
        return None
    return answer.body if answer.status in (200, 204) else None


def _code(authorization: str) -> str:
    if not authorization.startswith(BEARER) or len(authorization) > 100:
        raise NotFound
    return authorization.removeprefix(BEARER)
