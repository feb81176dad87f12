"""A site's calendar as the windows need it: shifts, holidays, closures, extra days."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.rules import ShiftModel, maximum_min, shift_ends
from app.core.errors import NotFound, RuleBroken
from app.core.holidays import holidays_between, thuringian_holidays
from app.core.units import BERLIN, monday, week_of
from app.firms.models import Closure, Site
from app.machines.models import Machine

MOST_AHEAD = dt.timedelta(weeks=104)


@dataclass(frozen=True, slots=True)
class SiteCalendar:
    """What decides how many minutes a machine of this site has in a week."""

    site_id: str
    shift: ShiftModel
    corpus_christi: bool
    closures: tuple[tuple[dt.date, dt.date], ...]
    extra_days: frozenset[dt.date]

    def shift_ends(self, day: dt.date) -> list[dt.datetime]:
        """The times of the day, in Germany, at which a shift of this site goes home."""
        holidays = thuringian_holidays(day.year, self.corpus_christi)
        ends = shift_ends(self.shift, day, holidays, self.closures, self.extra_days)
        return [dt.datetime.combine(day, dt.time(end // 60, end % 60), BERLIN) for end in ends]

    def possible_min(self, week: str, today: dt.date) -> int:
        """Return the minutes of a machine in the week; the current week counts from tomorrow on, a past one not at all."""
        current = week_of(today)
        if week < current:
            return 0
        holidays = holidays_between(week, week, self.corpus_christi)
        from_day = today + dt.timedelta(days=1) if week == current else None
        return maximum_min(self.shift, week, holidays, self.closures, self.extra_days, from_day)


def is_plannable(week: str, today: dt.date) -> bool:
    """Say whether the text is a real ISO week from this one on and at most two years ahead."""
    try:
        first = monday(week)
    except RuleBroken:
        return False
    return week == week_of(first) and week_of(today) <= week <= week_of(today + MOST_AHEAD)


def calendars(session: Session, firm_id: str) -> dict[str, SiteCalendar]:
    """The calendars of all sites of the firm, by site id."""
    days = session.execute(
        sa.select(Closure.site_id, Closure.first_day, Closure.last_day, Closure.is_extra).where(
            Closure.firm_id == firm_id
        )
    ).all()
    found = session.scalars(sa.select(Site).where(Site.firm_id == firm_id)).all()
    return {site.id: _calendar(site, [row for row in days if row.site_id == site.id]) for site in found}


def calendar_of_machine(session: Session, firm_id: str, machine_id: str) -> SiteCalendar:
    """The calendar of the site where the machine stands; raises NotFound for a machine of somebody else."""
    site_id = session.scalar(sa.select(Machine.site_id).where(Machine.firm_id == firm_id, Machine.id == machine_id))
    if site_id is None:
        raise NotFound
    return calendars(session, firm_id)[site_id]


def _calendar(site: Site, days: Iterable[sa.Row[str, dt.date, dt.date, bool]]) -> SiteCalendar:
    shut, extra = [], set[dt.date]()
    for day in days:
        if day.is_extra:
            extra.update(_days_between(day.first_day, day.last_day))
        else:
            shut.append((day.first_day, day.last_day))
    monday, tuesday, wednesday, thursday, friday, saturday, sunday = site.shift_minutes
    shift = ShiftModel(
        (monday, tuesday, wednesday, thursday, friday, saturday, sunday), site.unattended_min, site.first_hour
    )
    return SiteCalendar(site.id, shift, site.corpus_christi, tuple(sorted(shut)), frozenset(extra))


def _days_between(first: dt.date, last: dt.date) -> Iterable[dt.date]:
    return (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
