"""S12: the code on the machine leads to its current job; the sheet of codes is printed from Unser Betrieb."""

from dataclasses import dataclass

import segno
from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.bookings.queries import own_jobs
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.units import week_of, weeks_from
from app.firms.access import Actor
from app.hours.room import room
from app.hours.rules import machine_code, read_code
from app.machines.queries import all_machines
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import page
from app.web.world import config


@dataclass(frozen=True)
class Sticker:
    """One code to be printed and laminated."""

    name: str
    number: str
    code: str
    url: str
    matrix: tuple[bytearray, ...]


@room.get("/schild")
@page("work.see")
def find_machine(session: Session, actor: Actor) -> Response:
    """Where no camera helps: the five letters of the sticker, typed."""
    form = Form(request.args)
    code = read_code(form.value("code"))
    if code and any(machine_code(one.id) == code for one in all_machines(session, actor.firm_id)):
        return go_to(url_for("hours.machine", code=code))
    if "code" in request.args:
        form.add_error(RuleBroken("Diesen Code gibt es hier nicht. Prüfe die fünf Zeichen.", "code"))
    return render("hours/find_machine.html", 422 if form.errors else 200, form=form)


@room.get("/m/<code>")
@page("work.see")
def machine(session: Session, actor: Actor, code: str) -> Response:
    """S12: this week's jobs of the machine first, then the next week's. The address gives no right."""
    found = [one for one in all_machines(session, actor.firm_id) if machine_code(one.id) == read_code(code)]
    if not found:
        raise NotFound
    names, ids = " · ".join(one.name for one in found), {one.id for one in found}
    this_week, next_week = weeks_from(week_of(clock.today()), 2)
    jobs, following = (
        [job for job in own_jobs(session, actor, week) if job.machine_id in ids] for week in (this_week, next_week)
    )
    return render("hours/machine.html", name=names, jobs=jobs, following=following)


@room.get("/maschinen/schilder")
@page("machines.see")
def stickers(session: Session, actor: Actor) -> Response:
    """One code per machine, to be cut out."""
    machines = [one for one in all_machines(session, actor.firm_id) if one.state != "retired"]
    return render("hours/stickers.html", stickers=[_sticker(one.id, one.name, one.number) for one in machines])


def _sticker(machine_id: str, name: str, number: str) -> Sticker:
    code = machine_code(machine_id)
    url = config().origin + url_for("hours.machine", code=code)
    return Sticker(name, number, code, url, segno.make(url, error="m", micro=False).matrix)
