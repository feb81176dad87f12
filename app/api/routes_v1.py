"""/api/v1: what a firm's own programs read, and the free hours that they write."""

import base64

from flask import Response
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.api.document import INVOICE_FILES, openapi
from app.api.door import as_json, call, limit_of, once, read_body, read_list
from app.api.free_hours import FaultyLines, read_lines, write_hours
from app.api.hooks import EVENTS, hook_of, public_key_of
from app.api.models import ApiToken
from app.api.queries import Item, caller_of, item_of, page_of
from app.api.resources import BOOKINGS, FREE_HOURS, HOURS, INVOICES, MACHINES, OFFERS, REQUESTS, Resource
from app.api.room import room
from app.api.seen import note_invoices_seen, note_offers_seen
from app.core.db import Database
from app.core.errors import NotFound
from app.federation.queries import file_for
from app.invoices.queries import invoice_for
from app.invoices.rules import OPEN
from app.offers.queries import LIVE
from app.web.problems import problem
from app.web.render import said
from app.web.transaction import machine
from app.web.world import config

SEEN = {"offers": (note_offers_seen, LIVE), "invoices": (note_invoices_seen, OPEN)}
"""What shows a partner's prices: it may know that somebody here looked, while they count."""


@room.get("/api/v1/openapi.json")
@machine()
def description(_database: Database) -> Response:
    """Open to all: it tells what can be asked, and nothing of anybody."""
    return as_json(openapi(config().public_url, tuple(EVENTS)))


@room.put("/api/v1/free-hours")
@call("free-hours:write")
def write_free_hours(database: Database, token: ApiToken) -> Response:
    lines = read_lines(read_body())
    try:
        with database.write() as session:
            return once(session, token, lambda: write_hours(session, token, lines))
    except FaultyLines as error:
        faults = [{"line": fault.row, "detail": said(fault.error)} for fault in error.faults]
        return problem(error.status, gettext(error.text), faults=faults)


@room.get("/api/v1/webhook-key")
@call()
def webhook_key(database: Database, token: ApiToken) -> Response:
    with database.read() as session:
        hook = hook_of(session, token.firm_id)
        if hook is None:
            raise NotFound
        key = public_key_of(session, hook)
    x = base64.urlsafe_b64encode(key.raw).decode().rstrip("=")
    return as_json({"kid": key.kid, "kty": "OKP", "crv": "Ed25519", "x": x})


def _serve_file(ending: str) -> None:
    """The very file that was issued, or arrived; a draft has none."""

    def invoice_file(database: Database, token: ApiToken, item_id: str) -> Response:
        read_list()
        with database.read() as session:
            invoice = invoice_for(session, token.firm_id, item_id)
            file_id = invoice.xml_file_id if ending == "xml" else invoice.pdf_file_id
            body = file_for(session, token.firm_id, file_id or "").body
            _note_seen(session, token, INVOICES, [item_of(session, token.firm_id, INVOICES, item_id)])
        return Response(body, mimetype=INVOICE_FILES[ending])

    guarded = call(INVOICES.scope)(invoice_file)
    room.add_url_rule(f"/api/v1/invoices/<item_id>/{ending}", f"invoice_{ending}", guarded, methods=["GET"])


def _serve(resource: Resource) -> None:
    """The list and the single thing of one kind."""

    def listing(database: Database, token: ApiToken) -> Response:
        given = read_list(*(("from_week", "to_week") if resource.week is not None else ()))
        weeks = given.get("from_week", ""), given.get("to_week", "")
        with database.read() as session:
            page = page_of(session, token.firm_id, resource, given["cursor"], limit_of(given["limit"]), weeks)
            _note_seen(session, token, resource, page.items)
        return as_json({"items": page.items, "next_cursor": page.next_cursor or None})

    def reading(database: Database, token: ApiToken, item_id: str) -> Response:
        read_list()
        with database.read() as session:
            item = item_of(session, token.firm_id, resource, item_id)
            _note_seen(session, token, resource, [item])
        return as_json(item)

    name = resource.name.replace("-", "_")
    guard = call(resource.scope)
    room.add_url_rule(f"/api/v1/{resource.name}", f"list_{name}", guard(listing), methods=["GET"])
    room.add_url_rule(f"/api/v1/{resource.name}/<item_id>", f"read_{name}", guard(reading), methods=["GET"])


def _note_seen(session: Session, token: ApiToken, resource: Resource, items: list[Item]) -> None:
    if resource.name in SEEN:
        note, counting = SEEN[resource.name]
        theirs = [one for one in items if one["side"] == "theirs" and one["state"] in counting]
        note(session, caller_of(token), [(one["partner_id"], one["id"], one.get("version", 1)) for one in theirs])


for _resource in (MACHINES, FREE_HOURS, REQUESTS, OFFERS, BOOKINGS, HOURS, INVOICES):
    _serve(_resource)
for _ending in INVOICE_FILES:
    _serve_file(_ending)
