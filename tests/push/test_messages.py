"""Every text fits a lock screen, in every language, also with long names, and says nothing it must not."""

import re

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from app.push.messages import (
    ANYBODY,
    FAILED,
    FOLDER,
    KINDS,
    MOST_BODY,
    MOST_TITLE,
    PRACTICE,
    REPLIES,
    THANKS,
    UNDO,
    message,
    reply,
    translate,
)
from tests.push.world import VALUES

LANGUAGES = ["de", *sorted(path.stem for path in FOLDER.glob("*.po"))]
LONG_NAME = "Feinmechaniker"
PROCESSES = ("Fräsen", "5-Achs-Fräsen", "Draht-erodieren", "Koordinatenschleifen")
GAP = re.compile(r"%\(\w+\)s")


def all_texts() -> set[str]:
    kinds = {text for kind in KINDS.values() for text in (*kind.titles, *kind.bodies, *(b for _, b in kind.buttons))}
    answers = {text for titles, body in REPLIES.values() for text in (*titles, body)}
    return kinds | answers | {ANYBODY, FAILED, PRACTICE, UNDO, *THANKS}


def test_english_is_there() -> None:
    assert "en" in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_text_is_translated_with_the_same_gaps(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        words = {entry.id: str(entry.string) for entry in read_po(file) if entry.id}
    assert all_texts() - set(words) == set()
    assert [text for text, other in words.items() if sorted(GAP.findall(text)) != sorted(GAP.findall(other))] == []
    assert "" not in words.values()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["Keller", LONG_NAME, ""])
@pytest.mark.parametrize("process", PROCESSES)
def test_titles_and_bodies_fit_with_long_names(kind: str, language: str, name: str, process: str) -> None:
    full = VALUES | {
        "name": name, "process": process, "minutes": 120 * 60 + 15, "free_min": 999 * 60 + 45, "count": 12_000,
        "need_min": 10_000 * 60, "part": "Gehäuse", "machine": "DMU 50", "now": "2026-11-16T08:00:00+00:00",
    }  # fmt: skip
    for values in (full, full | {"last_week": "2027-W04"}, {"name": name}, {}):
        said = message(kind, values, language)
        assert 0 < len(said.title) <= MOST_TITLE, said.title
        assert 0 < len(said.body) <= MOST_BODY, said.body
        assert "%(" not in said.title + said.body
        assert "…" not in said.title + said.body


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_cut_where_the_last_wording_is_the_shortest(language: str) -> None:
    for kind in KINDS.values():
        assert len(translate(language, kind.titles[-1]) % {"name": LONG_NAME}) <= MOST_TITLE
        assert len(translate(language, kind.bodies[-1]) % {"name": LONG_NAME}) <= MOST_BODY


def test_the_texts_are_those_of_the_design() -> None:
    said = message("request", VALUES, "de")
    assert (said.title, said.body) == ("40 h Fräsen in KW 48?", "Keller braucht Hilfe. Bei dir sind 46 h frei.")
    assert said.buttons == (("yes", "Ja, das geht"), ("no", "Diesmal nicht"))
    assert message("plans", {"count": 3, "need_min": 30_000}, "de").title == "3 Pläne für deine 500 h"
    assert message("plans", {"count": 1, "need_min": 30_000}, "de").title == "Ein Plan ist da"
    assert message("agreement", VALUES, "de").body == "Keller hat unterschrieben. Jetzt prüfen."
    assert message("question", {"name": "Yilmaz"}, "de").body == "Yilmaz möchte etwas wissen."
    assert message("answer", VALUES, "de").title == "Keller hat geantwortet"
    assert message("request", VALUES, "de", is_practice=True).title == "ÜBUNG: 40 h Fräsen in KW 48?"
    reminder = VALUES | {"reply_by": "2026-11-16T15:00:00+00:00", "now": "2026-11-16T12:00:00+00:00"}
    assert message("reminder", reminder, "de").title == "Antwort bis 16 Uhr"
    assert message("reminder", reminder, "de").body == "Keller wartet: 40 h Fräsen in KW 48."
    assert message("reminder", reminder | {"now": "2026-11-13T12:00:00+00:00"}, "de").title == "Antwort bis Mo, 16 Uhr"


def test_several_weeks_and_long_words_find_a_shorter_wording() -> None:
    values = VALUES | {
        "process": "5-Achs-Fräsen",
        "minutes": 120 * 60,
        "first_week": "2026-W49",
        "last_week": "2027-W04",
    }
    assert message("request", values, "de").title == "120 h 5-Achs-Fräsen, KW 49–4?"
    long = message("request", VALUES | {"name": LONG_NAME}, "de")
    assert long.body == "Feinmechaniker fragt. 46 h sind frei bei dir."


def test_a_name_that_must_not_stand_on_the_lock_screen_does_not() -> None:
    assert message("request", VALUES | {"name": ""}, "de").body == "Ein Partner fragt. 46 h sind frei bei dir."
    assert message("request", VALUES | {"name": ""}, "en").body == "A partner needs help. You have 46 h free."
    assert reply("yes", "de").title == "Danke. Antwort ist gesendet."


def test_what_a_tap_gets_back_is_honest() -> None:
    assert reply("yes", "de", "Keller").title == "Danke. Keller weiß Bescheid."
    assert reply("yes", "de", LONG_NAME).title == "Danke. Antwort ist gesendet."
    assert "Keller" not in reply("no", "de", "Keller").title
    assert reply("undo", "en").title == "Taken back."


def test_a_language_that_nobody_wrote_falls_back_to_german() -> None:
    assert message("request", VALUES, "../../etc").title == "40 h Fräsen in KW 48?"
    assert message("request", VALUES, "tr").body == "Keller braucht Hilfe. Bei dir sind 46 h frei."


@given(st.dictionaries(st.sampled_from([*VALUES, "part", "machine", "count", "need_min"]), st.just("% (x)s %s {0}")))
def test_percent_signs_in_values_stay_text(strange: dict[str, str]) -> None:
    texts = {k: v for k, v in strange.items() if k in ("name", "part", "machine", "process")}
    for kind in KINDS:
        said = message(kind, VALUES | texts, "en")
        assert len(said.title) <= MOST_TITLE
