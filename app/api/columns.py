"""German headings of the tables that only people of the firm take along; the others stand in moving/tables."""

import re

from app.core.units import hours_text
from app.moving.tables import Cell, week_cell

RATE = "Euro je Stunde"
COUNTED = re.compile(r"Stunden|Euro|Teile|Ausschuss|Stück|_h$|_mm$|satz$|auftrag_h$")
"""Headings of columns that hold numbers: there a text becomes one that Excel can add up."""
FREE: dict[str, Cell] = {
    "Nummer": lambda row: row.number,
    "Maschine": lambda row: row.name,
    "Woche": lambda row: week_cell(row.week),
    "Stunden möglich": lambda row: hours_text(row.maximum_min),
    "Stunden gemeldet": lambda row: hours_text(row.actual_min),
    "Stunden vorgemerkt": lambda row: hours_text(row.held_min),
    "Stunden vereinbart": lambda row: hours_text(row.agreed_min),
}
OWN: dict[str, Cell] = {
    "Tag": lambda row: f"{row.day:%d.%m.%Y}",
    "Woche": lambda row: week_cell(row.week),
    "Maschine": lambda row: row.machine_name,
    "Auftrag": lambda row: row.title,
    "Partner": lambda row: row.partner_name,
    "Stunden": lambda row: hours_text(row.minutes),
}
