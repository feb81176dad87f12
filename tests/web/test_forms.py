"""A form keeps what was typed, says every fault at once in one sentence each, and never guesses."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.core.errors import RuleBroken
from app.web.forms import Form, first_error

ROLES = ("worker", "foreman")


def sentences(form: Form) -> list[str]:
    return [str(error) for error in form.errors]


def test_every_fault_is_said_at_once_in_the_order_of_reading_and_everything_typed_stays() -> None:
    typed = {"name": "  ", "hours": "viel", "rate": "-1", "week": "2025-W53", "mail": "petra", "many": "99"}
    form = Form(MultiDict(typed))

    form.text("name", "Gib einen Namen ein.")
    form.hours("hours")
    form.euro("rate")
    form.week("week")
    form.mail("mail")
    form.whole("many", 1, 20)

    assert [error.field for error in form.errors] == ["name", "hours", "rate", "week", "mail", "many"]
    assert all(sentence.endswith(".") for sentence in sentences(form))
    assert not form.is_good
    assert {name: form.value(name) for name in typed} == typed
    assert form.error("many") is form.errors[-1]
    assert form.error("other") is None
    assert first_error(form.errors) is form.errors[0]


def test_a_good_form_gives_minutes_cents_and_days() -> None:
    form = Form(
        {
            "hours": "7,5",
            "rate": "85,50 €",
            "many": "1.000",
            "week": "2026-W53",
            "day": "24.12.2026",
            "name": " Petra \t Keller ",
        }
    )
    assert form.hours("hours") == 450
    assert form.euro("rate") == 8550
    assert form.whole("many", 1, 5000) == 1000
    assert form.week("week") == "2026-W53"
    assert form.day("day") == dt.date(2026, 12, 24)
    assert form.text("name") == "Petra Keller"
    assert form.is_good
    assert first_error(form.errors) is None


@pytest.mark.parametrize("reader", ["hours", "euro", "week"])
def test_a_needed_number_that_is_missing_gets_its_own_sentence_and_an_optional_one_none(reader: str) -> None:
    form = Form({"it": " "})
    assert getattr(form, reader)("it", missing="") is None
    assert form.is_good
    assert getattr(form, reader)("it", missing="Das fehlt noch.") is None
    assert sentences(form) == ["Das fehlt noch."]


def test_one_field_gets_one_sentence_however_often_it_is_read() -> None:
    form = Form({})
    form.text("name", "Gib einen Namen ein.")
    form.text("name", "Gib einen Namen ein.")
    assert len(form.errors) == 1


def test_texts_that_are_too_long_are_said_and_cut_but_not_in_the_field() -> None:
    form = Form({"name": "x" * 81, "note": "y" * 1001})
    assert form.text("name") == "x" * 80
    assert form.long_text("note") == "y" * 1000
    assert sentences(form) == [f"Das ist zu lang. Höchstens {most} Zeichen passen." for most in (80, 1000)]
    assert form.value("name") == "x" * 81


def test_lines_keep_their_ends_as_one_sign_and_control_signs_are_refused() -> None:
    form = Form({"note": " eins\r\nzwei\rdrei \n", "bad": "a\x00b", "line": "a\x7fb"})
    assert form.long_text("note") == "eins\nzwei\ndrei"
    form.long_text("bad")
    form.text("line")
    assert [error.field for error in form.errors] == ["bad", "line"]
    assert "unsichtbares Zeichen" in sentences(form)[0]


@pytest.mark.parametrize("typed", ["0", "21", "1,5", "zwei", "1.00", "٣", "１２", "-1", "9999999999", "1e1"])
def test_whole_numbers_out_of_bounds_or_of_other_signs_are_refused(typed: str) -> None:
    form = Form({"many": typed})
    assert form.whole("many", 1, 20) is None
    assert sentences(form) == ["Gib eine ganze Zahl von 1 bis 20 ein."]


def test_whole_numbers_may_be_missing_or_needed_or_negative() -> None:
    form = Form({"below": "-3"})
    assert form.whole("none", 1, 20) is None
    assert form.is_good
    assert form.whole("below", -5, 5) == -3
    assert form.whole("needed", 1, 20, "Gib die Stückzahl ein.") is None
    assert sentences(form) == ["Gib die Stückzahl ein."]


@pytest.mark.parametrize(
    ("typed", "day"), [("2026-12-24", dt.date(2026, 12, 24)), ("1.2.2026", dt.date(2026, 2, 1)), ("", None)]
)
def test_days_are_read_as_browsers_and_as_people_write_them(typed: str, day: dt.date | None) -> None:
    form = Form({"day": typed})
    assert form.day("day") == day
    assert form.is_good


@pytest.mark.parametrize("typed", ["31.2.2026", "24.12.26", "heute", "2026-13-01", "٢٤.١٢.٢٠٢٦", "0.0.0000"])
def test_days_that_do_not_exist_are_refused(typed: str) -> None:
    form = Form({"day": typed})
    assert form.day("day") is None
    assert sentences(form) == ["Gib ein Datum ein, zum Beispiel 24.12.2026."]


def test_a_choice_is_one_of_those_offered() -> None:
    form = Form(MultiDict([("role", "foreman"), ("roles", "worker"), ("roles", "worker"), ("bad", "owner")]))
    assert form.choice("role", ROLES) == "foreman"
    assert form.choices("roles", ROLES) == ["worker"]
    assert form.choice("none", ROLES, missing="") is None
    assert form.choices("none", ROLES) == []
    assert form.is_good
    assert form.choice("bad", ROLES) is None
    assert form.choice("empty", ROLES, "Wähle eine Rolle.") is None
    assert [(error.field, str(error)) for error in form.errors] == [
        ("bad", "Wähle eine Möglichkeit aus."),
        ("empty", "Wähle eine Rolle."),
    ]


def test_one_false_choice_among_many_is_said_and_left_out() -> None:
    form = Form(MultiDict([("roles", "worker"), ("roles", "owner")]))
    assert form.choices("roles", ROLES) == ["worker"]
    assert form.values("roles") == ["worker", "owner"]
    assert not form.is_good
    assert Form({}).choices("roles", ROLES, "Wähle eine Rolle.") == []


@pytest.mark.parametrize(("typed", "is_yes"), [("on", True), ("1", True), ("ja", True), ("off", False), ("", False)])
def test_a_tick_is_yes(typed: str, is_yes: bool) -> None:
    assert Form({"it": typed}).yes("it") is is_yes


@pytest.mark.parametrize("typed", ["petra@keller.de", "p.k+x@werk.example"])
def test_mail_addresses_are_taken(typed: str) -> None:
    form = Form({"mail": typed})
    assert form.mail("mail") == typed
    assert form.is_good


@pytest.mark.parametrize("typed", ["petra", "a@b", "a b@c.de", "a@b.de, c@d.de", "<a@b.de>", "a@@b.de", "a@b.d"])
def test_what_is_no_mail_address_is_refused(typed: str) -> None:
    form = Form({"mail": typed})
    form.mail("mail")
    assert "E-Mail-Adresse" in sentences(form)[0]


def test_a_form_that_an_action_refused_shows_the_actions_sentence_at_the_field() -> None:
    form = Form({"number": "M1"})
    form.add_error(RuleBroken("Die Nummer %(number)s hat schon eine andere Maschine.", "number", number="M1"))
    error = form.error("number")
    assert error is not None
    assert str(error) == "Die Nummer M1 hat schon eine andere Maschine."


@given(st.text(max_size=120), st.sampled_from(["text", "long_text", "hours", "euro", "week", "day", "mail"]))
def test_whatever_is_typed_is_read_or_refused_in_words_and_stays_as_typed(typed: str, reader: str) -> None:
    form = Form({"it": typed})
    read = getattr(form, reader)("it")
    assert form.value("it") == typed
    assert form.is_good or read is None or isinstance(read, str)
    assert all(error.field == "it" and str(error) for error in form.errors)
