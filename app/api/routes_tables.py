"""Daten als Tabelle: one page with everything a person may take along, and the files behind it."""

from flask import Response
from sqlalchemy.orm import Session

from app.api.room import room
from app.api.seen import note_table_seen
from app.api.tables import SHEETS, sheets_for, write_xlsx
from app.core import clock
from app.core.errors import NotFound
from app.firms.access import Actor, require
from app.machines.tables import write_table
from app.web.limits import PROOFS, paced
from app.web.render import render
from app.web.security import FILE_POLICY
from app.web.transaction import page

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@room.get("/tabellen")
@page("own.use")
def tables(_session: Session, actor: Actor) -> Response:
    return render("api/tables.html", sheets=sheets_for(actor))


@room.get("/tabellen/<name>.<ending>")
@paced(PROOFS)
@page("own.use")
def table(session: Session, actor: Actor, name: str, ending: str) -> Response:
    """One table; the permission is that of the page which shows the same."""
    if name not in SHEETS or ending not in ("csv", "xlsx"):
        raise NotFound
    sheet = SHEETS[name]
    require(actor, sheet.permission)
    lines = sheet.lines(session, actor)
    note_table_seen(session, actor, name)
    body = write_table(lines) if ending == "csv" else write_xlsx(name, lines)
    response = Response(body, mimetype="text/csv" if ending == "csv" else XLSX)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}-{clock.today()}.{ending}"'
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response
