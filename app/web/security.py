"""Headers, the guard against foreign forms, and pages that are packed small."""

import gzip
import hashlib
import hmac

from flask import Flask, Response, redirect, request

from app.core.errors import NotAllowed
from app.web.world import config, world

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
PACKED_FROM_BYTES = 800


def guard(app: Flask) -> None:
    app.before_request(_use_the_public_name)
    app.before_request(_refuse_foreign_forms)
    app.after_request(_set_headers)
    app.after_request(_pack)


def csrf_token() -> str:
    """For browsers that do not say where a form came from; bound to the sign-in."""
    actor = world().actor()
    secret = actor.session_id if actor else request.cookies.get("browser", "")
    return hmac.new(config().secret_key, f"csrf:{secret}".encode(), hashlib.sha256).hexdigest()[:32]


def _use_the_public_name() -> Response | None:
    """Passkeys are bound to one name: whoever typed 127.0.0.1 is sent to the public address."""
    if request.method not in SAFE or request.path == "/healthz" or f"//{request.host}" in config().public_url:
        return None
    if request.host.split(":")[0] in ("127.0.0.1", "[::1]", "localhost"):
        return redirect(config().public_url + request.script_root + request.full_path.rstrip("?"))  # type: ignore[return-value]
    return None


def _refuse_foreign_forms() -> None:
    if request.method in SAFE:
        return
    origin = request.headers.get("Origin")
    if origin is not None and origin != config().origin:
        raise NotAllowed("Diese Seite wurde von woanders aufgerufen. Öffne die App neu.")
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise NotAllowed("Diese Seite wurde von woanders aufgerufen. Öffne die App neu.")
        return
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    if not hmac.compare_digest(given, csrf_token()):
        raise NotAllowed("Deine Anmeldung ist zu alt. Lade die Seite neu.")


def _set_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store, private")
    if config().is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
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
