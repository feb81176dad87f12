"""The PDF of an agreement: PDF/A-3b, hostile texts stay text, the same bytes every time, no network, quick."""

import io
import re
import time
from dataclasses import replace

import pytest
import segno
import typst
from pypdf import PdfReader

from app.agreements.pdf import WATERMARK, AgreementDocument, PrintedParty, SignatureFact, agreement_pdf

TEXT = "Einzelauftrag über Lohnfertigung\n\nZiffer 3  Gegenstand\n\n(1) 48 Stück „Gehäuse“.\n\n– Welle\n– Nabe\n"
HOSTILE = (
    r"""#panic("x") #import "a.typ" $x^2$ *fett* _kursiv_ `code` \ \n <label> @ref [a] {b} // weg /* weg */ "=" 'q'"""
)
DOCUMENT = AgreementDocument(
    kind="Vereinbarung",
    title="Einzelauftrag über Lohnfertigung",
    subject="Gehäuse links",
    status="In Kraft seit 18.11.2026",
    parties=(PrintedParty("Auftraggeber", "Keller GmbH\nIlmenau"), PrintedParty("Auftragnehmer", "Müller\nSuhl")),
    text=TEXT,
    reading_aid="Call-off\n\nClause 3  Subject\n\n(1) 48 pieces.\n",
    digest_hex="0x" + "3f9a" * 16,
    signatures=(
        SignatureFact("Keller GmbH", "Leitung", "Passkey", 1794900000, "kqZ3b0xQe1YV8Yy2cHn0a1JkL9mP4rTsUvWxYz012345"),
        SignatureFact("Müller", "Betrieb", "Firmensiegel", 1794903600, "0x52908400098527886E0F7030069857D2E4169EE7"),
    ),
    qr_svg="",
    qr_caption="",
    is_practice=False,
    created_at=1794990000,
    evidence="",
)


def pages_of(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def words_of(pdf: bytes) -> str:
    return " ".join(" ".join(pages_of(pdf)).split())


def files_in(pdf: bytes) -> dict[str, bytes]:
    return {name: bodies[0] for name, bodies in PdfReader(io.BytesIO(pdf)).attachments.items()}


def test_the_file_says_that_it_is_pdf_a_3b_and_carries_the_exact_text() -> None:
    pdf = agreement_pdf(DOCUMENT)

    assert pdf.startswith(b"%PDF-1.7")
    assert re.search(rb"pdfaid:part>\s*3\s*<", pdf)
    assert re.search(rb"pdfaid:conformance>\s*B\s*<", pdf)
    assert files_in(pdf) == {"wortlaut.txt": TEXT.encode()}


def test_the_evidence_lies_inside_byte_for_byte() -> None:
    evidence = '{"text":"48 Stück \N{GRINNING FACE}"}'

    pdf = agreement_pdf(replace(DOCUMENT, evidence=evidence, subject="\N{GRINNING FACE}"))

    assert files_in(pdf)["beweis.json"] == evidence.encode()


def test_the_same_document_gives_the_same_bytes() -> None:
    assert agreement_pdf(DOCUMENT) == agreement_pdf(replace(DOCUMENT))


def test_another_word_gives_other_bytes() -> None:
    assert agreement_pdf(DOCUMENT) != agreement_pdf(replace(DOCUMENT, text=TEXT.replace("48", "49")))


def test_hostile_texts_appear_word_for_word() -> None:
    hostile = replace(
        DOCUMENT,
        subject=HOSTILE,
        text=TEXT + "\n" + HOSTILE + "\n",
        reading_aid=HOSTILE,
        parties=(PrintedParty("Auftraggeber", HOSTILE),),
    )

    words = words_of(agreement_pdf(hostile))

    assert words.count('#panic("x") #import "a.typ" $x^2$ *fett* _kursiv_ `code`') >= 4
    assert "// weg /* weg */" in words


def test_hostile_texts_compile_without_being_run() -> None:
    assert agreement_pdf(replace(DOCUMENT, text=HOSTILE, status=HOSTILE, kind=HOSTILE)).startswith(b"%PDF")


def test_letters_beyond_the_fonts_are_spelled_and_do_not_stop_the_signing() -> None:
    words = words_of(agreement_pdf(replace(DOCUMENT, subject="\N{GRINNING FACE} Welle")))

    assert "[U+1F600] Welle" in words


def test_the_pages_show_text_signatures_digest_and_a_marked_reading_aid() -> None:
    words = words_of(agreement_pdf(DOCUMENT))

    for expected in (
        "Wortlaut der Vereinbarung".upper(),
        "(1) 48 Stück „Gehäuse“.",
        "Lesehilfe, nicht Teil der Vereinbarung",
        "17.11.2026, 07:20:00 UTC",
        "3f9a" * 8,
        "elektronische Signatur, ausgelegt nach Art. 26 eIDAS",
    ):
        assert expected in words
    assert words.index("Ende des Wortlauts") < words.index("Lesehilfe, nicht Teil") < words.index("Clause 3")
    assert WATERMARK not in words


def test_a_practice_agreement_says_on_every_page_that_it_binds_nobody() -> None:
    pages = pages_of(agreement_pdf(replace(DOCUMENT, is_practice=True)))

    assert len(pages) == 4
    assert "Übung: Diese Vereinbarung bindet niemanden. Alle Betriebe sind erfunden." in pages[0]
    assert all(WATERMARK in page for page in pages)


def test_a_qr_code_and_a_long_contract_fit_in() -> None:
    svg = segno.make("https://werkring.example/v/0192f0c1").svg_inline(scale=4)
    long_text = "Titel\n\n" + "\n\n".join(f"Ziffer {n}  Punkt\n\n(1) {'Wort ' * 200}" for n in range(1, 27))

    assert len(agreement_pdf(replace(DOCUMENT, qr_svg=svg, qr_caption="Öffnen", text=long_text))) > 20_000


def test_a_broken_picture_is_an_error_and_not_a_silent_gap() -> None:
    with pytest.raises(typst.TypstError):
        agreement_pdf(replace(DOCUMENT, qr_svg="<svg"))


def test_one_pdf_is_made_quickly() -> None:
    agreement_pdf(DOCUMENT)
    spent_s = []
    for change in range(3):
        start = time.perf_counter()
        agreement_pdf(replace(DOCUMENT, text=TEXT + f"\n({change}) neu\n", created_at=1794990000 + change))
        spent_s.append(time.perf_counter() - start)
    assert min(spent_s) <= 0.3
