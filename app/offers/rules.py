"""An offer's life, and what an answer must hold to: sealed, inside the weeks, in quarter hours, before the deadline."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.core.errors import Conflict, RuleBroken
from app.core.units import hours_text, monday

STEPS: Mapping[str, frozenset[str]] = {
    "submitted": frozenset({"superseded", "declined", "withdrawn", "expired", "selected", "partly_selected"}),
    "selected": frozenset({"accepted", "released"}),
    "partly_selected": frozenset({"accepted", "released"}),
}
"""submitted abgegeben; superseded by an own new version; declined nicht gewählt; the rest are ends."""

UNDO = dt.timedelta(minutes=10)
STEP_MIN = 15
MOST_LINES = 200
MOST_WEEK_MIN = 7 * 24 * 60
MOST_RATE_CENTS = 1_000_000
MOST_TRANSPORT_CENTS = 5_000_000
MOST_HOLD = dt.timedelta(days=21)
"""No partner can ask us to keep hours for longer than this."""


@dataclass(frozen=True, slots=True)
class LineDraft:
    """One line of an answer: minutes of one machine in one week; the rate is None where nobody has set one."""

    machine_id: str
    week: str
    minutes: int
    rate_cents_per_hour: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request an answer is measured against."""

    partner_name: str
    may_answer: bool
    """Both firms' consent lets an answer through right now."""
    kind: str
    state: str
    need_min: int
    first_week: str
    last_week: str
    reply_by: dt.datetime | None
    version: int
    job_version: int
    allow_part: bool
    """False: one firm does it all"""


def check_step(state: str, to: str) -> None:
    """Raise Conflict for a step that the life of an offer does not know."""
    if to not in STEPS.get(state, frozenset()):
        raise Conflict("Das geht gerade nicht mehr. Lade die Seite neu.")


def check_answerable(asked: Asked, now: dt.datetime) -> None:
    """Raise Conflict when a request can no longer be answered, with the sentence that says why."""
    if not asked.may_answer:
        raise Conflict("Mit %(name)s arbeitet ihr gerade nicht zusammen.", name=asked.partner_name)
    if asked.state == "cancelled":
        raise Conflict("%(name)s hat die Anfrage zurückgezogen.", name=asked.partner_name)
    if asked.state == "contracted":
        raise Conflict("Die Frist ist vorbei. %(name)s hat schon jemanden gefunden.", name=asked.partner_name)
    if asked.state not in ("open", "quoted") or asked.reply_by is None or asked.reply_by <= now:
        raise Conflict("Die Frist ist vorbei.")


def check_lines(asked: Asked, lines: Sequence[LineDraft], today: dt.date) -> None:
    """Refuse an answer that cannot be offered; raises RuleBroken for the first fault. Free hours come later."""
    if not lines:
        raise RuleBroken("Wähle mindestens eine Maschine und eine KW.", "hours")
    if len(lines) > MOST_LINES:
        raise RuleBroken("Das sind zu viele Zeilen. Höchstens %(most)s sind möglich.", "hours", most=MOST_LINES)
    for line in lines:
        _check_line(asked, line, today)
    if len({(line.machine_id, line.week) for line in lines}) < len(lines):
        raise RuleBroken("Eine Maschine steht in derselben KW doppelt.", "hours")
    if asked.kind == "hours":
        _check_total(asked, sum(line.minutes for line in lines))


def check_transport(transport_cents: int) -> None:
    """Refuse what is surely a slip of the hand: more than 50,000 euros for the way."""
    if not 0 <= transport_cents <= MOST_TRANSPORT_CENTS:
        raise RuleBroken("Prüfe die Transportkosten. Höchstens 50.000 Euro sind möglich.", "transport")


def check_undo(made_at: dt.datetime, now: dt.datetime) -> None:
    """Raise Conflict when the ten minutes for taking an answer back are over."""
    if now > made_at + UNDO:
        raise Conflict("Rückgängig geht nur zehn Minuten lang.")


def still_answers(asked: Asked, request_version: int, weeks: Iterable[str], total_min: int) -> bool:
    """Say whether an answer to an earlier version still answers the request as it is now."""
    is_too_much = total_min > asked.need_min
    is_too_little = total_min < asked.need_min and not asked.allow_part
    if request_version < asked.job_version or (asked.kind == "hours" and (is_too_much or is_too_little)):
        return False
    return all(asked.first_week <= week <= asked.last_week for week in weeks)


def smallest_piece(line_min: int, machine_min: int, block_min: int, min_order_min: int) -> int:
    """Return the least minutes that may be taken: the block of a week, or the machine's smallest order where one is set.

    Never more than is offered: in the line, or in all lines of the machine. An order is one for all weeks of a machine,
    so each of its lines says the same.
    """
    return min(max(block_min, min_order_min), machine_min) if min_order_min else min(block_min, line_min)


def answer_word(asked: Asked, total_min: int, is_proposal: bool) -> str:
    """'yes' for exactly what was asked of us or for the whole need, else 'part'."""
    is_whole = is_proposal or asked.kind == "know_how" or total_min >= asked.need_min
    return "yes" if is_whole else "part"


def spread_minutes(total_min: int, free_min: Sequence[int]) -> list[int]:
    """Lay hours into slots, the first ones first; what fits nowhere stays in the last one and is seen."""
    laid, rest = [], total_min
    for free in free_min:
        laid.append(min(rest, max(free, 0) // STEP_MIN * STEP_MIN))
        rest -= laid[-1]
    if laid and rest:
        laid[-1] += rest
    return laid


def _check_total(asked: Asked, total_min: int) -> None:
    told = {"name": asked.partner_name, "need": hours_text(asked.need_min)}
    if total_min > asked.need_min:
        raise RuleBroken("Das ist zu viel. %(name)s sucht %(need)s Stunden.", "hours", **told)
    if total_min < asked.need_min and not asked.allow_part:
        raise RuleBroken("Ein Teil reicht hier nicht. %(name)s sucht alle %(need)s Stunden.", "hours", **told)


def _check_line(asked: Asked, line: LineDraft, today: dt.date) -> None:
    if line.minutes <= 0 or line.minutes % STEP_MIN:
        raise RuleBroken("Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5.", "hours")
    if line.minutes > MOST_WEEK_MIN:
        raise RuleBroken("So viele Stunden hat eine KW nicht. Wähle mehr Wochen.", "hours")
    if not asked.first_week <= line.week <= asked.last_week:
        raise RuleBroken("Diese KW passt nicht zur Anfrage. Wähle eine andere.", "weeks")
    if monday(line.week) + dt.timedelta(days=6) <= today:
        raise RuleBroken("Diese KW ist schon vorbei. Wähle eine spätere.", "weeks")
    if line.rate_cents_per_hour is None:
        raise RuleBroken("Hier fehlt noch der Stundensatz. Frag deine Leitung.", "rate")
    if not 1 <= line.rate_cents_per_hour <= MOST_RATE_CENTS:
        raise RuleBroken("Gib den Stundensatz in Euro ein, zum Beispiel 85,50.", "rate")
