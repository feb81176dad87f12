"""S05 Nachrichten, and the small reports that phones send without a sign-in."""

from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.firms.access import Actor
from app.firms.protocol import add_sentences
from app.firms.queries import person_for
from app.passkeys.rules import device_name
from app.push.actions import Subscription, note_receipt, remove_device, save_device, see_test, send_test
from app.push.queries import latest_probe, own_devices
from app.push.rules import Health, Probe
from app.push.vapid import vapid_public_key
from app.web.errors import wants_json
from app.web.limits import limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, deed, page
from app.web.world import config, world

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
    note_receipt(session, config(), request.args.get("zettel", ""), is_seen=False)
    return jsonify({"ok": True})


@room.post("/push/gesehen")
@limiter.limit(REPORTS)
@deed(PUBLIC)
def seen(session: Session, _actor: Actor | None) -> Response:
    """Somebody has tapped the message."""
    note_receipt(session, config(), request.args.get("zettel", ""), is_seen=True)
    return jsonify({"ok": True})


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
