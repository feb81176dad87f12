"""From booking to money: hours reported, checked, countersigned and invoiced on four phones; each paper holds without us."""

import io
import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from lxml import etree
from playwright.sync_api import Browser, Locator
from pypdf import PdfReader

from app.invoices.xml import failed_rules
from e2e.full_house import House
from e2e.node import Node
from e2e.phone import Phone
from e2e.proof import prove_offline

RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
PATIENCE_S = 60
TUESDAY = "2026-12-01T14:30:00+01:00"
"""In KW 49, the first week that was agreed"""
DRAFT_BEFORE = "113,05"
"""What the draft says before these hours came"""


def test_an_hour_at_the_machine_becomes_an_invoice_that_the_partner_accepts(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    node = Node.start(house.folder, more={"CLOCK_START": TUESDAY})
    try:
        ayse, jonas, petra, office = (
            _pick_up(browser, node, house, who)
            for who in ("yilmaz worker", "yilmaz foreman", "keller manager", "yilmaz accountant")
        )
        _report(ayse)
        _check(jonas)
        slip = _countersign(petra)
        xml, pdf = _invoice(office)
        _accept(petra)
        prove_offline([slip], tmp_path)
        assert failed_rules(xml) == ()
        assert failed_rules(xml.replace(b"<ram:GrandTotalAmount>", b"<ram:GrandTotalAmount>9")) != ()
        assert _sum_of_lines(xml) == Decimal(_text(xml, "LineTotalAmount", last=True))
        assert PdfReader(io.BytesIO(pdf)).attachments["factur-x.xml"] == [xml]
        assert node.faults() == []
    finally:
        node.stop()


def _pick_up(browser: Browser, node: Node, house: House, who: str) -> Phone:
    phone = Phone.pick_up(browser, node.url, who)
    phone.context.add_cookies([{"name": "werkring", "value": house.cookie(who), "url": node.url}])
    return phone


def _report(ayse: Phone) -> None:
    """J3: three taps at most."""
    ayse.open("/heute")
    ayse.count_from_here()
    ayse.tap("Stunden melden")
    ayse.tap("Senden")
    assert ayse.counted()["taps"] <= 3
    ayse.see("Gesendet.")


def _check(jonas: Phone) -> None:
    jonas.open("/mehr")
    jonas.tap("Stunden prüfen")
    jonas.tap("Alle bestätigen")
    jonas.see("Wartet auf den Partner")


def _countersign(petra: Phone) -> bytes:
    """The requester's yes; returns the evidence of the slip as she loads it."""
    waiting = petra.page.locator("section", has_text="Von Partnern: bitte prüfen").get_by_test_id("meldung")
    from_partners = waiting.filter(has_text=re.compile(r"KW\s49"))
    _until(petra, "/stunden/pruefen", lambda: from_partners.count() > 0)
    from_partners.first.click()
    petra.see("wartet auf euch")
    slip = petra.page.url
    petra.tap("Bestätigen")
    petra.see_receipt("Bestätigt.")
    petra.open(slip)
    with petra.page.expect_download() as loaded:
        petra.tap("Meldung laden")
    return Path(loaded.value.path()).read_bytes()


def _invoice(office: Phone) -> tuple[bytes, bytes]:
    """The draft holds the hours that both sides stand by; once sent, it comes as XML and as PDF."""
    _until(office, "/belege", lambda: _paper(office, "Entwurf").filter(has_not_text=DRAFT_BEFORE).count() > 0)
    _paper(office, "Entwurf").click()
    office.tap("Rechnung senden")
    _until(office, "", lambda: office.page.get_by_test_id("xml").count() > 0)
    found = []
    for name in ("xml", "pdf"):
        with office.page.expect_download() as loaded:
            office.page.get_by_test_id(name).click()
        found.append(Path(loaded.value.path()).read_bytes())
    return found[0], found[1]


def _accept(petra: Phone) -> None:
    _until(petra, "/belege", lambda: _paper(petra, "wartet").filter(has_text="R-00002").count() > 0)
    _paper(petra, "wartet").filter(has_text="R-00002").click()
    petra.tap("Ja, sie stimmt")


def _paper(phone: Phone, state: str) -> Locator:
    return phone.page.get_by_test_id("beleg").filter(has_text=state).first


def _until(phone: Phone, path: str, is_there: Callable[[], bool]) -> None:
    """Look again until the worker has done it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        phone.open(path) if path else phone.page.reload()
        if is_there():
            return
        time.sleep(0.3)
    raise AssertionError(phone.page.content())


def _sum_of_lines(xml: bytes) -> Decimal:
    """Read by a program that did not write it."""
    tree = etree.fromstring(xml)
    lines = tree.iterfind(f".//{RAM}IncludedSupplyChainTradeLineItem")
    return sum((Decimal(line.findtext(f".//{RAM}LineTotalAmount") or "0") for line in lines), Decimal(0))


def _text(xml: bytes, name: str, *, last: bool = False) -> str:
    found = [one.text or "" for one in etree.fromstring(xml).iter(f"{RAM}{name}")]
    return found[-1 if last else 0]
