"""Deadlines, weeks and processes in the reader's words."""

import datetime as dt

from flask_babel import format_date, get_locale, gettext

from app.core import clock
from app.core.units import BERLIN, monday, week_short
from app.machines.rules import restore_values
from app.machines.words import value_text
from app.packs.queries import load_pack
from app.requests.models import WorkRequest
from app.requests.queries import process_label
from app.requests.rules import REASON_TEXTS, RequestState, ShortageReason
from app.web.render import clock_text, hours_said, pieces_said

MARKS = {
    "draft": "entwurf",
    "open": "angefragt",
    "quoted": "zugesagt",
    "planned": "wartet",
    "contracting": "wartet",
    "contracted": "unterschrieben",
    "running": "laeuft",
    "completed": "fertig",
    "expired": "abgelaufen",
    "cancelled": "zurueckgezogen",
    "replanning": "wartet",
}
"""The picture and word of an own request's state in `ui.status`."""


def _(text: str, **values: object) -> str:
    return str(gettext(text, **values))


def language() -> str:
    return str(get_locale() or "de")


def when_text(at: dt.datetime) -> str:
    """'heute, 16 Uhr', 'morgen, 12 Uhr', 'Mittwoch, 12 Uhr', later '3. Dezember, 12 Uhr'."""
    local, today = at.astimezone(BERLIN), clock.today()
    days = (local.date() - today).days
    if days == 0:
        return _("heute, %(clock)s Uhr", clock=clock_text(at))
    if days == 1:
        return _("morgen, %(clock)s Uhr", clock=clock_text(at))
    name = format_date(local.date(), "EEEE" if 1 < days < 7 else ("d. MMMM" if language() == "de" else "d MMMM"))
    return _("%(day)s, %(clock)s Uhr", day=name, clock=clock_text(at))


def weeks_text(first_week: str, last_week: str) -> str:
    """'KW 48 (23. bis 27. November)', 'KW 49 bis KW 4 (30. November bis 29. Januar)': never a week without its dates."""
    if first_week == last_week:
        return _("%(week)s (%(dates)s)", week=week_short(first_week), dates=dates_text(first_week, last_week))
    return _(
        "%(first)s bis %(last)s (%(dates)s)",
        first=week_short(first_week),
        last=week_short(last_week),
        dates=dates_text(first_week, last_week),
    )


def dates_text(first_week: str, last_week: str) -> str:
    """'23. bis 27. November' or '30. November bis 29. Januar': Monday of the first to Friday of the last week."""
    first, last = monday(first_week), monday(last_week) + dt.timedelta(days=4)
    dot = "." if language() == "de" else ""
    begin = f"d{dot}" if (first.month, first.year) == (last.month, last.year) else f"d{dot} MMMM"
    return _("%(first)s bis %(last)s", first=format_date(first, begin), last=format_date(last, f"d{dot} MMMM"))


def process_text(process_key: str | None, pack: str = "metal") -> str:
    """The process as a chip says it; for a know-how request without one, what it is."""
    return process_label(process_key, pack, language(), is_chip=True) or _("Wer kann das?")


def reason_chips() -> list[tuple[str, str]]:
    """Options of the reason chips."""
    return [(reason.value, _(reason.chip)) for reason in ShortageReason]


def reason_text(reason: str) -> str:
    """The short words of a reason; '' for none."""
    return _(REASON_TEXTS[ShortageReason(reason)][0]) if reason else ""


def state_text(state: str) -> str:
    return _(RequestState(state).label)


def type_text(request: WorkRequest) -> str:
    """The machine type in the reader's words, '' where any will do."""
    known = load_pack(request.pack).machine_types.get(request.machine_type_key or "")
    return known.label(language()) if known else request.machine_type_key or ""


def size_text(request: WorkRequest) -> str:
    """'120 × 80 × 40 mm', or ''."""
    sides = [request.part_x_mm, request.part_y_mm, request.part_z_mm]
    return " × ".join(str(side) for side in sides) + " mm" if all(sides) else ""


def precision_text(request: WorkRequest) -> str:
    """'IT7 · Ra 1,6 µm', as far as told."""
    told = []
    if request.needed_it is not None:
        told.append(f"IT{'01' if request.needed_it == -1 else request.needed_it}")
    if request.needed_ra_nm is not None:
        told.append(f"Ra {ra_text(request.needed_ra_nm)} µm")
    pack = load_pack(request.pack)
    if request.general_tolerance in pack.tolerances.general:
        told.append(pack.tolerances.general[request.general_tolerance].label(language()))
    return " · ".join(told)


def certificates_text(request: WorkRequest) -> str:
    types = load_pack(request.pack).certificates
    return ", ".join(types[key].label(language()) if key in types else key for key in request.certificates)


def material_text(request: WorkRequest) -> str:
    pack = load_pack(request.pack)
    if request.material in pack.materials:
        return pack.materials[request.material].text
    group = pack.material_groups.get(request.material_group)
    return request.material or (group.label(language()) if group else "")


def ra_text(depth_nm: int) -> str:
    """1600 -> '1,6'."""
    return f"{depth_nm / 1000:.3f}".rstrip("0").rstrip(".").replace(".", ",")


def job_facts(request: WorkRequest) -> list[tuple[str, str]]:
    """What the work is, as pairs for the page; only what was told."""
    return part_facts(request) + precise_facts(request)


def part_facts(request: WorkRequest) -> list[tuple[str, str]]:
    """The part and how many of it."""
    return [
        (name, value)
        for name, value in ((_("Teil"), request.title), (_("Menge"), pieces_text(request.part_count)))
        if value
    ]


def precise_facts(request: WorkRequest) -> list[tuple[str, str]]:
    """Material, size, precision, machine, certificates."""
    rows = [
        (_("Werkstoff"), material_text(request)),
        (_("Größe"), size_text(request)),
        (_("Genauigkeit"), precision_text(request)),
        (_("Maschinentyp"), type_text(request)),
        *_need_facts(request),
        (_("Zertifikate"), certificates_text(request)),
        (_("Umfang"), "" if request.allow_part else _("Ein Partner macht alles")),
    ]
    return [(name, value) for name, value in rows if value]


def _need_facts(request: WorkRequest) -> list[tuple[str, str]]:
    """What the machine must have at least."""
    known = load_pack(request.pack).parameters
    return [
        (known[key].label(language()), f"{value_text(value)} {known[key].unit_text}".strip())
        for key, value in restore_values(request.needs).items()
        if key in known
    ]


def pieces_text(count: int | None) -> str:
    return "" if count is None else _("%(count)s Stück", count=pieces_said(count))


def asked_text(kind: str, need_min: int, part_count: int | None) -> str:
    """The one number of a request: hours, or pieces where no hours are known."""
    if kind == "know_how":
        return pieces_text(part_count)
    return _("%(hours)s Stunden", hours=hours_said(need_min))
