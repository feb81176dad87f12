"""A shortfall as people describe it: kinds, reasons, checks, deadlines and the steps of its life."""

import datetime as dt
from collections.abc import Collection, Mapping
from enum import StrEnum

from app.capacity.rules import add_working_days, is_working_day
from app.core.errors import Conflict, RuleBroken
from app.core.units import BERLIN, hours_text, week_of, weeks_from
from app.core.words import N_

WEEK_CHOICES = 8
ANSWER_WORKING_DAYS = 2
ANSWER_TIME = dt.time(12, 0)
VALID_WORKING_DAYS = 3


class RequestKind(StrEnum):
    """Hours on a machine, or "Wer kann das?" without hours."""

    HOURS = "hours"
    KNOW_HOW = "know_how"


class ShortageReason(StrEnum):
    """Why the firm cannot do it alone; it goes into the agreement's record as proof of purpose."""

    CAPACITY = "capacity"
    KNOW_HOW = "know_how"
    MACHINE = "machine"
    DEADLINE = "deadline"
    BREAKDOWN = "breakdown"
    CERTIFICATE = "certificate"

    @property
    def chip(self) -> str:
        """The German words on the button."""
        return REASON_TEXTS[self][0]

    @property
    def sentence(self) -> str:
        """The German whole sentence for records and partners."""
        return REASON_TEXTS[self][1]


REASON_TEXTS: Mapping[ShortageReason, tuple[str, str]] = {
    ShortageReason.CAPACITY: (N_("Keine freie Zeit"), N_("Allein geht es nicht, weil unsere Maschinen voll sind.")),
    ShortageReason.KNOW_HOW: (N_("Wissen fehlt"), N_("Allein geht es nicht, weil uns das Wissen fehlt.")),
    ShortageReason.MACHINE: (N_("Maschine fehlt"), N_("Allein geht es nicht, weil uns die Maschine fehlt.")),
    ShortageReason.DEADLINE: (N_("Termin zu knapp"), N_("Allein geht es nicht, weil der Termin zu knapp ist.")),
    ShortageReason.BREAKDOWN: (N_("Maschine steht"), N_("Allein geht es nicht, weil unsere Maschine steht.")),
    ShortageReason.CERTIFICATE: (N_("Zertifikat fehlt"), N_("Allein geht es nicht, weil uns das Zertifikat fehlt.")),
}


class RequestState(StrEnum):
    """The life of a request; `label` is its German word."""

    DRAFT = "draft"
    OPEN = "open"
    QUOTED = "quoted"
    PLANNED = "planned"
    CONTRACTING = "contracting"
    CONTRACTED = "contracted"
    RUNNING = "running"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REPLANNING = "replanning"

    @property
    def label(self) -> str:
        return STATE_TEXTS[self]

    @property
    def is_final(self) -> bool:
        return not STEPS[self]


STATE_TEXTS: Mapping[RequestState, str] = {
    RequestState.DRAFT: N_("Entwurf"),
    RequestState.OPEN: N_("offen"),
    RequestState.QUOTED: N_("Angebote da"),
    RequestState.PLANNED: N_("Plan gewählt"),
    RequestState.CONTRACTING: N_("in Unterzeichnung"),
    RequestState.CONTRACTED: N_("beauftragt"),
    RequestState.RUNNING: N_("läuft"),
    RequestState.COMPLETED: N_("abgeschlossen"),
    RequestState.EXPIRED: N_("abgelaufen"),
    RequestState.CANCELLED: N_("zurückgezogen"),
    RequestState.REPLANNING: N_("Umplanung"),
}

_CANCELLED = RequestState.CANCELLED
STEPS: Mapping[RequestState, frozenset[RequestState]] = {
    RequestState.DRAFT: frozenset({RequestState.OPEN, _CANCELLED}),
    RequestState.OPEN: frozenset({RequestState.QUOTED, RequestState.EXPIRED, _CANCELLED}),
    RequestState.QUOTED: frozenset({RequestState.PLANNED, RequestState.CONTRACTED, RequestState.EXPIRED, _CANCELLED}),
    RequestState.PLANNED: frozenset({RequestState.CONTRACTING, _CANCELLED}),
    RequestState.CONTRACTING: frozenset({RequestState.CONTRACTED, RequestState.QUOTED, _CANCELLED}),
    RequestState.CONTRACTED: frozenset({RequestState.RUNNING, RequestState.REPLANNING}),
    RequestState.RUNNING: frozenset({RequestState.COMPLETED, RequestState.REPLANNING}),
    RequestState.REPLANNING: frozenset({RequestState.QUOTED}),
    RequestState.COMPLETED: frozenset(),
    RequestState.EXPIRED: frozenset(),
    RequestState.CANCELLED: frozenset(),
}
"""The arrows of domain.md, and two more: contracting → quoted, when a partner said no or let the time pass and other offers
still bind; and quoted → contracted, when a part is agreed and the rest is no longer wanted or no longer offered.

The design knew only the way on or the end; but then a firm whose choice fell through, in whole or in part, would have to
ask all partners again, although other offers still bind.
"""


def check_step(state: RequestState, to: RequestState) -> None:
    """Refuse every step that is not an arrow of the state machine; raises Conflict, for somebody else was faster."""
    if to not in STEPS[state]:
        raise Conflict("Das geht gerade nicht mehr. Lade die Seite neu.")


def check_quoted(offered_min: int) -> None:
    """Guard of open → quoted: one submitted offer with minutes."""
    if offered_min <= 0:
        raise RuleBroken("In diesem Angebot fehlen die Stunden.", "hours")


def check_planned(need_min: int, covered_min: int, accepts_part: bool) -> None:
    """Guard of quoted → planned: all hours covered, or the manager accepts a part; raises RuleBroken."""
    if covered_min <= 0:
        raise RuleBroken("Dieser Plan hat noch keine Stunden. Warte auf Angebote.", "plan")
    if covered_min < need_min and not accepts_part:
        raise RuleBroken(
            "Es fehlen noch %(missing)s Stunden. Bestätige, dass ein Teil reicht.",
            "accepts_part",
            missing=hours_text(need_min - covered_min),
        )


def check_contracted(agreement_states: Collection[str], accepts_part: bool) -> None:
    """Guard of contracting → contracted: every agreement in force, or at least one and an explicit yes to a part."""
    in_force = sum(state == "in_force" for state in agreement_states)
    if not in_force or (in_force < len(agreement_states) and not accepts_part):
        raise RuleBroken("Es fehlen noch Unterschriften.", "agreements")


def check_completed(booking_states: Collection[str], last_invoice_issued: bool) -> None:
    """Guard of running → completed: all bookings done, settled or cancelled, and the last invoice issued."""
    if not all(state in ("done", "settled", "cancelled") for state in booking_states):
        raise RuleBroken("Es laufen noch Buchungen.", "bookings")
    if not last_invoice_issued:
        raise RuleBroken("Die letzte Rechnung fehlt noch.", "invoices")


def missing_of(need_min: int, agreed_min: int) -> int:
    """Return the minutes of a need that no agreement covers."""
    return max(0, need_min - agreed_min)


def may_ask_again(kind: str, state: str, need_min: int, agreed_min: int) -> bool:
    """Say whether an ended request left something to ask for: hours that are missing, or a part that nobody makes."""
    if state in (RequestState.EXPIRED, RequestState.CANCELLED):
        return True
    is_under_way = state in (RequestState.CONTRACTED, RequestState.RUNNING)
    return is_under_way and kind == RequestKind.HOURS and missing_of(need_min, agreed_min) > 0


def default_reply_by(now: dt.datetime, holidays: Collection[dt.date]) -> dt.datetime:
    """Return the second working day after today at 12:00 in Berlin, as UTC."""
    return _working_noon(now, ANSWER_WORKING_DAYS, holidays)


def default_valid_until(reply_by: dt.datetime, holidays: Collection[dt.date]) -> dt.datetime:
    """Return until when an offer binds: three working days after the answer-by time, same time of day, as UTC."""
    local = reply_by.astimezone(BERLIN)
    day = add_working_days(local.date(), VALID_WORKING_DAYS, holidays)
    return dt.datetime.combine(day, local.time(), BERLIN).astimezone(dt.UTC)


def reply_by_choices(now: dt.datetime, holidays: Collection[dt.date]) -> list[dt.datetime]:
    """Return noon in Berlin of the next five working days, as UTC; the second is the default."""
    return [_working_noon(now, count, holidays) for count in range(1, 6)]


def first_week_choices(today: dt.date, count: int = WEEK_CHOICES) -> list[str]:
    """Return the weeks to begin in; this week only while a working day of it is still to come."""
    start = today + dt.timedelta(days=1)
    while not is_working_day(start, ()):
        start += dt.timedelta(days=1)
    return weeks_from(week_of(start), count)


def last_week_choices(first_week: str, with_later: bool = False) -> list[str]:
    """Return the 12 weeks from the first one on to end in; "später" adds 8."""
    return weeks_from(first_week, 20 if with_later else 12)


def _working_noon(now: dt.datetime, count: int, holidays: Collection[dt.date]) -> dt.datetime:
    day = add_working_days(now.astimezone(BERLIN).date(), count, holidays)
    return dt.datetime.combine(day, ANSWER_TIME, BERLIN).astimezone(dt.UTC)
