"""The least that takes a signed message: signature and digest are checked, nothing is kept; or one row, on the disk."""

import os
import sqlite3
from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.federation.http_signatures import check_request, digest_of

KEY_ID, KEPT = "bare", "/kept"
_one_writer = Lock()
_public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(os.environ.get("BARE_KEY", "00" * 32)))
_origin = f"http://localhost:{os.environ.get('PORT')}"


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """200 for a good signature over these bytes, and for a page that is asked for to see whether the server runs."""
    status = "200 OK" if environ["REQUEST_METHOD"] == "GET" or _is_good(environ) else "401 Unauthorized"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]


def _is_good(environ: dict[str, Any]) -> bool:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    check_request("POST", _origin + environ["PATH_INFO"], headers, KEY_ID, _public)
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    if environ["PATH_INFO"].endswith(KEPT):
        _keep(body)
    return headers["content-digest"] == digest_of(body)


def _keep(body: bytes) -> None:
    """One transaction that is on the disk before the answer leaves, as any node has to write at least."""
    with _one_writer, _book() as connection:
        connection.execute("INSERT INTO kept VALUES (?)", (body,))


@cache
def _book() -> sqlite3.Connection:
    connection = sqlite3.connect(f"{os.environ['DATA_DIR']}/kept.sqlite", timeout=30, check_same_thread=False)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE kept (body BLOB)"):
        connection.execute(statement)
    return connection
