"""The firm's seal on a PDF: other people's reader accepts it, and refuses it with any other byte."""

import datetime as dt
import io

import pytest
import typst
from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator import ValidationContext

from app.core import clock
from app.core.db import Database
from app.notary.keys import pdf_key
from app.notary.models import FirmKey
from app.notary.pdf_seal import seal_pdf
from tests.notary.world import found_house

PLAIN = typst.compile(
    b"#set document(date: datetime(year: 2026, month: 11, day: 16))\nVereinbarung", pdf_standards="a-3b"
)


@pytest.fixture
def sealed(sqlite_database: Database) -> tuple[bytes, str]:
    """A sealed PDF and the certificate of the firm that sealed it."""
    with sqlite_database.write() as session:
        found_house(session, "keller")
        key = pdf_key(session, "keller")
    return seal_pdf(PLAIN, key), key.certificate


def seal_on(pdf: bytes, certificate: str) -> PdfSignatureStatus:
    """What pyHanko's own validation says when it trusts this certificate."""
    (seal,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    moment = clock.now() + dt.timedelta(days=1)
    return validate_pdf_signature(seal, ValidationContext(trust_roots=[loaded(certificate)], moment=moment))


def loaded(certificate: str) -> x509.Certificate:
    return x509.Certificate.load(pem.unarmor(certificate.encode())[2])


def test_the_seal_covers_the_whole_file_and_is_accepted(sealed: tuple[bytes, str]) -> None:
    found = seal_on(*sealed)
    assert found.bottom_line
    assert found.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert found.docmdp_ok
    assert b"/SubFilter /ETSI.CAdES.detached" in sealed[0]


def test_the_pages_stay_byte_for_byte_and_the_file_stays_pdf_a(sealed: tuple[bytes, str]) -> None:
    pdf, _ = sealed
    assert pdf.startswith(PLAIN)
    metadata = PdfFileReader(io.BytesIO(pdf)).root["/Metadata"].data
    assert b'pdfaid:part="3"' in metadata
    assert b'pdfaid:conformance="B"' in metadata


def test_the_certificate_bears_the_address_of_the_firm_and_signs_nothing_else(sealed: tuple[bytes, str]) -> None:
    certificate = loaded(sealed[1])
    assert certificate.subject.native == {"common_name": "keller@localhost"}
    assert certificate.subject_alt_name_value.native == ["keller@localhost"]
    assert not certificate.ca
    assert certificate.key_usage_value.native == {"digital_signature", "non_repudiation"}


def test_the_certificate_of_another_firm_does_not_vouch_for_the_seal(
    sqlite_database: Database, sealed: tuple[bytes, str]
) -> None:
    with sqlite_database.write() as session:
        found_house(session, "yilmaz")
        foreign = pdf_key(session, "yilmaz").certificate
    assert not seal_on(sealed[0], foreign).bottom_line


def test_a_flipped_byte_anywhere_is_refused(sealed: tuple[bytes, str]) -> None:
    pdf, certificate = sealed
    start, length, again, _ = (int(part) for part in pdf.split(b"/ByteRange [")[1].split(b"]")[0].split())
    covered = [*range(start, length), *range(again, len(pdf))]
    places = covered[:: len(covered) // 40]
    assert [place for place in places if is_accepted(flipped(pdf, place), certificate)] == []


def flipped(pdf: bytes, place: int) -> bytes:
    return pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :]


def is_accepted(pdf: bytes, certificate: str) -> bool:
    try:
        return seal_on(pdf, certificate).bottom_line
    except Exception:
        # a file that a reader cannot even open
        return False


def test_the_key_of_the_seal_lies_wrapped_like_the_others(sqlite_database: Database, sealed: tuple[bytes, str]) -> None:
    with sqlite_database.read() as session:
        wrapped = session.get_one(FirmKey, ("keller", "pdf")).wrapped
    assert wrapped is not None
    assert b"PRIVATE KEY" not in wrapped
