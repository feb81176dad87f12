"""Free hours from a table: upload, look at every cell, take over."""

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.capacity.imports import apply_hours, check_hours, hours_table
from app.capacity.room import room
from app.core.errors import RuleBroken
from app.firms.access import Actor
from app.machines.queries import import_run_for
from app.machines.reading import table_first
from app.machines.runs import finish_run, keep_upload
from app.machines.tables import read_table
from app.web.forms import Form
from app.web.limits import PROOFS, paced
from app.web.render import go_to, render
from app.web.transaction import deed, page


@room.get("/stunden/tabelle.csv")
@paced(PROOFS)
@page("capacity.import")
def table(session: Session, actor: Actor) -> Response:
    """The coming weeks of the firm's machines as the import reads them."""
    headers = {"Content-Disposition": 'attachment; filename="freie-stunden.csv"'}
    return Response(hours_table(session, actor.firm_id), mimetype="text/csv", headers=headers)


@room.get("/stunden/import")
@page("capacity.import")
def upload(_session: Session, _actor: Actor) -> Response:
    return render("capacity/upload.html", form=Form())


@room.post("/stunden/import")
@table_first("hours")
@deed("capacity.import")
def save_upload(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    try:
        run_id = keep_upload(session, actor, "hours", request.files.get("table"))
    except RuleBroken as error:
        form.add_error(error)
        return render("capacity/upload.html", 422, form=form)
    return go_to(url_for("capacity.preview", run_id=run_id))


@room.get("/stunden/import/<run_id>")
@page("capacity.import")
def preview(session: Session, actor: Actor, run_id: str) -> Response:
    run = import_run_for(session, actor.firm_id, run_id, "hours")
    found = check_hours(session, actor.firm_id, read_table(run.body, run.file_name))
    return render("capacity/preview.html", run=run, preview=found)


@room.post("/stunden/import/<run_id>")
@table_first("hours")
@deed("capacity.import")
def take_over(session: Session, actor: Actor, run_id: str) -> Response:
    run = import_run_for(session, actor.firm_id, run_id, "hours")
    found = check_hours(session, actor.firm_id, read_table(run.body, run.file_name))
    if not found.is_good:
        return render("capacity/preview.html", 422, run=run, preview=found)
    apply_hours(session, actor.firm_id, found, actor.person_id)
    finish_run(session, run)
    return go_to(url_for("capacity.plan"), receipt="Gemerkt. Niemand sieht deine freie Zeit.")
