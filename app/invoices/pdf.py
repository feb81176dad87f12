"""The invoice as PDF/A-3b: set by typst from data only, with the XML inside as ZUGFeRD wants it. Worker only."""

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import segno.helpers
import typst

from app.agreements.pdf import WATERMARK, spelled
from app.core.units import euro_text, hours_text
from app.invoices.documents import ABOVE_CAP, TITLES, InvoiceFacts, line_name, notes, payment_text, unit_price
from app.invoices.rules import CREDIT_NOTE, Line

TEMPLATE = Path(__file__).parent / "typst" / "invoice.typ"
ORIGINAL = "Diese Rechnung ist eine E-Rechnung nach EN 16931. Die Datei factur-x.xml in diesem PDF ist das Original."
HEADS = ("Nr.", "Leistung", "Menge", "Einzelpreis", "Netto")
EPC_MOST = 70
"""So many letters of a name a payment QR carries (EPC069-12)."""


def invoice_pdf(facts: InvoiceFacts, xml: bytes, is_practice: bool = False) -> bytes:
    """Return the PDF/A-3b with `factur-x.xml` inside."""
    data = _data_of(facts, is_practice)
    try:
        page = _compile(data, facts.issued_on)
    except typst.TypstError:
        # PDF/A refuses missing glyphs; the XML keeps every letter
        page = _compile({**spelled(data), "qr_svg": data["qr_svg"]}, facts.issued_on)
    return _with_xml(page, xml, facts)


def _compile(data: dict[str, Any], day: dt.date) -> bytes:
    pdf = typst.compile(
        str(TEMPLATE),
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        ignore_system_fonts=True,
        pdf_standards="a-3b",
        timestamp=dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC),
    )
    assert isinstance(pdf, bytes)
    return pdf


def _with_xml(page: bytes, xml: bytes, facts: InvoiceFacts) -> bytes:
    import facturx

    title = f"{TITLES[facts.type_code]} {facts.number}"
    made: bytes = facturx.generate_from_binary(
        io.BytesIO(page).read(),
        xml,
        flavor="factur-x",
        level="en16931",
        lang="de",
        # checked before by the norm's own rules; what factur-x offers says yes to wrong totals
        check_xsd=False,
        check_schematron=False,
        afrelationship="alternative",
        pdf_metadata={"author": facts.seller.name, "keywords": "ZUGFeRD, Factur-X", "title": title, "subject": title},
    )
    return made


def _data_of(facts: InvoiceFacts, is_practice: bool) -> dict[str, Any]:
    seller, buyer, sums = facts.seller, facts.buyer, facts.sums
    tax = [[f"Umsatzsteuer {facts.vat_percent} %", _euro(sums.tax_cents)]] if facts.vat_percent else []
    cut = (
        [["Summe", _euro(sums.lines_cents)], [ABOVE_CAP, _euro(-sums.allowance_cents)]] if sums.allowance_cents else []
    )
    return {
        "title": TITLES[facts.type_code],
        "number": facts.number,
        "created": [facts.issued_on.year, facts.issued_on.month, facts.issued_on.day],
        "is_practice": is_practice,
        "watermark": WATERMARK,
        "sender": f"{seller.name} · {seller.street} · {seller.postcode} {seller.town}",
        "buyer": [buyer.name, buyer.street, f"{buyer.postcode} {buyer.town}"],
        "facts": _facts(facts),
        "notes": notes(facts),
        "heads": HEADS,
        "rows": [_row(number, line) for number, line in enumerate(facts.lines, 1)],
        "sums": [*cut, ["Betrag ohne Steuer", _euro(sums.net_cents)], *tax],
        "total": ["Gesamtbetrag", _euro(sums.gross_cents)],
        "payment": _payment(facts),
        "original": ORIGINAL,
        "footer": [
            " · ".join(
                filter(None, (seller.name, _named("USt-IdNr.", seller.vat_id), _named("St.-Nr.", seller.tax_no)))
            ),
            _named("IBAN", seller.iban),
        ],
        "qr_svg": _payment_qr(facts) if facts.type_code != CREDIT_NOTE and not is_practice else "",
        "qr_caption": "Zahlen mit der Bank-App",
    }


def _facts(facts: InvoiceFacts) -> list[list[str]]:
    buyer_id = [["Eure USt-IdNr.", facts.buyer.vat_id]] if facts.buyer.vat_id else []
    return [
        ["Datum", f"{facts.issued_on:%d.%m.%Y}"],
        ["Leistung von", f"{facts.service_from:%d.%m.%Y}"],
        ["bis", f"{facts.service_to:%d.%m.%Y}"],
        ["Einzelauftrag", facts.order_no[-12:]],
        *buyer_id,
    ]


def _row(number: int, line: Line) -> list[str]:
    amount = "1" if line.kind == "transport" else f"{hours_text(line.minutes)} h"
    price = f"{unit_price(line):f}".replace(".", ",")
    return [str(number), line_name(line), amount, f"{_two_decimals(price)} €", _euro(line.net_cents)]


def _two_decimals(price: str) -> str:
    whole, _, rest = price.partition(",")
    return f"{whole},{rest.rstrip('0').ljust(2, '0')}"


def _payment(facts: InvoiceFacts) -> list[str]:
    account = (
        [] if facts.type_code == CREDIT_NOTE else [f"Konto: {facts.seller.iban}, Verwendungszweck: {facts.number}"]
    )
    return [payment_text(facts), *account]


def _payment_qr(facts: InvoiceFacts) -> str:
    made = segno.helpers.make_epc_qr(
        name=facts.seller.name[:EPC_MOST],
        iban=facts.seller.iban,
        amount=facts.sums.gross_cents / 100,
        text=facts.number,
    )
    return str(made.svg_inline(scale=3))


def _named(label: str, value: str) -> str:
    return f"{label} {value}" if value else ""


def _euro(cents: int) -> str:
    return f"{euro_text(cents)} €"
