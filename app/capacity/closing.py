"""Changing a site's calendar: its rows belong to the firm, what follows for free hours is decided here."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.planning import BoundWeek, recompute_maximum
from app.capacity.rules import ShiftModel
from app.core.errors import NotFound
from app.firms.access import Actor
from app.firms.actions import add_closure, bump_version, remove_closure, set_calendar
from app.firms.models import Closure, Site


def set_shifts(
    session: Session, actor: Actor, site_id: str, shift: ShiftModel, corpus_christi: bool
) -> list[BoundWeek]:
    """Set the shifts of a site; returns the weeks in which more is promised than now fits. Raises NotFound."""
    _check_site(session, actor.firm_id, site_id)
    bump_version(session, actor.firm_id)
    set_calendar(session, actor, site_id, list(shift.minutes), shift.unattended_min, corpus_christi, shift.first_hour)
    return recompute_maximum(session, actor.firm_id, site_id)


def close_days(
    session: Session,
    actor: Actor,
    site_id: str,
    first_day: dt.date,
    last_day: dt.date,
    name: str = "",
    is_extra: bool = False,
) -> list[BoundWeek]:
    """Shut a site for some days, or let it work on them (`is_extra`); returns the weeks promised beyond what fits."""
    _check_site(session, actor.firm_id, site_id)
    bump_version(session, actor.firm_id)
    add_closure(session, actor, site_id, first_day, last_day, name, is_extra)
    return recompute_maximum(session, actor.firm_id, site_id)


def forget_days(session: Session, actor: Actor, closure_id: str) -> Closure:
    """Take a closure or extra days out of the calendar; returns what it was. Raises NotFound."""
    bump_version(session, actor.firm_id)
    found = session.scalar(sa.select(Closure).where(Closure.firm_id == actor.firm_id, Closure.id == closure_id))
    if found is None:
        raise NotFound
    session.expunge(found)
    remove_closure(session, actor, closure_id)
    recompute_maximum(session, actor.firm_id, found.site_id)
    return found


def _check_site(session: Session, firm_id: str, site_id: str) -> None:
    if session.get(Site, (firm_id, site_id)) is None:
        raise NotFound
