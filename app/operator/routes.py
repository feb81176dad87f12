"""The operator's page: health and nothing else, behind a key of its own. Without the setting it is not there."""

import hmac

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.firms.access import Actor
from app.operator.health import health_of
from app.web.limits import CODE, limiter
from app.web.render import render
from app.web.transaction import PUBLIC, page
from app.web.world import config

room = Blueprint("operator", __name__)
ASK_FOR_KEY = {"WWW-Authenticate": 'Basic realm="Werkring", charset="UTF-8"'}


@room.get("/betreiber", endpoint="health")
@limiter.limit(CODE, deduct_when=lambda response: response.status_code == 401)
@page(PUBLIC)
def show_health(session: Session, _actor: Actor | None) -> Response:
    """The key goes along with each request and leaves nothing behind: no cookie, no session that somebody could take."""
    key = config().operator_key
    if not key or config().is_practice:
        raise NotFound
    if not _has_key(key):
        return Response("", 401, ASK_FOR_KEY)
    return render("operator/health.html", health=health_of(session, config().data_dir))


def _has_key(key: str) -> bool:
    given = request.authorization
    typed = (given.password if given is not None and given.type == "basic" else None) or ""
    return hmac.compare_digest(typed.strip().lower().encode(), key.encode())
