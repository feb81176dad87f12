"""Facts about the work of two firms, and shares of what a firm buys and sells: nothing is said about too few cases."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import median

FEWEST = 3
"""Below this many cases nothing is said: one case is no habit."""
LOOKS_BACK = dt.timedelta(days=180)
"""Shorter than what is kept of offers that nobody chose: else only the good ones would be left to count."""
PERIODS = ("jahr", "vorjahr", "monate")
"""This year, the last one, the last twelve months"""
TOO_MUCH_PERMILLE = 400
"""Above this share a firm depends on one other."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days that are counted, both included."""

    key: str
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    part: int
    whole: int


@dataclass(frozen=True, slots=True)
class Usual:
    """What half of the cases stay below, and how many cases there were."""

    middle: int
    count: int


@dataclass(frozen=True, slots=True)
class Conduct:
    """What one of two firms does for the other; None where there were too few cases."""

    offers: Share | None
    """Requests of the other one that it answered with an offer"""
    answer_min: Usual | None
    """Minutes from the request to the first offer"""
    hours: Share | None
    """Minutes worked in the agreed week, of those agreed"""
    defects: Share | None
    """Bookings with a defect that it did not dispute, of those worked on"""
    awards: Share | None
    """Offers of the other one that became an agreement"""
    payment_days: Usual | None
    """Days from the other one's invoice to the money"""

    @property
    def is_empty(self) -> bool:
        facts = (self.offers, self.answer_min, self.hours, self.defects, self.awards, self.payment_days)
        return all(fact is None for fact in facts)


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests of one firm to the other: when each was sent, which are decided, when the first offer to each was sent.

    `due`: requests whose time to answer is over.
    """

    sent: Mapping[str, dt.datetime]
    due: Collection[str]
    offered: Mapping[str, dt.datetime]


@dataclass(frozen=True, slots=True)
class Worked:
    """One booking whose week is over: what was agreed and what was worked in it, in minutes."""

    agreed_min: int
    worked_min: int
    is_faulty: bool = False


def period_of(key: str, today: dt.date) -> Period:
    """The days of one of PERIODS; this year for any other word."""
    if key == "vorjahr":
        return Period(key, dt.date(today.year - 1, 1, 1), dt.date(today.year - 1, 12, 31))
    if key == "monate":
        return Period(key, today - dt.timedelta(days=364), today)
    return Period("jahr", dt.date(today.year, 1, 1), today)


def needed_help(need_min: int, own_free_min: int | None) -> bool:
    """Say whether an order could not be done alone; what nobody measured is not claimed."""
    return own_free_min is not None and own_free_min < need_min


def permille_of(minutes: int, all_min: int) -> int:
    """The share of some minutes in all of them."""
    return 1000 * minutes // all_min if all_min else 0


def share_of_offers(asked: Asked) -> Share | None:
    """Requests with an offer, of those that have one or had their time."""
    counted = {one for one in asked.sent if one in asked.offered or one in asked.due}
    return _share(sum(one in asked.offered for one in counted), len(counted))


def answer_time(asked: Asked) -> Usual | None:
    """Minutes from the request to its first offer."""
    spans = [asked.offered[one] - at for one, at in asked.sent.items() if one in asked.offered]
    return _usual([int(span.total_seconds() // 60) for span in spans])


def share_of_awards(offered: Collection[str], decided: Collection[str], agreed: Collection[str]) -> Share | None:
    """Offers that became an agreement, of those that did or can no longer. By request."""
    won = {one for one in offered if one in agreed}
    return _share(len(won), len(won | {one for one in offered if one in decided}))


def hours_on_time(weeks: Collection[Worked]) -> Share | None:
    """Minutes worked in the agreed weeks; what is above the agreed ones makes up for no other week."""
    if len(weeks) < FEWEST:
        return None
    worked_min = sum(min(one.worked_min, one.agreed_min) for one in weeks)
    return Share(worked_min, sum(one.agreed_min for one in weeks))


def share_of_defects(weeks: Collection[Worked]) -> Share | None:
    """Bookings with a defect, of those on which somebody worked."""
    done = [one for one in weeks if one.worked_min]
    return _share(sum(one.is_faulty for one in done), len(done))


def days_to_payment(days: Collection[int]) -> Usual | None:
    """Days from invoice to money."""
    return _usual(days)


def _share(part: int, whole: int) -> Share | None:
    return Share(part, whole) if whole >= FEWEST else None


def _usual(values: Collection[int]) -> Usual | None:
    return Usual(int(median(values)), len(values)) if len(values) >= FEWEST else None
