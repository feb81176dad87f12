"""What an agreement pays for, to the cent, and what the law wants before an invoice may be written."""

import datetime as dt
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.invoices.rules import (
    Hours,
    Line,
    LineTerms,
    Seat,
    check_fewer,
    check_lines,
    check_prefix,
    check_seats,
    check_step,
    corrected_lines,
    due_day,
    invoice_lines,
    invoice_sums,
    number_text,
    open_hours,
    vat_percent,
)

SELLER = Seat("Yilmaz", "Weg 1", "98527", "Suhl", "DE136695976", "160/123/45678", "DE89370400440532013000")
BUYER = Seat("Keller", "Weg 2", "98693", "Ilmenau", "")
TERMS = (
    LineTerms("b1", "2026-W49", "F5-650", 9500, 120, 7000, 8000, 250, 0),
    LineTerms("b2", "2026-W50", "F5-650", 9500, 0, 7000, 0, 0, 0),
)
QUARTERS = st.integers(0, 160).map(lambda count: count * 15)
RATES = st.integers(0, 30_000)


@st.composite
def jobs(draw: st.DrawFn) -> tuple[tuple[LineTerms, ...], list[Hours]]:
    terms = tuple(
        LineTerms(f"b{number}", "2026-W49", "M", draw(RATES), draw(QUARTERS), draw(RATES), draw(RATES), 250, 500)
        for number in range(draw(st.integers(1, 4)))
    )
    kinds = st.sampled_from(("run", "set_up", "programming", "idle"))
    return terms, [Hours(line.booking_id, draw(kinds), draw(QUARTERS)) for line in terms for _ in range(3)]


@given(jobs(), st.integers(0, 100_000))
def test_every_line_is_the_exact_amount_rounded_half_up_once(
    job: tuple[tuple[LineTerms, ...], list[Hours]], transport_cents: int
) -> None:
    terms, confirmed = job
    for line in invoice_lines(terms, open_hours(terms, confirmed, ()), (), transport_cents):
        exact = Fraction(line.minutes * line.rate_cents_per_hour, 60) if line.minutes else Fraction(transport_cents)
        assert 0 <= exact + Fraction(1, 2) - line.net_cents < 1


@given(jobs(), st.integers(0, 500_000))
def test_tax_is_taken_once_from_the_sum_and_the_agreed_most_is_never_passed(
    job: tuple[tuple[LineTerms, ...], list[Hours]], cap_cents: int
) -> None:
    terms, confirmed = job
    lines = invoice_lines(terms, open_hours(terms, confirmed, ()))
    sums = invoice_sums(lines, 19, cap_cents)
    assert sums.net_cents == min(cap_cents, sum(line.net_cents for line in lines))
    assert abs(sums.tax_cents - Fraction(sums.net_cents * 19, 100)) <= Fraction(1, 2)
    assert sums.gross_cents == sums.net_cents + sums.tax_cents


@given(jobs(), st.data())
def test_however_it_is_cut_into_invoices_no_minute_is_invoiced_twice(
    job: tuple[tuple[LineTerms, ...], list[Hours]], data: st.DataObject
) -> None:
    terms, confirmed = job
    known: list[Hours] = []
    invoiced: list[Hours] = []
    for one in data.draw(st.permutations(confirmed)):
        known.append(one)
        if data.draw(st.booleans()):
            invoiced += open_hours(terms, known, invoiced)
    invoiced += open_hours(terms, known, invoiced)
    assert open_hours(terms, known, invoiced) == ()
    for line in terms:
        for kind in ("run", "set_up", "programming", "idle"):
            of_kind = [h.minutes for h in confirmed if (h.booking_id, h.kind) == (line.booking_id, kind)]
            done = [h.minutes for h in invoiced if (h.booking_id, h.kind) == (line.booking_id, kind)]
            assert sum(done) <= sum(of_kind)


def test_set_up_counts_as_far_as_agreed_and_idle_hours_cost_nothing() -> None:
    confirmed = [Hours("b1", "set_up", 180), Hours("b1", "idle", 60), Hours("b2", "set_up", 60)]
    assert open_hours(TERMS, confirmed, ()) == (Hours("b1", "set_up", 120),)


def test_programming_is_charged_only_where_the_agreement_names_a_rate() -> None:
    confirmed = [Hours("b1", "programming", 60), Hours("b2", "programming", 60)]
    assert open_hours(TERMS, confirmed, ()) == (Hours("b1", "programming", 60),)


def test_a_surcharge_needs_its_word_in_the_agreement_and_hours_that_were_worked() -> None:
    hours = [Hours("b1", "run", 600)]
    assert invoice_lines(TERMS, hours, [Hours("b1", "night", 60)])[1] == Line(
        "b1", "night", "2026-W49", "F5-650", 60, 9500, 250, 2375
    )
    with pytest.raises(RuleBroken, match="mehr Stunden"):
        invoice_lines(TERMS, hours, [Hours("b1", "night", 615)])
    with pytest.raises(RuleBroken, match="nennt der Vertrag nicht"):
        invoice_lines(TERMS, hours, [Hours("b1", "sunday", 60)])


@pytest.mark.parametrize(
    ("seller", "buyer", "sentence"),
    [
        (replace(SELLER, vat_id="", tax_no=""), BUYER, "Steuernummer oder USt-IdNr"),
        (replace(SELLER, iban=""), BUYER, "Bankkonto"),
        (replace(SELLER, street=""), BUYER, "Eure Anschrift"),
        (SELLER, replace(BUYER, town=""), "Anschrift des Partners"),
        (SELLER, replace(BUYER, vat_id="ATU12345678"), "Der Partner sitzt im Ausland"),
        (SELLER, replace(BUYER, postcode="1010"), "Der Partner sitzt im Ausland"),
        (replace(SELLER, vat_id="ATU12345678"), BUYER, "Euer Betrieb sitzt im Ausland"),
    ],
)
def test_what_the_law_asks_for_is_missing_and_one_sentence_says_so(seller: Seat, buyer: Seat, sentence: str) -> None:
    check_seats(SELLER, BUYER)
    with pytest.raises(RuleBroken, match=sentence):
        check_seats(seller, buyer)


def test_a_small_business_shows_no_tax() -> None:
    assert vat_percent(SELLER) == 19
    assert vat_percent(replace(SELLER, is_small_business=True)) == 0


def test_an_invoice_about_nothing_is_refused() -> None:
    with pytest.raises(RuleBroken, match="keine bestätigten Stunden"):
        check_lines((), invoice_sums((), 19))
    lines = invoice_lines(TERMS, [Hours("b1", "run", 60)])
    with pytest.raises(RuleBroken, match="Höchstpreis"):
        check_lines(lines, invoice_sums(lines, 19, 0))


def test_a_correction_only_takes_hours_away() -> None:
    before = invoice_lines(TERMS, [Hours("b1", "run", 600), Hours("b2", "run", 60)], transport_cents=500)
    check_fewer(before, {1: 540, 2: 0})
    assert [(line.minutes, line.net_cents) for line in corrected_lines(before, {1: 540, 2: 0})] == [
        (540, 85_500),
        (0, 500),
    ]
    with pytest.raises(RuleBroken, match="nur weniger"):
        check_fewer(before, {1: 615})
    with pytest.raises(RuleBroken, match="mindestens eine Zeile"):
        check_fewer(before, {1: 600})


def test_steps_numbers_and_days() -> None:
    check_step("draft", "checking")
    for now, then in (("draft", "issued"), ("credited", "paid"), ("issued", "draft")):
        with pytest.raises(RuleBroken, match="nicht mehr"):
            check_step(now, then)
    assert number_text(check_prefix("R-"), 7) == "R-00007"
    with pytest.raises(RuleBroken, match="Buchstaben"):
        check_prefix("R 1")
    assert due_day(dt.date(2026, 12, 14), 30) == dt.date(2027, 1, 13)
