"""The PDF/A-3b of an agreement: the exact text, its signatures and the reading aid, set by typst from data only."""

import datetime as dt
import json
import re
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import typst

from app.agreements.blocks import text_blocks

TEMPLATE = Path(__file__).parent / "typst" / "agreement.typ"
BEYOND_FONTS = re.compile(
    r"[^\n -~\u00a1-\u024f\u0370-\u03ff\u0400-\u04ff\u1e00-\u1eff\u2010-\u2026\u2030\u20ac\u2212]"
)
WATERMARK = "ÜBUNG – bindet niemanden"
SIGNATURE_WORDING = "elektronische Signatur, ausgelegt nach Art. 26 eIDAS"


@dataclass(frozen=True)
class SignatureFact:
    """One signature as printed: firm, the person's role (never a name), kind in German, UTC seconds, the key's id."""

    firm: str
    role: str
    kind: str
    at: int
    key_id: str


@dataclass(frozen=True)
class PrintedParty:
    """One party on the cover: its label (Auftraggeber) and its block of facts, one a line."""

    label: str
    text: str


@dataclass(frozen=True)
class AgreementDocument:
    """All that is printed. `text` is the exact signed text; `qr_svg` SVG markup or ''; `created_at` UTC seconds.

    `evidence` is the evidence file that lies inside, or '' before the agreement stands in the ledger.
    """

    kind: str
    title: str
    subject: str
    status: str
    parties: tuple[PrintedParty, ...]
    text: str
    reading_aid: str
    digest_hex: str
    signatures: tuple[SignatureFact, ...]
    qr_svg: str
    qr_caption: str
    is_practice: bool
    created_at: int
    evidence: str


def agreement_pdf(document: AgreementDocument) -> bytes:
    """Return the PDF/A-3b; the same document gives the same bytes. Exact text and evidence also lie inside as files.

    A letter that no bundled font can draw is printed as its code point, for example [U+1F600]; the files keep it.
    """
    data = _data_of(document)
    try:
        return _compile(data, document.created_at)
    except typst.TypstError:
        # PDF/A refuses missing glyphs; a partner's name in another script must not keep two managers from their PDF.
        whole = {name: data[name] for name in ("text", "qr_svg", "evidence")}
        letter_by_letter = {**spelled(data), **whole}
        return _compile(letter_by_letter, document.created_at)


def spelled(value: Any) -> Any:
    """Return the data with every letter beyond the bundled fonts written as its code point."""
    if isinstance(value, str):
        return BEYOND_FONTS.sub(lambda letter: f"[U+{ord(letter[0]):04X}]", value)
    if isinstance(value, dict):
        return {key: spelled(item) for key, item in value.items()}
    return [spelled(item) for item in value] if isinstance(value, list | tuple) else value


def _compile(data: dict[str, Any], created_at: int) -> bytes:
    pdf = typst.compile(
        str(TEMPLATE),
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        ignore_system_fonts=True,
        pdf_standards="a-3b",
        timestamp=dt.datetime.fromtimestamp(created_at, dt.UTC),
    )
    assert isinstance(pdf, bytes)
    return pdf


def _data_of(document: AgreementDocument) -> dict[str, Any]:
    created = dt.datetime.fromtimestamp(document.created_at, dt.UTC)
    return {
        **asdict(document),
        "created": [created.year, created.month, created.day, created.hour, created.minute, created.second],
        "digest_short": document.digest_hex[:18],
        "digest_lines": _hex_lines(document.digest_hex.removeprefix("0x")),
        "text_sha256_lines": _hex_lines(sha256(document.text.encode()).hexdigest()),
        "blocks": text_blocks(document.text),
        "aid_blocks": text_blocks(document.reading_aid),
        "signatures": [_signature_row(signature) for signature in document.signatures],
        **_fixed_words(document),
    }


def _fixed_words(document: AgreementDocument) -> dict[str, Any]:
    practice = ["Übung: Diese Vereinbarung bindet niemanden. Alle Betriebe sind erfunden."]
    sealed = [
        "Die Datei trägt das Siegel des Betriebs. Die Nachweisdatei liegt ihr bei und lässt sich ohne Netz prüfen."
    ]
    return {
        "watermark": WATERMARK,
        "signature_title": "Wer wann unterschrieben hat",
        "signature_note": f"Jede Unterschrift ist eine {SIGNATURE_WORDING}. Das Siegel gehört dem Betrieb.",
        "notes": [
            *(practice if document.is_practice else []),
            "Verbindlich ist der deutsche Wortlaut. Er liegt dieser Datei auch als Text bei.",
            f"Unterschrieben mit: {SIGNATURE_WORDING}.",
            *(sealed if document.evidence else []),
        ],
        "aid_title": "Lesehilfe, nicht Teil der Vereinbarung",
        "aid_note": "Reading aid, not part of the agreement. Only the German text is signed and binding.",
        "attachment_name": "wortlaut.txt",
        "attachment_note": "Der exakte unterschriebene Wortlaut",
        "evidence_name": "beweis.json",
        "evidence_note": "Die Nachweisdatei: python -m ledger verify --plain",
    }


def _signature_row(signature: SignatureFact) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(signature.at, dt.UTC).strftime("%d.%m.%Y, %H:%M:%S UTC")
    return {**asdict(signature), "at": at, "key_lines": _hex_lines(signature.key_id)}


def _hex_lines(value: str, width: int = 32) -> list[str]:
    return [value[start : start + width] for start in range(0, len(value), width)]
