"""Headers, the guard against foreign forms, and pages that are packed small."""

import gzip
import hashlib
import hmac

from flask import Flask, Response, current_app, g, redirect, request

from app.core.errors import NotAllowed
from app.core.ids import new_secret
from app.web.cookies import keep, kept
from app.web.problems import is_program
from app.web.world import config, world

STRANGER_COOKIE = "browser"
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=()",
}
FILE_POLICY = (
    "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
"""For files that people sent or keep: they may not even load a picture"""
PACKED_FROM_BYTES = 800


def guard(app: Flask) -> None:
    app.before_request(_bound_body)
    app.before_request(_use_the_public_name)
    app.before_request(_refuse_foreign_forms)
    app.after_request(_set_headers)
    app.after_request(_keep_stranger)
    app.after_request(_pack)


def csrf_token() -> str:
    """For browsers that do not say where a form came from; bound to the sign-in, or to the browser of a stranger."""
    actor = world().actor()
    secret = actor.session_id if actor else _stranger_secret()
    return hmac.new(config().secret_key, f"csrf:{secret}".encode(), hashlib.sha256).hexdigest()[:32]


def person_mark() -> str:
    """Whose pages these are, for what waits on the phone: another sign-in there neither shows nor sends it. '' for a stranger."""
    actor = world().actor()
    if actor is None:
        return ""
    whose = f"person:{actor.firm_id}:{actor.person_id}".encode()
    return hmac.new(config().secret_key, whose, hashlib.sha256).hexdigest()[:32]


def _bound_body() -> None:
    """Before anything reads it: some pages take less than the node does."""
    view = current_app.view_functions.get(request.endpoint or "")
    request.max_content_length = getattr(view, "most_bytes", 0) or request.max_content_length


def _use_the_public_name() -> Response | None:
    """Passkeys are bound to one name: whoever typed 127.0.0.1 is sent to the public address."""
    is_called_right = f"//{request.host}" in config().public_url
    if request.method not in SAFE or request.path == "/healthz" or is_program() or is_called_right:
        return None
    if request.host.split(":")[0] in ("127.0.0.1", "[::1]", "localhost"):
        return redirect(config().public_url + request.script_root + request.full_path.rstrip("?"))  # type: ignore[return-value]
    return None


def _refuse_foreign_forms() -> None:
    """Today's browsers send Origin and Sec-Fetch-Site with every POST; where one is missing, the token must be there."""
    view = current_app.view_functions.get(request.endpoint or "")
    if request.method in SAFE or getattr(view, "is_machine", False) or is_program():
        return
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin not in (None, config().origin) or site not in (None, "same-origin", "none"):
        raise NotAllowed("Diese Seite wurde von woanders aufgerufen. Öffne die App neu.")
    if (origin is None or site is None) and not _has_token():
        raise NotAllowed("Deine Anmeldung ist zu alt. Lade die Seite neu.")


def _has_token() -> bool:
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    return hmac.compare_digest(given.encode(errors="replace"), csrf_token().encode())


def _stranger_secret() -> str:
    """What this browser was given with its first form, or a new secret that goes along with this answer."""
    if "stranger" not in g:
        g.stranger = kept(STRANGER_COOKIE) or new_secret()
    found: str = g.stranger
    return found


def _keep_stranger(response: Response) -> Response:
    secret = g.get("stranger")
    if secret and kept(STRANGER_COOKIE) != secret:
        keep(response, STRANGER_COOKIE, secret)
    return response


def _set_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store, private")
    if config().is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    return response


def _pack(response: Response) -> Response:
    if (
        response.direct_passthrough
        or "Content-Encoding" in response.headers
        or not (response.mimetype or "").startswith(("text/", "application/json", "application/manifest"))
        or "gzip" not in request.headers.get("Accept-Encoding", "")
        or len(response.data) < PACKED_FROM_BYTES
    ):
        return response
    response.data = gzip.compress(response.data, 5)
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
