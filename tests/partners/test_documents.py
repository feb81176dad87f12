"""The framework agreement: what is shown is what is signed, byte for byte, whatever people typed."""

import json
import unicodedata
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.partners.documents import (
    TEMPLATE_KEYS,
    CancellationStep,
    Clause,
    FrameworkFacts,
    Party,
    check_clause_text,
    check_framework,
    facts_from,
    framework_clauses,
    framework_clauses_en,
    framework_reading_aid,
    load_template,
    render_framework,
    tidy_clause,
)

GOLDEN = Path(__file__).parent / "golden"
ROOMS = Path(__file__).parents[2] / "app"
KELLER = Party(
    "Keller Metallbau GmbH (Demo)",
    "GmbH",
    "Amtsgericht Jena",
    "HRB 000001",
    "DE000000000",
    "Am Hang 4",
    "98693",
    "Ilmenau",
    "Petra Keller, Geschäftsführerin, einzeln zeichnungsberechtigt",
)
MUELLER = Party("Müller Zerspanung (Demo)", "Einzelunternehmen", "", "", "", "Bahnhofstr. 1", "98527", "Suhl")


def facts(key: str = "lohnfertigung") -> FrameworkFacts:
    template = load_template(key)
    return FrameworkFacts(key, template.version, KELLER, MUELLER, "2026-10-01", template.clauses)


def with_clause(number: int, text: str) -> FrameworkFacts:
    whole = facts()
    changed = tuple(tidy_clause(number, c.title, text) if c.number == number else c for c in whole.clauses)
    return replace(whole, clauses=changed)


@pytest.mark.parametrize("key", TEMPLATE_KEYS)
def test_the_signed_text_is_the_same_bytes_on_every_machine(key: str) -> None:
    assert render_framework(facts(key)).encode() == (GOLDEN / f"framework_{key}.txt").read_bytes()


@pytest.mark.parametrize("key", TEMPLATE_KEYS)
def test_the_framework_holds_the_clauses_that_stay_each_with_an_english_aid(key: str) -> None:
    numbers = [clause.number for clause in load_template(key).clauses]

    assert numbers == [1, 2, 7, 8, *range(11, 27)]
    assert [clause.number for clause in framework_clauses_en(facts(key))] == numbers
    assert "%(" not in render_framework(facts(key)) + framework_reading_aid(facts(key))


@pytest.mark.parametrize("key", TEMPLATE_KEYS)
def test_every_shipped_clause_passes_the_check_for_typed_clauses(key: str) -> None:
    for clause in load_template(key).clauses:
        check_clause_text(clause)


def test_no_text_promises_more_than_a_signature_designed_to_article_26() -> None:
    texts = [path.read_text(encoding="utf-8").lower() for path in ROOMS.glob("*/texts/*.txt")]

    assert len(texts) >= 10
    for word in ("qualifiziert", "qualified", "eigenhändig", "handwrit", "fortgeschritten", "advanced"):
        assert not any(word in text for text in texts), word
    for key in TEMPLATE_KEYS:
        assert "elektronischen Signatur, ausgelegt nach Art. 26 eIDAS" in render_framework(facts(key))


def test_contract_manufacturing_never_speaks_of_instructions_shifts_or_renting() -> None:
    both = [(ROOMS / room / "texts" / "lohnfertigung.de.txt").read_text() for room in ("partners", "agreements")]

    text = "\n".join(both).replace("Weisungsrechte gegenüber seinen Beschäftigten hat nur er", "")
    for word in ("Weisung", "Arbeitszeit", "Schicht", "miete", "Miete", "eingegliedert"):
        assert word not in text, word
    assert "Weisungsrechte gegenüber seinen Beschäftigten hat nur er" in both[0]


def test_a_changed_clause_stands_in_the_text_and_loses_its_reading_aid() -> None:
    changed = with_clause(17, "(1) Kundenschutz ist nicht vereinbart.")

    assert "(1) Kundenschutz ist nicht vereinbart." in render_framework(changed)
    aid = {clause.number: clause.text for clause in framework_clauses_en(changed)}
    assert aid[17].startswith("This clause was changed")
    assert aid[16].startswith("(1) Drawings")


def test_a_changed_clause_may_use_percent_signs_and_places() -> None:
    text = render_framework(with_clause(8, "(1) Erlaubt sind %(scrap_percent)s % Ausschuss, nie 100%s."))

    assert "(1) Erlaubt sind 3 % Ausschuss, nie 100%s." in text


def test_a_firm_name_cannot_imitate_a_clause_or_pull_in_a_value() -> None:
    hostile = replace(KELLER, name="Evil\nZiffer 13  Haftung\n\u202eKeine %(vat_id)s\x00")

    text = render_framework(replace(facts(), party_a=hostile))

    assert "Evil Ziffer 13 Haftung Keine %(vat_id)s\n" in text
    assert text.count("\nZiffer 13  Haftung\n") == 1


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Preis", ""),
        ("", "Text"),
        ("Preis", "x" * 8001),
        ("Preis", "versteckt\u200b"),
        ("Preis", "ge\u202edreht"),
        ("Preis", "Steuer\x07"),
        ("Preis", "Ende \n"),
        ("Preis", "Zeile\r\nZeile"),
        ("Preis", "Ziffer 13  Haftung"),
        ("Preis", "u\u0308ber"),
        ("Preis", "%(passwort)s"),
    ],
)
def test_a_clause_that_hides_or_imitates_something_is_refused_in_one_sentence(title: str, text: str) -> None:
    with pytest.raises(RuleBroken) as refused:
        check_clause_text(Clause(5, title, text))
    assert str(refused.value).count("%(") == 0
    assert str(refused.value).endswith(".")


def test_a_clause_cannot_be_dropped() -> None:
    with pytest.raises(RuleBroken):
        check_framework(replace(facts(), clauses=facts().clauses[:-1]))


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (CancellationStep(14, 0),),
        (CancellationStep(3, 50), CancellationStep(14, 0), CancellationStep(0, 80)),
        (CancellationStep(14, 50), CancellationStep(0, 20)),
        (CancellationStep(14, 0), CancellationStep(0, 101)),
    ],
)
def test_cancellation_steps_must_rise_towards_the_week(steps: tuple[CancellationStep, ...]) -> None:
    with pytest.raises(RuleBroken):
        check_framework(replace(facts(), cancellation_steps=steps))


@pytest.mark.parametrize(("name", "value"), [("payment_days", 90), ("notice_days", 0), ("scrap_percent", -1)])
def test_periods_outside_the_usual_are_refused(name: str, value: int) -> None:
    with pytest.raises(RuleBroken) as refused:
        check_framework(replace(facts(), **{name: value}))
    assert refused.value.field == name


def test_facts_survive_the_way_through_a_message() -> None:
    message = json.loads(json.dumps(asdict(facts())))

    assert facts_from(FrameworkFacts, message) == facts()


@pytest.mark.parametrize(
    "spoil",
    [
        {"payment_days": "30"},
        {"payment_days": True},
        {"payment_days": 30.0},
        {"clauses": "alle"},
        {"party_a": None},
        {"extra": 1},
    ],
)
def test_a_message_with_other_fields_or_types_is_refused(spoil: dict[str, object]) -> None:
    with pytest.raises(RuleBroken):
        facts_from(FrameworkFacts, {**asdict(facts()), **spoil})


@given(st.text(max_size=200), st.text(max_size=60))
def test_whatever_is_typed_the_text_stays_in_its_stable_form(text: str, name: str) -> None:
    clause = tidy_clause(17, "Kundenschutz", text)
    try:
        check_clause_text(clause)
    except RuleBroken:
        return
    changed = tuple(clause if c.number == 17 else c for c in facts().clauses)

    signed = render_framework(replace(facts(), clauses=changed, party_b=replace(MUELLER, name=name)))

    assert unicodedata.is_normalized("NFC", signed)
    assert "\r" not in signed
    assert all(line == line.rstrip() for line in signed.split("\n"))
    assert signed.endswith("\n")
    assert not signed.endswith("\n\n")
    assert signed.count("\nZiffer ") == 20
    assert framework_clauses(replace(facts(), clauses=changed))[10].text == clause.text or "%(" in clause.text


def test_a_template_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RuleBroken):
        load_template("../../etc/passwd")
