"""From a form, or from what a phone kept, to one entry."""

import datetime as dt

from werkzeug.datastructures import MultiDict

from app.core.errors import RuleBroken
from app.core.units import hours_text, parse_hours
from app.hours.models import HourEntry
from app.hours.reporting import EntryDraft
from app.hours.rules import DAY_MIN, KINDS, MOST_PARTS
from app.web.forms import Form

HOURS = "hours"
WRONG_KEY = "Das hat nicht geklappt. Lade die Seite neu."


def stepped(form: Form) -> Form:
    """Without JavaScript the buttons - and + send the form: the number moves by their step."""
    try:
        now = parse_hours(form.value(HOURS)) if form.value(HOURS) else 0
        moved = now + round(float(form.value(HOURS + "_step")) * 60)
    except (RuleBroken, ValueError):
        return form
    fields = MultiDict(form.fields)
    fields[HOURS] = hours_text(min(DAY_MIN, max(0, moved)))
    return Form(fields)


def read_entry(form: Form) -> EntryDraft | None:
    """The entry as typed; None when something in it cannot be read."""
    minutes = form.hours(HOURS)
    day = form.day("day", "Wähle einen Tag.")
    kind = form.choice("kind", KINDS, "") or "run"
    quantity = form.whole("quantity", 0, MOST_PARTS) or 0
    scrap = form.whole("scrap", 0, MOST_PARTS) or 0
    if not form.is_good or minutes is None or day is None:
        return None
    return EntryDraft(day, minutes, kind, quantity, scrap, _moment(form.value("phone_at")))


def read_key(form: Form) -> str:
    """The phone's random key of an entry, else the form's own; raises RuleBroken without one."""
    key = form.value("key") or form.value("once")
    if not 16 <= len(key) <= 64:
        raise RuleBroken(WRONG_KEY)
    return key


def fields_of(entry: HourEntry) -> dict[str, str]:
    """An entry as its form shows it."""
    return {
        HOURS: hours_text(entry.minutes),
        "day": entry.day.isoformat(),
        "kind": entry.kind,
        "quantity": str(entry.quantity or ""),
        "scrap": str(entry.scrap or ""),
    }


def _moment(text: str) -> dt.datetime | None:
    """The phone's own clock: a claim, kept beside ours."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
