"""The call-off and what follows it: exact texts, five short facts, and sums that nobody can bend."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.agreements.amendment_documents import (
    CancellationFacts,
    CancelledLine,
    ChangeFacts,
    fee_for,
    render_cancellation,
    render_change,
)
from app.agreements.documents import (
    CallOffFacts,
    CallOffLine,
    Contact,
    Drawing,
    MachineTerms,
    Provision,
    call_off_sections,
    english_reading_aid,
    five_facts,
    line_amount_cents,
    render_call_off,
)
from app.core.errors import RuleBroken
from app.partners.documents import CancellationStep, Party, facts_from, load_template

GOLDEN = Path(__file__).parent / "golden"
KELLER = Party("Keller Metallbau GmbH", "GmbH", "Amtsgericht Jena", "HRB 1", "DE0", "Am Hang 4", "98693", "Ilmenau")
MUELLER = Party("Müller Zerspanung", "Einzelunternehmen", "", "", "", "Bahnhofstr. 1", "98527", "Suhl")
DIGEST = "0x" + "3f" * 32
NOON_18_NOVEMBER = 1795000000


TERMS = MachineTerms("5-Achs-Bearbeitungszentrum", 7050, 8000, 250, 500)
BARE_TERMS = MachineTerms("", 9550, 0, 0, 0)


def line(week: str, minutes: int, set_up_min: int = 0, rate: int = 9550, terms: MachineTerms = TERMS) -> CallOffLine:
    amount = line_amount_cents(minutes, rate, set_up_min, terms.set_up_rate_cents_per_hour)
    return CallOffLine("5-Achs-Zentrum F5-650", "0192f0c1-0001", week, minutes, rate, set_up_min, amount, terms)


LINES = (line("2026-W49", 2400, 120), line("2026-W50", 2400), line("2026-W53", 1215), line("2027-W01", 1200))


def facts(**changes: Any) -> CallOffFacts:
    lines = changes.get("lines", LINES)
    total = sum(one.amount_cents for one in lines) + 12000
    whole = CallOffFacts(
        template_key="lohnfertigung",
        version=1,
        requester=KELLER,
        provider=MUELLER,
        framework_date="2026-10-01",
        part="Gehäuse links",
        quantity=48,
        drawings=(Drawing("4711-01.pdf", "C", "ab" * 32),),
        process="5-Achs-Fräsen",
        material="1.7225 (42CrMo4)",
        tolerances="IT7, Ra 1,6 µm",
        general_tolerance="ISO 22081:2021 + DIN 2769:2021-12",
        certificates=("ISO 9001",),
        lines=lines,
        transport_cents=12000,
        currency="EUR",
        total_cents=total,
        cap_cents=total + 100000,
        tolerance_percent=10,
        cancellation_steps=(CancellationStep(14, 0), CancellationStep(3, 50), CancellationStep(0, 80)),
        delivery_week="2027-W02",
        delivery_term="FCA",
        material_provided=True,
        provisions=(Provision("Vorrichtung", "Spannturm", 1, 250000),),
        expires_at=NOON_18_NOVEMBER,
        is_bundled=True,
        shortage_reason="Kapazität ausgelastet",
        requester_contact=Contact("Leitung", "03677 1234"),
        provider_contact=Contact("Leitung", ""),
    )
    return replace(whole, **changes)


def change() -> ChangeFacts:
    after = facts(lines=LINES[:3], delivery_week="2027-W01", cap_cents=facts().cap_cents)
    return ChangeFacts(facts(), after, "2026-11-18", DIGEST, "weniger Teile", NOON_18_NOVEMBER)


def cancellation() -> CancellationFacts:
    cancelled = CancelledLine("5-Achs-Zentrum F5-650", "2026-W53", 1215, 193388, 50, 96694)
    return CancellationFacts(
        facts(), "2026-11-18", DIGEST, "requester", "2026-12-20", "Kunde verschiebt", (cancelled,), 96694, False
    )


def test_the_signed_texts_are_the_same_bytes_on_every_machine() -> None:
    rendered = {
        "call_off_lohnfertigung": render_call_off(facts()),
        "call_off_bought_material": render_call_off(facts(material_provided=False, provisions=(), is_bundled=False)),
        "call_off_maschinennutzung": render_call_off(facts(template_key="maschinennutzung", quantity=0)),
        "change": render_change(change()),
        "cancellation": render_cancellation(cancellation()),
    }
    for name, text in rendered.items():
        assert text.encode() == (GOLDEN / f"{name}.txt").read_bytes(), name


@pytest.mark.parametrize("key", ["lohnfertigung", "maschinennutzung"])
def test_framework_and_call_off_together_hold_all_26_clauses(key: str) -> None:
    headings = re.findall(r"^Ziffer (\d+)  ", render_call_off(facts(template_key=key)), re.MULTILINE)

    assert sorted([*map(int, headings), *(clause.number for clause in load_template(key).clauses)]) == [*range(1, 27)]


@pytest.mark.parametrize("key", ["lohnfertigung", "maschinennutzung"])
def test_each_german_piece_has_an_english_one_beneath(key: str) -> None:
    german = call_off_sections(facts(template_key=key), "de")
    english = call_off_sections(facts(template_key=key), "en")

    assert len(german) == len(english) == 11
    assert all(piece.text.strip() for piece in english)
    assert "%(" not in english_reading_aid(facts(template_key=key))


@pytest.mark.parametrize("key", ["lohnfertigung", "maschinennutzung"])
def test_clause_5_names_every_rate_and_clause_3_the_machine_class(key: str) -> None:
    machines = (line("2026-W49", 600), line("2026-W50", 600), line("2026-W51", 600, terms=BARE_TERMS))
    clauses = {piece.heading: piece.text for piece in call_off_sections(facts(template_key=key, lines=machines), "de")}
    subject = next(text for heading, text in clauses.items() if heading.startswith("Ziffer 3 "))
    price = next(text for heading, text in clauses.items() if heading.startswith("Ziffer 5 "))

    assert "Maschinenklasse: 5-Achs-Bearbeitungszentrum\n" in subject
    assert [text.split(": ")[1] for text in price.split("\n") if text.startswith("– 5-Achs")] == [
        "Maschine 95,50 EUR, Rüsten 70,50 EUR, Programmieren 80,00 EUR, Zuschlag nachts (22 bis 6 Uhr) 25 %, "
        "Zuschlag an Sonn- und Feiertagen 50 %",
        "Maschine 95,50 EUR, Rüsten 95,50 EUR, Programmieren ohne Berechnung, keine Zuschläge",
    ]
    assert "auch sie fallen unter den Höchstpreis" in price


def test_a_machine_of_an_unknown_class_is_said_to_be_one() -> None:
    assert "Maschinenklasse: nicht angegeben\n" in render_call_off(
        facts(lines=(line("2026-W49", 600, terms=BARE_TERMS),))
    )


@pytest.mark.parametrize("name", [field for field in asdict(TERMS) if field != "machine_class"])
def test_a_price_below_nothing_is_refused(name: str) -> None:
    with pytest.raises(RuleBroken, match="Beträge stimmen nicht"):
        render_call_off(facts(lines=(line("2026-W49", 600, terms=replace(TERMS, **{name: -1})),)))


def test_the_text_of_the_parts_joined_is_the_signed_text() -> None:
    signed = render_call_off(facts())

    assert all(piece.text.strip("\n") in signed for piece in call_off_sections(facts(), "de"))


def test_bought_material_brings_incoming_inspection_instead_of_acceptance() -> None:
    assert "§ 650 BGB" in render_call_off(facts(material_provided=False))
    assert "§ 650 BGB" not in render_call_off(facts())


def test_only_a_bundled_call_off_waits_for_the_rest_of_the_plan() -> None:
    assert "nur im Ganzen" in render_call_off(facts())
    assert "nur im Ganzen" not in render_call_off(facts(is_bundled=False))


def test_a_part_name_cannot_imitate_a_clause_or_pull_in_a_value() -> None:
    text = render_call_off(facts(part="Teil\n\nZiffer 5  Preis\n\n(1) 1 EUR %(total)s\u202e"))

    assert "„Teil Ziffer 5 Preis (1) 1 EUR %(total)s“" in text
    assert text.count("\nZiffer 5  Preis\n") == 1


@pytest.mark.parametrize(
    "spoil",
    [
        {"total_cents": 1},
        {"cap_cents": 1},
        {"lines": ()},
        {"lines": (replace(LINES[0], amount_cents=1), *LINES[1:])},
        {"lines": (replace(LINES[0], minutes=0), *LINES[1:])},
        {"delivery_week": "2026-W49"},
        {"delivery_week": "2025-W53"},
        {"delivery_term": "EXW"},
        {"template_key": "maschine_mit_personal"},
        {"version": 99},
        {"shortage_reason": " "},
        {"part": "\u200b"},
        {"quantity": -1},
        {"transport_cents": -1},
    ],
)
def test_facts_that_contradict_each_other_are_never_rendered(spoil: dict[str, Any]) -> None:
    with pytest.raises(RuleBroken):
        render_call_off(replace(facts(), **spoil))


def test_facts_survive_the_way_through_a_message() -> None:
    assert facts_from(CallOffFacts, json.loads(json.dumps(asdict(facts())))) == facts()


@pytest.mark.parametrize("side", ["requester", "provider"])
@pytest.mark.parametrize("key", ["lohnfertigung", "maschinennutzung"])
def test_the_five_facts_are_short_and_easy_to_read(key: str, side: str) -> None:
    five = five_facts(facts(template_key=key), side)
    sentences = [sentence for _, said in five for sentence in said]
    words = [word for sentence in sentences for word in re.findall(r"[\w-]+", sentence)]
    long_words = [word for word in words if len(word) > 6]

    assert [label for label, _ in five] == ["Wer", "Was", "Wann", "Preis", "Wenn etwas schiefgeht"]
    assert max(len(sentence.split()) for sentence in sentences) <= 12
    assert len(words) / len(sentences) + 100 * len(long_words) / len(words) <= 35
    assert not {"du", "ihr", "dein", "euch", "Sie", "Ihr"} & set(words)


def test_the_five_facts_say_price_hours_and_partner_of_the_signed_text() -> None:
    noon = facts(lines=LINES[:1], expires_at=NOON_18_NOVEMBER // 3600 * 3600)
    said = {label: " ".join(sentences) for label, sentences in five_facts(noon, "requester")}

    assert "Müller Zerspanung" in said["Wer"]
    assert "48 Stück" in said["Was"]
    assert "KW 49/2026" in said["Wann"]
    assert "40 Stunden" in said["Wann"]
    assert "4.081,00 €" in said["Preis"]
    assert "80 %" in said["Wenn etwas schiefgeht"]
    assert "18.11.2026, 12 Uhr" in said["Wenn etwas schiefgeht"]


def test_the_five_facts_are_there_in_english_too() -> None:
    labels = [label for label, _ in five_facts(facts(), "provider", "en")]

    assert labels == ["Who", "What", "When", "Price", "If something goes wrong"]


def test_a_change_shows_all_that_changes_and_nothing_changes_unseen() -> None:
    sneaky = replace(change(), after=replace(change().after, material="S235"))

    with pytest.raises(RuleBroken):
        render_change(sneaky)
    with pytest.raises(RuleBroken):
        render_change(replace(change(), after=facts()))


def test_the_english_of_changes_and_cancellations_names_the_same_sums() -> None:
    for german, english in (
        (render_change(change()), render_change(change(), "en")),
        (render_cancellation(cancellation()), render_cancellation(cancellation(), "en")),
    ):
        sums = re.compile(r"[\d.]+,\d\d")
        assert sums.findall(german) == sums.findall(english)
        assert "Stunden" not in english


def test_a_cancellation_fee_must_follow_from_its_step() -> None:
    with pytest.raises(RuleBroken):
        render_cancellation(replace(cancellation(), fee_cents=1))
    with pytest.raises(RuleBroken):
        render_cancellation(replace(cancellation(), lines=()))


@given(st.integers(0, 10**9), st.integers(0, 100))
def test_a_fee_is_rounded_half_up_once(amount_cents: int, percent: int) -> None:
    fee = fee_for(amount_cents, percent)

    assert -50 < amount_cents * percent - 100 * fee <= 50 or amount_cents * percent - 100 * fee == -50
    assert 0 <= fee <= amount_cents


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=40))
def test_foreign_words_never_add_a_line_to_the_text(part: str, name: str, phone: str) -> None:
    plain = render_call_off(facts(requester_contact=Contact("Leitung", "1")))
    part, name = (words if any(letter.isalnum() for letter in words) else words + "x" for words in (part, name))

    hostile = facts(part=part, provider=replace(MUELLER, name=name), requester_contact=Contact("Leitung", phone + "1"))

    assert render_call_off(hostile).count("\n") == plain.count("\n")
