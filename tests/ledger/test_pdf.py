"""An evidence file is found in a PDF, and never two of them, whatever else the PDF holds."""

import time
import zlib

import pytest

from ledger.errors import VerificationError
from ledger.pdf import MOST_FILES, unpacked
from tests.ledger.world import make_world

EVIDENCE = make_world(noise=0).file_bytes()
TEXT = b"{ein Wortlaut}\n"


def attached(body: bytes, *, is_packed: bool, length: bytes = b"") -> bytes:
    stored = zlib.compress(body) if is_packed else body
    packing = b"/Filter/FlateDecode" if is_packed else b""
    told = length or b"%d" % len(stored)
    head = b"<</Length " + told + b"/Type/EmbeddedFile" + packing + b"/Params<</Size 1>>>>"
    return b"7 0 obj\n" + head + b"\nstream\n" + stored + b"\nendstream\nendobj\n"


def pdf(*parts: bytes) -> bytes:
    return b"%PDF-1.7\n" + b"".join(parts) + b"%%EOF"


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("length", [b"", b"9 0 R"])
def test_the_evidence_comes_out_byte_for_byte(is_packed: bool, length: bytes) -> None:
    page = b"3 0 obj\n<</Length 5>>\nstream\nhello\nendstream\nendobj\n"
    text = attached(TEXT, is_packed=False)
    assert unpacked(pdf(page, text, attached(EVIDENCE, is_packed=is_packed, length=length))) == EVIDENCE


def test_what_is_no_pdf_stays_as_it_is() -> None:
    assert unpacked(EVIDENCE) == EVIDENCE


def test_a_pdf_without_evidence_is_refused() -> None:
    for parts in ((), (attached(TEXT, is_packed=True),), (b"/EmbeddedFile", b"/EmbeddedFile>>stream\n{")):
        with pytest.raises(VerificationError, match="no evidence file"):
            unpacked(pdf(*parts))


def test_two_are_refused_even_where_they_are_the_same() -> None:
    one = attached(EVIDENCE, is_packed=True)
    with pytest.raises(VerificationError, match="more than one"):
        unpacked(pdf(one, one))


def test_an_attached_file_inside_a_signed_text_is_only_text() -> None:
    inner = b'{"checkpoint":"' + attached(b'{"checkpoint":1}', is_packed=False) + b'"}'
    assert unpacked(pdf(attached(inner, is_packed=False))) == inner


def test_bombs_and_endless_marks_end_soon() -> None:
    bomb = attached(b'{"checkpoint":' + b" " * 50_000_000, is_packed=True)
    started = time.process_time()
    assert len(unpacked(pdf(bomb))) == 1_000_001
    for noise in (b"/EmbeddedFile" * 70_000, b"<<" * 500_000, b"/EmbeddedFile stream\n" * 45_000, bomb * MOST_FILES):
        with pytest.raises(VerificationError):
            unpacked(pdf(noise))
    assert time.process_time() - started < 2
