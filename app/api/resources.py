"""What programs read, field by field: one list makes the query, the answer and the description of both.

Only rows of the firm itself stand behind it, and nothing that its manager does not see on a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.bookings.models import Booking
from app.capacity.models import CapacityWindow
from app.hours.models import HourEntry, HourReport
from app.hours.queries import is_current
from app.invoices.models import Invoice, InvoiceLine
from app.machines.models import Capability, Machine
from app.offers.models import Offer, OfferLine
from app.partners.models import Partnership
from app.requests.models import WorkRequest

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
ID: Schema = {"type": "string", "minLength": 36, "maxLength": 36}
NO_ID: Schema = {"type": ["string", "null"], "minLength": 36, "maxLength": 36}
NUMBER: Schema = {"type": "integer"}
NO_NUMBER: Schema = {"type": ["integer", "null"]}
YES: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
WEEK: Schema = {"type": "string", "pattern": "^[0-9]{4}-W[0-9]{2}$", "description": "ISO 8601 week"}
NO_WEEK: Schema = WEEK | {"type": ["string", "null"]}
DAY: Schema = {"type": "string", "format": "date"}
NO_DAY: Schema = DAY | {"type": ["string", "null"]}
TIME: Schema = {"type": "string", "format": "date-time"}
NO_TIME: Schema = TIME | {"type": ["string", "null"]}
SIDE: Schema = {
    "type": "string",
    "enum": ["ours", "theirs"],
    "description": "Whose it is: our firm's, or the partner's",
}
MINUTES: Schema = {"type": "integer", "minimum": 0, "description": "Whole minutes"}
CENTS: Schema = {"type": "integer", "description": "Whole cents, EUR"}


@dataclass(frozen=True)
class Field:
    """One member of an answer: its name, its JSON schema, and the column that it is read from."""

    name: str
    schema: Schema
    column: Any


@dataclass(frozen=True)
class Lines:
    """What belongs to a thing and is answered inside it."""

    name: str
    model: Any
    parent: Any
    order: tuple[Any, ...]
    fields: tuple[Field, ...]
    narrow: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Resource:
    """One kind of thing that programs list and read."""

    name: str
    """In the address, in the scope, and as operation"""
    title: str
    model: Any
    fields: tuple[Field, ...]
    joins: tuple[tuple[Any, Any], ...] = ()
    """(table, condition), all outer"""
    lines: Lines | None = None
    week: Any = None
    """The column by which a list is narrowed with from_week and to_week"""
    narrow: tuple[Any, ...] = field(default=())

    @property
    def scope(self) -> str:
        return f"{self.name}:read"

    @property
    def schema_name(self) -> str:
        return self.title.title().replace(" ", "")


def _fields(model: Any, **schemas: Schema) -> tuple[Field, ...]:
    return tuple(Field(name, schema, getattr(model, name)) for name, schema in schemas.items())


def _partner_of(model: Any) -> tuple[Any, Any]:
    return Partnership, sa.and_(Partnership.firm_id == model.firm_id, Partnership.partner_id == model.partner_id)


PARTNER_NAME = Field("partner_name", {"type": ["string", "null"]}, Partnership.name)

MACHINES = Resource(
    "machines", "machine", Machine,
    _fields(
        Machine, id=ID, number=TEXT, name=TEXT, type_key=TEXT,
        state={"type": "string", "enum": ["ready", "down", "retired"]}, serial_no=TEXT, year_built=NO_NUMBER,
        min_block_min=MINUTES, set_up_min=MINUTES, lead_time_days=NUMBER,
        parameters={"type": "object", "description": "Keys and units of the industry pack"},
    ),
    lines=Lines(
        "processes", Capability, Capability.machine_id, (Capability.process_key,),
        _fields(Capability, process_key=TEXT, material_groups=TEXTS, best_it=NO_NUMBER, best_ra_nm=NO_NUMBER),
    ),
)  # fmt: skip

FREE_HOURS = Resource(
    "free-hours", "free hours", CapacityWindow,
    (
        *_fields(CapacityWindow, id=ID, machine_id=ID),
        Field("machine_number", TEXT, Machine.number),
        *_fields(CapacityWindow, week=WEEK, maximum_min=MINUTES),
        Field(
            "reported_min", MINUTES | {"description": "Minutes for partners, held and agreed ones included"},
            CapacityWindow.actual_min,
        ),
        *_fields(CapacityWindow, held_min=MINUTES, agreed_min=MINUTES),
        Field(
            "free_min", MINUTES | {"description": "reported - held - agreed"},
            (CapacityWindow.actual_min - CapacityWindow.held_min - CapacityWindow.agreed_min).label("free_min"),
        ),
        *_fields(CapacityWindow, confirmed_at=NO_TIME),
    ),
    joins=(
        (Machine, sa.and_(Machine.firm_id == CapacityWindow.firm_id, Machine.id == CapacityWindow.machine_id)),
    ),
    week=CapacityWindow.week,
)  # fmt: skip

REQUESTS = Resource(
    "requests", "request", WorkRequest,
    (
        *_fields(
            WorkRequest, id=ID, side=SIDE, kind={"type": "string", "enum": ["hours", "know_how"]}, version=NUMBER,
            state=TEXT, title=TEXT, partner_id=NO_ID,
        ),
        PARTNER_NAME,
        *_fields(
            WorkRequest, pack=TEXT, process_key={"type": ["string", "null"]}, need_min=MINUTES, agreed_min=MINUTES,
            first_week=WEEK, last_week=WEEK, delivery_week=NO_WEEK, material=TEXT, material_group=TEXT,
            part_count=NO_NUMBER, part_x_mm=NO_NUMBER, part_y_mm=NO_NUMBER, part_z_mm=NO_NUMBER, part_g=NO_NUMBER,
            note=TEXT, customer=TEXT, reply_by=NO_TIME, created_at=TIME, published_at=NO_TIME, closed_at=NO_TIME,
        ),
    ),
    joins=(_partner_of(WorkRequest),),
    narrow=(WorkRequest.state != "draft",),
)  # fmt: skip

OFFERS = Resource(
    "offers", "offer", Offer,
    (
        *_fields(Offer, id=ID, side=SIDE, request_id=ID, partner_id=ID),
        PARTNER_NAME,
        *_fields(
            Offer, version=NUMBER, answer={"type": "string", "enum": ["yes", "part"]}, state=TEXT, valid_until=TIME,
            transport_cents=CENTS, note=TEXT, created_at=TIME,
        ),
    ),
    joins=(_partner_of(Offer),),
    lines=Lines(
        "lines", OfferLine, OfferLine.offer_id, (OfferLine.week, OfferLine.machine_name, OfferLine.id),
        _fields(
            OfferLine, id=ID, machine_name=TEXT, week=WEEK, offered_min=MINUTES, rate_cents_per_hour=CENTS,
            set_up_min=MINUTES, min_block_min=MINUTES, set_up_rate_cents_per_hour=NO_NUMBER,
            programming_rate_cents_per_hour=CENTS, night_surcharge_permille=NUMBER, sunday_surcharge_permille=NUMBER,
        ),
    ),
)  # fmt: skip

BOOKINGS = Resource(
    "bookings", "booking", Booking,
    (
        *_fields(
            Booking, id=ID, side=SIDE,
            is_our_work=YES, agreement_id=ID, line_no=NUMBER, request_id=ID, partner_id=ID,
        ),
        PARTNER_NAME,
        Field(
            "machine_id", NO_ID | {"description": "Of our own machine; null where the partner's works"},
            sa.case((Booking.side == "ours", Booking.machine_id), else_=None).label("machine_id"),
        ),
        *_fields(
            Booking, machine_name=TEXT, week=WEEK, agreed_min=MINUTES, rate_cents_per_hour=CENTS, title=TEXT, state=TEXT,
            created_at=TIME, ended_at=NO_TIME,
        ),
    ),
    joins=(_partner_of(Booking),),
    week=Booking.week,
)  # fmt: skip

HOURS = Resource(
    "hours", "hour report", HourReport,
    (
        *_fields(HourReport, id=ID, side=SIDE, booking_id=ID, agreement_id=ID, partner_id=ID),
        PARTNER_NAME,
        *_fields(
            HourReport, week=WEEK, state=TEXT, supersedes=NO_ID, reason=TEXT, created_at=TIME, checked_at=NO_TIME,
            settled_at=NO_TIME,
        ),
    ),
    joins=(_partner_of(HourReport),),
    lines=Lines(
        "entries", HourEntry, HourEntry.report_id, (HourEntry.day, HourEntry.id),
        _fields(
            HourEntry, id=ID, day=DAY, minutes=MINUTES,
            kind={"type": "string", "enum": ["run", "set_up", "programming", "idle"]}, quantity=NUMBER, scrap=NUMBER,
        ),
        narrow=(is_current(), HourEntry.minutes > 0),
    ),
    week=HourReport.week,
)  # fmt: skip

INVOICES = Resource(
    "invoices", "invoice", Invoice,
    (
        *_fields(Invoice, id=ID, side=SIDE, partner_id=ID),
        PARTNER_NAME,
        *_fields(
            Invoice, agreement_id=ID,
            type_code=NUMBER | {"description": "UNTDID 1001: 380 invoice, 381 credit note, 384 correction"},
            number=TEXT, state=TEXT, corrects=NO_ID, subject=TEXT, vat_percent=NUMBER, net_cents=CENTS, tax_cents=CENTS,
            gross_cents=CENTS, netted_cents=CENTS, service_from=NO_DAY, service_to=NO_DAY, issued_on=NO_DAY, due_on=NO_DAY,
            paid_on=NO_DAY, created_at=TIME,
        ),
    ),
    joins=(_partner_of(Invoice),),
    lines=Lines(
        "lines", InvoiceLine, InvoiceLine.invoice_id, (InvoiceLine.line_no,),
        _fields(
            InvoiceLine, line_no=NUMBER, booking_id=TEXT, kind=TEXT, week=TEXT, machine=TEXT, minutes=MINUTES,
            rate_cents_per_hour=CENTS, permille=NUMBER, net_cents=CENTS,
        ),
    ),
)  # fmt: skip

RESOURCES: Sequence[Resource] = (MACHINES, FREE_HOURS, REQUESTS, OFFERS, BOOKINGS, HOURS, INVOICES)
