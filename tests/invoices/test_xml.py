"""The XML passes the XSD and the real rules of EN 16931; a wrong one does not, and others read the same sums from it."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from lxml import etree

from app.core.errors import RuleBroken
from app.invoices.documents import Earlier, InvoiceFacts
from app.invoices.rules import Hours, LineTerms, Seat, invoice_lines, invoice_sums
from app.invoices.xml import check_invoice, failed_rules, invoice_xml

SELLER = Seat(
    "Dreherei Yilmaz GmbH",
    "Werkstraße 1",
    "98527",
    "Suhl",
    "DE136695976",
    "160/123/45678",
    "DE89370400440532013000",
    address="yilmaz@werkring.example",
)
BUYER = Seat("Keller Metallbau GmbH", "Werkstraße 2", "98693", "Ilmenau", "")
TERMS = (
    LineTerms("b1", "2026-W49", "F5-650", 9500, 120, 7000, 8000, 250, 1000),
    LineTerms("b2", "2026-W50", "F5-650", 9533, 0, 0, 0, 0, 0),
)
HOURS = (Hours("b1", "run", 615), Hours("b1", "set_up", 120), Hours("b1", "programming", 75), Hours("b2", "run", 945))
CII = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"


def facts_of(cap_cents: int | None = None, seller: Seat = SELLER, vat_percent: int = 19) -> InvoiceFacts:
    lines = invoice_lines(TERMS, HOURS, (Hours("b1", "night", 300), Hours("b1", "sunday", 45)), transport_cents=4999)
    return InvoiceFacts(
        number="R-00001", type_code=380, issued_on=dt.date(2026, 12, 14), due_on=dt.date(2027, 1, 13),
        service_from=dt.date(2026, 11, 30), service_to=dt.date(2026, 12, 13), seller=seller, buyer=BUYER,
        order_no="0190aa00-0000-7000-8000-000000000001", subject="Gehäuse links", lines=lines,
        vat_percent=vat_percent, sums=invoice_sums(lines, vat_percent, cap_cents),
    )  # fmt: skip


def test_an_invoice_passes_every_rule_of_the_norm() -> None:
    assert failed_rules(invoice_xml(facts_of())) == ()


def test_a_wrong_total_is_refused_in_plain_german() -> None:
    good = facts_of()
    xml = invoice_xml(good).replace(
        f"<ram:GrandTotalAmount>{Decimal(good.sums.gross_cents) / 100}".encode(), b"<ram:GrandTotalAmount>1.00"
    )
    assert failed_rules(xml) == ("BR-CO-15", "BR-CO-16")
    with pytest.raises(RuleBroken, match="Der Gesamtbetrag ist nicht der Betrag ohne Steuer plus Steuer") as refused:
        check_invoice(xml)
    assert refused.value.field == "BR-CO-15"


@pytest.mark.parametrize("type_code", [381, 384])
def test_credit_note_and_correction_pass_and_name_the_invoice_they_are_about(type_code: int) -> None:
    earlier = Earlier("R-00001", dt.date(2026, 12, 14), "Eine Stunde zu viel")
    xml = invoice_xml(replace(facts_of(), number="R-00002", type_code=type_code, earlier=earlier))
    assert failed_rules(xml) == ()
    assert etree.fromstring(xml).findtext(f".//{CII}InvoiceReferencedDocument/{CII}IssuerAssignedID") == "R-00001"


def test_an_invoice_cut_to_the_agreed_most_passes() -> None:
    facts = facts_of(cap_cents=200_000)
    assert facts.sums.net_cents == 200_000
    assert failed_rules(invoice_xml(facts)) == ()


def test_a_small_business_without_vat_id_shows_no_tax_and_passes() -> None:
    small = facts_of(seller=replace(SELLER, vat_id="", is_small_business=True), vat_percent=0)
    assert small.sums.tax_cents == 0
    assert failed_rules(invoice_xml(small)) == ()


def test_another_program_adds_up_the_same_sums() -> None:
    facts = facts_of(cap_cents=200_000)
    root = etree.fromstring(invoice_xml(facts))
    read = {name: Decimal(root.findtext(f".//{CII}{name}")) for name in ("GrandTotalAmount", "TaxBasisTotalAmount")}
    lines = [
        Decimal(item.findtext(f".//{CII}BilledQuantity")) * Decimal(item.findtext(f".//{CII}ChargeAmount"))
        for item in root.iter(f"{CII}IncludedSupplyChainTradeLineItem")
    ]
    allowance = Decimal(root.findtext(f".//{CII}ActualAmount"))
    net = sum((round_half_up(line) for line in lines), Decimal(0)) - allowance
    assert read["TaxBasisTotalAmount"] == net == Decimal(2000)
    assert read["GrandTotalAmount"] == round_half_up(net * Decimal("1.19"))
    assert {item.get("unitCode") for item in root.iter(f"{CII}BilledQuantity")} == {"HUR", "C62"}


def round_half_up(amount: Decimal) -> Decimal:
    from decimal import ROUND_HALF_UP

    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
