"""Errors for programs: problem details as JSON (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from flask import Response, json, request

PROGRAMS = "/api/"
LONGEST_WINDOW_S = "60"


def is_program() -> bool:
    """Say whether a program asks and no browser: below /api/ no cookie counts, only the key that goes along."""
    return request.path.startswith(PROGRAMS)


def problem(status: int, detail: str, **more: Any) -> Response:
    """One problem; `more` are members of our own, empty ones are left out."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body |= {name: value for name, value in more.items() if value}
    response = Response(json.dumps(body), status, mimetype="application/problem+json")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = LONGEST_WINDOW_S
    return response
