"""What the firm can do, to take along: a manager decides who gets the files."""

from flask import Response
from sqlalchemy.orm import Session

from app.firms.access import Actor
from app.machines.capability_files import aas_file, okw_file
from app.machines.room import room
from app.web.limits import PROOFS, paced
from app.web.transaction import page


@room.get("/maschinen/koennen.yaml", endpoint="okw")
@paced(PROOFS)
@page("partners.edit")
def download_okw(session: Session, actor: Actor) -> Response:
    """Open Know-Where."""
    return _file(okw_file(session, actor.firm_id), "open-know-where.yaml", "application/yaml")


@room.get("/maschinen/koennen.json", endpoint="aas")
@paced(PROOFS)
@page("partners.edit")
def download_aas(session: Session, actor: Actor) -> Response:
    """AAS Capability Description."""
    return _file(aas_file(session, actor.firm_id), "capability-description.json", "application/json")


def _file(body: str, name: str, media_type: str) -> Response:
    return Response(body, mimetype=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
