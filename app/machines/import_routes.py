"""Machines from a table: upload, look at every cell, take over."""

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.firms.access import Actor, may
from app.machines.exports import machines_table
from app.machines.imports import apply_machines, check_machines
from app.machines.queries import import_run_for
from app.machines.reading import table_first
from app.machines.room import room
from app.machines.runs import finish_run, keep_upload
from app.machines.tables import read_table
from app.web.forms import Form
from app.web.limits import PROOFS, paced
from app.web.render import go_to, render
from app.web.transaction import deed, page


@room.get("/maschinen/tabelle.csv")
@paced(PROOFS)
@page("capacity.import")
def table(session: Session, actor: Actor) -> Response:
    """The firm's machines as the import reads them."""
    body = machines_table(session, actor.firm_id, may(actor, "rates.see"))
    headers = {"Content-Disposition": 'attachment; filename="maschinen.csv"'}
    return Response(body, mimetype="text/csv", headers=headers)


@room.get("/maschinen/import")
@page("capacity.import")
def upload(_session: Session, _actor: Actor) -> Response:
    return render("machines/upload.html", form=Form())


@room.post("/maschinen/import")
@table_first("machines")
@deed("capacity.import")
def save_upload(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    try:
        run_id = keep_upload(session, actor, "machines", request.files.get("table"))
    except RuleBroken as error:
        form.add_error(error)
        return render("machines/upload.html", 422, form=form)
    return go_to(url_for("machines.preview", run_id=run_id))


@room.get("/maschinen/import/<run_id>")
@page("capacity.import")
def preview(session: Session, actor: Actor, run_id: str) -> Response:
    run = import_run_for(session, actor.firm_id, run_id, "machines")
    found = check_machines(session, actor.firm_id, read_table(run.body, run.file_name), may(actor, "rates.edit"))
    return render("machines/preview.html", run=run, preview=found)


@room.post("/maschinen/import/<run_id>")
@table_first("machines")
@deed("capacity.import")
def take_over(session: Session, actor: Actor, run_id: str) -> Response:
    run = import_run_for(session, actor.firm_id, run_id, "machines")
    found = check_machines(session, actor.firm_id, read_table(run.body, run.file_name), may(actor, "rates.edit"))
    if not found.is_good:
        return render("machines/preview.html", 422, run=run, preview=found)
    apply_machines(session, actor.firm_id, found, actor.person_id)
    finish_run(session, run)
    return go_to(url_for("machines.index"), receipt="Gemerkt. %(count)s Maschinen sind da.", count=len(found.rows))
