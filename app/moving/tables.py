"""What people read in Excel: the firm's things as plain tables with German headings."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.bookings.models import Booking
from app.core.db import Base
from app.core.units import BERLIN, euro_text, hours_text, week_label
from app.firms.models import Membership, Person
from app.hours.documents import KIND_NAMES
from app.hours.models import HourEntry, HourReport
from app.hours.queries import is_current
from app.invoices.documents import TITLES
from app.invoices.models import Invoice
from app.machines.exports import machines_table
from app.machines.tables import write_table
from app.offers.models import Offer, OfferLine
from app.partners.models import Partnership
from app.requests.models import WorkRequest
from app.requests.rules import RequestState

Cell = Callable[[Any], object]
SIDES = {"ours": "von uns", "theirs": "vom Partner"}
WORKERS = {"ours": "wir", "theirs": "der Partner"}
ROLES = {
    "worker": "Mitarbeiter", "foreman": "Meister", "manager": "Leitung", "accountant": "Büro", "steward": "Betreuung",
}  # fmt: skip
STATES = {
    "invited": "eingeladen", "half": "wartet", "active": "Partner", "paused": "ruht", "ended": "beendet",
    "lapsed": "verfallen", "declined": "abgelehnt", "submitted": "offen", "superseded": "ersetzt",
    "withdrawn": "zurückgezogen", "expired": "abgelaufen", "selected": "gewählt", "partly_selected": "zum Teil gewählt",
    "accepted": "angenommen", "released": "freigegeben", "frozen": "Entwurf", "signed_one": "wartet",
    "waiting_bundle": "wartet auf andere", "in_force": "gilt", "terminated": "abgesagt", "held": "vorgemerkt",
    "confirmed": "fest", "cancelled": "abgesagt", "rescheduled": "verschoben", "running": "läuft", "done": "fertig",
    "settled": "abgerechnet", "draft": "Entwurf", "checking": "wird geprüft", "issued": "gestellt", "disputed": "strittig",
    "paid": "bezahlt", "overdue": "überfällig", "reminded": "erinnert", "corrected": "ersetzt", "credited": "aufgehoben",
}  # fmt: skip

HOUR_STATES = {
    "draft": "Korrektur", "reported": "gemeldet", "checked": "geprüft", "confirmed": "bestätigt",
    "auto_confirmed": "bestätigt", "disputed": "strittig", "corrected": "ersetzt", "invoiced": "abgerechnet",
}  # fmt: skip


def people_tables(session: Session, firm_id: str) -> dict[str, bytes]:
    """CSV files by name, each as a German Excel opens it."""
    partners = sa.select(*columns_of(Partnership)).where(Partnership.firm_id == firm_id).order_by(Partnership.name)
    return {
        "maschinen.csv": machines_table(session, firm_id, with_rates=True),
        "leute.csv": _table(_people(session, firm_id), PEOPLE),
        "partner.csv": _table(session.execute(partners), PARTNERS),
        "anfragen.csv": _table(session.execute(with_partner(WorkRequest, firm_id)), REQUESTS),
        "angebote.csv": _table(session.execute(offers(firm_id)), OFFERS),
        "vertraege.csv": _table(session.execute(with_partner(Agreement, firm_id)), AGREEMENTS),
        "rechnungen.csv": _table(session.execute(with_partner(Invoice, firm_id)), INVOICES),
        "buchungen.csv": _table(session.execute(with_partner(Booking, firm_id)), BOOKINGS),
        "stunden.csv": _table(session.execute(hours(firm_id)), HOURS),
    }


def lines_of(rows: Iterable[Any], columns: dict[str, Cell]) -> list[Sequence[object]]:
    """Headings and rows, as people read them."""
    lines: list[Sequence[object]] = [list(columns)]
    return [*lines, *([cell(row) for cell in columns.values()] for row in rows)]


def with_partner(model: Any, firm_id: str) -> sa.Select[*tuple[Any, ...]]:
    """The firm's rows of a kind, each with the name of its partner."""
    return (
        sa.select(*columns_of(model), Partnership.name.label("partner"))
        .outerjoin(Partnership, (Partnership.firm_id == model.firm_id) & (Partnership.partner_id == model.partner_id))
        .where(model.firm_id == firm_id)
        .order_by(model.created_at, model.id)
    )


def columns_of(model: type[Base]) -> list[sa.Column[Any]]:
    return list(Base.metadata.tables[model.__tablename__].columns)


def offers(firm_id: str) -> sa.Select[*tuple[Any, ...]]:
    """Offers by machine and week, as they are counted."""
    job = (WorkRequest.firm_id == Offer.firm_id) & (WorkRequest.id == Offer.request_id)
    return (
        with_partner(Offer, firm_id)
        .join(OfferLine, (OfferLine.firm_id == Offer.firm_id) & (OfferLine.offer_id == Offer.id))
        .outerjoin(WorkRequest, job)
        .add_columns(
            OfferLine.machine_name,
            OfferLine.week,
            OfferLine.offered_min,
            OfferLine.rate_cents_per_hour,
            WorkRequest.title,
        )
        .order_by(OfferLine.week, OfferLine.id)
    )


def hours(firm_id: str) -> sa.Select[*tuple[Any, ...]]:
    """What was worked, as it stands now; nobody's name."""
    on_entry = (HourEntry.firm_id == HourReport.firm_id) & (HourEntry.report_id == HourReport.id)
    on_booking = (Booking.firm_id == HourReport.firm_id) & (Booking.id == HourReport.booking_id)
    return (
        with_partner(HourReport, firm_id)
        .join(HourEntry, on_entry)
        .join(Booking, on_booking)
        .where(is_current(), HourEntry.minutes > 0)
        .add_columns(
            HourEntry.day, HourEntry.minutes, HourEntry.kind, HourEntry.quantity, HourEntry.scrap, Booking.machine_name
        )
        .order_by(HourEntry.day, HourEntry.id)
    )  # fmt: skip


def _people(session: Session, firm_id: str) -> list[tuple[Person, str]]:
    people = session.scalars(sa.select(Person).where(Person.firm_id == firm_id).order_by(Person.name, Person.id)).all()
    roles: dict[str, list[str]] = {person.id: [] for person in people}
    held = sa.select(Membership).where(Membership.firm_id == firm_id, Membership.ended_at.is_(None))
    for row in session.scalars(held.order_by(Membership.role)):
        roles[row.person_id].append(ROLES[row.role])
    return [(person, ", ".join(roles[person.id])) for person in people]


def _table(rows: Iterable[Any], columns: dict[str, Cell]) -> bytes:
    return write_table(lines_of(rows, columns))


def _day(value: dt.datetime | None) -> str:
    return "" if value is None else f"{value.astimezone(BERLIN):%d.%m.%Y}"


def _state(value: str) -> str:
    return STATES.get(value, value)


def week_cell(value: str | None) -> str:
    return week_label(value) if value else ""


PEOPLE: dict[str, Cell] = {
    "Name": lambda row: row[0].name,
    "Aufgaben": lambda row: row[1],
    "E-Mail": lambda row: row[0].email,
    "Telefon": lambda row: row[0].phone,
    "Dabei seit": lambda row: _day(row[0].created_at),
    "Gegangen am": lambda row: _day(row[0].left_at),
}
PARTNERS: dict[str, Cell] = {
    "Name": lambda row: row.name,
    "Ort": lambda row: row.town,
    "Adresse": lambda row: row.address,
    "Stand": lambda row: _state(row.state),
    "Partner seit": lambda row: _day(row.since),
    "Beendet am": lambda row: _day(row.ended_at),
}
REQUESTS: dict[str, Cell] = {
    "Anfrage": lambda row: row.title,
    "Wer fragt": lambda row: SIDES[row.side],
    "Partner": lambda row: row.partner or "",
    "Stand": lambda row: RequestState(row.state).label,
    "Stunden": lambda row: hours_text(row.need_min),
    "Von": lambda row: week_cell(row.first_week),
    "Bis": lambda row: week_cell(row.last_week),
    "Werkstoff": lambda row: row.material,
    "Stück": lambda row: row.part_count,
    "Notiz": lambda row: row.note,
    "Angelegt am": lambda row: _day(row.created_at),
}
OFFERS: dict[str, Cell] = {
    "Anfrage": lambda row: row.title or "",
    "Wer bietet an": lambda row: WORKERS[row.side],
    "Partner": lambda row: row.partner or "",
    "Stand": lambda row: _state(row.state),
    "Maschine": lambda row: row.machine_name,
    "Woche": lambda row: week_cell(row.week),
    "Stunden": lambda row: hours_text(row.offered_min),
    "Euro je Stunde": lambda row: euro_text(row.rate_cents_per_hour),
    "Gültig bis": lambda row: _day(row.valid_until),
}
AGREEMENTS: dict[str, Cell] = {
    "Partner": lambda row: row.partner or "",
    "Wer bestellt": lambda row: SIDES[row.side],
    "Stand": lambda row: _state(row.state),
    "Stunden": lambda row: hours_text(row.minutes),
    "Summe in Euro": lambda row: euro_text(row.total_cents),
    "Gilt seit": lambda row: _day(row.in_force_at),
    "Beendet am": lambda row: _day(row.ended_at),
    "Eintrag im Logbuch": lambda row: row.entry_seq,
    "Prüfsumme": lambda row: row.digest,
}
INVOICES: dict[str, Cell] = {
    "Nummer": lambda row: row.number,
    "Art": lambda row: TITLES[row.type_code],
    "Wer schreibt": lambda row: SIDES[row.side],
    "Partner": lambda row: row.partner or "",
    "Auftrag": lambda row: row.subject,
    "Datum": lambda row: "" if row.issued_on is None else f"{row.issued_on:%d.%m.%Y}",
    "Zahlbar bis": lambda row: "" if row.due_on is None else f"{row.due_on:%d.%m.%Y}",
    "Ohne Steuer in Euro": lambda row: euro_text(row.net_cents),
    "Steuer in Euro": lambda row: euro_text(row.tax_cents),
    "Gesamt in Euro": lambda row: euro_text(row.gross_cents),
    "Verrechnet in Euro": lambda row: euro_text(row.netted_cents),
    "Stand": lambda row: _state(row.state),
    "Bezahlt am": lambda row: "" if row.paid_on is None else f"{row.paid_on:%d.%m.%Y}",
}
BOOKINGS: dict[str, Cell] = {
    "Woche": lambda row: week_cell(row.week),
    "Maschine": lambda row: row.machine_name,
    "Wer arbeitet": lambda row: WORKERS[row.side],
    "Partner": lambda row: row.partner or "",
    "Stunden": lambda row: hours_text(row.agreed_min),
    "Auftrag": lambda row: row.title,
    "Stand": lambda row: _state(row.state),
}
HOURS: dict[str, Cell] = {
    "Tag": lambda row: f"{row.day:%d.%m.%Y}",
    "Woche": lambda row: week_cell(row.week),
    "Maschine": lambda row: row.machine_name,
    "Partner": lambda row: row.partner or "",
    "Wer arbeitet": lambda row: WORKERS[row.side],
    "Art": lambda row: KIND_NAMES[row.kind],
    "Stunden": lambda row: hours_text(row.minutes),
    "Teile": lambda row: row.quantity,
    "Ausschuss": lambda row: row.scrap,
    "Stand": lambda row: HOUR_STATES[row.state],
}
