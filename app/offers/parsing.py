"""The form of S15: hours, weeks and machines become lines; what is not exact is laid into the earliest free weeks."""

from werkzeug.datastructures import MultiDict

from app.core.errors import RuleBroken
from app.core.units import euro_text, hours_text, parse_hours
from app.matching.queries import Judgement
from app.offers.queries import OfferView
from app.offers.rules import LineDraft, spread_minutes
from app.requests.models import WorkRequest
from app.web.forms import Form

TOTAL = "hours"
Slots = dict[tuple[str, str], int]


def free_slots(judgement: Judgement, held: OfferView | None) -> Slots:
    """Free minutes by (machine, week) of machines that may fit; what our own earlier answer holds counts as free again."""
    free = dict(judgement.free_min)
    if held is not None and held.offer.state == "submitted":
        for line in held.lines:
            if line.machine_id in judgement.machines:
                key = (line.machine_id, line.week)
                free[key] = free.get(key, 0) + line.offered_min
    return free


def part_fields(request: WorkRequest, judgement: Judgement, held: OfferView | None) -> MultiDict[str, str]:
    """What is filled in: our earlier answer, else what matching proposes, else the first free week."""
    fields: MultiDict[str, str] = MultiDict()
    if held is not None and held.offer.state == "submitted":
        chosen = [(line.machine_id, line.week, line.offered_min) for line in held.lines]
        fields["transport"] = euro_text(held.offer.transport_cents) if held.offer.transport_cents else ""
    else:
        lines = judgement.lines or judgement.verdict.lines + judgement.verdict.check_lines
        chosen = [(line.machine_id, line.week, line.minutes) for line in lines]
    if not chosen and request.kind == "know_how" and judgement.free_min:
        machine_id, week = min(judgement.free_min, key=lambda key: (key[1], key[0]))
        chosen = [(machine_id, week, 0)]
    total_min = sum(minutes for _machine, _week, minutes in chosen)
    fields[TOTAL] = hours_text(total_min) if total_min else ""
    fields.setlist("machines", sorted({machine_id for machine_id, _week, _minutes in chosen}))
    fields.setlist("weeks", sorted({week for _machine, week, _minutes in chosen}))
    return fields


def stepped(form: Form) -> Form:
    """Without JavaScript the buttons - and + send the form: the number moves by their step."""
    step = form.value(TOTAL + "_step")
    if not step:
        return form
    try:
        moved = (parse_hours(form.value(TOTAL)) if form.value(TOTAL) else 0) + round(float(step) * 60)
    except (RuleBroken, ValueError):
        return form
    fields = MultiDict(form.fields)
    fields[TOTAL] = hours_text(max(0, moved))
    return Form(fields)


def read_lines(form: Form, judgement: Judgement, held: OfferView | None, may_rate: bool) -> list[LineDraft]:
    """Return the lines: the exact ones if any field of a week is filled, else the total over the chosen weeks."""
    free = free_slots(judgement, held)
    rate = read_rate(form) if may_rate and form.value("rate") else None
    exact = _exact_lines(form, free)
    laid = exact if exact else _laid_lines(form, free)
    return [
        LineDraft(machine_id, week, minutes, judgement.machines[machine_id].rate_cents_per_hour or rate)
        for machine_id, week, minutes in laid
    ]


def read_rate(form: Form) -> int | None:
    """A manager's rate for machines without a card, in cents per hour."""
    return form.euro("rate")


def read_transport(form: Form) -> int:
    """What bringing the parts costs, in cents; nothing filled in costs nothing."""
    return (form.euro("transport") or 0) if form.value("transport") else 0


def _exact_lines(form: Form, free: Slots) -> list[tuple[str, str, int]]:
    lines = []
    for machine_id, week in sorted(free):
        name = f"line.{machine_id}.{week}"
        if form.value(name).strip():
            minutes = form.hours(name)
            if minutes:
                lines.append((machine_id, week, minutes))
    return lines


def _laid_lines(form: Form, free: Slots) -> list[tuple[str, str, int]]:
    total_min = form.hours(TOTAL)
    machines = form.choices("machines", sorted({key[0] for key in free}), "Wähle eine Maschine.")
    weeks = form.choices("weeks", sorted({key[1] for key in free}), "Wähle eine KW.")
    if not form.is_good or not total_min:
        if total_min == 0:
            form.add_error(RuleBroken("Gib die Stunden als Zahl ein, zum Beispiel 7,5.", TOTAL))
        return []
    slots = sorted((key for key in free if key[0] in machines and key[1] in weeks), key=lambda key: (key[1], key[0]))
    if not slots:
        form.add_error(RuleBroken("In diesen Wochen ist auf der Maschine nichts frei.", "weeks"))
        return []
    laid = spread_minutes(total_min, [free[key] for key in slots])
    return [(*key, minutes) for key, minutes in zip(slots, laid, strict=True) if minutes]
