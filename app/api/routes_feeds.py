"""Kalender: the page with the secret addresses, and the calendars behind them."""

from flask import Response, url_for
from sqlalchemy.orm import Session

from app.api.feeds import (
    feed_by_secret,
    feed_bytes,
    feed_of,
    machine_feeds,
    remove_feed,
    renew_feed,
    secret_of,
)
from app.api.models import CalendarFeed
from app.api.room import room
from app.core.db import Database
from app.core.errors import NotFound, TooMany
from app.firms.access import Actor, may
from app.web.limits import LOOKS, count_network
from app.web.render import go_to, render
from app.web.transaction import deed, machine, page
from app.web.world import config

MACHINES = "machine_calendars.see"


@room.get("/kalender")
@page("own.use")
def calendars(session: Session, actor: Actor) -> Response:
    """The person's own address, and those of the machines for who may see them."""
    if config().is_practice:
        raise NotFound
    machines = machine_feeds(session, actor) if may(actor, MACHINES) else []
    return render(
        "api/calendars.html",
        own=_address(session, feed_of(session, actor)),
        machines=[(machine, _address(session, feed)) for machine, feed in machines],
    )


@room.post("/kalender/neu")
@deed("own.use")
def renew_calendar(session: Session, actor: Actor) -> Response:
    renew_feed(session, actor)
    return go_to(url_for("api.calendars"), receipt="Die Adresse ist neu. Die alte geht nicht mehr.")


@room.post("/kalender/weg")
@deed("own.use")
def remove_calendar(session: Session, actor: Actor) -> Response:
    remove_feed(session, actor)
    return go_to(url_for("api.calendars"), receipt="Der Kalender ist abgeschaltet.")


@room.post("/kalender/maschine/<machine_id>/neu")
@deed(MACHINES)
def renew_machine_calendar(session: Session, actor: Actor, machine_id: str) -> Response:
    renew_feed(session, actor, machine_id)
    return go_to(url_for("api.calendars"), receipt="Die Adresse ist neu. Die alte geht nicht mehr.")


@room.post("/kalender/maschine/<machine_id>/weg")
@deed(MACHINES)
def remove_machine_calendar(session: Session, actor: Actor, machine_id: str) -> Response:
    remove_feed(session, actor, machine_id)
    return go_to(url_for("api.calendars"), receipt="Der Kalender ist abgeschaltet.")


@room.get("/kalender/<secret>.ics")
@machine()
def calendar(database: Database, secret: str) -> Response:
    """The secret in the address is the right; a wrong one is not found."""
    if count_network(LOOKS):
        raise TooMany("Das waren zu viele Versuche. Warte kurz.")
    with database.read() as session:
        body = feed_bytes(session, feed_by_secret(session, secret), config().public_url)
    return Response(body, content_type="text/calendar; charset=utf-8")


def _address(session: Session, feed: CalendarFeed | None) -> str:
    if feed is None:
        return ""
    return config().public_url + url_for("api.calendar", secret=secret_of(session, feed))
