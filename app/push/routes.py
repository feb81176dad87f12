"""S05 Nachrichten, and the small reports that phones send without a sign-in."""

from typing import Any

import sqlalchemy as sa
import structlog
from flask import Blueprint, Response, jsonify, request, url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.firms.access import Actor
from app.firms.protocol import add_sentences
from app.firms.queries import person_for
from app.passkeys.rules import device_name
from app.push.actions import (
    Subscription,
    mark_page_seen,
    note_receipt,
    put_off_messages,
    remove_device,
    save_device,
    see_test,
    send_test,
)
from app.push.queries import device_mark, is_page_awaited, latest_probe, own_devices, unseen_count
from app.push.reach import silence_of
from app.push.rules import Health, Probe
from app.push.vapid import known_public_key, vapid_public_key
from app.web.errors import wants_json
from app.web.limits import limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, deed, page
from app.web.world import config, world

log = structlog.get_logger()
room = Blueprint("push", __name__)
REPORTS = "600 per minute"
"""A whole shop may report through one address"""
IN_FLIGHT = (Probe.WAITING, Probe.ARRIVED)

add_sentences(
    {
        "request_to_deputy": ("bell", lazy_gettext("Niemand hat eine Anfrage gesehen. Die Vertretung weiß Bescheid.")),
        "request_to_manager": ("bell", lazy_gettext("Niemand hat eine Anfrage gesehen. Die Leitung weiß Bescheid.")),
    }
)


@room.record_once
def _tell_rooms_below(state: BlueprintSetupState) -> None:
    """The page Mehr lies below us: it asks by name whether messages leave the house."""
    state.app.extensions["silence_of"] = silence_of


@room.get("/nachrichten")
@page("own.use")
def show(session: Session, actor: Actor) -> Response:
    """S05: why, the button, the test message, and how well each own device is."""
    person = person_for(session, actor.firm_id, actor.person_id)
    return render("push/show.html", email=person.email, **_state(session, actor), **push_context())


@room.get("/nachrichten/stand")
@page("own.use")
def state(session: Session, actor: Actor) -> Response:
    """The part of S05 that follows the test message; it asks again by itself until the message was seen."""
    return render("push/_state.html", **_state(session, actor), **push_context())


@room.post("/push/geraet")
@deed("own.use")
def save(session: Session, actor: Actor) -> Response:
    """Keep this browser's subscription, new or renewed (JSON of static/js/push.js)."""
    save_device(session, actor, _subscription(request.get_json(silent=True)), config().push_test_hosts)
    return jsonify({"ok": True})


@room.post("/push/probe")
@deed("own.use")
def probe(session: Session, actor: Actor) -> Response:
    """Send a test message to this device, or to the own one that the form names."""
    send_test(session, actor, request.form.get("device", ""))
    return jsonify({"ok": True}) if wants_json() else go_to(url_for("push.show"))


@room.post("/nachrichten/gesehen")
@deed("own.use")
def confirm(session: Session, actor: Actor) -> Response:
    """'Gesehen' on the page, for phones without buttons on messages."""
    see_test(session, actor)
    return go_to(url_for("push.show"))


@room.post("/nachrichten/spaeter")
@deed("own.use")
def later(session: Session, actor: Actor) -> Response:
    """Not now: this device is not asked again."""
    put_off_messages(session, actor)
    return go_to(url_for("firms.home"), receipt="Gut. Du findest die Nachrichten unter „Mehr“.")


@room.post("/push/entfernen")
@deed("own.use")
def remove(session: Session, actor: Actor) -> Response:
    """No more messages on one own device."""
    remove_device(session, actor, request.form.get("device", ""))
    return go_to(url_for("push.show"), receipt="Dieses Gerät bekommt keine Nachrichten mehr.")


@room.post("/push/angekommen")
@limiter.limit(REPORTS)
@deed(PUBLIC)
def arrived(session: Session, _actor: Actor | None) -> Response:
    """The service worker has shown the message; its signed ticket is the only right it has."""
    title = note_receipt(session, config(), request.args.get("zettel", ""), is_seen=False)
    return jsonify({"ok": True, "title": title})


@room.post("/push/gesehen")
@limiter.limit(REPORTS)
@deed(PUBLIC)
def seen(session: Session, _actor: Actor | None) -> Response:
    """Somebody has tapped the message."""
    note_receipt(session, config(), request.args.get("zettel", ""), is_seen=True)
    return jsonify({"ok": True})


@room.after_app_request
def note_opened_page(response: Response) -> Response:
    """Whoever opens the page of an alert has seen it; a disk that is full keeps nobody from reading."""
    is_page = request.method == "GET" and response.status_code == 200 and response.mimetype == "text/html"
    actor = world().actor() if is_page and "HX-Request" not in request.headers else None
    if actor is None:
        return response
    with world().database().read() as session:
        if not is_page_awaited(session, actor, request.path):
            return response
    try:
        with world().database().write() as session:
            mark_page_seen(session, actor, request.path)
    except sa.exc.OperationalError:
        log.warning("opened page not noted")
    return response


@room.app_context_processor
def _offer_push_head() -> dict[str, Any]:
    return {"push_head": push_head}


def push_head() -> dict[str, Any] | None:
    """What the head of every page tells the browser, so that it renews its subscription and the number on the icon."""
    actor = world().actor()
    if actor is None or config().is_practice:
        return None
    with world().database().read() as session:
        return {
            "key": known_public_key(session),
            "mark": device_mark(session, actor),
            "count": unseen_count(session, actor.firm_id, actor.person_id, clock.now(), request.path),
        }


def push_context() -> dict[str, Any]:
    """What a page needs for ui.nachrichten: the server's key and where to send the subscription and the test."""
    return {
        "vapid_key": "" if config().is_practice else vapid_public_key(world().database(), config()),
        "subscribe_url": url_for("push.save"),
        "test_url": url_for("push.probe"),
    }


def _state(session: Session, actor: Actor) -> dict[str, Any]:
    devices = own_devices(session, actor)
    step = latest_probe(session, actor)
    this = next((device for device in devices if device.is_this), None)
    return {
        "devices": devices,
        "others": [device for device in devices if not device.is_this],
        "this": this,
        "probe": step,
        "is_polling": step in IN_FLIGHT,
        "needs_start": this is None or this.health is Health.RED,
    }


def _subscription(body: Any) -> Subscription:
    """Read the browser's JSON; raises RuleBroken for anything else."""
    try:
        given, platform = body["subscription"], body.get("platform") or {}
        keys = given["keys"]
        texts = given["endpoint"], keys["p256dh"], keys["auth"]
        has_buttons = int(platform.get("actions") or 0) >= 2 and platform.get("os") != "ios"
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        raise _unreadable() from None
    if not all(isinstance(text, str) and 0 < len(text) <= 1200 for text in texts):
        raise _unreadable()
    return Subscription(*texts, has_buttons=has_buttons, name=device_name(request.user_agent.string))


def _unreadable() -> RuleBroken:
    return RuleBroken("Die Nachrichten sind noch nicht an. Versuch es noch einmal.")
