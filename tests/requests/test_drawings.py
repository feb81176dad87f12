"""A drawing is what it says it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.requests.drawings import MOST_BYTES, check_drawing

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"
STEP = b"ISO-10303-21;\nHEADER;\n"
DXF = b"  0\r\nSECTION\r\n  2\r\nHEADER\r\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JPG = b"\xff\xd8\xff\xe0\x00\x10JFIF"


@pytest.mark.parametrize(
    ("name", "head", "media_type"),
    [
        ("Gehäuse 12-3.pdf", PDF, "application/pdf"),
        ("GEHAEUSE.PDF", PDF, "application/pdf"),
        ("part.step", STEP, "model/step"),
        ("part.stp", b"\xef\xbb\xbf\n" + STEP, "model/step"),
        ("part.dxf", DXF, "image/vnd.dxf"),
        ("part.dxf", b"999\nmade by hand\n0\nSECTION\n", "image/vnd.dxf"),
        ("part.dxf", b"AutoCAD Binary DXF\r\n\x1a\x00\x00", "image/vnd.dxf"),
        ("foto.png", PNG, "image/png"),
        ("foto.jpg", JPG, "image/jpeg"),
        ("foto.jpeg", JPG, "image/jpeg"),
    ],
)
def test_a_drawing_or_photo_is_recognised(name: str, head: bytes, media_type: str) -> None:
    assert check_drawing(name, len(head), head) == media_type


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("part.pdf", b"<html><script>"),
        ("part.pdf", b" " + PDF),
        ("part.step", PDF),
        ("part.dxf", b"0\nHEADER\n"),
        ("part.dxf", b"999"),
        ("foto.png", JPG),
        ("foto.jpg", PNG),
    ],
)
def test_a_false_name_is_refused(name: str, head: bytes) -> None:
    with pytest.raises(RuleBroken, match="passt nicht zum Namen"):
        check_drawing(name, len(head), head)


@pytest.mark.parametrize("name", ["part.exe", "part", ".pdf", "part.svg", "part.pdf.html", "pdf"])
def test_other_files_are_refused(name: str) -> None:
    with pytest.raises(RuleBroken, match="Erlaubt sind PDF, STEP, DXF, PNG und JPG"):
        check_drawing(name, len(PDF), PDF)


@pytest.mark.parametrize("name", ["", "a/b.pdf", "..\\b.pdf", "a\x00.pdf", "fdp\u202e.pdf", "x" * 117 + ".pdf"])
def test_a_tricky_name_is_refused(name: str) -> None:
    with pytest.raises(RuleBroken, match="einfachen Namen"):
        check_drawing(name, len(PDF), PDF)


def test_an_empty_or_too_big_file_is_refused() -> None:
    check_drawing("part.pdf", MOST_BYTES, PDF)
    with pytest.raises(RuleBroken, match="Höchstens 25 MB"):
        check_drawing("part.pdf", MOST_BYTES + 1, PDF)
    with pytest.raises(RuleBroken, match="leer"):
        check_drawing("part.pdf", 0, b"")


@given(st.text(max_size=20), st.sampled_from(["pdf", "stp", "dxf", "png", "jpg", "zip"]), st.binary(max_size=60))
def test_any_file_is_accepted_or_refused_in_plain_words(stem: str, ending: str, head: bytes) -> None:
    try:
        media_type = check_drawing(f"{stem}.{ending}", len(head), head)
    except RuleBroken as refused:
        media_type = refused.field
    assert media_type in {"drawing", "application/pdf", "model/step", "image/vnd.dxf", "image/png", "image/jpeg"}
