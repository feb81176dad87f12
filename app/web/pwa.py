"""What makes the pages an app: manifest, service worker, offline page, health."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from flask import Blueprint, Response, request, url_for
from sqlalchemy.orm import Session

from app.core import clock
from app.web.render import render
from app.web.static import ROOT, script, static_url, version
from app.web.transaction import PUBLIC, page
from app.web.world import world

room = Blueprint("web", __name__)
WORKER_SILENT_S = 180
LastBeat = Callable[[Session], dt.datetime | None]
beat: dict[str, LastBeat] = {}
"""`read`: when the worker was last heard; the factory hands it in."""


@room.get("/manifest.webmanifest")
@page(PUBLIC)
def manifest(_session: object, _actor: object) -> Response:
    """One app for both worlds: whoever puts it on the phone while practising still starts in the real firm."""
    body = {
        "name": "Werkring",
        "short_name": "Werkring",
        "lang": "de",
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#F1F4F6",
        "theme_color": "#00506B",
        "icons": [
            {"src": static_url("icons/icon-192.png"), "sizes": "192x192", "type": "image/png"},
            {"src": static_url("icons/icon-512.png"), "sizes": "512x512", "type": "image/png"},
            {
                "src": static_url("icons/icon-maskable-512.png"),
                "sizes": "512x512",
                "type": "image/png",
                "purpose": "maskable",
            },
        ],
    }
    return Response(json.dumps(body), mimetype="application/manifest+json")


@room.get("/sw.js")
@page(PUBLIC)
def service_worker(_session: object, _actor: object) -> Response:
    """The worker with this version's file list in front: a new version is a new worker."""
    files = [static_url(path.relative_to(ROOT).as_posix()) for path in _shell()]
    head = f"const VERSION={json.dumps(version())};const ROOT={json.dumps(request.script_root + '/')};"
    head += f"const SHELL={json.dumps(files)};const OFFLINE={json.dumps(url_for('web.offline'))};\n"
    response = Response(head + script(ROOT / "sw.js"), mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Service-Worker-Allowed"] = request.script_root + "/"
    return response


@room.get("/offline")
@page(PUBLIC)
def offline(_session: object, _actor: object) -> Response:
    response = render("web/offline.html")
    response.headers["Cache-Control"] = "no-cache"
    return response


@room.get("/healthz")
@page(PUBLIC)
def healthz(session: object, _actor: object) -> Response:
    """200 when web, worker and database are well, else 503; says which."""
    with world().database().read() as reading:
        is_database_well = reading.scalar(sa.text("SELECT 1")) == 1
        last = beat["read"](reading) if "read" in beat else None
    is_worker_well = last is not None and (clock.now() - last).total_seconds() < WORKER_SILENT_S
    body = {
        "web": "ok",
        "database": "ok" if is_database_well else "down",
        "worker": "ok" if is_worker_well else "silent",
    }
    return Response(json.dumps(body), 200 if is_database_well and is_worker_well else 503, mimetype="application/json")


def _shell() -> list[Path]:
    wanted = [
        ROOT / "css/app.css",
        ROOT / "icons/sprite.svg",
        ROOT / "vendor/htmx.min.js",
        *sorted((ROOT / "js").glob("*.js")),
    ]
    return [path for path in wanted if path.exists()]
