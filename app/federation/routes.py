"""Files for people, own ones and a partner's; and one more try of what did not arrive."""

from urllib.parse import quote

from flask import Response, url_for
from flask.blueprints import BlueprintSetupState
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.federation import routes_linking, routes_nodes  # noqa: F401
from app.federation.actions import resend_parked, send_message
from app.federation.door import room
from app.federation.files import note_opening
from app.federation.lanes import parked_since
from app.federation.queries import file_for, is_told, stuck_messages
from app.firms.access import Actor
from app.firms.actions import note_event
from app.partners.queries import is_here, may_send
from app.web.limits import PROOFS, paced
from app.web.render import go_to
from app.web.security import FILE_POLICY
from app.web.transaction import ceremony, deed

OPENED = "file.opened"


@room.record_once
def _tell_rooms_below(state: BlueprintSetupState) -> None:
    """The partner pages lie below us: they ask by name for what only messages tell."""
    state.app.extensions["partner_stuck"] = stuck_messages
    state.app.extensions["partner_silent"] = parked_since


@room.post("/partner/<partner_id>/nachsenden")
@deed("partners.edit")
def resend(session: Session, actor: Actor, partner_id: str) -> Response:
    resend_parked(session, actor, partner_id)
    return go_to(url_for("partners.show", partner_id=partner_id), receipt="Alles wird noch einmal gesendet.")


@room.get("/dateien/<file_id>")
@paced(PROOFS)
@ceremony("files.open")
def download(database: Database, actor: Actor, file_id: str) -> Response:
    """The firm's own copy, never shown inside our pages; opening a partner's file is told to its owner."""
    with database.read() as session:
        file = file_for(session, actor.firm_id, file_id)
        response, name = Response(file.body, mimetype=file.media_type), file.name
        owner_id, origin_id = file.from_firm_id, file.origin_id
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    if owner_id is not None:
        _tell_owner(database, actor, owner_id, origin_id, file_id, name)
    return response


def _tell_owner(database: Database, actor: Actor, owner_id: str, origin_id: str, file_id: str, name: str) -> None:
    """Once per person and day in our Protokoll, once per firm and day in the owner's."""
    once = f"opened:{file_id}:{clock.today()}:{actor.person_id}"
    with database.write() as session:
        note_event(session, actor.firm_id, actor.person_id, "file_opened", "file", file_id, owner_id, {}, once)
        if not origin_id:
            return
        if is_here(session, actor.firm_id, owner_id):
            note_opening(session, owner_id, origin_id, name, actor.firm_id)
        elif may_send(session, actor.firm_id, owner_id, OPENED, {}) and not is_told(
            session, actor.firm_id, file_id, OPENED
        ):
            send_message(session, actor.firm_id, owner_id, OPENED, {"file_id": origin_id}, file_id)
