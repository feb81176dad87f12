"""Static files under one version: immutable for a year, without comments, compressed once."""

import gzip
import hashlib
from functools import cache
from pathlib import Path

import rjsmin
from flask import Blueprint, Response, abort, request

ROOT = Path(__file__).parents[2] / "static"
TYPES = {
    ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon",
    ".json": "application/json", ".webmanifest": "application/manifest+json",
}  # fmt: skip

files = Blueprint("static_files", __name__)


@cache
def version() -> str:
    """Twelve hex digits over all static files."""
    digest = hashlib.sha256()
    for path in sorted(ROOT.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    # by hand: a page asks for fifty icons, and to look up the route takes longer than the rest of each
    return f"{request.script_root}/static/{version()}/{name}"


def script(path: Path) -> str:
    """A script as it travels: ours without comments and indents, foreign ones as they are."""
    text = path.read_text()
    return text if path.parent.name == "vendor" else str(rjsmin.jsmin(text))


@files.get("/static/<version>/<path:name>")
def send(version: str, name: str) -> Response:
    body, packed = _file(name)
    response = Response(body, mimetype=TYPES[Path(name).suffix])
    if packed and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.data = packed
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


send.permission = "public"  # type: ignore[attr-defined]


@cache
def _file(name: str) -> tuple[bytes, bytes]:
    if "\0" in name:  # no path may hold it: asking the disk would raise
        abort(404)
    path = (ROOT / name).resolve()
    if not path.is_relative_to(ROOT.resolve()) or path.suffix not in TYPES or not path.is_file():
        abort(404)
    body = script(path).encode() if path.suffix == ".js" else path.read_bytes()
    return body, b"" if path.suffix == ".png" else gzip.compress(body, 9, mtime=0)
