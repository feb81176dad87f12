"""How much time a machine has in a week, how much of it is bound, and whether it suffices."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from app.core.errors import RuleBroken
from app.core.units import hours_text, monday

DAY_MIN = 24 * 60
STEP_MIN = 15
LONGEST_MIN, BREAK_AFTER_MIN, BREAK_MIN = 600, 360, 30


@dataclass(frozen=True, slots=True)
class ShiftModel:
    """Planned minutes Monday to Sunday, minutes a week that a machine runs with nobody there, hour of the first shift."""

    minutes: tuple[int, int, int, int, int, int, int]
    unattended_min: int = 0
    first_hour: int = 6

    def __post_init__(self) -> None:
        if len(self.minutes) != 7 or not all(0 <= minutes <= DAY_MIN for minutes in self.minutes):
            raise RuleBroken("Ein Tag hat zwischen 0 und 24 Stunden.", "shift_minutes")
        if not 0 <= self.unattended_min <= 7 * DAY_MIN - sum(self.minutes):
            raise RuleBroken("So viele Stunden ohne Personal hat die Woche nicht.", "unattended_min")


def maximum_min(
    shift: ShiftModel,
    week: str,
    holidays: Collection[dt.date] = frozenset(),
    closures: Iterable[tuple[dt.date, dt.date]] = (),
    extra_days: Collection[dt.date] = frozenset(),
    from_day: dt.date | None = None,
) -> int:
    """Return the minutes possible in the week; days before `from_day` do not count (pass tomorrow; None: all count).

    A holiday takes only what was planned that day and leaves the unattended minutes; a closure takes both. An extra
    day works although it is a holiday, closed, or has no shift (then as long as the longest day).
    """
    days = [monday(week) + dt.timedelta(days=n) for n in range(7)]
    shut = list(closures)
    coming = [day for day in days if from_day is None or day >= from_day]
    running = [day for day in coming if day in extra_days or not _is_closed(day, shut)]
    staffed = sum(_day_min(shift, day, holidays, extra_days) for day in running)
    return min(staffed + _unattended_min(shift, days, running), 7 * DAY_MIN)


def shift_ends(
    shift: ShiftModel,
    day: dt.date,
    holidays: Collection[dt.date] = frozenset(),
    closures: Iterable[tuple[dt.date, dt.date]] = (),
    extra_days: Collection[dt.date] = frozenset(),
) -> list[int]:
    """Return the minutes after midnight at which somebody goes home; none on a free day, none after midnight.

    Nobody works more than ten hours a day, and who works over six alone has half an hour's break (ArbZG sections 3, 4);
    shifts that follow each other leave the machine no break.
    """
    if day not in extra_days and _is_closed(day, list(closures)):
        return []
    count = max(1, ceil(max(shift.minutes) / LONGEST_MIN))
    each = _day_min(shift, day, holidays, extra_days) // count
    pause = BREAK_MIN if count == 1 and each > BREAK_AFTER_MIN else 0
    ends = [shift.first_hour * 60 + each * n + pause for n in range(1, count + 1)]
    return [end for end in ends if end < DAY_MIN] if each else []


def check_window(maximum_min: int, actual_min: int, held_min: int, agreed_min: int) -> None:
    """Refuse free hours below what is already promised, or above what the calendar allows; raises RuleBroken."""
    bound_min = held_min + agreed_min
    if actual_min < 0:
        raise RuleBroken("Gib die Stunden als Zahl ein, zum Beispiel 7,5.", "hours")
    if actual_min < bound_min:
        raise RuleBroken(
            "%(bound)s Stunden sind schon zugesagt. Ziehe erst ein Angebot zurück oder gib mehr ein.",
            "hours",
            bound=hours_text(bound_min),
        )
    if actual_min > maximum_min:
        raise RuleBroken(
            "In dieser Woche sind höchstens %(most)s Stunden möglich.", "hours", most=hours_text(maximum_min)
        )


def free_min(actual_min: int, held_min: int, agreed_min: int) -> int:
    """Return the minutes of a window that nobody has yet."""
    return max(0, actual_min - held_min - agreed_min)


@dataclass(frozen=True, slots=True)
class WeekShortage:
    """One week of an order: own free minutes, and what is missing on top."""

    week: str
    free_min: int
    missing_min: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """The answer to "Reicht unsere Zeit?"."""

    missing_min: int
    by_week: tuple[WeekShortage, ...]

    @property
    def is_enough(self) -> bool:
        return self.missing_min == 0

    @property
    def weeks(self) -> tuple[str, ...]:
        """The weeks in which minutes are missing, earliest first; empty when the own time is enough."""
        return tuple(line.week for line in self.by_week if line.missing_min)


def shortage(need_min: int, weeks: Iterable[str], own_free_by_week: Mapping[str, int]) -> Shortage:
    """Return what an order of `need_min` lacks in its weeks, spread so that the weeks end up as even as possible."""
    free = {week: max(0, own_free_by_week.get(week, 0)) for week in weeks}
    if not free:
        raise RuleBroken("Wähle mindestens eine Kalenderwoche.", "weeks")
    missing_min = max(0, need_min - sum(free.values()))
    missing = _fill_evenly(missing_min, free)
    return Shortage(missing_min, tuple(WeekShortage(week, free[week], missing[week]) for week in free))


def add_working_days(day: dt.date, count: int, holidays: Collection[dt.date]) -> dt.date:
    """Return the working day `count` working days after the day: Monday to Friday, no holidays."""
    while count:
        day += dt.timedelta(days=1)
        count -= is_working_day(day, holidays)
    return day


def is_working_day(day: dt.date, holidays: Collection[dt.date]) -> bool:
    """Say whether offices work that day: Monday to Friday, not a holiday."""
    return day.weekday() < 5 and day not in holidays


def _is_closed(day: dt.date, closures: list[tuple[dt.date, dt.date]]) -> bool:
    return any(first <= day <= last for first, last in closures)


def _day_min(shift: ShiftModel, day: dt.date, holidays: Collection[dt.date], extra_days: Collection[dt.date]) -> int:
    planned = shift.minutes[day.weekday()]
    if day in extra_days:
        return planned or max(shift.minutes)
    return 0 if day in holidays else planned


def _unattended_min(shift: ShiftModel, days: list[dt.date], running: list[dt.date]) -> int:
    # Somebody must load the machine: the share of a working day goes when the day is closed or past.
    loading = [day for day in days if shift.minutes[day.weekday()]] or days
    return shift.unattended_min * sum(day in running for day in loading) // len(loading)


def _fill_evenly(amount_min: int, free: Mapping[str, int]) -> dict[str, int]:
    """Pour the amount onto the emptiest weeks first until all stand level, like water; earlier weeks take the rest."""
    added = dict.fromkeys(free, 0)
    if not amount_min:
        return added
    low_first = sorted(free, key=lambda week: (free[week], week))
    steps = [high - low for low, high in pairwise(free[week] for week in low_first)]
    depth, left = 1, amount_min
    while depth < len(low_first) and steps[depth - 1] * depth <= left:
        left -= steps[depth - 1] * depth
        depth += 1
    level = free[low_first[depth - 1]]
    units, odd = divmod(left, STEP_MIN)
    each, more = divmod(units, depth)
    pool = sorted(low_first[:depth])
    for place, week in enumerate(pool):
        added[week] = level - free[week] + STEP_MIN * (each + (place < more))
    added[pool[0]] += odd
    return added
