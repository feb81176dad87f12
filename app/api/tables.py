"""Daten mitnehmen als Tabelle: what a person may see as CSV or XLSX, each table with the columns of that person's role."""

import datetime as dt
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.api.columns import COUNTED, FREE, OWN, RATE
from app.bookings.models import Booking
from app.capacity.models import CapacityWindow
from app.core import clock
from app.core.words import N_
from app.firms.access import Actor, may
from app.hours.models import HourReport
from app.hours.queries import own_entries
from app.hours.rules import CONFIRMED
from app.invoices.models import Invoice
from app.machines.exports import machine_lines
from app.machines.models import Machine
from app.machines.tables import harmless
from app.moving.tables import (
    AGREEMENTS,
    BOOKINGS,
    HOURS,
    INVOICES,
    OFFERS,
    REQUESTS,
    Cell,
    hours,
    lines_of,
    offers,
    with_partner,
)
from app.offers.models import Offer
from app.requests.models import WorkRequest

Lines = Iterable[Sequence[object]]
NUMBER = re.compile(r"-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
OWN_FOR = dt.timedelta(days=3 * 366)


@dataclass(frozen=True)
class Sheet:
    """One table: who may have it, and how it is read."""

    title: str
    permission: str
    lines: Callable[[Session, Actor], Lines]


def sheets_for(actor: Actor) -> dict[str, Sheet]:
    """What this person may take along."""
    return {name: sheet for name, sheet in SHEETS.items() if may(actor, sheet.permission)}


def write_xlsx(title: str, lines: Lines) -> bytes:
    """A workbook with one sheet; no cell of it is a formula, and none could be taken for one where it is copied."""
    from openpyxl import Workbook  # costs start time, and only this needs it

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    heading: Sequence[object] | None = None
    for line in lines:
        heading = heading or line
        sheet.append([_cell(str(name), cell) for name, cell in zip(heading, line, strict=True)])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def _cell(heading: str, cell: object) -> object:
    text = UNPRINTABLE.sub("", harmless(cell))
    if not (COUNTED.search(heading) and NUMBER.fullmatch(text)):
        return text
    return float(text.replace(".", "").replace(",", "."))


def _machines(session: Session, actor: Actor) -> Lines:
    return machine_lines(session, actor.firm_id, with_rates=may(actor, "rates.see"))


def _free_hours(session: Session, actor: Actor) -> Lines:
    machine = (Machine.firm_id == CapacityWindow.firm_id) & (Machine.id == CapacityWindow.machine_id)
    columns = (
        Machine.number, Machine.name, CapacityWindow.week, CapacityWindow.maximum_min, CapacityWindow.actual_min,
        CapacityWindow.held_min, CapacityWindow.agreed_min,
    )  # fmt: skip
    query = sa.select(*columns).join(Machine, machine).where(CapacityWindow.firm_id == actor.firm_id)
    return lines_of(session.execute(query.order_by(CapacityWindow.week, Machine.number, Machine.id)), FREE)


def _requests(session: Session, actor: Actor) -> Lines:
    """A manager reads both sides, a foreman what partners ask."""
    query = with_partner(WorkRequest, actor.firm_id).where(WorkRequest.state != "draft")
    if not may(actor, "requests.see"):
        query = query.where(WorkRequest.side == "theirs")
    return lines_of(session.execute(query), REQUESTS)


def _offers(session: Session, actor: Actor) -> Lines:
    """A manager reads both sides with rates, a foreman what we offered without."""
    if may(actor, "rates.see"):
        return lines_of(session.execute(offers(actor.firm_id)), OFFERS)
    columns = {name: cell for name, cell in OFFERS.items() if name != RATE}
    return lines_of(session.execute(offers(actor.firm_id).where(Offer.side == "ours")), columns)


def _hours(session: Session, actor: Actor) -> Lines:
    """Who checks sees all, the office what both sides stand by."""
    query = hours(actor.firm_id)
    if not may(actor, "hours.check"):
        query = query.where(HourReport.state.in_(CONFIRMED))
    return lines_of(session.execute(query), HOURS)


def _own_hours(session: Session, actor: Actor) -> Lines:
    return lines_of(own_entries(session, actor, clock.today() - OWN_FOR), OWN)


def _rows_of(model: Any, columns: dict[str, Cell]) -> Callable[[Session, Actor], Lines]:
    return lambda session, actor: lines_of(session.execute(with_partner(model, actor.firm_id)), columns)


SHEETS: dict[str, Sheet] = {
    "meine-stunden": Sheet(N_("Meine Stunden"), "hours.report", _own_hours),
    "maschinen": Sheet(N_("Maschinen"), "machines.see", _machines),
    "freie-stunden": Sheet(N_("Freie Stunden"), "capacity.see", _free_hours),
    "anfragen": Sheet(N_("Anfragen"), "requests.answer", _requests),
    "angebote": Sheet(N_("Angebote"), "requests.answer", _offers),
    "vertraege": Sheet(N_("Verträge"), "agreements.see", _rows_of(Agreement, AGREEMENTS)),
    "buchungen": Sheet(N_("Gebuchte Stunden"), "bookings.see", _rows_of(Booking, BOOKINGS)),
    "stunden": Sheet(N_("Gearbeitete Stunden"), "hours.see", _hours),
    "rechnungen": Sheet(N_("Rechnungen"), "invoices.see", _rows_of(Invoice, INVOICES)),
}
