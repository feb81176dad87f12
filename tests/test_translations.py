"""German and English are complete: the German text is the key, so a new one without English fails here."""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.support import Translations
from flask import Flask
from flask_babel import Babel
from jinja2 import Environment, nodes

from app.web import render
from tests.extraction import ROOT, extracted, texts, texts_in
from tests.extraction import english as stored_english

pytestmark = pytest.mark.xdist_group("texts")  # one worker reads all texts, once
PLACE = re.compile(r"%\((\w+)\)[sd]|\{\w*\}")
GERMAN = re.compile(r"[äöüßÄÖÜ„“]|\b(der|die|das|dein|deine|nicht|noch|und|oder|wähle|ist|sind|für|von|mit)\b", re.I)
LABEL = re.compile(r"[A-ZÄÖÜ][a-zäöüß]{2,}( [A-ZÄÖÜa-zäöüß]+)*[.?!:]?")
PAGES = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], autoescape=True)
BETWEEN_TAGS = re.compile(r"(?<=>)\s*([^<>{}]*[A-Za-zÄÖÜäöüß]{3,}[^<>{}]*?)\s*(?=<)")
READ_ALOUD = re.compile(r"(?:alt|title|aria-label|placeholder)=\"[^\"]*[a-zäöüß]{3}[^\"]*\"")
CODE = re.compile(r"^[a-z]+(-[a-z]+)*$|=\"")
NAMES = {"Werkring", "Reading aid. Only the German text is signed."}
PUNCTUATION = ".?!:…"
NOT_FOR_THE_SCREEN = (
    "app/packs",  # words of an industry stand in its data, in both languages
    "app/push/messages.py",  # has a catalogue of its own
    "app/push/mails.py",
    "app/practice/people.py",  # invented people and firms
    "app/practice/bots.py",
    "app/practice/loading.py",
    "app/practice/scenes.py",
    "app/practice/history.py",
    "app/practice/network.py",
    "app/partners/texts",  # contracts are signed in German
    "app/trouble/documents.py",
    "app/agreements/texts",
    "app/agreements/notices.py",
    "app/agreements/pdf.py",
    "app/agreements/printing.py",
    "app/agreements/blocks.py",
    "app/partners/record.py",
    "app/passkeys/founding.py",  # what a manager signs about keys
    "app/passkeys/key_records.py",
    "app/invoices/documents.py",  # an invoice is written in German
    "app/invoices/pdf.py",
    "app/machines/words.py",  # words of people's tables
    "app/machines/columns.py",
    "app/machines/exports.py",
    "app/moving/tables.py",
    "app/api/columns.py",
    "app/moving/calendars.py",
    "app/moving/documents.py",  # what a manager signs
)
SAID_IN_GERMAN_ONLY = {
    "Änderung im Ablauf",  # stands in a signed amendment
    "UG (haftungsbeschränkt)",
    "ä",
    "ö",
    "ü",
    "ß",
}


@pytest.fixture(scope="module")
def said() -> Catalog:
    return extracted()


@pytest.fixture(scope="module")
def english() -> Catalog:
    return stored_english()


def test_every_text_is_there_in_english(said: Catalog, english: Catalog) -> None:
    missing = [place(message) for message in texts(said) if not is_translated(english.get(message.id))]
    assert missing == []


def test_no_translation_is_left_over(said: Catalog, english: Catalog) -> None:
    left = [str(message.id) for message in texts(english) if said.get(message.id) is None]
    assert left == []
    assert list(english.obsolete) == []


def test_no_translation_is_a_guess(english: Catalog) -> None:
    assert [message.id for message in texts(english) if message.fuzzy] == []


def test_a_translation_fills_the_same_gaps(english: Catalog) -> None:
    wrong = [message.id for message in texts(english) if gaps(message.id) != gaps(message.string)]
    assert wrong == []


def test_one_and_many_have_both_forms(english: Catalog) -> None:
    many = [message for message in texts(english) if isinstance(message.id, tuple)]
    assert many
    for message in many:
        assert len(message.string) == 2
        assert all(message.string)


def test_english_has_no_german_words_in_it(english: Catalog) -> None:
    found = [text for message in texts(english) for text in forms(message.string) if GERMAN.search(unquoted(text))]
    assert found == []


def test_a_translation_ends_as_the_german_text_does(english: Catalog) -> None:
    """A sentence stays a sentence and a label a label."""
    wrong = [
        (german, text)
        for message in texts(english)
        for german, text in zip(forms(message.id), forms(message.string), strict=True)
        if ending(german) != ending(text)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("language", "hours", "euro", "pieces"), [("de", "7,5", "1.250,50", "1.000"), ("en", "7.5", "1,250.50", "1,000")]
)
def test_numbers_are_written_as_the_reader_does(language: str, hours: str, euro: str, pieces: str) -> None:
    app = Flask("app")
    Babel(app, locale_selector=lambda: language)
    with app.test_request_context():
        assert render.hours_said(450) == hours
        assert render.euro_said(125_050) == euro
        assert render.pieces_said(1000) == pieces
        said = render.numbers_said({"left": "7,5", "week": "KW 48", "day": "24.12.2026", "most": 25})
        assert said == {"left": hours, "week": "KW 48", "day": "24.12.2026", "most": 25}


def test_the_compiled_catalogue_speaks(english: Catalog) -> None:
    file = io.BytesIO()
    write_mo(file, english)
    file.seek(0)
    words = Translations(file)
    assert words.ugettext("Maschine") == "Machine"
    assert words.ungettext("%(num)d Plan passt.", "%(num)d Pläne passen.", 1) == "%(num)d plan fits."
    assert words.ungettext("%(num)d Plan passt.", "%(num)d Pläne passen.", 0) == "%(num)d plans fit."
    assert words.ugettext("Gibt es nicht im Katalog") == "Gibt es nicht im Katalog"


def test_no_words_are_a_label_here_and_counted_there(english: Catalog) -> None:
    """Debian's Python 3.11 does not find a label that the catalogue holds with its plural."""
    code = "".join(
        path.read_text()
        for folder in ("app", "templates")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in (".py", ".html")
    )
    counted = [message.id[0] for message in english if message.pluralizable]
    assert [words for words in counted if f'_("{words}")' in code] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "app").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_german_text_in_code_goes_unmarked(path: Path, said: Catalog) -> None:
    """A constant that nobody marked with N_ would stay German on English pages."""
    name = path.relative_to(ROOT).as_posix()
    if name.startswith(NOT_FOR_THE_SCREEN):
        return
    unmarked = [text for text in literals(path) if GERMAN.search(text) and text not in SAID_IN_GERMAN_ONLY]
    assert [text for text in unmarked if said.get(text) is None and not is_form_of_plural(text, said)] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_text_in_a_template_goes_unmarked(path: Path) -> None:
    """Words between tags, in attributes that are read, and German strings handed to a part."""
    tree = PAGES.parse(path.read_text(encoding="utf-8"))
    marked = {id(part) for call in tree.find_all(nodes.Call) if is_translation(call) for part in call.args}
    handed = [part.value for part in tree.find_all(nodes.Const) if id(part) not in marked]
    words = [text for text in handed if isinstance(text, str) and not CODE.search(text)]
    german = [text for text in words if GERMAN.search(text) or LABEL.fullmatch(text)]
    page = "".join(part.data for part in tree.find_all(nodes.TemplateData))
    assert german == []
    assert READ_ALOUD.findall(page) == []
    assert [text for text in BETWEEN_TAGS.findall(page) if text not in NAMES and not CODE.search(text)] == []


def test_a_new_sentence_would_be_found() -> None:
    """The ways in which a text reaches people, each in one line."""
    source = """
LATER = {"key": "Später."}
PLAIN = N_("Von Hand.")
raise RuleBroken("Gib etwas ein.", field="x")
go_to(url_for("a.b"), receipt="Gemerkt." if good else "Gelöscht.")
form.choice("x", CHOICES, "Wähle etwas.")
form.whole("x", *LIMITS["x"], "Eine Zahl fehlt.")
gettext(LATER[key])
ngettext("Ein Ding", "%(num)d Dinge", count)
"""
    found = {text for _line, _function, text, _comments in texts_in(source)}
    assert found == {
        "Später.", "Von Hand.", "Gib etwas ein.", "Gemerkt.", "Gelöscht.", "Wähle etwas.", "Eine Zahl fehlt.",
        ("Ein Ding", "%(num)d Dinge"),
    }  # fmt: skip


def is_translation(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext")


def forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def gaps(text: str | tuple[str, ...]) -> set[str]:
    return {gap.group() for form in forms(text) for gap in PLACE.finditer(form)}


def ending(text: str) -> str:
    return text[-1:] if text[-1:] in PUNCTUATION else ""


def is_translated(message: Message | None) -> bool:
    return message is not None and bool(message.string) and all(forms(message.string))


def is_form_of_plural(text: str, catalog: Catalog) -> bool:
    return any(isinstance(message.id, tuple) and text in message.id for message in texts(catalog))


def unquoted(text: str) -> str:
    """Without English quotation marks and without the German words that the text explains."""
    return re.sub(r"“Ziffer”|“[^“”]*”|\bJa or Nein\b|CNC-Drehmaschine", "", text)


def place(message: Message) -> str:
    name, line = message.locations[0]
    return f"{name}:{line}: {message.id}"


def literals(path: Path) -> Iterator[str]:
    """Every string of a module that is neither a docstring nor a piece of an f-string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    skipped |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value
