"""The PDF shows what the XML says, carries it inside, and is a PDF/A-3."""

import io
from dataclasses import replace

import facturx
import pypdf

from app.invoices.pdf import invoice_pdf
from app.invoices.xml import invoice_xml
from tests.invoices.test_xml import facts_of


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def test_another_program_finds_the_very_xml_inside_and_the_same_total_on_the_page() -> None:
    facts = facts_of(cap_cents=200_000)
    xml = invoice_xml(facts)
    pdf = invoice_pdf(facts, xml)
    name, inside = facturx.get_facturx_xml_from_pdf(pdf, check_xsd=True)
    assert (name, inside) == ("factur-x.xml", xml)
    shown = text_of(pdf)
    assert "Gesamtbetrag" in shown
    assert "2.380,00 €" in shown
    assert "Maschinenstunden F5-650 KW 49/2026" in shown
    metadata = pypdf.PdfReader(io.BytesIO(pdf)).trailer["/Root"]["/Metadata"].get_object().get_data()
    assert b"<pdfaid:part>3</pdfaid:part>" in metadata
    assert b"<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>" in metadata


def test_letters_beyond_the_fonts_and_the_practice_world_make_no_pdf_impossible() -> None:
    facts = facts_of()
    facts = replace(facts, subject="Gehäuse 😀", buyer=replace(facts.buyer, name="金属 GmbH"))
    shown = text_of(invoice_pdf(facts, invoice_xml(facts), is_practice=True))
    assert "[U+1F600]" in shown
    assert "ÜBUNG" in shown
