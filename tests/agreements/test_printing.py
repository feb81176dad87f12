"""The PDF of an agreement in the ledger: sealed, with text and evidence inside, and a QR that tells nothing."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.printing import document_of, pdf_of
from app.core import clock
from app.core.db import Database
from app.notary.keys import pdf_key
from tests.agreements import test_pdf
from tests.agreements.world import Deal, drafted, make_deal, sign, signed_by_both, verified

ROOT = "https://werkring.example"


@pytest.fixture
def deal(sqlite_database: Database) -> Deal:
    return make_deal(sqlite_database)


@pytest.fixture
def session(sqlite_database: Database, deal: Deal) -> Iterator[Session]:
    (agreement_id,) = drafted(sqlite_database, deal)
    signed_by_both(sqlite_database, deal, [agreement_id])
    with sqlite_database.read() as found:
        yield found


def agreement_of(session: Session, deal: Deal, key: str = "keller") -> Agreement:
    return session.query(Agreement).filter_by(firm_id=deal.firms[key].id).one()


@pytest.mark.parametrize("key", ["keller", "yilmaz"])
def test_each_firm_seals_its_own_pdf(session: Session, deal: Deal, key: str) -> None:
    pdf = pdf_of(session, agreement_of(session, deal, key), ROOT)
    (seal,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    certificate = x509.Certificate.load(pem.unarmor(pdf_key(session, deal.firms[key].id).certificate.encode())[2])
    found = validate_pdf_signature(seal, ValidationContext(trust_roots=[certificate], moment=clock.now()))
    assert found.bottom_line
    assert certificate.subject.native == {"common_name": f"{key}@test"}


def test_the_files_inside_are_the_signed_text_and_an_evidence_that_holds(
    session: Session, deal: Deal, tmp_path: Path
) -> None:
    agreement = agreement_of(session, deal)
    inside = test_pdf.files_in(pdf_of(session, agreement, ROOT))
    assert inside["wortlaut.txt"].decode() == agreement.text
    assert verified(inside["beweis.json"], tmp_path) == 0
    assert json.loads(inside["beweis.json"])["leaf"]["digest"] == agreement.digest


def test_the_pages_show_the_text_that_was_signed_word_for_word(session: Session, deal: Deal) -> None:
    agreement = agreement_of(session, deal)
    pages = test_pdf.pages_of(pdf_of(session, agreement, ROOT))
    shown = "".join("".join(page.split("\n")[1:-1]) for page in pages).replace(" ", "")
    assert "".join(agreement.text.split()) in "".join(shown.split())


def test_the_qr_leads_to_the_check_and_holds_the_digest_only(
    session: Session, deal: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    links: list[str] = []
    monkeypatch.setattr("app.agreements.printing._qr", lambda link: links.append(link) or "")
    agreement = agreement_of(session, deal)
    document_of(session, agreement, ROOT)
    assert links == [f"{ROOT}/pruefen?eintrag={agreement.digest}"]


def test_what_one_side_signed_bears_no_seal_and_no_evidence(sqlite_database: Database, deal: Deal) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    sign(sqlite_database, deal, "keller", agreement_id)
    with sqlite_database.read() as found:
        pdf = pdf_of(found, agreement_of(found, deal), ROOT)
    assert PdfFileReader(io.BytesIO(pdf)).embedded_signatures == []
    assert "beweis.json" not in test_pdf.files_in(pdf)
