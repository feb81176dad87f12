"""Is an uploaded file really a drawing or a photo? Judged by name, size and first bytes.

A file of its own beside rules.py, because it is about file formats and not about requests.
"""

import re
from collections.abc import Callable

from app.core.errors import RuleBroken

MOST_BYTES = 25 * 1024 * 1024
HEAD_BYTES = 4096
"""How much of the beginning `check_drawing` needs to see."""


def check_drawing(name: str, size: int, head: bytes) -> str:
    """Return the media type of a PDF, STEP, DXF, PNG or JPG file; `head` is at least its first 4,096 bytes.

    Raises RuleBroken when the name, the size or the content is anything else: the name alone is no proof.
    """
    ending = _ending(name)
    if ending not in MEDIA_TYPES:
        raise RuleBroken("Erlaubt sind PDF, STEP, DXF, PNG und JPG. Wähle eine solche Datei.", "drawing")
    if size <= 0 or not head:
        raise RuleBroken("Die Datei ist leer. Wähle sie noch einmal.", "drawing")
    if size > MOST_BYTES:
        raise RuleBroken("Die Datei ist zu groß. Höchstens 25 MB sind möglich.", "drawing")
    media_type, looks_right = MEDIA_TYPES[ending]
    if not looks_right(head):
        raise RuleBroken("Der Inhalt passt nicht zum Namen. Speichere die Datei neu.", "drawing")
    return media_type


def _ending(name: str) -> str:
    # Control and direction signs could show the person another name than the one that is stored.
    if not 1 <= len(name) <= 120 or re.search(r"[\x00-\x1f\x7f/\\\u200b-\u200f\u202a-\u202e\u2066-\u2069]", name):
        raise RuleBroken("Gib der Datei einen einfachen Namen. Höchstens 120 Zeichen.", "drawing")
    stem, dot, ending = name.rpartition(".")
    return ending.lower() if stem and dot else ""


def _is_pdf(head: bytes) -> bool:
    return re.match(rb"%PDF-[12]\.\d", head) is not None


def _is_step(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"ISO-10303-21;")


def _is_dxf(head: bytes) -> bool:
    if head.startswith(b"AutoCAD Binary DXF\r\n\x1a\x00"):
        return True
    # Text DXF is pairs of lines: comments (999) may come first, then 0 / SECTION.
    lines = [line.strip() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()]
    pairs = zip(lines[::2], lines[1::2], strict=False)
    return next((pair for pair in pairs if pair[0] != b"999"), None) == (b"0", b"SECTION")


def _is_png(head: bytes) -> bool:
    return head.startswith(b"\x89PNG\r\n\x1a\n")


def _is_jpg(head: bytes) -> bool:
    return head.startswith(b"\xff\xd8\xff")


MEDIA_TYPES: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "pdf": ("application/pdf", _is_pdf),
    "step": ("model/step", _is_step),
    "stp": ("model/step", _is_step),
    "dxf": ("image/vnd.dxf", _is_dxf),
    "png": ("image/png", _is_png),
    "jpg": ("image/jpeg", _is_jpg),
    "jpeg": ("image/jpeg", _is_jpg),
}
