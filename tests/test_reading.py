"""Einfache Sprache: an alarm for long words, long sentences and words that nobody on the shop floor uses.

LIX and Flesch see only lengths. They are taken over sentences: a label ("Registergericht") names a thing that has no
shorter name. Labels and sentences together have a wider limit per room. Contract texts are exempt.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

import pytest

from tests.extraction import english, extracted, texts
from tests.test_translations import forms

pytestmark = pytest.mark.xdist_group("texts")  # one worker reads all texts, once
MOST_LIX = 35
LEAST_FLESCH = 70
MOST_LIX_WITH_LABELS = 40
LEAST_FLESCH_WITH_LABELS = 65
ENOUGH_WORDS = 20
"""Fewer words say nothing about a text."""
MOST_WORDS = 12
MOST_WORDS_OF_LEITUNG = 14
ROOMS_OF_LEITUNG = ("agreements", "partners", "plans", "requests", "practice")
SUCCESS = {"Es klappt! Deine Nachrichten kommen an."}
INVITATIONS = {"templates/partners/join.html", "templates/partners/gone.html"}
"""Read by people who are no members yet: they are addressed with Sie."""
NEVER = re.compile(r"ressource|\bslot|matching|kapazitätsabruf|workflow", re.I)
NOT_ON_THE_FLOOR = re.compile(r"passkey|token|\bhash|ledger|blockchain", re.I)
FORMAL = re.compile(r"(?<=[a-zäöüß,] )(Sie|Ihnen|Ihre?[nmrs]?)\b")
WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*(?:[.,:]\d+)*")
GAP = re.compile(r"%\(\w+\)[sd]|\{\}")
SENTENCE_END = re.compile(r"(?<=[.?!:…])[“”\"]?\s+")
VOWELS = re.compile(r"[aeiouyäöüé]+", re.I)


@dataclass(frozen=True)
class Measure:
    """How hard a text is: more LIX is harder, more Flesch is easier."""

    words: int
    lix: float
    flesch: float

    @property
    def is_plain(self) -> bool:
        return self.words < ENOUGH_WORDS or (self.lix <= MOST_LIX and self.flesch >= LEAST_FLESCH)


@pytest.fixture(scope="module")
def said() -> dict[str, list[str]]:
    """File → German texts; of one and many the many."""
    by_file: dict[str, list[str]] = defaultdict(list)
    catalog = extracted()
    for message in texts(catalog):
        for name, _line in message.locations:
            by_file[name].append(forms(message.id)[-1])
    return {name: sorted(set(found)) for name, found in by_file.items()}


def test_every_screen_reads_easily(said: dict[str, list[str]]) -> None:
    measured = {name: measure(sentences_only(found)) for name, found in said.items() if name.startswith("templates/")}
    assert {name: one for name, one in measured.items() if not one.is_plain} == {}


def test_every_room_reads_easily(said: dict[str, list[str]]) -> None:
    """Messages of the code and screens of the same room together."""
    assert {name: one for name, one in rooms(said).items() if not one.is_plain} == {}


def test_labels_keep_a_room_readable_too(said: dict[str, list[str]]) -> None:
    measured = {name: measure(found) for name, found in by_room(said).items()}
    hard = {
        name: one
        for name, one in measured.items()
        if one.words >= ENOUGH_WORDS and (one.lix > MOST_LIX_WITH_LABELS or one.flesch < LEAST_FLESCH_WITH_LABELS)
    }
    assert hard == {}


def test_a_sentence_is_short(said: dict[str, list[str]]) -> None:
    """At most 12 words, 14 where the Leitung reads and in lessons."""
    long = [
        (name, sentence)
        for name, found in said.items()
        for text in found
        for sentence in sentences(text)
        if len(WORD.findall(sentence)) > most_words(name)
    ]
    assert long == []


def test_an_english_sentence_is_short_too() -> None:
    found = [sentence for message in texts(english()) for form in forms(message.string) for sentence in sentences(form)]
    assert [one for one in found if len(WORD.findall(one)) > MOST_WORDS_OF_LEITUNG] == []


def test_no_word_of_the_trade_of_programmers(said: dict[str, list[str]]) -> None:
    found = [(name, text) for name, all_of in said.items() for text in all_of if NEVER.search(text)]
    found += [(name, text) for name, all_of in said.items() for text in all_of if NOT_ON_THE_FLOOR.search(text)]
    assert found == []


def test_only_success_is_loud(said: dict[str, list[str]]) -> None:
    assert {text for found in said.values() for text in found if "!" in text} <= SUCCESS


def test_members_are_du_and_guests_are_sie(said: dict[str, list[str]]) -> None:
    formal = {name for name, found in said.items() for text in found if FORMAL.search(text)}
    assert formal <= INVITATIONS


def test_the_measure_knows_hard_from_plain() -> None:
    hard = "Die Registrierungsbestätigung erfordert unternehmensübergreifende Kapazitätsabstimmungsprozesse. " * 4
    plain = "Wie viele Stunden hast du heute gearbeitet? Schreib die Zahl in das Feld. " * 3
    assert not measure([hard]).is_plain
    assert measure([plain]).is_plain
    assert measure([plain]).lix < measure([hard]).lix / 2


def measure(found: list[str]) -> Measure:
    """LIX = words per sentence + percent of words over 6 letters; Flesch-DE = 180 - words per sentence - 58.5 × syllables."""
    parts = [sentence for text in found for sentence in sentences(text)]
    words = [word for part in parts for word in WORD.findall(part)]
    if not words:
        return Measure(0, 0, 100)
    length = len(words) / len(parts)
    long = sum(sum(letter.isalpha() for letter in word) > 6 for word in words)
    syllables = sum(max(1, len(VOWELS.findall(word))) for word in words)
    return Measure(
        len(words), round(length + 100 * long / len(words), 1), round(180 - length - 58.5 * syllables / len(words), 1)
    )


def sentences(text: str) -> list[str]:
    """Sentences with a short word in every gap."""
    return [part for part in SENTENCE_END.split(GAP.sub("Wort", text)) if WORD.search(part)]


def sentences_only(found: list[str]) -> list[str]:
    return [text for text in found if re.search(r"[.?!…]$", text) and " " in text]


def by_room(said: dict[str, list[str]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, all_of in said.items():
        found[room(name)].update(all_of)
    return {name: sorted(all_of) for name, all_of in sorted(found.items())}


def rooms(said: dict[str, list[str]]) -> dict[str, Measure]:
    return {name: measure(sentences_only(found)) for name, found in by_room(said).items()}


def room(name: str) -> str:
    return name.split("/")[1]


def most_words(name: str) -> int:
    return MOST_WORDS_OF_LEITUNG if room(name) in ROOMS_OF_LEITUNG else MOST_WORDS
