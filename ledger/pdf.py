"""The evidence file inside a PDF: found by the mark of attached files alone, whatever else the PDF holds.

Nothing here looks at the pages or at a seal on the PDF: they prove nothing.
"""

import re
import zlib
from collections.abc import Iterator

from ledger.errors import VerificationError
from ledger.evidence_file import MAX_BYTES

MOST_FILES = 32
_BEGIN = b"%PDF-"
_MARK = b"/EmbeddedFile"
_HEAD_BYTES = 600
_STREAM = re.compile(rb"stream\r?\n")
_LENGTH = re.compile(rb"/Length\s+(\d{1,9})(?!\d|\s+\d+\s+R)")


def is_pdf(data: bytes) -> bool:
    """Whether the bytes begin as a PDF does."""
    return data.startswith(_BEGIN)


def unpacked(data: bytes) -> bytes:
    """The evidence file that lies in a PDF; anything that is no PDF comes back as it is.

    Raises VerificationError for a PDF that holds none, or more than one.
    """
    if not is_pdf(data):
        return data
    found = [body for body in _attached_files(data) if body.startswith(b"{") and b'"checkpoint":' in body]
    if not found:
        raise VerificationError("no evidence file in this PDF")
    if len(found) > 1:
        raise VerificationError("more than one evidence file in this PDF")
    return found[0]


def _attached_files(data: bytes) -> Iterator[bytes]:
    place = 0
    for _ in range(MOST_FILES):
        stream = _next_stream(data, place)
        if stream is None:
            return
        head, start = stream
        place = _end_of(data, head, start)
        yield _inflated(data[start:place]) if b"/FlateDecode" in head else data[start:place].rstrip(b"\r\n")


def _next_stream(data: bytes, place: int) -> tuple[bytes, int] | None:
    """The head of the next attached file and where its bytes begin."""
    while (mark := data.find(_MARK, place)) >= 0:
        stream = _STREAM.search(data, mark, mark + _HEAD_BYTES)
        if stream is not None:
            begin = data.rfind(b" obj", max(0, mark - _HEAD_BYTES), mark)
            return data[max(begin, 0) : stream.start()], stream.end()
        place = mark + len(_MARK)
    return None


def _end_of(data: bytes, head: bytes, start: int) -> int:
    length = _LENGTH.search(head)
    end = data.find(b"endstream", start) if length is None else start + int(length[1])
    return len(data) if end < 0 else end


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(body, MAX_BYTES + 1)
    except zlib.error:
        return b""
