"""A stored request as the fields of its forms."""

from collections.abc import Sequence

from werkzeug.datastructures import MultiDict

from app.core.units import hours_text
from app.machines.rules import restore_values
from app.machines.words import value_text
from app.packs.queries import load_pack
from app.requests.models import WorkRequest
from app.requests.parsing import need_field

Fields = MultiDict[str, str]


def need_fields(draft: WorkRequest | None) -> Fields:
    """Step 1."""
    if draft is None:
        return MultiDict()
    return MultiDict(
        {
            "process_key": draft.process_key or "",
            "need": hours_text(draft.need_min) if draft.need_min else "",
            "first_week": draft.first_week,
            "last_week": draft.last_week,
        }
    )


def details_fields(draft: WorkRequest | None, partner_ids: Sequence[str]) -> Fields:
    """Step 2 and the know-how page; without a draft only the partners are filled in."""
    fields: Fields = MultiDict()
    fields.setlist("partners", list(partner_ids))
    if draft is None:
        fields["may_turn"] = "on"
        return fields
    fields.setlist("certificates", list(draft.certificates))
    for key, value in restore_values(draft.needs).items():
        fields.setlist(need_field(key), sorted(value) if isinstance(value, frozenset) else [value_text(value)])
    fields.update(
        {
            "process_key": draft.process_key or "unknown",
            "delivery_week": draft.delivery_week or draft.last_week,
            "shortage_reason": draft.shortage_reason,
            "reply_by": draft.reply_by.isoformat() if draft.reply_by else "",
            "title": draft.title,
            "note": draft.note,
            "material": _material(draft),
            "part_x": _number(draft.part_x_mm),
            "part_y": _number(draft.part_y_mm),
            "part_z": _number(draft.part_z_mm),
            "part_kg": _kilograms(draft.part_g),
            "may_turn": "on" if draft.may_turn else "",
            "sharing": "part" if draft.allow_part else "whole",
            "max_partners": _number(draft.max_partners),
            "machine_type_key": draft.machine_type_key or "",
            "needed_it": _number(draft.needed_it),
            "needed_ra_nm": _number(draft.needed_ra_nm),
            "general_tolerance": draft.general_tolerance,
            "part_count": _number(draft.part_count),
            "radius_km": _number(draft.radius_km),
            "customer": draft.customer,
            "contact_name": draft.contact_name,
            "contact_phone": draft.contact_phone,
        }
    )
    return fields


def change_fields(request: WorkRequest) -> Fields:
    """The form for changing a request that is out already."""
    return MultiDict(
        {
            "need": hours_text(request.need_min),
            "first_week": request.first_week,
            "last_week": request.last_week,
            "part_count": _number(request.part_count),
            "reply_by": request.reply_by.isoformat() if request.reply_by else "",
            "note": request.note,
            "contact_phone": request.contact_phone,
        }
    )


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _kilograms(grams: int | None) -> str:
    return "" if grams is None else f"{grams / 1000:.3f}".rstrip("0").rstrip(".").replace(".", ",")


def _material(draft: WorkRequest) -> str:
    known = load_pack(draft.pack).materials.get(draft.material)
    return known.text if known else draft.material
