"""What travels between two firms about an invoice: built field by field, read field by field."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.core.units import monday
from app.invoices.rules import PAID_KINDS, SURCHARGES, TYPES
from app.requests.wire import Body, unreadable

MOST_LINES = 1000
MOST_CENTS = 10**12
MOST_XML_BYTES = 1024 * 1024
MOST_PDF_BYTES = 5 * 1024 * 1024
KINDS = {380: "invoice.issued", 381: "invoice.credited", 384: "invoice.corrected"}


@dataclass(frozen=True)
class SentFile:
    """A file that the message names; the receiver fetches the bytes apart."""

    file_id: str
    sha256: str
    name: str
    media_type: str
    size: int


@dataclass(frozen=True)
class SentLine:
    """A line, with the number of its booking in the agreement: 0 for the transport, which has none."""

    booking_no: int
    kind: str
    week: str
    machine: str
    minutes: int
    rate_cents_per_hour: int
    permille: int
    net_cents: int


@dataclass(frozen=True)
class SentInvoice:
    """invoice.issued, .corrected and .credited: what the receiver lists; the XML is the invoice. Days YYYY-MM-DD."""

    invoice_id: str
    agreement_id: str
    type_code: int
    number: str
    issued_on: str
    due_on: str
    service_from: str
    service_to: str
    vat_percent: int
    lines_cents: int
    allowance_cents: int
    net_cents: int
    tax_cents: int
    corrects: str
    reason: str
    lines: tuple[SentLine, ...]
    xml: SentFile
    pdf: SentFile


@dataclass(frozen=True)
class NettedInvoice:
    """One invoice of a netting and what it still asks for."""

    invoice_id: str
    cents: int


def netting_body(netting_id: str, month: str, invoices: Sequence[NettedInvoice]) -> dict[str, Any]:
    """The body of invoice.netting_asked."""
    return {"netting_id": netting_id, "month": month, "invoices": [asdict(one) for one in invoices]}


def netting_word_body(netting_id: str, day: str) -> dict[str, Any]:
    """The body of invoice.netting_agreed, _done and _declined, with the day."""
    return {"netting_id": netting_id, "day": day}


def read_netting(body: dict[str, Any]) -> tuple[str, str, list[NettedInvoice]]:
    """Read invoice.netting_asked: id, month, invoices."""
    given = Body(body)
    netting_id, month = given.public_id("netting_id"), given.text("month", 7, 7)
    read_day(f"{month}-01", "month")
    invoices = []
    for item in given.items("invoices", MOST_LINES):
        invoices.append(NettedInvoice(item.public_id("invoice_id"), item.whole("cents", 1, MOST_CENTS)))
        item.finish()
    given.finish()
    return netting_id, month, invoices


def read_netting_word(body: dict[str, Any]) -> tuple[str, dt.date]:
    """Read invoice.netting_agreed, _done or _declined: id and day."""
    given = Body(body)
    found = given.public_id("netting_id"), read_day(given.text("day", 10, 10), "day")
    given.finish()
    return found


def invoice_body(sent: SentInvoice) -> dict[str, Any]:
    """The body of a message, as JSON members."""
    body: dict[str, Any] = json.loads(json.dumps(asdict(sent)))
    return body


def word_body(invoice_id: str, text: str = "") -> dict[str, Any]:
    """The body of invoice.accepted, .disputed (with a reason), .reminded and .paid (with the day)."""
    return {"invoice_id": invoice_id, "text": text}


def read_invoice(body: dict[str, Any]) -> SentInvoice:
    """Read an invoice's message; raises RuleBroken for anything unusual in it."""
    given = Body(body)
    sent = SentInvoice(
        invoice_id=given.public_id("invoice_id"),
        agreement_id=given.public_id("agreement_id"),
        type_code=given.whole("type_code", 0, 999),
        number=given.text("number", 30, 1),
        issued_on=_day(given, "issued_on"),
        due_on=_day(given, "due_on"),
        service_from=_day(given, "service_from"),
        service_to=_day(given, "service_to"),
        vat_percent=given.whole("vat_percent", 0, 99),
        lines_cents=given.whole("lines_cents", 0, MOST_CENTS),
        allowance_cents=given.whole("allowance_cents", 0, MOST_CENTS),
        net_cents=given.whole("net_cents", 1, MOST_CENTS),
        tax_cents=given.whole("tax_cents", 0, MOST_CENTS),
        corrects=given.text("corrects", 36),
        reason=given.text("reason", 200),
        lines=tuple(_line(item) for item in given.items("lines", MOST_LINES)),
        xml=_file(given, "xml", "application/xml", MOST_XML_BYTES),
        pdf=_file(given, "pdf", "application/pdf", MOST_PDF_BYTES),
    )
    given.finish()
    if sent.type_code not in TYPES or not sent.lines:
        raise unreadable("type_code")
    return sent


def read_word(body: dict[str, Any]) -> tuple[str, str]:
    """Read invoice.accepted, .disputed, .reminded or .paid: the invoice's id and the text."""
    given = Body(body)
    found = given.public_id("invoice_id"), given.text("text", 200)
    given.finish()
    return found


def read_day(text: str, name: str) -> dt.date:
    """A day of a message; raises RuleBroken for one that does not exist."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise unreadable(name) from None


def _day(given: Body, name: str) -> str:
    return read_day(given.text(name, 10, 10), name).isoformat()


def _line(item: Body) -> SentLine:
    line = SentLine(
        booking_no=item.whole("booking_no", 0, 1000),
        kind=item.choice("kind", (*PAID_KINDS, *SURCHARGES, "transport")),
        week=item.text("week", 8),
        machine=item.text("machine", 60),
        minutes=item.whole("minutes", 0, 10_080 * 60),
        rate_cents_per_hour=item.whole("rate_cents_per_hour", 0, MOST_CENTS),
        permille=item.whole("permille", 0, 10_000),
        net_cents=item.whole("net_cents", 0, MOST_CENTS),
    )
    item.finish()
    if (line.kind == "transport") is bool(line.week):
        raise unreadable("week")
    if line.week:
        monday(line.week)
    return line


def _file(given: Body, name: str, media_type: str, most_bytes: int) -> SentFile:
    item = given.inner(name)
    file = SentFile(
        file_id=item.public_id("file_id"),
        sha256=item.sha256("sha256"),
        name=item.text("name", 120, 1),
        media_type=item.choice("media_type", (media_type,)),
        size=item.whole("size", 1, most_bytes),
    )
    item.finish()
    return file
