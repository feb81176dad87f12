"""The room's blueprint, and how its pages answer scripts."""

import json
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for

from app.core.errors import RuleBroken
from app.passkeys.challenges import browser_secret, set_browser_cookie
from app.passkeys.rules import device_name, is_local_path
from app.passkeys.sessions import set_cookie
from app.web.render import go_to

room = Blueprint("passkeys", __name__)


def json_body() -> dict[str, Any]:
    """The posted JSON object; raises RuleBroken for anything else."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise RuleBroken("Das hat nicht geklappt. Versuch es noch einmal.")
    return body


def posted_credential() -> dict[str, Any]:
    """The phone's answer inside the posted JSON."""
    found = json_body().get("credential")
    if not isinstance(found, dict) or not isinstance(found.get("response"), dict):
        raise RuleBroken("Das hat nicht geklappt. Versuch es noch einmal.")
    return found


def options_answer(options: dict[str, Any], browser: str) -> Response:
    """Options for the phone, bound to this browser."""
    return set_browser_cookie(jsonify(options), browser)


def next_answer(url: str, secret: str = "", receipt: str = "") -> Response:
    """Where the page goes after a ceremony, with a receipt to show there; with a secret the browser is signed in."""
    response = go_to(url, receipt=receipt)
    response.status_code = 200
    del response.headers["Location"]
    response.data, response.mimetype = json.dumps({"next": url}), "application/json"
    return set_cookie(response, secret) if secret else response


def this_device() -> str:
    return device_name(request.headers.get("User-Agent", ""))


def this_browser() -> str:
    return browser_secret()


def url_home() -> str:
    return url_for("firms.home")


def url_after(wanted: object) -> str:
    """A path of ours to go on to, or home."""
    path = wanted if isinstance(wanted, str) else ""
    return request.script_root + path if path and is_local_path(path) else url_home()
