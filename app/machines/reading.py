"""Tables are read before the transaction begins: a large one takes seconds in which nobody else could write."""

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from flask import request

from app.core.errors import NotFound
from app.machines.queries import import_run_for
from app.machines.tables import read_before
from app.web.world import world

View = Callable[..., Any]


def table_first(kind: str) -> Callable[[View], View]:
    """For a deed that takes an upload (`table`) or a kept one (`run_id` in the address) of this kind."""

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def answer(**url: Any) -> Any:
            actor = world().actor()
            world().require(actor, "capacity.import")
            found = _kept(actor.firm_id, kind, url["run_id"]) if "run_id" in url else _sent()
            with read_before(*found) if found else nullcontext():
                return view(**url)

        return answer

    return wrap


def _sent() -> tuple[bytes, str] | None:
    sent = request.files.get("table")
    if sent is None or not sent.filename:
        return None
    body = sent.read()
    sent.seek(0)
    return body, sent.filename[-120:]


def _kept(firm_id: str, kind: str, run_id: str) -> tuple[bytes, str] | None:
    with world().database().read() as session:
        try:
            run = import_run_for(session, firm_id, run_id, kind)
        except NotFound:
            return None
        return run.body, run.file_name
