"""The headings of a machine table: how they may be written, and in which unit."""

from collections.abc import Mapping
from functools import lru_cache

from app.core.errors import RuleBroken
from app.machines.tables import CellFault, Columns, plain_key, unit_in
from app.packs.queries import load_pack

NAMES: Mapping[str, str] = {
    "number": "nummer",
    "name": "name",
    "type": "typ",
    "processes": "verfahren",
    "groups": "werkstoffgruppen",
    "it": "IT",
    "ra": "Ra",
    "min_block": "mindestblock_h",
    "set_up": "ruesten_h",
    "lead_time": "vorlauf_tage",
    "allowance_xy": "spannplatz_seiten_mm",
    "allowance_z": "spannplatz_hoehe_mm",
    "rate": "stundensatz",
    "set_up_rate": "ruestsatz",
    "programming_rate": "programmiersatz",
    "night_surcharge": "nachtzuschlag_prozent",
    "sunday_surcharge": "sonntagszuschlag_prozent",
    "min_order": "mindestauftrag_h",
    "site": "standort",
    "year": "baujahr",
    "serial": "seriennummer",
}
"""Key -> heading of the template"""
PRICES = ("rate", "set_up_rate", "programming_rate", "night_surcharge", "sunday_surcharge", "min_order")
"""Columns of the rate card, the managers' alone"""
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "number": ("nr", "maschinennummer", "number", "no", "machinenumber"),
    "name": ("bezeichnung", "maschine", "machine", "maschinenname"),
    "type": ("maschinentyp", "type", "machinetype"),
    "processes": ("prozesse", "processes", "process", "fertigungsverfahren"),
    "groups": ("werkstoffgruppe", "materialgroups", "materialgroup"),
    "it": ("bestesit", "bestit", "toleranzgrad", "toleranzgradit"),
    "ra": ("bestera", "bestesra", "bestra", "rauheit", "rauheitra", "raum", "raµm", "raμm"),
    "min_block": ("mindestblock", "mindestblockh", "minblock", "minblockh", "mindestblockstunden"),
    "set_up": ("rüsten", "rüstenh", "ruesten", "rüstzeit", "rüstzeith", "setup", "setuph"),
    "lead_time": ("vorlauf", "leadtimedays", "leadtime"),
    "allowance_xy": ("spannplatzseiten", "allowancexy", "allowancexymm"),
    "allowance_z": ("spannplatzhöhe", "allowancez", "allowancezmm"),
    "rate": ("satz", "eurproh", "euroh", "rate", "hourlyrate", "rateperhour"),
    "set_up_rate": ("rüstsatz", "setuprate", "stundensatzrüsten"),
    "programming_rate": ("programmierung", "programmingrate", "stundensatzprogrammieren"),
    "night_surcharge": ("nachtzuschlag", "nightsurcharge"),
    "sunday_surcharge": ("sonntagszuschlag", "sundaysurcharge", "feiertagszuschlag"),
    "min_order": ("mindestauftrag", "mindestauftragh", "minorder", "minorderh"),
    "site": ("ort", "werk", "site", "location"),
    "year": ("yearbuilt", "year", "baujahr"),
    "serial": ("serialno", "serialnumber", "seriennr"),
}


def unit_faults(columns: Columns) -> list[CellFault]:
    """A heading that names another unit than ours would change every value below it."""
    text = "Diese Spalte ist in %(given)s. Rechne in %(unit)s um."
    faults = []
    for key, heading in columns.headings.items():
        given, wanted = unit_in(heading), _units(key)
        if given and wanted and plain_key(given) not in map(plain_key, wanted):
            faults.append(CellFault(1, heading, heading, RuleBroken(text, given=given, unit=wanted[0])))
    return faults


def _units(key: str) -> tuple[str, ...]:
    if key in load_pack().parameters:
        parameter = load_pack().parameters[key]
        return (parameter.unit_text, parameter.unit) if parameter.unit_text else ()
    hours, euros, percent = ("h", "std", "Stunden", "hours"), ("€/h", "€", "EUR/h", "EUR"), ("%", "Prozent", "percent")
    return {
        "min_block": hours,
        "set_up": hours,
        "min_order": hours,
        "allowance_xy": ("mm",),
        "allowance_z": ("mm",),
        "ra": ("µm", "um", "μm"),
        "rate": euros,
        "set_up_rate": euros,
        "programming_rate": euros,
        "night_surcharge": percent,
        "sunday_surcharge": percent,
    }.get(key, ())


@lru_cache(maxsize=1)
def known_headings() -> dict[str, str]:
    """Every heading that is understood, without case and signs -> key. Base columns win over parameters."""
    known = {plain_key(name): key for key, name in NAMES.items()}
    for key, names in OTHER_NAMES.items():
        known |= {plain_key(name): key for name in names}
    for key, parameter in load_pack().parameters.items():
        bare = key.removesuffix(f"_{parameter.unit}")
        for name in (key, bare, parameter.label.de, parameter.label.en):
            known.setdefault(plain_key(name), key)
    return known


def parameter_heading(key: str) -> str:
    parameter = load_pack().parameters[key]
    return f"{parameter.label.de} ({parameter.unit_text})" if parameter.unit_text else parameter.label.de
