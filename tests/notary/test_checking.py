"""Prüfen (S45): anybody drops a file and learns in plain words what holds; nothing of it stays here."""

import io
import json
import random
import re
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import typst
from werkzeug.test import TestResponse

from app.core import clock
from app.core.db import Base, Database
from app.firms.models import Firm
from app.notary.keys import PdfKey
from app.notary.models import FirmKey
from app.notary.pdf_seal import make_pdf_key, seal_pdf
from app.notary.rules import check_link
from app.web.limits import limiter
from ledger.evidence_file import build_file, counterpart
from tests.ledger.test_pdf import attached, pdf
from tests.ledger.world import World, make_world
from tests.notary.test_pdf_seal import PLAIN
from tests.web.tiny import SAME_ORIGIN, Tiny, open_tiny
from tests.world import make_firm

WORLD = make_world(noise=1)
PRACTICE = make_world("practice/", noise=0)
GOOD = WORLD.file_bytes()
CHANGED = GOOD.replace(b"40 Stunden", b"41 Stunden", 1)
PIECES = (b"", b"0", b"\xff", b"[", b'"', b"-1", b"null", b"{}", b"endstream", b"/EmbeddedFile stream\n{")
DIGEST = json.loads(GOOD)["leaf"]["digest"]


@pytest.fixture
def tiny(sqlite_database: Database, tmp_path: Path) -> Tiny:
    return open_tiny(sqlite_database, tmp_path)


def check(
    tiny: Tiny, file: bytes | None, language: str = "de", headers: dict[str, str] | None = None, **more: Any
) -> TestResponse:
    """Drop files as a browser does; bytes become files."""
    data = {"file": file, **more}
    fields = {name: (io.BytesIO(one), "x") if isinstance(one, bytes) else one for name, one in data.items() if one}
    told = (SAME_ORIGIN if headers is None else headers) | {"Accept-Language": language}
    return tiny.client.post("/pruefen", data=fields, headers=told, content_type="multipart/form-data")


def words(answer: TestResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text.split("<main")[1]))


def verdict(answer: TestResponse) -> str:
    return " ".join(
        re.sub(r"<[^>]*>", " ", re.findall(r'data-testid="urteil">(.*?)</section>', answer.text, re.S)[0]).split()
    )


def provider_file(world: World) -> bytes:
    return build_file(
        world.file(
            record=world.provider.prove(world.provider_seq),
            checkpoint=world.provider.note(world.requester),
            counterpart=counterpart(
                world.requester.note(world.provider),
                world.requester.leaves[world.seq],
                world.requester.prove(world.seq).proof,
            ),
        )
    )


def test_the_page_is_open_to_everybody_and_promises_to_keep_nothing(tiny: Tiny) -> None:
    page = words(tiny.client.get("/pruefen"))
    assert "Wir speichern die Datei nicht." in page
    assert "python -m ledger verify --plain" in page


def test_a_good_file_is_told_as_one_sentence_facts_and_numbered_steps(tiny: Tiny) -> None:
    answer = check(tiny, GOOD)
    assert (answer.status_code, verdict(answer)) == (200, "Alles stimmt.")
    page = words(answer)
    assert f"{WORLD.requester.address} und {WORLD.provider.address}" in page
    assert "Zeile 2 KW 41/2026, 40 Stunden, 3.680,00 EUR" in page
    assert "8. Die Unterschriften der Personen stimmen. stimmt" in page
    assert "Abnahme. Die Stunden werden wöchentlich gemeldet" in page
    assert "Ruf den Betrieb an." in page


def test_english_visitors_read_english(tiny: Tiny) -> None:
    answer = check(tiny, GOOD, "en")
    assert verdict(answer) == "Everything holds."
    assert "The signatures of the people hold." in words(answer)


def test_a_changed_file_names_the_steps_that_fail_and_only_what_it_claims(tiny: Tiny) -> None:
    answer = check(tiny, CHANGED)
    assert (answer.status_code, verdict(answer)) == (200, "Etwas stimmt nicht.")
    page = words(answer)
    assert "7. Der Text ist nicht der unterschriebene. stimmt nicht" in page
    assert "Das behauptet die Datei" in page
    assert "41 Stunden" not in page


def test_a_practice_file_binds_nobody(tiny: Tiny) -> None:
    assert verdict(check(tiny, PRACTICE.file_bytes())) == "Dieser Nachweis gilt nicht. Übung: bindet niemanden."


def test_a_pdf_without_a_seal_is_as_good_as_the_evidence_inside(tiny: Tiny) -> None:
    answer = check(tiny, pdf(attached(GOOD, is_packed=True)))
    assert verdict(answer) == "Alles stimmt."
    assert "Vergleiche den Text." in words(answer)
    assert "15. Diese PDF trägt kein Siegel. entfällt" in words(answer)


def sealed_pdf(by: str = WORLD.requester.address, key: PdfKey | None = None) -> bytes:
    """A page with the evidence inside, sealed by that address."""
    source = b'#set document(date: none)\nVereinbarung\n#pdf.attach("beweis.json", bytes(sys.inputs.evidence))'
    made = typst.compile(source, sys_inputs={"evidence": GOOD.decode()})
    return seal_pdf(made, key or make_pdf_key(by))


@lru_cache(maxsize=1)
def sealed_once() -> bytes:
    return sealed_pdf()


def test_the_seal_of_a_pdf_is_one_more_step(tiny: Tiny) -> None:
    answer = check(tiny, sealed_once())
    assert verdict(answer) == "Alles stimmt."
    # nobody but the file itself says whose key that is
    step = "15. Seit dem Siegel hat niemand die PDF geändert. Den Schlüssel nennt nur diese Datei. stimmt"
    assert step in words(answer)
    assert "Nobody changed the PDF since it was sealed." in words(check(tiny, sealed_once(), "en"))


def test_a_flipped_byte_in_the_page_breaks_the_seal_though_the_evidence_holds(tiny: Tiny) -> None:
    file = sealed_once()
    page = file.index(b"stream", file.index(b"/Contents")) + 20
    for place in (page, len(file) - 3, 12):
        changed = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        answer = check(tiny, changed)
        assert verdict(answer) == "Etwas stimmt nicht."
        assert "15. Das Siegel der PDF stimmt nicht. stimmt nicht" in words(answer)
        assert "8. Die Unterschriften der Personen stimmen. stimmt" in words(answer)


def test_what_was_put_behind_the_seal_or_sealed_by_somebody_else_breaks_it(tiny: Tiny) -> None:
    sealed = sealed_once()
    for file in (
        sealed + b"\n%%EOF",
        sealed_pdf("nowak@localhost"),
        seal_pdf(PLAIN, make_pdf_key("keller@localhost")) + attached(GOOD, is_packed=False),
    ):
        assert "15. Das Siegel der PDF stimmt nicht. stimmt nicht" in words(check(tiny, file))


def test_the_seal_of_a_firm_at_home_here_is_known_and_no_other_passes_for_it(tiny: Tiny) -> None:
    key = make_pdf_key(WORLD.requester.address)
    with tiny.database.write() as session:
        firm = make_firm(session, "keller")
        session.flush()
        session.get_one(Firm, firm.id).address = WORLD.requester.address
        now = clock.now()
        session.add(FirmKey(firm_id=firm.id, purpose="pdf", public_key=key.certificate, wrapped=b"", created_at=now))
    known = words(check(tiny, sealed_pdf(key=key)))
    assert "15. Seit dem Siegel hat niemand die PDF geändert. stimmt" in known
    assert "15. Das Siegel der PDF stimmt nicht." in words(check(tiny, sealed_once()))


@pytest.mark.parametrize("inner", [b"30820000", b"zz", b"30840fffffff", b"3080" * 4])
def test_a_hostile_seal_is_a_failed_step_and_nothing_worse(tiny: Tiny, inner: bytes) -> None:
    file = sealed_once()
    start = int(file.split(b"/ByteRange [0 ")[1].split()[0]) + 1
    changed = file[:start] + inner + file[start + len(inner) :]
    assert "15. Das Siegel der PDF stimmt nicht." in words(check(tiny, changed))


def test_a_seal_that_leaves_something_out_is_none(tiny: Tiny) -> None:
    changed = sealed_once().replace(b"/ByteRange [0 ", b"/ByteRange [9 ")
    assert "15. Das Siegel der PDF stimmt nicht." in words(check(tiny, changed))


def test_the_paper_and_the_file_must_belong_together(tiny: Tiny) -> None:
    path = check_link("", DIGEST)
    assert f'name="eintrag" value="{DIGEST}"' in tiny.client.get(path).text
    assert "Die Datei gehört zu diesem Papier." in words(check(tiny, GOOD, eintrag=DIGEST))
    other = check(tiny, GOOD, eintrag="0x" + "00" * 32)
    assert verdict(other) == "Etwas stimmt nicht."
    assert "Die Datei gehört nicht zu diesem Papier." in words(other)


def test_a_booking_brings_its_line_along(tiny: Tiny) -> None:
    assert "Es geht um Zeile 2 der Vereinbarung." in words(tiny.client.get("/pruefen?zeile=2"))
    assert "Zeile 2 · um diese geht es" in words(check(tiny, GOOD, zeile="2"))
    assert "um diese geht es" not in words(check(tiny, GOOD, zeile="99999"))


def test_both_firms_files_prove_the_same_or_not(tiny: Tiny) -> None:
    same = check(tiny, GOOD, other=provider_file(WORLD))
    assert verdict(same) == "Alles stimmt."
    assert "Beide Betriebe haben dasselbe eingetragen." in words(same)
    for other in (GOOD, provider_file(make_world(noise=0))):
        assert "Die Dateien beweisen nicht dasselbe" in words(check(tiny, GOOD, other=other))
    assert "Die Datei des anderen Betriebs stimmt nicht." in words(check(tiny, GOOD, other=CHANGED))


def test_a_list_of_known_keys_is_believed_more_than_the_file(tiny: Tiny) -> None:
    good = f"log {WORLD.requester.log_key.verifier.vkey}\nquorum none\n".encode()
    answer = check(tiny, GOOD, policy=good)
    assert verdict(answer) == "Alles stimmt."
    assert "Ruf den Betrieb an." not in words(answer)
    foreign = f"log {WORLD.provider.log_key.verifier.vkey}\nquorum none\n".encode()
    assert verdict(check(tiny, GOOD, policy=foreign)) == "Etwas stimmt nicht."


@pytest.mark.parametrize(
    ("file", "more", "sentence"),
    [
        (None, {}, "Wähle eine Datei aus."),
        (b"hallo", {}, "Das ist kein Nachweis."),
        (b"\xff\xfe", {}, "Das ist kein Nachweis."),
        (b"{}", {}, "Das ist kein Nachweis."),
        (b"[" * 9_000, {}, "Das ist kein Nachweis."),
        (pdf(), {}, "In dieser PDF liegt kein Nachweis"),
        (GOOD, {"other": b"hallo"}, "Das ist kein Nachweis."),
        (GOOD, {"policy": b"\xff"}, "Diese Liste ist nicht lesbar."),
        (GOOD, {"policy": b"log x"}, "Diese Liste ist nicht lesbar."),
    ],
)
def test_a_bad_file_is_told_in_one_sentence(
    tiny: Tiny, file: bytes | None, more: dict[str, bytes], sentence: str
) -> None:
    answer = check(tiny, file, **more)
    assert answer.status_code == 422
    assert sentence in words(answer)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tiny: Tiny) -> None:
    answer = check(tiny, b"x" * 500_001)
    assert answer.status_code == 413
    assert "Höchstens 500 kB" in answer.text


def test_nothing_touches_the_disk_or_the_log(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a file on the disk")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    before = rows(tiny)
    assert check(tiny, GOOD).status_code == 200
    assert check(tiny, b"{" + b"x" * 490_000).status_code == 422
    assert rows(tiny) == before
    told = "".join(capsys.readouterr())
    assert WORLD.requester.address not in told
    assert DIGEST not in told


def rows(tiny: Tiny) -> dict[str, int]:
    """How much every table holds; only the counter of visits may grow."""
    with tiny.database.read() as session:
        tables = [table for table in Base.metadata.sorted_tables if table.name != "rate_limit"]
        return {table.name: len(session.execute(table.select()).all()) for table in tables}


def test_a_foreign_page_cannot_send_and_an_old_browser_needs_the_token(tiny: Tiny) -> None:
    assert (
        check(tiny, GOOD, headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}).status_code == 403
    )
    assert check(tiny, GOOD, headers={}).status_code == 403


def test_somebody_who_checks_too_often_waits(tiny: Tiny) -> None:
    assert {check(tiny, b"x").status_code for _ in range(20)} == {422}
    assert check(tiny, b"x").status_code == 429


@pytest.mark.parametrize("kind", ["json", "pdf"])
def test_bytes_of_any_kind_never_break_the_page_and_never_pass(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(limiter, "enabled", False)
    luck, good = random.Random(1), GOOD if kind == "json" else pdf(attached(GOOD, is_packed=False))
    for _ in range(100):
        start = good.index(GOOD) + luck.randrange(len(GOOD))
        bad = good[:start] + luck.choice(PIECES) + good[start + luck.choice((0, 1, 9)) :]
        answer = check(tiny, bad)
        assert answer.status_code in (200, 422), bad
        assert bad == good or answer.status_code == 422 or verdict(answer) == "Etwas stimmt nicht.", bad
