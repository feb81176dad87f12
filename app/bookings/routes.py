"""What is to be done today, one job, and the agreed weeks."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, url_for
from sqlalchemy.orm import Session

from app.bookings.queries import booking_for, bookings_from, own_jobs
from app.bookings.rules import LIVE
from app.core import clock
from app.core.units import BERLIN, week_of, weeks_from
from app.firms.access import Actor, Role, may
from app.firms.people import end_introduction
from app.firms.queries import person_for
from app.requests.queries import files_of, request_for
from app.web.render import go_to, render
from app.web.transaction import deed, page

room = Blueprint("bookings", __name__)


@dataclass(frozen=True)
class WeekOfBookings:
    week: str
    given: list[sa.Row[Any]]
    taken: list[sa.Row[Any]]


@room.get("/heute")
@page("work.see")
def today(session: Session, actor: Actor) -> Response:
    """S08: what our machines do for partners this week."""
    day = clock.today()
    jobs = own_jobs(session, actor, week_of(day))
    following = own_jobs(session, actor, weeks_from(week_of(day), 2)[1])
    hour = clock.now().astimezone(BERLIN).hour
    is_new = actor.role is Role.WORKER and person_for(session, actor.firm_id, actor.person_id).introduced_at is None
    return render(
        "bookings/today.html", jobs=jobs, following=following, day=day, hour=hour, is_new=is_new,
        first_name=actor.name.split()[0], may_stop=may(actor, "trouble.report"),
    )  # fmt: skip


@room.post("/heute/verstanden")
@deed("work.see")
def understand(session: Session, actor: Actor) -> Response:
    """The last tap of a new colleague (J7)."""
    end_introduction(session, actor)
    return go_to(url_for("bookings.today"))


@room.get("/auftrag/<booking_id>")
@page("work.see")
def show(session: Session, actor: Actor, booking_id: str) -> Response:
    """S09: what, machine, drawing, whom to ask. No price."""
    booking = booking_for(session, actor, booking_id)
    work_request = request_for(session, actor.firm_id, booking.request_id)
    return render(
        "bookings/show.html",
        booking=booking,
        back=url_for("bookings.today" if actor.role is Role.WORKER else "bookings.index"),
        work=work_request,
        files=files_of(session, actor.firm_id, booking.request_id),
        may_see_proof=may(actor, "agreements.see"),
        may_see_material=may(actor, "trouble.report"),
        may_accept=may(actor, "trouble.see"),
        may_stop=booking.side == "ours" and booking.state in LIVE and may(actor, "trouble.report"),
        may_report=booking.is_our_work and booking.state in LIVE and booking.week <= week_of(clock.today()),
    )


@room.get("/buchungen")
@page("bookings.see")
def index(session: Session, actor: Actor) -> Response:
    """The agreed hours of both directions, week by week."""
    rows = bookings_from(session, actor, week_of(clock.today()))
    by_week = {week: list(found) for week, found in groupby(rows, key=lambda row: row.week)}
    weeks = [
        WeekOfBookings(week, [r for r in found if r.side == "ours"], [r for r in found if r.side == "theirs"])
        for week, found in by_week.items()
    ]
    return render("bookings/index.html", weeks=weeks)
