"""What every page has in common when it is read."""

import datetime as dt

import pytest
from flask import Flask
from flask_babel import Babel

from app.web.render import tie_numbers, when_text

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    "words",
    [
        "KW_49 bis KW_4/2027",
        "8_h",
        "9,50_€",
        "80_%.",
        "bis 12_Uhr",
        "40_Stunden",
        "30._November",
        "16._Nov.",
        "30_July",
        "Ra_1,6_µm",
    ],
)
def test_a_number_stays_with_its_word_on_one_line(words: str) -> None:
    assert tie_numbers(f"<p>{words.replace('_', ' ')}</p>") == f"<p>{words.replace('_', NBSP)}</p>"


def test_the_days_of_a_week_stay_on_one_line() -> None:
    assert tie_numbers("<p>KW\xa053 · 28.12.–1.1.</p>") == "<p>KW\xa053 · 28.12.–\N{WORD JOINER}1.1.</p>"


@pytest.mark.parametrize(
    "html",
    [
        '<a title="KW 4">',
        "<textarea>KW 4</textarea>",
        "<p>Plan 3 passt</p>",
        "<p>4 42CrMo4</p>",
        "<p>4–8</p>",
        '<a title="1.–4.12.">',
        "<textarea>1.–4.12.</textarea>",
    ],
)
def test_what_people_write_and_what_programs_read_is_left_alone(html: str) -> None:
    assert tie_numbers(html) == html


@pytest.mark.parametrize(
    ("language", "minute", "said"),
    [("de", 0, "16. Nov., 7 Uhr"), ("de", 5, "16. Nov., 7:05 Uhr"), ("en", 0, "16 Nov, 07:00")],
)
def test_a_moment_is_written_one_way(language: str, minute: int, said: str) -> None:
    app = Flask("app")
    Babel(app, locale_selector=lambda: language, default_timezone="Europe/Berlin")
    with app.test_request_context():
        assert when_text(dt.datetime(2026, 11, 16, 6, minute, tzinfo=dt.UTC)) == said
