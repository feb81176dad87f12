"""Every failure ends in one plain sentence; the log gets a reference number, never contents."""

from typing import Any
from urllib.parse import quote

import sqlalchemy.exc
import structlog
from flask import Flask, Response, current_app, jsonify, request
from flask_babel import gettext
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from app.core.errors import WerkringError
from app.core.ids import new_id
from app.core.urls import is_local_path
from app.core.words import N_
from app.web.problems import is_program, problem
from app.web.render import render, said
from app.web.world import world

log = structlog.get_logger()
SENTENCES = {
    400: "Das hat nicht geklappt. Lade die Seite neu.",
    403: "Das darf nur deine Leitung. Frag sie.",
    404: "Das gibt es hier nicht.",
    405: "Das geht hier nicht.",
    413: "Die Datei ist zu groß. Höchstens 25 MB sind möglich.",
    429: "Das waren zu viele Versuche. Warte kurz.",
    503: "Gerade kann nichts gespeichert werden. Versuch es gleich noch einmal.",
}
UNREADABLE = (RecursionError, UnicodeEncodeError, sqlalchemy.exc.DataError)
"""What only input causes that no page of ours sends: JSON without end, half letters, signs that no database stores."""
TOO_LARGE_HERE = N_("Die Datei ist zu groß. Höchstens %(most)s kB sind möglich.")
UNEXPECTED = "Das hat nicht geklappt. Deine Angaben sind noch da. Versuch es noch einmal."


def catch_errors(app: Flask) -> None:
    app.register_error_handler(WerkringError, _expected)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(sqlalchemy.exc.OperationalError, _unavailable)
    app.register_error_handler(sqlalchemy.exc.TimeoutError, _unavailable)
    for kind in UNREADABLE:
        app.register_error_handler(kind, _unreadable)
    app.register_error_handler(Exception, _unexpected)


def _expected(error: WerkringError) -> Response:
    actor = world().actor()
    if error.status == 403 and actor is None and not is_program():
        return _to_sign_in()
    _note_refusal(error.status, actor)
    if error.status == 429 and not (wants_json() or is_program()):
        return _to_send_again(error)
    return _answer(error.status, said(error) if error.text else gettext(SENTENCES[error.status]))


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    if isinstance(error, RequestEntityTooLarge):
        status = 413
    if status == 429:
        _note_refusal(status, world().actor())
    response = _answer(status, _sentence(status))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _sentence(status: int) -> str:
    most = request.max_content_length or 0
    if status == 413 and most < current_app.config["MAX_CONTENT_LENGTH"]:
        return str(gettext(TOO_LARGE_HERE, most=most // 1000))
    return str(gettext(SENTENCES.get(status, SENTENCES[400])))


def _unavailable(error: Exception) -> Response:
    log.error("database unavailable", page=_page(), kind=type(error).__name__)
    try:
        return _answer(503, gettext(SENTENCES[503]))
    except sqlalchemy.exc.OperationalError:
        # the page around the sentence asks the database too
        return Response(SENTENCES[503], 503, mimetype="text/plain")


def _unreadable(error: Exception) -> Response:
    log.warning("input unreadable", page=_page(), kind=type(error).__name__)
    return _answer(400, gettext(SENTENCES[400]))


def _unexpected(error: Exception) -> Response:
    number = new_id()[-12:]
    log.exception("unexpected error", page=_page(), reference=number)
    return _answer(500, gettext(UNEXPECTED), number)


def _note_refusal(status: int, actor: Any) -> None:
    """Who was refused where: many such lines of one person are the sign of somebody who tries doors."""
    who = {"firm_id": actor.firm_id, "person_id": actor.person_id, "sign_in_id": actor.session_id} if actor else {}
    log.warning("refused", page=_page(), method=request.method, status=status, **who)


def _page() -> str:
    """The page's pattern: the address itself may hold the secret of an invitation."""
    return str(request.url_rule or "")


def _to_sign_in() -> Response:
    """People who are not signed in are asked to; scripts get the bare status."""
    if wants_json() or request.method != "GET":
        _note_refusal(403, None)
        return _answer(403, gettext("Melde dich zuerst an."))
    target = quote(request.path if is_local_path(request.path) else "/", safe="/")
    return Response(status=303, headers={"Location": f"{request.script_root}/anmelden?weiter={target}"})


def _to_send_again(error: WerkringError) -> Response:
    """What was typed stays in the page: one tap sends it again. A file has to be chosen anew."""
    typed = [(name, text) for name, text in request.form.items(multi=True) if name not in ("csrf", "once")]
    url = request.script_root + request.full_path.rstrip("?")
    return render("errors/busy.html", 429, sentence=said(error), url=url, typed=typed, is_form=request.method == "POST")


def wants_json() -> bool:
    return request.is_json or request.accept_mimetypes.best == "application/json"


def _answer(status: int, sentence: str, reference: str = "") -> Response:
    if is_program():
        return problem(status, sentence, reference=reference)
    if wants_json():
        body: dict[str, Any] = {"error": sentence}
        return Response(
            jsonify(body | ({"reference": reference} if reference else {})).data, status, mimetype="application/json"
        )
    return render("errors/show.html", status, sentence=sentence, reference=reference, code=status)
