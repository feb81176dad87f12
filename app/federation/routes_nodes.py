"""Where other nodes knock: inbox, keys, files, invitations. Nobody is signed in here; every answer is for programs."""

from urllib.parse import quote

from flask import Response, current_app, jsonify, request

from app.core.db import Database
from app.core.errors import NotFound, WerkringError
from app.federation.arriving import Knock, Refused, check_signed_get, nonce_of, receive_keys, receive_knock
from app.federation.door import room
from app.federation.files import granted_file
from app.federation.linking import card_for, public_document
from app.federation.neighbours import receive_approach, shown_directory
from app.web.limits import CODE, KNOCKS, count_network, limiter
from app.web.transaction import machine
from app.web.world import config

MOST_KEYS_BYTES = 512 * 1024
LONGEST_READ = 64 * 1024


@room.post("/federation/inbox")
@room.post("/federation/inbox/several")
@machine()
def inbox(database: Database) -> Response:
    """One message from a partner's node, or several, a line each; see `arriving`."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    knock = Knock(request.method, request.path, headers, request.content_length, _read)
    inbox_table = current_app.extensions["inbox"]
    answer = receive_knock(database, config(), inbox_table, knock, lambda: count_network(KNOCKS))
    response = jsonify(answer.body)
    response.status_code = answer.status
    response.headers["Werkring-Answer"] = nonce_of(headers)
    if answer.retry_after_s:
        response.headers["Retry-After"] = str(answer.retry_after_s)
    return response


@room.post("/federation/keys")
@limiter.limit(CODE)
@machine()
def keys(database: Database) -> Response:
    """A partner's newer keys: they prove themselves, so nobody has to sign for them."""
    told = _json(MOST_KEYS_BYTES)
    receiver, document = told.get("to"), told.get("document")
    if not isinstance(receiver, str) or not isinstance(document, dict):
        raise NotFound
    try:
        receive_keys(database, receiver, document)
    except WerkringError:
        raise NotFound from None
    return Response(status=204)


@room.get("/federation/files/<sha256>")
@machine()
def file(database: Database, sha256: str) -> Response:
    """A file that a message to the asking partner named. The mark tells our answer from that of whatever stands between."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    response = _file(database, sha256, headers)
    response.headers["Werkring-Answer"] = nonce_of(headers)
    return response


def _file(database: Database, sha256: str, headers: dict[str, str]) -> Response:
    try:
        peer = check_signed_get(database, config(), request.path, headers)
    except Refused as refused:
        return Response(status=refused.status)
    with database.read() as session:
        found = granted_file(session, peer.firm_id, peer.partner_id, sha256)
        if found is None:
            return Response(status=NotFound.status)
        response = Response(found.body, mimetype="application/octet-stream")
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(found.name, safe='')}"
    return response


@room.post("/federation/invitations")
@limiter.limit(CODE)
@machine()
def invitation(database: Database) -> Response:
    """Whose invitation a token is: for the node of the firm that was invited. The token stays unused."""
    token = _json(4096).get("token")
    if not isinstance(token, str):
        raise NotFound
    with database.read() as session:
        return jsonify(card_for(session, token[:64]))


@room.get("/federation/directory")
@limiter.limit(CODE)
@machine()
def directory(database: Database) -> Response:
    """Our directory for a linked node; anybody else meets nothing."""
    with database.read() as session:
        return jsonify(shown_directory(session, request.headers.get("Authorization", "")))


@room.post("/federation/approaches")
@limiter.limit(CODE)
@machine()
def approaches(database: Database) -> Response:
    """A firm of a linked node asks one of ours to become partners."""
    told = _json(4096)
    try:
        with database.write() as session:
            receive_approach(session, request.headers.get("Authorization", ""), told)
    except WerkringError:
        raise NotFound from None
    return Response(status=204)


@room.get("/.well-known/werkring/<handle>.json")
@limiter.limit("60 per minute")
@machine()
def public_keys(database: Database, handle: str) -> Response:
    """The public keys of a firm of this node."""
    with database.read() as session:
        return jsonify(public_document(session, handle, config().node_name))


def _read(most_bytes: int) -> bytes:
    """At most so many bytes of the body, whatever its length claims."""
    parts, length = [], 0
    while length < most_bytes:
        part = request.stream.read(min(LONGEST_READ, most_bytes - length))
        if not part:
            break
        parts.append(part)
        length += len(part)
    return b"".join(parts)


def _json(most_bytes: int) -> dict[str, object]:
    request.max_content_length = most_bytes
    told = request.get_json(silent=True)
    return told if isinstance(told, dict) else {}
