"""What a machine, its abilities and a certificate may say, and what a certificate is worth today."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import RuleBroken
from app.packs.rules import MachineType, Pack, ParameterDefinition, Value

MOST_NUMBER = 10_000_000
WEEK_MIN = 7 * 24 * 60
STEP_MIN = 15
MOST_SURCHARGE_PERMILLE = 2000
MOST_ALLOWANCE_MM = 2000
EXPIRY_NOTICE = dt.timedelta(days=60)
MACHINE_STEPS: Mapping[str, frozenset[str]] = {
    "ready": frozenset({"down", "retired"}),
    "down": frozenset({"ready", "retired"}),
    "retired": frozenset({"ready"}),
}


class CertificateState(StrEnum):
    """What a certificate is worth on a day."""

    UPLOADED = "uploaded"
    REJECTED = "rejected"
    VERIFIED = "verified"
    EXPIRING = "expiring"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CapabilityFacts:
    """One process of one machine. No material groups, or None, mean: not told, please check."""

    process_key: str
    material_groups: tuple[str, ...] = ()
    best_it: int | None = None
    best_ra_nm: int | None = None


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """One certificate of the firm; no process keys mean the whole firm, no `valid_to` means without end."""

    type_key: str
    process_keys: tuple[str, ...] = ()
    verified: bool = False
    valid_to: dt.date | None = None


@dataclass(frozen=True, slots=True)
class RateDraft:
    """What a machine costs, net, in cents per hour. No set-up rate: set-up costs as much as the other hours. 0: not charged."""

    rate_cents_per_hour: int
    set_up_rate_cents_per_hour: int | None = None
    programming_rate_cents_per_hour: int = 0
    night_surcharge_permille: int = 0
    sunday_surcharge_permille: int = 0
    min_order_min: int = 0


@dataclass(frozen=True, slots=True)
class MachineDraft:
    """What a person says about a machine, before it is one."""

    number: str
    type_key: str
    name: str
    year_built: int | None = None
    min_block_min: int = 480
    set_up_min: int = 0
    lead_time_days: int = 0
    allowance_xy_mm: int | None = None
    allowance_z_mm: int | None = None


def check_machine(draft: MachineDraft, pack: Pack, this_year: int) -> None:
    """Refuse a machine with a missing name, an unknown type or impossible numbers; raises RuleBroken."""
    pack.machine_type(draft.type_key)
    if not 1 <= len(draft.name.strip()) <= 60:
        raise RuleBroken("Gib der Maschine einen Namen. Höchstens 60 Zeichen.", "name")
    if not 1 <= len(draft.number.strip()) <= 20:
        raise RuleBroken("Gib der Maschine eine Nummer. Höchstens 20 Zeichen.", "number")
    if draft.year_built is not None and not 1900 <= draft.year_built <= this_year:
        raise RuleBroken("Prüfe das Baujahr. Es liegt zwischen 1900 und heute.", "year_built")
    if not STEP_MIN <= draft.min_block_min <= WEEK_MIN or draft.min_block_min % STEP_MIN:
        raise RuleBroken("Der Mindestblock geht in Viertelstunden bis zu einer Woche.", "min_block_min")
    if not 0 <= draft.set_up_min <= WEEK_MIN:
        raise RuleBroken("Prüfe die Rüstzeit. Höchstens eine Woche ist möglich.", "set_up_min")
    if not 0 <= draft.lead_time_days <= 365:
        raise RuleBroken("Prüfe den Vorlauf. Höchstens 365 Tage sind möglich.", "lead_time_days")
    for field in ("allowance_xy_mm", "allowance_z_mm"):
        if not 0 <= (getattr(draft, field) or 0) <= MOST_ALLOWANCE_MM:
            raise RuleBroken("Prüfe den Platz zum Spannen. Höchstens 2.000 mm sind möglich.", field)


def check_machine_step(state: str, to: str) -> None:
    """Refuse any step but ready ⇄ down, out of service and back; raises RuleBroken."""
    if to not in MACHINE_STEPS.get(state, frozenset()):
        raise RuleBroken("Das geht bei dieser Maschine gerade nicht. Lade die Seite neu.", "state")


def check_rate(draft: RateDraft) -> None:
    """Refuse what is surely a slip of the hand, such as a rate below 1 € or above 2.000 € an hour; raises RuleBroken."""
    if not 100 <= draft.rate_cents_per_hour <= 200_000:
        raise RuleBroken("Prüfe den Stundensatz. Er liegt zwischen 1 und 2.000 Euro.", "rate")
    if not 0 <= (draft.set_up_rate_cents_per_hour or 0) <= 200_000:
        raise RuleBroken("Prüfe den Satz für das Rüsten. Höchstens 2.000 Euro sind möglich.", "set_up_rate")
    if not 0 <= draft.programming_rate_cents_per_hour <= 200_000:
        raise RuleBroken("Prüfe den Satz für das Programmieren. Höchstens 2.000 Euro sind möglich.", "programming_rate")
    for field in ("night_surcharge", "sunday_surcharge"):
        if not 0 <= getattr(draft, f"{field}_permille") <= MOST_SURCHARGE_PERMILLE:
            raise RuleBroken("Prüfe den Zuschlag. Höchstens 200 Prozent sind möglich.", field)
    if not 0 <= draft.min_order_min <= WEEK_MIN or draft.min_order_min % STEP_MIN:
        raise RuleBroken("Prüfe den Mindestauftrag. Höchstens eine Woche ist möglich.", "min_order")


def check_parameters(kind: MachineType, raw: Mapping[str, object]) -> dict[str, Value]:
    """Return the told values of a machine in the kinds its type asks for; empty ones are left out as unknown.

    Takes what forms and tables hold: text with a comma, numbers, yes or no, lists. Raises RuleBroken with the
    parameter's key as the field.
    """
    values: dict[str, Value] = {}
    for key, value in raw.items():
        if key not in kind.parameters:
            raise RuleBroken("Das Merkmal %(key)s gibt es bei diesem Maschinentyp nicht.", key, key=key)
        if value is None or value == "" or value == []:
            continue
        values[key] = read_value(kind.parameters[key], value)
    return values


def read_value(parameter: ParameterDefinition, value: object) -> Value:
    """Return one value in the kind the parameter asks for; raises RuleBroken with the parameter's key as the field."""
    if parameter.operator == "bool":
        return _read_bool(parameter, value)
    if parameter.operator == "in":
        return _read_words(parameter, value)
    return _read_number(parameter, value)


def restore_values(stored: Mapping[str, object]) -> dict[str, Value]:
    """Return values as the rules want them from how the database keeps them (lists instead of sets)."""
    values: dict[str, Value] = {}
    for key, value in stored.items():
        if isinstance(value, list | tuple | set | frozenset):
            values[key] = frozenset(str(word) for word in value)
        elif isinstance(value, bool | int | float | str):
            values[key] = value
    return values


def store_values(values: Mapping[str, Value]) -> dict[str, bool | float | str | list[str]]:
    """Return values as JSON can keep them: sets become sorted lists."""
    return {key: sorted(value) if isinstance(value, frozenset) else value for key, value in values.items()}


def check_capability(
    pack: Pack,
    process_key: str,
    material_groups: Iterable[str] = (),
    best_it: int | None = None,
    best_ra_nm: int | None = None,
) -> CapabilityFacts:
    """Return an ability in the pack's words, its groups in the pack's order; raises RuleBroken for unknown words."""
    pack.process(process_key)
    wanted = set(material_groups)
    if wanted - pack.material_groups.keys():
        raise RuleBroken("Diese Werkstoffgruppe kennen wir nicht. Wähle eine aus der Liste.", "material_groups")
    if best_it is not None and best_it not in pack.tolerances.it_grades:
        raise RuleBroken("Diesen Toleranzgrad gibt es nicht. Wähle einen aus der Liste.", "best_it")
    if best_ra_nm is not None and best_ra_nm not in pack.tolerances.ra_steps_nm:
        raise RuleBroken("Diese Rauheit steht nicht in der Liste. Wähle die nächste.", "best_ra_nm")
    groups = tuple(group for group in pack.material_groups if group in wanted)
    return CapabilityFacts(process_key, groups, best_it, best_ra_nm)


def check_certificate(
    pack: Pack, type_key: str, number: str, process_keys: Sequence[str], valid_from: dt.date, valid_to: dt.date
) -> None:
    """Refuse a certificate of an unknown kind, without a number, or that ends before it begins; raises RuleBroken."""
    pack.certificate(type_key)
    for key in process_keys:
        pack.process(key)
    if not 1 <= len(number.strip()) <= 60:
        raise RuleBroken("Gib die Nummer des Zertifikats ein. Höchstens 60 Zeichen.", "number")
    if valid_to < valid_from:
        raise RuleBroken("Das Zertifikat endet, bevor es beginnt. Prüfe die Tage.", "valid_to")


def certificate_state(
    is_verified: bool, valid_to: dt.date | None, today: dt.date, is_rejected: bool = False
) -> CertificateState:
    """Return what the certificate is worth today; it still counts on the day `valid_to`, and warns 60 days before."""
    if is_rejected:
        return CertificateState.REJECTED
    if valid_to is not None and valid_to < today:
        return CertificateState.EXPIRED
    if not is_verified:
        return CertificateState.UPLOADED
    if valid_to is not None and valid_to - today <= EXPIRY_NOTICE:
        return CertificateState.EXPIRING
    return CertificateState.VERIFIED


def _read_bool(parameter: ParameterDefinition, value: object) -> bool:
    word = str(value).strip().lower()
    if word in ("true", "1", "ja", "j", "yes", "y", "x", "on"):
        return True
    if word in ("false", "0", "nein", "n", "no", "off", "-"):
        return False
    raise RuleBroken("Schreibe bei %(parameter)s Ja oder Nein.", parameter.key, parameter=parameter.label.de)


def _read_words(parameter: ParameterDefinition, value: object) -> frozenset[str]:
    parts = value if isinstance(value, list | tuple | set | frozenset) else re.split(r"[,;|]", str(value))
    words = frozenset(text for part in parts if (text := str(part).strip()))
    if parameter.choices and words - set(parameter.choices):
        raise RuleBroken(
            "Wähle bei %(parameter)s aus dieser Liste: %(choices)s.",
            parameter.key,
            parameter=parameter.label.de,
            choices=", ".join(parameter.choices),
        )
    if not words or len(words) > 40 or max(map(len, words)) > 40:
        raise RuleBroken("Prüfe die Angabe bei %(parameter)s.", parameter.key, parameter=parameter.label.de)
    return words


def _read_number(parameter: ParameterDefinition, value: object) -> float:
    text = str(value).strip().replace(" ", "").removesuffix(parameter.unit_text)
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?", text) and not isinstance(value, int | float):
        text = text.replace(".", "")
    text = text.replace(",", ".")
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,4})?", text) or float(text) > MOST_NUMBER:
        raise RuleBroken("Gib bei %(parameter)s eine Zahl ein.", parameter.key, parameter=parameter.label.de)
    return int(float(text)) if float(text).is_integer() else float(text)
