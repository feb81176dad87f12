"""Reading what others wrote: the XML of an invoice. No entities, no network, no more than a megabyte."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from lxml import etree

from app.core.errors import RuleBroken
from app.core.words import N_

RSM = "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}"
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
UNREADABLE = N_("Die Datei lässt sich nicht lesen.")


@dataclass(frozen=True, slots=True)
class XmlSums:
    """What counts of an invoice: its number, type, order and sums, in cents, as the XML says."""

    number: str
    type_code: int
    order_no: str
    net_cents: int
    tax_cents: int
    gross_cents: int


def read_tree(body: bytes, most_bytes: int) -> etree._Element:
    """Parse XML of a stranger; raises RuleBroken for anything but plain elements."""
    if len(body) > most_bytes:
        raise RuleBroken(UNREADABLE)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise RuleBroken(UNREADABLE) from None
    if root.getroottree().docinfo.doctype:
        raise RuleBroken(UNREADABLE)
    return root


def read_sums(xml: bytes, most_bytes: int) -> XmlSums:
    """Number and sums of a Cross Industry Invoice in euros; raises RuleBroken for any other file."""
    root = read_tree(xml, most_bytes)
    trade = root.find(f"{RSM}SupplyChainTradeTransaction")
    if root.tag != f"{RSM}CrossIndustryInvoice" or trade is None:
        raise RuleBroken(UNREADABLE)
    settlement = f"{RAM}ApplicableHeaderTradeSettlement"
    if _text(trade, f"{settlement}/{RAM}InvoiceCurrencyCode") != "EUR":
        raise RuleBroken(UNREADABLE)
    total = f"{settlement}/{RAM}SpecifiedTradeSettlementHeaderMonetarySummation/{RAM}"
    kind = _text(root, f"{RSM}ExchangedDocument/{RAM}TypeCode")
    return XmlSums(
        number=_text(root, f"{RSM}ExchangedDocument/{RAM}ID"),
        type_code=int(kind) if kind.isdecimal() and len(kind) == 3 else 0,
        order_no=_text(
            trade, f"{RAM}ApplicableHeaderTradeAgreement/{RAM}BuyerOrderReferencedDocument/{RAM}IssuerAssignedID"
        ),
        net_cents=read_cents(_text(trade, f"{total}TaxBasisTotalAmount")),
        tax_cents=read_cents(_text(trade, f"{total}TaxTotalAmount")),
        gross_cents=read_cents(_text(trade, f"{total}GrandTotalAmount")),
    )


def read_cents(text: str) -> int:
    """'12.50' -> 1250; raises RuleBroken for what is no amount with at most two decimals."""
    try:
        cents = Decimal(text) * 100
    except InvalidOperation:
        raise RuleBroken(UNREADABLE) from None
    if not cents.is_finite() or cents != cents.to_integral_value() or not 0 <= cents < 10**14:
        raise RuleBroken(UNREADABLE)
    return int(cents)


def _text(node: etree._Element, path: str) -> str:
    return (node.findtext(path) or "").strip()
