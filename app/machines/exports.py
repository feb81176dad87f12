"""The firm's own machines as a table, in the form that the import reads."""

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from app.core import clock
from app.core.units import euro_text, hours_text
from app.firms.queries import sites
from app.machines.columns import NAMES, PRICES, parameter_heading
from app.machines.models import Machine
from app.machines.queries import abilities_by_machine, all_machines, rates_on
from app.machines.rules import CapabilityFacts, RateDraft, restore_values
from app.machines.tables import write_table
from app.machines.words import ra_text, value_text
from app.packs.queries import load_pack
from app.packs.rules import Value


def machines_table(session: Session, firm_id: str, with_rates: bool) -> bytes:
    """The firm's machines as CSV, in the form that the import reads; without machines, one example row."""
    return write_table(machine_lines(session, firm_id, with_rates, with_example=True))


def machine_lines(
    session: Session, firm_id: str, with_rates: bool, with_example: bool = False
) -> list[Sequence[object]]:
    """Headings and one row per machine."""
    machines = all_machines(session, firm_id)
    abilities = abilities_by_machine(session, firm_id)
    rates = rates_on(session, firm_id, [machine.id for machine in machines], clock.today())
    kinds = dict.fromkeys(machine.type_key for machine in machines) or {"mill_5axis": None}
    keys = [key for key in _parameters_of(kinds) if key != "material_groups"]  # the column of groups says it already
    base = [key for key in NAMES if with_rates or key not in PRICES]
    header = [NAMES[key] for key in base] + [parameter_heading(key) for key in keys]
    places = {site.id: site.name for site in sites(session, firm_id)}
    rows = [
        _written(machine, base, keys, abilities.get(machine.id, ()), rates.get(machine.id), places[machine.site_id])
        for machine in machines
    ]
    return [header, *(rows or ([_example(base, keys)] if with_example else []))]


def _parameters_of(kinds: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(key for kind in kinds for key in load_pack().machine_type(kind).parameters))


def _written(
    machine: Machine,
    base: list[str],
    keys: list[str],
    abilities: tuple[CapabilityFacts, ...],
    rate: RateDraft | None,
    place: str,
) -> list[object]:
    first = abilities[0] if abilities else CapabilityFacts("")
    cells: dict[str, object] = {
        "number": machine.number,
        "name": machine.name,
        "type": load_pack().machine_type(machine.type_key).label.de,
        "processes": "; ".join(facts.process_key for facts in abilities),
        "groups": ", ".join(first.material_groups),
        "it": "" if first.best_it is None else first.best_it,
        "ra": ra_text(first.best_ra_nm) if first.best_ra_nm else "",
        "min_block": hours_text(machine.min_block_min),
        "set_up": hours_text(machine.set_up_min),
        "lead_time": machine.lead_time_days,
        "allowance_xy": "" if machine.allowance_xy_mm is None else machine.allowance_xy_mm,
        "allowance_z": "" if machine.allowance_z_mm is None else machine.allowance_z_mm,
        **_prices(rate),
        "site": place,
        "year": machine.year_built or "",
        "serial": machine.serial_no,
    }
    values = restore_values(machine.parameters)
    return [cells[key] for key in base] + [value_text(values.get(key)) for key in keys]


def _prices(rate: RateDraft | None) -> dict[str, object]:
    if rate is None:
        return dict.fromkeys(PRICES, "")
    set_up, programming = rate.set_up_rate_cents_per_hour, rate.programming_rate_cents_per_hour
    return {
        "rate": euro_text(rate.rate_cents_per_hour),
        "set_up_rate": "" if set_up is None else euro_text(set_up),
        "programming_rate": euro_text(programming) if programming else "",
        "night_surcharge": rate.night_surcharge_permille // 10 or "",
        "sunday_surcharge": rate.sunday_surcharge_permille // 10 or "",
        "min_order": hours_text(rate.min_order_min) if rate.min_order_min else "",
    }


def _example(base: list[str], keys: list[str]) -> list[object]:
    cells: dict[str, object] = {
        "number": "M1",
        "name": "5-Achs-Fräse",
        "type": "5-Achs-Bearbeitungszentrum",
        "processes": "5-Achs-Fräsen",
        "groups": "P, M, N",
        "it": "7",
        "ra": "1,6",
        "min_block": "8",
        "set_up": "2",
        "lead_time": "0",
    }
    values: dict[str, Value] = {"x_travel_mm": 650, "y_travel_mm": 650, "z_travel_mm": 500, "table_load_kg": 500}
    return [cells.get(key, "") for key in base] + [value_text(values.get(key)) for key in keys]
