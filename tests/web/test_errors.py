"""A failure is one plain sentence: no contents, no names of code, the same for what is missing and what is not yours."""

import json
from pathlib import Path

import pytest
import structlog

from app.core.db import Database
from app.factory import MOST_BODY_BYTES
from app.web.errors import SENTENCES, UNEXPECTED
from tests.web.tiny import SAME_ORIGIN, SECRET, Tiny, open_tiny
from tests.world import make_world

CASES = {
    "regel": (422, "Gib die Stunden als Zahl ein, zum Beispiel 7,5."),
    "fehlt": (404, SENTENCES[404]),
    "verboten": (403, "Das darf nur deine Leitung. Frag sie."),
    "zu-spät": (409, "Das geht gerade nicht mehr. Lade die Seite neu."),
    "absturz": (500, UNEXPECTED),
    "gesperrt": (503, SENTENCES[503]),
}
LEAKS = (
    "Traceback",
    "ZeroDivision",
    "OperationalError",
    "sqlalchemy",
    "SELECT",
    "site-packages",
    SECRET,
    "Geheimkunde",
)


@pytest.fixture
def tiny(sqlite_database: Database, tmp_path: Path) -> Tiny:
    with sqlite_database.write() as session:
        keller = make_world(session, ("keller", "yilmaz"))["keller"]
    tiny = open_tiny(sqlite_database, tmp_path)
    tiny.acting[0] = keller.actor()
    return tiny


@pytest.mark.parametrize("name", CASES)
def test_people_read_one_sentence_on_a_whole_page(tiny: Tiny, name: str) -> None:
    status, sentence = CASES[name]
    answer = tiny.client.get(f"/t/fehler/{name}")
    assert answer.status_code == status
    assert sentence in answer.text
    assert answer.text.startswith("<!doctype html>")
    assert "Zur Startseite" in answer.text
    assert [leak for leak in LEAKS if leak in answer.text] == []


@pytest.mark.parametrize("name", CASES)
def test_scripts_read_the_same_sentence_as_json(tiny: Tiny, name: str) -> None:
    status, sentence = CASES[name]
    answer = tiny.client.get(f"/t/fehler/{name}", headers={"Accept": "application/json"})
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert answer.json is not None
    assert answer.json["error"] == sentence
    assert set(answer.json) == ({"error", "reference"} if status == 500 else {"error"})
    assert [leak for leak in LEAKS if leak in answer.text] == []


def test_a_fault_of_ours_has_a_number_that_the_log_has_too_but_no_contents(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = tiny.client.get("/t/fehler/absturz", headers={"Accept": "application/json"})
    assert answer.json is not None
    said = capsys.readouterr().out
    entries = [json.loads(line) for line in said.splitlines() if "unexpected error" in line]
    assert [entry["reference"] for entry in entries] == [answer.json["reference"]]
    assert entries[0]["page"] == "/t/fehler/<name>"
    assert "ZeroDivisionError" in entries[0]["exception"]
    assert SECRET not in said
    assert answer.json["reference"] not in tiny.client.get("/t/fehler/absturz").text


def test_every_refusal_leaves_a_line_that_names_the_person_and_never_the_address(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    actor = tiny.acting[0]
    assert actor is not None
    who = {"firm_id": actor.firm_id, "person_id": actor.person_id, "sign_in_id": actor.session_id}
    for name in ("verboten", "fehlt", "zu-spät", "regel"):
        tiny.client.get(f"/t/fehler/{name}")
    tiny.post(wert="x", headers={"Origin": "https://evil.example"})
    tiny.acting[0] = None
    tiny.post(wert="x")
    tiny.client.get("/t/seite")  # a stranger who is asked to sign in is no news
    said = capsys.readouterr().out
    lines = [json.loads(line) for line in said.splitlines() if '"refused"' in line]
    assert [(line["status"], line["page"]) for line in lines] == [
        *((status, "/t/fehler/<name>") for status in (403, 404, 409, 422)), (403, "/t/tat"), (403, "/t/tat"),
    ]  # fmt: skip
    assert all(who.items() <= line.items() for line in lines[:-1])
    assert not who.keys() & lines[-1].keys()
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert "verboten" not in said


def test_a_line_break_that_somebody_typed_makes_no_second_line_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().warning("x", kind="a\nb\r\u2028\x1b[31m")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert not set("\r\u2028\x1b") & set(line)


def test_what_does_not_exist_and_what_is_not_yours_read_the_same(tiny: Tiny) -> None:
    missing = tiny.client.get("/t/fehler/fehlt")
    nowhere = tiny.client.get("/gibt-es-nicht/wirklich")
    assert missing.status_code == nowhere.status_code == 404
    assert missing.text == nowhere.text


def test_a_wrong_verb_gets_its_sentence(tiny: Tiny) -> None:
    answer = tiny.client.get("/t/tat")
    assert (answer.status_code, SENTENCES[405] in answer.text) == (405, True)


@pytest.mark.parametrize(
    ("kind", "head", "size"),
    [
        ("application/x-www-form-urlencoded", b"wert=", MOST_BODY_BYTES),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="wert"\r\n\r\n',
            2 * 1024 * 1024 + 1,
        ),
    ],
)
def test_a_body_that_is_too_big_gets_its_sentence_and_does_nothing(
    tiny: Tiny, kind: str, head: bytes, size: int
) -> None:
    body = head + b"x" * size + b"\r\n--b--\r\n"
    answer = tiny.client.post("/t/tat", data=body, content_type=kind, headers=SAME_ORIGIN)
    assert (answer.status_code, SENTENCES[413] in answer.text.replace("\N{NO-BREAK SPACE}", " ")) == (413, True)
    assert tiny.done() == []


def test_visitors_are_sent_to_sign_in_and_scripts_get_the_bare_status(tiny: Tiny) -> None:
    tiny.acting[0] = None
    assert tiny.client.get("/t/seite").headers["Location"] == "/anmelden?weiter=/t/seite"
    script = tiny.client.get("/t/seite", headers={"Accept": "application/json"})
    assert (script.status_code, script.json) == (403, {"error": "Melde dich zuerst an."})


def test_an_english_reader_gets_an_english_sentence(tiny: Tiny) -> None:
    tiny.acting[0] = None
    answer = tiny.client.get("/gibt-es-nicht", headers={"Accept-Language": "en"})
    assert SENTENCES[404] not in answer.text
    assert '<html lang="en"' in answer.text


def test_a_path_that_looks_like_markup_is_never_shown(tiny: Tiny) -> None:
    answer = tiny.client.get("/<script>alert(1)</script>?q=<script>alert(2)</script>")
    assert answer.status_code == 404
    assert "alert(" not in answer.text
